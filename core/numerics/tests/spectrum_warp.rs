//! Images at displaced points: the fast transform against the sum over all samples, and that against closed forms.

use std::f64::consts::PI;

use aliascope_numerics::spectrum::differentiation::{Boundary, Scheme, differentiation_matrix};
use aliascope_numerics::spectrum::warp::{Displacement, warped};
use ndarray::{Array2, Array3, ArrayView3, Axis, s};

/// The sum over all samples for every pixel, as matrix products.
fn naive(image: ArrayView3<'_, f64>, by: &Displacement, boundary: Boundary) -> Array3<f64> {
    let (channels, rows, columns) = image.dim();
    let [along, down] = [columns, rows].map(|samples| Weights::new(samples, boundary));
    // Samples of a row, for all rows of all channels.
    let lines = image.to_owned().into_shape_with_order((channels * rows, columns)).unwrap().reversed_axes();
    let mut warped = Array3::zeros((channels, rows, columns));
    for (row, mut line) in warped.axis_iter_mut(Axis(1)).enumerate() {
        let places = |axis: usize| {
            let of = move |column: usize| if axis == 0 { column as f64 } else { row as f64 };
            (0..columns).map(move |at| of(at) + by[axis][[row, at]])
        };
        let between = along.at(places(0)).dot(&lines);
        let down = down.at(places(1));
        for (channel, mut values) in line.axis_iter_mut(Axis(0)).enumerate() {
            let between = between.slice(s![.., channel * rows..(channel + 1) * rows]);
            values.iter_mut().zip((&between * &down).axis_iter(Axis(0))).for_each(|(value, all)| *value = all.sum());
        }
    }
    warped
}

/// What samples of an axis count at places between them: sines and cosines of the samples' own places are taken once.
struct Weights {
    samples: usize,
    boundary: Boundary,
    /// Of the periodic axis that it is continued to.
    period: usize,
    /// sin and cos of πj/period.
    table: Vec<(f64, f64)>,
}

/// Up to so many samples from a place the difference of sines is taken of the difference of places, not by the addition
/// theorem, whose rounding is relative to 1.
const NEAR: f64 = 2.0;

impl Weights {
    fn new(samples: usize, boundary: Boundary) -> Self {
        let period = if boundary == Boundary::Reflect { 2 * samples } else { samples };
        let table = (0..period).map(|j| (PI * j as f64 / period as f64).sin_cos()).collect();
        Self { samples, boundary, period, table }
    }

    /// `[places, samples]`.
    fn at(&self, places: impl ExactSizeIterator<Item = f64>) -> Array2<f64> {
        let mut weights = Array2::zeros((places.len(), self.samples));
        for (place, mut weights) in places.zip(weights.axis_iter_mut(Axis(0))) {
            let n = self.period as f64;
            let place = place.rem_euclid(n);
            let (sin, cos) = (PI * place / n).sin_cos();
            let wave = (PI * place).sin() / n;
            let is_even = self.period.is_multiple_of(2);
            let of = |j: usize| {
                let distance = (place - j as f64).abs();
                if distance < NEAR || n - distance < NEAR {
                    return cardinal(place - j as f64, self.period);
                }
                let (sin_j, cos_j) = self.table[j];
                let sine = sin * cos_j - cos * sin_j;
                let sign = if j.is_multiple_of(2) { wave } else { -wave };
                if is_even { sign * (cos * cos_j + sin * sin_j) / sine } else { sign / sine }
            };
            for (j, weight) in weights.iter_mut().enumerate() {
                *weight = match self.boundary {
                    Boundary::Periodic => of(j),
                    // Sample j reappears as the mirror image.
                    Boundary::Reflect => of(j) + of(self.period - 1 - j),
                };
            }
        }
        weights
    }
}

/// (1/N) Σ_{|n| ≤ N/2} e^{2πi n d/N}, the Nyquist harmonic of an even N as a cosine: 1 at d = 0, 0 at other whole numbers.
fn cardinal(distance: f64, samples: usize) -> f64 {
    let n = samples as f64;
    let d = distance - n * (distance / n).round();
    // The formula is 0/0 there; a thousand roundings from it, it is 1 to rounding.
    if d.abs() < 1e-13 {
        return 1.0;
    }
    let angle = PI * d / n;
    (PI * d).sin() / (n * if samples.is_multiple_of(2) { angle.tan() } else { angle.sin() })
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

/// The addition theorem against the closed form at every distance.
#[test]
fn weights_are_those_of_the_closed_form() {
    for n in [1, 2, 5, 8, 33, 224] {
        for boundary in Boundary::ALL {
            let places: Vec<f64> =
                (0..40).map(|at| (at as f64 * 1.37).sin() * 1.6 * n as f64 + 0.1 * n as f64).collect();
            let found = Weights::new(n, boundary).at(places.iter().copied());
            for ((at, j), weight) in found.indexed_iter() {
                let wanted = match boundary {
                    Boundary::Periodic => cardinal(places[at] - j as f64, n),
                    Boundary::Reflect => {
                        let mirror = (2 * n - 1 - j) as f64;
                        cardinal(places[at] - j as f64, 2 * n) + cardinal(places[at] - mirror, 2 * n)
                    }
                };
                // Sines of angles up to 2π·224 are off by 2e-13 at most, over the sine of the least angle times n: 1/2π.
                assert!((weight - wanted).abs() < 2e-13, "{n} {boundary} {} {j}: {weight} {wanted}", places[at]);
            }
        }
    }
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
