//! What the marks of a figure stand for.

use plotters::element::Circle;
use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor, WHITE};

use super::{Area, FigureError, style};

/// A dot, filled or, so that both are told apart in grey as well, hollow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dot {
    Filled(RGBColor),
    Hollow(RGBColor),
}

impl Dot {
    /// Draws it at a place of the area.
    pub(super) fn draw<DB: DrawingBackend>(
        self,
        area: &Area<DB>,
        place: (i32, i32),
        radius: i32,
    ) -> Result<(), FigureError> {
        match self {
            Self::Filled(color) => area.draw(&Circle::new(place, radius, color.filled()))?,
            Self::Hollow(color) => {
                area.draw(&Circle::new(place, radius, WHITE.filled()))?;
                area.draw(&Circle::new(place, radius, color.stroke_width(2)))?;
            }
        }
        Ok(())
    }
}

/// A row of dots, each with its meaning to its right, centred on `middle` and at that height.
///
/// # Errors
/// The backend cannot draw.
pub(super) fn key<DB: DrawingBackend>(
    area: &Area<DB>,
    entries: &[(Dot, &str)],
    middle: (i32, i32),
) -> Result<(), FigureError> {
    const RADIUS: i32 = 5;
    const GAP: i32 = 26;
    let text = style::anchored(style::note(), HPos::Left, VPos::Center);
    let widths: Vec<i32> = entries
        .iter()
        .map(|(_, meaning)| Ok(area.estimate_text_size(meaning, &text)?.0 as i32 + 2 * RADIUS + 6))
        .collect::<Result<_, FigureError>>()?;
    let total = widths.iter().sum::<i32>() + GAP * (entries.len().max(1) as i32 - 1);
    let mut x = middle.0 - total / 2;
    for ((dot, meaning), width) in entries.iter().zip(widths) {
        dot.draw(area, (x + RADIUS, middle.1), RADIUS)?;
        area.draw_text(meaning, &text, (x + 2 * RADIUS + 6, middle.1))?;
        x += width + GAP;
    }
    Ok(())
}
