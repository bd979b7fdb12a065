//! Quantiles of the normal and of Student's distribution.
//!
//! Degrees of freedom are whole here, so that Student's distribution is a finite sum; a crate of distributions would be
//! compiled for these two functions alone.

use crate::spectrum::bessel::normal_distribution;

/// The x with Φ(x) = `probability`: −∞ at 0, ∞ at 1.
///
/// To about 1e-15/φ(x): Φ itself is known to 1e-16.
pub fn normal_quantile(probability: f64) -> f64 {
    match probability {
        p if p <= 0.0 => f64::NEG_INFINITY,
        p if p >= 1.0 => f64::INFINITY,
        p => root(p, normal_distribution),
    }
}

/// The t with P(T ≤ t) = `probability` for Student's T of `freedom` degrees of freedom.
///
/// ```
/// use aliascope_numerics::statistics::student_quantile;
/// // Two degrees of freedom: t = (2p − 1)/√(2p(1 − p)).
/// assert!((student_quantile(0.975, 2) - 0.95 / (2.0 * 0.975 * 0.025_f64).sqrt()).abs() < 1e-12);
/// ```
pub fn student_quantile(probability: f64, freedom: usize) -> f64 {
    match probability {
        p if p <= 0.0 => f64::NEG_INFINITY,
        p if p >= 1.0 => f64::INFINITY,
        p => root(p, |t| student_distribution(t, freedom)),
    }
}

/// P(T ≤ t) = ½(1 + sign(t) A(|t|)), with A of Abramowitz and Stegun 26.7.3 and 26.7.4: with θ = arctan(t/√ν),
/// for even ν A = sin θ (1 + ½ cos²θ + (1·3)/(2·4) cos⁴θ + … to cos^(ν−2)),
/// for odd ν A = 2/π (θ + sin θ (cos θ + ⅔ cos³θ + (2·4)/(3·5) cos⁵θ + … to cos^(ν−2))). All terms are positive.
fn student_distribution(t: f64, freedom: usize) -> f64 {
    let angle = (t.abs() / (freedom as f64).sqrt()).atan();
    let (sin, cos) = angle.sin_cos();
    let is_odd = freedom % 2 == 1;
    let (mut term, mut sum) = (if is_odd { cos } else { 1.0 }, 0.0);
    let mut power = usize::from(is_odd);
    while power + 2 <= freedom {
        sum += term;
        term *= cos * cos * (power as f64 + 1.0) / (power as f64 + 2.0);
        power += 2;
        // What follows is less than a geometric series of these.
        if term < sum * 1e-18 * sin * sin {
            break;
        }
    }
    let within = if is_odd { std::f64::consts::FRAC_2_PI * (angle + sin * sum) } else { sin * sum };
    0.5 * (1.0 + t.signum() * within)
}

/// The root of `distribution(x)` = `probability` by bisection, to the last bit that the distribution tells apart.
fn root(probability: f64, distribution: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (-1.0, 1.0);
    while distribution(low) > probability {
        low *= 2.0;
    }
    while distribution(high) < probability {
        high *= 2.0;
    }
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return middle;
        }
        if distribution(middle) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_forms() {
        assert!(normal_quantile(0.5).abs() < 1e-15);
        assert_eq!((normal_quantile(0.0), normal_quantile(1.0)), (f64::NEG_INFINITY, f64::INFINITY));
        for p in [0.001, 0.025, 0.3, 0.5, 0.8, 0.975, 0.999] {
            let cauchy = (std::f64::consts::PI * (p - 0.5)).tan();
            assert!((student_quantile(p, 1) - cauchy).abs() < 1e-11 * cauchy.abs().max(1.0), "{p}");
            let two = (2.0 * p - 1.0) / (2.0 * p * (1.0 - p)).sqrt();
            assert!((student_quantile(p, 2) - two).abs() < 1e-12 * two.abs().max(1.0), "{p}");
            assert!((normal_quantile(p) + normal_quantile(1.0 - p)).abs() < 1e-12, "{p}");
        }
    }

    /// t = z + (z³ + z)/(4ν) + O(ν⁻²) (Abramowitz and Stegun 26.7.5).
    #[test]
    fn many_degrees_of_freedom_are_normal() {
        let z = normal_quantile(0.975);
        for freedom in [100_000, 100_001] {
            let t = student_quantile(0.975, freedom);
            assert!((t - z - (z.powi(3) + z) / (4.0 * freedom as f64)).abs() < 1e-9);
        }
    }
}
