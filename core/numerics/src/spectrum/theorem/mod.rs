//! The aliasing theorem: how much sampling breaks translation, in three forms and measured.
//!
//! On the torus, with A = sample on a grid of M and re-interpolate, translation along v acts as v·∇, and the defect of
//! A is δ = A(v·∇h) − v·∇(A h). Its mean square over the samples is what [`Forms`](super::strided::Forms) predict and
//! `measured` measures.
//!
//! **Which grid is which.** Without `samples` the field is continuous, and the grid samples it directly; a harmonic's
//! derivative is 2πi n whatever n is. With `samples` N the field is first sampled on N, as the input of a layer is:
//! harmonics beyond N fold before the theorem begins, that loss is reported on its own
//! ([`TheoremReport::presampling_share`]), and the theorem is about going from those N samples to M. Where M = N/s the
//! operator is the stride s, and derivatives on both sides are those of samples, s_N and s_M. Where M does not divide
//! N, the trigonometric interpolant of the N samples is sampled on M.

mod activation;
mod forms;
mod measured;

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use ndarray::ArrayView3;
use num_complex::Complex64;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use self::activation::check_activation;
pub use self::activation::{measured_activation_defect, oversampled_defect};
use self::forms::{from_spectrum, from_terms, occupied_band};
use self::measured::{measured_continuous, measured_on_samples, parts};
use super::activation::Activation;
use super::alias::{GridSize, Wave};
use super::filter::{Filter, FilterError};
use super::half_spectrum::HalfSpectrum;
use super::series::{FourierSeries, SeriesError};
use super::strided::StridedError;
use super::transform::TransformError;
use super::velocity::Velocity;
use crate::origin::Origin;

/// The version of [`TheoremReport`]'s JSON.
pub const THEOREM_SCHEMA_VERSION: u32 = 1;

/// How many folds a report lists.
pub const MAX_FOLDS: usize = 1000;

/// The most samples of a grid that a check will work on.
pub const MAX_GRID: usize = 1 << 26;

/// What is checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    /// The grid that the field is sampled on first, if any.
    pub samples: Option<GridSize>,
    /// The grid that it ends on.
    pub grid: GridSize,
    /// The velocity of the translation.
    pub velocity: Velocity,
    /// The filter right before the last sampling.
    pub prefilter: Filter,
    /// The nonlinearity before the filter.
    pub activation: Option<Activation>,
    /// The relative change of `exact` at which doubling the oversampling of an activation stops.
    pub tolerance: f64,
}

/// Why the theorem could not be checked.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum TheoremError {
    /// A grid without samples, or with too many to work on.
    #[error("a grid of {} × {} cannot be worked on; both sides must be at least 1, and their product at most {MAX_GRID}", .0.x, .0.y)]
    Grid(GridSize),
    /// A velocity of 0, or not finite.
    #[error("the velocity {0} does not move anything; give finite numbers, not both 0")]
    Velocity(Velocity),
    /// An activation of a complex field.
    #[error("an activation acts on real fields, and these harmonics are not those of one: H(−n) must be conj H(n)")]
    Complex,
    /// An activation and a filter without samples for the filter to act on.
    #[error("a filter after an activation acts on samples; say how many there are and a stride that divides them")]
    FilterNeedsStride,
    /// More than one channel.
    #[error("the theorem is checked one channel at a time, and the series has {0}")]
    Channels(usize),
    /// The defect overflowed.
    #[error("the defect is too large for f64; scale the input down")]
    NotFinite,
    /// From the filter.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// From the series.
    #[error(transparent)]
    Series(#[from] SeriesError),
    /// From a stride.
    #[error(transparent)]
    Strided(#[from] StridedError),
    /// From a transform.
    #[error(transparent)]
    Transform(#[from] TransformError),
}

/// One harmonic that the last sampling moves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fold {
    /// Where it was, \[n_x, n_y\].
    pub from: Wave,
    /// Where it lands.
    pub to: Wave,
    /// |G_n H_n|².
    pub energy: f64,
    /// (2π)²|G_n H_n|²(v·(s(to) − s(from)))²: its term of `diagonal`.
    pub defect: f64,
}

/// |form − reference| / reference, where the reference is not 0 to rounding; `exact` is the reference of all.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Relative {
    /// Of `measured`.
    pub measured: Option<f64>,
    /// Of `diagonal`.
    pub diagonal: Option<f64>,
    /// Of `paper`.
    pub paper: Option<f64>,
}

