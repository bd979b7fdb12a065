//! A measure over images, as reports have it.

use serde::{Deserialize, Serialize};

use super::bootstrap::mean_with_interval;
use super::estimate::Estimate;
use super::geometric::geometric_mean;
use super::sample::{deciding, effective_count};

/// Values of one measure that is not negative, over images.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The geometric mean with Student's interval on the logarithms; null where it is not defined.
    pub geometric_mean: Option<Estimate>,
    /// Over how many images.
    pub geometric_count: usize,
    /// Why there is no geometric mean; null where there is one.
    pub undefined: Option<String>,
    /// The mean over all images, with its BCa interval.
    pub mean: Estimate,
    /// (Σ v)²/Σ v², the effective sample size of the mean; null where all values are 0.
    pub effective_count: Option<f64>,
    /// The images that decide the mean, largest first: until they have half of the sum, and no more than three.
    pub deciding: Vec<Share>,
}

/// An image's share of a sum over images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// Its place among the images, from 0.
    pub image: usize,
    /// Its share.
    pub share: f64,
}

impl Summary {
    /// The summary of `values`. The geometric mean leaves out the images of which `has` says that they do not have the
    /// measure, as those that a transform leaves alone: their values are 0 but for rounding.
    pub fn of(values: &[f64], has: impl Fn(usize) -> bool) -> Self {
        let having: Vec<f64> = (0..values.len()).filter(|at| has(*at)).map(|at| values[at]).collect();
        let (geometric, undefined) = match geometric_mean(&having) {
            Ok(estimate) => (Some(estimate), None),
            Err(reason) => (None, Some(reason.to_string())),
        };
        let share = |(image, share)| Share { image, share };
        Self {
            geometric_mean: geometric,
            geometric_count: having.len(),
            undefined,
            mean: mean_with_interval(values).unwrap_or_default(),
            effective_count: effective_count(values),
            deciding: deciding(values).into_iter().map(share).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_without_the_measure_are_left_out_of_the_geometric_mean_alone() {
        let summary = Summary::of(&[0.0, 1.0, 4.0, 16.0], |at| at > 0);
        assert!((summary.geometric_mean.unwrap().value - 4.0).abs() < 1e-12);
        assert_eq!((summary.geometric_count, summary.mean.value, summary.undefined), (3, 5.25, None));
        assert_eq!(summary.deciding[0], Share { image: 3, share: 16.0 / 21.0 });
        let zero = Summary::of(&[0.0, 1.0], |_| true);
        assert_eq!(zero.undefined.as_deref(), Some("1 of 2 values is 0, which has no logarithm"));
        assert_eq!(Summary::of(&[], |_| true).mean, Estimate::default());
    }
}
