//! What every result can do: be a table, rows, JSON and figures.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::rows::Rows;
use crate::figure::{Figure, FigureError, Format, render};
use crate::printable::shown;

/// A result, as it is told.
///
/// Its JSON is what it serialises to. Table and figures are made of [`shown`](Self::shown), in which names from files are fit
/// to be printed; rows and JSON of the result itself.
pub trait Outcome: Serialize + DeserializeOwned {
    /// What table and figures need beside the result: pictures, graphs, how many rows.
    type Beside;

    /// The result with every name in it made printable.
    ///
    /// # Errors
    /// A number is not finite, which no result may hold.
    fn shown(&self) -> Result<Self, serde_json::Error> {
        shown(self)
    }

    /// The table for a terminal of so many columns.
    fn table(&self, beside: &Self::Beside, width: usize) -> String;

    /// Tidy rows, of which CSV and Markdown are written; where the result is a mean over images, `per_image` asks for the
    /// values image by image.
    fn rows(&self, per_image: bool) -> Rows;

    /// The figures that there are.
    fn figures<'a>(&'a self, beside: &'a Self::Beside) -> Vec<NamedFigure<'a>>;
}

/// How a figure is drawn in a format.
type Draw<'a> = Box<dyn Fn(Format) -> Result<Vec<u8>, FigureError> + 'a>;

/// A figure, and what its file is called: `tangents` is FILE-tangents; the main one has no name of its own.
pub struct NamedFigure<'a> {
    name: &'static str,
    draw: Draw<'a>,
}

impl<'a> NamedFigure<'a> {
    /// The result's main figure.
    pub fn main(figure: impl Figure + 'a) -> Self {
        Self::new("", figure)
    }

    /// One beside it.
    pub fn new(name: &'static str, figure: impl Figure + 'a) -> Self {
        Self { name, draw: Box::new(move |format| render(&figure, format)) }
    }

    /// One that is an SVG whatever is asked for.
    pub fn svg(name: &'static str, text: impl Fn() -> String + 'a) -> Self {
        Self { name, draw: Box::new(move |_| Ok(text().into_bytes())) }
    }

    /// The name behind that of the plot's file; empty for the main figure.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// As for [`render`].
    pub fn render(&self, format: Format) -> Result<Vec<u8>, FigureError> {
        (self.draw)(format)
    }
}
