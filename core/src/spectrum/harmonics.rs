//! The harmonics that a pointwise nonlinearity makes of a cosine: c_k of σ(a cos θ) = Σ_k c_k e^{ikθ}.

use std::f64::consts::PI;

use num_complex::Complex64;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::activation::{Activation, EntireDecay};
use super::alias::alias;
use super::filter::{Filter, FilterError, Response};
use super::{GridSize, Wave};

/// The version of [`HarmonicsReport`]'s JSON.
pub const HARMONICS_SCHEMA_VERSION: u32 = 1;

/// The most samples of a signal.
pub const MAX_SIGNAL: usize = 1 << 20;

/// The most times a signal is oversampled.
pub const MAX_OVERSAMPLE: usize = 1 << 12;

/// Below this share of the largest harmonic, what quadrature returns is rounding.
const FLOOR: f64 = 1e-14;

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

/// How |c_k| falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Law {
    /// No harmonics beyond the degree; the rate is the degree.
    Polynomial,
    /// |c_k| ∝ k^{−p}; the rate is p.
    Algebraic,
    /// |c_k| ∝ k^q e^{−ηk}; the rate is η.
    Exponential,
    /// ln |c_k| ≈ −r k ln k: faster than any exponential; the rate is r, 1/2 for GELU, 1 for the sine.
    SuperExponential,
}

/// The law, its predicted rate, and the rate fitted to the harmonics.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decay {
    /// The law.
    pub law: Law,
    /// The rate fitted; null where too few harmonics stand above rounding.
    pub fitted: Option<f64>,
    /// The rate predicted.
    pub predicted: f64,
}

/// The harmonics of one signal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HarmonicsReport {
    /// [`HARMONICS_SCHEMA_VERSION`].
    pub schema_version: u32,
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

