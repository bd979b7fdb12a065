//! The same network's classes of layers under several derivatives.

use plotters::backend::DrawingBackend;
use plotters::element::PathElement;
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor};

use super::canvas::{Area, Figure, FigureError};
use super::error_bar::draw_error_bar;
use super::layer_looks::{MARGIN, check, classes, header, letter, percent, short_name, with_error};
use super::marks::Shape;
use super::scale::Scale;
use super::style::{self, GRID, INK, SERIES, anchored};
use crate::measure::layers_report::{LayerResults, LayersReport};

/// For every class a dot per derivative: the sum of its layers' contributions with its standard error, and its share.
#[derive(Clone, Debug)]
pub struct DerivativesFigure<'a> {
    /// The report.
    pub report: &'a LayersReport,
    /// One attribution per derivative, of one generator.
    pub results: Vec<&'a LayerResults>,
}

const NAMES: i32 = 220;
const DOTS: i32 = 560;
const NUMBERS: i32 = 270;
const WIDTH: i32 = 2 * MARGIN + NAMES + DOTS + NUMBERS;
const TOP: i32 = 152;
const LINE: i32 = 20;
const GAP: i32 = 16;
/// Sums below this share of the largest have no dot.
const FLOOR: f64 = 1e-6;

fn look(place: usize) -> (Shape, RGBColor) {
    (Shape::SERIES[place % Shape::SERIES.len()], SERIES[place % SERIES.len()])
}

impl DerivativesFigure<'_> {
    fn row(&self) -> i32 {
        LINE * self.results.len() as i32 + GAP
    }
}

impl Figure for DerivativesFigure<'_> {
    fn size(&self) -> (u32, u32) {
        let classes = classes(self.results.iter().copied()).len().max(1) as i32;
        (WIDTH as u32, (TOP + self.row() * classes + 44) as u32)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        for results in &self.results {
            check(results)?;
        }
        let title = format!("What the derivative does to the layers of {}", short_name(&self.report.run));
        let generator = self.results.first().map_or("", |r| &r.generator);
        let note = format!(
            "{generator}; sums of ‖J δ‖²/dim over the layers of a class ± standard error, mean over {}; percentages: of the \
             sum over all",
            self.report.run.images.in_words()
        );
        header(root, &title, &[note], WIDTH - 2 * MARGIN)?;
        let (mut x, mut y) = (MARGIN + 8, 92);
        for (i, results) in self.results.iter().enumerate() {
            let (shape, color) = look(i);
            let text = format!("{}: LEE = {}", results.derivative, with_error(results.lee, results.sem));
            let width = 46 + root.estimate_text_size(&text, &style::label())?.0 as i32;
            if x > MARGIN + 8 && x + width > WIDTH - MARGIN {
                (x, y) = (MARGIN + 8, y + 22);
            }
            shape.draw(root, (x, y), 6, color)?;
            root.draw_text(&text, &anchored(style::label(), HPos::Left, VPos::Center), (x + 14, y))?;
            x += width;
        }
        let shown = classes(self.results.iter().copied());
        let bottom = TOP + self.row() * shown.len() as i32;
        let sums = || self.results.iter().flat_map(|r| r.by_type.values());
        let largest = sums().map(|sum| sum.contribution).fold(0.0, f64::max);
        let reach = sums().map(|sum| sum.contribution + sum.sem.unwrap_or(0.0)).fold(0.0, f64::max);
        let drawn = sums().map(|sum| sum.contribution).filter(|v| *v > FLOOR * largest);
        let scale = Scale::of(drawn.collect::<Vec<_>>().into_iter(), reach);
        let left = MARGIN + NAMES;
        let log = if scale.is_log() { ", logarithmic axis" } else { "" };
        let axis = anchored(style::axis(), HPos::Left, VPos::Bottom);
        root.draw_text(&format!("contribution ‖J δ‖²/dim{log}"), &axis, (left, TOP - 8))?;
        let place_of = |place: f64| left + (place * f64::from(DOTS)).round() as i32;
        for (place, text) in scale.ticks() {
            let x = place_of(place);
            root.draw(&PathElement::new(vec![(x, TOP), (x, bottom)], GRID.stroke_width(1)))?;
            root.draw_text(&text, &anchored(style::label(), HPos::Center, VPos::Top), (x, bottom + 6))?;
        }
        for (row, class) in shown.into_iter().enumerate() {
            let top = TOP + self.row() * row as i32 + GAP / 2;
            if row > 0 {
                let line = vec![(MARGIN, top - GAP / 2), (WIDTH - MARGIN, top - GAP / 2)];
                root.draw(&PathElement::new(line, GRID.stroke_width(1)))?;
            }
            let middle = top + LINE * self.results.len() as i32 / 2;
            let name = format!("{} {}", class.name(), letter(class));
            root.draw_text(&name, &anchored(style::label(), HPos::Right, VPos::Center), (left - 12, middle))?;
            for (i, results) in self.results.iter().enumerate() {
                let y = top + LINE * i as i32 + LINE / 2;
                let Some(sum) = results.by_type.get(class.name()) else { continue };
                let is_drawn = sum.contribution > FLOOR * largest;
                if is_drawn {
                    let x = |value: f64| place_of(scale.place(value));
                    if let Some(sem) = sum.sem.filter(|sem| *sem > 0.0) {
                        draw_error_bar(root, [x(sum.contribution - sem), x(sum.contribution + sem)], y, 4)?;
                    }
                    let (shape, color) = look(i);
                    shape.draw(root, (x(sum.contribution), y), 6, color)?;
                }
                let share = sum.share.map_or_else(String::new, |share| format!("  ({})", percent(share)));
                let below = if is_drawn || sum.contribution == 0.0 { "" } else { "  no dot" };
                let text = format!("{}{share}{below}", with_error(sum.contribution, sum.sem));
                let at = (left + DOTS + 16, y);
                root.draw_text(&text, &anchored(style::label(), HPos::Left, VPos::Center), at)?;
            }
        }
        root.draw(&PathElement::new(vec![(left, TOP), (left, bottom)], INK.stroke_width(1)))?;
        Ok(())
    }
}
