//! A network before and after: LEE and layers as pairs of dots, and what became of its answers.

use plotters::backend::DrawingBackend;
use plotters::element::{Circle, PathElement};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor};

use super::canvas::{Area, Figure, FigureError};
use super::marks::Shape;
use super::number::{compact, percent};
use super::scale::Scale;
use super::style::{self, FAINT_INK, GRID, INK, SERIES, anchored, draw_note, fit, fit_end, printable};
use crate::antialias::surgery_report::{Mean, Paired, SurgeryReport};

/// Before and after.
#[derive(Clone, Copy, Debug)]
pub struct SurgeryFigure<'a> {
    /// The result.
    pub report: &'a SurgeryReport,
}

const WIDTH: i32 = 1480;
const MARGIN: i32 = 28;
const TOP: i32 = 176;
const ROW: i32 = 34;
const AXIS: i32 = 40;
/// Below the panels, for what is no pair of dots.
const FOOT: i32 = 44;
/// Layers shown.
const LAYERS: usize = 12;
const BEFORE: (Shape, RGBColor) = (Shape::Circle, INK);
const AFTER: (Shape, RGBColor) = (Shape::Diamond, SERIES[1]);
/// Beyond so many standard errors a change is told from none.
const TOLD: f64 = 1.96;

/// One pair of dots.
struct Pair {
    name: String,
    before: Option<[f64; 2]>,
    after: Option<[f64; 2]>,
    /// What stands behind them.
    note: String,
}

/// A panel of pairs.
struct Panel<'a> {
    title: &'a str,
    pairs: &'a [Pair],
    ends: [i32; 2],
    /// The room for names, and for what stands behind.
    names: i32,
    notes: i32,
    /// Whether names are cut at their front.
    from_end: bool,
    /// From 0 to 100 %.
    in_percent: bool,
}

/// `−50 ± 45 %`.
fn change(paired: &Paired) -> Option<String> {
    let share = paired.difference / paired.before;
    let error = paired.difference_sem.map_or(String::new(), |sem| format!(" ± {:.0}", 100.0 * sem / paired.before));
    (paired.before > 0.0).then(|| {
        let sign = if share > 0.0 { "+" } else { "−" };
        format!("{sign}{:.0}{error} %", 100.0 * share.abs())
    })
}

fn values(paired: &Paired) -> [Option<[f64; 2]>; 2] {
    let with = |value: f64, sem: Option<f64>| Some([value, sem.unwrap_or(0.0)]);
    [with(paired.before, paired.before_sem), with(paired.after, paired.after_sem)]
}

impl SurgeryFigure<'_> {
    fn generators(&self) -> Vec<Pair> {
        let pair = |(name, paired): (&String, &Paired)| {
            let [before, after] = values(paired);
            Pair { name: name.clone(), before, after, note: change(paired).unwrap_or_default() }
        };
        self.report.generators.iter().map(pair).collect()
    }

    /// The layers of the largest contributions, in graph order.
    fn layers(&self) -> Vec<Pair> {
        let value = |mean: &Option<Mean>| mean.as_ref().map(|mean| [mean.mean, mean.sem.unwrap_or(0.0)]);
        let largest = |at: &usize| {
            let layer = &self.report.layers[*at];
            let of = |mean| value(mean).map_or(0.0, |[value, _]| value);
            of(&layer.before).max(of(&layer.after))
        };
        let mut order: Vec<usize> = (0..self.report.layers.len()).collect();
        order.sort_by(|a, b| largest(b).total_cmp(&largest(a)));
        order.truncate(LAYERS);
        order.sort_unstable();
        let pair = |at: usize| {
            let layer = &self.report.layers[at];
            let (before, after) = (value(&layer.before), value(&layer.after));
            Pair { name: layer.name.clone(), before, after, note: String::new() }
        };
        order.into_iter().map(pair).collect()
    }

    /// What is a share: of answers that stayed, of answers that stay under shifts, the confidence.
    fn answers(&self) -> Vec<Pair> {
        let report = self.report;
        let mut pairs = Vec::new();
        if let Some(kept) = &report.change.top1_unchanged {
            let after = Some([kept.mean, kept.sem.unwrap_or(0.0)]);
            pairs.push(Pair { name: "same top-1 class".to_owned(), before: None, after, note: percent(kept.mean, 0) });
        }
        let arrow = |before: f64, after: f64| format!("{:.0} → {:.0} %", 100.0 * before, 100.0 * after);
        if let Some([before, after]) = &report.accuracy {
            pairs.push(Pair {
                name: "top-1 accuracy".to_owned(),
                before: Some([before.top1, 0.0]),
                after: Some([after.top1, 0.0]),
                note: arrow(before.top1, after.top1),
            });
        }
        let mut paired = |name: String, of: &Paired| {
            let [before, after] = values(of);
            pairs.push(Pair { name, before, after, note: arrow(of.before, of.after) });
        };
        if let Some(confidence) = &report.change.confidence {
            paired("confidence".to_owned(), confidence);
        }
        for (name, of) in report.shifts.iter().filter(|(name, _)| !name.ends_with("mse")) {
            paired(name.replace('_', " ").replace("consistency ", "consistency, ").replace("half pixel", "½ px"), of);
        }
        pairs
    }

    /// What the figure says, in a sentence.
    fn message(&self) -> Option<String> {
        let report = self.report;
        let generators = &report.generators;
        let (name, paired) = generators.get_key_value(&report.layers_generator).or_else(|| generators.first())?;
        let mut text = format!(
            "LEE under {name}: {} → {}, {}",
            compact(paired.before),
            compact(paired.after),
            change(paired).unwrap_or_else(|| "none before".to_owned())
        );
        if paired.difference_sem.is_some_and(|sem| paired.difference.abs() <= TOLD * sem) {
            text += " (not told from no change)";
        }
        if let Some(kept) = &report.change.top1_unchanged {
            let count = report.run.images.count();
            text += &format!("; same top-1 class on {:.0} of {count} images", (kept.mean * count as f64).round());
        } else {
            text += &format!("; outputs changed by {}", percent(report.change.relative.mean, 0));
        }
        Some(text + &format!("; cost {:.2} forward passes", report.cost.forward_passes))
    }
}