/// c_0 … c_`highest` of σ(a cos θ), c_k = (1/π)∫₀^π σ(a cos θ) cos kθ dθ; c_{−k} = c_k, all real.
///
/// Gauss–Legendre panels between the points where a cos θ meets a kink of σ, short enough for the fastest cosine:
/// absolute error about 1e-15 times the largest |σ|.
pub fn coefficients(activation: &Activation, amplitude: f64, highest: usize) -> Vec<f64> {
    let mut breaks = vec![0.0, PI];
    let kinks = activation.kinks();
    breaks.extend(kinks.iter().map(|(x, _)| x / amplitude).filter(|w| w.abs() < 1.0).map(f64::acos));
    breaks.sort_by(f64::total_cmp);
    let (nodes, weights) = gauss_legendre();
    // Poles of σ near the real line are 1/a away in θ, and the cosine turns k times: panels resolve both.
    let per_unit = (highest as f64 / 6.0).max(4.0 * amplitude).clamp(8.0, 4000.0);
    let mut sums = vec![0.0; highest + 1];
    for pair in breaks.windows(2) {
        let length = pair[1] - pair[0];
        let panels = (length * per_unit).ceil().max(1.0) as usize;
        let half = 0.5 * length / panels as f64;
        for panel in 0..panels {
            let centre = pair[0] + (2 * panel + 1) as f64 * half;
            for (node, weight) in nodes.iter().zip(&weights) {
                let theta = centre + half * node;
                let value = activation.value(amplitude * theta.cos()) * weight * half / PI;
                // cos kθ by its recurrence would lose digits with k; a rotation keeps them.
                let turn = Complex64::cis(theta);
                let mut wave = Complex64::ONE;
                for (k, sum) in sums.iter_mut().enumerate() {
                    if k % 64 == 0 {
                        wave = Complex64::cis(k as f64 * theta);
                    }
                    *sum += value * wave.re;
                    wave *= turn;
                }
            }
        }
    }
    sums
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
    rustfft::FftPlanner::new().plan_fft_forward(points).process(&mut spectrum);
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

/// The decay law of σ(a cos θ)'s harmonics, with its rate fitted to c_0, c_1, ….
///
/// - A kink of order p inside (−a, a): k^{−p−1}.
/// - Otherwise the singularity z of σ nearest to the real line in the ellipse's measure: e^{−kη},
///   η = |Im arccos(z/a)|, which is sinh η = Im z/a for z on the imaginary axis.
/// - Entire functions: faster than exponential.
pub fn decay(activation: &Activation, amplitude: f64, coefficients: &[f64]) -> Decay {
    let magnitudes: Vec<f64> = coefficients.iter().map(|c| c.abs()).collect();
    let largest = magnitudes.iter().skip(1).copied().fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let last_occupied = magnitudes.iter().rposition(|c| *c > 1e-12 * largest).unwrap_or(0);
    if let Some(degree) = activation.degree_on(amplitude) {
        return Decay { law: Law::Polynomial, fitted: Some(last_occupied as f64), predicted: degree as f64 };
    }
    let inside = activation.kinks().into_iter().filter(|(x, _)| x.abs() < amplitude);
    if let Some(order) = inside.map(|(_, order)| order).min() {
        let envelope = upper_envelope(&magnitudes, FLOOR * largest, 16);
        let points = envelope.iter().map(|(k, c)| (k.ln(), c.ln()));
        let fitted = slope(points).map(|slope| -slope);
        return Decay { law: Law::Algebraic, fitted, predicted: f64::from(order) + 1.0 };
    }
    if let Some((singularity, power)) = activation.nearest_singularity() {
        // |Im arccos w| = ln |w + √(w² − 1)|, on the branch outside the unit circle.
        let w = singularity / amplitude;
        let outside = (w + (w * w - 1.0).sqrt()).norm();
        let predicted = outside.max(1.0 / outside).ln();
        let envelope = upper_envelope(&magnitudes, FLOOR * largest, 6);
        let points = envelope.iter().map(|(k, c)| (*k, c.ln() - power * k.ln()));
        return Decay { law: Law::Exponential, fitted: slope(points).map(|slope| -slope), predicted };
    }
    let EntireDecay { rate, first, local } = activation.entire_decay(amplitude);
    let envelope = upper_envelope(&magnitudes, FLOOR * largest, first);
    let rates = envelope.windows(2).map(|pair| {
        let [(k0, c0), (k1, c1)] = [pair[0], pair[1]];
        let (growth, correction) = local(0.5 * (k0 + k1), amplitude);
        (growth, -(c1.ln() - c0.ln()) / (k1 - k0) - correction)
    });
    Decay { law: Law::SuperExponential, fitted: slope(rates), predicted: rate }
}

/// The harmonics from `first` on that no later one exceeds, down to a floor: zeros and beats between two singularities
/// fall out.
fn upper_envelope(magnitudes: &[f64], floor: f64, first: usize) -> Vec<(f64, f64)> {
    let mut envelope = Vec::new();
    let mut largest = floor;
    for (k, c) in magnitudes.iter().enumerate().skip(first).rev() {
        if *c > largest {
            largest = *c;
            envelope.push((k as f64, *c));
        }
    }
    envelope.reverse();
    envelope
}

/// The slope of the least-squares line through points; nothing for fewer than three.
fn slope(points: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    let points: Vec<_> = points.collect();
    let n = points.len() as f64;
    if points.len() < 3 {
        return None;
    }
    let mean = |f: fn(&(f64, f64)) -> f64| points.iter().map(f).sum::<f64>() / n;
    let (mx, my) = (mean(|p| p.0), mean(|p| p.1));
    let covariance: f64 = points.iter().map(|(x, y)| (x - mx) * (y - my)).sum();
    let variance: f64 = points.iter().map(|(x, _)| (x - mx).powi(2)).sum();
    (variance > 0.0).then(|| covariance / variance)
}

/// The 16 nodes and weights of Gauss and Legendre on [−1, 1], by Newton's iteration on P₁₆.
fn gauss_legendre() -> (Vec<f64>, Vec<f64>) {
    const POINTS: usize = 16;
    (0..POINTS)
        .map(|i| {
            let mut x = (PI * (i as f64 + 0.75) / (POINTS as f64 + 0.5)).cos();
            let mut derivative = 1.0;
            // Quadratic convergence from Tricomi's estimate: six steps are more than enough.
            for _ in 0..6 {
                let (mut previous, mut current) = (1.0, x);
                for n in 2..=POINTS {
                    let n = n as f64;
                    (previous, current) = (current, ((2.0 * n - 1.0) * x * current - (n - 1.0) * previous) / n);
                }
                derivative = POINTS as f64 * (x * current - previous) / (x * x - 1.0);
                x -= current / derivative;
            }
            (x, 2.0 / ((1.0 - x * x) * derivative * derivative))
        })
        .unzip()
}
