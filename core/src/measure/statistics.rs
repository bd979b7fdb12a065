//! Errors of means and of what is made of them, over images.

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

/// The jackknife's standard error of a statistic of `count` samples, from its values with one of them left out:
/// ((n − 1)/n Σ (θ_i − θ̄)²)^½. Nothing where a value is missing.
pub fn jackknife(count: usize, without: impl Fn(usize) -> Option<f64>) -> Option<f64> {
    let values = (0..count).map(without).collect::<Option<Vec<f64>>>()?;
    let n = count as f64;
    let mean = values.iter().sum::<f64>() / n;
    let spread: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (count > 1).then(|| (spread * (n - 1.0) / n).sqrt())
}

/// Spearman's rank correlation: Pearson's of the ranks, of which equal values share the mean. Nothing for fewer than
/// three pairs, or where all values of one side are equal.
pub fn spearman(x: &[f64], y: &[f64]) -> Option<f64> {
    if x.len() != y.len() || x.len() < 3 {
        return None;
    }
    let (x, y) = (ranks(x), ranks(y));
    // Ranks have the same mean, ties or not.
    let mean = (x.len() as f64 - 1.0) / 2.0;
    let product = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum() };
    let scale = (product(&x, &x) * product(&y, &y)).sqrt();
    (scale > 0.0).then(|| product(&x, &y) / scale)
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for group in order.chunk_by(|&a, &b| values[a].total_cmp(&values[b]).is_eq()) {
        for &i in group {
            ranks[i] = first as f64 + (group.len() as f64 - 1.0) / 2.0;
        }
        first += group.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rank_correlation_is_that_of_textbooks() {
        // 1 − 6 Σ d²/(n(n² − 1)) without ties: d = (0, 1, −1, 0), Σ d² = 2, n = 4.
        assert_eq!(spearman(&[1.0, 2.0, 3.0, 9.0], &[0.1, 0.3, 0.2, 0.4]), Some(0.8));
        assert_eq!(spearman(&[1.0, 2.0, 3.0], &[3.0, 2.0, -1.0]), Some(-1.0));
        // Ties share ranks: SciPy's spearmanr gives 0.9486832980505138.
        assert!(
            (spearman(&[1.0, 2.0, 2.0, 3.0], &[1.0, 2.0, 3.0, 4.0]).unwrap() - 0.948_683_298_050_513_8).abs() < 1e-15
        );
        assert_eq!(spearman(&[1.0, 1.0, 1.0], &[1.0, 2.0, 3.0]), None);
        assert_eq!(spearman(&[1.0, 2.0], &[1.0, 2.0]), None);
    }

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
