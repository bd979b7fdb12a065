//! Fourier series on the torus.

use std::collections::BTreeMap;
use std::f64::consts::{PI, TAU};

use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis, s};
use num_complex::Complex64;
use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::alias::{GridSize, Wave};
use super::half_spectrum::HalfSpectrum;
use super::transform::TransformError;
use super::velocity::Velocity;

/// h(x, y) = Σ_n H_n e^{2πi(n_x x + n_y y)} on the torus \[0, 1)², one value per channel.
///
/// Sparse: only harmonics that were given are kept, in ascending order. A series in one dimension has n_y = 0.
#[derive(Clone, Debug, PartialEq)]
pub struct FourierSeries {
    channels: usize,
    terms: BTreeMap<Wave, Vec<Complex64>>,
}

/// Why there is no series.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum SeriesError {
    /// A series of nothing.
    #[error("a Fourier series needs at least one harmonic")]
    NoHarmonics,
    /// The same harmonic twice: summing and replacing would both be guesses.
    #[error("harmonic ({}, {}) is given twice; give each harmonic once", .0.x, .0.y)]
    Duplicate(Wave),
    /// NaN or infinity.
    #[error("the coefficient of harmonic ({}, {}) is not finite", .0.x, .0.y)]
    NotFinite(Wave),
    /// A harmonic whose phase f64 cannot hold.
    #[error("harmonic ({}, {}) is beyond the limit of {MAX_BAND}", .0.x, .0.y)]
    OutOfBand(Wave),
    /// Coefficients of another number of channels.
    #[error("harmonic ({}, {}) has {given} coefficients, and the series has {expected} channels", .wave.x, .wave.y)]
    Channels {
        /// The harmonic.
        wave: Wave,
        /// The number of its coefficients.
        given: usize,
        /// The channels of the series.
        expected: usize,
    },
    /// A random series without a band, or of too many harmonics.
    #[error("a random series needs a band from 1 to {MAX_RANDOM_BAND}, and the band is {0}")]
    Band(u64),
    /// The transform of samples failed.
    #[error(transparent)]
    Transform(#[from] TransformError),
}

/// The largest |n| on either axis.
pub const MAX_BAND: u64 = 1 << 20;

/// The widest random series: (2·256 + 1)² harmonics.
pub const MAX_RANDOM_BAND: u64 = 256;

/// A random series: independent Gaussian coefficients of standard deviation (1 + |n|)^(−`decay`), |n| = √(n_x² + n_y²).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomSeries {
    /// The largest |n_x| and |n_y|.
    pub band: u64,
    /// How fast coefficients fall off; 0 for white.
    pub decay: f64,
    /// Whether the field is real, H_{−n} = conj H_n.
    pub real: bool,
    /// The seed of the ChaCha8 generator.
    pub seed: u64,
}

impl FourierSeries {
    /// The series with these harmonics and one channel.
    ///
    /// # Errors
    /// No harmonics, one given twice, one beyond [`MAX_BAND`], or a coefficient that is not finite.
    pub fn new(terms: impl IntoIterator<Item = (Wave, Complex64)>) -> Result<Self, SeriesError> {
        Self::with_channels(1, terms.into_iter().map(|(wave, value)| (wave, vec![value])))
    }

    /// The series with these harmonics, each with a coefficient per channel.
    ///
    /// # Errors
    /// Those of [`Self::new`], and a harmonic with another number of coefficients.
    pub fn with_channels(
        channels: usize,
        terms: impl IntoIterator<Item = (Wave, Vec<Complex64>)>,
    ) -> Result<Self, SeriesError> {
        let mut kept = BTreeMap::new();
        for (wave, values) in terms {
            if values.len() != channels {
                return Err(SeriesError::Channels { wave, given: values.len(), expected: channels });
            }
            if wave.band() > MAX_BAND {
                return Err(SeriesError::OutOfBand(wave));
            }
            if !values.iter().all(|value| value.is_finite()) {
                return Err(SeriesError::NotFinite(wave));
            }
            if kept.insert(wave, values).is_some() {
                return Err(SeriesError::Duplicate(wave));
            }
        }
        if kept.is_empty() { Err(SeriesError::NoHarmonics) } else { Ok(Self { channels, terms: kept }) }
    }

    /// A random series with one channel.
    ///
    /// # Errors
    /// A band of 0 or beyond [`MAX_RANDOM_BAND`].
    pub fn random(options: RandomSeries) -> Result<Self, SeriesError> {
        Self::random_within(options, options.band)
    }

