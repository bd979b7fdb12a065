//! How often intervals cover what they are meant to, on log-normal samples: the distribution of LEE over photos.

use aliascope_numerics::statistics::{
    Interval, LEVEL, geometric_mean, mean, mean_with_interval, median_with_interval, paired_ratio, standard_error,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Normal deviates by Box and Muller.
struct Normal(ChaCha8Rng);

impl Normal {
    fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    fn deviates(&mut self, count: usize) -> Vec<f64> {
        let deviate = |_| {
            let (u, v): (f64, f64) = (self.0.random(), self.0.random());
            (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
        };
        (0..count).map(deviate).collect()
    }

    /// exp(sd·z) of the median 1.
    fn log_normal(&mut self, count: usize, sd: f64) -> Vec<f64> {
        self.deviates(count).into_iter().map(|z| (sd * z).exp()).collect()
    }
}

/// The share of `runs` in which the interval covers `truth`.
fn coverage(runs: usize, truth: f64, mut interval: impl FnMut() -> Option<Interval>) -> f64 {
    (0..runs).filter(|_| interval().is_some_and(|interval| interval.covers(truth))).count() as f64 / runs as f64
}

/// Four standard errors of a share over so many runs.
fn error(share: f64, runs: usize) -> f64 {
    4.0 * (share * (1.0 - share) / runs as f64).sqrt()
}

/// Spreads of the logarithm and numbers of photos, and the share that the mean ± 1.96 standard errors covers.
const CASES: [(f64, usize, f64); 4] = [(1.14, 15, 0.81), (1.14, 100, 0.90), (2.0, 15, 0.58), (2.0, 100, 0.74)];

#[test]
fn means_with_standard_errors_cover_too_little() {
    const RUNS: usize = 20_000;
    for (case, (sd, count, stated)) in CASES.into_iter().enumerate() {
        let mut normal = Normal::new(case as u64);
        let covered = coverage(RUNS, (0.5 * sd * sd).exp(), || {
            let values = normal.log_normal(count, sd);
            let value = mean(&values);
            let half = 1.96 * standard_error(&values, value)?;
            Some(Interval { low: value - half, high: value + half })
        });
        // What is stated is rounded to a hundredth.
        assert!((covered - stated).abs() < 0.005 + error(stated, RUNS), "sd {sd}, {count} photos: {covered}");
    }
}

#[test]
fn intervals_on_logarithms_cover_what_they_say() {
    const RUNS: usize = 10_000;
    for (case, (sd, count, _)) in CASES.into_iter().enumerate() {
        let mut normal = Normal::new(10 + case as u64);
        let covered = coverage(RUNS, 1.0, || geometric_mean(&normal.log_normal(count, sd)).unwrap().interval);
        assert!((covered - LEVEL).abs() < error(LEVEL, RUNS), "sd {sd}, {count} photos: {covered}");
        // Two networks on the same photos, of which one is three times as far from equivariance.
        let covered = coverage(RUNS / 50, 3.0, || {
            let (hard, a, b) = (normal.deviates(count), normal.deviates(count), normal.deviates(count));
            let list = |own: &[f64], factor: f64| -> Vec<f64> {
                hard.iter().zip(own).map(|(hard, own)| factor * (sd * hard + 0.3 * own).exp()).collect()
            };
            paired_ratio(&list(&a, 3.0), &list(&b, 1.0)).unwrap().geometric.interval
        });
        assert!((covered - LEVEL).abs() < error(LEVEL, RUNS / 50), "paired, sd {sd}, {count} photos: {covered}");
    }
}

/// Order statistics cover at least what they say; of 15 and 100 values 96.5 and 96.5 % (`1 − 2 P(Bin < k)`).
#[test]
fn intervals_of_medians_cover_at_least_what_they_say() {
    const RUNS: usize = 10_000;
    for (count, exact) in [(15, 0.964_843_75), (100, 0.964_799_8)] {
        let mut normal = Normal::new(20);
        let covered =
            coverage(RUNS, 1.0, || median_with_interval(&normal.log_normal(count, 2.0)).and_then(|m| m.interval));
        assert!((covered - exact).abs() < error(exact, RUNS), "{count} photos: {covered}");
    }
}

/// The bootstrap of a mean is better than the standard error and still covers less than it says where few values do not show
/// the tail: what the documentation of `bca` states.
#[test]
fn bootstraps_of_means_cover_more_than_standard_errors() {
    for (case, (sd, count, stated, runs)) in [(1.14, 15, 0.86, 1000), (1.14, 100, 0.92, 300)].into_iter().enumerate() {
        let mut normal = Normal::new(30 + case as u64);
        let covered = coverage(runs, (0.5_f64 * sd * sd).exp(), || {
            mean_with_interval(&normal.log_normal(count, sd)).and_then(|mean| mean.interval)
        });
        assert!((covered - stated).abs() < 0.005 + error(stated, runs), "sd {sd}, {count} photos: {covered}");
    }
}
