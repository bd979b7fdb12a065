//! Whether a constant matrix along an axis of rows or columns is a filter, and where its outputs then lie.
//!
//! A matrix along such an axis may do anything: mix tokens, reverse them. It is a filter with a place for every output
//! where it does the same at each of them and is symmetric about a centre: then it moves a smooth signal nowhere. Ideal
//! low-pass filters are written like that in saved models.

use std::collections::HashMap;
use std::f64::consts::PI;

use ndarray::{Array2, ArrayView1};

use super::layout::Step;

/// Entries are of single precision, and so are what is summed of them.
const TOLERANCE: f64 = 1e-5;

/// Where the outputs of a matrix `[outputs, inputs]` lie among its inputs, if it is certain that it is a filter.
///
/// Known are filters on the torus, y_j = Σ_i κ(i − u_j) x_i with i taken around; with zeros beyond the edge, the same
/// without going around; and of the signal mirrored at its edges, for which A cos(πk(i + ½)/N) = g_k cos(πk(u_j + ½)/N)
/// for every k. u_j = first + j·N/M, first being 0 or that of means over blocks, (N/M − 1)/2; κ is symmetric. Where two
/// places fit, as for a mean over everything, none is certain.
pub fn filter_step(matrix: &Array2<f64>) -> Option<Step> {
    let (outputs, inputs) = matrix.dim();
    if outputs < 2 || inputs < 2 || matrix.iter().any(|entry| !entry.is_finite()) {
        return None;
    }
    let step = inputs as f64 / outputs as f64;
    let mut found = [0.0, (step - 1.0) / 2.0].into_iter().filter(|&first| {
        let step = Step { first, step };
        commutes(matrix, step, true) || commutes(matrix, step, false) || mirrors(matrix, step)
    });
    let first = found.next()?;
    let twice = found.any(|other| other != first);
    (!twice).then_some(Step { first, step })
}

/// Whether entries depend on i − u_j alone, with all i around the torus or not, and symmetrically, with most weight in
/// the middle.
fn commutes(matrix: &Array2<f64>, step: Step, around: bool) -> bool {
    let (outputs, inputs) = matrix.dim();
    // Twice (i − u_j), in units of 1/outputs, is a whole number.
    let (n, m) = (inputs as i64, outputs as i64);
    let first = (2.0 * step.first * outputs as f64).round() as i64;
    let period = 2 * n * m;
    let key = |j: usize, i: usize| {
        let key = 2 * (i as i64 * m - j as i64 * n) - first;
        if around { (key + period / 2).rem_euclid(period) - period / 2 } else { key }
    };
    let scale = matrix.iter().fold(0.0_f64, |most, entry| most.max(entry.abs()));
    let mut kernel: HashMap<i64, f64> = HashMap::new();
    for ((j, i), &entry) in matrix.indexed_iter() {
        let known = *kernel.entry(key(j, i)).or_insert(entry);
        if (known - entry).abs() > TOLERANCE * scale {
            return false;
        }
    }
    let opposite = |key: i64| if around && key == -period / 2 { key } else { -key };
    let symmetric =
        kernel.iter().all(|(&at, &w)| kernel.get(&opposite(at)).is_none_or(|v| (v - w).abs() <= TOLERANCE * scale));
    let centre = kernel.keys().map(|key| key.abs()).min().unwrap_or(0);
    let middle = kernel.get(&centre).or_else(|| kernel.get(&-centre)).copied().unwrap_or(0.0);
    symmetric && kernel.iter().all(|(&at, &w)| at.abs() == centre || w.abs() < middle * (1.0 - TOLERANCE))
}

