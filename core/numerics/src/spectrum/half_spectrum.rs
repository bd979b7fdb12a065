//! The Fourier coefficients of real fields sampled on a grid.

use std::f64::consts::TAU;

use ndarray::parallel::prelude::*;
use ndarray::{Array1, Array3, ArrayView3, Axis, s};
use num_complex::Complex64;

use super::alias::{GridSize, Wave, derivative_symbol};
use super::transform::{RealTransform, TransformError};
use super::velocity::Velocity;

/// The Fourier coefficients of real fields on a grid, one field per channel; only the half that the other half is the
/// conjugate of: `[channels, rows, columns/2 + 1]`, rows in the order 0, 1, …, −2, −1.
#[derive(Clone, Debug, PartialEq)]
pub struct HalfSpectrum {
    grid: GridSize,
    bins: Array3<Complex64>,
}

impl HalfSpectrum {
    /// H_n = (1/N) Σ_j h_j e^{−2πi n·j/N} of real fields `[channels, rows, columns]`.
    ///
    /// # Errors
    /// Fields without samples.
    pub fn from_samples(fields: ArrayView3<'_, f64>) -> Result<Self, TransformError> {
        let (_, rows, columns) = fields.dim();
        let grid = GridSize::new(columns, rows);
        Ok(Self { grid, bins: RealTransform::new(grid)?.forward(fields)? })
    }

    /// The spectrum with these bins, `[channels, grid.y, grid.x/2 + 1]`.
    ///
    /// # Errors
    /// Bins of another shape than the grid's half spectrum.
    pub fn from_bins(grid: GridSize, bins: Array3<Complex64>) -> Result<Self, TransformError> {
        let (_, rows, half) = bins.dim();
        if grid.is_empty() {
            return Err(TransformError::Empty { x: grid.x, y: grid.y });
        }
        if (rows, half) != (grid.y, grid.x / 2 + 1) {
            return Err(TransformError::Shape {
                expected: format!("{} rows and {} columns of bins", grid.y, grid.x / 2 + 1),
                given: format!("{rows} rows and {half} columns"),
            });
        }
        Ok(Self { grid, bins })
    }

    /// The samples `[channels, rows, columns]`; undoes [`Self::from_samples`].
    ///
    /// # Errors
    /// None that a value of this type can cause.
    pub fn into_samples(self) -> Result<Array3<f64>, TransformError> {
        RealTransform::new(self.grid)?.inverse(self.bins)
    }

    /// The grid that the samples lie on.
    pub fn grid(&self) -> GridSize {
        self.grid
    }

    /// The number of fields.
    pub fn channels(&self) -> usize {
        self.bins.dim().0
    }

