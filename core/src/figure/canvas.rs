//! From a [`Figure`] to the bytes of an SVG, PNG or PDF file.

use std::io::Cursor;
use std::path::Path;
use std::sync::OnceLock;

use image::{ImageFormat, Rgb, RgbImage, imageops};
use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::drawing::IntoDrawingArea;
use plotters::style::{FontStyle, WHITE, register_font};

pub use super::area::Area;
pub use super::error::FigureError;
use super::family::FAMILY;
use super::fonts::{BOLD, REGULAR};
use super::pdf::{Page, PdfBackend};
use super::scaled::Scaled;
use super::titled::Titled;
use crate::pixels::{Resize, thumbnail};

/// Output pixels per unit of a figure in a PNG, so that text stays sharp on dense screens and slides.
const PNG_SCALE: u32 = 2;
/// Drawn pixels per output pixel and axis: plotters smooths thin lines only, averaging smooths everything.
const SUPERSAMPLE: u32 = 2;
/// The most drawn pixels per unit of a figure and axis: beyond, memory is spent on what nobody sees.
const MOST_DRAWN: u32 = 8;

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
    /// A page of vectors, with its letters in it.
    Pdf,
}

/// How a figure is shown: what else would be the figure's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Another title; none where it is empty.
    pub title: Option<String>,
    /// Width and height of the file: pixels, in a PDF of 1/96 inch. The figure keeps its proportions and lies in the
    /// middle.
    pub size: Option<(u32, u32)>,
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
            Some("pdf") => Ok(Self::Pdf),
            _ => Err(FigureError::Format { path: path.to_owned() }),
        }
    }

    /// The extension of its files.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Png => "png",
            Self::Pdf => "pdf",
        }
    }
}

/// Draws `figure` on white and returns the file's bytes.
///
/// The fonts are part of the program, so a PNG or PDF looks the same on every machine; an SVG names them first and falls
/// back on the viewer's sans-serif.
///
/// # Errors
/// As for [`Figure::draw`], or the picture could not be encoded.
pub fn render(figure: &impl Figure, format: Format) -> Result<Vec<u8>, FigureError> {
    render_as(figure, format, &Look::default())
}

/// As [`render`], shown in another way.
///
/// # Errors
/// As for [`render`].
pub fn render_as(figure: &impl Figure, format: Format, look: &Look) -> Result<Vec<u8>, FigureError> {
    register_fonts()?;
    let size = figure.size();
    let title = look.title.as_deref();
    match format {
        Format::Svg => {
            let mut text = String::new();
            draw_on(figure, SVGBackend::with_string(&mut text, size), title)?;
            // plotters leaves out half of the media type, and strict viewers then show no picture.
            Ok(svg_sized(text.replace("data:png;base64,", "data:image/png;base64,"), look).into_bytes())
        }
        Format::Png => png(figure, look),
        Format::Pdf => {
            let mut page = Page::new(size);
            draw_on(figure, PdfBackend(&mut page), title)?;
            page.finish(look.size.unwrap_or(size))
        }
    }
}

/// An SVG of its own width and height as one of those asked for: its view box keeps the drawing in proportion.
pub(crate) fn svg_sized(text: String, look: &Look) -> String {
    let Some((width, height)) = look.size else { return text };
    let Some(end) = text.find('>') else { return text };
    let (head, rest) = text.split_at(end);
    let mut head = head.to_owned();
    for (name, value) in [("width", width), ("height", height)] {
        let Some(start) = head.find(&format!(" {name}=\"")).map(|at| at + name.len() + 3) else { continue };
        if let Some(length) = head[start..].find('"') {
            head.replace_range(start..start + length, &value.to_string());
        }
    }
    head + rest
}

/// Pixels: twice the figure's, or as many as are asked for.
fn png(figure: &impl Figure, look: &Look) -> Result<Vec<u8>, FigureError> {
    let own = figure.size();
    let (width, height) = look.size.unwrap_or((own.0 * PNG_SCALE, own.1 * PNG_SCALE));
    let scale = (f64::from(width) / f64::from(own.0)).min(f64::from(height) / f64::from(own.1));
    let factor = ((scale * f64::from(SUPERSAMPLE)).ceil() as u32).clamp(1, MOST_DRAWN);
    let (drawn_width, drawn_height) = (own.0 * factor, own.1 * factor);
    let mut pixels = vec![0; drawn_width as usize * drawn_height as usize * 3];
    let backend = BitMapBackend::with_buffer(&mut pixels, (drawn_width, drawn_height));
    draw_on(figure, Scaled::new(backend, factor), look.title.as_deref())?;
    let drawn = RgbImage::from_raw(drawn_width, drawn_height, pixels)
        .ok_or_else(|| FigureError::Drawing("the picture's size and its buffer disagree".to_owned()))?;
    let side = |own: u32, most: u32| ((f64::from(own) * scale).round() as u32).clamp(1, most.max(1));
    let (fitted_width, fitted_height) = (side(own.0, width), side(own.1, height));
    let mut smooth = if fitted_width > drawn_width {
        drawn.resized(fitted_width, fitted_height, imageops::FilterType::Triangle)
    } else {
        thumbnail(&drawn, fitted_width, fitted_height)
    };
    if (fitted_width, fitted_height) != (width, height) {
        let mut page = RgbImage::from_pixel(width, height, Rgb([255; 3]));
        let middle = |all: u32, part: u32| i64::from((all - part) / 2);
        imageops::replace(&mut page, &smooth, middle(width, fitted_width), middle(height, fitted_height));
        smooth = page;
    }
    let mut bytes = Cursor::new(Vec::new());
    smooth.write_to(&mut bytes, ImageFormat::Png).map_err(|error| FigureError::Drawing(error.to_string()))?;
    Ok(crate::input::png::marked(bytes.into_inner()))
}

fn draw_on<DB: DrawingBackend>(figure: &impl Figure, backend: DB, title: Option<&str>) -> Result<(), FigureError> {
    match title {
        None => draw_whole(figure, &backend.into_drawing_area()),
        Some(title) => {
            let title = crate::printable::printable(title);
            draw_whole(figure, &Titled::new(backend, &title).into_drawing_area())
        }
    }
}

fn draw_whole<DB: DrawingBackend>(figure: &impl Figure, root: &Area<DB>) -> Result<(), FigureError> {
    root.fill(&WHITE)?;
    figure.draw(root)?;
    root.present()?;
    Ok(())
}

/// Registers the embedded faces under the name that SVG files use and under the one that plotters' examples use.
fn register_fonts() -> Result<(), FigureError> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let registered = *REGISTERED.get_or_init(|| {
        [FAMILY, "sans-serif"].into_iter().all(|family| {
            register_font(family, FontStyle::Normal, REGULAR).is_ok()
                && register_font(family, FontStyle::Bold, BOLD).is_ok()
        })
    });
    if registered { Ok(()) } else { Err(FigureError::Drawing("the embedded fonts are damaged".to_owned())) }
}
