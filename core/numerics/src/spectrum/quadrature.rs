//! The harmonics of a function of a cosine by quadrature: without aliases.

use std::f64::consts::PI;

use num_complex::Complex64;

use super::activation::Activation;

/// c_0 … c_`highest` of σ(a cos θ), c_k = (1/π)∫₀^π σ(a cos θ) cos kθ dθ; c_{−k} = c_k, all real.
///
/// Gauss–Legendre panels between the points where a cos θ meets a kink of σ, short enough for the fastest cosine:
/// absolute error about 1e-15 times the largest |σ|.
pub fn coefficients(activation: &Activation, amplitude: f64, highest: usize) -> Vec<f64> {
    let mut breaks = vec![0.0, PI];
    let kinks = activation.kinks();
    breaks.extend(kinks.iter().map(|(x, _)| x / amplitude).filter(|w| w.abs() < 1.0).map(f64::acos));
    breaks.sort_by(f64::total_cmp);
    let (nodes, weights) = gauss_legendre(16);
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

/// So many nodes and weights of Gauss and Legendre on [−1, 1], from the largest node on, by Newton's iteration on P_n.
pub fn gauss_legendre(points: usize) -> (Vec<f64>, Vec<f64>) {
    (0..points)
        .map(|i| {
            let mut x = (PI * (i as f64 + 0.75) / (points as f64 + 0.5)).cos();
            let mut derivative = 1.0;
            // Quadratic convergence from Tricomi's estimate: six steps are more than enough.
            for _ in 0..6 {
                let (mut previous, mut current) = (1.0, x);
                for n in 2..=points {
                    let n = n as f64;
                    (previous, current) = (current, ((2.0 * n - 1.0) * x * current - (n - 1.0) * previous) / n);
                }
                derivative = points as f64 * (x * current - previous) / (x * x - 1.0);
                x -= current / derivative;
            }
            (x, 2.0 / ((1.0 - x * x) * derivative * derivative))
        })
        .unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// n nodes are exact for polynomials up to degree 2n − 1.
    #[test]
    fn nodes_integrate_polynomials() {
        for points in [1, 2, 5, 16, 33] {
            let (nodes, weights) = gauss_legendre(points);
            for degree in 0..2 * points {
                let sum: f64 = nodes.iter().zip(&weights).map(|(x, w)| w * x.powi(degree as i32)).sum();
                let exact = if degree.is_multiple_of(2) { 2.0 / (degree as f64 + 1.0) } else { 0.0 };
                assert!((sum - exact).abs() < 1e-13, "{points} nodes, degree {degree}: {sum} {exact}");
            }
        }
    }
}
