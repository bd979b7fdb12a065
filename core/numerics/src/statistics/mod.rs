//! Statistics of a sample, as the values of a measure over images: intervals that cover, and what makes a mean.
//!
//! The Lie derivative error over photos is close to log-normal: the logarithm's standard deviation is about 1.1. Then
//! the mean ± 1.96 standard errors, meant to cover 95 %, covers 81 % with 15 photos, and the geometric mean with
//! Student's interval on the logarithms covers what it says (`core/numerics/tests/statistics_coverage.rs`).
//!
//! | Of | Value | Interval |
//! |---|---|---|
//! | positive values over orders of magnitude | [`geometric_mean`] | Student's t on the logarithms |
//! | values of any sign | [`mean_with_interval`] | BCa bootstrap |
//! | any statistic | – | [`bca`] |
//! | values of any distribution | [`median_with_interval`] | order statistics |
//! | a measure of a report | [`Summary`] | both of the first, and which images make the mean |
//! | two lists, image by image | [`paired_ratio`] | t on the differences of logarithms; paired BCa bootstrap |
//! | two lists of different images | [`unpaired_ratio`] | Welch's t on the logarithms |
//! | a share of cases | [`proportion`] | Wilson's |
//! | a line or plane, with groups as a factor | [`least_squares`], [`grouped_least_squares`] | Student's t |
//! | a correlation or anything else over networks and images | [`correlation`] | [`crossed_bootstrap`] |
//!
//! All intervals have the level [`LEVEL`], and are reproducible: the bootstrap's resamples come of a fixed seed.

mod bootstrap;
pub mod correlation;
mod crossed;
mod estimate;
mod geometric;
mod jackknife;
mod median;
mod paired;
mod proportion;
mod quantile;
mod rank;
mod regression;
mod sample;
mod summary;
mod unpaired;

pub use bootstrap::{RESAMPLES, bca, mean_with_interval};
pub use correlation::pearson;
pub use crossed::{crossed_bootstrap, crossed_bootstraps, weighted_mean};
pub use estimate::{Estimate, Interval, LEVEL, Undefined};
pub use geometric::geometric_mean;
pub use jackknife::{jackknife, share_interval};
pub use median::median_with_interval;
pub use paired::{PairedRatio, paired_ratio};
pub use proportion::proportion;
pub use quantile::{normal_quantile, student_quantile};
pub use rank::spearman;
pub use regression::{Fit, grouped_least_squares, least_squares};
pub use sample::{deciding, effective_count, mean, median, standard_error};
pub use summary::{Share, Summary};
pub use unpaired::unpaired_ratio;
