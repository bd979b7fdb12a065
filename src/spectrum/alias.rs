//! Which harmonic a grid mistakes each harmonic for.

/// Alias(n) = ((n + ⌊M/2⌋) mod M) − ⌊M/2⌋: the harmonic in [−⌊M/2⌋, ⌈M/2⌉) that agrees with harmonic `n` on a grid
/// of `grid` samples per unit length.
///
/// On an even grid the Nyquist harmonics ±M/2 agree with each other, and both are called −M/2.
/// A grid of 0 samples has no harmonics; it is treated as one sample, to which every harmonic is constant.
pub fn alias(n: i64, grid: usize) -> i64 {
    let m = grid.max(1) as i64;
    let half = m / 2;
    // In i128 the sum cannot overflow for any n; the result is at most M/2 in size.
    ((i128::from(n) + i128::from(half)).rem_euclid(i128::from(m)) - i128::from(half)) as i64
}

/// s_M(n): the factor by which the real interpolant's derivative multiplies harmonic `n` of a grid of M = `grid`
/// samples, over 2πi. It is Alias(n), except at an even grid's Nyquist bin −M/2, where it is 0.
///
/// The Nyquist samples (−1)^j are those of both e^{2πi(M/2)x} and e^{−2πi(M/2)x}. Half of each is the one interpolant
/// that is real for a real signal, cos(πMx), and its derivative vanishes at every sample.
pub fn derivative_symbol(n: i64, grid: usize) -> i64 {
    let folded = alias(n, grid);
    if is_nyquist(folded, grid) { 0 } else { folded }
}

/// Whether harmonic `n` falls on the Nyquist bin −M/2 of a grid of M = `grid` samples; never on an odd grid.
pub fn is_nyquist(n: i64, grid: usize) -> bool {
    grid.is_multiple_of(2) && grid > 0 && alias(n, grid) == -(grid as i64 / 2)
}
