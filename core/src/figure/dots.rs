//! Named dots on logarithmic axes, whose names keep out of each other's way.

use plotters::backend::DrawingBackend;
use plotters::element::{PathElement, Rectangle};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor};

use super::canvas::{Area, FigureError};
use super::decades::Decades;
use super::dot_labels::{Label, draw_leaders, place_labels};
use super::marks::Shape;
use super::style::{self, FAINT_INK, GRID, INK, PALE};

/// A dot.
pub(super) struct Dot {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) name: String,
    pub(super) color: RGBColor,
    pub(super) shape: Shape,
}

/// What stands around the dots.
pub(super) struct Axes<'a> {
    pub(super) title: &'a str,
    pub(super) x: &'a str,
    pub(super) y: &'a str,
    /// Values of y up to this are drawn as 0, below the axis.
    pub(super) zero: f64,
    /// The same for x.
    pub(super) zero_x: f64,
    /// Whether x and y are the same quantity, so that a diagonal means something.
    pub(super) diagonal: bool,
}

const LEFT: i32 = 86;
const TOP: i32 = 40;
const RIGHT: i32 = 22;
const BOTTOM: i32 = 62;
/// Height (width) of the strip of zeros.
const STRIP: i32 = 30;

/// Where the axes lie, in pixels, and what they measure.
struct Plot<'a> {
    axes: &'a Axes<'a>,
    left: i32,
    right: i32,
    bottom: i32,
    /// Where the whole area's labels of x begin.
    floor: i32,
    xs: Decades,
    ys: Decades,
    has_zero_x: bool,
    has_zero_y: bool,
}

impl<'a> Plot<'a> {
    fn new(axes: &'a Axes<'a>, dots: &[Dot], (width, height): (i32, i32)) -> Self {
        let has_zero_y = dots.iter().any(|dot| dot.y <= axes.zero);
        let has_zero_x = dots.iter().any(|dot| dot.x <= axes.zero_x);
        let positive = |values: Vec<f64>, zero: f64| {
            Decades::of(
                values.into_iter().filter(|value| *value > zero && value.is_finite()).collect::<Vec<_>>().into_iter(),
            )
        };
        let xs = positive(dots.iter().map(|dot| dot.x).collect(), axes.zero_x);
        let ys = positive(dots.iter().map(|dot| dot.y).collect(), axes.zero);
        let (xs, ys) = if axes.diagonal {
            let (first, last) = (xs.first.min(ys.first), xs.last.max(ys.last));
            (Decades { first, last }, Decades { first, last })
        } else {
            (xs, ys)
        };
        let floor = height - BOTTOM;
        Self {
            axes,
            left: LEFT + if has_zero_x { STRIP } else { 0 },
            right: width - RIGHT,
            bottom: floor - if has_zero_y { STRIP } else { 0 },
            floor,
            xs,
            ys,
            has_zero_x,
            has_zero_y,
        }
    }

    /// Where a share of the axis of x lies.
    fn along_x(&self, place: f64) -> i32 {
        self.left + (place * f64::from(self.right - self.left)).round() as i32
    }

    fn along_y(&self, place: f64) -> i32 {
        self.bottom - (place * f64::from(self.bottom - TOP)).round() as i32
    }

    fn at(&self, dot: &Dot) -> (i32, i32) {
        let x = if dot.x <= self.axes.zero_x { LEFT + STRIP / 2 } else { self.along_x(self.xs.place(dot.x)) };
        let y = if dot.y <= self.axes.zero { self.bottom + STRIP / 2 } else { self.along_y(self.ys.place(dot.y)) };
        (x, y)
    }

    /// A number of the axis of x.
    fn label_x<DB: DrawingBackend>(&self, area: &Area<DB>, text: &str, x: i32) -> Result<(), FigureError> {
        Ok(area.draw_text(text, &style::anchored(style::label(), HPos::Center, VPos::Top), (x, self.floor + 6))?)
    }

    fn label_y<DB: DrawingBackend>(&self, area: &Area<DB>, text: &str, y: i32) -> Result<(), FigureError> {
        Ok(area.draw_text(text, &style::anchored(style::label(), HPos::Right, VPos::Center), (LEFT - 8, y))?)
    }

    fn draw_axes<DB: DrawingBackend>(&self, area: &Area<DB>) -> Result<(), FigureError> {
        let Self { axes, left, right, bottom, floor, .. } = *self;
        for (place, label) in self.xs.ticks() {
            let x = self.along_x(place);
            area.draw(&PathElement::new(vec![(x, TOP), (x, bottom)], GRID.stroke_width(1)))?;
            self.label_x(area, &label, x)?;
        }
        for (place, label) in self.ys.ticks() {
            let y = self.along_y(place);
            area.draw(&PathElement::new(vec![(left, y), (right, y)], GRID.stroke_width(1)))?;
            self.label_y(area, &label, y)?;
        }
        if self.has_zero_y {
            area.draw(&Rectangle::new([(LEFT, bottom), (right, bottom + STRIP)], GRID.mix(0.45).filled()))?;
            self.label_y(area, "0", bottom + STRIP / 2)?;
        }
        if self.has_zero_x {
            area.draw(&Rectangle::new([(LEFT, TOP), (left, floor)], GRID.mix(0.45).filled()))?;
            self.label_x(area, "0", LEFT + STRIP / 2)?;
        }
        area.draw(&Rectangle::new([(LEFT, TOP), (right, floor)], INK.stroke_width(1)))?;
        if axes.diagonal {
            area.draw(&PathElement::new(vec![(left, bottom), (right, TOP)], FAINT_INK.stroke_width(1)))?;
        }
        let below = (((left + right) / 2), floor + BOTTOM - 8);
        area.draw_text(axes.x, &style::anchored(style::axis(), HPos::Center, VPos::Bottom), below)?;
        let upright = style::anchored(style::axis(), HPos::Center, VPos::Top)
            .transform(plotters::style::FontTransform::Rotate270);
        Ok(area.draw_text(axes.y, &upright, (4, (TOP + bottom) / 2))?)
    }
}

pub(super) fn draw_dots<DB: DrawingBackend>(area: &Area<DB>, axes: &Axes<'_>, dots: &[Dot]) -> Result<(), FigureError> {
    let (width, height) = area.dim_in_pixel();
    area.draw_text(axes.title, &style::panel(), (LEFT, 8))?;
    let plot = Plot::new(axes, dots, (width as i32, height as i32));
    plot.draw_axes(area)?;
    let places: Vec<(i32, i32)> = dots.iter().map(|dot| plot.at(dot)).collect();
    let names: Vec<&str> = dots.iter().map(|dot| dot.name.as_str()).collect();
    let labels = place_labels(area, &names, &places, [LEFT + 2, TOP, plot.right - 2, plot.floor], &[])?;
    draw_leaders(area, &labels, &places)?;
    for (dot, place) in dots.iter().zip(&places) {
        dot.shape.draw(area, *place, 5, dot.color)?;
    }
    for Label { at, place, .. } in labels {
        // Names of what is drawn pale come second.
        let ink = if dots[at].color == PALE { FAINT_INK } else { INK };
        area.draw_text(names[at], &style::note().color(&ink), (place[0] + 2, place[1]))?;
    }
    Ok(())
}
