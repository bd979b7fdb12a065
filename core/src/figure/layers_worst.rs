//! The layers that contribute most, with the parts of what they make.

use plotters::backend::DrawingBackend;
use plotters::element::PathElement;
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor};

use super::canvas::{Area, Figure, FigureError};
use super::error_bar::draw_error_bar;
use super::layer_looks::{
    MARGIN, check, entries, group, header, legend, letter, part_mark, pattern, percent, short_name, sum, what,
    with_error, worst,
};
use super::marks::Shape;
use super::number::compact;
use super::pattern::{Hatch, Pattern};
use super::scale::Scale;
use super::style::{self, FAINT_INK, GRID, INK, anchored, fit_end, printable};
use crate::measure::layers_report::{DefectPart, LayerClass, LayerReport, LayerResults, LayersReport};

/// The ten worst layers, a row each: their share of the sum as a bar, ‖J δ‖²/dim and its parts as marks on a logarithmic
/// axis, and the signed share.
#[derive(Clone, Copy, Debug)]
pub struct WorstLayersFigure<'a> {
    /// The report.
    pub report: &'a LayersReport,
    /// The attribution in it that is drawn.
    pub results: &'a LayerResults,
}

const ROWS: usize = 10;
const NAMES: i32 = 290;
const SHARES: i32 = 220;
const DOTS: i32 = 330;
const NUMBERS: i32 = 160;
const SIGNED: i32 = 210;
const GAP: i32 = 20;
const WIDTH: i32 = 2 * MARGIN + NAMES + SHARES + DOTS + NUMBERS + SIGNED + 2 * GAP;
const TOP: i32 = 178;
const ROW: i32 = 46;
const BAR: i32 = 18;
/// How far whole contributions lie above the middle of their row, and parts below it.
const ABOVE: i32 = 9;
const BELOW: i32 = 9;
/// What belongs to no layer and no part.
const WHOLE: RGBColor = INK;

/// Where columns begin.
const SHARES_LEFT: i32 = MARGIN + NAMES;
const DOTS_LEFT: i32 = SHARES_LEFT + SHARES + GAP;
const SIGNED_LEFT: i32 = DOTS_LEFT + DOTS + NUMBERS + GAP;

impl WorstLayersFigure<'_> {
    fn rows(&self) -> Vec<(usize, &LayerReport)> {
        worst(self.results, ROWS).into_iter().map(|place| (place, &self.results.layers[place])).collect()
    }

    /// The parts that some layer has.
    fn split(&self) -> Vec<DefectPart> {
        DefectPart::among(&self.results.layers)
    }
}

impl Figure for WorstLayersFigure<'_> {
    fn size(&self) -> (u32, u32) {
        (WIDTH as u32, (TOP + ROW * self.rows().len().max(1) as i32 + 66) as u32)
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
        legend(root, &entries(&shown), (MARGIN, 96), WIDTH - 2 * MARGIN)?;
        if rows.is_empty() {
            root.draw_text("no layer can make an error", &style::axis(), (MARGIN, TOP + 12))?;
            return Ok(());
        }
        let bottom = TOP + ROW * rows.len() as i32;
        let shares = Shares::of(self.results, &rows);
        shares.axis(root, bottom)?;
        let scale = self.dots_scale(&rows);
        self.dots_axis(root, &scale, bottom)?;
        let signed = Signed::of(&rows);
        signed.axis(root, bottom)?;
        for (rank, (place, layer)) in rows.into_iter().enumerate() {
            let top = TOP + ROW * rank as i32;
            let middle = top + ROW / 2;
            if rank > 0 {
                root.draw(&PathElement::new(vec![(MARGIN, top), (SHARES_LEFT, top)], GRID.stroke_width(1)))?;
            }
            name(root, (rank, place), layer, middle)?;
            shares.bar(root, layer, middle)?;
            self.dots(root, layer, &scale, middle)?;
            signed.bar(root, layer.signed_share, middle)?;
        }
        Ok(())
    }
}

/// Rank, name and class.
fn name<DB: DrawingBackend>(
    root: &Area<DB>,
    (rank, place): (usize, usize),
    layer: &LayerReport,
    middle: i32,
) -> Result<(), FigureError> {
    let heavy = anchored(style::panel(), HPos::Right, VPos::Center);
    root.draw_text(&(rank + 1).to_string(), &heavy, (MARGIN + 22, middle - 9))?;
    let name = fit_end(root, &printable(&layer.name), &style::label(), NAMES - 44)?;
    root.draw_text(&name, &anchored(style::label(), HPos::Left, VPos::Center), (MARGIN + 32, middle - 9))?;
    let class = format!("{} {}, layer {}", letter(layer.class), layer.class.name(), place + 1);
    root.draw_text(&class, &anchored(style::note(), HPos::Left, VPos::Center), (MARGIN + 32, middle + 10))?;
    Ok(())
}

