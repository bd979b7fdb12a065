//! Promise: transforms are what a sum over samples says, for every size; what they are built into keeps its relations.
//!
//! The chain of trust: the naive sum against known relations, the fast transform against the naive sum, the rest
//! against the fast transform.

use std::f64::consts::TAU;

use aliascope_numerics::spectrum::series::RandomSeries;
use aliascope_numerics::spectrum::{FourierSeries, GridSize, HalfSpectrum, RealTransform, Velocity, Wave};
use ndarray::{Array2, Array3, ArrayView2, s};
use num_complex::Complex64;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// H_n = (1/N) Σ_j h_j e^{−2πi n·j/N} as it stands.
fn naive(field: ArrayView2<'_, f64>) -> Array2<Complex64> {
    let (rows, columns) = field.dim();
    Array2::from_shape_fn((rows, columns), |(y, x)| {
        let sum: Complex64 = field
            .indexed_iter()
            .map(|((j, i), h)| {
                let turns = (x * i % columns) as f64 / columns as f64 + (y * j % rows) as f64 / rows as f64;
                h * Complex64::cis(-TAU * turns)
            })
            .sum();
        sum / (rows * columns) as f64
    })
}

fn random_fields(seed: u64, shape: (usize, usize, usize)) -> Array3<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array3::from_shape_simple_fn(shape, || rng.random_range(-1.0..1.0))
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

// Coefficients of values of size 1 are at most 1; a transform loses a few units in the last place per doubling.
const ROUNDING: f64 = 1e-14;

