//! A repair: loss, validation and LEE over steps, beside what was measured at each stage.

use plotters::backend::DrawingBackend;
use plotters::element::{Circle, PathElement, Rectangle};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor, WHITE};

use super::canvas::{Area, Figure, FigureError};
use super::number::compact;
use super::pattern::{Hatch, Pattern};
use super::scale::Scale;
use super::style::{self, FAINT_INK, GRID, INK, SERIES, anchored, fit, printable};
use crate::repair::{CurvePoint, RepairReport, Stage};

/// What a repair came to.
#[derive(Clone, Copy, Debug)]
pub struct RepairFigure<'a> {
    /// The result.
    pub report: &'a RepairReport,
}

pub(super) const WIDTH: i32 = 1440;
pub(super) const HEIGHT: i32 = 780;
pub(super) const MARGIN: i32 = 28;
pub(super) const TOP: i32 = 128;
/// Where curves begin and end.
const CURVES: [i32; 2] = [MARGIN + 62, 760];
/// Where stages begin.
pub(super) const STAGES: i32 = 800;
const PANEL: i32 = 250;
/// From one panel of curves to the next.
const STEP: i32 = 316;
const LEAST_ROW: i32 = 76;

/// A curve: points, colour, and whether it has dots.
struct Curve {
    points: Vec<[f64; 2]>,
    color: RGBColor,
    name: String,
}

impl Figure for RepairFigure<'_> {
    fn size(&self) -> (u32, u32) {
        (WIDTH as u32, HEIGHT as u32)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let report = self.report;
        let width = WIDTH - 2 * MARGIN;
        let model = printable(report.run.model.name());
        let what = if report.replace.is_empty() { "no designs".to_owned() } else { report.replace.join(", ") };
        let title = format!("{model} with {}, repaired", printable(&what));
        root.draw_text(&fit(root, &title, &style::title(), width)?, &style::title(), (MARGIN, 16))?;
        let training = &report.training;
        let adapted = match training.steps {
            0 => "no steps".to_owned(),
            steps => format!("{} on {} images, {steps} steps of {}", training.train, training.images, training.batch),
        };
        let note = format!(
            "adapted: {adapted}; judged on {} others; output: {}",
            report.run.images.count(),
            report.run.function()
        );
        root.draw_text(&fit(root, &printable(&note), &style::note(), width)?, &style::note(), (MARGIN, 48))?;
        let verdict = report.conclusion.text.split(". ").next().unwrap_or_default();
        root.draw_text(&fit(root, &printable(verdict), &style::note(), width)?, &style::note(), (MARGIN, 68))?;
        if self.report.curve.is_empty() {
            return stages(root, self.report, MARGIN);
        }
        self.curves(root)?;
        stages(root, self.report, STAGES)
    }
}

impl RepairFigure<'_> {
    fn curves<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let curve = &self.report.curve;
        let of = |value: fn(&CurvePoint) -> Option<f64>| -> Vec<[f64; 2]> {
            curve.iter().filter_map(|point| Some([point.step as f64, value(point)?])).collect()
        };
        let classes = self.report.last().is_some_and(|stage| stage.change.kl.is_some());
        let title = if classes { "KL of the outputs, nats" } else { "Squared error of the output over its variance" };
        let upper = [
            Curve { points: of(|point| point.loss), color: SERIES[2], name: "training loss".to_owned() },
            Curve { points: of(|point| Some(point.validation)), color: SERIES[0], name: "validation".to_owned() },
        ];
        panel(root, title, &upper, None, TOP)?;
        let generator = self.report.last().and_then(|stage| stage.generators.keys().next());
        let title = format!("LEE {}", generator.map_or("", String::as_str));
        let lower = [Curve {
            points: of(|point| Some(point.lee)),
            color: SERIES[1],
            name: "some validation images".to_owned(),
        }];
        panel(root, &title, &lower, None, TOP + STEP)?;
        root.draw_text(
            "step",
            &anchored(style::axis(), HPos::Center, VPos::Top),
            ((CURVES[0] + CURVES[1]) / 2, TOP + STEP + PANEL + 26),
        )?;
        Ok(())
    }
}

