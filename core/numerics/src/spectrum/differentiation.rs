//! The derivative along an axis of N samples, as an N×N matrix.
//!
//! All are in units per sample: (D h)_i is the derivative of h at sample i where samples lie 1 apart. Divide by the
//! pitch for the derivative in any other unit.

use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

use ndarray::Array2;
use num_complex::Complex64;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::name::UnknownName;

/// How the derivative of a sampled signal is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// The derivative of the trigonometric interpolant: exact for band-limited signals.
    Spectral,
    /// h_{i+1} − h_i.
    Forward,
    /// (h_{i+1} − h_{i−1})/2.
    Central,
    /// Forward or backward difference, sample by sample, as float32 rounding in the sampler of Gruver et al.'s released
    /// code decides. For comparison with their numbers only.
    Authors,
}

/// What lies beyond the first and the last sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Boundary {
    /// The mirror image. Spectral: half-sample symmetric, h₋₁ = h₀, so that the extension is continuous. Differences:
    /// the edge is not repeated, h_N = h_{N−2}, as the sampler of Gruver et al.'s released code does.
    Reflect,
    /// The other end: h_N = h₀.
    Periodic,
}

impl Scheme {
    /// Every scheme, in the order that tables and figures show them.
    pub const ALL: [Self; 4] = [Self::Spectral, Self::Forward, Self::Central, Self::Authors];

    /// The name that the command line and reports use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spectral => "spectral",
            Self::Forward => "forward",
            Self::Central => "central",
            Self::Authors => "authors",
        }
    }
}

impl Boundary {
    /// Every boundary.
    pub const ALL: [Self; 2] = [Self::Reflect, Self::Periodic];

    /// The name that the command line and reports use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reflect => "reflect",
            Self::Periodic => "periodic",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Scheme {
    type Err = UnknownName;

    fn from_str(given: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .into_iter()
            .find(|scheme| scheme.name() == given)
            .ok_or_else(|| UnknownName::new("derivative scheme", given, &Self::ALL.map(Self::name)))
    }
}

impl FromStr for Boundary {
    type Err = UnknownName;

    fn from_str(given: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .into_iter()
            .find(|boundary| boundary.name() == given)
            .ok_or_else(|| UnknownName::new("boundary", given, &Self::ALL.map(Self::name)))
    }
}

/// Why there is no differentiation matrix.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DifferentiationError {
    /// An axis without samples.
    #[error("an axis of 0 samples has no derivative")]
    NoSamples,
    /// The matrix would not be worth its memory.
    #[error(
        "a differentiation matrix of {samples} samples would take {samples}² numbers; the limit is {limit} samples"
    )]
    TooLarge {
        /// The samples asked for.
        samples: usize,
        /// [`MAX_SAMPLES`].
        limit: usize,
    },
    /// A scheme that is defined by its boundary, asked for with another one.
    #[error("the derivative scheme '{scheme}' is not defined with the boundary '{boundary}'; use 'reflect'")]
    Undefined {
        /// The scheme.
        scheme: Scheme,
        /// The boundary it does not go with.
        boundary: Boundary,
    },
}

/// The longest axis that has a matrix: 8192² numbers of f64 are 512 MiB.
pub const MAX_SAMPLES: usize = 8192;

/// D_N, `[samples, samples]`, in units per sample: (D_N h)_i = Σ_j D_N\[i, j\] h_j.
///
/// - `spectral`, `periodic`: ∂ of the trigonometric interpolant of period N, whose entries at distance d = i − j ≠ 0
///   are (π/N)(−1)^d / sin(πd/N) for odd N and (π/N)(−1)^d / tan(πd/N) for even N, where the Nyquist bin's
///   derivative is 0; the diagonal is 0.
/// - `spectral`, `reflect`: the same with period 2N on the even extension h₀ … h_{N−1} h_{N−1} … h₀, its first N rows.
/// - `forward`: h_{i+1} − h_i; `central`: (h_{i+1} − h_{i−1})/2; h_N = h₀ and h₋₁ = h_{N−1} with `periodic`,
///   h_N = h_{N−2} and h₋₁ = h₁ with `reflect`.
/// - `authors`, `reflect`: h_{i+1} − h_i where [`authors_takes_forward`], else h_i − h_{i−1}.
///
/// One sample is a constant, so D_1 = 0 for every scheme.
///
/// # Errors
/// No samples, more than [`MAX_SAMPLES`], or `authors` with `periodic`.
pub fn differentiation_matrix(
    samples: usize,
    scheme: Scheme,
    boundary: Boundary,
) -> Result<Array2<f64>, DifferentiationError> {
    if samples == 0 {
        return Err(DifferentiationError::NoSamples);
    }
    if samples > MAX_SAMPLES {
        return Err(DifferentiationError::TooLarge { samples, limit: MAX_SAMPLES });
    }
    if scheme == Scheme::Authors && boundary == Boundary::Periodic {
        return Err(DifferentiationError::Undefined { scheme, boundary });
    }
    if samples == 1 {
        return Ok(Array2::zeros((1, 1)));
    }
    Ok(match (scheme, boundary) {
        (Scheme::Spectral, Boundary::Periodic) => spectral_periodic(samples),
        (Scheme::Spectral, Boundary::Reflect) => spectral_reflect(samples),
        (Scheme::Forward, _) => differences(samples, boundary, |_| Difference::Forward),
        (Scheme::Central, _) => differences(samples, boundary, |_| Difference::Central),
        (Scheme::Authors, _) => {
            let forward = authors_takes_forward(samples);
            differences(samples, boundary, |i| if forward[i] { Difference::Forward } else { Difference::Backward })
        }
    })
}