impl Figure for SurgeryFigure<'_> {
    fn size(&self) -> (u32, u32) {
        let rows = self.generators().len().max(self.layers().len()).max(self.answers().len()).max(4) as i32;
        (WIDTH as u32, (TOP + rows * ROW + AXIS + FOOT) as u32)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let report = self.report;
        let width = WIDTH - 2 * MARGIN;
        let model = report.run.model.name();
        let title = format!("{} with {}, without retraining", printable(model), printable(&report.replace.join(", ")));
        root.draw_text(&fit(root, &title, &style::title(), width)?, &style::title(), (MARGIN, 16))?;
        if let Some(message) = self.message() {
            let message = fit(root, &printable(&message), &style::panel(), width)?;
            root.draw_text(&message, &style::panel(), (MARGIN, 48))?;
        }
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
        draw_note(root, &printable(&note), (MARGIN, 78), width)?;
        legend(root)?;
        let (generators, layers, answers) = (self.generators(), self.layers(), self.answers());
        let right = WIDTH - MARGIN;
        let [first, second, third] = match (layers.is_empty(), answers.is_empty()) {
            (false, false) => [[MARGIN, 500], [528, 968], [996, right]],
            (true, false) => [[MARGIN, 740], [0, 0], [780, right]],
            (false, true) => [[MARGIN, 700], [730, right], [0, 0]],
            (true, true) => [[MARGIN, right], [0, 0], [0, 0]],
        };
        let title = "Lie derivative error E‖L‖²/dim";
        let panel = Panel {
            title,
            pairs: &generators,
            ends: first,
            names: 116,
            notes: 116,
            from_end: false,
            in_percent: false,
        };
        panel.draw(root)?;
        if !layers.is_empty() {
            let title = format!("Layers E‖J δ‖²/dim, {}", report.layers_generator);
            let panel = Panel {
                title: &title,
                pairs: &layers,
                ends: second,
                names: 186,
                notes: 0,
                from_end: true,
                in_percent: false,
            };
            panel.draw(root)?;
        }
        if !answers.is_empty() {
            let title = "Answers";
            let panel =
                Panel { title, pairs: &answers, ends: third, names: 214, notes: 96, from_end: false, in_percent: true };
            panel.draw(root)?;
        }
        self.foot(root)
    }
}

fn legend<DB: DrawingBackend>(root: &Area<DB>) -> Result<(), FigureError> {
    let mut x = MARGIN + 6;
    for (name, (shape, color)) in [("before", BEFORE), ("after", AFTER)] {
        shape.draw(root, (x, 112), 6, color)?;
        root.draw_text(name, &anchored(style::label(), HPos::Left, VPos::Center), (x + 14, 112))?;
        x += 92;
    }
    let note = "lines: standard error over images; behind them the change and its paired standard error";
    root.draw_text(note, &anchored(style::note(), HPos::Left, VPos::Center), (x, 112))?;
    Ok(())
}

