//! Which octaves of what they read make the errors of the layers that contribute most.

use plotters::backend::DrawingBackend;
use plotters::element::Rectangle;
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor};

use super::canvas::{Area, Figure, FigureError};
use super::layer_looks::{MARGIN, check, group, header, legend, letter, plate, short_name, what, with_error, worst};
use super::number::percent;
use super::pattern::{Hatch, Pattern};
use super::style::{self, INK, anchored, fit_end, printable};
use crate::measure::layers_report::{LayerReport, LayerResults, LayersReport, OctavePart};
use crate::spectrum::octave;

/// The ten worst layers, a row each: its octaves' shares of the sum of their ‖J δ‖², what the layer contributes, and what
/// would be left if its input ended at ½ and ¼ of its Nyquist frequency.
#[derive(Clone, Copy, Debug)]
pub struct LayersOctavesFigure<'a> {
    /// The report.
    pub report: &'a LayersReport,
    /// The attribution in it that is drawn.
    pub results: &'a LayerResults,
}

const ROWS: usize = 10;
const NAMES: i32 = 330;
const BARS: i32 = 440;
/// One column of numbers.
const NUMBER: i32 = 150;
/// The cut-offs that have a column.
const CUTS: usize = 2;
const WIDTH: i32 = 2 * MARGIN + NAMES + BARS + NUMBER * (1 + CUTS as i32);
const TOP: i32 = 190;
const ROW: i32 = 44;
const BAR: i32 = 26;
/// The least width of a piece that has its percentage in it.
const PERCENTAGE: i32 = 52;

/// Dark for high frequencies.
const RAMP: [RGBColor; 5] = [
    RGBColor(0x7f, 0x27, 0x04),
    RGBColor(0xd9, 0x5f, 0x0e),
    RGBColor(0xfe, 0xa9, 0x3f),
    RGBColor(0xfe, 0xdf, 0xa0),
    RGBColor(0xf2, 0xf2, 0xf2),
];

fn look(octave: usize) -> Pattern {
    Pattern::new(RAMP[octave.min(RAMP.len() - 1)], Hatch::None)
}

impl LayersOctavesFigure<'_> {
    fn rows(&self) -> Vec<(usize, &LayerReport, &[OctavePart])> {
        let rows = worst(self.results, ROWS).into_iter().filter_map(|place| {
            let layer = &self.results.layers[place];
            Some((place, layer, layer.octaves.as_deref()?))
        });
        rows.collect()
    }
}

impl Figure for LayersOctavesFigure<'_> {
    fn size(&self) -> (u32, u32) {
        (WIDTH as u32, (TOP + ROW * self.rows().len().max(1) as i32 + 60) as u32)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        check(self.results)?;
        let rows = self.rows();
        let title = format!("Which frequencies make the error of {}: its worst layers", short_name(&self.report.run));
        let conditions = format!("mean over {}; {}", self.report.run.images.in_words(), group(self.report));
        header(root, &title, &[what(self.results), conditions], WIDTH - 2 * MARGIN)?;
        let Some((_, _, octaves)) = rows.first() else {
            root.draw_text("no layer can make an error", &style::axis(), (MARGIN, TOP + 12))?;
            return Ok(());
        };
        let entries: Vec<(String, Pattern)> =
            octaves.iter().enumerate().map(|(at, octave)| (octave.band(), look(at))).collect();
        let words = "octaves of what a layer reads, in parts of its Nyquist frequency:";
        root.draw_text(words, &style::axis(), (MARGIN, 98))?;
        legend(root, &entries, (MARGIN, 122), WIDTH - 2 * MARGIN)?;
        let (left, right) = (MARGIN + NAMES, MARGIN + NAMES + BARS);
        let above = |at: i32, side: HPos| (at, anchored(style::axis(), side, VPos::Bottom));
        let (x, look) = above(left, HPos::Left);
        root.draw_text("shares of the octaves' ‖J δ‖²", &look, (x, TOP - 8))?;
        let columns = std::iter::once("contribution".to_owned()).chain(
            octaves.iter().skip(1).take(CUTS).map(|octave| format!("left, cut at {}", octave::fraction(octave.to))),
        );
        for (at, heading) in columns.enumerate() {
            let (x, look) = above(right + NUMBER * (at as i32 + 1), HPos::Right);
            root.draw_text(&heading, &look, (x, TOP - 8))?;
        }
        for (rank, row) in rows.iter().enumerate() {
            self.row(root, rank, *row)?;
        }
        let bottom = TOP + ROW * rows.len() as i32;
        let note = "left: the contribution if what the layer reads had nothing at and above this part of its Nyquist \
                    frequency, over the contribution as it is";
        root.draw_text(note, &style::note(), (MARGIN, bottom + 24))?;
        Ok(())
    }
}

impl LayersOctavesFigure<'_> {
    fn row<DB: DrawingBackend>(
        &self,
        root: &Area<DB>,
        rank: usize,
        (place, layer, octaves): (usize, &LayerReport, &[OctavePart]),
    ) -> Result<(), FigureError> {
        let (left, top) = (MARGIN + NAMES, TOP + ROW * rank as i32 + 8);
        let middle = top + BAR / 2;
        let name = fit_end(root, &printable(&layer.name), &style::label(), NAMES - 18)?;
        root.draw_text(&name, &anchored(style::label(), HPos::Left, VPos::Center), (MARGIN, middle - 8))?;
        let class = format!("{} {}, layer {}", letter(layer.class), layer.class.name(), place + 1);
        root.draw_text(&class, &anchored(style::note(), HPos::Left, VPos::Center), (MARGIN, middle + 10))?;
        // Of rounding, and of nothing, there are no shares.
        let is_rounding = layer.contribution <= self.results.rounding;
        let whole: f64 = if is_rounding { 0.0 } else { octaves.iter().map(|octave| octave.contribution).sum() };
        let mut before = 0.0;
        for (at, octave) in octaves.iter().enumerate().filter(|_| whole > 0.0) {
            let x = |sum: f64| left + (sum / whole * f64::from(BARS)).round() as i32;
            let (from, to) = (x(before), x(before + octave.contribution));
            before += octave.contribution;
            if to > from {
                look(at).fill(root, [(from, top), (to, top + BAR)])?;
            }
            if to - from >= PERCENTAGE {
                let share = percent(octave.contribution / whole, 0);
                plate(root, &share, (i32::midpoint(from, to), middle))?;
            }
        }
        root.draw(&Rectangle::new([(left, top), (left + BARS, top + BAR)], INK.stroke_width(1)))?;
        if is_rounding {
            let inside = anchored(style::note(), HPos::Left, VPos::Center);
            root.draw_text("no more than rounding", &inside, (left + 12, middle))?;
        }
        let told = |share: f64| if is_rounding { "–".to_owned() } else { percent(share, 1) };
        let numbers = layer.left_below().into_iter().flatten().take(CUTS).map(|[_, share]| told(share));
        let numbers = std::iter::once(with_error(layer.contribution, layer.sem)).chain(numbers);
        for (at, number) in numbers.enumerate() {
            let x = left + BARS + NUMBER * (at as i32 + 1);
            root.draw_text(&number, &anchored(style::label(), HPos::Right, VPos::Center), (x, middle))?;
        }
        Ok(())
    }
}