    /// A random series in one dimension, along x.
    ///
    /// # Errors
    /// As [`Self::random`].
    pub fn random_along_x(options: RandomSeries) -> Result<Self, SeriesError> {
        Self::random_within(options, 0)
    }

    fn random_within(options: RandomSeries, band_y: u64) -> Result<Self, SeriesError> {
        if options.band == 0 || options.band > MAX_RANDOM_BAND {
            return Err(SeriesError::Band(options.band));
        }
        let band = options.band as i64;
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        let mut terms = BTreeMap::new();
        let band_y = band_y as i64;
        for y in -band_y..=band_y {
            for x in -band..=band {
                let wave = Wave::new(x, y);
                let value = gaussian(&mut rng) * (1.0 + (x as f64).hypot(y as f64)).powf(-options.decay);
                if !options.real {
                    terms.insert(wave, vec![value]);
                } else if wave == wave.reversed() {
                    terms.insert(wave, vec![value.re.into()]);
                } else if wave > wave.reversed() {
                    terms.insert(wave, vec![value]);
                    terms.insert(wave.reversed(), vec![value.conj()]);
                }
            }
        }
        Ok(Self { channels: 1, terms })
    }

    /// The trigonometric interpolant of real samples `[channels, rows, columns]`: the field of this grid's band that
    /// passes through them. An even grid's Nyquist bins are split in halves between +N/2 and −N/2.
    ///
    /// # Errors
    /// Fields without samples, or samples that are not finite.
    pub fn from_samples(fields: ArrayView3<'_, f64>) -> Result<Self, SeriesError> {
        let spectrum = HalfSpectrum::from_samples(fields)?;
        let bins = |wave| (0..spectrum.channels()).map(|channel| spectrum.coefficient(channel, wave)).collect();
        Self::interpolant(spectrum.grid(), spectrum.channels(), bins)
    }

    /// The same of complex samples, whose Nyquist bins are split in halves too.
    ///
    /// # Errors
    /// Fields without samples, or samples that are not finite.
    pub fn from_complex_samples(fields: ArrayView3<'_, Complex64>) -> Result<Self, SeriesError> {
        let real = HalfSpectrum::from_samples(fields.mapv(|h| h.re).view())?;
        let imaginary = HalfSpectrum::from_samples(fields.mapv(|h| h.im).view())?;
        let bin = |channel, wave| real.coefficient(channel, wave) + imaginary.coefficient(channel, wave) * Complex64::I;
        let bins = |wave| (0..real.channels()).map(|channel| bin(channel, wave)).collect();
        Self::interpolant(real.grid(), real.channels(), bins)
    }

    /// The interpolant of an image `[rows, columns]`: one channel, its pixels at (column/columns, row/rows).
    ///
    /// # Errors
    /// As [`Self::from_samples`].
    pub fn from_image(image: ArrayView2<'_, f64>) -> Result<Self, SeriesError> {
        Self::from_samples(image.insert_axis(Axis(0)))
    }

    /// The series with a harmonic for each bin of a grid, `[channels, rows, columns]` in the order of the discrete
    /// Fourier transform: 0, 1, …, −2, −1 on each axis. An even grid's Nyquist bins are the harmonics −N/2.
    ///
    /// # Errors
    /// No coefficients, or one that is not finite.
    pub fn from_coefficients(coefficients: ArrayView3<'_, Complex64>) -> Result<Self, SeriesError> {
        let (channels, rows, columns) = coefficients.dim();
        let grid = GridSize::new(columns, rows);
        let terms = (0..grid.len()).map(|k| {
            let (row, column) = (k / columns, k % columns);
            let values = coefficients.slice(s![.., row, column]).to_vec();
            (grid.alias(Wave::new(column as i64, row as i64)), values)
        });
        Self::with_channels(channels, terms)
    }

    /// The coefficient of each bin of a grid, `[channels, rows, columns]` in the order of the discrete Fourier
    /// transform; harmonics that the grid cannot hold are summed onto the bins where they fold.
    pub fn coefficients_on(&self, grid: GridSize) -> Array3<Complex64> {
        let mut bins: Array3<Complex64> = Array3::zeros((self.channels, grid.y, grid.x));
        if grid.is_empty() {
            return bins;
        }
        for (wave, values) in &self.terms {
            let (row, column) = (wave.y.rem_euclid(grid.y as i64) as usize, wave.x.rem_euclid(grid.x as i64) as usize);
            bins.slice_mut(s![.., row, column]).iter_mut().zip(values).for_each(|(bin, value)| *bin += value);
        }
        bins
    }

