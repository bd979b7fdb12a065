//! A network before and after: LEE and layers as pairs of dots, what became of the outputs, and the cost.

use plotters::backend::DrawingBackend;
use plotters::element::{Circle, PathElement, Rectangle};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor, WHITE};

use super::canvas::{Area, Figure, FigureError};
use super::number::compact;
use super::scale::Scale;
use super::style::{self, FAINT_INK, GRID, INK, SERIES, anchored, fit, fit_end, printable};
use crate::antialias::surgery_report::SurgeryReport;

/// Before and after.
#[derive(Clone, Copy, Debug)]
pub struct SurgeryFigure<'a> {
    /// The result.
    pub report: &'a SurgeryReport,
}

const WIDTH: i32 = 1440;
const MARGIN: i32 = 28;
const TOP: i32 = 136;
const ROW: i32 = 34;
const AXIS: i32 = 40;
const FOOT: i32 = 84;
/// Layers shown.
const LAYERS: usize = 12;
const BEFORE: RGBColor = INK;
const AFTER: RGBColor = SERIES[1];

/// One pair of dots.
struct Pair {
    name: String,
    before: [f64; 2],
    after: [f64; 2],
    /// What stands behind them.
    note: String,
}

impl SurgeryFigure<'_> {
    fn generators(&self) -> Vec<Pair> {
        let pair = |(name, paired): (&String, &crate::antialias::surgery_report::Paired)| {
            let change = paired.ratio().map_or(String::new(), |ratio| {
                let error =
                    paired.difference_sem.map_or(String::new(), |sem| format!(" ± {:.0}", 100.0 * sem / paired.before));
                let sign = if ratio > 1.0 { "+" } else { "−" };
                format!("{sign}{:.0}{error} %", 100.0 * (ratio - 1.0).abs())
            });
            Pair {
                name: name.clone(),
                before: [paired.before, paired.before_sem.unwrap_or(0.0)],
                after: [paired.after, paired.after_sem.unwrap_or(0.0)],
                note: change,
            }
        };
        self.report.generators.iter().map(pair).collect()
    }

    /// The layers of the largest contributions, in graph order.
    fn layers(&self) -> Vec<Pair> {
        let value = |mean: &Option<crate::antialias::surgery_report::Mean>| {
            mean.as_ref().map_or([0.0; 2], |mean| [mean.mean, mean.sem.unwrap_or(0.0)])
        };
        let largest = |at: &usize| {
            let layer = &self.report.layers[*at];
            value(&layer.before)[0].max(value(&layer.after)[0])
        };
        let mut order: Vec<usize> = (0..self.report.layers.len()).collect();
        order.sort_by(|a, b| largest(b).total_cmp(&largest(a)));
        order.truncate(LAYERS);
        order.sort_unstable();
        let pair = |at: usize| {
            let layer = &self.report.layers[at];
            Pair {
                name: layer.name.clone(),
                before: value(&layer.before),
                after: value(&layer.after),
                note: String::new(),
            }
        };
        order.into_iter().map(pair).collect()
    }
}

impl Figure for SurgeryFigure<'_> {
    fn size(&self) -> (u32, u32) {
        let rows = self.generators().len().max(self.layers().len()).max(4) as i32;
        (WIDTH as u32, (TOP + rows * ROW + AXIS + FOOT) as u32)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let report = self.report;
        let width = WIDTH - 2 * MARGIN;
        let model = report.run.model.name();
        let title = format!("{} with {}, without retraining", printable(model), printable(&report.replace.join(", ")));
        root.draw_text(&fit(root, &title, &style::title(), width)?, &style::title(), (MARGIN, 16))?;
        let images = report.run.images.in_words();
        let places = if report.insertions.len() == 1 {
            "1 place".to_owned()
        } else {
            format!("{} places", report.insertions.len())
        };
        let note = format!(
            "{places}; {images}; output: {}; {} derivative, {} boundary; designs pad: {}",
            report.run.function(),
            report.run.lie().derivative,
            report.run.lie().boundary,
            report.padding
        );
        root.draw_text(&fit(root, &printable(&note), &style::note(), width)?, &style::note(), (MARGIN, 48))?;
        let layers = self.layers();
        let split = if layers.is_empty() { WIDTH - MARGIN } else { 700 };
        draw_pairs(root, "Lie derivative error E‖L f‖²/dim", &self.generators(), [MARGIN, split - 12], 150, false)?;
        if !layers.is_empty() {
            let title = format!("Contributions of layers E‖J δ‖²/dim, {}", report.layers_generator);
            draw_pairs(root, &title, &layers, [split + 20, WIDTH - MARGIN], 250, true)?;
        }
        self.legend(root)?;
        self.foot(root)
    }
}

