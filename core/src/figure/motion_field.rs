//! The figure of `aliascope field`: where and which way motion changes a scalar, and the worst smooth deformation.

use image::{Rgb, RgbImage};
use ndarray::{Array2, Array3};
use plotters::backend::DrawingBackend;
use plotters::element::{BitMapElement, PathElement, Rectangle};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor};

use super::canvas::{Area, Figure, FigureError};
use super::field::{Arrow, draw_arrow};
use super::number::compact;
use super::style::{self, FAINT_INK, GRID, SERIES, anchored, fit, printable};
use super::tangents::photo;
use crate::measure::field_report::FieldReport;
use crate::measure::motion_field::VectorField;
use crate::pixels::Resize;

/// An image and its fields.
#[derive(Clone, Debug)]
pub struct FieldPicture {
    /// x, \[3 or 1, rows, columns\], normalised in any way.
    pub image: Array3<f32>,
    /// F.
    pub field: VectorField,
    /// The worst smooth deformation of size 1; none where the scalar does not change.
    pub worst: Option<VectorField>,
}

/// The first image with arrows, its map of |F|, and its worst smooth deformation.
#[derive(Clone, Copy, Debug)]
pub struct FieldFigure<'a> {
    /// The report.
    pub report: &'a FieldReport,
    /// The image that is drawn, the first of the report.
    pub picture: &'a FieldPicture,
}

const MARGIN: i32 = 28;
const TOP: i32 = 100;
/// The longer side of a picture.
const SIDE: i32 = 400;
const GAP: i32 = 26;
const CAPTION: i32 = 28;
const FOOT: i32 = 74;
/// Arrows, and lines of the deformed grid, along the longer side.
const CELLS: usize = 14;
/// The share of pixels that the shades hold.
const PERCENTILE: f64 = 0.995;

impl FieldFigure<'_> {
    /// Width and height of a picture.
    fn panel(&self) -> (i32, i32) {
        let (_, rows, columns) = self.picture.image.dim();
        let longest = rows.max(columns).max(1) as f64;
        let side = |n: usize| ((n as f64 / longest * f64::from(SIDE)).round() as i32).max(1);
        (side(columns), side(rows))
    }
}

impl Figure for FieldFigure<'_> {
    fn size(&self) -> (u32, u32) {
        let (_, height) = self.panel();
        // Panels are as wide as their words, however narrow the picture.
        ((2 * MARGIN + 3 * SIDE + 2 * GAP) as u32, (TOP + CAPTION + height + FOOT) as u32)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        check(self.picture)?;
        let (report, picture) = (self.report, self.picture);
        let width = self.size().0 as i32 - 2 * MARGIN;
        let scalar = report.scalar.in_words();
        let title = format!("Motions that change the {scalar} of {}", report.run.model.name());
        let title = fit(root, &printable(&title), &style::title(), width)?;
        root.draw_text(&title, &style::title(), (MARGIN, 16))?;
        for (line, text) in self.subtitles().iter().enumerate() {
            let text = fit(root, &printable(text), &style::note(), width)?;
            root.draw_text(&text, &style::note(), (MARGIN, 48 + 20 * line as i32))?;
        }
        self.arrows(root, &pale(&photo(picture.image.view())))?;
        self.sizes(root)?;
        self.deformation(root, &pale(&photo(picture.image.view())))
    }
}

