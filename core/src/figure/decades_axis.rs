//! A panel's horizontal axis in decades: its grid and numbers, its frame, and where values lie on it.

use plotters::backend::DrawingBackend;
use plotters::element::{PathElement, Rectangle};
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{Area, FigureError};
use super::decades::Decades;
use super::style::{self, GRID, INK, anchored};

/// Decades from `left` over so many pixels.
pub(super) struct DecadesAxis {
    pub(super) decades: Decades,
    pub(super) left: i32,
    pub(super) width: i32,
}

impl DecadesAxis {
    fn at(&self, place: f64) -> i32 {
        self.left + (place * f64::from(self.width)).round() as i32
    }

    /// Where a value lies; what lies outside, at that end: an interval may reach down to 0, which has no logarithm.
    pub(super) fn x(&self, value: f64) -> i32 {
        self.at(if value > 0.0 { self.decades.place(value).clamp(0.0, 1.0) } else { 0.0 })
    }

    /// Draws grid and frame of a panel from `top` to `bottom`, numbers and `label` below it.
    pub(super) fn draw<DB: DrawingBackend>(
        &self,
        root: &Area<DB>,
        (top, bottom): (i32, i32),
        label: &str,
    ) -> Result<(), FigureError> {
        self.frame(root, (top, bottom))?;
        let mut free = i32::MIN;
        for (place, text) in self.decades.ticks() {
            let at = self.at(place);
            let half = root.estimate_text_size(&text, &style::label())?.0 as i32 / 2;
            if at - half > free {
                root.draw_text(&text, &anchored(style::label(), HPos::Center, VPos::Top), (at, bottom + 6))?;
                free = at + half + 8;
            }
        }
        let below = anchored(style::note(), HPos::Center, VPos::Top);
        Ok(root.draw_text(label, &below, (self.left + self.width / 2, bottom + 28))?)
    }

    /// Draws grid and frame alone, where the numbers stand below another panel.
    pub(super) fn frame<DB: DrawingBackend>(
        &self,
        root: &Area<DB>,
        (top, bottom): (i32, i32),
    ) -> Result<(), FigureError> {
        for (place, _) in self.decades.ticks() {
            let at = self.at(place);
            root.draw(&PathElement::new(vec![(at, top), (at, bottom)], GRID.stroke_width(1)))?;
        }
        root.draw(&Rectangle::new([(self.left, top), (self.left + self.width, bottom)], INK.stroke_width(1)))?;
        Ok(())
    }
}
