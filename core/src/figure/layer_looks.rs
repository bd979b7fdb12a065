//! How figures of an attribution show the classes of layers and say what was measured.

use plotters::backend::DrawingBackend;
use plotters::element::Rectangle;
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor, WHITE};

use super::canvas::{Area, FigureError};
use super::marks::Shape;
use super::number::{self, compact};
use super::pattern::{Hatch, Pattern};
use super::style::{self, INK, SERIES, anchored, draw_note, fit, printable};
use crate::measure::grouping::Grouping;
use crate::measure::layers_report::{DefectPart, LayerClass, LayerReport, LayerResults, LayersReport};
use crate::measure::run::Run;

/// The margin of these figures.
pub(super) const MARGIN: i32 = 28;

/// The colour and hatch of a class: the same in every figure.
pub(super) const fn pattern(class: LayerClass) -> Pattern {
    use LayerClass as C;
    let (color, hatch) = match class {
        C::Convolution => (SERIES[0], Hatch::None),
        C::StridedConvolution => (SERIES[1], Hatch::Rising),
        C::Pooling => (SERIES[2], Hatch::Level),
        C::Nonlinearity => (SERIES[3], Hatch::None),
        C::Attention => (RGBColor(0x7a, 0x3e, 0x9d), Hatch::Cross),
        C::TokenMixing => (RGBColor(0x1f, 0x7a, 0x4d), Hatch::Upright),
        C::Normalisation => (RGBColor(0xb8, 0xb8, 0xb8), Hatch::Falling),
        C::PatchEmbedding => (RGBColor(0xe2, 0x8f, 0xb8), Hatch::Rising),
        C::PositionalEmbedding => (RGBColor(0xb9, 0xdc, 0x9e), Hatch::Net),
        C::Resampling => (RGBColor(0x80, 0x56, 0x2c), Hatch::Falling),
        C::Misalignment => (RGBColor(0xd9, 0xc2, 0x6b), Hatch::Cross),
        C::Head => (RGBColor(0xe4, 0xe4, 0xe4), Hatch::Level),
        C::Softmax => (WHITE, Hatch::Cross),
        C::Other => (RGBColor(0x6e, 0x6e, 0x6e), Hatch::None),
    };
    Pattern::new(color, hatch)
}

/// A letter for a class, where there is no room for its name.
pub(crate) const fn letter(class: LayerClass) -> char {
    use LayerClass as C;
    match class {
        C::Convolution => 'C',
        C::StridedConvolution => 'S',
        C::Pooling => 'P',
        C::Nonlinearity => 'N',
        C::Attention => 'A',
        C::TokenMixing => 'T',
        C::Normalisation => 'M',
        C::PatchEmbedding => 'E',
        C::PositionalEmbedding => 'L',
        C::Resampling => 'R',
        C::Misalignment => 'G',
        C::Head => 'H',
        C::Softmax => 'F',
        C::Other => 'O',
    }
}

/// The mark of a part of the defect: shapes, since colours and hatching tell classes.
pub(super) const fn part_mark(part: DefectPart) -> (Shape, RGBColor) {
    match part {
        DefectPart::Aliasing => (Shape::Triangle, SERIES[1]),
        DefectPart::Kernel => (Shape::Diamond, RGBColor(0x80, 0x56, 0x2c)),
        DefectPart::Boundary => (Shape::Square, SERIES[2]),
        DefectPart::Discretisation => (Shape::Falling, SERIES[3]),
    }
}

/// The classes that some of the results have, in the order of classes.
pub(crate) fn classes<'a>(results: impl IntoIterator<Item = &'a LayerResults>) -> Vec<LayerClass> {
    let found: std::collections::HashSet<LayerClass> =
        results.into_iter().flat_map(|r| &r.layers).map(|layer| layer.class).collect();
    LayerClass::ALL.into_iter().filter(|class| found.contains(class)).collect()
}

/// Places of the layers that contribute most, worst first.
pub(super) fn worst(results: &LayerResults, count: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..results.layers.len()).collect();
    let contribution = |place: usize| results.layers[place].contribution;
    places.sort_by(|&a, &b| contribution(b).total_cmp(&contribution(a)));
    places.truncate(count);
    places
}

/// The sum of all layers' contributions.
pub(crate) fn sum(results: &LayerResults) -> f64 {
    results.layers.iter().map(|layer| layer.contribution).sum()
}

/// A model's file name.
pub(crate) fn short_name(run: &Run) -> String {
    printable(run.model.name())
}

/// What a layer is, in words.
pub(crate) fn group(report: &LayersReport) -> &str {
    match report.group {
        Grouping::Type => "a layer is all nodes of a class",
        Grouping::Node => "a layer is a node",
        Grouping::Module(_) => "a layer is a module",
    }
}

/// `208 ± 12`.
pub(crate) fn with_error(value: f64, sem: Option<f64>) -> String {
    sem.map_or_else(|| compact(value), |sem| format!("{} ± {}", compact(value), compact(sem)))
}

/// What was attributed, and the proof.
pub(crate) fn what(results: &LayerResults) -> String {
    format!(
        "{}, {} derivative: LEE E‖L‖²/dim = {}; the layers add up to L with a residual of {}",
        results.generator,
        results.derivative,
        with_error(results.lee, results.sem),
        compact(results.conservation_residual)
    )
}

/// `12.3 %`, with a minus sign that is one.
pub(crate) fn percent(share: f64) -> String {
    number::percent(share, 1)
}

