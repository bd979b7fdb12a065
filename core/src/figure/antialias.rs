//! Designs side by side: responses, where a spot seems to be, error against cost, predicted against measured.

use plotters::backend::DrawingBackend;
use plotters::chart::ChartBuilder;
use plotters::element::{PathElement, Rectangle};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor};

use super::canvas::{Area, Figure, FigureError};
use super::dots::{Axes, Dot, draw_dots};
use super::featured::Featured;
use super::marks::Shape;
use super::number::compact;
use super::style::{self, FAINT_INK, GRID, INK, PALE, SERIES, draw_note, printable};
use crate::antialias::Kind;
use crate::antialias::pictures::{Curve, POINTS};
use crate::antialias::report::{BenchReport, DesignResult};

/// The bench's downsamplings as one figure; where there are none, what else there is.
#[derive(Clone, Debug)]
pub struct AntialiasFigure<'a> {
    /// The result.
    pub report: &'a BenchReport,
    /// The filters' responses.
    pub curves: &'a [Curve],
}

/// Error against cost of what is no downsampling, where downsamplings have a figure of their own.
#[derive(Clone, Debug)]
pub struct OtherDesignsFigure<'a> {
    /// The result.
    pub report: &'a BenchReport,
}

const WIDTH: u32 = 1480;
const ROW: u32 = 470;
const TOP: u32 = 78;
const MARGIN: i32 = 24;
const KINDS: [Kind; 4] = [Kind::Downsampling, Kind::Nonlinearity, Kind::Normalisation, Kind::Upsampling];

impl Figure for AntialiasFigure<'_> {
    fn size(&self) -> (u32, u32) {
        let rows = if self.curves.is_empty() { 1 } else { 2 };
        (WIDTH, TOP + rows * ROW + 12)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let report = self.report;
        header(root, report, "Anti-aliasing designs: what is predicted, what is measured, what it costs")?;
        let (_, rest) = root.split_vertically(TOP);
        let featured = Featured::of(report);
        if self.curves.is_empty() {
            let (left, right) = rest.split_horizontally(WIDTH / 2);
            let downsamplings = report.designs.iter().any(|design| design.kind == Kind::Downsampling);
            let kinds = if downsamplings { &KINDS[..1] } else { &KINDS[..] };
            costs(&left, "Error against cost", report, kinds, &featured)?;
            return agreement(&right, report, &featured);
        }
        let (upper, lower) = rest.split_vertically(ROW);
        let (left, right) = upper.split_horizontally(WIDTH / 2);
        self.responses(&left, &featured)?;
        self.sweep(&right, &featured)?;
        let (left, right) = lower.split_horizontally(WIDTH / 2);
        costs(&left, "Error against cost: downsamplings", report, &KINDS[..1], &featured)?;
        agreement(&right, report, &featured)
    }
}

impl Figure for OtherDesignsFigure<'_> {
    fn size(&self) -> (u32, u32) {
        (WIDTH, TOP + ROW + 12)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        header(root, self.report, "Nonlinearities, normalisations and upsamplings: error against cost")?;
        let (_, rest) = root.split_vertically(TOP);
        costs(&rest, "", self.report, &KINDS[1..], &Featured::of(self.report))
    }
}

fn header<DB: DrawingBackend>(root: &Area<DB>, report: &BenchReport, title: &str) -> Result<(), FigureError> {
    root.draw_text(title, &style::title(), (MARGIN, 14))?;
    let velocity = report.velocity.map(|v| v.to_string().replace('-', "−"));
    let note = format!(
        "{}, {n} × {n} samples, stride {}, v = ({}, {}), {} padding",
        printable(&report.input),
        report.stride,
        velocity[0],
        velocity[1],
        report.protocol,
        n = report.samples
    );
    draw_note(root, &note, (MARGIN, 46), WIDTH as i32 - 2 * MARGIN)
}

fn shape(kind: Kind) -> Shape {
    match kind {
        Kind::Downsampling => Shape::Circle,
        Kind::Nonlinearity => Shape::Triangle,
        Kind::Normalisation => Shape::Square,
        Kind::Upsampling => Shape::Diamond,
    }
}

/// Of designs that have no colour of their own: by kind, which is told by the shape as well.
fn color(design: &DesignResult, featured: &Featured<'_>) -> RGBColor {
    featured.color(&design.name).unwrap_or(match design.kind {
        Kind::Downsampling => PALE,
        Kind::Nonlinearity => SERIES[1],
        Kind::Normalisation => SERIES[2],
        Kind::Upsampling => SERIES[3],
    })
}

