//! From a [`Figure`] to the bytes of an SVG or PNG file.

use std::error::Error;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use image::{ImageFormat, RgbImage, imageops};
use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::style::{FontStyle, WHITE, register_font};

use super::family::FAMILY;
use super::scaled::Scaled;

/// Output pixels per unit of a figure in a PNG, so that text stays sharp on dense screens and slides.
const PNG_SCALE: u32 = 2;
/// Drawn pixels per output pixel and axis: plotters smooths thin lines only, averaging smooths everything.
const SUPERSAMPLE: u32 = 2;

/// A drawing area of a figure, in units of one SVG pixel.
pub type Area<DB> = DrawingArea<DB, Shift>;

/// Something that can be drawn on any backend.
pub trait Figure {
    /// Width and height in SVG pixels; a PNG has twice as many along each side.
    fn size(&self) -> (u32, u32);

    /// Draws on a white area of that size.
    ///
    /// # Errors
    /// The backend failed; the figure's data can not be drawn.
    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError>;
}

impl<F: Figure> Figure for &F {
    fn size(&self) -> (u32, u32) {
        (**self).size()
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        (**self).draw(root)
    }
}

/// The file format of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Vectors; text stays text.
    Svg,
    /// Pixels.
    Png,
}

impl Format {
    /// The format that the extension names, in either case.
    ///
    /// # Errors
    /// There is no extension, or another one.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, FigureError> {
        let path = path.as_ref();
        match path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase()).as_deref() {
            Some("svg") => Ok(Self::Svg),
            Some("png") => Ok(Self::Png),
            _ => Err(FigureError::Format { path: path.to_owned() }),
        }
    }
}

/// Why a figure could not be made.
#[derive(Debug, thiserror::Error)]
pub enum FigureError {
    /// The file's name ends in no known format.
    #[error("{} names no format for a figure; end it in .svg or .png", .path.display())]
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

/// Draws `figure` on white and returns the file's bytes.
///
/// The fonts are part of the program, so a PNG looks the same on every machine; an SVG names them first and falls back
/// on the viewer's sans-serif.
///
/// # Errors
/// As for [`Figure::draw`], or the PNG could not be encoded.
pub fn render(figure: &impl Figure, format: Format) -> Result<Vec<u8>, FigureError> {
    register_fonts()?;
    let (width, height) = figure.size();
    match format {
        Format::Svg => {
            let mut text = String::new();
            draw_on(figure, SVGBackend::with_string(&mut text, (width, height)))?;
            // plotters leaves out half of the media type, and strict viewers then show no picture.
            Ok(text.replace("data:png;base64,", "data:image/png;base64,").into_bytes())
        }
        Format::Png => {
            let factor = PNG_SCALE * SUPERSAMPLE;
            let (drawn_width, drawn_height) = (width * factor, height * factor);
            let mut pixels = vec![0; drawn_width as usize * drawn_height as usize * 3];
            let backend = BitMapBackend::with_buffer(&mut pixels, (drawn_width, drawn_height));
            draw_on(figure, Scaled::new(backend, factor))?;
            let drawn = RgbImage::from_raw(drawn_width, drawn_height, pixels)
                .ok_or_else(|| FigureError::Drawing("the picture's size and its buffer disagree".to_owned()))?;
            let smooth = imageops::thumbnail(&drawn, width * PNG_SCALE, height * PNG_SCALE);
            let mut bytes = Cursor::new(Vec::new());
            smooth.write_to(&mut bytes, ImageFormat::Png).map_err(|error| FigureError::Drawing(error.to_string()))?;
            Ok(crate::input::png::marked(bytes.into_inner()))
        }
    }
}

fn draw_on<DB: DrawingBackend>(figure: &impl Figure, backend: DB) -> Result<(), FigureError> {
    let root = backend.into_drawing_area();
    root.fill(&WHITE)?;
    figure.draw(&root)?;
    root.present()?;
    Ok(())
}

/// Registers the embedded faces under the name that SVG files use and under the one that plotters' examples use.
fn register_fonts() -> Result<(), FigureError> {
    static REGULAR: &[u8] = include_bytes!("../../../assets/fonts/DejaVuSans.ttf");
    static BOLD: &[u8] = include_bytes!("../../../assets/fonts/DejaVuSans-Bold.ttf");
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let registered = *REGISTERED.get_or_init(|| {
        [FAMILY, "sans-serif"].into_iter().all(|family| {
            register_font(family, FontStyle::Normal, REGULAR).is_ok()
                && register_font(family, FontStyle::Bold, BOLD).is_ok()
        })
    });
    if registered { Ok(()) } else { Err(FigureError::Drawing("the embedded fonts are damaged".to_owned())) }
}