/// Numbers that have a place on an axis.
///
/// # Errors
/// NaN or infinity.
pub(super) fn check(results: &LayerResults) -> Result<(), FigureError> {
    let finite = |value: Option<f64>| value.is_none_or(f64::is_finite);
    let layer = |l: &LayerReport| {
        [Some(l.contribution), l.sem, l.signed_share].into_iter().all(finite)
            && DefectPart::ALL.into_iter().filter_map(|part| l.part(part)).all(|p| p.contribution.is_finite())
    };
    let class = |sum: &crate::measure::layers_report::ClassSum| sum.contribution.is_finite() && finite(sum.share);
    if results.lee.is_finite() && results.layers.iter().all(layer) && results.by_type.values().all(class) {
        Ok(())
    } else {
        Err(FigureError::NotFinite("the report holds NaN or infinity".to_owned()))
    }
}

/// Title and notes at the top; the place of what comes next.
pub(super) fn header<DB: DrawingBackend>(
    root: &Area<DB>,
    title: &str,
    notes: &[String],
    width: i32,
) -> Result<i32, FigureError> {
    root.draw_text(&fit(root, &printable(title), &style::title(), width)?, &style::title(), (MARGIN, 16))?;
    for (line, note) in notes.iter().enumerate() {
        draw_note(root, &printable(note), (MARGIN, 48 + 20 * line as i32), width)?;
    }
    Ok(48 + 20 * notes.len() as i32)
}

/// Swatches with words, as many to a line as there is room for; the place below them.
pub(super) fn legend<DB: DrawingBackend>(
    root: &Area<DB>,
    entries: &[(String, Pattern)],
    (left, top): (i32, i32),
    width: i32,
) -> Result<i32, FigureError> {
    let (mut x, mut y) = (left, top);
    for (text, pattern) in entries {
        let text = fit(root, &printable(text), &style::label(), width - 40)?;
        let room = 26 + root.estimate_text_size(&text, &style::label())?.0 as i32 + 26;
        if x > left && x + room > left + width {
            (x, y) = (left, y + 24);
        }
        pattern.fill(root, [(x, y), (x + 20, y + 14)])?;
        root.draw_text(&text, &anchored(style::label(), HPos::Left, VPos::Center), (x + 26, y + 8))?;
        x += room;
    }
    Ok(y + 24)
}

/// How many lines [`legend`] takes at most, of words as wide as letters mostly are: known before anything is drawn.
pub(super) fn legend_lines(entries: &[(String, Pattern)], width: i32) -> i32 {
    const LETTER: f64 = 7.8;
    let (mut x, mut lines) = (0.0, 1);
    for (text, _) in entries {
        let room = 52.0 + LETTER * text.chars().count() as f64;
        if x > 0.0 && x + room > f64::from(width) {
            (x, lines) = (0.0, lines + 1);
        }
        x += room;
    }
    lines
}

/// The legend's entries for classes: letter and name.
pub(super) fn entries(classes: &[LayerClass]) -> Vec<(String, Pattern)> {
    classes.iter().map(|&class| (format!("{} {}", letter(class), class.name()), pattern(class))).collect()
}

/// A letter or number on a plate that hides what is below.
pub(super) fn plate<DB: DrawingBackend>(root: &Area<DB>, text: &str, (x, y): (i32, i32)) -> Result<(), FigureError> {
    let (width, _) = root.estimate_text_size(text, &style::note())?;
    let half = width as i32 / 2 + 3;
    let corners = [(x - half, y - 9), (x + half, y + 9)];
    root.draw(&plotters::element::Rectangle::new(corners, WHITE.mix(0.9).filled()))?;
    root.draw_text(text, &anchored(style::note().color(&INK), HPos::Center, VPos::Center), (x, y))?;
    Ok(())
}

/// The least width of a piece of a bar with its class's letter, and with its percentage too.
const LETTER: i32 = 22;
const PERCENTAGE: i32 = 66;

/// A bar between two corners, cut into the classes' shares; `none` stands in it where no class has one.
pub(super) fn share_bar<DB: DrawingBackend>(
    root: &Area<DB>,
    [(left, top), (right, bottom)]: [(i32, i32); 2],
    share_of: impl Fn(LayerClass) -> Option<f64>,
    none: &str,
) -> Result<(), FigureError> {
    let corners = [(left, top), (right, bottom)];
    let middle = i32::midpoint(top, bottom);
    root.draw(&Rectangle::new(corners, WHITE.filled()))?;
    root.draw(&Rectangle::new(corners, INK.stroke_width(1)))?;
    let mut before = 0.0;
    for class in LayerClass::ALL {
        let Some(share) = share_of(class) else { continue };
        let x = |share: f64| left + (share.clamp(0.0, 1.0) * f64::from(right - left)).round() as i32;
        let (from, to) = (x(before), x(before + share));
        before += share;
        if to == from {
            continue;
        }
        pattern(class).fill(root, [(from, top), (to, bottom)])?;
        let at = (i32::midpoint(from, to), middle);
        if to - from >= PERCENTAGE {
            plate(root, &format!("{} {:.0} %", letter(class), 100.0 * share), at)?;
        } else if to - from >= LETTER {
            plate(root, &letter(class).to_string(), at)?;
        }
    }
    if before == 0.0 {
        root.draw_text(none, &anchored(style::note(), HPos::Left, VPos::Center), (left + 12, middle))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_differ_by_letter_and_look() {
        let all = LayerClass::ALL;
        for (i, a) in all.into_iter().enumerate() {
            for b in &all[..i] {
                assert!(letter(a) != letter(*b) && pattern(a) != pattern(*b), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn percents_have_no_negative_zero() {
        assert_eq!([percent(-1e-5), percent(-0.142), percent(1.0)], ["0.0 %", "−14.2 %", "100.0 %"]);
    }
}