/// Per quantity a row of bars from `start` to the right: before, and each stage.
pub(super) fn stages<DB: DrawingBackend>(
    root: &Area<DB>,
    report: &RepairReport,
    start: i32,
) -> Result<(), FigureError> {
    let rows = quantities(report);
    if rows.is_empty() {
        return Ok(());
    }
    let room = (HEIGHT - TOP - 40) / rows.len() as i32;
    let row = room.clamp(LEAST_ROW, 150);
    for (at, (name, bars)) in rows.iter().enumerate() {
        let top = TOP + at as i32 * row;
        root.draw_text(name, &anchored(style::panel(), HPos::Left, VPos::Bottom), (start, top - 4))?;
        let scale = Scale::of(bars.iter().map(|bar| bar.1), 0.0);
        let log = if scale.is_log() { "logarithmic" } else { "" };
        root.draw_text(log, &anchored(style::note(), HPos::Right, VPos::Bottom), (WIDTH - MARGIN, top - 5))?;
        let height = ((row - 34) / bars.len() as i32).min(24);
        let (left, right) = (start + 122, WIDTH - MARGIN - 96);
        for (line, (stage, value, text)) in bars.iter().enumerate() {
            let y = top + line as i32 * height;
            let middle = y + height / 2;
            root.draw_text(stage, &anchored(style::note(), HPos::Right, VPos::Center), (left - 8, middle))?;
            let end = left + (scale.place(*value) * f64::from(right - left)).round() as i32;
            pattern(line, bars.len(), stage).fill(root, [(left, y + 2), (end.max(left + 1), y + height - 2)])?;
            root.draw_text(text, &anchored(style::note(), HPos::Left, VPos::Center), (end.max(left) + 8, middle))?;
        }
        let foot = top + height * bars.len() as i32;
        root.draw(&PathElement::new(vec![(left, top), (left, foot)], INK.stroke_width(1)))?;
    }
    Ok(())
}

/// Before, the last stage, and stages between.
fn pattern(line: usize, lines: usize, stage: &str) -> Pattern {
    match stage {
        "before" => Pattern::new(FAINT_INK, Hatch::None),
        _ if line + 1 == lines => Pattern::new(SERIES[1], Hatch::Rising),
        _ => Pattern::new(SERIES[2], Hatch::None),
    }
}

/// Names of quantities, each with stages' names, values and texts.
type Quantity = (String, Vec<(String, f64, String)>);

fn quantities(report: &RepairReport) -> Vec<Quantity> {
    let Some(last) = report.last() else { return Vec::new() };
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let mut found: Vec<Quantity> = Vec::new();
    let mut add = |name: String, before: Option<f64>, of: &dyn Fn(&Stage) -> Option<f64>, share: bool| {
        let text = |value: f64| if share { percent(value) } else { compact(value) };
        let before = before.map(|value| ("before".to_owned(), value, text(value)));
        let stages = report.stages.iter().filter_map(|stage| {
            let value = of(stage)?;
            Some((stage.stage.to_string(), value, text(value)))
        });
        let bars: Vec<_> = before.into_iter().chain(stages).collect();
        if bars.len() > 1 || (bars.len() == 1 && report.stages.len() == 1) {
            found.push((name, bars));
        }
    };
    if let Some((name, paired)) = last.generators.first() {
        add(format!("LEE {name}"), Some(paired.before), &|stage| Some(stage.generators.get(name)?.after), false);
    }
    let half = ["consistency_half_pixel_cropped", "consistency_half_pixel_circular", "eq_t_frac_mse"];
    if let Some(name) = half.into_iter().find(|name| last.shifts.contains_key(*name)) {
        let share = name.starts_with("consistency");
        let title = if share { "Same top-1 under half-pixel shifts" } else { "Error under fractional shifts" };
        add(
            title.to_owned(),
            last.shifts.get(name).map(|paired| paired.before),
            &|stage| Some(stage.shifts.get(name)?.after),
            share,
        );
    }
    add("KL from the network before".to_owned(), None, &|stage| Some(stage.change.kl.as_ref()?.mean), false);
    if last.change.kl.is_none() {
        add("Change of the output".to_owned(), None, &|stage| Some(stage.change.relative.mean), false);
    }
    add("Top-1 unchanged".to_owned(), None, &|stage| Some(stage.change.top1_unchanged.as_ref()?.mean), true);
    let before = report.accuracy_before.as_ref().map(|accuracy| accuracy.top1);
    add("Top-1 accuracy".to_owned(), before, &|stage| Some(stage.accuracy.as_ref()?.top1), true);
    found
}

