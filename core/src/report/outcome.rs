//! What every result can do: be a table, rows, JSON and figures.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::json::{JsonError, json_bytes};
use super::output::{OutputError, OutputFile};
use super::rows::Rows;
use crate::figure::{Figure, FigureError, Format, Look, render_as, svg_sized};
use crate::printable::shown;

/// A result, as it is told.
///
/// Its JSON is what it serialises to. Table and figures are made of [`shown`](Self::shown), in which names from files
/// are fit to be printed; rows and JSON of the result itself.
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

    /// Tidy rows, of which CSV and Markdown are written; where the result is a mean over images, `per_image` asks for
    /// the values image by image.
    fn rows(&self, per_image: bool) -> Rows;

    /// The figures that there are.
    fn figures<'a>(&'a self, beside: &'a Self::Beside) -> Vec<NamedFigure<'a>>;

    /// The table of the result alone, for so many columns.
    ///
    /// # Errors
    /// As [`shown`](Self::shown).
    fn text(&self, width: usize) -> Result<String, serde_json::Error>
    where
        Self::Beside: Default,
    {
        Ok(self.shown()?.table(&Self::Beside::default(), width))
    }

    /// Writes the result, whole or not at all, as the file's extension says: .json, .csv, .md, or its main figure as
    /// .svg, .png or .pdf. A file that is there is replaced.
    ///
    /// # Errors
    /// The extension is another one; there is no figure; a number is not finite; the file cannot be written.
    fn save(&self, path: impl AsRef<Path>) -> Result<(), SaveError>
    where
        Self::Beside: Default,
    {
        let path = path.as_ref();
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        let bytes = match extension.as_deref() {
            Some("json") => json_bytes(self)?,
            Some("csv") => self.rows(false).csv(),
            Some("md") => self.rows(false).markdown().into_bytes(),
            Some("svg" | "png" | "pdf") => {
                let told = self.shown().map_err(|error| JsonError::Other(error.to_string()))?;
                let beside = Self::Beside::default();
                let figures = told.figures(&beside);
                let main = figures.iter().find(|figure| figure.name().is_empty());
                main.ok_or(SaveError::NoFigure)?.render(Format::from_path(path)?)?
            }
            _ => return Err(SaveError::Extension { path: path.to_owned() }),
        };
        Ok(OutputFile::claim(path, true)?.write_bytes(&bytes)?)
    }
}

/// Why a result was not saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// The file's name ends in no known format.
    #[error("{} names no format; end it in .json, .csv, .md, .svg, .png or .pdf", .path.display())]
    Extension {
        /// The file.
        path: PathBuf,
    },
    /// The result has no figure.
    #[error("there is no figure of this result; save it as .json, .csv or .md")]
    NoFigure,
    /// The figure cannot be drawn.
    #[error(transparent)]
    Figure(#[from] FigureError),
    /// A number is not finite.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The file cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// How a figure is drawn in a format.
type Draw<'a> = Box<dyn Fn(Format, &Look) -> Result<Vec<u8>, FigureError> + 'a>;

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

    /// One beside it, or a part of it.
    pub fn new(name: &'static str, figure: impl Figure + 'a) -> Self {
        Self { name, draw: Box::new(move |format, look| render_as(&figure, format, look)) }
    }

    /// One whose SVG is written by hand, with texts that a pointer shows; in other formats it is drawn.
    pub fn hovering(name: &'static str, svg: impl Fn(Option<&str>) -> String + 'a, figure: impl Figure + 'a) -> Self {
        let draw = move |format, look: &Look| match format {
            Format::Svg => Ok(svg_sized(svg(look.title.as_deref()), look).into_bytes()),
            _ => render_as(&figure, format, look),
        };
        Self { name, draw: Box::new(draw) }
    }

    /// The name after that of the plot's file; empty for the main figure.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// As for [`render_as`].
    pub fn render(&self, format: Format) -> Result<Vec<u8>, FigureError> {
        self.render_as(format, &Look::default())
    }

    /// The same, shown in another way.
    ///
    /// # Errors
    /// As for [`render_as`].
    pub fn render_as(&self, format: Format, look: &Look) -> Result<Vec<u8>, FigureError> {
        (self.draw)(format, look)
    }
}
