//! The layers that contribute most, with the parts of what they make.

use plotters::backend::DrawingBackend;
use plotters::element::{PathElement, Rectangle};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, WHITE};

use super::canvas::{Area, Figure, FigureError};
use super::layer_looks::{
    MARGIN, check, entries, group, header, legend, letter, part_pattern, pattern, percent, short_name, sum, what,
    with_error, worst,
};
use super::pattern::{Hatch, Pattern};
use super::scale::Scale;
use super::style::{self, FAINT_INK, GRID, INK, anchored, fit_end, printable};
use crate::measure::layers_report::{DefectPart, LayerClass, LayerReport, LayerResults, LayersReport};

/// The ten worst layers, a row each: ‖J δ‖²/dim, the same of its parts, and the signed share.
#[derive(Clone, Copy, Debug)]
pub struct WorstLayersFigure<'a> {
    /// The report.
    pub report: &'a LayersReport,
    /// The attribution in it that is drawn.
    pub results: &'a LayerResults,
}

const ROWS: usize = 10;
const NAMES: i32 = 330;
const BARS: i32 = 380;
const NUMBERS: i32 = 150;
const SIGNED: i32 = 220;
const WIDTH: i32 = 2 * MARGIN + NAMES + BARS + NUMBERS + SIGNED;
const TOP: i32 = 186;
/// The height of a layer's own bar, and of a part's.
const WHOLE: i32 = 16;
const PART: i32 = 8;

impl WorstLayersFigure<'_> {
    fn rows(&self) -> Vec<(usize, &LayerReport)> {
        worst(self.results, ROWS).into_iter().map(|place| (place, &self.results.layers[place])).collect()
    }

    /// The parts that some layer has.
    fn split(&self) -> Vec<DefectPart> {
        DefectPart::among(&self.results.layers)
    }

    fn row_height(&self) -> i32 {
        (WHOLE + PART * self.split().len() as i32 + 20).max(48)
    }
}

impl Figure for WorstLayersFigure<'_> {
    fn size(&self) -> (u32, u32) {
        (WIDTH as u32, (TOP + self.row_height() * self.rows().len().max(1) as i32 + 64) as u32)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        check(self.results)?;
        let rows = self.rows();
        let title = match rows.len() {
            0 => format!("No layer of {} can make an error", short_name(&self.report.run)),
            1 => format!("The one layer of {} that can make an error", short_name(&self.report.run)),
            n => format!("The {n} layers of {} that contribute most", short_name(&self.report.run)),
        };
        let conditions = format!("mean over {}; {}", self.report.run.images.in_words(), group(self.report));
        header(root, &title, &[what(self.results), conditions], WIDTH - 2 * MARGIN)?;
        let mut shown: Vec<LayerClass> = rows.iter().map(|(_, l)| l.class).collect();
        shown.sort();
        shown.dedup();
        let mut words = entries(&shown);
        words.extend(self.split().into_iter().map(|part| (format!("thin: {}", part.name()), part_pattern(part))));
        legend(root, &words, (MARGIN, 100), WIDTH - 2 * MARGIN)?;
        if rows.is_empty() {
            root.draw_text("no layer can make an error", &style::axis(), (MARGIN, TOP + 12))?;
            return Ok(());
        }
        let bottom = TOP + self.row_height() * rows.len() as i32;
        let scale = self.axis(root, &rows, bottom)?;
        let signed = Signed::of(&rows);
        signed.axis(root, bottom)?;
        for (rank, (place, layer)) in rows.into_iter().enumerate() {
            self.row(root, (rank, place), layer, &scale, &signed)?;
        }
        Ok(())
    }
}

