//! Two lists of the same images, compared image by image.

use serde::{Deserialize, Serialize};

use super::bootstrap::bca;
use super::estimate::{Estimate, Undefined};
use super::geometric::{logarithms, student};
use super::sample::mean;

/// How many times as large one measure is as another over the same images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairedRatio {
    /// How many images.
    pub pairs: usize,
    /// The ratio of the geometric means, exp of the mean of ln a_i − ln b_i, with exp of Student's interval for that mean.
    pub geometric: Estimate,
    /// The ratio of the means, Σ a_i/Σ b_i, with its BCa interval over pairs.
    pub mean: Estimate,
}

/// The ratio of `a` to `b`, image by image.
///
/// What makes an image hard is hard in both lists, so the ratio is known far better than either measure.
///
/// # Errors
/// Lists of different lengths or without values; values that have no logarithm.
///
/// ```
/// use aliascope_numerics::statistics::paired_ratio;
/// let ratio = paired_ratio(&[2.0, 20.0, 220.0], &[1.0, 10.0, 100.0])?;
/// assert!(ratio.geometric.interval.unwrap().low > 1.7);
/// # Ok::<(), aliascope_numerics::statistics::Undefined>(())
/// ```
pub fn paired_ratio(a: &[f64], b: &[f64]) -> Result<PairedRatio, Undefined> {
    if a.len() != b.len() {
        return Err(Undefined::Unpaired(a.len(), b.len()));
    }
    let differences: Vec<f64> = logarithms(a)?.iter().zip(logarithms(b)?).map(|(a, b)| a - b).collect();
    let sum = |of: &[f64], sample: &[usize]| sample.iter().map(|at| of[*at]).sum::<f64>();
    let ratio = |sample: &[usize]| Some(sum(a, sample) / sum(b, sample));
    Ok(PairedRatio {
        pairs: a.len(),
        geometric: student(&differences).map(f64::exp),
        mean: Estimate { value: mean(a) / mean(b), interval: bca(a.len(), ratio) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_against_its_double_is_a_half_without_an_interval() {
        let a = [0.5, 2.0, 8.0, 0.25];
        let ratio = paired_ratio(&a, &a.map(|value| 2.0 * value)).unwrap();
        assert!((ratio.geometric.value - 0.5).abs() < 1e-15);
        assert_eq!((ratio.mean.value, ratio.mean.interval, ratio.pairs), (0.5, None, 4));
    }

    #[test]
    fn the_ratio_turned_round_is_its_inverse() {
        let (a, b) = ([0.3, 1.7, 2.2, 0.9, 5.0], [0.2, 2.0, 1.0, 0.3, 4.0]);
        let [over, under] = [paired_ratio(&a, &b), paired_ratio(&b, &a)].map(|ratio| ratio.unwrap().geometric);
        assert!((over.value * under.value - 1.0).abs() < 1e-14);
        assert!((over.interval.unwrap().low * under.interval.unwrap().high - 1.0).abs() < 1e-14);
    }

    #[test]
    fn lists_that_are_no_pairs_are_refused() {
        assert_eq!(paired_ratio(&[1.0], &[1.0, 2.0]), Err(Undefined::Unpaired(1, 2)));
        assert_eq!(paired_ratio(&[1.0, 0.0], &[1.0, 2.0]), Err(Undefined::Zero { zeros: 1, count: 2 }));
    }
}