#[test]
fn the_naive_sum_obeys_known_relations() {
    // A wave has one coefficient, a constant only the mean, an impulse is flat, and squares add up (Parseval).
    let (rows, columns) = (5, 6);
    let wave = Array2::from_shape_fn((rows, columns), |(j, i)| {
        (TAU * (2.0 * i as f64 / columns as f64 + j as f64 / rows as f64)).cos()
    });
    for ((y, x), bin) in naive(wave.view()).indexed_iter() {
        let expected = if (y, x) == (1, 2) || (y, x) == (4, 4) { 0.5 } else { 0.0 };
        assert!((bin - expected).norm() < ROUNDING);
    }
    let mut impulse = Array2::zeros((rows, columns));
    impulse[[0, 0]] = 30.0;
    assert!(naive(impulse.view()).iter().all(|bin| (bin - 1.0).norm() < ROUNDING));
    let field = random_fields(1, (1, rows, columns)).slice_move(s![0, .., ..]);
    let energy: f64 = naive(field.view()).iter().map(|bin| bin.norm_sqr()).sum();
    let mean_square = field.iter().map(|h| h * h).sum::<f64>() / 30.0;
    assert!((energy - mean_square).abs() < ROUNDING);
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn the_fast_transform_is_the_naive_sum(rows in 1..20_usize, columns in 1..20_usize, batch in 1..4_usize, seed: u64) {
        let fields = random_fields(seed, (batch, rows, columns));
        let transform = RealTransform::new(GridSize::new(columns, rows)).unwrap();
        let bins = transform.forward(fields.view()).unwrap();
        for (field, bins) in fields.outer_iter().zip(bins.outer_iter()) {
            let expected = naive(field);
            for ((y, x), bin) in bins.indexed_iter() {
                prop_assert!((bin - expected[[y, x]]).norm() < ROUNDING);
            }
        }
    }

    #[test]
    fn the_inverse_undoes_the_forward(rows in 1..70_usize, columns in 1..70_usize, batch in 0..12_usize, seed: u64) {
        let fields = random_fields(seed, (batch, rows, columns));
        let transform = RealTransform::new(GridSize::new(columns, rows)).unwrap();
        let back = transform.inverse(transform.forward(fields.view()).unwrap()).unwrap();
        prop_assert!(fields.iter().zip(&back).all(|(a, b)| (a - b).abs() < 10.0 * ROUNDING));
    }

    #[test]
    fn a_view_with_strides_transforms_as_its_copy_does(rows in 1..30_usize, columns in 1..30_usize, seed: u64) {
        let fields = random_fields(seed, (2, columns, rows));
        let turned = fields.view().permuted_axes([0, 2, 1]);
        let transform = RealTransform::new(GridSize::new(columns, rows)).unwrap();
        let copy = turned.to_owned();
        prop_assert_eq!(transform.forward(turned).unwrap(), transform.forward(copy.view()).unwrap());
    }

    #[test]
    fn parseval_holds_for_half_spectra(rows in 1..40_usize, columns in 1..40_usize, seed: u64) {
        let fields = random_fields(seed, (1, rows, columns));
        let spectrum = HalfSpectrum::from_samples(fields.view()).unwrap();
        let mean_square = fields.iter().map(|h| h * h).sum::<f64>() / fields.len() as f64;
        prop_assert!((spectrum.energy()[0] - mean_square).abs() < ROUNDING);
    }

    #[test]
    fn folding_is_the_transform_of_the_kept_samples(
        rows in 1..8_usize, columns in 1..8_usize, stride_x in 1..5_usize, stride_y in 1..5_usize, seed: u64,
    ) {
        let fields = random_fields(seed, (2, rows * stride_y, columns * stride_x));
        let stride = GridSize::new(stride_x, stride_y);
        let folded = HalfSpectrum::from_samples(fields.view()).unwrap().fold(stride).unwrap();
        let kept = fields.slice(s![.., ..;stride_y as isize, ..;stride_x as isize]);
        let direct = HalfSpectrum::from_samples(kept).unwrap();
        prop_assert!(folded.bins().iter().zip(direct.bins()).all(|(a, b)| (a - b).norm() < ROUNDING));
    }

    #[test]
    fn oversampling_passes_through_the_samples_and_adds_no_derivative(
        rows in 1..14_usize, columns in 1..14_usize, by_x in 1..4_usize, by_y in 1..4_usize, seed: u64,
    ) {
        let fields = random_fields(seed, (1, rows, columns));
        let spectrum = HalfSpectrum::from_samples(fields.view()).unwrap();
        let fine = spectrum.oversample(GridSize::new(by_x, by_y)).unwrap();
        let velocity = Velocity::new(0.3, -0.8);
        let keep = s![.., ..;by_y as isize, ..;by_x as isize];
        let kept = fine.clone().into_samples().unwrap().slice(keep).to_owned();
        prop_assert!(fields.iter().zip(&kept).all(|(a, b)| (a - b).abs() < 10.0 * ROUNDING));
        let slope = spectrum.differentiate(velocity).into_samples().unwrap();
        let fine_slope = fine.differentiate(velocity).into_samples().unwrap().slice(keep).to_owned();
        // Derivatives are up to 2π·14 times larger.
        prop_assert!(slope.iter().zip(&fine_slope).all(|(a, b)| (a - b).abs() < 1000.0 * ROUNDING));
    }

    #[test]
    fn series_sampled_on_a_grid_are_series_evaluated_there(
        band in 1..6_u64, x in 1..12_usize, y in 1..12_usize, real: bool, seed: u64,
    ) {
        let series = FourierSeries::random(RandomSeries { band, decay: 1.0, real, seed }).unwrap();
        let sampled = series.sample(GridSize::new(x, y));
        let points: Vec<[f64; 2]> =
            (0..x * y).map(|k| [(k % x) as f64 / x as f64, (k / x) as f64 / y as f64]).collect();
        let evaluated = series.evaluate(&points);
        // Up to 169 harmonics of size up to 4.
        prop_assert!(sampled.iter().zip(&evaluated).all(|(a, b)| (a - b).norm() < 100.0 * ROUNDING));
        // And a grid sees what folding says: the alias map against plain evaluation.
        let folded = series.fold(GridSize::new(x, y)).sample(GridSize::new(x, y));
        prop_assert!(sampled.iter().zip(&folded).all(|(a, b)| (a - b).norm() < 100.0 * ROUNDING));
        prop_assert!(!real || sampled.iter().all(|h| h.im.abs() < 100.0 * ROUNDING));
        prop_assert!(series.is_real(1e-15) == real);
    }

    #[test]
    fn series_fitted_to_samples_pass_through_them(rows in 1..12_usize, columns in 1..12_usize, seed: u64) {
        let fields = random_fields(seed, (2, rows, columns));
        let series = FourierSeries::from_samples(fields.view()).unwrap();
        let back = series.sample(GridSize::new(columns, rows));
        prop_assert!(fields.iter().zip(&back).all(|(a, b)| (a - b).norm() < 10.0 * ROUNDING));
        prop_assert!(series.is_real(1e-13));
    }

    #[test]
    fn series_keep_their_energy_and_move_under_translation(
        band in 1..5_u64, dx in -2.0..2.0_f64, dy in -2.0..2.0_f64, px in 0.0..1.0_f64, py in 0.0..1.0_f64, seed: u64,
    ) {
        let series = FourierSeries::random(RandomSeries { band, decay: 0.5, real: false, seed }).unwrap();
        let moved = series.translate([dx, dy]);
        prop_assert!((moved.energy() / series.energy() - 1.0).abs() < ROUNDING);
        let difference = moved.evaluate(&[[px + dx, py + dy]])[[0, 0]] - series.evaluate(&[[px, py]])[[0, 0]];
        // 121 harmonics, whose phases lose a few ulp of 2π·5·3 radians.
        prop_assert!(difference.norm() < 1e-11);
        // Parseval on the torus: the mean square over any grid that resolves |h|².
        let grid = GridSize::square(2 * band as usize + 1);
        let mean_square = series.sample(grid).iter().map(|h| h.norm_sqr()).sum::<f64>() / grid.len() as f64;
        prop_assert!((mean_square / series.energy() - 1.0).abs() < 100.0 * ROUNDING);
    }

    #[test]
    fn products_and_derivatives_are_those_of_the_fields(
        a in 1..4_u64, b in 1..4_u64, px in 0.0..1.0_f64, py in 0.0..1.0_f64, seed: u64,
    ) {
        let left = FourierSeries::random(RandomSeries { band: a, decay: 1.0, real: false, seed }).unwrap();
        let right = FourierSeries::random(RandomSeries { band: b, decay: 1.0, real: true, seed: seed ^ 1 }).unwrap();
        let at = |series: &FourierSeries| series.evaluate(&[[px, py]])[[0, 0]];
        let product = left.multiply(&right).unwrap();
        prop_assert!((at(&product) - at(&left) * at(&right)).norm() < 1e-11);
        // The product rule ties both together.
        let v = Velocity::new(0.7, -1.1);
        let by_rule = at(&left.differentiate(v)) * at(&right) + at(&left) * at(&right.differentiate(v));
        prop_assert!((at(&product.differentiate(v)) - by_rule).norm() < 1e-9);
    }

    #[test]
    fn the_alias_map_names_the_one_bin_that_agrees(n in any::<i64>(), grid in 1..5000_usize) {
        let folded = aliascope_numerics::spectrum::alias::alias(n, grid);
        let (m, half) = (grid as i64, grid as i64 / 2);
        prop_assert!(-half <= folded && folded < m - half);
        prop_assert_eq!((i128::from(n) - i128::from(folded)).rem_euclid(i128::from(m)), 0);
    }

    #[test]
    fn landings_are_the_harmonics_that_fold_to_a_bin(x in 1..9_usize, y in 1..9_usize, band in 0..12_u64) {
        let grid = GridSize::new(x, y);
        let mut seen = 0;
        for j in 0..y as i64 {
            for i in 0..x as i64 {
                let bin = grid.alias(Wave::new(i, j));
                let landing = grid.landing_on(bin, band);
                prop_assert!(landing.iter().all(|wave| grid.alias(*wave) == bin && wave.band() <= band));
                seen += landing.len();
            }
        }
        prop_assert_eq!(seen as u64, (2 * band + 1) * (2 * band + 1));
    }
}

