//! Figures, one file per figure, drawn from result structs only.

mod canvas;
mod scaled;
pub mod style;

pub use canvas::{Area, Figure, FigureError, Format, render};
