//! Harmonics of functions of a cosine in closed form.

use std::f64::consts::PI;

/// c_k of max(a cos θ − b, 0), b ≥ 0: with θ₀ = arccos(b/a),
/// (a/2π)(sin((k − 1)θ₀)/(k − 1) + sin((k + 1)θ₀)/(k + 1)) − (b/π) sin(kθ₀)/k, and its limits at k = 0 and 1.
///
/// For b = 0: a/π, a/2/2, and a(−1)^{k/2+1}/(π(k² − 1)) at even k.
pub(super) fn truncated_cosine(a: f64, b: f64, k: usize) -> f64 {
    if a <= b {
        return 0.0;
    }
    let edge = (b / a).acos();
    // sin(mθ₀)/m, θ₀ at m = 0.
    let arc = |m: f64| if m == 0.0 { edge } else { (m * edge).sin() / m };
    let k = k as f64;
    (0.5 * a * (arc(k - 1.0) + arc(k + 1.0)) - b * arc(k)) / PI
}

/// The binomial coefficient C(n, k), by which cos^n θ = 2^{−n} Σ_j C(n, j) e^{i(n − 2j)θ}.
pub(super) fn binomial(n: usize, k: usize) -> f64 {
    (0..k).fold(1.0, |product, j| product * (n - j) as f64 / (j + 1) as f64)
}
