//! How far the diagonal and the printed form of the theorem depart from the exact one, over random series.

use num_complex::Complex64;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::filter::Filter;
use super::series::{FourierSeries, RandomSeries};
use super::theorem::{Setup, TheoremError, check_series};
use super::velocity::Velocity;
use super::{GridSize, Wave};
use crate::origin::Origin;

/// The version of [`Departures`]' JSON; it grows when a field changes its meaning or goes away.
pub const DEPARTURES_SCHEMA_VERSION: u32 = 1;

/// One random series.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Departure {
    /// Its band K.
    pub band: u64,
    /// The grid's side M.
    pub grid: usize,
    /// Bins that hold more than one harmonic, over the bins that hold any.
    pub collision_share: f64,
    /// diagonal/exact − 1.
    pub diagonal: f64,
    /// paper/exact − 1.
    pub paper: f64,
    /// |measured/exact − 1|.
    pub measured: f64,
}

/// A study over bands and grids.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Departures {
    /// [`DEPARTURES_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Who computed it, and when.
    pub run: Origin,
    /// The velocity.
    pub velocity: Velocity,
    /// Series per band and grid.
    pub per_case: usize,
    /// Every series.
    pub cases: Vec<Departure>,
}

/// The shares of harmonics that series keep in turn, so that some have crowded bins and some have none.
const DENSITIES: [f64; 4] = [1.0, 0.3, 0.1, 0.03];

/// Checks the theorem on `per_case` random real series for every band on every square grid, in turn with all of their
/// harmonics and with 30, 10 and 3 % of them; series without aliasing are left out.
///
/// # Errors
/// Those of [`check_series`].
pub fn departures(
    bands: &[u64],
    grids: &[usize],
    per_case: usize,
    velocity: Velocity,
) -> Result<Departures, TheoremError> {
    let run = Origin::here();
    let mut cases = Vec::new();
    for &grid in grids {
        for &band in bands.iter().filter(|band| 2 * **band >= grid as u64) {
            for seed in 0..per_case as u64 {
                let series = FourierSeries::random(RandomSeries { band, decay: 1.0, real: true, seed })?;
                let Some(series) = thinned(&series, DENSITIES[seed as usize % DENSITIES.len()], seed) else { continue };
                let setup = Setup {
                    samples: None,
                    grid: GridSize::square(grid),
                    velocity,
                    prefilter: Filter::None,
                    activation: None,
                    tolerance: 1e-6,
                };
                let report = check_series(&series, &setup)?;
                let over_exact = |form: f64| form / report.exact - 1.0;
                if report.exact > report.rounding() {
                    cases.push(Departure {
                        band,
                        grid,
                        collision_share: report.assumptions.collisions as f64 / series.fold(setup.grid).len() as f64,
                        diagonal: over_exact(report.diagonal),
                        paper: over_exact(report.paper),
                        measured: over_exact(report.measured).abs(),
                    });
                }
            }
        }
    }
    Ok(Departures { schema_version: DEPARTURES_SCHEMA_VERSION, run, velocity, per_case, cases })
}

/// A real series with about this share of its pairs of harmonics n, −n; nothing where none is left.
fn thinned(series: &FourierSeries, share: f64, seed: u64) -> Option<FourierSeries> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x7417);
    let mut kept: Vec<(Wave, Complex64)> = Vec::new();
    for (wave, values) in series.terms().filter(|(wave, _)| *wave >= wave.reversed()) {
        if rng.random::<f64>() < share {
            kept.push((wave, values[0]));
            if wave != wave.reversed() {
                kept.push((wave.reversed(), values[0].conj()));
            }
        }
    }
    FourierSeries::new(kept).ok()
}
