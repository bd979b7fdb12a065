//! The aliasing theorem on sampled real fields: what keeping every s-th sample does to translation.

use std::f64::consts::PI;

use ndarray::{Array3, ArrayView3};
use num_complex::Complex64;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::alias::{GridSize, Wave};
use super::half_spectrum::{HalfSpectrum, multiplicity};
use super::transform::TransformError;
use super::velocity::Velocity;

/// Why a strided defect could not be computed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StridedError {
    /// The stride leaves samples over, so that the coarse samples are no grid of the torus.
    #[error(
        "the stride of {} along x and {} along y does not divide the grid of {} columns and {} rows",
        .stride.x, .stride.y, .grid.x, .grid.y
    )]
    Indivisible {
        /// The stride.
        stride: GridSize,
        /// The grid.
        grid: GridSize,
    },
    /// The transform failed.
    #[error(transparent)]
    Transform(#[from] TransformError),
}

/// The three forms of the aliasing theorem as mean squares, in the convention h = Σ H_n e^{2πi n·x}.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Forms {
    /// (2π)² Σ_k |Σ_{n ≡ k} v·(s_M(k) − s_N(n)) G_n H_n|²: what any signal does.
    pub exact: f64,
    /// (2π)² Σ_n |G_n H_n|² (v·(s_M(k) − s_N(n)))²: its average over all translations of the signal.
    pub diagonal: f64,
    /// (2π)² Σ_n |G_n H_n|² Σ_axis (v_axis (s_M(k) − s_N(n))_axis)²: its average over a reflection as well; Theorem 1
    /// of Gruver et al. (arXiv 2210.02984), less its factor of 1/(2π)².
    pub paper: f64,
}

impl std::ops::AddAssign for Forms {
    fn add_assign(&mut self, other: Self) {
        self.exact += other.exact;
        self.diagonal += other.diagonal;
        self.paper += other.paper;
    }
}

/// What the theorem predicts for a strided sampling, channel by channel.
#[derive(Clone, Debug, PartialEq)]
pub struct StridedDefect {
    /// The Fourier coefficients of the defect δ = (v·∇h sampled) − v·∇(h sampled), on the coarse grid.
    pub spectrum: HalfSpectrum,
    /// The three forms per channel; `exact` is the mean square of the samples of δ.
    pub forms: Vec<Forms>,
}

/// The defect that keeping every `stride`-th sample has under translation along `velocity`, predicted from Fourier
/// coefficients alone:
///
/// δ_k = 2πi Σ_{n ≡ k mod M} v·(s_N(n) − s_M(k)) H_n,
///
/// where N is the spectrum's grid, M = N/s, and s_N the derivative symbols of [`GridSize::derivative_symbol`]. Multiply
/// the spectrum by a filter's transfer function first where there is one.
///
/// # Errors
/// A stride that does not divide the grid.
pub fn strided_defect(
    spectrum: &HalfSpectrum,
    stride: GridSize,
    velocity: Velocity,
) -> Result<StridedDefect, StridedError> {
    let grid = spectrum.grid();
    let coarse = grid.strided(stride).ok_or(StridedError::Indivisible { stride, grid })?;
    let half = coarse.x / 2 + 1;
    let symbols = |n: usize| -> Vec<f64> {
        let wave = |i: usize| Wave::new(i as i64, i as i64);
        (0..n).map(|i| GridSize::square(n).derivative_symbol(wave(i)).x as f64).collect()
    };
    let (fine_x, fine_y, coarse_x, coarse_y) = (symbols(grid.x), symbols(grid.y), symbols(coarse.x), symbols(coarse.y));

    let mut bins: Array3<Complex64> = Array3::zeros((spectrum.channels(), coarse.y, half));
    let mut forms = Vec::with_capacity(spectrum.channels());
    for (channel, mut folded) in bins.outer_iter_mut().enumerate() {
        let source = spectrum.bins();
        let source = source.index_axis(ndarray::Axis(0), channel);
        let rows: Vec<_> = folded.outer_iter_mut().enumerate().collect();
        let per_row: Vec<Forms> = rows
            .into_par_iter()
            .map(|(row, mut sums)| {
                let mut forms = Forms::default();
                for y in (row..grid.y).step_by(coarse.y) {
                    let by_y = velocity.y * (fine_y[y] - coarse_y[row]);
                    let here = source.row(y);
                    let mirrored = source.row((grid.y - y) % grid.y);
                    for first in (0..grid.x).step_by(coarse.x) {
                        for (column, sum) in sums.iter_mut().enumerate() {
                            let x = first + column;
                            let value = if x <= grid.x / 2 { here[x] } else { mirrored[grid.x - x].conj() };
                            let by_x = velocity.x * (fine_x[x] - coarse_x[column]);
                            *sum += value * (by_x + by_y);
                            let power = multiplicity(coarse, column) * value.norm_sqr();
                            forms.diagonal += power * (by_x + by_y) * (by_x + by_y);
                            forms.paper += power * (by_x * by_x + by_y * by_y);
                        }
                    }
                }
                for (column, sum) in sums.iter_mut().enumerate() {
                    forms.exact += multiplicity(coarse, column) * sum.norm_sqr();
                    // δ itself carries the 2πi that the forms take as (2π)².
                    *sum *= Complex64::new(0.0, 2.0 * PI);
                }
                forms
            })
            .collect();
        let mut total = Forms::default();
        // In the order of rows, so that the sum does not depend on the number of threads.
        per_row.into_iter().for_each(|row| total += row);
        let square = 4.0 * PI * PI;
        forms.push(Forms {
            exact: square * total.exact,
            diagonal: square * total.diagonal,
            paper: square * total.paper,
        });
    }
    Ok(StridedDefect { spectrum: HalfSpectrum::from_bins(coarse, bins)?, forms })
}

/// The same defect measured on samples, by the road that a network takes and not by the formula: differentiate the
/// field, keep every `stride`-th sample of both, differentiate the kept samples of the field, subtract.
///
/// From `[channels, rows, columns]` to the samples of δ, `[channels, rows/s_y, columns/s_x]`.
///
/// # Errors
/// A stride that does not divide the grid, or fields without samples.
pub fn measured_strided_defect(
    fields: ArrayView3<'_, f64>,
    stride: GridSize,
    velocity: Velocity,
) -> Result<Array3<f64>, StridedError> {
    let (_, rows, columns) = fields.dim();
    let grid = GridSize::new(columns, rows);
    if grid.strided(stride).is_none() {
        return Err(StridedError::Indivisible { stride, grid });
    }
    let keep = ndarray::s![.., ..;stride.y as isize, ..;stride.x as isize];
    let kept_slope = {
        let slope = HalfSpectrum::from_samples(fields)?.differentiate(velocity).into_samples()?;
        slope.slice(keep).to_owned()
    };
    let kept = fields.slice(keep).to_owned();
    let slope_of_kept = HalfSpectrum::from_samples(kept.view())?.differentiate(velocity).into_samples()?;
    Ok(kept_slope - slope_of_kept)
}

/// The mean square over samples, per channel.
pub fn mean_square(fields: ArrayView3<'_, f64>) -> Vec<f64> {
    fields
        .outer_iter()
        .map(|field| field.iter().map(|value| value * value).sum::<f64>() / field.len().max(1) as f64)
        .collect()
}
