//! Means and medians of a sample, and which of its values make them.

/// The mean; 0 of no values.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The median, of an even number the mean of the two in the middle; 0 of no values.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => 0.5 * (values[n / 2 - 1] + values[n / 2]),
    }
}

/// (Σ w)²/Σ w²: how many values of equal weight a mean of these is as good as (Kish's effective sample size).
pub fn effective_count(weights: &[f64]) -> Option<f64> {
    let squares: f64 = weights.iter().map(|w| w * w).sum();
    (squares > 0.0).then(|| weights.iter().sum::<f64>().powi(2) / squares)
}

/// The values that decide a mean of values that are not negative, with their shares of the sum: the largest first, until they
/// have half of it, and no more than three. None of a sum of 0.
pub fn deciding(values: &[f64]) -> Vec<(usize, f64)> {
    const MOST: usize = 3;
    let sum: f64 = values.iter().sum();
    let mut order: Vec<usize> = (0..values.len()).filter(|_| sum > 0.0).collect();
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
    let mut found = Vec::new();
    let mut reached = 0.0;
    for at in order.into_iter().take(MOST) {
        if reached >= 0.5 {
            break;
        }
        reached += values[at] / sum;
        found.push((at, values[at] / sum));
    }
    found
}

/// The standard error of the mean; nothing for fewer than two values.
pub fn standard_error(values: &[f64], mean: f64) -> Option<f64> {
    let n = values.len() as f64;
    let spread: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (values.len() > 1).then(|| (spread / (n - 1.0) / n).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_weights_count_fully_and_one_large_one_alone() {
        assert_eq!(effective_count(&[2.0; 5]), Some(5.0));
        assert_eq!(effective_count(&[0.0, 7.0, 0.0]), Some(1.0));
        assert_eq!(effective_count(&[0.0]), None);
    }

    #[test]
    fn a_mean_is_decided_by_those_that_have_half_of_it() {
        assert_eq!(deciding(&[1.0, 6.0, 1.0]), [(1, 0.75)]);
        assert_eq!(deciding(&[2.0, 3.0, 3.0]), [(1, 0.375), (2, 0.375)]);
        assert_eq!(deciding(&[1.0; 8]), [(0, 0.125), (1, 0.125), (2, 0.125)]);
        assert_eq!(deciding(&[0.0, 0.0]), []);
    }
}
