//! An image at displaced points: the values of its trigonometric interpolant between the samples.

use ndarray::{Array2, Array3, ArrayView3, Axis};

use super::differentiation::Boundary;
use super::fine_grid::FineGrid;

/// Displacements in samples, along the columns and along the rows, each `[rows, columns]`.
pub type Displacement = [Array2<f64>; 2];

/// y(u) = x(u + v(u)) for `x` of `[channels, rows, columns]`, where x between and beyond its samples is the trigonometric
/// interpolant that [`Scheme::Spectral`](super::differentiation::Scheme) differentiates: of the image's own period, or of
/// its even extension. The derivative by t of the image warped by t·v is therefore v·∇x at t = 0, to rounding.
///
/// By a nonuniform fast Fourier transform: O(log(rows·columns)) per pixel and channel, and 10⁻¹³ of the largest value or
/// less from the sum over all samples.
pub fn warped(image: ArrayView3<'_, f64>, by: &Displacement, boundary: Boundary) -> Array3<f64> {
    let (_, rows, columns) = image.dim();
    let mut warped = image.to_owned();
    if warped.is_empty() {
        return warped;
    }
    let grid = FineGrid::new(rows, columns, boundary);
    let [x, y] = by;
    let at = |row: usize, column: usize| {
        let place = (row, column);
        [column as f64 + x[place], row as f64 + y[place]]
    };
    for (channel, mut warped) in image.axis_iter(Axis(0)).zip(warped.axis_iter_mut(Axis(0))) {
        warped.assign(&grid.values(channel, at));
    }
    warped
}
