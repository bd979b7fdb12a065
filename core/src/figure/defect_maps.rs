//! Where in the photo the worst layers' own errors sit.

use image::imageops::FilterType;
use image::{Rgb, RgbImage};
use ndarray::{Array2, Array3};
use plotters::backend::DrawingBackend;
use plotters::element::{BitMapElement, Rectangle};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor};

use super::canvas::{Area, Figure, FigureError};
use super::layer_looks::{MARGIN, header, letter, percent, worst};
use super::style::{self, GRID, INK, anchored, fit, fit_end, printable};
use super::tangents::photo;
use crate::measure::defect_map::DefectMap;
use crate::measure::layers_report::{LayerResults, LayersReport};
use crate::pixels::Resize;
use crate::symmetry::{Axis, Grid, GridKind};

/// The photo, and over it δ² of the layers that contribute most.
#[derive(Clone, Debug)]
pub struct DefectMapsFigure<'a> {
    /// The report.
    pub report: &'a LayersReport,
    /// The attribution that the maps belong to.
    pub results: &'a LayerResults,
    /// x, \[3 or 1, rows, columns\], normalised in any way.
    pub image: Array3<f32>,
    /// The nodes' maps.
    pub maps: &'a [DefectMap],
}

const TOP: i32 = 132;
const SIDE: u32 = 320;
const GAP: i32 = 24;
const CAPTION: i32 = 46;
const FOOT: i32 = 44;
const COLUMNS: i32 = 3;
/// Layers shown, beside the photo.
const MOST: usize = 5;
/// The share of pixels that the shades hold: a few sharp edges must not make the rest pale.
const PERCENTILE: f64 = 0.995;
/// How far the frame that counts as border reaches in, as a share of the side.
const BORDER: usize = 16;

/// A layer's place, and its δ² per pixel.
type Panel = (usize, Array2<f64>);

impl DefectMapsFigure<'_> {
    /// The worst layers that have a map.
    fn panels(&self) -> Vec<Panel> {
        let (_, rows, columns) = self.image.dim();
        let mapped = |place: usize| self.maps.iter().filter(move |map| map.layer == place);
        worst(self.results, self.results.layers.len())
            .into_iter()
            .filter(|&place| mapped(place).next().is_some())
            .take(MOST)
            .map(|place| {
                let mut density = Array2::zeros((rows, columns));
                mapped(place).for_each(|map| paint(&mut density, map));
                (place, density)
            })
            .collect()
    }
}

impl Figure for DefectMapsFigure<'_> {
    fn size(&self) -> (u32, u32) {
        let shown = self.results.layers.iter().enumerate().filter(|(i, _)| self.maps.iter().any(|m| m.layer == *i));
        let panels = 1 + shown.count().min(MOST) as i32;
        let rows = (panels + COLUMNS - 1) / COLUMNS;
        let width = 2 * MARGIN + COLUMNS * (SIDE as i32 + GAP) - GAP;
        (width as u32, (TOP + rows * (CAPTION + SIDE as i32 + FOOT)) as u32)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let (channels, rows, columns) = self.image.dim();
        if !matches!(channels, 1 | 3) || rows == 0 || columns == 0 {
            let reason = format!("the photo's shape is [{channels}, {rows}, {columns}], not [3 or 1, rows, columns]");
            return Err(FigureError::Data { reason });
        }
        let finite = self.image.iter().all(|v| v.is_finite())
            && self.maps.iter().flat_map(|m| &m.squares).all(|v| v.is_finite() && *v >= 0.0);
        if !finite {
            return Err(FigureError::NotFinite("the photo or a map holds NaN, infinity or less than 0".to_owned()));
        }
        let name = self.report.run.images.names.first().map_or("the first image", String::as_str);
        let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
        let notes = [
            format!(
                "{}, {} derivative; δ², summed over channels, before later layers change it, over the photo in grey",
                self.results.generator, self.results.derivative
            ),
            format!("border: the outer sixteenth of each side, {} of the area", percent(border_area(rows, columns))),
        ];
        let width = self.size().0 as i32 - 2 * MARGIN;
        header(root, &format!("Where the defects of the worst layers sit in {name}"), &notes, width)?;
        draw_scale(root, (MARGIN, 94))?;
        let picture = photo(self.image.view());
        panel(root, 0, ["photo", ""], "", picture.clone())?;
        for (i, (place, density)) in self.panels().into_iter().enumerate() {
            let layer = &self.results.layers[place];
            let title = format!("{}  {}", i + 1, printable(&layer.name));
            let class = format!("{} {}", letter(layer.class), layer.class.name());
            panel(root, 1 + i as i32, [&title, &class], &foot(&density), over(&picture, &density))?;
        }
        Ok(())
    }
}

