//! From where to where a number is likely to lie.

use plotters::backend::DrawingBackend;
use plotters::element::PathElement;
use plotters::style::{Color, WHITE};

use super::canvas::{Area, FigureError};
use super::style::INK;

/// A line from `low` to `high` at the height `middle`, with caps of `cap` pixels up and down at its ends.
pub(super) fn draw_error_bar<DB: DrawingBackend>(
    root: &Area<DB>,
    [low, high]: [i32; 2],
    middle: i32,
    cap: i32,
) -> Result<(), FigureError> {
    draw(
        root,
        [
            [(low, middle), (high, middle)],
            [(low, middle - cap), (low, middle + cap)],
            [(high, middle - cap), (high, middle + cap)],
        ],
        2,
    )
}

/// The same upright, at `x` from `low` (further down) to `high`.
pub(super) fn draw_upright_error_bar<DB: DrawingBackend>(
    root: &Area<DB>,
    x: i32,
    [low, high]: [i32; 2],
    cap: i32,
) -> Result<(), FigureError> {
    draw(root, [[(x, low), (x, high)], [(x - cap, low), (x + cap, low)], [(x - cap, high), (x + cap, high)]], 1)
}

fn draw<DB: DrawingBackend>(root: &Area<DB>, lines: [[(i32, i32); 2]; 3], width: u32) -> Result<(), FigureError> {
    // A pale line under the dark one keeps it visible on what is dark itself.
    for line in &lines {
        root.draw(&PathElement::new(line.to_vec(), WHITE.stroke_width(width + 2)))?;
    }
    for line in lines {
        root.draw(&PathElement::new(line.to_vec(), INK.stroke_width(width)))?;
    }
    Ok(())
}