impl SurgeryFigure<'_> {
    /// What is no pair of dots.
    fn foot<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let report = self.report;
        let change = &report.change;
        let mut parts = vec![format!("output changed by {}", percent(change.relative.mean, 0))];
        if let Some(kl) = &change.kl {
            let error = kl.sem.map_or(String::new(), |sem| format!(" ± {}", compact(sem)));
            parts.push(format!("divergence of the answers {}{error} nats", compact(kl.mean)));
        }
        parts.push(format!(
            "{:.2} forward passes by multiplications, {:.2} in time",
            report.cost.forward_passes, report.cost.time_ratio
        ));
        let squares = report.shifts.iter().filter(|(name, _)| name.ends_with("mse"));
        parts.extend(squares.map(|(name, paired)| {
            format!("{} {} → {}", name.replace('_', " "), compact(paired.before), compact(paired.after))
        }));
        let height = self.size().1 as i32;
        draw_note(root, &parts.join(";  "), (MARGIN, height - FOOT + 14), WIDTH - 2 * MARGIN)
    }
}

impl Panel<'_> {
    /// The plot's left and right end.
    fn plot(&self) -> [i32; 2] {
        let [start, end] = self.ends;
        [start + self.names, end - self.notes - 8]
    }

    fn axis<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<Box<dyn Fn(f64) -> i32>, FigureError> {
        let [left, right] = self.plot();
        let bottom = TOP + self.pairs.len() as i32 * ROW;
        let place = move |place: f64| left + (place * f64::from(right - left)).round() as i32;
        let both = || self.pairs.iter().flat_map(|pair| [pair.before, pair.after]).flatten();
        let reach = both().map(|[value, error]| value + error).fold(0.0, f64::max);
        // Errors that reach zero would stretch a logarithmic axis without end: values decide.
        let scale = Scale::of(both().map(|[value, _]| value).collect::<Vec<_>>().into_iter(), reach);
        let ticks = if self.in_percent {
            let step = if right - left < 170 { 50 } else { 25 };
            (0..=100).step_by(step).map(|tick| (f64::from(tick) / 100.0, format!("{tick} %"))).collect()
        } else {
            scale.ticks()
        };
        for (at, text) in ticks {
            let x = place(at);
            root.draw(&PathElement::new(vec![(x, TOP), (x, bottom)], GRID.stroke_width(1)))?;
            root.draw_text(&text, &anchored(style::label(), HPos::Center, VPos::Top), (x, bottom + 6))?;
        }
        root.draw(&PathElement::new(vec![(left, TOP), (left, bottom)], INK.stroke_width(1)))?;
        if self.in_percent {
            return Ok(Box::new(move |value: f64| place(value.clamp(0.0, 1.0))));
        }
        Ok(Box::new(move |value: f64| place(scale.place(value))))
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let [start, end] = self.ends;
        let left = self.plot()[0];
        root.draw_text(&fit(root, self.title, &style::panel(), end - start)?, &style::panel(), (start, TOP - 32))?;
        let at = self.axis(root)?;
        for (row, pair) in self.pairs.iter().enumerate() {
            let y = TOP + row as i32 * ROW + ROW / 2;
            let name = printable(&pair.name);
            let name = match self.from_end {
                true => fit_end(root, &name, &style::label(), self.names - 12)?,
                false => fit(root, &name, &style::label(), self.names - 12)?,
            };
            root.draw_text(&name, &anchored(style::label(), HPos::Right, VPos::Center), (left - 10, y))?;
            // A share may be 0; elsewhere that has no place on the axis.
            let shown = |side: Option<[f64; 2]>| side.filter(|[value, _]| *value > 0.0 || self.in_percent);
            let (before, after) = (shown(pair.before), shown(pair.after));
            if let (Some([before, _]), Some([after, _])) = (before, after) {
                let line = vec![(at(before), y), (at(after), y)];
                root.draw(&PathElement::new(line, FAINT_INK.mix(0.5).stroke_width(2)))?;
            }
            for (side, (shape, color), lift) in [(before, BEFORE, -7), (after, AFTER, 7)] {
                let Some([value, error]) = side else { continue };
                if error > 0.0 {
                    let ends = vec![(at((value - error).max(0.0)), y + lift), (at(value + error), y + lift)];
                    root.draw(&PathElement::new(ends, color.mix(0.7).stroke_width(2)))?;
                }
                shape.draw(root, (at(value), y), 6, color)?;
            }
            if before.is_none() && after.is_none() {
                root.draw(&Circle::new((left, y), 3, FAINT_INK.stroke_width(1)))?;
                root.draw_text("0", &anchored(style::note(), HPos::Left, VPos::Center), (left + 8, y))?;
            }
            if !pair.note.is_empty() {
                root.draw_text(&pair.note, &anchored(style::label(), HPos::Right, VPos::Center), (end - 2, y))?;
            }
        }
        Ok(())
    }
}
