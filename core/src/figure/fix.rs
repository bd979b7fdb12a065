//! A fix: the worst layers and what a design does there, beside the network before and after.

use plotters::backend::DrawingBackend;
use plotters::element::PathElement;
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{Area, Figure, FigureError};
use super::number::compact;
use super::pattern::{Hatch, Pattern};
use super::repair::{HEIGHT, MARGIN, STAGES, TOP, WIDTH, stages};
use super::scale::Scale;
use super::style::{self, FAINT_INK, INK, SERIES, anchored, fit, fit_end, printable};
use crate::measure::run::counted;
use crate::repair::FixReport;

/// What a fix came to.
#[derive(Clone, Copy, Debug)]
pub struct FixFigure<'a> {
    /// The result.
    pub report: &'a FixReport,
}

/// Where bars of layers begin and end.
const BARS: [i32; 2] = [320, 640];
/// From one layer to the next.
const ROW: i32 = 60;

impl Figure for FixFigure<'_> {
    fn size(&self) -> (u32, u32) {
        (WIDTH as u32, HEIGHT as u32)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let report = self.report;
        let width = WIDTH - 2 * MARGIN;
        let title =
            format!("{}: what {} fixes", printable(report.run.model.name()), printable(&report.replace.join(", ")));
        root.draw_text(&fit(root, &title, &style::title(), width)?, &style::title(), (MARGIN, 16))?;
        let judged = report.repair.as_ref().map_or_else(
            || "nothing was put in".to_owned(),
            |repair| {
                let steps = repair.training.steps;
                let adapted = if steps == 0 { "no steps".to_owned() } else { format!("{steps} steps") };
                format!(
                    "designs at {}, {adapted}; judged on {} others",
                    counted(report.chosen().count(), "place"),
                    repair.run.images.count()
                )
            },
        );
        let note = format!("chosen on {}; {judged}; output: {}", report.run.images.in_words(), report.run.function());
        root.draw_text(&fit(root, &printable(&note), &style::note(), width)?, &style::note(), (MARGIN, 48))?;
        let verdict = report.conclusion.text.split(". ").next().unwrap_or_default();
        root.draw_text(&fit(root, &printable(verdict), &style::note(), width)?, &style::note(), (MARGIN, 68))?;
        self.layers(root)?;
        report.repair.as_ref().map_or(Ok(()), |repair| stages(root, repair, STAGES))
    }
}

impl FixFigure<'_> {
    fn layers<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let report = self.report;
        let layers = &report.worst;
        let values = || layers.iter().map(|layer| layer.contribution);
        if values().any(|value| !value.is_finite()) {
            return Err(FigureError::NotFinite("the report holds NaN or infinity".to_owned()));
        }
        let title = format!("Worst layers under {}: E‖J δ‖²/dim", report.generator);
        let title = fit(root, &title, &style::panel(), STAGES - 40 - MARGIN)?;
        root.draw_text(&title, &anchored(style::panel(), HPos::Left, VPos::Bottom), (MARGIN, TOP - 4))?;
        let scale = Scale::of(values(), 0.0);
        let [left, right] = BARS;
        for (at, layer) in layers.iter().enumerate() {
            let top = TOP + 8 + at as i32 * ROW;
            let middle = top + 13;
            let name = fit_end(root, &printable(&layer.name), &style::label(), left - MARGIN - 12)?;
            root.draw_text(&name, &anchored(style::label(), HPos::Right, VPos::Center), (left - 8, middle))?;
            let end = left + (scale.place(layer.contribution) * f64::from(right - left)).round() as i32;
            let pattern = match layer.chosen {
                true => Pattern::new(SERIES[1], Hatch::Rising),
                false => Pattern::new(FAINT_INK, Hatch::None),
            };
            pattern.fill(root, [(left, top + 3), (end.max(left + 1), top + 23)])?;
            let value = compact(layer.contribution);
            root.draw_text(&value, &anchored(style::note(), HPos::Left, VPos::Center), (end.max(left) + 8, middle))?;
            let gain = match layer.design_gain {
                Some(gain) if gain >= 0.0 => format!("a design here alone: LEE falls by {}", compact(gain)),
                Some(gain) => format!("a design here alone: LEE rises by {}", compact(-gain)),
                None => "no place for a design".to_owned(),
            };
            let put = if layer.chosen { "; put in" } else { "" };
            let gain = fit(root, &format!("{gain}{put}"), &style::note(), STAGES - 40 - left)?;
            root.draw_text(&gain, &anchored(style::note(), HPos::Left, VPos::Center), (left + 6, top + 36))?;
        }
        let foot = TOP + 8 + ROW * layers.len() as i32 - 12;
        root.draw(&PathElement::new(vec![(left, TOP + 4), (left, foot)], INK.stroke_width(1)))?;
        Ok(())
    }
}