impl AntialiasFigure<'_> {
    /// |G| in decibels over frequency, a line per filter.
    fn responses<DB: DrawingBackend>(&self, area: &Area<DB>, featured: &Featured<'_>) -> Result<(), FigureError> {
        const FLOOR: f64 = -72.0;
        area.draw_text("Frequency responses along an axis", &style::panel(), (86, 8))?;
        let nyquist = 0.5 / self.report.stride as f64;
        let mut chart = ChartBuilder::on(area)
            .margin_top(40)
            .margin_left(8)
            .margin_right(22)
            .margin_bottom(8)
            .x_label_area_size(54)
            .y_label_area_size(78)
            .build_cartesian_2d(0.0..0.5, FLOOR..4.0)?;
        chart.draw_series([Rectangle::new([(0.0, FLOOR), (nyquist, 4.0)], SERIES[2].mix(0.14).filled())])?;
        chart
            .configure_mesh()
            .light_line_style(GRID.mix(0.0))
            .bold_line_style(GRID)
            .axis_style(INK)
            .x_desc("frequency, cycles per input sample (shaded: the output's band)")
            .y_desc("|G|, decibels")
            .axis_desc_style(style::axis())
            .label_style(style::label())
            .x_labels(6)
            .x_label_formatter(&|x| format!("{x:.1}"))
            .y_label_formatter(&|y| format!("{y:.0}").replace('-', "−"))
            .draw()?;
        let points = |curve: &Curve| -> Vec<(f64, f64)> {
            let decibels = |gain: f64| (20.0 * gain.max(1e-9).log10()).clamp(FLOOR, 4.0);
            let at = |i: usize| 0.5 * i as f64 / POINTS as f64;
            curve.gain.iter().enumerate().map(|(i, gain)| (at(i), decibels(*gain))).collect()
        };
        let is_featured = |curve: &&Curve| featured.color(&curve.name).is_some();
        let others: Vec<&Curve> = self.curves.iter().filter(|curve| !is_featured(curve)).collect();
        for curve in &others {
            chart.draw_series([PathElement::new(points(curve), PALE.mix(0.6).stroke_width(1))])?;
        }
        let mut entries = Vec::new();
        for (name, color) in featured.iter() {
            let Some(curve) = self.curves.iter().find(|curve| curve.name == name) else { continue };
            chart.draw_series([PathElement::new(points(curve), color.stroke_width(3))])?;
            entries.push((name.to_owned(), color));
        }
        match &others[..] {
            [] => {}
            [one] => entries.push((one.name.clone(), PALE)),
            many => entries.push((format!("the other {}", many.len()), PALE)),
        }
        // Below, where curves have fallen off.
        let (_, height) = area.dim_in_pixel();
        lines_key(area, &entries, (104, height as i32 - 76 - 20 * entries.len() as i32))
    }

    /// How far a spot seems to have moved, against how far it was moved.
    fn sweep<DB: DrawingBackend>(&self, area: &Area<DB>, featured: &Featured<'_>) -> Result<(), FigureError> {
        let Some(sweep) = &self.report.shift_sweep else { return Ok(()) };
        area.draw_text("Where a small spot seems to be, against where it is", &style::panel(), (86, 8))?;
        let shown: Vec<(&str, RGBColor)> =
            featured.iter().filter(|(name, _)| sweep.positions.contains_key(*name)).collect();
        let reach = |fold: fn(f64, f64) -> f64, start: f64| {
            shown.iter().flat_map(|(name, _)| sweep.positions[*name].iter().copied()).fold(start, fold)
        };
        let (low, high) = (reach(f64::min, 0.0), reach(f64::max, 2.0));
        let air = 0.06 * (high - low);
        let mut chart = ChartBuilder::on(area)
            .margin_top(40)
            .margin_left(8)
            .margin_right(22)
            .margin_bottom(8)
            .x_label_area_size(54)
            .y_label_area_size(78)
            .build_cartesian_2d(0.0..2.0, low - air..high + air)?;
        chart
            .configure_mesh()
            .light_line_style(GRID.mix(0.0))
            .bold_line_style(GRID)
            .axis_style(INK)
            .x_desc("shift of the input, samples")
            .y_desc("shift of the output, input samples")
            .axis_desc_style(style::axis())
            .label_style(style::label())
            .x_label_formatter(&|x| format!("{x:.1}"))
            .y_label_formatter(&|y| format!("{y:.1}").replace('-', "−"))
            .draw()?;
        chart.draw_series([PathElement::new(vec![(0.0, 0.0), (2.0, 2.0)], FAINT_INK.mix(0.35).stroke_width(8))])?;
        for (name, color) in &shown {
            let points: Vec<(f64, f64)> =
                sweep.shifts.iter().copied().zip(sweep.positions[*name].iter().copied()).collect();
            chart.draw_series([PathElement::new(points, color.stroke_width(3))])?;
        }
        let mut entries: Vec<(String, RGBColor)> =
            shown.iter().map(|(name, color)| ((*name).to_owned(), *color)).collect();
        entries.push(("wide grey: where it is".to_owned(), PALE));
        lines_key(area, &entries, (104, 48))
    }
}

