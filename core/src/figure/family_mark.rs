//! Marks of families: each has a colour and a shape, so that they are told apart in grey too.

use plotters::element::{Circle, PathElement, Polygon};
use plotters::prelude::DrawingBackend;
use plotters::style::{Color, RGBColor, WHITE};

use super::canvas::{Area, FigureError};
use super::style::{INK, SERIES};

/// The corners of a shape around (0, 0), in radii; none for a circle.
type Corners = &'static [(f64, f64)];

const SHAPES: [Corners; 4] = [
    &[],
    &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
    &[(0.0, -1.2), (1.1, 0.75), (-1.1, 0.75)],
    &[(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)],
];

/// The mark of a family.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct FamilyMark {
    pub(super) color: RGBColor,
    corners: Corners,
    is_hollow: bool,
}

impl FamilyMark {
    /// Of the family at this place: the first 32 differ.
    pub(super) fn of(place: usize) -> Self {
        // Neighbours differ in both; from the fifth on the pairs are new ones.
        Self { color: SERIES[place % 4], corners: SHAPES[(place + place / 4) % 4], is_hollow: (place / 16) % 2 == 1 }
    }

    /// Draws it around a place of the area.
    pub(super) fn draw<DB: DrawingBackend>(
        self,
        area: &Area<DB>,
        (x, y): (i32, i32),
        radius: i32,
    ) -> Result<(), FigureError> {
        let fill = if self.is_hollow { WHITE } else { self.color };
        let outline = if self.is_hollow { self.color } else { INK };
        if self.corners.is_empty() {
            area.draw(&Circle::new((x, y), radius, fill.filled()))?;
            area.draw(&Circle::new((x, y), radius, outline.stroke_width(1)))?;
            return Ok(());
        }
        let at = |share: f64| (share * f64::from(radius)).round() as i32;
        let mut corners: Vec<(i32, i32)> = self.corners.iter().map(|(a, b)| (x + at(*a), y + at(*b))).collect();
        area.draw(&Polygon::new(corners.clone(), fill.filled()))?;
        corners.extend(corners.first().copied());
        area.draw(&PathElement::new(corners, outline.stroke_width(1)))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_have_marks_of_their_own() {
        let marks: Vec<FamilyMark> = (0..32).map(FamilyMark::of).collect();
        for (at, mark) in marks.iter().enumerate() {
            assert!(!marks[..at].contains(mark), "{at}");
        }
    }
}