impl FieldFigure<'_> {
    fn subtitles(&self) -> [String; 2] {
        let (report, lie) = (self.report, self.report.run.lie());
        let mut first = report.run.images.name(0).to_owned();
        if let Some(image) = report.by_image.first() {
            first += &format!(": {} {}", report.scalar.in_words(), compact(image.value));
            if let (Some(class), Some(other)) = (image.class, image.other) {
                first += &format!(" (class {class} against {other})");
            }
        }
        [
            format!("{first}; {} derivative, {} boundary", lie.derivative, lie.boundary),
            format!(
                "size of a motion: ‖v‖² = {} in pixels; deformations {} at the edge",
                report.deformations.norm.formula(&compact(report.deformations.smoothness)),
                report.deformations.edge
            ),
        ]
    }

    /// Pixels of the figure per pixel of the image.
    fn zoom(&self) -> f64 {
        let (_, rows, columns) = self.picture.image.dim();
        f64::from(SIDE) / rows.max(columns).max(1) as f64
    }

    fn frame<DB: DrawingBackend>(
        &self,
        root: &Area<DB>,
        index: i32,
        caption: &str,
        picture: &RgbImage,
    ) -> Result<(i32, i32), FigureError> {
        let (left, top) = (MARGIN + index * (SIDE + GAP), TOP + CAPTION);
        let (width, height) = self.panel();
        root.draw_text(&fit(root, caption, &style::panel(), SIDE)?, &style::panel(), (left, TOP))?;
        let few = 2 * picture.width().max(picture.height()) <= SIDE as u32;
        let filter = if few { image::imageops::FilterType::Nearest } else { image::imageops::FilterType::Triangle };
        let sized = picture.resized(width as u32, height as u32, filter);
        let element = BitMapElement::with_owned_buffer((left, top), (width as u32, height as u32), sized.into_raw());
        root.draw(&element.ok_or_else(|| FigureError::Drawing("a picture's size and buffer disagree".to_owned()))?)?;
        root.draw(&Rectangle::new([(left, top), (left + width, top + height)], GRID.stroke_width(1)))?;
        Ok((left, top))
    }

    fn foot<DB: DrawingBackend>(&self, root: &Area<DB>, left: i32, lines: &[String]) -> Result<(), FigureError> {
        let top = TOP + CAPTION + self.panel().1 + 8;
        for (line, text) in lines.iter().enumerate() {
            let text = fit(root, text, &style::note(), SIDE)?;
            root.draw_text(&text, &style::note(), (left, top + 20 * line as i32))?;
        }
        Ok(())
    }

    /// Σ F over blocks of pixels: what moving a block by one pixel changes.
    fn arrows<DB: DrawingBackend>(&self, root: &Area<DB>, photo: &RgbImage) -> Result<(), FigureError> {
        let (left, top) = self.frame(root, 0, "where to push the picture", photo)?;
        let [x, y] = &self.picture.field;
        let (rows, columns) = x.dim();
        let side = rows.max(columns).div_ceil(CELLS).max(1);
        let mut arrows: Vec<([f64; 2], [f64; 2])> = Vec::new();
        for row in (0..rows).step_by(side) {
            for column in (0..columns).step_by(side) {
                let (height, width) = (side.min(rows - row), side.min(columns - column));
                let block = ndarray::s![row..row + height, column..column + width];
                let middle = [column as f64 + width as f64 / 2.0, row as f64 + height as f64 / 2.0];
                arrows.push((middle, [x.slice(block).sum(), y.slice(block).sum()]));
            }
        }
        let longest = arrows.iter().map(|(_, [x, y])| x.hypot(*y)).fold(0.0, f64::max);
        let zoom = self.zoom();
        for ([x, y], along) in arrows.iter().filter(|_| longest > 0.0) {
            // Two cells at the longest: most are far shorter. Those at the edge are moved inside.
            let along = along.map(|part| part / longest * 2.0 * side as f64 * zoom);
            let (width, height) = self.panel();
            let inside = |place: f64, length: f64, from: i32, side: i32| {
                let room = (length.abs() / 2.0).min(f64::from(side) / 2.0);
                f64::from(from) + place.clamp(room, f64::from(side) - room)
            };
            let centre = [inside(x * zoom, along[0], left, width), inside(y * zoom, along[1], top, height)];
            draw_arrow(root, centre, along, Arrow { color: SERIES[1], outlined: true })?;
        }
        let scalar = self.report.scalar.in_words();
        self.foot(
            root,
            left,
            &[
                format!("content moved along the arrows lowers the {scalar}"),
                format!("longest: {} per pixel that its {side}×{side} block moves", compact(longest)),
            ],
        )
    }

    /// |F| with a scale.
    fn sizes<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let [x, y] = &self.picture.field;
        let size = ndarray::Zip::from(x).and(y).map_collect(|x, y| x.hypot(*y));
        let most = percentile(&size);
        let picture = RgbImage::from_fn(size.ncols() as u32, size.nrows() as u32, |column, row| {
            let value = size[[row as usize, column as usize]];
            let RGBColor(r, g, b) = shade(if most > 0.0 { value / most } else { 0.0 });
            Rgb([r, g, b])
        });
        let (left, _) = self.frame(root, 1, "how much each pixel counts: |F|", &picture)?;
        let top = TOP + CAPTION + self.panel().1 + 12;
        const BAR: (i32, i32) = (220, 14);
        for step in 0..BAR.0 {
            let color = shade(f64::from(step) / f64::from(BAR.0 - 1));
            root.draw(&Rectangle::new([(left + 18 + step, top), (left + 19 + step, top + BAR.1)], color.filled()))?;
        }
        root.draw(&Rectangle::new([(left + 18, top), (left + 18 + BAR.0, top + BAR.1)], FAINT_INK.stroke_width(1)))?;
        let text = anchored(style::note(), HPos::Left, VPos::Center);
        root.draw_text("0", &text, (left, top + BAR.1 / 2))?;
        let end = format!("{} per pixel", compact(most));
        root.draw_text(&end, &text, (left + 26 + BAR.0, top + BAR.1 / 2))?;
        let half = self.report.by_image.first().map_or(0.0, |image| image.half_area);
        let note = format!("shades up to the 99.5th percentile; half of Σ|F|² on {:.1} % of pixels", 100.0 * half);
        let note = fit(root, &note, &style::note(), SIDE)?;
        root.draw_text(&note, &style::note(), (left, top + BAR.1 + 14))?;
        Ok(())
    }

    /// The grid of the picture's content, moved against the worst deformation.
    fn deformation<DB: DrawingBackend>(&self, root: &Area<DB>, photo: &RgbImage) -> Result<(), FigureError> {
        let (left, top) = self.frame(root, 2, "worst smooth deformation", photo)?;
        let Some([x, y]) = &self.picture.worst else {
            return self.foot(root, left, &["the scalar does not change".to_owned()]);
        };
        let (rows, columns) = x.dim();
        let cell = rows.max(columns) as f64 / CELLS as f64;
        let furthest = ndarray::Zip::from(x).and(y).fold(0.0f64, |most, x, y| most.max(x.hypot(*y)));
        // The largest displacement is drawn as a cell and a fifth.
        let larger = if furthest > 0.0 { 1.2 * cell / furthest } else { 0.0 };
        let zoom = self.zoom();
        let at = |column: f64, row: f64| {
            // Sampling at u + v moves the content by −v; the scalar falls along −v, so the content moves by v.
            let (x, y) = (column + larger * between(x, [row, column]), row + larger * between(y, [row, column]));
            let inside = |value: f64, count: usize| value.clamp(0.0, count as f64) * zoom;
            (left + inside(x, columns).round() as i32, top + inside(y, rows).round() as i32)
        };
        let lines =
            |count: usize| (0..).map(move |i| f64::from(i) * cell).take_while(move |v| *v <= count as f64 + 0.5);
        let steps = |count: usize| (0..=count).map(|step| step as f64);
        for row in lines(rows) {
            let path: Vec<(i32, i32)> = steps(columns).map(|column| at(column, row)).collect();
            root.draw(&PathElement::new(path, SERIES[0].stroke_width(2)))?;
        }
        for column in lines(columns) {
            let path: Vec<(i32, i32)> = steps(rows).map(|row| at(column, row)).collect();
            root.draw(&PathElement::new(path, SERIES[0].stroke_width(2)))?;
        }
        let image = self.report.by_image.first().cloned().unwrap_or_default();
        let scalar = self.report.scalar.in_words();
        let mut lines = vec![format!(
            "size 1 lowers the {scalar} by {}; best affine: {}",
            compact(image.smooth),
            compact(image.affine)
        )];
        lines.push(format!("moves up to {} px; drawn {} times as large", compact(furthest), compact(larger)));
        if let Some(distance) = image.distance {
            lines.push(format!("margin 0 at size {} by the linear estimate", compact(distance)));
        }
        self.foot(root, left, &lines)
    }
}

