//! Shifts of fields on the torus, and the error of a layer under them.

use tch::{Kind as Element, Tensor};

use super::Padding;
use super::design::{Design, DesignError, apply};
use crate::graph::operator::Torch;
use crate::measure::torus::translate;

/// Where the output may be expected after the input moved by `shift`: moved by shift/step, or, where that is no whole
/// number, by a whole number of samples next to it: a layer that chooses its phase moves so.
fn expected(y: &Tensor, shift: [f64; 2], step: f64) -> Torch<Vec<Tensor>> {
    let wanted = shift.map(|t| t / step);
    let mut places = vec![wanted];
    let whole = |t: f64| (t - t.round()).abs() < 1e-12;
    if wanted.iter().all(|t| whole(*t)) {
        places = vec![wanted.map(f64::round)];
    } else if step > 1.0 {
        for x in [wanted[0].floor(), wanted[0].ceil()] {
            for y in [wanted[1].floor(), wanted[1].ceil()] {
                places.push([x, y]);
            }
        }
    }
    places.into_iter().map(|place| translate(y, place)).collect()
}

/// The window of a field that a cropped layer sees, and the part of its output that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crop {
    /// The first row and column of the window.
    pub start: i64,
    /// The window's side.
    pub side: i64,
}

impl Crop {
    /// Half the field, a quarter from its edge, both rounded to whole strides; nothing where that is too little.
    pub fn of(samples: usize, stride: usize) -> Option<Self> {
        let whole = |n: usize| (n / (2 * stride)) * 2 * stride;
        let (start, side) = (whole(samples / 4), whole(samples / 2));
        (side >= 4 * stride).then_some(Self { start: start as i64, side: side as i64 })
    }
}

/// The largest over `shifts` of ‖f(T x) − T′f(x)‖/‖f(x)‖ on the torus; T′ the nearest of [`expected`]. Nothing where
/// the output is zero.
pub fn circular_error(
    design: &dyn Design,
    x: &Tensor,
    shifts: &[[f64; 2]],
    padding: Padding,
) -> Result<Option<f64>, DesignError> {
    let y = apply(design, x, padding)?;
    let step = design.resampling().step();
    worst(&y, shifts, |shift| {
        let moved = apply(design, &translate(x, shift)?, padding)?;
        Ok((moved, expected(&y, shift, step)?))
    })
}

/// The same on a window: the field moves, the layer sees the window and pads it by reflection, and the middle half of
/// its output is compared with what the layer makes of the whole torus.
pub fn cropped_error(
    design: &dyn Design,
    x: &Tensor,
    shifts: &[[f64; 2]],
    crop: Crop,
) -> Result<Option<f64>, DesignError> {
    let whole = apply(design, x, Padding::Circular)?;
    let step = design.resampling().step();
    let window =
        |x: &Tensor| x.f_narrow(-2, crop.start, crop.side)?.f_narrow(-1, crop.start, crop.side)?.f_contiguous();
    let (start, side) = ((crop.start as f64 / step) as i64, (crop.side as f64 / step) as i64);
    let (quarter, half) = (side / 4, side / 2);
    let inner = |y: &Tensor| y.f_narrow(-2, start + quarter, half)?.f_narrow(-1, start + quarter, half);
    worst(&inner(&whole)?, shifts, |shift| {
        let seen = apply(design, &window(&translate(x, shift)?)?, Padding::Reflect)?;
        let seen = seen.f_narrow(-2, quarter, half)?.f_narrow(-1, quarter, half)?;
        let wanted = expected(&whole, shift, step)?.iter().map(inner).collect::<Torch<Vec<_>>>()?;
        Ok((seen, wanted))
    })
}

fn worst(
    reference: &Tensor,
    shifts: &[[f64; 2]],
    mut outputs: impl FnMut([f64; 2]) -> Result<(Tensor, Vec<Tensor>), DesignError>,
) -> Result<Option<f64>, DesignError> {
    let size = norm(reference)?;
    if size == 0.0 {
        return Ok(None);
    }
    let mut largest = 0.0_f64;
    for shift in shifts {
        let (seen, wanted) = outputs(*shift)?;
        let mut least = f64::INFINITY;
        for wanted in wanted {
            least = least.min(norm(&seen.f_sub(&wanted)?)?);
        }
        largest = largest.max(least / size);
    }
    Ok(Some(largest))
}

fn norm(x: &Tensor) -> Torch<f64> {
    x.f_to_kind(Element::Double)?.f_square()?.f_sum(None::<Element>)?.f_sqrt()?.f_double_value(&[])
}

/// Shifts by whole samples: every pair below the stride (at most 8 × 8 of them), and along the rows, the columns and
/// the diagonal over the whole field, all of them or 32 spread evenly.
pub fn integer_shifts(samples: usize, stride: usize) -> Vec<[f64; 2]> {
    let near = stride.min(8) as i64;
    let mut shifts: Vec<[i64; 2]> = (0..near).flat_map(|y| (0..near).map(move |x| [x, y])).collect();
    let count = samples.min(32) as i64;
    for i in 0..count {
        // Steps that are odd on the whole meet every phase.
        let d = i * samples as i64 / count + if samples > 32 { i % stride as i64 } else { 0 };
        shifts.extend([[d, 0], [0, d], [d, d]]);
    }
    shifts.sort_unstable();
    shifts.dedup();
    shifts.retain(|shift| *shift != [0, 0]);
    shifts.into_iter().map(|shift| shift.map(|d| d as f64)).collect()
}

/// Shifts by fractions of a sample, within a stride.
pub fn fractional_shifts(stride: usize) -> Vec<[f64; 2]> {
    let s = stride as f64;
    let mut shifts = vec![
        [0.5, 0.0],
        [0.0, 0.5],
        [0.5, 0.5],
        [0.25, 0.75],
        [1.0 / 3.0, 2.0 / 3.0],
        [0.1, 0.9],
        [s - 0.5, 0.3],
        [0.6 * s, s - 0.2],
    ];
    shifts.push([0.37 * s, 0.71 * s]);
    shifts
}
