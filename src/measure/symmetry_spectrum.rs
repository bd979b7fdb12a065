//! The directions of the affine algebra to which a network is most and least equivariant.

use ndarray::Array2;
use ndarray_linalg::{Eigh, UPLO};

use crate::symmetry::Generator;

use super::lee_report::{Gram, SymmetryDirection};

/// The eigenvectors of the affine block of G_ij/√(n_i n_j), largest eigenvalue first.
///
/// Generators that do nothing to the images (n_i = 0, as on a constant image) are left out. The sign of an eigenvector
/// is chosen so that its largest entry is positive.
///
/// # Errors
/// When LAPACK fails, which it does for matrices with NaN.
pub fn symmetry_spectrum(gram: &Gram) -> Result<Vec<SymmetryDirection>, ndarray_linalg::error::LinalgError> {
    let place = |generator: Generator| gram.order.iter().position(|name| name == generator.name());
    let used: Vec<(Generator, usize)> = Generator::AFFINE
        .into_iter()
        .filter_map(|generator| Some((generator, place(generator)?)))
        .filter(|(_, at)| gram.input_energy[*at] > 0.0)
        .collect();
    if used.is_empty() {
        return Ok(Vec::new());
    }
    let n = &gram.input_energy;
    let matrix = Array2::from_shape_fn((used.len(), used.len()), |(i, j)| {
        let (i, j) = (used[i].1, used[j].1);
        gram.matrix[i][j] / (n[i] * n[j]).sqrt()
    });
    let (values, vectors) = matrix.eigh(UPLO::Lower)?;
    let direction = |at: usize| {
        let column: Vec<f64> = vectors.column(at).to_vec();
        let largest = column.iter().copied().fold(0.0f64, |best, v| if v.abs() > best.abs() { v } else { best });
        let sign = if largest < 0.0 { -1.0 } else { 1.0 };
        let direction = used.iter().zip(column).map(|((g, _), v)| (g.name().to_owned(), sign * v)).collect();
        SymmetryDirection { eigenvalue: values[at], direction }
    };
    Ok((0..used.len()).rev().map(direction).collect())
}