/// Whether each cosine of the mirrored signal comes out as itself, at the outputs' places, with a factor.
fn mirrors(matrix: &Array2<f64>, step: Step) -> bool {
    let (outputs, inputs) = matrix.dim();
    let n = inputs as f64;
    let cosines = Array2::from_shape_fn((inputs, inputs), |(i, k)| (PI * k as f64 * (i as f64 + 0.5) / n).cos());
    let made = matrix.dot(&cosines);
    let scale = matrix.rows().into_iter().map(|row| row.iter().map(|w| w.abs()).sum::<f64>()).fold(0.0, f64::max);
    let gain = |k: usize, made: ArrayView1<'_, f64>| -> Option<f64> {
        let wanted: Vec<f64> =
            (0..outputs).map(|j| (PI * k as f64 * (step.first + j as f64 * step.step + 0.5) / n).cos()).collect();
        let (mut product, mut square) = (0.0, 0.0);
        for (made, wanted) in made.iter().zip(&wanted) {
            product += made * wanted;
            square += wanted * wanted;
        }
        let gain = if square > 0.0 { product / square } else { 0.0 };
        let fits = made.iter().zip(&wanted).all(|(made, wanted)| (made - gain * wanted).abs() <= TOLERANCE * scale);
        fits.then_some(gain)
    };
    let gains = made.columns().into_iter().enumerate().map(|(k, made)| gain(k, made)).collect::<Option<Vec<f64>>>();
    // What is slowest must come through, or the places of samples say nothing.
    gains.is_some_and(|gains| gains[0] > TOLERANCE * scale && gains[1] > TOLERANCE * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// κ summed over all that a boundary makes of each input.
    fn matrix([outputs, inputs]: [usize; 2], first: f64, images: &str, kappa: impl Fn(f64) -> f64) -> Array2<f64> {
        let n = inputs as i64;
        Array2::from_shape_fn((outputs, inputs), |(j, i)| {
            let u = first + j as f64 * inputs as f64 / outputs as f64;
            let copies: Vec<i64> = match images {
                "torus" => (-4..=4).map(|turn| i as i64 + turn * n).collect(),
                "mirror" => (-4..=4).flat_map(|turn| [i as i64 + 2 * turn * n, 2 * turn * n - 1 - i as i64]).collect(),
                _ => vec![i as i64],
            };
            copies.into_iter().map(|i| kappa(i as f64 - u)).sum()
        })
    }

    fn bell(x: f64) -> f64 {
        (-0.4 * x * x).exp()
    }

    #[test]
    fn filters_have_a_place_whatever_lies_beyond_the_edge() {
        for images in ["torus", "mirror", "zeros"] {
            for (sides, first) in [
                ([12, 12], 0.0),
                ([6, 12], 0.0),
                ([6, 12], 0.5),
                ([24, 12], 0.0),
                ([24, 12], -0.25),
                ([4, 12], 1.0),
                ([5, 15], 0.0),
            ] {
                // Between samples a mirrored bell is no factor for each cosine: what is not certain has no place.
                let known = images != "mirror" || sides[0] <= sides[1];
                let step = Step { first, step: sides[1] as f64 / sides[0] as f64 };
                let found = filter_step(&matrix(sides, first, images, bell));
                assert_eq!(found, known.then_some(step), "{images} {sides:?} {first}");
            }
        }
        // A band-limited one is.
        for first in [0.0, -0.25] {
            let cosine = |k: usize, u: f64| (PI * k as f64 * (u + 0.5) / 12.0).cos();
            let interpolant = Array2::from_shape_fn((24, 12), |(j, i)| {
                let term = |k: usize| cosine(k, first + j as f64 / 2.0) * cosine(k, i as f64);
                (term(0) + 2.0 * (1..12).map(term).sum::<f64>()) / 12.0
            });
            assert_eq!(filter_step(&interpolant), Some(Step { first, step: 0.5 }));
        }
    }

    #[test]
    fn others_have_none() {
        let size = [8, 16];
        // It leans to one side, it is a difference, it says nothing of places, it depends on the place.
        let leaning = |x: f64| bell(x) + 0.3 * bell(x - 1.0);
        let difference = |x: f64| x * bell(x);
        for images in ["torus", "mirror", "zeros"] {
            assert_eq!(filter_step(&matrix(size, 0.0, images, leaning)), None, "{images}");
            assert_eq!(filter_step(&matrix(size, 0.0, images, difference)), None, "{images}");
        }
        assert_eq!(filter_step(&Array2::from_elem((4, 8), 0.125)), None);
        assert_eq!(filter_step(&Array2::zeros((4, 8))), None);
        let mut spoiled = matrix(size, 0.0, "torus", bell);
        spoiled[[3, 5]] += 0.01;
        assert_eq!(filter_step(&spoiled), None);
        let reversed = Array2::from_shape_fn((8, 8), |(j, i)| f64::from(i + j == 7));
        assert_eq!(filter_step(&reversed), None);
        assert_eq!(filter_step(&Array2::from_elem((1, 8), 0.125)), None);
    }
}
