//! The aliasing theorem: how much sampling breaks translation, in three forms and measured.
//!
//! On the torus, with A = sample on a grid of M and re-interpolate, translation along v acts as v·∇, and the defect of A
//! is δ = A(v·∇h) − v·∇(A h). Its mean square over the samples is what [`Forms`] predict and `measured` measures.
//!
//! **Which grid is which.** Without `samples` the field is continuous, and the grid samples it directly; a harmonic's
//! derivative is 2πi n whatever n is. With `samples` N the field is first sampled on N, as the input of a layer is:
//! harmonics beyond N fold before the theorem begins, that loss is reported on its own
//! ([`TheoremReport::presampling_share`]), and the theorem is about going from those N samples to M. Where M = N/s the
//! operator is the stride s, and derivatives on both sides are those of samples, s_N and s_M. Where M does not divide N,
//! the trigonometric interpolant of the N samples is sampled on M.

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use ndarray::{Array3, ArrayView3, Axis, concatenate, s};
use num_complex::Complex64;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::activation::Activation;
use super::alias::{GridSize, Wave, alias, derivative_symbol, is_nyquist};
use super::filter::{Filter, FilterError, Response};
use super::half_spectrum::HalfSpectrum;
use super::series::{FourierSeries, SeriesError};
use super::strided::{Forms, StridedError, mean_square, measured_strided_defect, strided_defect};
use super::transform::TransformError;
use super::velocity::Velocity;

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
    /// The share of the input's energy that the first sampling folded.
    pub presampling_share: f64,
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
/// `exact`, `diagonal` and `paper` come from the coefficients; `measured` comes from samples: sampled, filtered as a sum
/// over taps, differentiated, sampled again, subtracted.
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
    report.presampling_share = if total > 0.0 { lost / total } else { 0.0 };
    report.assumptions.band_within_samples = lost == 0.0;
    finish(report)
}

/// Checks the theorem on one real field of samples `[1, rows, columns]`, such as an image, and a stride that divides it.
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

/// The defect of a pointwise nonlinearity on samples, σ′(h)·(v·∇h) − v·∇σ(h) with the periodic spectral ∇:
/// `[channels, rows, columns]` of the samples of real fields of that shape.
///
/// # Errors
/// Fields without samples.
pub fn measured_activation_defect(
    fields: ArrayView3<'_, f64>,
    activation: &Activation,
    velocity: Velocity,
) -> Result<Array3<f64>, TransformError> {
    let slope = HalfSpectrum::from_samples(fields)?.differentiate(velocity).into_samples()?;
    let value = fields.mapv(|h| activation.value(h));
    let pushed = ndarray::Zip::from(fields).and(&slope).map_collect(|h, dh| activation.derivative(*h) * dh);
    Ok(pushed - HalfSpectrum::from_samples(value.view())?.differentiate(velocity).into_samples()?)
}

