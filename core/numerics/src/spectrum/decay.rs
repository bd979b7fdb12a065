//! How the harmonics of a function of a cosine fall: the law, and its rate fitted.

use serde::{Deserialize, Serialize};

use super::activation::{Activation, EntireDecay};

/// Below this share of the largest harmonic, what quadrature returns is rounding.
const FLOOR: f64 = 1e-14;

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
