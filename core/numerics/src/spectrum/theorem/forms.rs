//! The three forms of the theorem from Fourier coefficients, and what is noticed on the way through them.

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use num_complex::Complex64;

use super::{Assumptions, Fold, MAX_FOLDS, Relative, Setup, THEOREM_SCHEMA_VERSION, TheoremError, TheoremReport};
use crate::origin::Origin;
use crate::spectrum::alias::{GridSize, Wave, alias, derivative_symbol, is_nyquist};
use crate::spectrum::half_spectrum::HalfSpectrum;
use crate::spectrum::series::FourierSeries;
use crate::spectrum::strided::{Forms, strided_defect};

/// The three forms from coefficients, with the derivative that the source gives each harmonic.
pub(super) fn from_terms(series: &FourierSeries, setup: &Setup, symbol: impl Fn(Wave) -> Wave) -> TheoremReport {
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
pub(super) fn from_spectrum(
    spectrum: &HalfSpectrum,
    setup: &Setup,
    stride: GridSize,
) -> Result<TheoremReport, TheoremError> {
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

pub(super) fn occupied_band(spectrum: &HalfSpectrum) -> u64 {
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
            run: Origin::here(),
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
            presampling_share: Some(0.0),
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
