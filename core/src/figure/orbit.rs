//! The figure of `aliascope layers --orbit`: a scalar along the orbit, and the layers that move it.

use plotters::backend::DrawingBackend;
use plotters::element::{Circle, DashedPathElement, PathElement};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor};

use super::canvas::{Area, Figure, FigureError};
use super::number::compact;
use super::style::{self, FAINT_INK, GRID, INK, SERIES, anchored, fit, fit_end, printable};
use crate::measure::orbit_report::{OrbitImage, OrbitReport};
use crate::symmetry::Units;

/// The image that changes most, a class if one changes, along its orbit.
#[derive(Clone, Copy, Debug)]
pub struct OrbitFigure<'a> {
    /// The report.
    pub report: &'a OrbitReport,
}

const WIDTH: i32 = 1240;
const HEIGHT: i32 = 590;
const MARGIN: i32 = 28;
const TOP: i32 = 128;
const BOTTOM: i32 = HEIGHT - 72;
/// Where the two plots begin and end.
const LEFT: [i32; 2] = [MARGIN + 62, 560];
const RIGHT: [i32; 2] = [646, 970];
/// Layers with a line of their own.
const MOST: usize = 6;

/// Colours of lines, and whether they are dashed.
const LINES: [(RGBColor, bool); MOST + 1] = [
    (SERIES[1], false),
    (SERIES[0], false),
    (SERIES[2], false),
    (RGBColor(0x7a, 0x3e, 0x9d), false),
    (RGBColor(0x1f, 0x7a, 0x4d), false),
    (RGBColor(0xa0, 0x80, 0x10), false),
    (FAINT_INK, true),
];

/// Places along one axis.
#[derive(Clone, Copy)]
struct Range {
    least: f64,
    most: f64,
    from: i32,
    to: i32,
}

impl Range {
    fn of(values: impl Iterator<Item = f64>, from: i32, to: i32) -> Self {
        let (least, most) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        let room = if most > least { 0.06 * (most - least) } else { 0.5 * most.abs().max(1e-12) };
        Self { least: least - room, most: most + room, from, to }
    }

    fn place(&self, value: f64) -> i32 {
        let share = (value - self.least) / (self.most - self.least);
        self.from + (share * f64::from(self.to - self.from)).round() as i32
    }

    /// Round numbers inside.
    fn ticks(&self) -> Vec<f64> {
        let span = self.most - self.least;
        let decade = 10f64.powf(span.log10().floor());
        let step =
            [0.2, 0.5, 1.0, 2.0].into_iter().map(|f| f * decade).find(|step| span / step <= 6.0).unwrap_or(decade);
        let first = (self.least / step).ceil() as i64;
        (first..).map(|i| i as f64 * step).take_while(|v| *v <= self.most).take(12).collect()
    }
}

impl Figure for OrbitFigure<'_> {
    fn size(&self) -> (u32, u32) {
        (WIDTH as u32, HEIGHT as u32)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let report = self.report;
        let Some(at) = report.telling() else {
            return Err(FigureError::Data { reason: "no image was measured".to_owned() });
        };
        let image = &report.by_image[at];
        let numbers =
            || image.along.iter().chain(&image.parts).chain(image.slopes.iter().flatten()).chain(&image.scalar);
        if numbers().any(|v| !v.is_finite()) {
            return Err(FigureError::NotFinite("the orbit holds NaN or infinity".to_owned()));
        }
        self.header(root, at, image)?;
        self.along(root, image)?;
        self.layers(root, image)
    }
}