/// The defect that an operator commuting with every translation has on samples, predicted by oversampling.
///
/// The fields' interpolant is sampled `factor` times finer; `operator` acts there (a pointwise function, or a window of
/// taps `factor` fine samples apart, such as a max pooling of stride 1); then keeping every `factor`·`stride`-th sample
/// is a strided sampling of a field whose harmonics are followed up to the fine grid's band. Exact where that band holds
/// them all; otherwise converges as `factor` grows.
///
/// From `[channels, rows, columns]` to the forms per channel and the spectrum of δ on the grid of the kept samples.
///
/// # Errors
/// A stride that does not divide the fields' grid.
pub fn oversampled_defect(
    fields: ArrayView3<'_, f64>,
    factor: usize,
    stride: GridSize,
    velocity: Velocity,
    operator: impl Fn(Array3<f64>) -> Array3<f64>,
) -> Result<super::strided::StridedDefect, StridedError> {
    let spectrum = HalfSpectrum::from_samples(fields)?;
    let grid = spectrum.grid();
    let refused = StridedError::Indivisible { stride, grid };
    let fine = spectrum.oversample(GridSize::square(factor)).ok_or(refused)?.into_samples()?;
    let spectrum = HalfSpectrum::from_samples(operator(fine).view())?;
    strided_defect(&spectrum, GridSize::new(factor * stride.x, factor * stride.y), velocity)
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

/// The real and imaginary parts of one complex field as two real ones. Every step of the measured road is real-linear,
/// so that the mean squares of both add up.
fn parts(field: &Array3<Complex64>) -> Array3<f64> {
    let (real, imaginary) = (field.mapv(|h| h.re), field.mapv(|h| h.im));
    // The shapes agree by construction.
    concatenate(Axis(0), &[real.view(), imaginary.view()]).unwrap_or(real)
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

fn measured_on_samples(
    fields: ArrayView3<'_, f64>,
    response: &Response,
    stride: GridSize,
    velocity: Velocity,
) -> Result<f64, TheoremError> {
    if response.is_identity() {
        let defect = measured_strided_defect(fields, stride, velocity)?;
        return Ok(mean_square(defect.view()).iter().sum());
    }
    let spectrum = HalfSpectrum::from_samples(fields)?.differentiate(velocity);
    // What is filtered is kept on the coarse grid only, so that three fields' worth of memory is enough.
    let (slopes, kept) = if response.has_taps() {
        let slopes = spectrum.into_samples()?;
        (response.apply_strided(slopes.view(), stride)?, response.apply_strided(fields, stride)?)
    } else {
        let through = |mut spectrum: HalfSpectrum| -> Result<_, TransformError> {
            spectrum.par_multiply(|wave| response.gain(wave));
            Ok(spectrum.into_samples()?.slice(s![.., ..;stride.y as isize, ..;stride.x as isize]).to_owned())
        };
        (through(spectrum)?, through(HalfSpectrum::from_samples(fields)?)?)
    };
    let defect = subtract_on_coarse(slopes, kept, GridSize::square(1), velocity)?;
    Ok(mean_square(defect.view()).iter().sum())
}

/// Keeps every `stride`-th sample of both, and subtracts the derivative of the kept fields from the kept slopes.
fn subtract_on_coarse(
    slopes: Array3<f64>,
    fields: Array3<f64>,
    stride: GridSize,
    velocity: Velocity,
) -> Result<Array3<f64>, TransformError> {
    let keep = s![.., ..;stride.y as isize, ..;stride.x as isize];
    let slope_of_kept = HalfSpectrum::from_samples(fields.slice(keep))?.differentiate(velocity).into_samples()?;
    Ok(&slopes.slice(keep) - &slope_of_kept)
}

fn measured_continuous(fields: Array3<f64>, slopes: Array3<f64>, velocity: Velocity) -> Result<f64, TransformError> {
    let defect = subtract_on_coarse(slopes, fields, GridSize::square(1), velocity)?;
    Ok(mean_square(defect.view()).iter().sum())
}

/// The three forms from coefficients, with the derivative that the source gives each harmonic.
fn from_terms(series: &FourierSeries, setup: &Setup, symbol: impl Fn(Wave) -> Wave) -> TheoremReport {
    let (grid, velocity) = (setup.grid, setup.velocity);
    let mut bins: BTreeMap<Wave, (Complex64, usize)> = BTreeMap::new();
    let mut forms = Forms::default();
    let mut folds = Vec::new();
    let mut slope_energy = 0.0;
    let mut facts = Facts::default();
    for (wave, values) in series.terms() {
        let value = values[0];
        if value == Complex64::ZERO {
            continue;
        }
        let (to, before, after) = (grid.alias(wave), symbol(wave), grid.derivative_symbol(wave));
        let (by_x, by_y) =
            (TAU * velocity.x * (after.x - before.x) as f64, TAU * velocity.y * (after.y - before.y) as f64);
        let energy = value.norm_sqr();
        let defect = energy * (by_x + by_y).powi(2);
        forms.diagonal += defect;
        forms.paper += energy * (by_x * by_x + by_y * by_y);
        slope_energy += energy * velocity.rate(before).powi(2);
        let bin = bins.entry(to).or_default();
        bin.0 += value * (by_x + by_y);
        bin.1 += 1;
        facts.see(wave, grid);
        if to != wave {
            folds.push(Fold { from: wave, to, energy, defect });
        }
    }
    forms.exact = bins.values().map(|(sum, _)| sum.norm_sqr()).sum();
    facts.collisions = bins.values().filter(|(_, count)| *count > 1).count();
    facts.report(setup, forms, slope_energy, folds)
}

/// What the last sampling does to one harmonic of an axis.
#[derive(Clone, Copy)]
struct Landing {
    from: i64,
    to: i64,
    /// The bin of the last grid.
    bin: usize,
    /// s(from) on the fine grid.
    symbol: f64,
    /// s(to) − s(from).
    change: f64,
    resolved: bool,
    nyquist: bool,
}

/// For each bin of a fine axis the landing of its harmonic and of the opposite one.
fn landings(fine: usize, coarse: usize) -> Vec<[Landing; 2]> {
    let landing = |n: i64| {
        let symbol = derivative_symbol(n, fine) as f64;
        Landing {
            from: n,
            to: alias(n, coarse),
            bin: n.rem_euclid(coarse as i64) as usize,
            symbol,
            change: derivative_symbol(n, coarse) as f64 - symbol,
            resolved: GridSize::square(coarse).resolves(Wave::new(n, 0)),
            nyquist: is_nyquist(n, coarse),
        }
    };
    (0..fine as i64).map(|n| alias(n, fine)).map(|n| [landing(n), landing(-n)]).collect()
}

/// The three forms from a half spectrum of samples.
fn from_spectrum(spectrum: &HalfSpectrum, setup: &Setup, stride: GridSize) -> Result<TheoremReport, TheoremError> {
    let (grid, velocity, fine) = (setup.grid, setup.velocity, spectrum.grid());
    let forms = strided_defect(spectrum, stride, velocity)?.forms.first().copied().unwrap_or_default();
    let floor = occupied_floor(spectrum);
    let mut landed = vec![0_u8; grid.len()];
    let mut facts = Facts::default();
    let mut slope_energy = 0.0;
    let mut folds = Vec::new();
    let mut least = f64::NEG_INFINITY;
    let mut total_folds = 0;
    let (columns, rows) = (landings(fine.x, grid.x), landings(fine.y, grid.y));
    for ((_, row, column), value) in spectrum.bins().indexed_iter() {
        let energy = value.norm_sqr();
        let (along_x, along_y) = (&columns[column], &rows[row]);
        let rate = TAU * (velocity.x * along_x[0].symbol + velocity.y * along_y[0].symbol);
        let paired = spectrum.multiplicity(column) > 1.0;
        slope_energy += if paired { 2.0 } else { 1.0 } * energy * rate * rate;
        if energy <= floor {
            continue;
        }
        for (x, y) in along_x.iter().zip(along_y).take(1 + usize::from(paired)) {
            facts.harmonics += 1;
            facts.aliased |= !(x.resolved && y.resolved);
            facts.nyquist_occupied |= x.nyquist || y.nyquist;
            let bin = y.bin * grid.x + x.bin;
            landed[bin] = landed[bin].saturating_add(1);
            if (x.from, y.from) == (x.to, y.to) {
                continue;
            }
            total_folds += 1;
            let rate = TAU * (velocity.x * x.change + velocity.y * y.change);
            let defect = energy * rate * rate;
            // What is listed in the end is little; what is held meanwhile stays little too.
            if defect < least {
                continue;
            }
            folds.push(Fold { from: Wave::new(x.from, y.from), to: Wave::new(x.to, y.to), energy, defect });
            if folds.len() >= 32 * MAX_FOLDS {
                keep_largest(&mut folds);
                least = folds.last().map_or(least, |fold| fold.defect);
            }
        }
    }
    facts.collisions = landed.iter().filter(|count| **count > 1).count();
    let mut report = facts.report(setup, forms, slope_energy, folds);
    report.folds_total = total_folds;
    Ok(report)
}

/// The energy below which a bin of a transform holds rounding errors and nothing else.
fn occupied_floor(spectrum: &HalfSpectrum) -> f64 {
    1e-30 * spectrum.bins().iter().map(Complex64::norm_sqr).fold(0.0, f64::max)
}

fn occupied_band(spectrum: &HalfSpectrum) -> u64 {
    let floor = occupied_floor(spectrum);
    let bins = spectrum.bins();
    let occupied = bins.indexed_iter().filter(|(_, value)| value.norm_sqr() > floor);
    let side = |i: usize, n: usize| i.min(n - i);
    let grid = spectrum.grid();
    occupied.map(|((_, row, column), _)| side(row, grid.y).max(side(column, grid.x)) as u64).max().unwrap_or(0)
}

fn keep_largest(folds: &mut Vec<Fold>) {
    folds.sort_by(|a, b| b.defect.total_cmp(&a.defect).then(b.energy.total_cmp(&a.energy)).then(a.from.cmp(&b.from)));
    folds.truncate(MAX_FOLDS);
}

/// What is noticed on the way through the harmonics.
#[derive(Default)]
struct Facts {
    harmonics: usize,
    collisions: usize,
    aliased: bool,
    nyquist_occupied: bool,
}

impl Facts {
    fn see(&mut self, wave: Wave, grid: GridSize) {
        self.harmonics += 1;
        self.aliased |= !grid.resolves(wave);
        self.nyquist_occupied |= is_nyquist(wave.x, grid.x) || is_nyquist(wave.y, grid.y);
    }

    fn report(self, setup: &Setup, forms: Forms, slope_energy: f64, mut folds: Vec<Fold>) -> TheoremReport {
        let folds_total = folds.len();
        keep_largest(&mut folds);
        TheoremReport {
            schema_version: THEOREM_SCHEMA_VERSION,
            input: String::new(),
            convention: "h = sum of H_n exp(2 pi i n.x), no 1/(2 pi) in front: the paper's printed numbers are these \
                         divided by (2 pi)^2"
                .to_owned(),
            band: 0,
            harmonics: self.harmonics,
            samples: setup.samples,
            grid: setup.grid,
            stride: setup.stride(),
            velocity: setup.velocity,
            prefilter: setup.prefilter.to_string(),
            activation: setup.activation.as_ref().map(ToString::to_string),
            exact: forms.exact,
            diagonal: forms.diagonal,
            paper: forms.paper,
            measured: f64::NAN,
            relative: Relative { measured: None, diagonal: None, paper: None },
            energy: 0.0,
            slope_energy,
            presampling_share: 0.0,
            folds,
            folds_total,
            assumptions: Assumptions {
                collisions: self.collisions,
                axis_aligned: setup.velocity.is_axis_aligned(),
                alias_free: !self.aliased,
                band_within_samples: true,
                nyquist_occupied: self.nyquist_occupied,
            },
            truncation: None,
        }
    }
}

fn check_activation(
    series: &FourierSeries,
    setup: &Setup,
    activation: &Activation,
) -> Result<TheoremReport, TheoremError> {
    /// Coefficients may come from a file of few digits.
    const REAL_TO: f64 = 1e-9;
    if !series.is_real(REAL_TO) {
        return Err(TheoremError::Complex);
    }
    let response = setup.prefilter.design(setup.samples, setup.grid)?;
    if !response.is_identity() && setup.stride().is_none() {
        return Err(TheoremError::FilterNeedsStride);
    }
    let field = interpolated(series, setup.samples);
    let slope = field.differentiate(setup.velocity);

    // Measured where the layer has its samples: on the first grid if a stride follows, else on the last one.
    let (seen, stride) = match (setup.samples, setup.stride()) {
        (Some(samples), Some(stride)) => (samples, stride),
        _ => (setup.grid, GridSize::square(1)),
    };
    let values = field.sample(seen).mapv(|h| activation.value(h.re));
    let pushed = ndarray::Zip::from(&field.sample(seen))
        .and(&slope.sample(seen))
        .map_collect(|h, dh| activation.derivative(h.re) * dh.re);
    let measured =
        subtract_on_coarse(response.apply(pushed.view())?, response.apply(values.view())?, stride, setup.velocity)?;
    let measured = mean_square(measured.view()).iter().sum();

    let mut fine = oversampled_start(setup.grid, field.band());
    let mut last: Option<(f64, f64)> = None;
    loop {
        let over = GridSize::new(fine.x / setup.grid.x, fine.y / setup.grid.y);
        let values = field.sample(fine).mapv(|h| activation.value(h.re));
        let mut spectrum = HalfSpectrum::from_samples(values.view())?;
        spectrum.par_multiply(|wave| response.gain(wave));
        let exact = strided_defect(&spectrum, over, setup.velocity)?.forms.first().map_or(0.0, |forms| forms.exact);
        let change = last.map(|(before, _)| if exact > 0.0 { (exact - before).abs() / exact } else { 0.0 });
        let slopes = spectrum.clone().differentiate(setup.velocity).energy()[0];
        // Without aliasing what is left is rounding, and relative changes of that mean nothing.
        let nothing = exact <= 1e-26 * slopes;
        let converged = change.is_some_and(|change| change <= setup.tolerance || nothing);
        let next = GridSize::new(2 * fine.x, 2 * fine.y);
        if converged || (last.is_some() && next.len() > MAX_OVERSAMPLED) {
            let change = change.unwrap_or(0.0);
            let ratio =
                last.map_or(0.5, |(_, before)| if before > 0.0 { change / before } else { 0.0 }).clamp(0.0, 0.95);
            let estimate = if nothing { 0.0 } else { change * ratio / (1.0 - ratio) };
            let mut report = from_spectrum(&spectrum, setup, over)?;
            report.measured = measured;
            report.truncation =
                Some(Truncation { oversampled: fine, change, tolerance: setup.tolerance, estimate, converged });
            return Ok(report);
        }
        last = Some((exact, change.unwrap_or(0.0)));
        fine = next;
    }
}

/// The most samples of an oversampled field: 2048².
const MAX_OVERSAMPLED: usize = 1 << 22;

/// The smallest multiple of the grid, by a power of two, that holds four times the band.
fn oversampled_start(grid: GridSize, band: u64) -> GridSize {
    let mut fine = GridSize::new(2 * grid.x, 2 * grid.y);
    while (fine.x.min(fine.y) as u64) < 8 * band && 4 * fine.len() <= MAX_OVERSAMPLED {
        fine = GridSize::new(2 * fine.x, 2 * fine.y);
    }
    fine
}
