//! A picture beside its tangents: what each generator does to it.

use image::{RgbImage, imageops};
use ndarray::{Array2, Array3, ArrayView3, Axis};
use plotters::backend::DrawingBackend;
use plotters::element::{BitMapElement, Rectangle};
use plotters::style::Color;

use super::canvas::{Area, Figure, FigureError};
use super::number::compact;
use super::style::{self, GRID, fit, printable, relief};
use crate::pixels::Resize;
use crate::symmetry::Generator;

/// The photo and A_i x for each generator.
#[derive(Clone, Debug)]
pub struct TangentsFigure {
    /// The photo's name.
    pub name: String,
    /// How the tangents were computed, in words: `spectral derivative, reflect boundary, t in half-widths`.
    pub conditions: String,
    /// x, \[3 or 1, rows, columns\], normalised in any way; shown from its least to its largest value.
    pub image: Array3<f32>,
    /// A_i x, each of the image's shape.
    pub tangents: Vec<(Generator, Array3<f32>)>,
}

const MARGIN: u32 = 28;
const TOP: u32 = 92;
/// The side of the square that a picture is fitted into.
const SIDE: u32 = 256;
const GAP: u32 = 20;
/// Above a picture, for its name and formula; below it, for its scale.
const CAPTION: u32 = 28;
const FOOT: u32 = 30;
const COLUMNS: u32 = 4;
/// The share of |A x| that lies inside the colour scale: a few sharp edges must not make the rest grey.
const PERCENTILE: f64 = 0.99;

impl TangentsFigure {
    fn panels(&self) -> u32 {
        1 + self.tangents.len() as u32
    }
}

impl Figure for TangentsFigure {
    fn size(&self) -> (u32, u32) {
        let rows = self.panels().div_ceil(COLUMNS);
        (2 * MARGIN + COLUMNS * (SIDE + GAP) - GAP, TOP + rows * (CAPTION + SIDE + FOOT) + 8)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        check(self)?;
        let width = (self.size().0 - 2 * MARGIN) as i32;
        let title = fit(root, &format!("Tangents of {}", printable(&self.name)), &style::title(), width)?;
        root.draw_text(&title, &style::title(), (MARGIN as i32, 16))?;
        let note = format!("A x, mean over channels; the scale holds 99 % of pixels; {}", printable(&self.conditions));
        root.draw_text(&fit(root, &note, &style::note(), width)?, &style::note(), (MARGIN as i32, 48))?;

        draw_panel(root, 0, "photo:  x", "from its least to its largest value", photo(self.image.view()))?;
        for (i, (generator, tangent)) in self.tangents.iter().enumerate() {
            let values = tangent.mean_axis(Axis(0)).unwrap_or_else(|| Array2::zeros((1, 1)));
            let scale = percentile(&values);
            let caption = format!("{generator}:  {}", generator.formula());
            let foot = if scale > 0.0 {
                let scale = compact(f64::from(scale));
                format!("dark −{scale}, light +{scale}")
            } else {
                "zero".to_owned()
            };
            draw_panel(root, 1 + i as u32, &caption, &foot, signed_picture(&values, scale))?;
        }
        Ok(())
    }
}

fn check(figure: &TangentsFigure) -> Result<(), FigureError> {
    let (channels, rows, columns) = figure.image.dim();
    let reason = if !matches!(channels, 1 | 3) || rows == 0 || columns == 0 {
        format!("the photo's shape is [{channels}, {rows}, {columns}], not [3 or 1, rows, columns]")
    } else if let Some((generator, tangent)) = figure.tangents.iter().find(|(_, t)| t.dim() != figure.image.dim()) {
        format!("the tangent of {generator} has the shape {:?}, the photo {:?}", tangent.shape(), figure.image.shape())
    } else if figure.image.iter().chain(figure.tangents.iter().flat_map(|(_, t)| t)).any(|v| !v.is_finite()) {
        return Err(FigureError::NotFinite("the photo or a tangent holds NaN or infinity".to_owned()));
    } else {
        return Ok(());
    };
    Err(FigureError::Data { reason })
}

fn draw_panel<DB: DrawingBackend>(
    root: &Area<DB>,
    index: u32,
    caption: &str,
    foot: &str,
    picture: RgbImage,
) -> Result<(), FigureError> {
    let left = (MARGIN + index % COLUMNS * (SIDE + GAP)) as i32;
    let top = (TOP + index / COLUMNS * (CAPTION + SIDE + FOOT)) as i32;
    let picture = fitted(picture);
    let (width, height) = picture.dimensions();
    let y = top + CAPTION as i32;
    root.draw_text(caption, &style::panel(), (left, top + 4))?;
    let element = BitMapElement::with_owned_buffer((left, y), (width, height), picture.into_raw());
    let element = element.ok_or_else(|| FigureError::Drawing("a picture's size and buffer disagree".to_owned()))?;
    root.draw(&element)?;
    root.draw(&Rectangle::new([(left, y), (left + width as i32, y + height as i32)], GRID.stroke_width(1)))?;
    root.draw_text(foot, &style::note(), (left, y + height as i32 + 6))?;
    Ok(())
}

/// Pixels stay square blocks where the picture is small; larger ones are averaged.
fn fitted(picture: RgbImage) -> RgbImage {
    let (width, height) = picture.dimensions();
    let longest = width.max(height);
    if longest <= SIDE {
        let zoom = SIDE / longest;
        return picture.resized(width * zoom, height * zoom, imageops::FilterType::Nearest);
    }
    let shrunk = |side: u32| (u64::from(side) * u64::from(SIDE) / u64::from(longest)).max(1) as u32;
    picture.resized(shrunk(width), shrunk(height), imageops::FilterType::Triangle)
}

pub(super) fn photo(image: ArrayView3<'_, f32>) -> RgbImage {
    let (channels, rows, columns) = image.dim();
    let least = image.iter().copied().fold(f32::INFINITY, f32::min);
    let most = image.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let range = if most > least { most - least } else { 1.0 };
    RgbImage::from_fn(columns as u32, rows as u32, |x, y| {
        let channel = |c: usize| (image[[c.min(channels - 1), y as usize, x as usize]] - least) / range;
        image::Rgb([0, 1, 2].map(|c| (channel(c) * 255.0).round() as u8))
    })
}

fn signed_picture(values: &Array2<f32>, scale: f32) -> RgbImage {
    let (rows, columns) = values.dim();
    let scale = if scale > 0.0 { scale } else { 1.0 };
    RgbImage::from_fn(columns as u32, rows as u32, |x, y| {
        let color = relief(f64::from(values[[y as usize, x as usize]] / scale));
        image::Rgb([color.0, color.1, color.2])
    })
}

/// The value below which [`PERCENTILE`] of |values| lie; the largest where most are zero.
fn percentile(values: &Array2<f32>) -> f32 {
    let mut sizes: Vec<f32> = values.iter().map(|value| value.abs()).collect();
    sizes.sort_by(f32::total_cmp);
    let Some(last) = sizes.len().checked_sub(1) else { return 0.0 };
    let at = (PERCENTILE * last as f64).round() as usize;
    if sizes[at] > 0.0 { sizes[at] } else { sizes[last] }
}