    /// A series in one dimension: Σ_n H_n e^{2πi n x}, the same at every y. Sample it on `GridSize::new(N, 1)`.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn along_x(terms: impl IntoIterator<Item = (i64, Complex64)>) -> Result<Self, SeriesError> {
        Self::new(terms.into_iter().map(|(n, value)| (Wave::new(n, 0), value)))
    }

    /// Bins of a grid as harmonics, with Nyquist bins split in halves.
    fn interpolant(
        grid: GridSize,
        channels: usize,
        bins: impl Fn(Wave) -> Vec<Complex64>,
    ) -> Result<Self, SeriesError> {
        let mut terms: BTreeMap<Wave, Vec<Complex64>> = BTreeMap::new();
        for y in 0..grid.y as i64 {
            for x in 0..grid.x as i64 {
                let values = bins(Wave::new(x, y));
                for (wave, share) in grid.interpolant(Wave::new(x, y)) {
                    terms.insert(wave, values.iter().map(|value| value * share).collect());
                }
            }
        }
        Self::with_channels(channels, terms)
    }

    /// The number of channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The number of harmonics.
    pub fn len(&self) -> usize {
        self.terms.len()
    }

    /// Never: a series has a harmonic at least.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// The harmonics with their coefficients, one per channel, in ascending order.
    pub fn terms(&self) -> impl Iterator<Item = (Wave, &[Complex64])> {
        self.terms.iter().map(|(wave, values)| (*wave, values.as_slice()))
    }

    /// The coefficient of a harmonic, 0 where it is not occupied.
    pub fn coefficient(&self, channel: usize, wave: Wave) -> Complex64 {
        self.terms.get(&wave).and_then(|values| values.get(channel)).copied().unwrap_or_default()
    }

    /// The largest |n_x| or |n_y| of a harmonic whose coefficient is not 0.
    pub fn band(&self) -> u64 {
        let occupied = self.terms.iter().filter(|(_, values)| values.iter().any(|value| *value != Complex64::ZERO));
        occupied.map(|(wave, _)| wave.band()).max().unwrap_or(0)
    }

    /// Σ_n |H_n|², summed over channels: by Parseval the mean square of the field over the torus.
    pub fn energy(&self) -> f64 {
        self.terms.values().flatten().map(Complex64::norm_sqr).sum()
    }

    /// Whether the field is real: H_{−n} = conj H_n to within `tolerance` times the largest coefficient.
    pub fn is_real(&self, tolerance: f64) -> bool {
        let largest = self.terms.values().flatten().map(|value| value.norm()).fold(0.0, f64::max);
        self.terms.iter().all(|(wave, values)| {
            values.iter().enumerate().all(|(channel, value)| {
                (value - self.coefficient(channel, wave.reversed()).conj()).norm() <= tolerance * largest
            })
        })
    }

    /// h at points (x, y) of the torus: `[channels, points]`.
    pub fn evaluate(&self, points: &[[f64; 2]]) -> Array2<Complex64> {
        let mut values = Array2::zeros((self.channels, points.len()));
        for (wave, coefficients) in &self.terms {
            for (index, [x, y]) in points.iter().enumerate() {
                // Whole turns are dropped before they cost digits.
                let turns = (wave.x as f64 * x).fract() + (wave.y as f64 * y).fract();
                let phase = Complex64::cis(TAU * turns);
                for (channel, coefficient) in coefficients.iter().enumerate() {
                    values[[channel, index]] += coefficient * phase;
                }
            }
        }
        values
    }

    /// h at the samples of a grid, `[channels, rows, columns]`, by summing harmonics axis by axis; no transform, and so
    /// no folding, is involved.
    pub fn sample(&self, grid: GridSize) -> Array3<Complex64> {
        let (roots_x, roots_y) = (roots_of_unity(grid.x), roots_of_unity(grid.y));
        let mut samples = Array3::zeros((self.channels, grid.y, grid.x));
        let mut by_row: BTreeMap<i64, Array2<Complex64>> = BTreeMap::new();
        for (wave, coefficients) in &self.terms {
            let along_x = by_row.entry(wave.y).or_insert_with(|| Array2::zeros((self.channels, grid.x)));
            let step = wave.x.rem_euclid(grid.x.max(1) as i64) as usize;
            for (mut line, coefficient) in along_x.outer_iter_mut().zip(coefficients) {
                let mut turn = 0;
                for value in &mut line {
                    *value += coefficient * roots_x[turn];
                    turn = (turn + step) % grid.x;
                }
            }
        }
        for (y, along_x) in by_row {
            let step = y.rem_euclid(grid.y.max(1) as i64) as usize;
            for (mut field, line) in samples.outer_iter_mut().zip(along_x.outer_iter()) {
                for (row, mut out) in field.outer_iter_mut().enumerate() {
                    out.scaled_add(roots_y[row * step % grid.y], &line);
                }
            }
        }
        samples
    }

    /// v·∇h: each coefficient times 2πi v·n.
    pub fn differentiate(&self, velocity: Velocity) -> Self {
        self.filter(|wave| Complex64::new(0.0, velocity.rate(wave)))
    }

    /// h(x − `shift`): each coefficient times e^{−2πi n·shift}.
    pub fn translate(&self, shift: [f64; 2]) -> Self {
        self.filter(|wave| {
            Complex64::cis(-TAU * ((wave.x as f64 * shift[0]).fract() + (wave.y as f64 * shift[1]).fract()))
        })
    }

    /// Each coefficient times a transfer function G_n.
    pub fn filter(&self, transfer: impl Fn(Wave) -> Complex64) -> Self {
        let scaled = |(wave, values): (&Wave, &Vec<Complex64>)| {
            let factor = transfer(*wave);
            (*wave, values.iter().map(|value| value * factor).collect())
        };
        Self { channels: self.channels, terms: self.terms.iter().map(scaled).collect() }
    }

    /// The pointwise product with another series, whose coefficients are the convolution of both; channel by channel.
    ///
    /// # Errors
    /// Another number of channels, or a product beyond [`MAX_BAND`].
    pub fn multiply(&self, other: &Self) -> Result<Self, SeriesError> {
        let mut product: BTreeMap<Wave, Vec<Complex64>> = BTreeMap::new();
        for (a, left) in &self.terms {
            for (b, right) in &other.terms {
                if left.len() != right.len() {
                    return Err(SeriesError::Channels { wave: *b, given: right.len(), expected: left.len() });
                }
                let wave = Wave::new(a.x + b.x, a.y + b.y);
                let sums = product.entry(wave).or_insert_with(|| vec![Complex64::ZERO; left.len()]);
                sums.iter_mut().zip(left.iter().zip(right)).for_each(|(sum, (l, r))| *sum += l * r);
            }
        }
        Self::with_channels(self.channels, product)
    }

    /// What a grid sees: harmonics that agree on it summed onto [`GridSize::alias`].
    pub fn fold(&self, grid: GridSize) -> Self {
        let mut folded: BTreeMap<Wave, Vec<Complex64>> = BTreeMap::new();
        for (wave, values) in &self.terms {
            let sums = folded.entry(grid.alias(*wave)).or_insert_with(|| vec![Complex64::ZERO; self.channels]);
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
        Self { channels: self.channels, terms: folded }
    }
}

/// e^{2πi k/M} for k = 0 … M − 1, from angles of at most an eighth of a turn, so that symmetric values agree exactly.
fn roots_of_unity(count: usize) -> Vec<Complex64> {
    (0..count)
        .map(|k| {
            let eighths = 8 * k / count.max(1);
            // The angle past the nearest quarter turn, in units of a turn over 4·count.
            let quarter = eighths.div_ceil(2);
            let rest = (4 * k) as f64 - (quarter * count) as f64;
            let (sin, cos) = (rest * PI / (2.0 * count as f64)).sin_cos();
            match quarter % 4 {
                0 => Complex64::new(cos, sin),
                1 => Complex64::new(-sin, cos),
                2 => Complex64::new(-cos, -sin),
                _ => Complex64::new(sin, -cos),
            }
        })
        .collect()
}

/// A complex Gaussian of unit variance per component, by Box and Muller's method.
fn gaussian(rng: &mut ChaCha8Rng) -> Complex64 {
    // 1 − u lies in (0, 1], so that its logarithm is finite.
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    Complex64::from_polar(radius, TAU * rng.random::<f64>())
}