/// Names beside lines of their colours.
fn lines_key<DB: DrawingBackend>(
    area: &Area<DB>,
    entries: &[(String, RGBColor)],
    (left, top): (i32, i32),
) -> Result<(), FigureError> {
    for (at, (name, color)) in entries.iter().enumerate() {
        let y = top + 20 * at as i32;
        area.draw(&PathElement::new(vec![(left, y + 9), (left + 28, y + 9)], color.stroke_width(3)))?;
        area.draw_text(&printable(name), &style::label(), (left + 38, y))?;
    }
    Ok(())
}

/// Multiplications per sample of the input: what each costs on every machine, where times are those of one.
fn cost(report: &BenchReport, design: &DesignResult) -> Option<f64> {
    let samples = (report.samples * report.samples) as f64;
    design.operations.map(|operations| operations / samples)
}

fn costs<DB: DrawingBackend>(
    area: &Area<DB>,
    title: &str,
    report: &BenchReport,
    kinds: &[Kind],
    featured: &Featured<'_>,
) -> Result<(), FigureError> {
    let designs: Vec<&DesignResult> = report.designs.iter().filter(|design| kinds.contains(&design.kind)).collect();
    let mut dots: Vec<Dot> = designs
        .iter()
        .filter_map(|design| {
            Some(Dot {
                x: cost(report, design)?,
                y: design.measured,
                name: design.name.clone(),
                color: color(design, featured),
                shape: shape(design.kind),
            })
        })
        .collect();
    dots.sort_by_key(|dot| dot.color != PALE);
    let axes = Axes {
        title,
        x: "multiplications or comparisons per input sample",
        y: "mean square of the Lie derivative",
        zero: 1e-22 * report.slope_energy,
        zero_x: 0.0,
        diagonal: false,
    };
    draw_dots(area, &axes, &dots)?;
    kinds_key(area, &designs)?;
    let uncounted = designs.len() - dots.len();
    if uncounted > 0 {
        let (width, _) = area.dim_in_pixel();
        let text = format!("not drawn: {uncounted} whose cost is not counted");
        area.draw_text(&text, &style::anchored(style::note(), HPos::Right, VPos::Top), (width as i32 - 24, 12))?;
    }
    Ok(())
}

/// What the shapes are, where there are several.
fn kinds_key<DB: DrawingBackend>(area: &Area<DB>, designs: &[&DesignResult]) -> Result<(), FigureError> {
    let kinds: Vec<Kind> = KINDS.into_iter().filter(|kind| designs.iter().any(|d| d.kind == *kind)).collect();
    if kinds.len() < 2 {
        return Ok(());
    }
    let (width, _) = area.dim_in_pixel();
    let text = style::anchored(style::note().color(&INK), HPos::Left, VPos::Center);
    let words: Vec<String> = kinds.iter().map(ToString::to_string).collect();
    let mut x = width as i32 - 24;
    for word in &words {
        x -= 40 + area.estimate_text_size(word, &text)?.0 as i32;
    }
    for (kind, word) in kinds.into_iter().zip(&words) {
        shape(kind).draw(area, (x + 8, 30), 5, FAINT_INK)?;
        area.draw_text(word, &text, (x + 20, 30))?;
        x += 40 + area.estimate_text_size(word, &text)?.0 as i32;
    }
    Ok(())
}

fn agreement<DB: DrawingBackend>(
    area: &Area<DB>,
    report: &BenchReport,
    featured: &Featured<'_>,
) -> Result<(), FigureError> {
    let with: Vec<&DesignResult> = report.designs.iter().filter(|design| design.predicted.is_some()).collect();
    let mut dots: Vec<Dot> = with
        .iter()
        .map(|design| Dot {
            x: design.predicted.unwrap_or(0.0),
            y: design.measured,
            name: String::new(),
            color: color(design, featured),
            shape: shape(design.kind),
        })
        .collect();
    // Those that the figure is about lie above the others.
    dots.sort_by_key(|dot| dot.color != PALE);
    let rounding = 1e-22 * report.slope_energy;
    let axes = Axes {
        title: "Predicted by the theorem, measured on tensors",
        x: "predicted mean square of the Lie derivative",
        y: "measured",
        zero: rounding,
        zero_x: rounding,
        diagonal: true,
    };
    draw_dots(area, &axes, &dots)?;
    kinds_key(area, &with)?;
    let worst = with.iter().filter_map(|design| design.relative_difference.map(|d| (d, &design.name)));
    if let Some((worst, name)) = worst.max_by(|a, b| a.0.total_cmp(&b.0)) {
        let text = format!("largest difference: {} of what is measured ({name})", compact(worst));
        let (width, height) = area.dim_in_pixel();
        let at = (width as i32 - 34, height as i32 - 104);
        area.draw_text(&text, &style::anchored(style::note(), HPos::Right, VPos::Bottom), at)?;
    }
    Ok(())
}