/// What each form assumes, and whether this input is so.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assumptions {
    /// Bins onto which two or more occupied harmonics land; `diagonal` equals `exact` where there are none.
    pub collisions: usize,
    /// Whether v_x v_y = 0; `paper` equals `diagonal` where it is.
    pub axis_aligned: bool,
    /// Whether no occupied harmonic lies at or beyond the grid's Nyquist frequency; all forms are 0 then.
    pub alias_free: bool,
    /// Whether the first sampling, if any, folded nothing.
    pub band_within_samples: bool,
    /// Whether an even grid puts occupied harmonics on its Nyquist bin, whose derivative is 0.
    pub nyquist_occupied: bool,
}

/// How far the harmonics of an activation were followed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Truncation {
    /// The last oversampled grid.
    pub oversampled: GridSize,
    /// The relative change of `exact` in the last doubling.
    pub change: f64,
    /// The change at which doubling stops.
    pub tolerance: f64,
    /// An estimate of the relative change that all further doublings together would make, from the ratio of the last
    /// two changes.
    pub estimate: f64,
    /// Whether the tolerance was reached.
    pub converged: bool,
}

/// The theorem's three forms beside the measured defect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TheoremReport {
    /// [`THEOREM_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Who computed it, and when.
    pub run: Origin,
    /// What the field is, in words.
    pub input: String,
    /// The convention of every energy here.
    pub convention: String,
    /// The largest |n| of the input's occupied harmonics.
    pub band: u64,
    /// The number of occupied harmonics of the field that the theorem is about.
    pub harmonics: usize,
    /// The grid of the first sampling.
    pub samples: Option<GridSize>,
    /// The grid of the last sampling.
    pub grid: GridSize,
    /// `samples`/`grid`, where that is a stride.
    pub stride: Option<GridSize>,
    /// The velocity v.
    pub velocity: Velocity,
    /// The filter before the last sampling.
    pub prefilter: String,
    /// The activation before that.
    pub activation: Option<String>,
    /// The exact form.
    pub exact: f64,
    /// The form without cross terms between harmonics.
    pub diagonal: f64,
    /// Theorem 1 as it is printed, in this convention.
    pub paper: f64,
    /// The mean square of the defect measured on samples.
    pub measured: f64,
    /// How far each is from `exact`.
    pub relative: Relative,
    /// Σ |H_n|², the mean square of the input.
    pub energy: f64,
    /// (2π)² Σ |G_n H_n|² (v·n)², the mean square of v·∇h: the scale that the defect is small or large against.
    pub slope_energy: f64,
    /// The share of the input's energy that the first sampling folded; null where the input has none.
    pub presampling_share: Option<f64>,
    /// The harmonics that move, largest defect first, at most [`MAX_FOLDS`].
    pub folds: Vec<Fold>,
    /// How many there are.
    pub folds_total: usize,
    /// What each form assumes.
    pub assumptions: Assumptions,
    /// With an activation, how its harmonics were followed.
    pub truncation: Option<Truncation>,
}

impl TheoremReport {
    /// The square of the rounding errors of slopes in f64, below which energies here mean nothing: the mean square of
    /// v·∇h as it is and as the fastest harmonic of the grids would make it, times 1e-30.
    pub fn rounding(&self) -> f64 {
        let sides = [Some(self.grid), self.samples].into_iter().flatten().flat_map(|grid| [grid.x, grid.y]);
        let fastest = TAU * self.velocity.x.hypot(self.velocity.y) * sides.max().unwrap_or(1) as f64;
        1e-30 * (self.slope_energy + self.energy * fastest * fastest)
    }
}

impl Setup {
    fn check(&self) -> Result<(), TheoremError> {
        for grid in [Some(self.grid), self.samples].into_iter().flatten() {
            let len = grid.x.saturating_mul(grid.y);
            if len == 0 || len > MAX_GRID {
                return Err(TheoremError::Grid(grid));
            }
        }
        if self.velocity.moves() { Ok(()) } else { Err(TheoremError::Velocity(self.velocity)) }
    }

    /// samples/grid, where that is a whole number on both axes.
    pub fn stride(&self) -> Option<GridSize> {
        let samples = self.samples?;
        samples.strided(self.grid)
    }
}

