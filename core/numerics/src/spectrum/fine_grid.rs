//! A trigonometric interpolant anywhere between its samples, by a nonuniform fast Fourier transform.
//!
//! The interpolant Σ_k a_k e^{2πi k u/P} is first taken on a grid of half the pitch, of coefficients a_k/φ̂(k/2P); its value
//! at u is then the sum over the nearest samples there times φ, whose transform φ̂ undoes the division. With φ of small
//! support in space and, but for e^{−β}, in frequency, what is left out lies below the rounding of f64.
//!
//! φ is the "exponential of semicircle" e^{β(√(1 − z²) − 1)}, z = 2x/W (Barnett, Magland and af Klinteberg, "A parallel
//! nonuniform fast Fourier transform library based on an exponential of semicircle kernel", SISC 2019).

use std::f64::consts::PI;
use std::sync::Arc;

use ndarray::{Array2, ArrayView2};
use num_complex::Complex64;
use rayon::prelude::*;
use realfft::{ComplexToReal, RealToComplex};

use super::differentiation::Boundary;
use super::plans::Real;
use super::quadrature::gauss_legendre;

/// W: samples of the fine grid under φ. The error falls as e^{−2.2 W}, 5·10⁻¹⁶ at 16.
const WIDTH: usize = 16;
/// β, 2.30 W as that paper has it for half the pitch.
const BETA: f64 = 2.30 * WIDTH as f64;
/// Fine samples that are kept beyond either end of an axis, so that no place needs to know of ends.
const MARGIN: usize = WIDTH / 2 + 2;

/// φ at so many fine samples from its middle.
fn kernel(distance: f64) -> f64 {
    let z = distance / (WIDTH as f64 / 2.0);
    (BETA * ((1.0 - z * z).max(0.0).sqrt() - 1.0)).exp()
}

/// The transforms of one axis.
struct Axis {
    samples: usize,
    boundary: Boundary,
    /// P, of the periodic axis that it is continued to.
    period: usize,
    forward: Arc<dyn RealToComplex<f64>>,
    inverse: Arc<dyn ComplexToReal<f64>>,
    /// 1/(P φ̂(k/2P)), of the Nyquist harmonic half as much: it is a cosine, half of it at either frequency.
    factors: Vec<f64>,
}

impl Axis {
    fn new(samples: usize, boundary: Boundary) -> Self {
        let period = if boundary == Boundary::Reflect { 2 * samples } else { samples };
        // Polynomials up to degree 159 are exact, where φ, e^{−βz²/2} near its middle, and the cosine need some 60.
        let (nodes, weights) = gauss_legendre(80);
        let transform = |k: usize| {
            let turn = PI * WIDTH as f64 * k as f64 / (2 * period) as f64;
            let half = WIDTH as f64 / 2.0;
            let of = |(z, weight): (&f64, &f64)| weight * kernel(half * z) * (turn * z).cos();
            half * nodes.iter().zip(&weights).map(of).sum::<f64>()
        };
        let factor = |k: usize| {
            let share = if 2 * k == period { 0.5 } else { 1.0 };
            share / (period as f64 * transform(k))
        };
        Self {
            samples,
            boundary,
            period,
            forward: f64::plans(period).real_forward,
            inverse: f64::plans(2 * period).real_inverse,
            factors: (0..=period / 2).map(factor).collect(),
        }
    }

    /// Fine samples that are kept: those of the samples themselves, and a margin at either end.
    fn kept(&self) -> usize {
        2 * self.samples + 2 * MARGIN
    }

    /// The fine grid of every row, `[rows, samples]`, as `[rows, kept]`.
    fn refined(&self, rows: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut fine = Array2::zeros((rows.nrows(), self.kept()));
        let work = || {
            let zero = Complex64::new(0.0, 0.0);
            (
                vec![0.0; self.period],
                vec![zero; self.period / 2 + 1],
                vec![zero; self.period + 1],
                vec![0.0; 2 * self.period],
            )
        };
        let lines = fine.axis_iter_mut(ndarray::Axis(0)).into_par_iter().zip(rows.axis_iter(ndarray::Axis(0)));
        lines.for_each_init(work, |(periodic, bins, wide, values), (mut fine, row)| {
            for (j, value) in periodic.iter_mut().enumerate() {
                // Beyond the samples the mirror image, where the period is twice as long.
                *value = row[if j < self.samples { j } else { self.period - 1 - j }];
            }
            // Transforms fail on slices of the wrong length only.
            let done = self.forward.process(periodic, bins);
            debug_assert!(done.is_ok());
            wide.fill(Complex64::new(0.0, 0.0));
            for ((wide, bin), factor) in wide.iter_mut().zip(bins.iter()).zip(&self.factors) {
                *wide = bin.scale(*factor);
            }
            wide[0].im = 0.0;
            let done = self.inverse.process(wide, values);
            debug_assert!(done.is_ok());
            let length = values.len() as isize;
            for (at, value) in fine.iter_mut().enumerate() {
                *value = values[(at as isize - MARGIN as isize).rem_euclid(length) as usize];
            }
        });
        fine
    }

    /// The first kept fine sample under φ around a place, and what it and those after it count.
    fn under(&self, place: f64) -> (usize, [f64; WIDTH]) {
        let mut place = place.rem_euclid(self.period as f64);
        if self.boundary == Boundary::Reflect && place > self.samples as f64 - 0.5 {
            place = (self.period - 1) as f64 - place;
        }
        let fine = 2.0 * place;
        let first = (fine - WIDTH as f64 / 2.0).ceil();
        let mut weights = [0.0; WIDTH];
        for (at, weight) in weights.iter_mut().enumerate() {
            *weight = kernel(fine - first - at as f64);
        }
        ((first + MARGIN as f64).max(0.0) as usize, weights)
    }
}

/// The interpolants of fields of one size, each continued as its boundary says.
pub(super) struct FineGrid {
    /// Of the columns (along a row), and of the rows.
    axes: [Axis; 2],
}

impl FineGrid {
    /// Of fields of so many rows and columns, at least one each.
    pub(super) fn new(rows: usize, columns: usize, boundary: Boundary) -> Self {
        Self { axes: [columns, rows].map(|samples| Axis::new(samples, boundary)) }
    }

    /// The values of one field's interpolant at the places `at(row, column)`, in samples along the columns and the rows.
    pub(super) fn values(
        &self,
        field: ArrayView2<'_, f64>,
        at: impl Fn(usize, usize) -> [f64; 2] + Sync,
    ) -> Array2<f64> {
        let [along, down] = &self.axes;
        // Columns first: the samples of one fine column lie side by side.
        let columns = along.refined(field).reversed_axes().as_standard_layout().into_owned();
        let fine = down.refined(columns.view());
        let pitch = down.kept();
        let mut values = Array2::zeros(field.dim());
        let Some(fine) = fine.as_slice() else { return values };
        values.axis_iter_mut(ndarray::Axis(0)).into_par_iter().enumerate().for_each(|(row, mut line)| {
            for (column, value) in line.iter_mut().enumerate() {
                let [x, y] = at(row, column);
                let ((left, across), (top, upright)) = (along.under(x), down.under(y));
                let mut sums = [0.0; WIDTH];
                for (weight, samples) in across.iter().zip(fine[left * pitch..].chunks_exact(pitch)) {
                    for (sum, sample) in sums.iter_mut().zip(&samples[top..top + WIDTH]) {
                        *sum += weight * sample;
                    }
                }
                *value = sums.iter().zip(&upright).map(|(sum, weight)| sum * weight).sum();
            }
        });
        values
    }
}
