//! What each sample of an axis counts in the trigonometric interpolant at places between them.

use std::f64::consts::PI;

use ndarray::{Array2, Axis};

use super::differentiation::Boundary;

/// What each sample of an axis counts at places between and beyond them: `[places, samples]`, so that the interpolant's
/// values there are the product with the samples. For many images moved alike; of one image,
/// [`warped`](super::warp::warped) is faster.
pub fn weights(places: &[f64], samples: usize, boundary: Boundary) -> Array2<f64> {
    Weights::new(samples, boundary).at(places)
}

/// What samples of an axis count at places between them: sines and cosines of the samples' own places are taken once.
struct Weights {
    samples: usize,
    boundary: Boundary,
    /// Of the periodic axis that it is continued to.
    period: usize,
    /// sin and cos of πj/period.
    table: Vec<(f64, f64)>,
}

/// Up to so many samples from a place the difference of sines is taken of the difference of places, not by the addition
/// theorem, whose rounding is relative to 1.
const NEAR: f64 = 2.0;

impl Weights {
    fn new(samples: usize, boundary: Boundary) -> Self {
        let period = if boundary == Boundary::Reflect { 2 * samples } else { samples };
        let table = (0..period).map(|j| (PI * j as f64 / period as f64).sin_cos()).collect();
        Self { samples, boundary, period, table }
    }

    /// `[places, samples]`.
    fn at(&self, places: &[f64]) -> Array2<f64> {
        let mut weights = Array2::zeros((places.len(), self.samples));
        for (place, mut weights) in places.iter().zip(weights.axis_iter_mut(Axis(0))) {
            let n = self.period as f64;
            let place = place.rem_euclid(n);
            let (sin, cos) = (PI * place / n).sin_cos();
            let wave = (PI * place).sin() / n;
            let is_even = self.period.is_multiple_of(2);
            let of = |j: usize| {
                let distance = (place - j as f64).abs();
                if distance < NEAR || n - distance < NEAR {
                    return cardinal(place - j as f64, self.period);
                }
                let (sin_j, cos_j) = self.table[j];
                let sine = sin * cos_j - cos * sin_j;
                let sign = if j.is_multiple_of(2) { wave } else { -wave };
                if is_even { sign * (cos * cos_j + sin * sin_j) / sine } else { sign / sine }
            };
            for (j, weight) in weights.iter_mut().enumerate() {
                *weight = match self.boundary {
                    Boundary::Periodic => of(j),
                    // Sample j reappears as the mirror image.
                    Boundary::Reflect => of(j) + of(self.period - 1 - j),
                };
            }
        }
        weights
    }
}

/// (1/N) Σ_{|n| ≤ N/2} e^{2πi n d/N}, the Nyquist harmonic of an even N as a cosine: 1 at d = 0, 0 at other whole numbers.
fn cardinal(distance: f64, samples: usize) -> f64 {
    let n = samples as f64;
    let d = distance - n * (distance / n).round();
    // The formula is 0/0 there; a thousand roundings from it, it is 1 to rounding.
    if d.abs() < 1e-13 {
        return 1.0;
    }
    let angle = PI * d / n;
    (PI * d).sin() / (n * if samples.is_multiple_of(2) { angle.tan() } else { angle.sin() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The addition theorem against the closed form at every distance.
    #[test]
    fn weights_are_those_of_the_closed_form() {
        for n in [1, 2, 5, 8, 33, 224] {
            for boundary in Boundary::ALL {
                let places: Vec<f64> =
                    (0..40).map(|at| (at as f64 * 1.37).sin() * 1.6 * n as f64 + 0.1 * n as f64).collect();
                let found = weights(&places, n, boundary);
                for ((at, j), weight) in found.indexed_iter() {
                    let wanted = match boundary {
                        Boundary::Periodic => cardinal(places[at] - j as f64, n),
                        Boundary::Reflect => {
                            let mirror = (2 * n - 1 - j) as f64;
                            cardinal(places[at] - j as f64, 2 * n) + cardinal(places[at] - mirror, 2 * n)
                        }
                    };
                    // Sines of angles up to 2π·224 are off by 2e-13 at most, over the sine of the least angle times n: 1/2π.
                    assert!((weight - wanted).abs() < 2e-13, "{n} {boundary} {} {j}: {weight} {wanted}", places[at]);
                }
            }
        }
    }
}