impl WorstLayersFigure<'_> {
    fn axis<DB: DrawingBackend>(
        &self,
        root: &Area<DB>,
        rows: &[(usize, &LayerReport)],
        bottom: i32,
    ) -> Result<Scale, FigureError> {
        let reach = rows.iter().map(|(_, l)| l.contribution + l.sem.unwrap_or(0.0));
        let parts = |l: &LayerReport| DefectPart::ALL.map(|part| l.part(part));
        let split = rows.iter().flat_map(|(_, l)| parts(l)).flatten().map(|p| p.contribution);
        let reach = reach.chain(split).fold(0.0, f64::max);
        let scale = Scale::of(rows.iter().map(|(_, l)| l.contribution), reach);
        let left = MARGIN + NAMES;
        let log = if scale.is_log() { ", logarithmic axis" } else { "" };
        root.draw_text(
            &format!("contribution ‖J δ‖²/dim{log}"),
            &anchored(style::axis(), HPos::Left, VPos::Bottom),
            (left, TOP - 8),
        )?;
        for (place, text) in scale.ticks() {
            let x = left + (place * f64::from(BARS)).round() as i32;
            root.draw(&PathElement::new(vec![(x, TOP), (x, bottom)], GRID.stroke_width(1)))?;
            root.draw_text(&text, &anchored(style::label(), HPos::Center, VPos::Top), (x, bottom + 6))?;
        }
        let note = "parts add up as vectors: their squares need not";
        root.draw_text(note, &anchored(style::note(), HPos::Left, VPos::Top), (left, bottom + 30))?;
        Ok(scale)
    }

    fn row<DB: DrawingBackend>(
        &self,
        root: &Area<DB>,
        (rank, place): (usize, usize),
        layer: &LayerReport,
        scale: &Scale,
        signed: &Signed,
    ) -> Result<(), FigureError> {
        let top = TOP + self.row_height() * rank as i32 + 8;
        let left = MARGIN + NAMES;
        let x = |value: f64| left + (scale.place(value) * f64::from(BARS)).round() as i32;
        let heavy = anchored(style::panel(), HPos::Right, VPos::Center);
        root.draw_text(&(rank + 1).to_string(), &heavy, (MARGIN + 22, top + WHOLE / 2))?;
        let name = fit_end(root, &printable(&layer.name), &style::label(), NAMES - 44)?;
        let words = anchored(style::label(), HPos::Left, VPos::Center);
        root.draw_text(&name, &words, (MARGIN + 32, top + WHOLE / 2))?;
        let class = format!("{} {}, layer {}", letter(layer.class), layer.class.name(), place + 1);
        let note = anchored(style::note(), HPos::Left, VPos::Center);
        root.draw_text(&class, &note, (MARGIN + 32, top + WHOLE / 2 + 18))?;

        let mut end = x(layer.contribution);
        if end > left {
            pattern(layer.class).fill(root, [(left, top), (end, top + WHOLE)])?;
        }
        if let Some(sem) = layer.sem.filter(|sem| *sem > 0.0) {
            let (low, high, y) = (x(layer.contribution - sem), x(layer.contribution + sem), top + WHOLE / 2);
            let lines = [[(low, y), (high, y)], [(low, y - 4), (low, y + 4)], [(high, y - 4), (high, y + 4)]];
            for (color, width) in [(WHITE, 4), (INK, 2)] {
                for line in &lines {
                    root.draw(&PathElement::new(line.to_vec(), color.stroke_width(width)))?;
                }
            }
            end = end.max(high);
        }
        let whole = sum(self.results);
        let share = if whole > 0.0 { format!("  ({})", percent(layer.contribution / whole)) } else { String::new() };
        let text = format!("{}{share}", with_error(layer.contribution, layer.sem));
        on_white(root, &text, (end + 8, top + WHOLE / 2))?;
        let mut y = top + WHOLE + 2;
        for of in self.split() {
            if let Some(part) = layer.part(of) {
                let end = x(part.contribution);
                if end > left {
                    part_pattern(of).fill(root, [(left, y), (end, y + PART - 1)])?;
                }
            }
            y += PART;
        }
        signed.bar(root, layer.signed_share, top + WHOLE / 2)
    }
}

/// Text that stops grid lines.
fn on_white<DB: DrawingBackend>(root: &Area<DB>, text: &str, (x, y): (i32, i32)) -> Result<(), FigureError> {
    let width = root.estimate_text_size(text, &style::label())?.0 as i32;
    root.draw(&Rectangle::new([(x - 2, y - 8), (x + width + 2, y + 8)], WHITE.filled()))?;
    root.draw_text(text, &anchored(style::label(), HPos::Left, VPos::Center), (x, y))?;
    Ok(())
}

/// The column of signed shares.
struct Signed {
    low: f64,
    high: f64,
}

impl Signed {
    const LEFT: i32 = MARGIN + NAMES + BARS + NUMBERS;
    /// Left of zero and right of the longest bar, for numbers.
    const TEXT: i32 = 68;

    fn of(rows: &[(usize, &LayerReport)]) -> Self {
        let shares = rows.iter().filter_map(|(_, l)| l.signed_share);
        let (low, high) = shares.fold((0.0, 0.0), |(low, high): (f64, f64), s| (low.min(s), high.max(s)));
        Self { low, high: if high > low { high } else { low + 1.0 } }
    }

    fn x(&self, share: f64) -> i32 {
        let room = f64::from(SIGNED - 2 * Self::TEXT);
        Self::LEFT + Self::TEXT + ((share - self.low) / (self.high - self.low) * room).round() as i32
    }

    fn axis<DB: DrawingBackend>(&self, root: &Area<DB>, bottom: i32) -> Result<(), FigureError> {
        let zero = self.x(0.0);
        root.draw(&PathElement::new(vec![(zero, TOP), (zero, bottom)], INK.stroke_width(1)))?;
        root.draw_text("share of L, signed", &anchored(style::axis(), HPos::Center, VPos::Bottom), (zero, TOP - 8))?;
        root.draw_text("all layers: 100 %", &anchored(style::note(), HPos::Center, VPos::Top), (zero, bottom + 6))?;
        Ok(())
    }

    fn bar<DB: DrawingBackend>(&self, root: &Area<DB>, share: Option<f64>, y: i32) -> Result<(), FigureError> {
        let zero = self.x(0.0);
        let Some(share) = share else {
            root.draw_text("–", &anchored(style::label(), HPos::Left, VPos::Center), (zero + 8, y))?;
            return Ok(());
        };
        let x = self.x(share);
        let hatch = if share < 0.0 { Hatch::Rising } else { Hatch::None };
        if x != zero {
            Pattern::new(FAINT_INK, hatch).fill(root, [(zero.min(x), y - 7), (zero.max(x), y + 7)])?;
        }
        let (side, at) = if share < 0.0 { (HPos::Right, x - 6) } else { (HPos::Left, x + 6) };
        root.draw_text(&percent(share), &anchored(style::label(), side, VPos::Center), (at, y))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_both_signs_have_places_in_order() {
        let signed = Signed { low: -0.2, high: 0.7 };
        let places: Vec<i32> = [-0.2, 0.0, 0.3, 0.7].into_iter().map(|s| signed.x(s)).collect();
        assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "{places:?}");
        assert!(places[0] >= Signed::LEFT && places[3] <= Signed::LEFT + SIGNED);
    }
}
