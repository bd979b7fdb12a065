//! Designs side by side: responses, where a spot seems to be, error against cost, predicted against measured.

use plotters::backend::DrawingBackend;
use plotters::chart::ChartBuilder;
use plotters::element::{Circle, PathElement, Rectangle};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor};

use super::canvas::{Area, Figure, FigureError};
use super::dots::{Axes, Dot, draw_dots};
use super::style::{self, FAINT_INK, GRID, INK, SERIES, fit, printable};
use crate::antialias::Kind;
use crate::antialias::pictures::{Curve, POINTS};
use crate::antialias::report::{BenchReport, DesignResult};

/// The bench's result as one figure.
#[derive(Clone, Debug)]
pub struct AntialiasFigure<'a> {
    /// The result.
    pub report: &'a BenchReport,
    /// The filters' responses.
    pub curves: &'a [Curve],
}

const WIDTH: u32 = 1480;
const ROW: u32 = 520;
const TOP: u32 = 78;

impl AntialiasFigure<'_> {
    fn rows(&self) -> u32 {
        let others = self.report.designs.iter().any(|design| design.kind != Kind::Downsampling);
        if self.curves.is_empty() {
            1
        } else if others {
            3
        } else {
            2
        }
    }
}

impl Figure for AntialiasFigure<'_> {
    fn size(&self) -> (u32, u32) {
        (WIDTH, TOP + self.rows() * ROW + 16)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let report = self.report;
        root.draw_text(
            "Anti-aliasing designs: what is predicted, what is measured, what it costs",
            &style::title(),
            (24, 14),
        )?;
        let note = format!(
            "{}, {n} × {n} samples, stride {}, v = ({}, {}), {} padding",
            printable(&report.input),
            report.stride,
            report.velocity[0],
            report.velocity[1],
            report.protocol,
            n = report.samples
        );
        root.draw_text(&fit(root, &note, &style::note(), WIDTH as i32 - 48)?, &style::note(), (24, 46))?;
        let (_, rest) = root.split_vertically(TOP);
        let rows = rest.split_evenly((self.rows() as usize, 1));
        let halves = |area: &Area<DB>| area.split_horizontally(WIDTH / 2);
        let kinds = |wanted: &[Kind]| -> Vec<&DesignResult> {
            report.designs.iter().filter(|design| wanted.contains(&design.kind)).collect()
        };
        let all = [Kind::Downsampling, Kind::Nonlinearity, Kind::Normalisation, Kind::Upsampling];
        let down = kinds(&all[..1]);
        let others = kinds(&all[1..]);
        if self.curves.is_empty() {
            let (left, right) = halves(&rows[0]);
            self.costs(&left, "Error against cost", &kinds(&all))?;
            return self.agreement(&right);
        }
        let (left, right) = halves(&rows[0]);
        self.responses(&left)?;
        self.sweep(&right)?;
        let (left, right) = halves(&rows[1]);
        self.costs(&left, "Error against cost: downsamplings", &down)?;
        self.agreement(&right)?;
        if !others.is_empty() {
            self.costs(&rows[2], "Error against cost: nonlinearities, normalisations, upsamplings", &others)?;
        }
        Ok(())
    }
}

/// The family of a design: its colour, and its name in the legend.
fn family(name: &str) -> (RGBColor, usize) {
    match name.split([':', ' ']).next().unwrap_or(name) {
        "stride" | "max" | "average" => (INK, 0),
        "blurpool" | "max-blurpool" | "vasconcelos" => (SERIES[0], 1),
        "kaiser" | "kaiser-radial" | "lanczos" | "bilinear" | "bicubic" => (SERIES[1], 2),
        "ideal" | "asap" => (SERIES[2], 3),
        _ => (RGBColor(0xc9, 0xa2, 0x27), 4),
    }
}

fn kind_color(kind: Kind) -> RGBColor {
    match kind {
        Kind::Downsampling => SERIES[0],
        Kind::Nonlinearity => SERIES[1],
        Kind::Normalisation => SERIES[2],
        Kind::Upsampling => SERIES[3],
    }
}

