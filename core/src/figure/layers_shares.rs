//! Which classes of layers make the error, generator by generator.

use plotters::backend::DrawingBackend;
use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{Area, Figure, FigureError};
use super::layer_looks::{
    MARGIN, check, classes, entries, header, legend, legend_lines, share_bar, short_name, with_error,
};
use super::style::{self, anchored, fit, printable};
use crate::measure::layers_report::{LayerClass, LayerResults, LayersReport};

/// A bar per attribution, cut into the classes' shares of the sum of contributions.
#[derive(Clone, Debug)]
pub struct ClassSharesFigure<'a> {
    /// The report.
    pub report: &'a LayersReport,
    /// The attributions in it that are drawn.
    pub results: Vec<&'a LayerResults>,
}

const NAMES: i32 = 190;
const BARS: i32 = 700;
const TOTALS: i32 = 230;
const WIDTH: i32 = 2 * MARGIN + NAMES + BARS + TOTALS;
const TOP: i32 = 122;
const ROW: i32 = 44;
const BAR: i32 = 30;

impl Figure for ClassSharesFigure<'_> {
    fn size(&self) -> (u32, u32) {
        let lines = legend_lines(&entries(&classes(self.results.iter().copied())), WIDTH - 2 * MARGIN);
        (WIDTH as u32, (TOP + ROW * self.results.len().max(1) as i32 + 34 + 24 * lines + 12) as u32)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let title = format!("Which classes of layers make the error of {}", short_name(&self.report.run));
        let note = format!(
            "shares of the sum of all layers' ‖J δ‖²; mean over {}; output: {}",
            self.report.run.images.in_words(),
            self.report.run.function()
        );
        header(root, &title, &[note], WIDTH - 2 * MARGIN)?;
        let right = anchored(style::axis(), HPos::Left, VPos::Bottom);
        root.draw_text("LEE of the network", &right, (MARGIN + NAMES + BARS + 18, TOP - 10))?;
        let derivative = self.results.first().map(|r| &r.derivative);
        let same = self.results.iter().all(|r| Some(&r.derivative) == derivative);
        for (row, results) in self.results.iter().enumerate() {
            check(results)?;
            let top = TOP + ROW * row as i32;
            let name =
                if same { results.generator.clone() } else { format!("{}, {}", results.generator, results.derivative) };
            let name = fit(root, &printable(&name), &style::label(), NAMES - 14)?;
            let left = MARGIN + NAMES;
            let middle = top + BAR / 2;
            root.draw_text(&name, &anchored(style::label(), HPos::Right, VPos::Center), (left - 12, middle))?;
            let share = |class: LayerClass| results.by_type.get(class.name()).and_then(|sum| sum.share);
            share_bar(root, [(left, top), (left + BARS, top + BAR)], share, "no layer makes an error")?;
            let lee = with_error(results.lee, results.sem);
            root.draw_text(&lee, &anchored(style::label(), HPos::Left, VPos::Center), (left + BARS + 18, middle))?;
        }
        let bottom = TOP + ROW * self.results.len() as i32;
        for percent in [0, 25, 50, 75, 100] {
            let text = format!("{percent} %");
            let x = MARGIN + NAMES + BARS * percent / 100;
            root.draw_text(&text, &anchored(style::label(), HPos::Center, VPos::Top), (x, bottom - 6))?;
        }
        let shown = classes(self.results.iter().copied());
        legend(root, &entries(&shown), (MARGIN, bottom + 34), WIDTH - 2 * MARGIN)?;
        Ok(())
    }
}
