//! Promise: Fourier series in one and two dimensions, sparse and dense, keep what they are built from.

use std::f64::consts::TAU;

use aliascope_numerics::spectrum::filter::Filter;
use aliascope_numerics::spectrum::series::{RandomSeries, SeriesError};
use aliascope_numerics::spectrum::theorem::{Setup, check_series};
use aliascope_numerics::spectrum::{FourierSeries, GridSize, Velocity, Wave};
use ndarray::{Array2, Array3, ArrayView3};
use num_complex::Complex64;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn random_numbers(seed: u64, shape: (usize, usize, usize)) -> Array3<Complex64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array3::from_shape_simple_fn(shape, || Complex64::new(rng.random_range(-1.0..1.0), rng.random_range(-1.0..1.0)))
}

// Values of size up to a few; sums of a few hundred of them.
const ROUNDING: f64 = 1e-12;

fn near(a: ArrayView3<'_, Complex64>, b: ArrayView3<'_, Complex64>) -> bool {
    a.dim() == b.dim() && a.iter().zip(b).all(|(a, b)| (a - b).norm() < ROUNDING)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn dense_coefficients_come_back(channels in 1..4_usize, rows in 1..9_usize, columns in 1..9_usize, seed: u64) {
        let dense = random_numbers(seed, (channels, rows, columns));
        let series = FourierSeries::from_coefficients(dense.view()).unwrap();
        prop_assert_eq!((series.len(), series.channels()), (rows * columns, channels));
        let grid = GridSize::new(columns, rows);
        prop_assert_eq!(series.coefficients_on(grid), dense.clone());
        // Parseval: harmonics of distinct bins are orthogonal on the grid.
        let mean_square = series.sample(grid).iter().map(|h| h.norm_sqr()).sum::<f64>() / grid.len() as f64;
        prop_assert!((mean_square / series.energy() - 1.0).abs() < ROUNDING);
        // On any other grid the dense form is what folds there.
        let other = GridSize::new(3, 4);
        let folded = FourierSeries::from_coefficients(series.coefficients_on(other).view()).unwrap();
        prop_assert!(near(folded.sample(other).view(), series.sample(other).view()));
    }

    #[test]
    fn complex_samples_are_met_by_their_interpolant(
        channels in 1..3_usize, rows in 1..9_usize, columns in 1..9_usize, seed: u64,
    ) {
        let samples = random_numbers(seed, (channels, rows, columns));
        let series = FourierSeries::from_complex_samples(samples.view()).unwrap();
        prop_assert!(near(series.sample(GridSize::new(columns, rows)).view(), samples.view()));
        prop_assert!(series.band() <= (rows.max(columns) / 2) as u64);
        // Real samples have a real interpolant, the same by either road.
        let real = samples.mapv(|h| h.re);
        let (by_real, by_complex) = (
            FourierSeries::from_samples(real.view()).unwrap(),
            FourierSeries::from_complex_samples(real.mapv(Complex64::from).view()).unwrap(),
        );
        prop_assert!(by_real.is_real(1e-13));
        prop_assert_eq!(by_real, by_complex);
    }

    #[test]
    fn a_band_limited_series_is_fitted_from_its_samples(band in 1..5_u64, more in 0..3_usize, real: bool, seed: u64) {
        let series = FourierSeries::random(RandomSeries { band, decay: 1.0, real, seed }).unwrap();
        let grid = GridSize::new(2 * band as usize + 1 + more, 2 * band as usize + 1);
        let fitted = FourierSeries::from_complex_samples(series.sample(grid).view()).unwrap();
        for (wave, values) in series.terms() {
            prop_assert!((fitted.coefficient(0, wave) - values[0]).norm() < ROUNDING);
        }
        prop_assert!((fitted.energy() / series.energy() - 1.0).abs() < ROUNDING);
    }

    #[test]
    fn a_series_along_x_is_a_series_in_one_dimension(
        band in 1..30_u64, samples in 1..40_usize, x in 0.0..1.0_f64, y in 0.0..1.0_f64, shift in -1.0..1.0_f64,
        real: bool, seed: u64,
    ) {
        let series = FourierSeries::random_along_x(RandomSeries { band, decay: 0.7, real, seed }).unwrap();
        prop_assert_eq!(series.len() as u64, 2 * band + 1);
        prop_assert!(series.is_real(0.0) == real);
        let at = |series: &FourierSeries, x: f64, y: f64| series.evaluate(&[[x, y]])[[0, 0]];
        // By hand: Σ H_n e^{2πi n x}, whatever y is.
        let by_hand: Complex64 = series.terms().map(|(n, h)| h[0] * Complex64::cis(TAU * n.x as f64 * x)).sum();
        prop_assert!((at(&series, x, y) - by_hand).norm() < ROUNDING);
        prop_assert!((at(&series.translate([shift, 0.3]), x + shift, y) - by_hand).norm() < 10.0 * ROUNDING);
        let slope: Complex64 =
            series.terms().map(|(n, h)| h[0] * Complex64::new(0.0, TAU * n.x as f64) * Complex64::cis(TAU * n.x as f64 * x)).sum();
        prop_assert!((at(&series.differentiate(Velocity::new(1.0, 5.0)), x, y) - slope).norm() < 1e3 * ROUNDING);
        let sampled = series.sample(GridSize::new(samples, 1));
        for (j, h) in sampled.iter().enumerate() {
            prop_assert!((h - at(&series, j as f64 / samples as f64, 0.0)).norm() < 10.0 * ROUNDING);
        }
        // And the theorem holds on a grid of one row as on any other.
        let setup = Setup {
            samples: None, grid: GridSize::new(samples, 1), velocity: Velocity::new(1.0, 0.0),
            prefilter: Filter::None, activation: None, tolerance: 1e-6,
        };
        let report = check_series(&series, &setup).unwrap();
        let rounding = 20.0 * report.rounding().sqrt();
        prop_assert!(
            (report.exact - report.measured).abs()
                <= 1e-12 * report.exact + rounding * report.exact.sqrt() + rounding * rounding
        );
        // In one dimension every velocity lies along the axis.
        prop_assert!((report.diagonal - report.paper).abs() <= 1e-13 * report.paper);
    }
}

