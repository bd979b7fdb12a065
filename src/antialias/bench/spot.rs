//! Where a small bright spot seems to be, after downsampling, while it moves.

use indexmap::IndexMap;
use ndarray::Array3;
use tch::{Kind as Element, Tensor};

use super::{Bench, BenchError, tensor};
use crate::antialias::design::{Design, apply};
use crate::antialias::report::ShiftSweep;
use crate::antialias::{Kind, Padding};
use crate::graph::operator::Torch;
use crate::measure::torus::translate;

impl Bench {
    /// A spot of half a sample's standard deviation, moved to the right in steps of a twentieth sample, through every
    /// downsampling.
    pub(super) fn sweep(&self, designs: &[Box<dyn Design>]) -> Result<Option<ShiftSweep>, BenchError> {
        const STEPS: usize = 40;
        const WIDTH: f64 = 0.5;
        let n = self.field.nrows();
        let spot: Vec<f64> = (0..n)
            .map(|i| {
                (0..=n / 2)
                    .map(|k| {
                        let weight = if k == 0 || 2 * k == n { 1.0 } else { 2.0 };
                        let turns = std::f64::consts::TAU * k as f64 / n as f64;
                        weight * (-0.5 * (turns * WIDTH).powi(2)).exp() * (turns * (i as f64 - (n / 2) as f64)).cos()
                    })
                    .sum::<f64>()
                    / n as f64
            })
            .collect();
        let field = Array3::from_shape_fn((1, n, n), |(_, j, i)| spot[j] * spot[i]);
        let x = tensor(&field)?;
        let shifts: Vec<f64> = (0..=STEPS).map(|i| 2.0 * i as f64 / STEPS as f64).collect();
        let mut positions = IndexMap::new();
        for design in designs.iter().filter(|design| design.kind() == Kind::Downsampling && design.channels() == 1) {
            let mut found = Vec::new();
            let mut first = None;
            for shift in &shifts {
                let moved = translate(&x, [*shift, 0.0])?;
                let y = apply(design.as_ref(), &moved, Padding::Circular)?;
                // APS moves its samples as well as their values.
                let [_, origin] = design.origin(&moved, Padding::Circular)?;
                let place = place_of(&y)? * self.stride as f64 + origin;
                let start = *first.get_or_insert(place);
                let period = n as f64;
                found.push((place - start + 0.5 * period).rem_euclid(period) - 0.5 * period);
            }
            if found.iter().all(|place| place.is_finite()) {
                positions.insert(design.name(), found);
            }
        }
        Ok((!positions.is_empty()).then_some(ShiftSweep { shifts, positions }))
    }
}

/// Where the first harmonic of the field's square, along the rows, says that its energy lies, in its own samples.
fn place_of(y: &Tensor) -> Torch<f64> {
    let columns = y.f_square()?.f_sum_dim_intlist([0, 1, 2].as_slice(), false, None::<Element>)?;
    let values: Vec<f64> = Vec::try_from(&columns)?;
    let n = values.len() as f64;
    let (mut re, mut im) = (0.0, 0.0);
    for (i, value) in values.iter().enumerate() {
        let angle = std::f64::consts::TAU * i as f64 / n;
        re += value * angle.cos();
        im += value * angle.sin();
    }
    Ok(im.atan2(re) / std::f64::consts::TAU * n)
}
