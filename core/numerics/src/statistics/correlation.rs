//! Correlations over networks, overall and within families.

use super::rank::{ranks, spearman};
use super::sample::mean;

/// Pearson's correlation: Σ (x − x̄)(y − ȳ) over the root of the product of the sums of squares. Nothing for fewer than three
/// pairs, or where all values of one side are equal.
pub fn pearson(x: &[f64], y: &[f64]) -> Option<f64> {
    if x.len() != y.len() || x.len() < 3 {
        return None;
    }
    correlated(&centred(x), &centred(y))
}

/// How a correlation takes its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// As they are: Pearson's.
    Values,
    /// By their ranks: Spearman's.
    Ranks,
}

impl Kind {
    /// The correlation of all pairs.
    pub fn of(self, x: &[f64], y: &[f64]) -> Option<f64> {
        match self {
            Self::Values => pearson(x, y),
            Self::Ranks => spearman(x, y),
        }
    }

    /// The correlation within groups: what is left of it when each group's mean is taken away, so that differences between
    /// groups count nothing. Ranks are those within the group, divided by the group's size plus 1, as in van Elteren's test,
    /// so that large groups do not outweigh small ones by their larger ranks. Groups of one add nothing; nothing where fewer
    /// than three pairs are left or one side does not vary within any group.
    ///
    /// `groups` has the group of each pair.
    pub fn within(self, groups: &[usize], x: &[f64], y: &[f64]) -> Option<f64> {
        if x.len() != y.len() || x.len() != groups.len() {
            return None;
        }
        let (mut left_x, mut left_y) = (Vec::new(), Vec::new());
        let mut known: Vec<usize> = groups.to_vec();
        known.sort_unstable();
        known.dedup();
        for group in known {
            let places: Vec<usize> = (0..groups.len()).filter(|at| groups[*at] == group).collect();
            if places.len() < 2 {
                continue;
            }
            let of = |values: &[f64]| {
                let values: Vec<f64> = places.iter().map(|at| values[*at]).collect();
                match self {
                    Self::Values => centred(&values),
                    Self::Ranks => {
                        let scale = values.len() as f64 + 1.0;
                        centred(&ranks(&values)).into_iter().map(|rank| rank / scale).collect()
                    }
                }
            };
            left_x.extend(of(x));
            left_y.extend(of(y));
        }
        if left_x.len() < 3 { None } else { correlated(&left_x, &left_y) }
    }
}

fn centred(values: &[f64]) -> Vec<f64> {
    let mean = mean(values);
    values.iter().map(|value| value - mean).collect()
}

/// The cosine of the angle between two lists whose mean is 0.
fn correlated(x: &[f64], y: &[f64]) -> Option<f64> {
    let product = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let scale = product(x, x).sqrt() * product(y, y).sqrt();
    (scale > 0.0 && scale.is_finite()).then(|| (product(x, y) / scale).clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_correlate_fully_and_constants_not_at_all() {
        let x = [1.0, 2.0, 4.0, 8.0];
        assert!((pearson(&x, &x.map(|x| 3.0 - 2.0 * x)).unwrap() + 1.0).abs() < 1e-15);
        assert_eq!(pearson(&x, &[5.0; 4]), None);
        assert_eq!(pearson(&x[..2], &[1.0, 2.0]), None);
    }

    /// Two families on rising lines, one of which lies far below to the right: overall it falls, within them it rises.
    #[test]
    fn what_lies_between_groups_counts_nothing_within_them() {
        let (groups, x) = ([0, 0, 0, 1, 1, 1, 2], [1.0, 2.0, 3.0, 11.0, 12.0, 13.0, 40.0]);
        let y = [5.0, 6.0, 7.0, -5.0, -4.0, -3.0, -90.0];
        for kind in [Kind::Values, Kind::Ranks] {
            assert!(kind.of(&x, &y).unwrap() < -0.5);
            assert!((kind.within(&groups, &x, &y).unwrap() - 1.0).abs() < 1e-12);
        }
        assert_eq!(Kind::Ranks.within(&[0, 1, 2, 3], &x[..4], &y[..4]), None);
    }
}