#[test]
fn random_series_fall_off_as_asked() {
    // The mean of |H_n|² over many seeds is 2(1 + |n|)^{−2·decay} off the constant (both parts have unit variance).
    for decay in [0.0, 1.0, 2.5] {
        let seeds = 4000;
        let mut energy = [0.0; 5];
        for seed in 0..seeds {
            let series = FourierSeries::random_along_x(RandomSeries { band: 4, decay, real: true, seed }).unwrap();
            for (n, energy) in energy.iter_mut().enumerate() {
                *energy += series.coefficient(0, Wave::new(n as i64, 0)).norm_sqr() / f64::from(seeds as u32);
            }
        }
        for (n, energy) in energy.iter().enumerate().skip(1) {
            let expected = 2.0 * (1.0 + n as f64).powf(-2.0 * decay);
            // |H|² is exponential, with a relative standard error of 1/√4000 = 1.6 %: four of them.
            assert!((energy / expected - 1.0).abs() < 0.064, "{decay} {n} {energy} {expected}");
        }
    }
}

#[test]
fn an_image_is_a_series_of_its_pixels() {
    let image = Array2::from_shape_fn((3, 4), |(row, column)| (row * row + 3 * column) as f64);
    let series = FourierSeries::from_image(image.view()).unwrap();
    let back = series.evaluate(&[[0.25, 2.0 / 3.0], [0.75, 0.0]]);
    assert!((back[[0, 0]] - 7.0).norm() < ROUNDING && (back[[0, 1]] - 9.0).norm() < ROUNDING);
    assert!(FourierSeries::from_image(Array2::zeros((0, 4)).view()).is_err());
    assert!(FourierSeries::from_image(Array2::from_elem((2, 2), f64::NAN).view()).is_err());
    assert_eq!(FourierSeries::from_coefficients(Array3::zeros((1, 0, 3)).view()), Err(SeriesError::NoHarmonics));
    assert!(matches!(FourierSeries::along_x([(1, Complex64::ONE), (1, Complex64::I)]), Err(SeriesError::Duplicate(_))));
    let line = FourierSeries::along_x([(2, Complex64::I)]).unwrap();
    assert!(line.coefficients_on(GridSize::new(0, 1)).is_empty());
    assert_eq!(line.coefficients_on(GridSize::new(2, 1))[[0, 0, 0]], Complex64::I);
}

#[test]
fn several_channels_keep_apart() {
    let (one, two) = (Wave::new(1, 0), Wave::new(0, -2));
    let series = FourierSeries::with_channels(
        2,
        [(one, vec![Complex64::ONE, Complex64::I]), (two, vec![2.0.into(), Complex64::ZERO])],
    )
    .unwrap();
    let values = series.evaluate(&[[0.25, 0.5]]);
    // e^{iπ/2} + 2, and i e^{iπ/2}.
    assert!((values[[0, 0]] - Complex64::new(2.0, 1.0)).norm() < 1e-15);
    assert!((values[[1, 0]] - Complex64::new(-1.0, 0.0)).norm() < 1e-15);
    assert_eq!((series.energy(), series.band()), (6.0, 2));
    let squared = series.multiply(&series).unwrap();
    assert_eq!(squared.coefficient(0, Wave::new(1, -2)), Complex64::new(4.0, 0.0));
    assert_eq!(squared.coefficient(1, Wave::new(2, 0)), Complex64::new(-1.0, 0.0));
    let other = FourierSeries::new([(one, Complex64::ONE)]).unwrap();
    assert!(matches!(series.multiply(&other), Err(SeriesError::Channels { .. })));
}