impl WorstLayersFigure<'_> {
    fn dots_scale(&self, rows: &[(usize, &LayerReport)]) -> Scale {
        let parts = rows.iter().flat_map(|(_, l)| DefectPart::ALL.map(|part| l.part(part)));
        let parts: Vec<f64> = parts.flatten().map(|p| p.contribution).collect();
        let whole: Vec<f64> = rows.iter().map(|(_, l)| l.contribution).collect();
        let largest = whole.iter().chain(&parts).copied().fold(0.0, f64::max);
        let reach = rows.iter().map(|(_, l)| l.contribution + l.sem.unwrap_or(0.0)).fold(largest, f64::max);
        // Parts far below every whole would stretch the axis for what nobody asks.
        let least = whole.iter().copied().filter(|v| *v > 0.0).fold(f64::INFINITY, f64::min);
        let drawn = whole.iter().copied().chain(parts.into_iter().filter(|part| *part > 0.05 * least));
        Scale::of(drawn.collect::<Vec<_>>().into_iter(), reach)
    }

    fn dots_axis<DB: DrawingBackend>(&self, root: &Area<DB>, scale: &Scale, bottom: i32) -> Result<(), FigureError> {
        let log = if scale.is_log() { ", logarithmic axis" } else { "" };
        let heading = format!("contribution ‖J δ‖²/dim{log}");
        root.draw_text(&heading, &anchored(style::axis(), HPos::Left, VPos::Bottom), (DOTS_LEFT, TOP - 30))?;
        let mut x = DOTS_LEFT;
        let mut mark = |text: &str, shape: Shape, color: RGBColor| -> Result<(), FigureError> {
            shape.draw(root, (x + 6, TOP - 14), 5, color)?;
            root.draw_text(text, &anchored(style::note(), HPos::Left, VPos::Center), (x + 17, TOP - 14))?;
            x += 17 + root.estimate_text_size(text, &style::note())?.0 as i32 + 14;
            Ok(())
        };
        mark("whole ± s.e.", Shape::Circle, WHOLE)?;
        for part in self.split() {
            let (shape, color) = part_mark(part);
            mark(part.name(), shape, color)?;
        }
        for (place, text) in scale.ticks() {
            let x = DOTS_LEFT + (place * f64::from(DOTS)).round() as i32;
            root.draw(&PathElement::new(vec![(x, TOP), (x, bottom)], GRID.stroke_width(1)))?;
            root.draw_text(&text, &anchored(style::label(), HPos::Center, VPos::Top), (x, bottom + 6))?;
        }
        if !self.split().is_empty() {
            let note = "parts add up as vectors: their squares need not";
            root.draw_text(note, &anchored(style::note(), HPos::Left, VPos::Top), (DOTS_LEFT, bottom + 32))?;
        }
        Ok(())
    }

    fn dots<DB: DrawingBackend>(
        &self,
        root: &Area<DB>,
        layer: &LayerReport,
        scale: &Scale,
        middle: i32,
    ) -> Result<(), FigureError> {
        let x = |value: f64| DOTS_LEFT + (scale.place(value) * f64::from(DOTS)).round() as i32;
        let y = if self.split().is_empty() { middle } else { middle - ABOVE };
        let text = with_error(layer.contribution, layer.sem);
        let at = (DOTS_LEFT + DOTS + 14, middle);
        root.draw_text(&text, &anchored(style::label(), HPos::Left, VPos::Center), at)?;
        if layer.contribution > 0.0 {
            if let Some(sem) = layer.sem.filter(|sem| *sem > 0.0) {
                draw_error_bar(root, [x(layer.contribution - sem), x(layer.contribution + sem)], y, 4)?;
            }
            Shape::Circle.draw(root, (x(layer.contribution), y), 6, WHOLE)?;
        }
        let parts = self.split().into_iter().filter_map(|of| Some((of, layer.part(of)?.contribution)));
        let mut below = Vec::new();
        // The largest last: it may lie on others.
        let mut parts: Vec<(DefectPart, f64)> = parts.filter(|(_, value)| *value > 0.0).collect();
        parts.sort_by(|a, b| a.1.total_cmp(&b.1));
        for (of, value) in parts {
            if scale.is_log() && scale.place(value) <= 0.0 {
                below.push(format!("{} {}", of.name(), compact(value)));
                continue;
            }
            let (shape, color) = part_mark(of);
            shape.draw(root, (x(value), middle + BELOW), 5, color)?;
        }
        if let [said, ..] = &below[..] {
            let text = format!("◂ {said}");
            let small = anchored(style::note(), HPos::Left, VPos::Center);
            root.draw_text(&text, &small, (DOTS_LEFT + 2, middle + BELOW))?;
        }
        Ok(())
    }
}