/// Curves over steps in a panel.
fn panel<DB: DrawingBackend>(
    root: &Area<DB>,
    title: &str,
    curves: &[Curve],
    mark: Option<f64>,
    top: i32,
) -> Result<(), FigureError> {
    let ([left, right], bottom) = (CURVES, top + PANEL);
    let values = || curves.iter().flat_map(|curve| curve.points.iter().map(|point| point[1])).chain(mark);
    if values().any(|value| !value.is_finite()) {
        return Err(FigureError::NotFinite("the report holds NaN or infinity".to_owned()));
    }
    root.draw_text(title, &anchored(style::panel(), HPos::Left, VPos::Bottom), (left, top - 8))?;
    let scale = Scale::of(values(), values().fold(0.0, f64::max));
    let y = |value: f64| bottom - (scale.place(value) * f64::from(PANEL)).round() as i32;
    for (place, text) in scale.ticks() {
        let at = bottom - (place * f64::from(PANEL)).round() as i32;
        root.draw(&PathElement::new(vec![(left, at), (right, at)], GRID.stroke_width(1)))?;
        root.draw_text(&text, &anchored(style::label(), HPos::Right, VPos::Center), (left - 8, at))?;
    }
    let last = curves.iter().flat_map(|curve| &curve.points).map(|point| point[0]).fold(1.0, f64::max);
    let along = Scale::of([last].into_iter(), last);
    let x = |step: f64| left + (along.place(step) * f64::from(right - left)).round() as i32;
    for (place, text) in along.ticks() {
        let at = left + (place * f64::from(right - left)).round() as i32;
        root.draw(&PathElement::new(vec![(at, bottom), (at, bottom + 5)], INK.stroke_width(1)))?;
        root.draw_text(&text, &anchored(style::label(), HPos::Center, VPos::Top), (at, bottom + 8))?;
    }
    root.draw(&Rectangle::new([(left, top), (right, bottom)], INK.stroke_width(1)))?;
    let mut key = right;
    for curve in curves.iter().rev() {
        let line: Vec<(i32, i32)> = curve.points.iter().map(|[step, value]| (x(*step), y(*value))).collect();
        if line.is_empty() {
            continue;
        }
        root.draw(&PathElement::new(line.clone(), curve.color.stroke_width(2)))?;
        for at in line {
            root.draw(&Circle::new(at, 4, curve.color.filled()))?;
            root.draw(&Circle::new(at, 4, WHITE.stroke_width(1)))?;
        }
        root.draw_text(&curve.name, &anchored(style::note(), HPos::Right, VPos::Bottom), (key, top - 9))?;
        key -= root.estimate_text_size(&curve.name, &style::note())?.0 as i32 + 8;
        root.draw(&PathElement::new(vec![(key - 24, top - 16), (key, top - 16)], curve.color.stroke_width(3)))?;
        key -= 24 + 18;
    }
    Ok(())
}