fn check(picture: &FieldPicture) -> Result<(), FigureError> {
    let (channels, rows, columns) = picture.image.dim();
    let fields = || picture.field.iter().chain(picture.worst.iter().flatten());
    if !matches!(channels, 1 | 3) || rows == 0 || columns == 0 || fields().any(|f| f.dim() != (rows, columns)) {
        let reason = format!("the photo's shape is [{channels}, {rows}, {columns}], and its fields have another");
        return Err(FigureError::Data { reason });
    }
    if picture.image.iter().any(|v| !v.is_finite()) || fields().flatten().any(|v| !v.is_finite()) {
        return Err(FigureError::NotFinite("the photo or a field holds NaN or infinity".to_owned()));
    }
    Ok(())
}

/// Between pixels in proportion; pixel i is centred on i + ½.
fn between(values: &Array2<f64>, [row, column]: [f64; 2]) -> f64 {
    let near = |place: f64, count: usize| {
        let place = (place - 0.5).clamp(0.0, (count - 1) as f64);
        let first = place.floor() as usize;
        (first, (first + 1).min(count - 1), place - place.floor())
    };
    let ((i, k, down), (j, l, along)) = (near(row, values.nrows()), near(column, values.ncols()));
    let line = |i: usize| values[[i, j]] * (1.0 - along) + values[[i, l]] * along;
    line(i) * (1.0 - down) + line(k) * down
}

/// White through vermilion to a dark red, darker all the way.
fn shade(value: f64) -> RGBColor {
    const DEEP: RGBColor = RGBColor(0x4a, 0x10, 0x1c);
    let value = value.clamp(0.0, 1.0);
    let mix = |from: RGBColor, to: RGBColor, weight: f64| {
        let mix = |a: u8, b: u8| (f64::from(a) + weight * (f64::from(b) - f64::from(a))).round() as u8;
        RGBColor(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
    };
    if value < 0.5 {
        mix(RGBColor(0xff, 0xff, 0xff), SERIES[1], 2.0 * value)
    } else {
        mix(SERIES[1], DEEP, 2.0 * value - 1.0)
    }
}

/// Greys in the lighter half, so that lines in front stand out.
fn pale(photo: &RgbImage) -> RgbImage {
    RgbImage::from_fn(photo.width(), photo.height(), |x, y| {
        let Rgb([r, g, b]) = *photo.get_pixel(x, y);
        let grey = 0.3 * f64::from(r) + 0.59 * f64::from(g) + 0.11 * f64::from(b);
        Rgb([(150.0 + 105.0 * grey / 255.0).round() as u8; 3])
    })
}

/// The value below which [`PERCENTILE`] of the values lie; the largest where most are zero.
fn percentile(values: &Array2<f64>) -> f64 {
    let mut sorted: Vec<f64> = values.iter().copied().collect();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let at = sorted[(PERCENTILE * last as f64).round() as usize];
    if at > 0.0 { at } else { sorted[last] }
}
