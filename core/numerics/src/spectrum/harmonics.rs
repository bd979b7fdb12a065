//! The harmonics that a pointwise nonlinearity makes of a cosine: c_k of σ(a cos θ) = Σ_k c_k e^{ikθ}.

use std::f64::consts::PI;

use num_complex::Complex64;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::activation::Activation;
use super::alias::alias;
pub use super::decay::{Decay, Law, decay};
use super::filter::{Filter, FilterError, Response};
use super::plans::Real;
pub use super::quadrature::coefficients;
use super::{GridSize, Wave};
use crate::origin::Origin;

/// The version of [`HarmonicsReport`]'s JSON.
pub const HARMONICS_SCHEMA_VERSION: u32 = 1;

/// The most samples of a signal.
pub const MAX_SIGNAL: usize = 1 << 20;

/// The most times a signal is oversampled.
pub const MAX_OVERSAMPLE: usize = 1 << 12;

/// Why there are no harmonics.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum HarmonicsError {
    /// An amplitude of 0, or not finite.
    #[error("the amplitude must be finite and greater than 0, and it is {0}: a constant has no harmonics")]
    Amplitude(f64),
    /// A frequency that the samples do not hold before the nonlinearity.
    #[error("the frequency must be from 1 to {} with {samples} samples, and it is {frequency}", (.samples - 1) / 2)]
    Frequency {
        /// Cycles per unit length.
        frequency: usize,
        /// Samples per unit length.
        samples: usize,
    },
    /// Too few or too many samples.
    #[error("the number of samples must be from 3 to {MAX_SIGNAL}, and it is {0}")]
    Samples(usize),
    /// A stride that leaves samples over.
    #[error("the stride {stride} does not divide the {samples} samples")]
    Stride {
        /// The stride.
        stride: usize,
        /// The samples.
        samples: usize,
    },
    /// Oversampling beyond the limit.
    #[error(
        "oversampling must be from 1 to {MAX_OVERSAMPLE} times with at most {MAX_SIGNAL} samples in all, and it is {0}"
    )]
    Oversample(usize),
    /// A result that f64 does not hold.
    #[error("the harmonics of {0} at this amplitude are too large for f64")]
    NotFinite(Activation),
    /// From the filter.
    #[error(transparent)]
    Filter(#[from] FilterError),
}

/// σ(a cos 2πKx) on N samples, then a filter, then every s-th sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// σ.
    pub activation: Activation,
    /// a.
    pub amplitude: f64,
    /// K, cycles per unit length.
    pub frequency: usize,
    /// N, samples per unit length.
    pub samples: usize,
    /// s.
    pub stride: usize,
    /// The filter before the stride.
    pub filter: Filter,
    /// Coefficients by a discrete transform of this many times N samples, aliases and all; by quadrature, which has
    /// none, where it is not given.
    pub oversample: Option<usize>,
}

/// One harmonic.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Harmonic {
    /// Its number: the harmonic of θ.
    pub k: usize,
    /// Its frequency kK, cycles per unit length.
    pub frequency: i64,
    /// |c_k| of the complex series, after the filter: cos θ has 1/2 at k = 1.
    pub magnitude: f64,
    /// arg c_k, radians.
    pub phase: f64,
    /// Where the last grid sees it.
    pub folds_to: i64,
}

/// The harmonics of one signal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HarmonicsReport {
    /// [`HARMONICS_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Who computed it, and when.
    pub run: Origin,
    /// σ.
    pub activation: String,
    /// a.
    pub amplitude: f64,
    /// K.
    pub frequency: usize,
    /// N.
    pub samples: usize,
    /// s.
    pub stride: usize,
    /// N/s, the last grid.
    pub grid: usize,
    /// The filter.
    pub filter: String,
    /// `quadrature` or `oversampled`.
    pub method: String,
    /// The times of oversampling.
    pub oversample: Option<usize>,
    /// k = 0, 1, 2, …
    pub harmonics: Vec<Harmonic>,
    /// Σ|c_k|² over harmonics at or above the last grid's Nyquist frequency, over Σ|c_k|², both without the constant.
    pub aliased_fraction: f64,
    /// How |c_k| falls, before the filter.
    pub decay: Decay,
    /// The folded spectrum: |Σ c| per bin 0 … ⌊grid/2⌋ of the last grid.
    pub folded: Vec<f64>,
}

