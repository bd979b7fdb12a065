//! Where a figure is drawn.

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;

/// A drawing area of a figure, in units of one SVG pixel.
pub type Area<DB> = DrawingArea<DB, Shift>;
