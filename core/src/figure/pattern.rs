//! Filled rectangles that can be told apart without colour.

use plotters::backend::DrawingBackend;
use plotters::element::{PathElement, Rectangle};
use plotters::style::{Color, RGBColor, WHITE};

use super::canvas::{Area, FigureError};
use super::style::INK;

/// Lines over a fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hatch {
    None,
    /// From the lower left to the upper right.
    Rising,
    Falling,
    Level,
    Upright,
    /// Rising and falling.
    Cross,
    /// Level and upright.
    Net,
}

/// A colour with lines over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    pub color: RGBColor,
    pub hatch: Hatch,
}

/// Between lines, in pixels.
const SPACING: i32 = 6;

type Line = [(i32, i32); 2];

impl Pattern {
    pub const fn new(color: RGBColor, hatch: Hatch) -> Self {
        Self { color, hatch }
    }

    /// Fills the rectangle from its upper left to its lower right corner and draws its outline where it has room.
    pub fn fill<DB: DrawingBackend>(self, area: &Area<DB>, corners: Line) -> Result<(), FigureError> {
        let [(left, top), (right, bottom)] = corners;
        area.draw(&Rectangle::new([(left, top), (right.max(left + 1), bottom.max(top + 1))], self.color.filled()))?;
        if right - left < 4 || bottom - top < 4 {
            return Ok(());
        }
        let RGBColor(r, g, b) = self.color;
        let light = 3 * u32::from(r) + 6 * u32::from(g) + u32::from(b) > 1300;
        let color = if light { INK } else { WHITE };
        for line in self.hatch.lines(corners) {
            area.draw(&PathElement::new(line.to_vec(), color.stroke_width(1)))?;
        }
        area.draw(&Rectangle::new(corners, INK.stroke_width(1)))?;
        Ok(())
    }
}

impl Hatch {
    /// The lines inside a rectangle; those of neighbours continue each other.
    fn lines(self, corners: Line) -> Vec<Line> {
        let [(left, top), (right, bottom)] = corners;
        let between = |from: i32, to: i32| ((from / SPACING + 1) * SPACING..to).step_by(SPACING as usize);
        match self {
            Self::None => Vec::new(),
            Self::Level => between(top, bottom).map(|y| [(left, y), (right, y)]).collect(),
            Self::Upright => between(left, right).map(|x| [(x, top), (x, bottom)]).collect(),
            Self::Rising => between(left + top, right + bottom)
                .map(|sum| {
                    let (low, high) = ((sum - bottom).max(left), (sum - top).min(right));
                    [(low, sum - low), (high, sum - high)]
                })
                .collect(),
            // The rising ones in a mirror.
            Self::Falling => {
                Self::Rising.lines(corners).into_iter().map(|line| line.map(|(x, y)| (left + right - x, y))).collect()
            }
            Self::Cross => [Self::Rising.lines(corners), Self::Falling.lines(corners)].concat(),
            Self::Net => [Self::Level.lines(corners), Self::Upright.lines(corners)].concat(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_inside() {
        let corners = [(7, 13), (61, 20)];
        for hatch in [Hatch::Rising, Hatch::Falling, Hatch::Level, Hatch::Upright, Hatch::Cross, Hatch::Net] {
            let lines = hatch.lines(corners);
            assert!(!lines.is_empty(), "{hatch:?}");
            for (x, y) in lines.into_iter().flatten() {
                assert!((7..=61).contains(&x) && (13..=20).contains(&y), "{hatch:?} leaves at {x}, {y}");
            }
        }
    }
}
