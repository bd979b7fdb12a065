//! A photo downsampled by each design, with what folds beneath.

use image::{RgbImage, imageops};
use ndarray::Array2;
use plotters::backend::DrawingBackend;
use plotters::element::{BitMapElement, Rectangle};
use plotters::style::Color;

use super::canvas::{Area, Figure, FigureError};
use super::featured::Featured;
use super::style::{self, GRID, draw_note, fit, printable, relief};
use crate::antialias::pictures::Picture;
use crate::antialias::report::BenchReport;
use crate::pixels::Resize;

/// The pictures, in rows.
#[derive(Clone, Debug)]
pub struct DownsampledFigure<'a> {
    /// What was downsampled, in words.
    pub input: &'a str,
    /// The stride.
    pub stride: usize,
    /// Pictures of the designs that are drawn.
    pub pictures: Vec<&'a Picture>,
    /// How many designs there are.
    pub designs: usize,
}

impl<'a> DownsampledFigure<'a> {
    /// Of all pictures where two rows hold them, else of the designs that the other figures are about.
    pub fn of(report: &'a BenchReport, pictures: &'a [Picture]) -> Self {
        let featured = Featured::of(report);
        let is_shown =
            |picture: &&Picture| pictures.len() <= 2 * COLUMNS as usize || featured.color(&picture.name).is_some();
        Self {
            input: &report.input,
            stride: report.stride,
            pictures: pictures.iter().filter(is_shown).collect(),
            designs: pictures.len(),
        }
    }
}

const SIDE: u32 = 208;
const GAP: u32 = 18;
const MARGIN: u32 = 26;
const TOP: u32 = 104;
const CAPTION: u32 = 26;
const COLUMNS: u32 = 6;

impl Figure for DownsampledFigure<'_> {
    fn size(&self) -> (u32, u32) {
        let count = self.pictures.len() as u32;
        let columns = count.clamp(3, COLUMNS);
        let rows = count.div_ceil(COLUMNS).max(1);
        (2 * MARGIN + columns * (SIDE + GAP) - GAP, TOP + rows * (CAPTION + 2 * SIDE + 30))
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let width = self.size().0 as i32 - 2 * MARGIN as i32;
        root.draw_text(
            &fit(
                root,
                &format!("Downsampled by {} in each direction, and what of it is aliased", self.stride),
                &style::title(),
                width,
            )?,
            &style::title(),
            (MARGIN as i32, 14),
        )?;
        let scale = self.scale();
        let shown = match self.pictures.len() {
            all if all == self.designs => String::new(),
            some => format!("{some} of {} designs; ", self.designs),
        };
        let notes = [
            format!("{shown}{}", printable(self.input)),
            format!(
                "beneath, what changes when all that the coarse grid cannot hold is taken out first: dark −{s}, light +{s}, and \
                 its energy over the picture's variance",
                s = super::number::compact(f64::from(scale))
            ),
        ];
        for (line, note) in notes.iter().enumerate() {
            draw_note(root, note, (MARGIN as i32, 46 + 20 * line as i32), width)?;
        }
        let (low, high) = range(self.pictures.iter().map(|picture| &picture.output));
        for (at, picture) in self.pictures.iter().enumerate() {
            let left = (MARGIN + at as u32 % COLUMNS * (SIDE + GAP)) as i32;
            let top = (TOP + at as u32 / COLUMNS * (CAPTION + 2 * SIDE + 30)) as i32;
            let caption = fit(root, &picture.name, &style::label(), SIDE as i32 - 74)?;
            root.draw_text(&caption, &style::label(), (left, top + 2))?;
            let share = if picture.share < 5e-6 { "0 %".to_owned() } else { format!("{:.2} %", 100.0 * picture.share) };
            let right = style::anchored(
                style::note(),
                plotters::style::text_anchor::HPos::Right,
                plotters::style::text_anchor::VPos::Top,
            );
            root.draw_text(&share, &right, (left + SIDE as i32, top + 3))?;
            let grey = to_image(&picture.output, |v| {
                let v = ((v - low) / (high - low).max(f32::MIN_POSITIVE) * 255.0).clamp(0.0, 255.0).round() as u8;
                [v; 3]
            });
            let folded = to_image(&picture.aliased, |v| {
                let color = relief(f64::from(v / scale.max(f32::MIN_POSITIVE)));
                [color.0, color.1, color.2]
            });
            place(root, (left, top + CAPTION as i32), grey)?;
            place(root, (left, top + (CAPTION + SIDE) as i32 + 6), folded)?;
        }
        Ok(())
    }
}

impl DownsampledFigure<'_> {
    /// The value that 99 % of the most aliased picture's pixels lie below.
    fn scale(&self) -> f32 {
        let largest = self.pictures.iter().max_by(|a, b| a.share.total_cmp(&b.share));
        let mut sizes: Vec<f32> =
            largest.map_or(Vec::new(), |picture| picture.aliased.iter().map(|v| v.abs()).collect());
        sizes.sort_by(f32::total_cmp);
        let at = (0.99 * sizes.len().saturating_sub(1) as f64).round() as usize;
        sizes.get(at).copied().filter(|scale| *scale > 0.0).unwrap_or(1.0)
    }
}

/// The range of most pictures' values: outliers of one design must not dim the rest.
fn range<'a>(pictures: impl Iterator<Item = &'a Array2<f32>>) -> (f32, f32) {
    let mut values: Vec<f32> = pictures.flat_map(|picture| picture.iter().copied()).collect();
    values.sort_by(f32::total_cmp);
    let at = |share: f64| values.get((share * values.len().saturating_sub(1) as f64).round() as usize).copied();
    (at(0.002).unwrap_or(0.0), at(0.998).unwrap_or(1.0))
}

fn to_image(values: &Array2<f32>, color: impl Fn(f32) -> [u8; 3]) -> RgbImage {
    let (rows, columns) = values.dim();
    RgbImage::from_fn(columns as u32, rows as u32, |x, y| image::Rgb(color(values[[y as usize, x as usize]])))
}

fn place<DB: DrawingBackend>(root: &Area<DB>, at: (i32, i32), picture: RgbImage) -> Result<(), FigureError> {
    // Square blocks: what is to be seen are single samples.
    let picture = picture.resized(SIDE, SIDE, imageops::FilterType::Nearest);
    let element = BitMapElement::with_owned_buffer(at, (SIDE, SIDE), picture.into_raw());
    root.draw(&element.ok_or_else(|| FigureError::Drawing("a picture's size and buffer disagree".to_owned()))?)?;
    root.draw(&Rectangle::new([at, (at.0 + SIDE as i32, at.1 + SIDE as i32)], GRID.stroke_width(1)))?;
    Ok(())
}
