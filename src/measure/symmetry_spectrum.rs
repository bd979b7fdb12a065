//! The directions of the affine algebra to which a network is most and least equivariant.

use ndarray::{Array1, Array2, Axis, s};
use ndarray_linalg::error::LinalgError;
use ndarray_linalg::{Eigh, UPLO};

use crate::symmetry::Generator;

use super::lee_report::{Gram, SymmetryDirection};

/// A direction whose tangent has less than this share of the energy of the tangents that it is made of does nothing to
/// the images but for rounding: a hundred thousandth of their length in single precision.
const NOTHING: f64 = 1e-10;

/// The eigenvectors of G a = λ N a on the affine algebra, largest eigenvalue first: λ is the relative LEE along a, aᵀGa/aᵀNa,
/// and a is scaled to aᵀNa = 1.
///
/// Both matrices change alike with the basis of the algebra, so that neither λ nor the directions depend on it. Where
/// some direction does nothing to the images, as all do on images of one colour and a rotation on a disc, N is singular,
/// λ is not defined there, and the problem is solved on the directions orthogonal to these under N's own scale: there are
/// fewer than six. The sign of an eigenvector is chosen so that its largest part is positive.
///
/// # Errors
/// When LAPACK fails, which it does for matrices with NaN.
pub fn symmetry_spectrum(gram: &Gram) -> Result<Vec<SymmetryDirection>, LinalgError> {
    let place = |generator: Generator| gram.order.iter().position(|name| name == generator.name());
    let used: Vec<(Generator, usize)> =
        Generator::AFFINE.into_iter().filter_map(|generator| Some((generator, place(generator)?))).collect();
    let block =
        |matrix: &[Vec<f64>]| Array2::from_shape_fn((used.len(), used.len()), |(i, j)| matrix[used[i].1][used[j].1]);
    let input = block(&gram.input_gram);
    let (values, vectors) = generalised(&block(&gram.matrix), &input)?;
    let direction = |at: usize| {
        let column: Vec<f64> = vectors.column(at).to_vec();
        let part = |i: usize| column[i] * input[[i, i]].sqrt();
        let largest = (0..column.len()).map(part).fold(0.0f64, |best, v| if v.abs() > best.abs() { v } else { best });
        let sign = if largest < 0.0 { -1.0 } else { 1.0 };
        let direction = used.iter().zip(&column).map(|((g, _), a)| (g.name().to_owned(), sign * a)).collect();
        SymmetryDirection { eigenvalue: values[at], direction }
    };
    Ok((0..values.len()).rev().map(direction).collect())
}

/// Eigenvalues, ascending, and eigenvectors, as columns, of G a = λ N a on the range of N: with N = S C S, S the root of its
/// diagonal and C = V μ Vᵀ, W = S⁻¹ V μ^(−½) has WᵀNW = 1, WᵀGW y = λ y is an ordinary problem, and a = W y.
fn generalised(gram: &Array2<f64>, input: &Array2<f64>) -> Result<(Array1<f64>, Array2<f64>), LinalgError> {
    let count = input.nrows();
    let scale = input.diag().mapv(|n| if n > 0.0 { n.sqrt().recip() } else { 0.0 });
    let scaled = Array2::from_shape_fn((count, count), |(i, j)| input[[i, j]] * scale[i] * scale[j]);
    if count == 0 || scaled.iter().all(|c| *c == 0.0) {
        return Ok((Array1::zeros(0), Array2::zeros((count, 0))));
    }
    let (sizes, vectors) = scaled.eigh(UPLO::Lower)?;
    // Ascending: what does nothing comes first.
    let nothing = sizes.iter().filter(|size| **size <= NOTHING).count();
    let whitening = &vectors.slice(s![.., nothing..])
        * &scale.insert_axis(Axis(1))
        * &sizes.slice(s![nothing..]).mapv(|size| size.sqrt().recip()).insert_axis(Axis(0));
    let (values, inner) = whitening.t().dot(gram).dot(&whitening).eigh(UPLO::Lower)?;
    Ok((values, whitening.dot(&inner)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn random(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        Array2::from_shape_simple_fn((rows, columns), || generator.random_range(-1.0..1.0))
    }

    /// Matrices of random vectors: G of six Lie derivatives of 50 entries, N of tangents of 80 entries.
    fn matrices() -> (Array2<f64>, Array2<f64>) {
        let (lie, tangents) = (random(6, 50, 1), random(6, 80, 2));
        (lie.dot(&lie.t()), tangents.dot(&tangents.t()))
    }

    #[test]
    fn eigenvalues_do_not_depend_on_the_basis() {
        let (gram, input) = matrices();
        let (values, vectors) = generalised(&gram, &input).unwrap();
        for seed in 3..13 {
            let basis = random(6, 6, seed);
            let (in_basis, directions) =
                generalised(&basis.dot(&gram).dot(&basis.t()), &basis.dot(&input).dot(&basis.t())).unwrap();
            // A random basis has a condition number of up to some hundreds, whose square rounding is multiplied by.
            for (a, b) in values.iter().zip(&in_basis) {
                assert!((a - b).abs() < 1e-9 * values[5], "{values} {in_basis}");
            }
            // Directions too: b of the new basis is Bᵀ b of the old.
            let back = basis.t().dot(&directions.column(5));
            let along = back.dot(&input.dot(&vectors.column(5))).abs();
            assert!((along - 1.0).abs() < 1e-9, "{along}");
        }
    }

    #[test]
    fn directions_have_unit_length_under_the_input_and_solve_the_problem() {
        let (gram, input) = matrices();
        let (values, vectors) = generalised(&gram, &input).unwrap();
        let close = |a: Array2<f64>, b: Array2<f64>| (a - b).iter().all(|d| d.abs() < 1e-12 * values[5].max(1.0));
        assert!(close(vectors.t().dot(&input).dot(&vectors), Array2::eye(6)));
        assert!(close(vectors.t().dot(&gram).dot(&vectors), Array2::from_diag(&values)));
    }

    /// Two tangents of six that are the same, and one of zeros: two directions fewer, with the eigenvalues of the others.
    #[test]
    fn what_does_nothing_to_the_images_has_no_place() {
        let (gram, input) = matrices();
        let same = Array2::from_shape_fn((6, 4), |(i, j)| f64::from(u8::from(i == j || (i == 4 && j == 3))));
        // The network moves along no direction that does not move the images.
        let (four, inner) = (gram.slice(s![..4, ..4]).to_owned(), input.slice(s![..4, ..4]).to_owned());
        let (values, vectors) = generalised(&same.dot(&four).dot(&same.t()), &same.dot(&inner).dot(&same.t())).unwrap();
        let (expected, _) = generalised(&four, &inner).unwrap();
        assert_eq!((values.len(), vectors.dim()), (4, (6, 4)));
        for (a, b) in values.iter().zip(&expected) {
            assert!((a - b).abs() < 1e-10 * expected[3], "{values} {expected}");
        }
        assert_eq!(generalised(&gram, &Array2::zeros((6, 6))).unwrap().0.len(), 0);
    }
}
