//! Why a figure could not be made.

use std::error::Error;
use std::path::PathBuf;

use plotters::drawing::DrawingAreaErrorKind;

/// Why a figure could not be made.
#[derive(Debug, thiserror::Error)]
pub enum FigureError {
    /// The file's name ends in no known format.
    #[error("{} names no format for a figure; end it in .svg, .png or .pdf", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// There is nothing to draw, or data do not fit each other.
    #[error("the figure cannot be drawn: {reason}")]
    Data {
        /// What is wrong with the data.
        reason: String,
    },
    /// Numbers that have no place on an axis.
    #[error("the figure cannot be drawn: {0}; look for NaN or infinity in the weights and the input")]
    NotFinite(String),
    /// plotters or the PNG encoder failed.
    #[error("the figure cannot be drawn: {0}")]
    Drawing(String),
}

impl<E: Error + Send + Sync> From<DrawingAreaErrorKind<E>> for FigureError {
    fn from(error: DrawingAreaErrorKind<E>) -> Self {
        Self::Drawing(error.to_string())
    }
}