/// Spreads every position's δ² over the pixels nearest to it.
fn paint(density: &mut Array2<f64>, map: &DefectMap) {
    let (rows, columns) = density.dim();
    let image = Grid::image(rows, columns, GridKind::Tracked);
    let (down, along) = (cells(&map.grid.rows, &image.rows), cells(&map.grid.columns, &image.columns));
    for ((row, column), square) in map.squares.indexed_iter() {
        let share = square / (down[row].len() * along[column].len()) as f64;
        for &i in &down[row] {
            for &j in &along[column] {
                density[[i, j]] += share;
            }
        }
    }
}

/// Per position the pixels that it is nearest to; the pixel nearest to it where there is none, on a finer grid or outside.
fn cells(axis: &Axis, image: &Axis) -> Vec<Vec<usize>> {
    let nearest = |u: f64, of: &Axis| ((u - of.origin) / of.pitch + 0.5).floor();
    let mut cells = vec![Vec::new(); axis.samples];
    for (pixel, u) in image.positions().enumerate() {
        let position = nearest(u, axis);
        if position >= 0.0 && position < axis.samples as f64 {
            cells[position as usize].push(pixel);
        }
    }
    for (position, u) in axis.positions().enumerate() {
        if cells[position].is_empty() {
            cells[position].push(nearest(u, image).clamp(0.0, (image.samples - 1) as f64) as usize);
        }
    }
    cells
}

fn is_border((i, j): (usize, usize), (rows, columns): (usize, usize)) -> bool {
    let (down, along) = (rows / BORDER, columns / BORDER);
    i < down || j < along || i >= rows - down || j >= columns - along
}

fn border_area(rows: usize, columns: usize) -> f64 {
    let inside = (rows - 2 * (rows / BORDER)) * (columns - 2 * (columns / BORDER));
    1.0 - inside as f64 / (rows * columns) as f64
}

/// How much lies where, in words.
fn foot(density: &Array2<f64>) -> String {
    let total: f64 = density.sum();
    if total <= 0.0 {
        return "no defect".to_owned();
    }
    let border: f64 = density.indexed_iter().filter(|(at, _)| is_border(*at, density.dim())).map(|(_, v)| v).sum();
    let mut sorted: Vec<f64> = density.iter().copied().collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let mut sum = 0.0;
    let half = sorted
        .iter()
        .take_while(|v| {
            sum += **v;
            sum < total / 2.0
        })
        .count()
        + 1;
    format!("half on {} of the area; border {}", percent(half as f64 / sorted.len() as f64), percent(border / total))
}

/// The shade of the largest defects.
const DEEP: RGBColor = RGBColor(0x7a, 0x00, 0x1e);
/// The least and the most that a pixel of the photo leaves of white, in grey.
const GREYS: [f64; 2] = [165.0, 255.0];

/// A pale pixel, with a defect of this share of the largest that is told apart.
fn shade(pale: f64, share: f64) -> [u8; 3] {
    let weight = share.max(0.0).sqrt().min(1.0);
    [DEEP.0, DEEP.1, DEEP.2].map(|deep| (pale + weight * (f64::from(deep) - pale)).round() as u8)
}

/// What the shades mean: from nothing to what 99.5 % of pixels lie below.
fn draw_scale<DB: DrawingBackend>(root: &Area<DB>, (left, top): (i32, i32)) -> Result<(), FigureError> {
    const LENGTH: i32 = 240;
    const HEIGHT: i32 = 14;
    let pale = f64::midpoint(GREYS[0], GREYS[1]);
    for at in 0..LENGTH {
        let [r, g, b] = shade(pale, f64::from(at) / f64::from(LENGTH - 1));
        let x = left + 22 + at;
        root.draw(&Rectangle::new([(x, top), (x + 1, top + HEIGHT)], RGBColor(r, g, b).filled()))?;
    }
    let right = left + 22 + LENGTH;
    root.draw(&Rectangle::new([(left + 22, top), (right, top + HEIGHT)], INK.stroke_width(1)))?;
    let text = anchored(style::note(), HPos::Left, VPos::Center);
    root.draw_text("0", &text, (left + 4, top + HEIGHT / 2))?;
    let words = "δ² that 99.5 % of a map's pixels lie below; a quarter of it is half as dark";
    root.draw_text(words, &text, (right + 10, top + HEIGHT / 2))?;
    Ok(())
}

