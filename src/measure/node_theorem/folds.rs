//! Which harmonics do the damage at a node, and where they land.

use ndarray::Array2;

use crate::measure::node_theorem_report::{Fold, FoldMap};
use crate::spectrum::alias::{GridSize, Wave};
use crate::spectrum::half_spectrum::HalfSpectrum;
use crate::spectrum::velocity::Velocity;

/// |H_n|² of the harmonics before the sampling, summed over channels: `[rows, half the columns]`.
pub(super) struct HalfPower {
    fine: GridSize,
    pub(super) bins: Array2<f64>,
}

impl HalfPower {
    pub(super) fn of(spectrum: &HalfSpectrum) -> Self {
        let (_, rows, half) = spectrum.bins().dim();
        let mut bins = Array2::zeros((rows, half));
        for channel in spectrum.bins().outer_iter() {
            bins.zip_mut_with(&channel, |sum, h| *sum += h.norm_sqr());
        }
        Self { fine: spectrum.grid(), bins }
    }
}

/// Power and damage of every harmonic, the constant in the middle.
pub(super) fn fold_map(name: &str, half_power: &HalfPower, coarse: GridSize, velocity: Velocity) -> FoldMap {
    let fine = half_power.fine;
    let mut power = vec![vec![0.0; fine.x]; fine.y];
    let mut damage = power.clone();
    let place = |n: i64, side: usize| (n + side as i64 / 2).rem_euclid(side as i64) as usize;
    for ((row, column), &here) in half_power.bins.indexed_iter() {
        let y = if row > (fine.y - 1) / 2 { row as i64 - fine.y as i64 } else { row as i64 };
        let wave = Wave::new(column as i64, y);
        let (from, to) = (fine.derivative_symbol(wave), coarse.derivative_symbol(wave));
        let rate = velocity.rate(Wave::new(from.x - to.x, from.y - to.y));
        // The half that is not stored holds the conjugates; a column of its own conjugates finds them at their places.
        for (x, y) in [(wave.x, wave.y), (-wave.x, -wave.y)] {
            let (y, x) = (place(y, fine.y), place(x, fine.x));
            power[y][x] = here;
            damage[y][x] = rate * rate * here;
        }
    }
    FoldMap { node: name.to_owned(), fine: fine.into(), coarse: coarse.into(), power, damage }
}

/// How many harmonics are listed.
const LISTED: usize = 5;

/// The harmonics whose own defect is largest, each with its conjugate, and their shares of all such defects.
pub(super) fn worst_folds(map: &FoldMap) -> Vec<Fold> {
    let [columns, rows] = map.fine;
    let coarse = GridSize::from(map.coarse);
    let total: f64 = map.damage.iter().flatten().sum();
    let mut folds = Vec::new();
    for (y, row) in map.damage.iter().enumerate() {
        for (x, &damage) in row.iter().enumerate() {
            let wave = Wave::new(x as i64 - columns as i64 / 2, y as i64 - rows as i64 / 2);
            // Of a conjugate pair the one to the right; on the vertical axis the lower one.
            if damage > 0.0 && (wave.x > 0 || wave.x == 0 && wave.y > 0) {
                folds.push(Fold { from: wave.into(), to: coarse.alias(wave).into(), share: 2.0 * damage / total });
            }
        }
    }
    folds.sort_by(|a, b| b.share.total_cmp(&a.share));
    folds.truncate(LISTED);
    folds
}

/// Where, in multiples of the coarse grid's Nyquist frequency, a tenth, half and nine tenths of the damage are reached.
pub(super) fn damage_at(map: &FoldMap) -> [f64; 3] {
    let [columns, rows] = map.fine;
    let reach = |at: usize, fine: usize, coarse: usize| {
        (at as f64 - (fine / 2) as f64).abs() / (coarse as f64 / 2.0).max(f64::MIN_POSITIVE)
    };
    let mut damages: Vec<(f64, f64)> = Vec::with_capacity(columns * rows);
    for (y, row) in map.damage.iter().enumerate() {
        for (x, &damage) in row.iter().enumerate().filter(|(_, damage)| **damage > 0.0) {
            damages.push((reach(x, columns, map.coarse[0]).max(reach(y, rows, map.coarse[1])), damage));
        }
    }
    damages.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total: f64 = damages.iter().map(|(_, damage)| damage).sum();
    let mut reached = 0.0;
    let mut places = [0.0; 3];
    for (place, damage) in damages {
        reached += damage;
        for (at, share) in places.iter_mut().zip([0.1, 0.5, 0.9]) {
            if *at == 0.0 && reached >= share * total {
                *at = place;
            }
        }
    }
    places
}