/// The column of shares of the sum of all contributions.
struct Shares {
    whole: f64,
    high: f64,
    step: f64,
}

impl Shares {
    /// Right of the longest bar, for its number.
    const TEXT: i32 = 62;

    fn of(results: &LayerResults, rows: &[(usize, &LayerReport)]) -> Self {
        let whole = sum(results);
        let most = rows.iter().map(|(_, l)| l.contribution).fold(0.0, f64::max);
        let reach = if whole > 0.0 { most / whole } else { 1.0 };
        let step = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5].into_iter().find(|step| reach / step <= 3.0);
        let step = step.unwrap_or(0.5);
        Self { whole, step, high: (reach / step).ceil().max(1.0) * step }
    }

    fn x(&self, share: f64) -> i32 {
        SHARES_LEFT + (share.clamp(0.0, self.high) / self.high * f64::from(SHARES - Self::TEXT)).round() as i32
    }

    fn axis<DB: DrawingBackend>(&self, root: &Area<DB>, bottom: i32) -> Result<(), FigureError> {
        let heading = anchored(style::axis(), HPos::Left, VPos::Bottom);
        root.draw_text("share of the sum", &heading, (SHARES_LEFT, TOP - 8))?;
        let decimals = usize::from(self.step < 0.01);
        for tick in 0..=(self.high / self.step).round() as i32 {
            let share = self.step * f64::from(tick);
            let x = self.x(share);
            root.draw(&PathElement::new(vec![(x, TOP), (x, bottom)], GRID.stroke_width(1)))?;
            let text = super::number::percent(share, decimals);
            root.draw_text(&text, &anchored(style::note(), HPos::Center, VPos::Top), (x, bottom + 7))?;
        }
        root.draw(&PathElement::new(vec![(self.x(0.0), TOP), (self.x(0.0), bottom)], INK.stroke_width(1)))?;
        Ok(())
    }

    fn bar<DB: DrawingBackend>(&self, root: &Area<DB>, layer: &LayerReport, middle: i32) -> Result<(), FigureError> {
        let share = if self.whole > 0.0 { layer.contribution / self.whole } else { 0.0 };
        let end = self.x(share);
        if end > SHARES_LEFT {
            pattern(layer.class).fill(root, [(SHARES_LEFT, middle - BAR / 2), (end, middle + BAR / 2)])?;
        }
        let text = if self.whole > 0.0 { percent(share) } else { "–".to_owned() };
        root.draw_text(&text, &anchored(style::label(), HPos::Left, VPos::Center), (end + 7, middle))?;
        Ok(())
    }
}

/// The column of signed shares.
struct Signed {
    low: f64,
    high: f64,
}

impl Signed {
    /// Left of zero and right of the longest bar, for numbers.
    const TEXT: i32 = 66;

    fn of(rows: &[(usize, &LayerReport)]) -> Self {
        let shares = rows.iter().filter_map(|(_, l)| l.signed_share);
        let (low, high) = shares.fold((0.0, 0.0), |(low, high): (f64, f64), s| (low.min(s), high.max(s)));
        Self { low, high: if high > low { high } else { low + 1.0 } }
    }

    fn x(&self, share: f64) -> i32 {
        let room = f64::from(SIGNED - 2 * Self::TEXT);
        SIGNED_LEFT + Self::TEXT + ((share - self.low) / (self.high - self.low) * room).round() as i32
    }

    fn axis<DB: DrawingBackend>(&self, root: &Area<DB>, bottom: i32) -> Result<(), FigureError> {
        let zero = self.x(0.0);
        root.draw(&PathElement::new(vec![(zero, TOP), (zero, bottom)], INK.stroke_width(1)))?;
        let middle = SIGNED_LEFT + SIGNED / 2;
        root.draw_text("share of L, signed", &anchored(style::axis(), HPos::Center, VPos::Bottom), (middle, TOP - 8))?;
        root.draw_text("all layers: 100 %", &anchored(style::note(), HPos::Center, VPos::Top), (middle, bottom + 7))?;
        Ok(())
    }

    fn bar<DB: DrawingBackend>(&self, root: &Area<DB>, share: Option<f64>, y: i32) -> Result<(), FigureError> {
        let zero = self.x(0.0);
        let Some(share) = share else {
            root.draw_text("–", &anchored(style::label(), HPos::Left, VPos::Center), (zero + 8, y))?;
            return Ok(());
        };
        let x = self.x(share);
        if x != zero {
            Pattern::new(FAINT_INK, Hatch::None).fill(root, [(zero.min(x), y - 7), (zero.max(x), y + 7)])?;
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
        assert!(places[0] >= SIGNED_LEFT && places[3] <= SIGNED_LEFT + SIGNED);
    }
}
