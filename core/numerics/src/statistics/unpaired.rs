//! Two lists of different images.

use super::estimate::{Estimate, Interval, LEVEL, Undefined};
use super::geometric::logarithms;
use super::quantile::student_quantile;
use super::sample::{mean, standard_error};

/// The ratio of the geometric means of `a` and `b`, with Welch's interval on the logarithms: neither are the lists as long as
/// each other, nor their logarithms as scattered.
///
/// The degrees of freedom, s⁴/(s_a⁴/(n_a − 1) + s_b⁴/(n_b − 1)) with s² = s_a² + s_b² of standard errors s_a, s_b, are
/// rounded down, which makes the interval a little wider. None where a list has one value or does not vary.
///
/// # Errors
/// No values; values that have no logarithm.
///
/// Source: Welch, *The generalization of 'Student's' problem …*, Biometrika 34 (1947).
pub fn unpaired_ratio(a: &[f64], b: &[f64]) -> Result<Estimate, Undefined> {
    let (a, b) = (logarithms(a)?, logarithms(b)?);
    let value = mean(&a) - mean(&b);
    let square = |values: &[f64]| standard_error(values, mean(values)).filter(|e| *e > 0.0).map(|e| e * e);
    let interval = square(&a).zip(square(&b)).map(|(of_a, of_b)| {
        let part = |square: f64, count: usize| square * square / (count as f64 - 1.0);
        let freedom = (of_a + of_b).powi(2) / (part(of_a, a.len()) + part(of_b, b.len()));
        let half = student_quantile(0.5 + 0.5 * LEVEL, (freedom.floor() as usize).max(1)) * (of_a + of_b).sqrt();
        Interval { low: value - half, high: value + half }
    });
    Ok(Estimate { value, interval }.map(f64::exp))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turned_round_it_is_its_inverse() {
        let (a, b) = ([0.3, 1.7, 2.2, 0.9, 5.0], [0.2, 2.0, 1.0]);
        let (over, under) = (unpaired_ratio(&a, &b).unwrap(), unpaired_ratio(&b, &a).unwrap());
        assert!((over.value * under.value - 1.0).abs() < 1e-14);
        assert!((over.interval.unwrap().high * under.interval.unwrap().low - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_has_no_spread_has_no_interval() {
        assert_eq!(unpaired_ratio(&[2.0], &[1.0, 3.0]).unwrap().interval, None);
        assert!(unpaired_ratio(&[0.0, 1.0], &[1.0, 3.0]).is_err());
    }
}
