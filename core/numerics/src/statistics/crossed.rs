//! The bootstrap of what depends on two samples at once: networks, and the images that all of them see.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::bootstrap::quantile;
use super::estimate::{Interval, LEVEL};

/// Resamples.
const DRAWS: usize = 2000;
/// Where they are drawn from: all statistics of as many networks and images see the same.
const SEED: u64 = 0;
/// The share of resamples on which a statistic may be missing.
const MISSING: f64 = 0.05;

/// The percentile interval of a statistic of networks and images: each resample draws networks with replacement, within each
/// of the `strata` (lists of their places; one list for all) as many as there are, and images with replacement, the same
/// for every network, as an image that is hard is hard for all. The interval has both sources of chance in it: other
/// networks of these kinds, and other images.
///
/// The statistic is given the places of the networks and, for each set of images, how often each was drawn. None where it
/// is missing on more than 5 % of the resamples, or the same on all.
///
/// Source: Owen, *The pigeonhole bootstrap*, Ann. Appl. Stat. 1 (2007): resampling both sides of crossed data errs on the
/// side of too wide intervals.
pub fn crossed_bootstrap(
    strata: &[Vec<usize>],
    images: &[usize],
    statistic: impl Fn(&[usize], &[Vec<f64>]) -> Option<f64>,
) -> Option<Interval> {
    let [interval] = crossed_bootstraps(strata, images, |networks, counts| [statistic(networks, counts)]);
    interval
}

/// The intervals of several statistics, as [`crossed_bootstrap`] has that of one, over the same resamples.
pub fn crossed_bootstraps<const N: usize>(
    strata: &[Vec<usize>],
    images: &[usize],
    statistics: impl Fn(&[usize], &[Vec<f64>]) -> [Option<f64>; N],
) -> [Option<Interval>; N] {
    let mut generator = ChaCha8Rng::seed_from_u64(SEED);
    let mut found: [Vec<f64>; N] = std::array::from_fn(|_| Vec::with_capacity(DRAWS));
    let mut networks: Vec<usize> = strata.concat();
    let mut counts: Vec<Vec<f64>> = images.iter().map(|count| vec![0.0; *count]).collect();
    for _ in 0..DRAWS {
        let mut at = 0;
        for stratum in strata {
            for _ in stratum {
                networks[at] = stratum[generator.random_range(0..stratum.len())];
                at += 1;
            }
        }
        for counts in &mut counts {
            counts.fill(0.0);
            for _ in 0..counts.len() {
                let drawn = generator.random_range(0..counts.len());
                counts[drawn] += 1.0;
            }
        }
        for (found, value) in found.iter_mut().zip(statistics(&networks, &counts)) {
            found.extend(value.filter(|value| value.is_finite()));
        }
    }
    found.map(interval)
}

/// From the first to the last value but a tail on both sides.
fn interval(mut found: Vec<f64>) -> Option<Interval> {
    if (found.len() as f64) < (1.0 - MISSING) * DRAWS as f64 {
        return None;
    }
    found.sort_by(f64::total_cmp);
    let tail = 0.5 * (1.0 - LEVEL);
    (found.first() != found.last())
        .then(|| Interval { low: quantile(&found, tail), high: quantile(&found, 1.0 - tail) })
}

/// The mean of values by how often each was drawn.
pub fn weighted_mean(values: &[f64], counts: &[f64]) -> f64 {
    let sum: f64 = values.iter().zip(counts).map(|(value, count)| value * count).sum();
    sum / counts.iter().sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statistic_that_is_often_missing_or_never_varies_has_no_interval() {
        let strata = [vec![0, 1, 2, 3]];
        assert_eq!(crossed_bootstrap(&strata, &[5], |_, _| Some(1.0)), None);
        assert_eq!(crossed_bootstrap(&strata, &[5], |networks, _| (networks[0] > 1).then_some(1.0)), None);
    }

    #[test]
    fn networks_are_drawn_within_their_strata_and_images_as_often_as_there_are() {
        let strata = [vec![0, 2], vec![1, 3, 5]];
        let seen = |networks: &[usize], counts: &[Vec<f64>]| {
            assert!(networks[..2].iter().all(|network| strata[0].contains(network)));
            assert!(networks[2..].iter().all(|network| strata[1].contains(network)));
            assert_eq!((counts[0].iter().sum::<f64>(), counts[1].iter().sum::<f64>()), (7.0, 3.0));
            Some(weighted_mean(&[1.0, 2.0, 6.0], &counts[1]))
        };
        let interval = crossed_bootstrap(&strata, &[7, 3], seen).unwrap();
        assert!(interval.low < 3.0 && 3.0 < interval.high);
    }
}
