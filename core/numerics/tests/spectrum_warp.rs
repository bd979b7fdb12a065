//! Images at displaced points: the fast transform against the sum over all samples, and that against closed forms.

use std::f64::consts::PI;

use aliascope_numerics::spectrum::differentiation::{Boundary, Scheme, differentiation_matrix};
use aliascope_numerics::spectrum::interpolation::weights;
use aliascope_numerics::spectrum::warp::{Displacement, warped};
use ndarray::{Array2, Array3, ArrayView3, Axis, s};

/// The sum over all samples for every pixel, as matrix products.
fn naive(image: ArrayView3<'_, f64>, by: &Displacement, boundary: Boundary) -> Array3<f64> {
    let (channels, rows, columns) = image.dim();
    // Samples of a row, for all rows of all channels.
    let lines = image.to_owned().into_shape_with_order((channels * rows, columns)).unwrap().reversed_axes();
    let mut warped = Array3::zeros((channels, rows, columns));
    for (row, mut line) in warped.axis_iter_mut(Axis(1)).enumerate() {
        let places = |axis: usize| {
            let of = |column: usize| if axis == 0 { column as f64 } else { row as f64 };
            (0..columns).map(|at| of(at) + by[axis][[row, at]]).collect::<Vec<f64>>()
        };
        let between = weights(&places(0), columns, boundary).dot(&lines);
        let down = weights(&places(1), rows, boundary);
        for (channel, mut values) in line.axis_iter_mut(Axis(0)).enumerate() {
            let between = between.slice(s![.., channel * rows..(channel + 1) * rows]);
            values.iter_mut().zip((&between * &down).axis_iter(Axis(0))).for_each(|(value, all)| *value = all.sum());
        }
    }
    warped
}

/// Displacements within the image and far beyond it, of images of a few samples and of many, on either parity.
#[test]
fn the_fast_transform_is_the_sum_over_all_samples() {
    for (rows, columns) in [(1, 1), (1, 2), (2, 1), (3, 5), (6, 4), (17, 16), (9, 224), (64, 33)] {
        let x = image(rows, columns);
        for boundary in Boundary::ALL {
            for size in [0.0, 0.3, 2.0, 700.0] {
                let at = |a: usize, i: usize, j: usize| size * ((7 * i + 3 * j + 2 * a) as f64 * 0.9).sin();
                let by = [0, 1].map(|a| Array2::from_shape_fn((rows, columns), |(i, j)| at(a, i, j)));
                let found = warped(x.view(), &by, boundary);
                let wanted = naive(x.view(), &by, boundary);
                for (found, wanted) in found.iter().zip(&wanted) {
                    // Of numbers up to 1; places of size 700 are rounded to 1e-13.
                    let most = if size > 100.0 { 1e-12 } else { 2e-13 };
                    assert!((found - wanted).abs() < most, "{rows} {columns} {boundary} {size}: {found} {wanted}");
                }
            }
        }
    }
}

fn image(rows: usize, columns: usize) -> Array3<f64> {
    Array3::from_shape_fn((2, rows, columns), |(c, i, j)| ((7 * i + 3 * j + 5 * c) as f64 * 1.7).sin())
}

fn displaced(rows: usize, columns: usize, by: [f64; 2]) -> Displacement {
    by.map(|t| Array2::from_elem((rows, columns), t))
}

/// A shift by whole samples is the roll of the image, or of its even extension.
#[test]
fn whole_shifts_take_other_samples() {
    for (rows, columns) in [(5, 6), (4, 7)] {
        let x = image(rows, columns);
        for boundary in Boundary::ALL {
            let y = warped(x.view(), &displaced(rows, columns, [2.0, -1.0]), boundary);
            let wanted = |i: usize, n: usize, t: isize| match boundary {
                Boundary::Periodic => (i as isize + t).rem_euclid(n as isize) as usize,
                Boundary::Reflect => {
                    let at = (i as isize + t).rem_euclid(2 * n as isize) as usize;
                    at.min(2 * n - 1 - at)
                }
            };
            for ((c, i, j), value) in y.indexed_iter() {
                // Sums of at most 14 × 14 numbers of size 1.
                assert!((value - x[[c, wanted(i, rows, -1), wanted(j, columns, 2)]]).abs() < 1e-13);
            }
        }
    }
}

/// A harmonic below the Nyquist frequency, anywhere between the samples.
#[test]
fn harmonics_are_reproduced_between_samples() {
    let (rows, columns) = (7, 8);
    let wave = |i: f64, j: f64| (std::f64::consts::TAU * (2.0 * i / 7.0 - 3.0 * j / 8.0) + 0.3).cos();
    let x = Array3::from_shape_fn((1, rows, columns), |(_, i, j)| wave(i as f64, j as f64));
    let by = [0, 1].map(|a| Array2::from_shape_fn((rows, columns), |(i, j)| ((3 * i + 5 * j + a) as f64).sin()));
    let y = warped(x.view(), &by, Boundary::Periodic);
    for ((_, i, j), value) in y.indexed_iter() {
        assert!((value - wave(i as f64 + by[1][[i, j]], j as f64 + by[0][[i, j]])).abs() < 1e-13);
    }
    // The even extension of a cosine about the outer edge is itself.
    let wave = |j: f64| (PI * 3.0 * (j + 0.5) / 8.0).cos();
    let x = Array3::from_shape_fn((1, 1, columns), |(_, _, j)| wave(j as f64));
    let by = [Array2::from_shape_fn((1, columns), |(_, j)| 2.0 * (j as f64).cos()), Array2::zeros((1, columns))];
    let y = warped(x.view(), &by, Boundary::Reflect);
    y.iter().enumerate().for_each(|(j, value)| assert!((value - wave(j as f64 + by[0][[0, j]])).abs() < 1e-13));
}

/// Its derivative by the displacement is the spectral derivative.
#[test]
fn the_derivative_is_the_spectral_one() {
    for boundary in Boundary::ALL {
        let (rows, columns) = (6, 5);
        let x = image(rows, columns);
        let d = differentiation_matrix(columns, Scheme::Spectral, boundary).unwrap();
        let t = 1e-4;
        let moved = |t: f64| warped(x.view(), &displaced(rows, columns, [t, 0.0]), boundary);
        let slope = (moved(t) - moved(-t)) / (2.0 * t);
        for (c, slope) in slope.axis_iter(Axis(0)).enumerate() {
            let wanted = x.index_axis(Axis(0), c).dot(&d.t());
            // t²/6 times the third derivative, at most (2π/2)³.
            assert!((&slope - &wanted).iter().all(|difference| difference.abs() < 1e-7));
        }
    }
}
