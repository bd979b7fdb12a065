//! The median with an interval that assumes nothing of the distribution.

use super::estimate::{Estimate, Interval, LEVEL};
use super::sample::median;

/// The median, and the interval from the k-th smallest to the k-th largest value with the largest k for which
/// P(Bin(n, ½) < k) ≤ (1 − [`LEVEL`])/2: it covers the median of any continuous distribution with at least that level.
/// None of no values; fewer than six have no interval, for 1 − 2·2⁻⁵ is less than the level.
///
/// Source: David and Nagaraja, *Order Statistics*, 3rd edition, section 7.1.
pub fn median_with_interval(values: &[f64]) -> Option<Estimate> {
    if values.is_empty() {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let interval = match tail(sorted.len()) {
        0 => None,
        k => Some(Interval { low: sorted[k - 1], high: sorted[sorted.len() - k] }),
    };
    Some(Estimate { value: median(sorted), interval })
}

/// The largest k with P(Bin(n, ½) < k) ≤ (1 − level)/2.
fn tail(n: usize) -> usize {
    // C(n, i) relative to the one in the middle, downwards; 2ⁿ and C(n, n/2) themselves overflow.
    let middle = n / 2;
    let mut weights = vec![1.0];
    for i in (1..=middle).rev() {
        weights.push(weights[weights.len() - 1] * i as f64 / (n - i + 1) as f64);
    }
    let twice: f64 = 2.0 * weights.iter().sum::<f64>();
    let total = if n.is_multiple_of(2) { twice - 1.0 } else { twice };
    let mut below = 0.0;
    let reached = weights.iter().rev().take_while(|weight| {
        below += **weight;
        below <= 0.5 * (1.0 - LEVEL) * total
    });
    reached.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ranks of textbook tables of the sign test at 5 % on both sides.
    #[test]
    fn ranks_are_those_of_the_sign_test() {
        let tabulated = [(5, 0), (6, 1), (8, 1), (9, 2), (12, 3), (15, 4), (20, 6), (25, 8), (50, 18), (100, 40)];
        for (n, k) in tabulated {
            assert_eq!(tail(n), k, "{n}");
        }
        // ½n − ½·1.96·√n for many, to a rank or two.
        assert!((tail(1_000_000) as f64 - (500_000.0 - 0.98 * 1000.0)).abs() < 2.0);
    }

    #[test]
    fn ends_are_values_of_the_sample() {
        let values = [5.0, 1.0, 4.0, 2.0, 3.0, 9.0, 7.0, 8.0, 6.0];
        let estimate = median_with_interval(&values).unwrap();
        assert_eq!((estimate.value, estimate.interval), (5.0, Some(Interval { low: 2.0, high: 8.0 })));
        assert_eq!(median_with_interval(&values[..5]).unwrap().interval, None);
        assert_eq!(median_with_interval(&[]), None);
    }
}
