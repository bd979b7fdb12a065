//! Figures, one file per figure, drawn from result structs only.

mod canvas;
mod field;
mod lee;
pub mod number;
mod scale;
mod scaled;
pub mod style;

pub use canvas::{Area, Figure, FigureError, Format, render};
pub use lee::LeeFigure;