impl AntialiasFigure<'_> {
    /// |G| in decibels over frequency, a line per filter.
    fn responses<DB: DrawingBackend>(&self, area: &Area<DB>) -> Result<(), FigureError> {
        const FLOOR: f64 = -72.0;
        const LEGEND: i32 = 168;
        let (width, _) = area.dim_in_pixel();
        area.draw_text("Frequency responses along an axis", &style::panel(), (86, 8))?;
        let nyquist = 0.5 / self.report.stride as f64;
        let mut chart = ChartBuilder::on(area)
            .margin_top(40)
            .margin_left(8)
            .margin_right(LEGEND)
            .margin_bottom(8)
            .x_label_area_size(54)
            .y_label_area_size(86)
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
        let mut curves: Vec<&Curve> = self.curves.iter().collect();
        curves.sort_by_key(|curve| family(&curve.name).1);
        let mut y = 40;
        let mut last = None;
        for curve in curves {
            let (color, of) = family(&curve.name);
            let rank = if last == Some(of) { y_rank(&curve.name, self.curves, of) } else { 0 };
            if last.is_some() && last != Some(of) {
                y += 6;
            }
            last = Some(of);
            let points: Vec<(f64, f64)> = curve
                .gain
                .iter()
                .enumerate()
                .map(|(i, gain)| (0.5 * i as f64 / POINTS as f64, (20.0 * gain.max(1e-9).log10()).clamp(FLOOR, 4.0)))
                .collect();
            let color = lighter(color, rank);
            for dash in dashes(&points, rank) {
                chart.draw_series([PathElement::new(dash, color.stroke_width(2))])?;
            }
            let x = width as i32 - LEGEND + 14;
            let sample: Vec<(f64, f64)> = (0..=22).map(|i| (0.5 * i as f64 / 60.0, 0.0)).collect();
            for dash in dashes(&sample, rank) {
                let ends: Vec<(i32, i32)> = dash.iter().map(|(t, _)| (x + (t * 120.0) as i32, y + 9)).collect();
                area.draw(&PathElement::new(ends, color.stroke_width(3)))?;
            }
            let name = fit(area, &curve.name, &style::note(), LEGEND - 50)?;
            area.draw_text(&name, &style::note().color(&INK), (x + 28, y))?;
            y += 16;
        }
        Ok(())
    }

    /// How far a spot seems to have moved, against how far it was moved.
    fn sweep<DB: DrawingBackend>(&self, area: &Area<DB>) -> Result<(), FigureError> {
        const SHOWN: [&str; 6] = ["stride", "max", "blurpool:3", "aps", "kaiser", "ideal"];
        let Some(sweep) = &self.report.shift_sweep else { return Ok(()) };
        area.draw_text("Where a small spot seems to be, against where it is", &style::panel(), (86, 8))?;
        let mut names: Vec<&str> = SHOWN.into_iter().filter(|name| sweep.positions.contains_key(*name)).collect();
        let more = sweep.positions.keys().map(String::as_str).filter(|name| !SHOWN.contains(name));
        names.extend(more.take(6usize.saturating_sub(names.len())));
        let reach = |fold: fn(f64, f64) -> f64, start: f64| {
            names.iter().flat_map(|name| sweep.positions[*name].iter().copied()).fold(start, fold)
        };
        let (low, high) = (reach(f64::min, 0.0), reach(f64::max, 2.0));
        let air = 0.06 * (high - low);
        let mut chart = ChartBuilder::on(area)
            .margin_top(40)
            .margin_left(8)
            .margin_right(22)
            .margin_bottom(8)
            .x_label_area_size(54)
            .y_label_area_size(86)
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
        chart.draw_series([PathElement::new(vec![(0.0, 0.0), (2.0, 2.0)], FAINT_INK.mix(0.6).stroke_width(6))])?;
        for (at, name) in names.iter().enumerate() {
            let color = [INK, SERIES[3], SERIES[0], RGBColor(0x8a, 0x3f, 0x8f), SERIES[1], SERIES[2]][at % 6];
            let points: Vec<(f64, f64)> =
                sweep.shifts.iter().copied().zip(sweep.positions[*name].iter().copied()).collect();
            chart.draw_series([PathElement::new(points, color.stroke_width(3))])?;
            let (x, y) = (104, 48 + 20 * at as i32);
            area.draw(&PathElement::new(vec![(x, y + 9), (x + 28, y + 9)], color.stroke_width(3)))?;
            area.draw_text(name, &style::label(), (x + 40, y))?;
        }
        area.draw_text("— grey: where it is", &style::note(), (104, 50 + 20 * names.len() as i32))?;
        Ok(())
    }

    fn costs<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        title: &str,
        designs: &[&DesignResult],
    ) -> Result<(), FigureError> {
        let dots: Vec<Dot> = designs
            .iter()
            .map(|design| Dot {
                x: design.time_ratio,
                y: design.measured,
                name: design.name.clone(),
                color: kind_color(design.kind),
            })
            .collect();
        let axes = Axes {
            title,
            x: "time, over the plainest design of its kind",
            y: "mean square of the Lie derivative",
            zero: 1e-22 * self.report.slope_energy,
            zero_x: 0.0,
            diagonal: false,
        };
        draw_dots(area, &axes, &dots)
    }

    fn agreement<DB: DrawingBackend>(&self, area: &Area<DB>) -> Result<(), FigureError> {
        let with: Vec<&DesignResult> = self.report.designs.iter().filter(|design| design.predicted.is_some()).collect();
        let dots: Vec<Dot> = with
            .iter()
            .map(|design| Dot {
                x: design.predicted.unwrap_or(0.0),
                y: design.measured,
                name: String::new(),
                color: kind_color(design.kind),
            })
            .collect();
        let rounding = 1e-22 * self.report.slope_energy;
        let axes = Axes {
            title: "Predicted by the theorem against measured on tensors, a dot per design",
            x: "predicted mean square of the Lie derivative",
            y: "measured",
            zero: rounding,
            zero_x: rounding,
            diagonal: true,
        };
        draw_dots(area, &axes, &dots)?;
        let mut y = 56;
        for kind in [Kind::Downsampling, Kind::Nonlinearity, Kind::Normalisation, Kind::Upsampling] {
            if with.iter().any(|design| design.kind == kind) {
                area.draw(&Circle::new((138, y + 9), 5, kind_color(kind).filled()))?;
                area.draw_text(&kind.to_string(), &style::label(), (152, y))?;
                y += 20;
            }
        }
        let worst = with.iter().filter_map(|design| design.relative_difference.map(|d| (d, &design.name)));
        if let Some((worst, name)) = worst.max_by(|a, b| a.0.total_cmp(&b.0)) {
            let text = format!("largest difference: {} ({name})", super::number::compact(worst));
            let (width, height) = area.dim_in_pixel();
            let at = (width as i32 - 34, height as i32 - 104);
            area.draw_text(&text, &style::anchored(style::note(), HPos::Right, VPos::Bottom), at)?;
        }
        Ok(())
    }
}

/// The place of a curve within its family.
fn y_rank(name: &str, curves: &[Curve], of: usize) -> usize {
    curves.iter().filter(|curve| family(&curve.name).1 == of).position(|curve| curve.name == name).unwrap_or(0)
}

/// Lighter by its place within a family.
fn lighter(color: RGBColor, rank: usize) -> RGBColor {
    let share = 0.09 * rank.min(5) as f64;
    let mix = |a: u8| (f64::from(a) + share * (255.0 - f64::from(a))).round() as u8;
    RGBColor(mix(color.0), mix(color.1), mix(color.2))
}

/// The line whole, dashed or dotted by its place within a family.
fn dashes(points: &[(f64, f64)], rank: usize) -> Vec<Vec<(f64, f64)>> {
    let (on, off) = match rank % 3 {
        0 => return vec![points.to_vec()],
        1 => (9, 5),
        _ => (3, 4),
    };
    // In pieces of the curve's own points: curves have hundreds of them, samples in a legend two dozen.
    let scale = (points.len() / 160).max(1);
    points
        .chunks((on + off) * scale)
        .map(|chunk| chunk[..chunk.len().min(on * scale)].to_vec())
        .filter(|dash| dash.len() > 1)
        .collect()
}
