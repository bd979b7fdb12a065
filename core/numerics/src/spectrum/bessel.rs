//! The special functions that closed forms and filters need.

use std::f64::consts::PI;

/// J_n(x), the Bessel function of the first kind: (1/π)∫₀^π cos(nθ − x sin θ) dθ.
///
/// The integrand is analytic and periodic, so that equally spaced samples converge faster than exponentially once they
/// outnumber |n| + |x|. Absolute error about 1e-16 times √samples. For |n|, |x| of a few thousand at most.
pub fn bessel_j(n: i32, x: f64) -> f64 {
    let samples = 2 * (f64::from(n.unsigned_abs()) + x.abs()) as usize + 64;
    let step = PI / samples as f64;
    let value = |k: usize| {
        let theta = k as f64 * step;
        (f64::from(n) * theta - x * theta.sin()).cos()
    };
    // The trapezoidal rule on [0, π], half of a period of an even integrand.
    let ends = 0.5 * (value(0) + value(samples));
    (ends + (1..samples).map(value).sum::<f64>()) / samples as f64
}

/// I₀(x), the modified Bessel function of order 0: Σ_k ((x/2)^k / k!)².
pub fn bessel_i0(x: f64) -> f64 {
    let quarter = 0.25 * x * x;
    let (mut sum, mut term, mut k) = (1.0, 1.0, 1.0);
    while term > sum * f64::EPSILON * 0.1 {
        term *= quarter / (k * k);
        sum += term;
        k += 1.0;
    }
    sum
}

/// erf(x) = (2/√π)∫₀^x e^{−t²} dt, to about 1e-15.
///
/// By its series where that does not cancel, by Lentz's continued fraction of the complement elsewhere.
pub fn erf(x: f64) -> f64 {
    let size = x.abs();
    if size.is_nan() {
        return f64::NAN;
    }
    if size > 6.0 {
        return x.signum();
    }
    let square = x * x;
    if size < 2.5 {
        // e^{−x²} Σ 2^n x^{2n+1}/(1·3·…·(2n+1)): all terms positive (Abramowitz and Stegun 7.1.6).
        let (mut term, mut sum, mut n) = (x, x, 0.0);
        while term.abs() > sum.abs() * f64::EPSILON * 0.1 {
            n += 1.0;
            term *= 2.0 * square / (2.0 * n + 1.0);
            sum += term;
        }
        return 2.0 / PI.sqrt() * (-square).exp() * sum;
    }
    // erfc(x) = e^{−x²}/√π · 1/(x + ½/(x + 1/(x + 3⁄2/(x + …)))) (7.1.14), from its far end.
    let tail = (1..=120).rev().fold(size, |below, k| size + 0.5 * f64::from(k) / below);
    x.signum() * (1.0 - (-square).exp() / (PI.sqrt() * tail))
}

/// Φ(x) = ½(1 + erf(x/√2)), the standard normal distribution.
pub fn normal_distribution(x: f64) -> f64 {
    0.5 * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tabulated_values() {
        // Abramowitz and Stegun, tables 9.1, 9.8 and 7.1; and erf(3), erf(0.5) to 16 digits.
        for (got, expected) in [
            (bessel_j(0, 1.0), 0.765_197_686_557_966_6),
            (bessel_j(1, 1.0), 0.440_050_585_744_933_5),
            (bessel_j(2, 5.0), 0.046_565_116_277_752_2),
            (bessel_j(-1, 1.0), -0.440_050_585_744_933_5),
            (bessel_i0(1.0), 1.266_065_877_752_008_4),
            (erf(0.5), 0.520_499_877_813_046_5),
            (erf(-1.0), -0.842_700_792_949_714_9),
            (erf(3.0), 0.999_977_909_503_001_4),
            (erf(0.0), 0.0),
        ] {
            // A few ulp of numbers of size 1.
            assert!((got - expected).abs() < 2e-15, "{got} {expected}");
        }
        // Both branches of erf meet.
        assert!((erf(2.5 - 1e-12) - erf(2.5 + 1e-12)).abs() < 1e-14);
    }
}