/// The harmonics of a signal, and where they fold.
///
/// # Errors
/// Parameters out of range; see [`HarmonicsError`].
pub fn harmonics(signal: &Signal) -> Result<HarmonicsReport, HarmonicsError> {
    let Signal { activation, amplitude, frequency, samples, stride, filter, oversample } = signal;
    let (amplitude, frequency, samples, stride) = (*amplitude, *frequency, *samples, *stride);
    if !amplitude.is_finite() || amplitude <= 0.0 {
        return Err(HarmonicsError::Amplitude(amplitude));
    }
    if !(3..=MAX_SIGNAL).contains(&samples) {
        return Err(HarmonicsError::Samples(samples));
    }
    if frequency == 0 || 2 * frequency >= samples {
        return Err(HarmonicsError::Frequency { frequency, samples });
    }
    if stride == 0 || !samples.is_multiple_of(stride) {
        return Err(HarmonicsError::Stride { stride, samples });
    }
    if let Some(times) = oversample
        && (*times == 0 || *times > MAX_OVERSAMPLE || times * samples > MAX_SIGNAL)
    {
        return Err(HarmonicsError::Oversample(*times));
    }
    let grid = samples / stride;
    let coefficients = match oversample {
        None => coefficients(activation, amplitude, highest(frequency, samples)),
        Some(times) => sampled_coefficients(activation, amplitude, frequency, times * samples),
    };
    if !coefficients.iter().all(|c| c.is_finite()) {
        return Err(HarmonicsError::NotFinite(activation.clone()));
    }
    let response = filter.design(Some(GridSize::square(samples)), GridSize::square(grid))?;
    let filtered = through(&response, &coefficients, frequency);
    let harmonics: Vec<Harmonic> = filtered
        .iter()
        .enumerate()
        .map(|(k, c)| Harmonic {
            k,
            frequency: (k * frequency) as i64,
            magnitude: c.norm(),
            phase: if c.norm() > 0.0 { c.arg() } else { 0.0 },
            folds_to: alias((k * frequency) as i64, grid),
        })
        .collect();
    Ok(HarmonicsReport {
        schema_version: HARMONICS_SCHEMA_VERSION,
        run: Origin::here(),
        activation: activation.to_string(),
        amplitude,
        frequency,
        samples,
        stride,
        grid,
        filter: filter.to_string(),
        method: if oversample.is_some() { "oversampled" } else { "quadrature" }.to_owned(),
        oversample: *oversample,
        aliased_fraction: aliased_fraction(&filtered, frequency, grid),
        decay: decay(activation, amplitude, &coefficients),
        folded: folded(&filtered, frequency, grid),
        harmonics,
    })
}

/// Aliased fractions over amplitude.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AliasedFractions {
    /// K, cycles per unit length.
    pub frequency: usize,
    /// Samples per unit length.
    pub grid: usize,
    /// The amplitudes, ascending.
    pub amplitudes: Vec<f64>,
    /// Per activation its name and the fraction at each amplitude.
    pub curves: Vec<(String, Vec<f64>)>,
}

/// The aliased fraction of each activation at 49 amplitudes from 0.1 to 100, without filter or stride.
///
/// # Errors
/// A frequency that the samples do not hold.
pub fn aliased_fractions(
    activations: &[Activation],
    frequency: usize,
    samples: usize,
) -> Result<AliasedFractions, HarmonicsError> {
    let amplitudes: Vec<f64> = (0..49).map(|step| 10f64.powf(f64::from(step) / 16.0 - 1.0)).collect();
    let mut curves = Vec::new();
    for activation in activations {
        let mut fractions = Vec::new();
        for &amplitude in &amplitudes {
            let signal = Signal {
                activation: activation.clone(),
                amplitude,
                frequency,
                samples,
                stride: 1,
                filter: Filter::None,
                oversample: None,
            };
            fractions.push(harmonics(&signal)?.aliased_fraction);
        }
        curves.push((activation.to_string(), fractions));
    }
    Ok(AliasedFractions { frequency, grid: samples, amplitudes, curves })
}

/// How many harmonics are followed: up to 64 of them, and up to eight times the samples.
fn highest(frequency: usize, samples: usize) -> usize {
    (8 * samples / frequency).clamp(64, 512)
}

/// c_0, c_1, … as a discrete transform of `points` samples sees them: each bin holds its aliases as well.
fn sampled_coefficients(activation: &Activation, amplitude: f64, frequency: usize, points: usize) -> Vec<f64> {
    let values: Vec<f64> = (0..points)
        .map(|j| {
            let turns = (frequency * j % points) as f64 / points as f64;
            activation.value(amplitude * (2.0 * PI * turns).cos())
        })
        .collect();
    let mut spectrum: Vec<Complex64> = values.into_iter().map(Complex64::from).collect();
    f64::plans(points).forward.process(&mut spectrum);
    (0..).map(|k| k * frequency).take_while(|n| 2 * n < points).map(|n| spectrum[n].re / points as f64).collect()
}

fn through(response: &Response, coefficients: &[f64], frequency: usize) -> Vec<Complex64> {
    let gain = |k: usize| response.gain(Wave::new((k * frequency) as i64, 0));
    coefficients.iter().enumerate().map(|(k, c)| gain(k) * c).collect()
}

fn aliased_fraction(coefficients: &[Complex64], frequency: usize, grid: usize) -> f64 {
    let energy = |above: usize| -> f64 {
        coefficients
            .iter()
            .enumerate()
            .skip(1)
            .filter(|(k, _)| 2 * k * frequency >= above)
            .map(|(_, c)| c.norm_sqr())
            .sum()
    };
    let total = energy(0);
    if total > 0.0 { energy(grid) / total } else { 0.0 }
}

/// |Σ c_n| over all n, of both signs, that share a bin of the last grid.
fn folded(coefficients: &[Complex64], frequency: usize, grid: usize) -> Vec<f64> {
    let mut bins = vec![Complex64::ZERO; grid];
    for (k, c) in coefficients.iter().enumerate() {
        let n = (k * frequency) as i64;
        bins[n.rem_euclid(grid as i64) as usize] += c;
        if k > 0 {
            bins[(-n).rem_euclid(grid as i64) as usize] += c.conj();
        }
    }
    bins.iter().take(grid / 2 + 1).map(|bin| bin.norm()).collect()
}

/// c_k in closed form, where there is one; see [`Activation::harmonic`].
pub fn closed_form(activation: &Activation, amplitude: f64, k: usize) -> Option<f64> {
    activation.harmonic(amplitude, k)
}