/// The entry of the periodic spectral matrix of N samples at distance d = i − j, 0 ≤ d < N.
fn spectral_entry(distance: usize, samples: usize) -> f64 {
    // At d = N/2 the cotangent vanishes; in floating point the quotient would leave 1e-17 of it.
    if distance == 0 || 2 * distance == samples {
        return 0.0;
    }
    let angle = PI * distance as f64 / samples as f64;
    let sign = if distance.is_multiple_of(2) { 1.0 } else { -1.0 };
    let shape = if samples.is_multiple_of(2) { angle.tan() } else { angle.sin() };
    sign * PI / samples as f64 / shape
}

/// The first row of distances of the periodic matrix; the matrix is circulant.
fn spectral_kernel(samples: usize) -> Vec<f64> {
    (0..samples).map(|distance| spectral_entry(distance, samples)).collect()
}

fn spectral_periodic(samples: usize) -> Array2<f64> {
    let kernel = spectral_kernel(samples);
    Array2::from_shape_fn((samples, samples), |(i, j)| kernel[(i + samples - j) % samples])
}

fn spectral_reflect(samples: usize) -> Array2<f64> {
    let period = 2 * samples;
    let kernel = spectral_kernel(period);
    // Sample j of the extension reappears at 2N − 1 − j, so that both columns act on h_j.
    Array2::from_shape_fn((samples, samples), |(i, j)| kernel[(i + period - j) % period] + kernel[(i + j + 1) % period])
}

/// A difference at one sample.
#[derive(Clone, Copy)]
enum Difference {
    Forward,
    Central,
    Backward,
}

fn differences(samples: usize, boundary: Boundary, at: impl Fn(usize) -> Difference) -> Array2<f64> {
    let mut matrix = Array2::zeros((samples, samples));
    for i in 0..samples {
        let after = match boundary {
            _ if i + 1 < samples => i + 1,
            Boundary::Periodic => 0,
            Boundary::Reflect => samples - 2,
        };
        let before = match boundary {
            _ if i > 0 => i - 1,
            Boundary::Periodic => samples - 1,
            Boundary::Reflect => 1,
        };
        let (plus, minus, weight) = match at(i) {
            Difference::Forward => (after, i, 1.0),
            Difference::Central => (after, before, 0.5),
            Difference::Backward => (i, before, 1.0),
        };
        // Added, not assigned: with reflection both neighbours can be the same sample, and then they cancel.
        matrix[[i, plus]] += weight;
        matrix[[i, minus]] -= weight;
    }
    matrix
}

/// Where the scheme `authors` takes the forward difference, per sample of an axis of W = `samples`.
///
/// Gruver et al.'s sampler (arXiv 2210.02984, released code) finds the source index of sample i, in float32, as
/// ((u_i + 1)/2)·(W − 1) with u = linspace(−1, 1, W), and interpolates from its floor. Where rounding leaves the index
/// just below i the slope is that of the interval before i. `torch.linspace` steps from the start in the first half and
/// from the end in the second one, each with one fused multiply-add, which decides the last bit.
pub fn authors_takes_forward(samples: usize) -> Vec<bool> {
    if samples < 2 {
        return vec![true; samples];
    }
    let last = (samples - 1) as f32;
    let step = 2.0_f32 / last;
    (0..samples)
        .map(|i| {
            let u = if i < samples / 2 {
                step.mul_add(i as f32, -1.0)
            } else {
                (-step).mul_add((samples - 1 - i) as f32, 1.0)
            };
            let index = ((u + 1.0) / 2.0) * last;
            index.floor() >= i as f32
        })
        .collect()
}

/// The transfer function of a scheme away from the boundary: D e^{iωj} = T(ω) e^{iωj}, with ω in radians per sample,
/// |ω| ≤ π. The true derivative is iω.
///
/// `spectral` iω (0 at ω = ±π, the Nyquist frequency of an even grid); `forward` e^{iω} − 1; `central` i sin ω;
/// `authors` the mean over the samples of an axis of `samples` of e^{iω} − 1 and 1 − e^{−iω}, since it is no
/// convolution. The other schemes do not look at `samples`.
pub fn transfer_function(scheme: Scheme, samples: usize, omega: f64) -> Complex64 {
    let forward = Complex64::cis(omega) - 1.0;
    match scheme {
        Scheme::Spectral if omega.abs() >= PI => Complex64::ZERO,
        Scheme::Spectral => Complex64::new(0.0, omega),
        Scheme::Forward => forward,
        Scheme::Central => Complex64::new(0.0, omega.sin()),
        Scheme::Authors => {
            let share = authors_forward_share(samples);
            // 1 − e^{−iω} is minus the conjugate of e^{iω} − 1.
            share * forward - (1.0 - share) * forward.conj()
        }
    }
}

/// |T(ω) − iω| / |ω|: the relative error of a scheme's derivative of e^{iωj}, root mean square over samples.
///
/// ω in radians per sample; the limit at ω = 0, where every scheme is right, is 0. `authors` takes differences of two
/// kinds whose errors are of equal size, so that its error is the forward difference's.
pub fn derivative_error(scheme: Scheme, omega: f64) -> f64 {
    if omega == 0.0 {
        return 0.0;
    }
    let of_which_errors_are_equal = if scheme == Scheme::Authors { Scheme::Forward } else { scheme };
    (transfer_function(of_which_errors_are_equal, 0, omega) - Complex64::new(0.0, omega)).norm() / omega.abs()
}

/// The share of an axis's samples at which `authors` takes the forward difference: 0.84 of 224, 0.64 of 14.
pub fn authors_forward_share(samples: usize) -> f64 {
    let forward = authors_takes_forward(samples);
    if forward.is_empty() {
        return 1.0;
    }
    forward.iter().filter(|taken| **taken).count() as f64 / forward.len() as f64
}
