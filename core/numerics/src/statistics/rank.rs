//! Spearman's rank correlation.

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

pub(super) fn ranks(values: &[f64]) -> Vec<f64> {
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
}