impl SurgeryFigure<'_> {
    fn legend<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let mut x = MARGIN;
        for (name, color) in [("before", BEFORE), ("after", AFTER)] {
            root.draw(&Circle::new((x + 6, 79), 6, color.filled()))?;
            root.draw_text(name, &anchored(style::label(), HPos::Left, VPos::Center), (x + 18, 79))?;
            x += 92;
        }
        let note = "bars: standard error over images; at the right, the change and its paired standard error";
        root.draw_text(note, &anchored(style::note(), HPos::Left, VPos::Center), (x + 6, 79))?;
        Ok(())
    }

    fn foot<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let report = self.report;
        let mut first = Vec::new();
        let change = &report.change;
        if let Some(kept) = &change.top1_unchanged {
            let same = (kept.mean * report.run.images.count() as f64).round();
            first.push(format!("top-1 unchanged on {same:.0} of {}", report.run.images.count()));
        }
        if let Some(kl) = &change.kl {
            let error = kl.sem.map_or(String::new(), |sem| format!(" ± {}", compact(sem)));
            first.push(format!("KL {}{error} nats", compact(kl.mean)));
        }
        if let Some(confidence) = &change.confidence {
            let [before, after] = [confidence.before, confidence.after].map(|value| 100.0 * value);
            first.push(format!("confidence {before:.0} → {after:.0} %"));
        }
        first.push(format!("output changed by {:.0} %", 100.0 * change.relative.mean));
        first.push(format!(
            "cost {:.2} forward passes by multiplications, {:.2} in time",
            report.cost.forward_passes, report.cost.time_ratio
        ));
        let percent = |value: f64| format!("{:.1}", 100.0 * value);
        let second: Vec<String> = report
            .shifts
            .iter()
            .map(|(name, paired)| {
                let name = name.replace('_', " ");
                if name.ends_with("mse") {
                    format!("{name} {} → {}", compact(paired.before), compact(paired.after))
                } else {
                    format!("{name} {} → {} %", percent(paired.before), percent(paired.after))
                }
            })
            .collect();
        let height = self.size().1 as i32;
        for (line, parts) in [first, second].iter().enumerate() {
            let text = fit(root, &parts.join(";  "), &style::label(), WIDTH - 2 * MARGIN)?;
            root.draw_text(&text, &style::label(), (MARGIN, height - FOOT + 22 + 26 * line as i32))?;
        }
        Ok(())
    }
}

fn draw_pairs<DB: DrawingBackend>(
    root: &Area<DB>,
    title: &str,
    pairs: &[Pair],
    [start, end]: [i32; 2],
    names: i32,
    from_end: bool,
) -> Result<(), FigureError> {
    let notes = if pairs.iter().any(|pair| !pair.note.is_empty()) { 108 } else { 0 };
    let (left, right) = (start + names, end - notes - 8);
    root.draw_text(&fit(root, title, &style::panel(), end - start)?, &style::panel(), (start, TOP - 28))?;
    let values = || pairs.iter().flat_map(|pair| [pair.before[0], pair.after[0]]);
    let reach = pairs.iter().flat_map(|pair| [pair.before, pair.after]).map(|[v, e]| v + e).fold(0.0, f64::max);
    // Errors that reach zero would stretch a logarithmic axis without end: values decide.
    let scale = Scale::of(values().collect::<Vec<_>>().into_iter(), reach);
    let bottom = TOP + pairs.len() as i32 * ROW;
    let at = |value: f64| left + (scale.place(value) * f64::from(right - left)).round() as i32;
    for (place, text) in scale.ticks() {
        let x = left + (place * f64::from(right - left)).round() as i32;
        root.draw(&PathElement::new(vec![(x, TOP), (x, bottom)], GRID.stroke_width(1)))?;
        root.draw_text(&text, &anchored(style::label(), HPos::Center, VPos::Top), (x, bottom + 6))?;
    }
    root.draw(&PathElement::new(vec![(left, TOP), (left, bottom)], INK.stroke_width(1)))?;
    for (row, pair) in pairs.iter().enumerate() {
        let y = TOP + row as i32 * ROW + ROW / 2;
        let name = printable(&pair.name);
        let name = if from_end {
            fit_end(root, &name, &style::label(), names - 12)?
        } else {
            fit(root, &name, &style::label(), names - 12)?
        };
        root.draw_text(&name, &anchored(style::label(), HPos::Right, VPos::Center), (left - 10, y))?;
        let (before, after) = (at(pair.before[0]), at(pair.after[0]));
        if pair.before[0] > 0.0 && pair.after[0] > 0.0 {
            root.draw(&PathElement::new(vec![(before, y), (after, y)], FAINT_INK.mix(0.5).stroke_width(2)))?;
        }
        for ([value, error], color, lift) in [(pair.before, BEFORE, -5), (pair.after, AFTER, 5)] {
            if value <= 0.0 {
                continue;
            }
            if error > 0.0 {
                let ends = vec![(at((value - error).max(0.0)), y + lift), (at(value + error), y + lift)];
                root.draw(&PathElement::new(ends, color.mix(0.6).stroke_width(2)))?;
            }
            root.draw(&Circle::new((at(value), y), 6, color.filled()))?;
            root.draw(&Circle::new((at(value), y), 6, WHITE.stroke_width(1)))?;
        }
        if !pair.note.is_empty() {
            root.draw_text(&pair.note, &anchored(style::label(), HPos::Right, VPos::Center), (end - 2, y))?;
        }
    }
    if pairs.is_empty() {
        root.draw(&Rectangle::new([(left, TOP), (right, bottom)], GRID.stroke_width(1)))?;
    }
    Ok(())
}