/// The photo in pale greys, darker and redder with the defect.
fn over(photo: &RgbImage, density: &Array2<f64>) -> RgbImage {
    let mut sorted: Vec<f64> = density.iter().copied().collect();
    sorted.sort_by(f64::total_cmp);
    let at = ((sorted.len() - 1) as f64 * PERCENTILE).round() as usize;
    let most = if sorted[at] > 0.0 { sorted[at] } else { sorted[sorted.len() - 1] };
    RgbImage::from_fn(photo.width(), photo.height(), |x, y| {
        let Rgb([r, g, b]) = *photo.get_pixel(x, y);
        let grey = 0.3 * f64::from(r) + 0.59 * f64::from(g) + 0.11 * f64::from(b);
        let pale = GREYS[0] + (GREYS[1] - GREYS[0]) * grey / 255.0;
        let value = density[[y as usize, x as usize]];
        Rgb(shade(pale, if most > 0.0 { value / most } else { 0.0 }))
    })
}

/// As large as the panel: pixels stay square blocks where they are few.
fn sized(picture: &RgbImage) -> RgbImage {
    let (width, height) = picture.dimensions();
    let longest = width.max(height);
    let filter = if 2 * longest <= SIDE { FilterType::Nearest } else { FilterType::Triangle };
    let side = |length: u32| (u64::from(length) * u64::from(SIDE) / u64::from(longest)).max(1) as u32;
    picture.resized(side(width), side(height), filter)
}

fn panel<DB: DrawingBackend>(
    root: &Area<DB>,
    index: i32,
    [title, class]: [&str; 2],
    foot: &str,
    picture: RgbImage,
) -> Result<(), FigureError> {
    let left = MARGIN + index % COLUMNS * (SIDE as i32 + GAP);
    let top = TOP + index / COLUMNS * (CAPTION + SIDE as i32 + FOOT);
    let picture = sized(&picture);
    let (width, height) = (picture.width() as i32, picture.height() as i32);
    let y = top + CAPTION;
    root.draw_text(&fit_end(root, title, &style::panel(), SIDE as i32)?, &style::panel(), (left, top))?;
    root.draw_text(class, &style::note(), (left, top + 23))?;
    let element = BitMapElement::with_owned_buffer((left, y), (width as u32, height as u32), picture.into_raw());
    root.draw(&element.ok_or_else(|| FigureError::Drawing("a picture's size and buffer disagree".to_owned()))?)?;
    root.draw(&Rectangle::new([(left, y), (left + width, y + height)], GRID.stroke_width(1)))?;
    root.draw_text(&fit(root, foot, &style::note(), SIDE as i32)?, &style::note(), (left, y + height + 6))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn painting_keeps_the_sum_and_the_place() {
        let half = Axis::image(8, GridKind::Tracked).resampled(0.5, 2.0, 4);
        let mut squares = Array2::zeros((4, 4));
        squares[[1, 3]] = 5.0;
        let map = DefectMap { layer: 0, node: String::new(), grid: Grid { rows: half, columns: half }, squares };
        let mut density = Array2::zeros((8, 8));
        paint(&mut density, &map);
        // Position (1, 3) of a grid of half the pitch covers pixels 2 and 3 down, 6 and 7 along.
        for (at, value) in density.indexed_iter() {
            let inside = (2..4).contains(&at.0) && (6..8).contains(&at.1);
            assert_eq!(*value, if inside { 1.25 } else { 0.0 }, "{at:?}");
        }
        // Twice as fine as the picture: every position goes to its pixel.
        let fine = Axis::image(8, GridKind::Tracked).resampled(-0.25, 0.5, 16);
        let grid = Grid { rows: fine, columns: fine };
        let mut total = Array2::zeros((8, 8));
        paint(&mut total, &DefectMap { layer: 0, node: String::new(), grid, squares: Array2::ones((16, 16)) });
        assert!(total.iter().all(|v| *v == 4.0), "{total}");
        assert_eq!(foot(&density), "half on 3.1 % of the area; border 0.0 %");
    }

    #[test]
    fn the_border_is_a_frame() {
        assert!((border_area(224, 224) - (1.0 - 0.875 * 0.875)).abs() < 1e-12);
        assert!(is_border((0, 100), (224, 224)) && is_border((100, 210), (224, 224)));
        assert!(!is_border((14, 209), (224, 224)));
    }
}