    /// The coefficients, `[channels, rows, columns/2 + 1]`.
    pub fn bins(&self) -> ArrayView3<'_, Complex64> {
        self.bins.view()
    }

    /// The wave of a bin of the half spectrum: its column is that of +x, with an even grid's Nyquist column −x/2.
    pub fn wave(&self, row: usize, column: usize) -> Wave {
        self.grid.alias(Wave::new(column as i64, row as i64))
    }

    /// How many bins of the whole spectrum a column of the half spectrum stands for: itself and, unless it is its own
    /// mirror image, the conjugate one.
    pub fn multiplicity(&self, column: usize) -> f64 {
        multiplicity(self.grid, column)
    }

    /// The coefficient of any wave, taken modulo the grid.
    pub fn coefficient(&self, channel: usize, wave: Wave) -> Complex64 {
        let row = wave.y.rem_euclid(self.grid.y as i64) as usize;
        let column = wave.x.rem_euclid(self.grid.x as i64) as usize;
        if column <= self.grid.x / 2 {
            self.bins[[channel, row, column]]
        } else {
            self.bins[[channel, (self.grid.y - row) % self.grid.y, self.grid.x - column]].conj()
        }
    }

    /// Σ_n |H_n|² per channel: by Parseval the mean square of the samples.
    pub fn energy(&self) -> Array1<f64> {
        self.energy_where(|_| true)
    }

    /// Σ |H_n|² per channel over the waves that `counts`.
    pub fn energy_where(&self, counts: impl Fn(Wave) -> bool) -> Array1<f64> {
        let mut energy = Array1::zeros(self.channels());
        for (total, channel) in energy.iter_mut().zip(self.bins.outer_iter()) {
            for ((row, column), bin) in channel.indexed_iter() {
                if counts(self.wave(row, column)) {
                    *total += self.multiplicity(column) * bin.norm_sqr();
                }
            }
        }
        energy
    }

    /// Σ |H_n|² per channel over the waves that a coarser grid cannot hold: 2|n| ≥ M on either axis.
    pub fn energy_above(&self, grid: GridSize) -> Array1<f64> {
        self.energy_where(|wave| !grid.resolves(wave))
    }

    /// v·∇: each coefficient times 2πi v·s_N(n), with the derivative of an even grid's Nyquist bin 0.
    pub fn differentiate(mut self, velocity: Velocity) -> Self {
        let rates = |samples: usize, speed: f64| -> Vec<f64> {
            (0..samples).map(|n| TAU * speed * derivative_symbol(n as i64, samples) as f64).collect()
        };
        let (by_x, by_y) = (rates(self.grid.x, velocity.x), rates(self.grid.y, velocity.y));
        for mut channel in self.bins.outer_iter_mut() {
            channel.axis_iter_mut(Axis(0)).into_par_iter().zip(&by_y).for_each(|(mut row, by_y)| {
                for (bin, by_x) in row.iter_mut().zip(&by_x) {
                    let rate = by_x + by_y;
                    *bin = Complex64::new(-rate * bin.im, rate * bin.re);
                }
            });
        }
        self
    }

    /// Each coefficient times a factor that depends on its wave; the factors must be those of a real operator,
    /// conjugate at opposite waves.
    pub fn multiply(&mut self, factor: impl Fn(Wave) -> Complex64) {
        let grid = self.grid;
        for mut channel in self.bins.outer_iter_mut() {
            for ((row, column), bin) in channel.indexed_iter_mut() {
                *bin *= factor(grid.alias(Wave::new(column as i64, row as i64)));
            }
        }
    }

    /// [`Self::multiply`] with rows in parallel.
    pub fn par_multiply(&mut self, factor: impl Fn(Wave) -> Complex64 + Sync) {
        let grid = self.grid;
        for mut channel in self.bins.outer_iter_mut() {
            channel.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(row, mut bins)| {
                for (column, bin) in bins.iter_mut().enumerate() {
                    *bin *= factor(grid.alias(Wave::new(column as i64, row as i64)));
                }
            });
        }
    }

    /// The spectrum of every `stride`-th sample: each bin k of the coarse grid gets Σ_{n ≡ k} H_n. Nothing where the
    /// stride does not divide the grid.
    pub fn fold(&self, stride: GridSize) -> Option<Self> {
        let (grid, coarse) = (self.grid, self.grid.strided(stride)?);
        let mut bins: Array3<Complex64> = Array3::zeros((self.channels(), coarse.y, coarse.x / 2 + 1));
        for (source, mut folded) in self.bins.outer_iter().zip(bins.outer_iter_mut()) {
            folded.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(row, mut sums)| {
                for y in (row..grid.y).step_by(coarse.y) {
                    // The other half is the conjugate of this one at the opposite wave.
                    let (here, mirrored) = (source.row(y), source.row((grid.y - y) % grid.y));
                    for first in (0..grid.x).step_by(coarse.x) {
                        for (x, sum) in (first..).zip(&mut sums) {
                            *sum += if x <= grid.x / 2 { here[x] } else { mirrored[grid.x - x].conj() };
                        }
                    }
                }
            });
        }
        Some(Self { grid: coarse, bins })
    }

    /// The samples of the trigonometric interpolant on a grid `factor` times finer; an even grid's Nyquist bins are
    /// split in halves between +N/2 and −N/2, which keeps a real field real.
    pub fn oversample(&self, factor: GridSize) -> Option<Self> {
        let fine = GridSize::new(self.grid.x.checked_mul(factor.x)?, self.grid.y.checked_mul(factor.y)?);
        if fine.is_empty() || factor == GridSize::square(1) {
            return (!fine.is_empty()).then(|| self.clone());
        }
        let mut bins = Array3::zeros((self.channels(), fine.y, fine.x / 2 + 1));
        for ((channel, row, column), bin) in self.bins.indexed_iter() {
            let wave = self.wave(row, column);
            let splits_x = factor.x > 1 && self.grid.x.is_multiple_of(2) && column == self.grid.x / 2;
            let splits_y = factor.y > 1 && self.grid.y.is_multiple_of(2) && row == self.grid.y / 2;
            // The half at −N_x/2 is the conjugate of one at +N_x/2, and lies outside the half spectrum.
            let share = if splits_x { 0.5 } else { 1.0 } * if splits_y { 0.5 } else { 1.0 };
            let row = |y: i64| y.rem_euclid(fine.y as i64) as usize;
            bins[[channel, row(wave.y), column]] += bin * share;
            if splits_y {
                bins[[channel, row(-wave.y), column]] += bin * share;
            }
        }
        Some(Self { grid: fine, bins })
    }

    /// One channel as a spectrum of its own; nothing where there is no such channel.
    pub fn channel(&self, channel: usize) -> Option<Self> {
        (channel < self.channels())
            .then(|| Self { grid: self.grid, bins: self.bins.slice(s![channel..=channel, .., ..]).to_owned() })
    }

    /// The power |H_n|² over the whole plane, summed over channels: `[rows, columns]` with waves ascending from −N/2,
    /// the constant at (⌊rows/2⌋, ⌊columns/2⌋).
    pub fn centred_power(&self) -> ndarray::Array2<f64> {
        let (half_y, half_x) = (self.grid.y as i64 / 2, self.grid.x as i64 / 2);
        ndarray::Array2::from_shape_fn((self.grid.y, self.grid.x), |(row, column)| {
            let wave = Wave::new(column as i64 - half_x, row as i64 - half_y);
            (0..self.bins.len_of(Axis(0))).map(|channel| self.coefficient(channel, wave).norm_sqr()).sum()
        })
    }
}

/// See [`HalfSpectrum::multiplicity`].
pub(super) fn multiplicity(grid: GridSize, column: usize) -> f64 {
    if column == 0 || 2 * column == grid.x { 1.0 } else { 2.0 }
}
