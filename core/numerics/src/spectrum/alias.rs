//! Which harmonic a grid mistakes each harmonic for.

use serde::{Deserialize, Serialize};

/// The harmonic e^{2πi(x·X + y·Y)} of the torus: whole numbers of cycles to the right and down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "[i64; 2]", into = "[i64; 2]")]
pub struct Wave {
    /// Cycles per unit length along rows of pixels, to the right.
    pub x: i64,
    /// Cycles per unit length along columns of pixels, down.
    pub y: i64,
}

impl Wave {
    /// The wave with these numbers of cycles.
    pub const fn new(x: i64, y: i64) -> Self {
        Self { x, y }
    }

    /// max(|x|, |y|).
    pub fn band(self) -> u64 {
        self.x.unsigned_abs().max(self.y.unsigned_abs())
    }

    /// (−x, −y), whose coefficient is the conjugate one in a real signal.
    pub fn reversed(self) -> Self {
        Self { x: -self.x, y: -self.y }
    }
}

impl From<[i64; 2]> for Wave {
    fn from([x, y]: [i64; 2]) -> Self {
        Self { x, y }
    }
}

impl From<Wave> for [i64; 2] {
    fn from(wave: Wave) -> Self {
        [wave.x, wave.y]
    }
}

/// The number of samples of a grid along x (columns) and y (rows); the samples of the torus lie at (i/x, j/y).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "[usize; 2]", into = "[usize; 2]")]
pub struct GridSize {
    /// Columns.
    pub x: usize,
    /// Rows.
    pub y: usize,
}

impl GridSize {
    /// A grid of `x` columns and `y` rows.
    pub const fn new(x: usize, y: usize) -> Self {
        Self { x, y }
    }

    /// A grid with as many rows as columns.
    pub const fn square(side: usize) -> Self {
        Self { x: side, y: side }
    }

    /// The number of samples.
    pub fn len(self) -> usize {
        self.x * self.y
    }

    /// Whether there are no samples.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The grid that every `stride`-th sample makes, where the stride divides both sides; otherwise nothing.
    pub fn strided(self, stride: GridSize) -> Option<Self> {
        let divides = |side: usize, step: usize| step > 0 && side > 0 && side.is_multiple_of(step);
        (divides(self.x, stride.x) && divides(self.y, stride.y))
            .then(|| Self { x: self.x / stride.x, y: self.y / stride.y })
    }

    /// The wave that this grid mistakes `wave` for: [`alias`] per axis.
    pub fn alias(self, wave: Wave) -> Wave {
        Wave { x: alias(wave.x, self.x), y: alias(wave.y, self.y) }
    }

    /// [`derivative_symbol`] per axis.
    pub fn derivative_symbol(self, wave: Wave) -> Wave {
        Wave { x: derivative_symbol(wave.x, self.x), y: derivative_symbol(wave.y, self.y) }
    }

    /// Whether the grid represents `wave` itself, without its Nyquist bin: 2|n| < M on both axes.
    pub fn resolves(self, wave: Wave) -> bool {
        resolves(wave.x, self.x) && resolves(wave.y, self.y)
    }

    /// The harmonics of the real interpolant that the bin of `wave` stands for, each with its share: the bin's own one,
    /// and on an even grid's Nyquist bins half of it at +M/2 and half at −M/2, per axis.
    pub fn interpolant(self, wave: Wave) -> Vec<(Wave, f64)> {
        let split = |n: i64, samples: usize| {
            let n = alias(n, samples);
            if is_nyquist_bin(n, samples) { vec![n, -n] } else { vec![n] }
        };
        let (columns, rows) = (split(wave.x, self.x), split(wave.y, self.y));
        let share = 1.0 / (columns.len() * rows.len()) as f64;
        rows.iter().flat_map(|&y| columns.iter().map(move |&x| (Wave { x, y }, share))).collect()
    }

    /// Every wave with |x|, |y| ≤ `band` that lands on the bin of `bin`, the bin itself included.
    pub fn landing_on(self, bin: Wave, band: u64) -> Vec<Wave> {
        let columns = congruent(bin.x, self.x, band);
        let rows = congruent(bin.y, self.y, band);
        rows.iter().flat_map(|&y| columns.iter().map(move |&x| Wave { x, y })).collect()
    }
}

impl From<[usize; 2]> for GridSize {
    fn from([x, y]: [usize; 2]) -> Self {
        Self { x, y }
    }
}

impl From<GridSize> for [usize; 2] {
    fn from(grid: GridSize) -> Self {
        [grid.x, grid.y]
    }
}

/// Alias(n) = ((n + ⌊M/2⌋) mod M) − ⌊M/2⌋: the harmonic in [−⌊M/2⌋, ⌈M/2⌉) that agrees with harmonic `n` on a grid
/// of `grid` samples per unit length.
///
/// On an even grid the Nyquist harmonics ±M/2 agree with each other, and both are called −M/2.
/// A grid of 0 samples has no harmonics; it is treated as one sample, to which every harmonic is constant.
pub fn alias(n: i64, grid: usize) -> i64 {
    let m = grid.max(1) as i64;
    let half = m / 2;
    // n mod M first: the sum cannot overflow then, for any n.
    (n.rem_euclid(m) + half) % m - half
}

/// s_M(n): the factor by which the real interpolant's derivative multiplies harmonic `n` of a grid of M = `grid`
/// samples, over 2πi. It is Alias(n), except at an even grid's Nyquist bin −M/2, where it is 0.
///
/// The Nyquist samples (−1)^j are those of both e^{2πi(M/2)x} and e^{−2πi(M/2)x}. Half of each is the one interpolant
/// that is real for a real signal, cos(πMx), and its derivative vanishes at every sample.
pub fn derivative_symbol(n: i64, grid: usize) -> i64 {
    let folded = alias(n, grid);
    if is_nyquist_bin(folded, grid) { 0 } else { folded }
}

/// Whether harmonic `n` falls on the Nyquist bin −M/2 of a grid of M = `grid` samples; never on an odd grid.
pub fn is_nyquist(n: i64, grid: usize) -> bool {
    is_nyquist_bin(alias(n, grid), grid)
}

fn is_nyquist_bin(folded: i64, grid: usize) -> bool {
    grid > 0 && grid.is_multiple_of(2) && folded == -(grid as i64 / 2)
}

/// 2|n| < M: the grid keeps this harmonic where it is.
fn resolves(n: i64, grid: usize) -> bool {
    n.unsigned_abs() < (grid as u64).div_ceil(2)
}

/// The harmonics in [−band, band] that agree with `bin` on the grid, ascending.
fn congruent(bin: i64, grid: usize, band: u64) -> Vec<i64> {
    let m = grid.max(1) as i64;
    let band = i64::try_from(band).unwrap_or(i64::MAX);
    let first = -band + (bin.rem_euclid(m) + band.rem_euclid(m)) % m;
    (0..).map_while(|step: i64| first.checked_add(step.checked_mul(m)?)).take_while(|n| *n <= band).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn congruent_lists_every_multiple_in_the_band() {
        assert_eq!(congruent(1, 4, 9), [-7, -3, 1, 5, 9]);
        assert_eq!(congruent(-2, 5, 7), [-7, -2, 3]);
        assert_eq!(congruent(3, 7, 2), Vec::<i64>::new());
    }
}