/// Checks the theorem on a series of one channel.
///
/// `exact`, `diagonal` and `paper` come from the coefficients; `measured` comes from samples: sampled, filtered as a
/// sum over taps, differentiated, sampled again, subtracted.
///
/// # Errors
/// Grids and velocities that make no sense, filters and activations that do not go with the rest of the setup.
pub fn check_series(series: &FourierSeries, setup: &Setup) -> Result<TheoremReport, TheoremError> {
    setup.check()?;
    if series.channels() != 1 {
        return Err(TheoremError::Channels(series.channels()));
    }
    let total = series.energy();
    let lost: f64 = setup.samples.map_or(0.0, |samples| {
        let beyond = series.terms().filter(|(wave, _)| samples.alias(*wave) != *wave);
        beyond.flat_map(|(_, values)| values).map(Complex64::norm_sqr).sum()
    });
    let mut report = match (&setup.activation, setup.samples, setup.stride()) {
        (Some(activation), ..) => check_activation(series, setup, activation)?,
        (None, Some(samples), Some(stride)) => {
            let response = setup.prefilter.design(setup.samples, setup.grid)?;
            let terms = series.fold(samples).filter(|wave| response.gain(wave));
            let mut report = from_terms(&terms, setup, |wave| samples.derivative_symbol(wave));
            let fields = parts(&series.sample(samples));
            report.measured = measured_on_samples(fields.view(), &response, stride, setup.velocity)?;
            report
        }
        (None, samples, None) | (None, samples @ None, Some(_)) => {
            let response = setup.prefilter.design(samples, setup.grid)?;
            let interpolant = interpolated(series, samples);
            let filtered = interpolant.filter(|wave| response.gain(wave));
            let mut report = from_terms(&filtered, setup, |wave| wave);
            let fields = parts(&filtered.sample(setup.grid));
            let slopes = parts(&filtered.differentiate(setup.velocity).sample(setup.grid));
            report.measured = measured_continuous(fields, slopes, setup.velocity)?;
            report
        }
    };
    report.band = series.band();
    report.energy = total;
    report.presampling_share = (total > 0.0).then(|| lost / total);
    report.assumptions.band_within_samples = lost == 0.0;
    finish(report)
}

/// Checks the theorem on one real field of samples `[1, rows, columns]`, such as an image, and a stride that divides
/// it.
///
/// Works on half spectra in place, so that it holds three fields' worth of memory at most.
///
/// # Errors
/// As [`check_series`]; also a grid that is not every s-th sample of the field.
pub fn check_field(field: ArrayView3<'_, f64>, setup: &Setup) -> Result<TheoremReport, TheoremError> {
    let (channels, rows, columns) = field.dim();
    let samples = GridSize::new(columns, rows);
    let setup = Setup { samples: Some(samples), ..setup.clone() };
    setup.check()?;
    if channels != 1 {
        return Err(TheoremError::Channels(channels));
    }
    let Some(stride) = setup.stride() else {
        let stride = GridSize::new(columns / setup.grid.x.max(1), rows / setup.grid.y.max(1));
        return Err(StridedError::Indivisible { stride, grid: samples }.into());
    };
    if setup.activation.is_some() {
        let series = FourierSeries::from_samples(field)?;
        return check_series(&series, &setup);
    }
    let response = setup.prefilter.design(setup.samples, setup.grid)?;
    let measured = measured_on_samples(field, &response, stride, setup.velocity)?;
    let mut spectrum = HalfSpectrum::from_samples(field)?;
    let energy = spectrum.energy().sum();
    if !response.is_identity() {
        spectrum.par_multiply(|wave| response.gain(wave));
    }
    let mut report = from_spectrum(&spectrum, &setup, stride)?;
    report.measured = measured;
    report.energy = energy;
    report.band = occupied_band(&spectrum);
    finish(report)
}

fn finish(mut report: TheoremReport) -> Result<TheoremReport, TheoremError> {
    let reference = report.exact;
    if ![report.exact, report.diagonal, report.paper, report.measured].iter().all(|energy| energy.is_finite()) {
        return Err(TheoremError::NotFinite);
    }
    let rounding = report.rounding();
    let relative = |form: f64| (reference > rounding).then(|| (form - reference).abs() / reference);
    report.relative = Relative {
        measured: relative(report.measured),
        diagonal: relative(report.diagonal),
        paper: relative(report.paper),
    };
    Ok(report)
}

/// The series that a first sampling leaves: the trigonometric interpolant of its samples.
fn interpolated(series: &FourierSeries, samples: Option<GridSize>) -> FourierSeries {
    let Some(samples) = samples else { return series.clone() };
    let mut terms: BTreeMap<Wave, Vec<Complex64>> = BTreeMap::new();
    for (wave, values) in series.fold(samples).terms() {
        for (wave, share) in samples.interpolant(wave) {
            terms.insert(wave, values.iter().map(|value| value * share).collect());
        }
    }
    // Its terms are those of a series already checked.
    FourierSeries::with_channels(series.channels(), terms).unwrap_or_else(|_| series.clone())
}
