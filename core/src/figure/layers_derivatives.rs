//! The same network's classes of layers under several derivatives.

use plotters::backend::DrawingBackend;
use plotters::element::{PathElement, Rectangle};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, WHITE};

use super::canvas::{Area, Figure, FigureError};
use super::layer_looks::{MARGIN, check, classes, header, legend, letter, percent, short_name, with_error};
use super::number::compact;
use super::pattern::{Hatch, Pattern};
use super::scale::Scale;
use super::style::{self, GRID, INK, SERIES, anchored};
use crate::measure::layers_report::{LayerResults, LayersReport};

/// For every class a bar per derivative: the sum of its layers' contributions, and its share.
#[derive(Clone, Debug)]
pub struct DerivativesFigure<'a> {
    /// The report.
    pub report: &'a LayersReport,
    /// One attribution per derivative, of one generator.
    pub results: Vec<&'a LayerResults>,
}

const NAMES: i32 = 220;
const BARS: i32 = 560;
const NUMBERS: i32 = 200;
const WIDTH: i32 = 2 * MARGIN + NAMES + BARS + NUMBERS;
const TOP: i32 = 168;
const BAR: i32 = 20;
const GAP: i32 = 20;

fn look(place: usize) -> Pattern {
    const HATCHES: [Hatch; 4] = [Hatch::None, Hatch::Rising, Hatch::Level, Hatch::Net];
    Pattern::new(SERIES[place % SERIES.len()], HATCHES[place % HATCHES.len()])
}

impl DerivativesFigure<'_> {
    fn row(&self) -> i32 {
        BAR * self.results.len() as i32 + GAP
    }
}

impl Figure for DerivativesFigure<'_> {
    fn size(&self) -> (u32, u32) {
        let classes = classes(self.results.iter().copied()).len().max(1) as i32;
        (WIDTH as u32, (TOP + self.row() * classes + 70) as u32)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        for results in &self.results {
            check(results)?;
        }
        let title = format!("What the derivative does to the layers of {}", short_name(&self.report.run));
        let generator = self.results.first().map_or("", |r| &r.generator);
        let note = format!(
            "{generator}; sums of ‖J δ‖²/dim over the layers of a class, mean over {}; percentages: of the sum over all",
            self.report.run.images.in_words()
        );
        header(root, &title, &[note], WIDTH - 2 * MARGIN)?;
        let words: Vec<(String, Pattern)> = self
            .results
            .iter()
            .enumerate()
            .map(|(i, r)| (format!("{}: LEE = {}", r.derivative, with_error(r.lee, r.sem)), look(i)))
            .collect();
        legend(root, &words, (MARGIN, 82), WIDTH - 2 * MARGIN)?;
        let shown = classes(self.results.iter().copied());
        let bottom = TOP + self.row() * shown.len() as i32;
        let values = || self.results.iter().flat_map(|r| r.by_type.values()).map(|sum| sum.contribution);
        let largest = values().fold(0.0, f64::max);
        let scale = Scale::of(values().filter(|v| *v > 1e-6 * largest).collect::<Vec<_>>().into_iter(), 0.0);
        let left = MARGIN + NAMES;
        let log = if scale.is_log() { ", logarithmic axis" } else { "" };
        let axis = anchored(style::axis(), HPos::Left, VPos::Bottom);
        root.draw_text(&format!("contribution ‖J δ‖²/dim{log}"), &axis, (left, TOP - 8))?;
        for (place, text) in scale.ticks() {
            let x = left + (place * f64::from(BARS)).round() as i32;
            root.draw(&PathElement::new(vec![(x, TOP), (x, bottom)], GRID.stroke_width(1)))?;
            root.draw_text(&text, &anchored(style::label(), HPos::Center, VPos::Top), (x, bottom + 6))?;
        }
        for (row, class) in shown.into_iter().enumerate() {
            let top = TOP + self.row() * row as i32 + GAP / 2;
            let middle = top + BAR * self.results.len() as i32 / 2;
            let name = format!("{} {}", class.name(), letter(class));
            root.draw_text(&name, &anchored(style::label(), HPos::Right, VPos::Center), (left - 12, middle))?;
            for (i, results) in self.results.iter().enumerate() {
                let y = top + BAR * i as i32;
                let Some(sum) = results.by_type.get(class.name()) else { continue };
                let end = left + (scale.place(sum.contribution) * f64::from(BARS)).round() as i32;
                if end > left {
                    look(i).fill(root, [(left, y), (end, y + BAR - 3)])?;
                }
                let share = sum.share.map_or_else(String::new, |share| format!("  ({})", percent(share)));
                let text = format!("{}{share}", compact(sum.contribution));
                number(root, &text, (end + 8, y + BAR / 2 - 1))?;
            }
        }
        root.draw(&PathElement::new(vec![(left, TOP), (left, bottom)], INK.stroke_width(1)))?;
        Ok(())
    }
}

fn number<DB: DrawingBackend>(root: &Area<DB>, text: &str, (x, y): (i32, i32)) -> Result<(), FigureError> {
    let width = root.estimate_text_size(text, &style::label())?.0 as i32;
    root.draw(&Rectangle::new([(x - 2, y - 8), (x + width + 2, y + 8)], WHITE.filled()))?;
    root.draw_text(text, &anchored(style::label(), HPos::Left, VPos::Center), (x, y))?;
    Ok(())
}
