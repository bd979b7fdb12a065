//! Marks that are told apart by their shape as well as by their colour.

use plotters::backend::DrawingBackend;
use plotters::element::{Circle, PathElement, Polygon};
use plotters::style::{Color, RGBColor, WHITE};

use super::canvas::{Area, FigureError};
use super::style::INK;

/// The shape of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Circle,
    Square,
    Triangle,
    Diamond,
    /// A triangle that stands on its tip.
    Falling,
    /// A hollow circle.
    Ring,
}

impl Shape {
    /// Shapes of series, in order.
    pub(super) const SERIES: [Self; 6] =
        [Self::Circle, Self::Square, Self::Triangle, Self::Diamond, Self::Falling, Self::Ring];

    /// Draws it around a place; `radius` is about from its middle to its edge.
    pub(super) fn draw<DB: DrawingBackend>(
        self,
        area: &Area<DB>,
        (x, y): (i32, i32),
        radius: i32,
        color: RGBColor,
    ) -> Result<(), FigureError> {
        let r = radius;
        let corners: &[(i32, i32)] = match self {
            Self::Circle | Self::Ring => {
                let fill = if self == Self::Ring { WHITE } else { color };
                area.draw(&Circle::new((x, y), radius, fill.filled()))?;
                let (line, width) = if self == Self::Ring { (color, 2) } else { (INK, 1) };
                area.draw(&Circle::new((x, y), radius, line.stroke_width(width)))?;
                return Ok(());
            }
            Self::Square => &[(1 - r, 1 - r), (r - 1, 1 - r), (r - 1, r - 1), (1 - r, r - 1)],
            Self::Triangle => &[(-r, r - 1), (r, r - 1), (0, -r - 1)],
            Self::Falling => &[(-r, 1 - r), (r, 1 - r), (0, r + 1)],
            Self::Diamond => &[(-r - 1, 0), (0, -r - 1), (r + 1, 0), (0, r + 1)],
        };
        let mut outline: Vec<(i32, i32)> = corners.iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
        area.draw(&Polygon::new(outline.clone(), color.filled()))?;
        outline.push(outline[0]);
        area.draw(&PathElement::new(outline, INK.stroke_width(1)))?;
        Ok(())
    }
}
