//! What all figures share: colours, text, widths.

use plotters::backend::DrawingBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontDesc, FontFamily, FontStyle, RGBColor, TextStyle};

use super::area::Area;
use super::error::FigureError;
pub use super::family::FAMILY;

/// Text, axes and outlines.
pub const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
/// Text that comes second: notes, units.
pub const FAINT_INK: RGBColor = RGBColor(0x5c, 0x5c, 0x5c);
/// Grid lines and frames.
pub const GRID: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);

/// Marks and lines that come second: the others beside those that a figure is about.
pub const PALE: RGBColor = RGBColor(0xb4, 0xb4, 0xb4);

/// Colours of series, in order: told apart by colour-blind readers and, each lighter than the one before, in grey.
pub const SERIES: [RGBColor; 4] = [
    RGBColor(0x00, 0x4c, 0x80), // deep blue
    RGBColor(0xc8, 0x52, 0x00), // vermilion
    RGBColor(0x5a, 0xb4, 0xe5), // sky blue
    RGBColor(0xf2, 0xcf, 0x63), // sand
];

/// The size of the figure's title, and of nothing else.
pub(super) const TITLE_SIZE: f64 = 22.0;

/// The figure's title: 22 bold.
pub fn title() -> TextStyle<'static> {
    text(TITLE_SIZE, FontStyle::Bold, &INK)
}

/// A panel's title: 17 bold.
pub fn panel() -> TextStyle<'static> {
    text(17.0, FontStyle::Bold, &INK)
}

/// What an axis shows: 16.
pub fn axis() -> TextStyle<'static> {
    text(16.0, FontStyle::Normal, &INK)
}

/// A tick, a bar's name, a legend: 15.
pub fn label() -> TextStyle<'static> {
    text(15.0, FontStyle::Normal, &INK)
}

/// A condition or remark: 14, fainter.
pub fn note() -> TextStyle<'static> {
    text(14.0, FontStyle::Normal, &FAINT_INK)
}

/// Text of another size, where there is little room.
pub(super) fn small(size: f64, weight: FontStyle) -> TextStyle<'static> {
    text(size, weight, &INK)
}

/// `style` anchored to its point at that side; text hangs from its upper left corner otherwise.
pub fn anchored(style: TextStyle<'static>, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
    style.pos(Pos::new(horizontal, vertical))
}

/// Text with escapes for what SVG and PNG cannot show and what turns or hides text, as a file's name may hold it.
pub fn printable(text: &str) -> String {
    crate::printable::printable(text).into_owned()
}

fn text(size: f64, weight: FontStyle, color: &RGBColor) -> TextStyle<'static> {
    FontDesc::new(FontFamily::Name(FAMILY), size, weight).color(color)
}

/// Along a map for signed pictures, from deep blue (−1) through grey (0) to pale yellow (1), lighter all the way: in
/// grey it is a relief. Beyond, its ends.
pub fn relief(value: f64) -> RGBColor {
    const MIDDLE: RGBColor = RGBColor(0x94, 0x94, 0x94);
    let end = if value < 0.0 { RGBColor(0x00, 0x2b, 0x58) } else { RGBColor(0xff, 0xf0, 0xa8) };
    mixed(MIDDLE, end, value.abs().min(1.0))
}

/// Along the diverging map from deep blue (−1) through white (0) to vermilion (1); beyond, its ends.
pub fn diverging(value: f64) -> RGBColor {
    let end = if value < 0.0 { SERIES[0] } else { SERIES[1] };
    mixed(RGBColor(0xff, 0xff, 0xff), end, value.abs().min(1.0))
}

fn mixed(from: RGBColor, to: RGBColor, weight: f64) -> RGBColor {
    let mix = |a: u8, b: u8| (f64::from(a) + weight * (f64::from(b) - f64::from(a))).round() as u8;
    RGBColor(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
}

/// `text`, cut with an ellipsis where it is wider than `width` pixels.
///
/// # Errors
/// The backend cannot measure text.
pub fn fit<DB: DrawingBackend>(
    area: &Area<DB>,
    text: &str,
    style: &TextStyle<'static>,
    width: i32,
) -> Result<String, FigureError> {
    cut(area, text, style, width, |characters, kept| characters[..kept].iter().chain(&['…']).collect())
}

/// `text`, cut at its front: the end of a path tells nodes of one network apart.
///
/// # Errors
/// The backend cannot measure text.
pub fn fit_end<DB: DrawingBackend>(
    area: &Area<DB>,
    text: &str,
    style: &TextStyle<'static>,
    width: i32,
) -> Result<String, FigureError> {
    cut(area, text, style, width, |characters, kept| {
        ['…'].iter().chain(&characters[characters.len() - kept..]).collect()
    })
}

/// The smallest size of a note.
const SMALLEST_NOTE: f64 = 11.5;

/// Whether a note fits into `width` pixels without being cut.
///
/// # Errors
/// The backend cannot measure text.
pub fn note_fits<DB: DrawingBackend>(area: &Area<DB>, note: &str, width: i32) -> Result<bool, FigureError> {
    let smallest = text(SMALLEST_NOTE, FontStyle::Normal, &FAINT_INK);
    Ok(i64::from(area.estimate_text_size(note, &smallest)?.0) <= i64::from(width))
}

/// A note that fits into `width` pixels: smaller where it is long, and cut only where even that is too long.
///
/// # Errors
/// The backend cannot draw.
pub fn draw_note<DB: DrawingBackend>(
    area: &Area<DB>,
    note: &str,
    at: (i32, i32),
    width: i32,
) -> Result<(), FigureError> {
    let mut size = 14.0;
    let style = |size: f64| text(size, FontStyle::Normal, &FAINT_INK);
    while size > SMALLEST_NOTE && i64::from(area.estimate_text_size(note, &style(size))?.0) > i64::from(width) {
        size -= 0.5;
    }
    // Smaller text keeps the line's middle.
    let down = ((14.0 - size) / 2.0).round() as i32;
    Ok(area.draw_text(&fit(area, note, &style(size), width)?, &style(size), (at.0, at.1 + down))?)
}

fn cut<DB: DrawingBackend>(
    area: &Area<DB>,
    text: &str,
    style: &TextStyle<'static>,
    width: i32,
    shortened: impl Fn(&[char], usize) -> String,
) -> Result<String, FigureError> {
    let fits = |text: &str| -> Result<bool, FigureError> {
        Ok(i64::from(area.estimate_text_size(text, style)?.0) <= i64::from(width))
    };
    if fits(text)? {
        return Ok(text.to_owned());
    }
    let characters: Vec<char> = text.chars().collect();
    for kept in (0..characters.len()).rev() {
        let cut = shortened(&characters, kept);
        if fits(&cut)? {
            return Ok(cut);
        }
    }
    Ok(String::new())
}
