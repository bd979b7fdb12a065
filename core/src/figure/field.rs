//! A vector field as arrows.

use plotters::backend::DrawingBackend;
use plotters::element::{PathElement, Polygon, Rectangle};
use plotters::style::{Color, RGBColor, WHITE};

use super::canvas::{Area, FigureError};
use super::style::{FAINT_INK, GRID, INK};

/// Arrows per side.
const ARROWS: i32 = 6;
/// The longest arrow, in distances between arrows: they may touch, not cross.
const LONGEST: f64 = 0.95;

/// Draws `field` over [−1, 1]², x to the right and y down, in the square at `corner`; the longest arrow has a set
/// length, so panels show shapes and not sizes.
pub(super) fn draw_field<DB: DrawingBackend>(
    area: &Area<DB>,
    corner: (i32, i32),
    side: i32,
    field: impl Fn([f64; 2]) -> [f64; 2],
) -> Result<(), FigureError> {
    let (left, top) = corner;
    area.draw(&Rectangle::new([corner, (left + side, top + side)], GRID.stroke_width(1)))?;
    let middle = (left + side / 2, top + side / 2);
    for (from, to) in [((left, middle.1), (left + side, middle.1)), ((middle.0, top), (middle.0, top + side))] {
        area.draw(&PathElement::new(vec![from, to], GRID.stroke_width(1)))?;
    }
    let spacing = f64::from(side) / f64::from(ARROWS);
    let at = |i: i32| (2.0 * f64::from(i) + 1.0) / f64::from(ARROWS) - 1.0;
    let arrows: Vec<([f64; 2], [f64; 2])> =
        (0..ARROWS * ARROWS).map(|i| [at(i % ARROWS), at(i / ARROWS)]).map(|u| (u, field(u))).collect();
    let longest = arrows.iter().map(|(_, [x, y])| x.hypot(*y)).fold(0.0, f64::max);
    if longest == 0.0 || !longest.is_finite() {
        return Ok(());
    }
    let pixel = |u: f64, origin: i32| f64::from(origin) + (u + 1.0) / 2.0 * f64::from(side);
    for ([x, y], [vx, vy]) in arrows {
        let factor = LONGEST * spacing / longest;
        let plain = Arrow { color: INK, outlined: false };
        draw_arrow(area, [pixel(x, left), pixel(y, top)], [vx * factor, vy * factor], plain)?;
    }
    Ok(())
}

/// How an arrow looks.
#[derive(Clone, Copy)]
pub(super) struct Arrow {
    pub color: RGBColor,
    /// Whether it has a white edge, to stand out from a picture.
    pub outlined: bool,
}

/// An arrow whose middle is at `centre`; a dot where it has no length to speak of.
pub(super) fn draw_arrow<DB: DrawingBackend>(
    area: &Area<DB>,
    centre: [f64; 2],
    along: [f64; 2],
    Arrow { color, outlined }: Arrow,
) -> Result<(), FigureError> {
    let length = along[0].hypot(along[1]);
    let point = |along_share: f64, across: f64| {
        let (ex, ey) = (along[0] / length, along[1] / length);
        let x = centre[0] + along_share * length * ex - across * ey;
        let y = centre[1] + along_share * length * ey + across * ex;
        (x.round() as i32, y.round() as i32)
    };
    if length < 2.0 {
        let (x, y) = (centre[0].round() as i32, centre[1].round() as i32);
        area.draw(&Rectangle::new([(x, y), (x + 1, y + 1)], FAINT_INK.filled()))?;
        return Ok(());
    }
    let head = (0.38 * length).clamp(3.0, 9.0);
    let neck = 0.5 - head / length;
    let (shaft, tip) = (
        vec![point(-0.5, 0.0), point(neck, 0.0)],
        vec![point(0.5, 0.0), point(neck, 0.45 * head), point(neck, -0.45 * head)],
    );
    if outlined {
        let around = [tip.clone(), vec![tip[0]]].concat();
        area.draw(&PathElement::new(shaft.clone(), WHITE.stroke_width(5)))?;
        area.draw(&PathElement::new(around, WHITE.stroke_width(3)))?;
    }
    area.draw(&PathElement::new(shaft, color.stroke_width(2)))?;
    area.draw(&Polygon::new(tip, color.filled()))?;
    Ok(())
}
