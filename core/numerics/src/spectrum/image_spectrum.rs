//! What a nonlinearity does to the spectrum of an image.

use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::activation::Activation;
use super::alias::{GridSize, Wave, is_nyquist};
use super::filter::{Filter, FilterError};
use super::half_spectrum::HalfSpectrum;
use super::strided::StridedError;
use super::transform::TransformError;
use crate::origin::Origin;

/// The most samples of an oversampled image: 8192².
pub const MAX_SAMPLES: usize = 1 << 26;

/// Why there is no spectrum.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ImageSpectrumError {
    /// Too many samples after oversampling.
    #[error("{columns} × {rows} pixels oversampled {oversample} times are more than {MAX_SAMPLES}; oversample less")]
    TooLarge {
        /// Columns.
        columns: usize,
        /// Rows.
        rows: usize,
        /// Times per axis.
        oversample: usize,
    },
    /// An amplitude of 0, or not finite.
    #[error("the amplitude must be finite and greater than 0, and it is {0}")]
    Amplitude(f64),
    /// An image of one colour.
    #[error("the image is constant, and a constant has no harmonics")]
    Constant,
    /// NaN or infinity.
    #[error("{0} of this image is not finite")]
    NotFinite(Activation),
    /// From the filter.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// From the stride.
    #[error(transparent)]
    Strided(#[from] StridedError),
    /// From the transform.
    #[error(transparent)]
    Transform(#[from] TransformError),
}

/// σ applied to an image's interpolant, then a filter and a stride.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageSignal {
    /// σ.
    pub activation: Activation,
    /// The standard deviation that the image is scaled to, its mean removed.
    pub amplitude: f64,
    /// How many times finer σ's harmonics are followed, per axis.
    pub oversample: usize,
    /// The stride after it.
    pub stride: usize,
    /// The filter before the stride.
    pub filter: Filter,
}

/// Energy between two radial frequencies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RadialEnergy {
    /// The middle of the ring, in cycles per pixel.
    pub frequency: f64,
    /// The image's energy there.
    pub before: f64,
    /// The energy of σ of the image there.
    pub after: f64,
}

/// An image's spectrum before and after a nonlinearity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageSpectrumReport {
    /// The version of this JSON.
    pub schema_version: u32,
    /// Who computed it, and when.
    pub run: Origin,
    /// σ.
    pub activation: String,
    /// The standard deviation that the image was scaled to.
    pub amplitude: f64,
    /// The image's grid.
    pub samples: GridSize,
    /// The stride.
    pub stride: usize,
    /// The last grid.
    pub grid: GridSize,
    /// The filter.
    pub filter: String,
    /// Times of oversampling per axis.
    pub oversample: usize,
    /// Share of energy, the constant left out, that the last grid folds.
    pub aliased_fraction: f64,
    /// The same share before σ: what the stride alone folds.
    pub aliased_fraction_before: f64,
    /// Energy in rings.
    pub radial: Vec<RadialEnergy>,
    /// log₁₀|H|² of the image over its own band and beyond, for figures: at most 256 bins per side.
    #[serde(skip)]
    pub power_before: Array2<f64>,
    /// The same of σ of the image.
    #[serde(skip)]
    pub power_after: Array2<f64>,
}

