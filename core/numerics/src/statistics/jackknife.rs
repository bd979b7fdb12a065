//! Standard errors by leaving one value out.

use super::estimate::{Interval, LEVEL};
use super::quantile::student_quantile;

/// The jackknife's standard error of a statistic of `count` samples, from its values with one of them left out:
/// ((n − 1)/n Σ (θ_i − θ̄)²)^½. Nothing where a value is missing.
pub fn jackknife(count: usize, without: impl Fn(usize) -> Option<f64>) -> Option<f64> {
    let values = (0..count).map(without).collect::<Option<Vec<f64>>>()?;
    let n = count as f64;
    let mean = values.iter().sum::<f64>() / n;
    let spread: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (count > 1).then(|| (spread * (n - 1.0) / n).sqrt())
}

/// Student's interval of a share of so many values with such a standard error, within 0 and 1.
pub fn share_interval(share: f64, error: f64, count: usize) -> Interval {
    let half = student_quantile(0.5 + 0.5 * LEVEL, count.saturating_sub(1).max(1)) * error;
    Interval { low: (share - half).max(0.0), high: (share + half).min(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::standard_error;

    /// Of a mean the jackknife's error is the standard error.
    #[test]
    fn the_jackknife_of_a_mean_is_its_standard_error() {
        let values = [3.0, 1.0, 4.0, 1.0, 5.0];
        let sum: f64 = values.iter().sum();
        let error = jackknife(5, |i| Some((sum - values[i]) / 4.0)).unwrap();
        assert!((error - standard_error(&values, sum / 5.0).unwrap()).abs() < 1e-15);
        assert_eq!(jackknife(1, |_| Some(1.0)), None);
        assert_eq!(jackknife(3, |_| None), None);
    }
}