impl OrbitFigure<'_> {
    fn scalar(&self) -> &'static str {
        if self.report.changed.is_some() { "margin" } else { "output along Δf" }
    }

    fn header<DB: DrawingBackend>(&self, root: &Area<DB>, at: usize, image: &OrbitImage) -> Result<(), FigureError> {
        let report = self.report;
        let width = WIDTH - 2 * MARGIN;
        let title = format!("What moving the picture does to {}, layer by layer", report.run.model.name());
        root.draw_text(&fit(root, &printable(&title), &style::title(), width)?, &style::title(), (MARGIN, 16))?;
        let mut first = report.run.images.name(at).to_owned();
        if let (Some([before, after]), Some(against)) = (image.top, image.against) {
            first += &match before == after {
                true => format!(": class {before} stays; the margin is against class {against}"),
                false => format!(": class {before} becomes {after}; the margin is the one's score less the other's"),
            };
        }
        let lie = report.run.lie();
        let residual = report.residual.map_or_else(|| "–".to_owned(), |r| format!("{:.1} %", 100.0 * r));
        let notes = [
            first,
            format!(
                "{}, {} boundary; {} Gauss–Legendre nodes, residual {residual} of ‖Δf‖ over {}",
                report.generator,
                lie.boundary,
                report.nodes.len(),
                report.run.images.in_words()
            ),
        ];
        for (line, note) in notes.iter().enumerate() {
            let note = fit(root, &printable(note), &style::note(), width)?;
            root.draw_text(&note, &style::note(), (MARGIN, 48 + 20 * line as i32))?;
        }
        Ok(())
    }

    fn axes<DB: DrawingBackend>(&self, root: &Area<DB>, t: Range, y: Range, title: &str) -> Result<(), FigureError> {
        root.draw_text(title, &style::panel(), (t.from - 56, TOP - 28))?;
        for tick in y.ticks() {
            let at = y.place(tick);
            let look = if tick == 0.0 { FAINT_INK.stroke_width(1) } else { GRID.stroke_width(1) };
            root.draw(&PathElement::new(vec![(t.from, at), (t.to, at)], look))?;
            root.draw_text(&tick_text(tick), &anchored(style::label(), HPos::Right, VPos::Center), (t.from - 8, at))?;
        }
        for tick in t.ticks() {
            let at = t.place(tick);
            root.draw(&PathElement::new(vec![(at, TOP), (at, BOTTOM)], GRID.stroke_width(1)))?;
            root.draw_text(&tick_text(tick), &anchored(style::label(), HPos::Center, VPos::Top), (at, BOTTOM + 6))?;
        }
        root.draw(&PathElement::new(vec![(t.from, TOP), (t.from, BOTTOM), (t.to, BOTTOM)], INK.stroke_width(1)))?;
        let unit = if self.report.run.lie().units == Units::Pixel { "pixels" } else { "half-widths" };
        let text = format!("t in {unit}");
        let middle = (t.from + t.to) / 2;
        root.draw_text(&text, &anchored(style::axis(), HPos::Center, VPos::Top), (middle, BOTTOM + 28))?;
        Ok(())
    }

    fn times(&self, [from, to]: [i32; 2]) -> Range {
        let end = self.report.distance;
        Range { least: end.min(0.0), most: end.max(0.0), from, to }
    }

    /// The scalar at the nodes, and what the first derivative foretells.
    fn along<DB: DrawingBackend>(&self, root: &Area<DB>, image: &OrbitImage) -> Result<(), FigureError> {
        let (report, t) = (self.report, self.times(LEFT));
        let y = Range::of(image.along.iter().chain(&image.scalar).copied().chain([0.0]), BOTTOM, TOP);
        self.axes(root, t, y, &format!("the {} along the way", self.scalar()))?;
        let mut path = vec![(t.place(0.0), y.place(image.scalar[0]))];
        path.extend(report.nodes.iter().zip(&image.along).map(|(at, m)| (t.place(*at), y.place(*m))));
        path.push((t.place(report.distance), y.place(image.scalar[1])));
        root.draw(&PathElement::new(path.clone(), SERIES[0].stroke_width(2)))?;
        let ends = path.len() - 1;
        for (i, place) in path.into_iter().enumerate() {
            let radius = if i == 0 || i == ends { 5 } else { 3 };
            root.draw(&Circle::new(place, radius, SERIES[0].filled()))?;
        }
        Ok(())
    }

    /// Cumulative contributions of the layers that move the scalar most, and of all others together.
    fn layers<DB: DrawingBackend>(&self, root: &Area<DB>, image: &OrbitImage) -> Result<(), FigureError> {
        let (report, t) = (self.report, self.times(RIGHT));
        let mut order: Vec<usize> = (0..image.parts.len()).collect();
        order.sort_by(|a, b| image.parts[*b].abs().total_cmp(&image.parts[*a].abs()));
        let (shown, rest) = order.split_at(MOST.min(order.len()));
        let mut lines: Vec<(String, Vec<f64>)> = Vec::new();
        for &at in shown {
            lines.push((report.layers[at].name.clone(), self.cumulative(&[at], image)));
        }
        if !rest.is_empty() {
            lines.push((format!("the other {}", rest.len()), self.cumulative(rest, image)));
        }
        let y = Range::of(lines.iter().flat_map(|(_, line)| line.iter().copied()).chain([0.0]), BOTTOM, TOP);
        self.axes(root, t, y, &format!("what each layer has added to the {}", self.scalar()))?;
        let mut labels: Vec<(i32, String, RGBColor)> = Vec::new();
        for ((name, line), (color, dashed)) in lines.iter().zip(LINES) {
            let ends = std::iter::once(0.0).chain(report.nodes.iter().copied()).chain([report.distance]);
            let path: Vec<(i32, i32)> = ends.zip(line).map(|(at, m)| (t.place(at), y.place(*m))).collect();
            if dashed {
                root.draw(&DashedPathElement::new(path, 6, 4, color.stroke_width(2)))?;
            } else {
                root.draw(&PathElement::new(path, color.stroke_width(2)))?;
            }
            let end = line.last().copied().unwrap_or(0.0);
            // The front is cut of what is too long: the number stays.
            labels.push((y.place(end), format!("{}  {}", printable(name), compact(end)), color));
        }
        // From top to bottom, each below the one before.
        labels.sort_by_key(|(place, ..)| *place);
        let mut free = TOP - 4;
        let spare = |left: usize| BOTTOM - 20 * left as i32;
        let count = labels.len();
        for (i, (place, text, color)) in labels.into_iter().enumerate() {
            let at = place.max(free).min(spare(count - 1 - i).max(free));
            free = at + 20;
            let from = t.place(report.distance.max(0.0));
            root.draw(&PathElement::new(vec![(from + 2, place), (from + 16, at)], color.stroke_width(1)))?;
            let room = WIDTH - MARGIN - from - 20;
            let text = fit_end(root, &text, &style::label(), room)?;
            root.draw_text(&text, &anchored(style::label(), HPos::Left, VPos::Center).color(&color), (from + 20, at))?;
        }
        Ok(())
    }

    /// The integral of some layers' slopes up to 0, each node, and the end: the quadrature at the end, and between the nodes
    /// by trapezia that are scaled to it.
    fn cumulative(&self, layers: &[usize], image: &OrbitImage) -> Vec<f64> {
        let nodes = &self.report.nodes;
        let slope =
            |at: usize| layers.iter().map(|&layer| image.slopes[layer].get(at).copied().unwrap_or(0.0)).sum::<f64>();
        let end: f64 = layers.iter().map(|&layer| image.parts[layer]).sum();
        let mut line = vec![0.0];
        let (mut sum, mut before) = (0.0, 0.0);
        for (at, &t) in nodes.iter().enumerate() {
            let earlier = if at == 0 { slope(0) } else { slope(at - 1) };
            sum += 0.5 * (earlier + slope(at)) * (t - before);
            before = t;
            line.push(sum);
        }
        sum += slope(nodes.len().saturating_sub(1)) * (self.report.distance - before);
        line.push(sum);
        // The trapezia's error is spread evenly.
        let error = end - sum;
        let all = (line.len() - 1).max(1) as f64;
        line.iter().enumerate().map(|(at, value)| value + error * at as f64 / all).collect()
    }
}

/// A round number without zeros behind it.
fn tick_text(value: f64) -> String {
    let text = compact(value);
    match text.contains('.') && !text.contains('·') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}