#[test]
fn threads_do_not_change_a_digit() {
    // Fields large enough for threads to be used, by rows and by fields.
    for shape in [(1, 150, 130), (9, 64, 48)] {
        let fields = random_fields(7, shape);
        let transform = RealTransform::new(GridSize::new(shape.2, shape.1)).unwrap();
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let bins = transform.forward(fields.view()).unwrap();
                (bins.clone(), transform.inverse(bins).unwrap())
            })
        };
        assert_eq!(with(1), with(3));
    }
}

#[test]
fn single_precision_agrees_with_double() {
    let fields = random_fields(3, (2, 45, 64));
    let single = RealTransform::<f32>::new(GridSize::new(64, 45)).unwrap();
    let double = RealTransform::<f64>::new(GridSize::new(64, 45)).unwrap();
    let coarse = single.forward(fields.mapv(|h| h as f32).view()).unwrap();
    let fine = double.forward(fields.view()).unwrap();
    // Coefficients are below 1, f32 rounds at 6e-8.
    assert!(coarse.iter().zip(&fine).all(|(a, b)| (f64::from(a.re) - b.re).hypot(f64::from(a.im) - b.im) < 1e-7));
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    assert!(RealTransform::<f64>::new(GridSize::new(0, 4)).is_err());
    let transform = RealTransform::<f64>::new(GridSize::new(4, 4)).unwrap();
    assert!(transform.forward(Array3::zeros((1, 4, 5)).view()).is_err());
    assert!(transform.forward_into(Array3::zeros((1, 4, 4)).view(), &mut Array3::zeros((2, 4, 3))).is_err());
    assert!(transform.inverse(Array3::zeros((1, 4, 4))).is_err());
    assert!(HalfSpectrum::from_bins(GridSize::new(4, 4), Array3::zeros((1, 4, 4))).is_err());
    assert!(FourierSeries::random(RandomSeries { band: 0, decay: 0.0, real: true, seed: 0 }).is_err());
    let wave = Wave::new(1, 0);
    assert!(FourierSeries::new([(wave, Complex64::ONE), (wave, Complex64::ONE)]).is_err());
    assert!(FourierSeries::new([(wave, Complex64::new(f64::NAN, 0.0))]).is_err());
    assert!(FourierSeries::new([]).is_err());
}