/// The spectrum of an image `[rows, columns]` before and after a nonlinearity.
///
/// # Errors
/// An image or oversampling too large, a constant image, a stride that does not divide.
pub fn image_spectrum(
    image: ArrayView2<'_, f64>,
    signal: &ImageSignal,
) -> Result<ImageSpectrumReport, ImageSpectrumError> {
    let (rows, columns) = image.dim();
    let samples = GridSize::new(columns, rows);
    let ImageSignal { activation, amplitude, oversample, stride, filter } = signal;
    let (amplitude, oversample, stride) = (*amplitude, *oversample, *stride);
    if !amplitude.is_finite() || amplitude <= 0.0 {
        return Err(ImageSpectrumError::Amplitude(amplitude));
    }
    let total = oversample.checked_mul(oversample).and_then(|times| times.checked_mul(samples.len()));
    if total.is_none_or(|total| total == 0 || total > MAX_SAMPLES) {
        return Err(ImageSpectrumError::TooLarge { columns, rows, oversample });
    }
    let square = GridSize::square(stride);
    let grid = samples.strided(square).ok_or(StridedError::Indivisible { stride: square, grid: samples })?;
    let mean = image.mean().unwrap_or(0.0);
    let deviation = (image.mapv(|h| (h - mean).powi(2)).mean().unwrap_or(0.0)).sqrt();
    if deviation <= 1e-12 {
        return Err(ImageSpectrumError::Constant);
    }
    let field = image.mapv(|h| (h - mean) * amplitude / deviation).insert_axis(Axis(0));
    let response = filter.design(Some(samples), grid)?;
    let before = HalfSpectrum::from_samples(field.view())?;
    let refused = ImageSpectrumError::TooLarge { columns, rows, oversample };
    let fine = before.oversample(GridSize::square(oversample)).ok_or(refused)?.into_samples()?;
    let values = fine.mapv(|h| activation.value(h));
    if !values.iter().all(|value| value.is_finite()) {
        return Err(ImageSpectrumError::NotFinite(activation.clone()));
    }
    let mut after = HalfSpectrum::from_samples(values.view())?;
    after.par_multiply(|wave| response.gain(wave));
    let share = |spectrum: &HalfSpectrum| {
        let moving = spectrum.energy_where(|wave| wave.band() > 0).sum();
        if moving > 0.0 { spectrum.energy_above(grid).sum() / moving } else { 0.0 }
    };
    Ok(ImageSpectrumReport {
        schema_version: super::harmonics::HARMONICS_SCHEMA_VERSION,
        run: Origin::here(),
        activation: activation.to_string(),
        amplitude,
        samples,
        stride,
        grid,
        filter: filter.to_string(),
        oversample,
        aliased_fraction: share(&after),
        aliased_fraction_before: share(&before),
        radial: rings(&before, &after, samples),
        power_before: power_map(&before, samples),
        power_after: power_map(&after, samples),
    })
}

/// Energy in 48 rings from 0 to 1.5 cycles per pixel, wherever either spectrum has any.
fn rings(before: &HalfSpectrum, after: &HalfSpectrum, samples: GridSize) -> Vec<RadialEnergy> {
    const RINGS: usize = 48;
    const WIDEST: f64 = 1.5;
    let energies = |spectrum: &HalfSpectrum| {
        let mut rings = vec![0.0; RINGS];
        for ((_, row, column), bin) in spectrum.bins().indexed_iter() {
            let wave = spectrum.wave(row, column);
            let frequency = (wave.x as f64 / samples.x as f64).hypot(wave.y as f64 / samples.y as f64);
            let ring = (frequency / WIDEST * RINGS as f64) as usize;
            if ring < RINGS && wave.band() > 0 {
                rings[ring] += spectrum.multiplicity(column) * bin.norm_sqr();
            }
        }
        rings
    };
    let middle = |ring: usize| (ring as f64 + 0.5) * WIDEST / RINGS as f64;
    let both = energies(before).into_iter().zip(energies(after)).enumerate();
    both.map(|(ring, (before, after))| RadialEnergy { frequency: middle(ring), before, after }).collect()
}

/// log₁₀ of the mean |H|² over blocks of waves from −N to N per axis, N the image's samples: twice its band.
fn power_map(spectrum: &HalfSpectrum, samples: GridSize) -> Array2<f64> {
    const SIDE: usize = 192;
    let (width, height) = (2 * samples.x, 2 * samples.y);
    let (columns, rows) = (width.min(SIDE), height.min(SIDE));
    let mut sums = Array2::<f64>::zeros((rows, columns));
    let mut counts = Array2::<f64>::zeros((rows, columns));
    let mut add = |x: i64, y: i64, power: f64| {
        let place = |n: i64, samples: usize, bins: usize| (n + samples as i64) as usize * bins / (2 * samples);
        if (-(samples.x as i64)..samples.x as i64).contains(&x) && (-(samples.y as i64)..samples.y as i64).contains(&y)
        {
            let at = [place(y, samples.y, rows), place(x, samples.x, columns)];
            sums[at] += power;
            counts[at] += 1.0;
        }
    };
    let grid = spectrum.grid();
    for ((_, row, column), bin) in spectrum.bins().indexed_iter() {
        let wave = spectrum.wave(row, column);
        let mut both_ways = |wave: Wave, power: f64| {
            add(wave.x, wave.y, power);
            if spectrum.multiplicity(column) > 1.0 {
                add(-wave.x, -wave.y, power);
            }
        };
        if is_nyquist(wave.x, grid.x) || is_nyquist(wave.y, grid.y) {
            // As the interpolant has it, on both sides.
            grid.interpolant(wave).into_iter().for_each(|(wave, share)| both_ways(wave, (bin * share).norm_sqr()));
        } else {
            both_ways(wave, bin.norm_sqr());
        }
    }
    ndarray::Zip::from(&sums).and(&counts).map_collect(|sum, count| {
        // Blocks outside the spectrum's own band hold nothing.
        if *count > 0.0 && *sum > 0.0 { (sum / count).log10() } else { f64::NEG_INFINITY }
    })
}
