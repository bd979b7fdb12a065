//! A share of cases.

use super::estimate::{Estimate, Interval, LEVEL};
use super::quantile::normal_quantile;

/// The share of `right` of `of` cases with Wilson's interval, which keeps to 0 to 1 and has a width where all are right; none
/// of no cases.
///
/// Source: Wilson, *Probable inference, the law of succession, and statistical inference*, J. Amer. Statist. Assoc. 22 (1927).
pub fn proportion(right: usize, of: usize) -> Option<Estimate> {
    if of == 0 {
        return None;
    }
    let (n, p) = (of as f64, right as f64 / of as f64);
    let z = normal_quantile(0.5 + 0.5 * LEVEL);
    let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let interval = Interval { low: (middle - half).max(0.0), high: (middle + half).min(1.0) };
    Some(Estimate { value: p, interval: Some(interval) })
}
