//! Promise: `exact` equals `measured` for every input; `diagonal` and `paper` are its averages, and no more.

use aliascope_numerics::spectrum::activation::Activation;
use aliascope_numerics::spectrum::filter::Filter;
use aliascope_numerics::spectrum::series::RandomSeries;
use aliascope_numerics::spectrum::theorem::{
    Setup, TheoremError, TheoremReport, check_field, check_series, measured_activation_defect, oversampled_defect,
};
use aliascope_numerics::spectrum::{FourierSeries, GridSize, Velocity, Wave};
use ndarray::Array3;
use num_complex::Complex64;
use proptest::prelude::*;

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn random(band: u64, real: bool, seed: u64) -> FourierSeries {
    FourierSeries::random(RandomSeries { band, decay: 0.5, real, seed }).unwrap()
}

fn setup(samples: Option<GridSize>, grid: GridSize, velocity: Velocity, prefilter: &str) -> Setup {
    Setup { samples, grid, velocity, prefilter: prefilter.parse().unwrap(), activation: None, tolerance: 1e-6 }
}

/// A relative 1e-12. Where the defect is itself a small remainder of the slopes that it is the difference of, their
/// rounding, 1e-15 of them per sample, is all that arithmetic in f64 can promise; 20 for the depth of the transforms.
fn agrees(report: &TheoremReport) -> bool {
    close(report, report.exact, report.measured, report.exact)
}

/// Whether two energies of a report agree so, to a relative 1e-12 of `scale`.
fn close(report: &TheoremReport, a: f64, b: f64, scale: f64) -> bool {
    let rounding = 20.0 * report.rounding().sqrt();
    (a - b).abs() <= 1e-12 * scale + rounding * scale.sqrt() + rounding * rounding
}

prop_compose! {
    fn velocities()(x in -2.0..2.0_f64, y in -2.0..2.0_f64, axis in 0..4) -> Velocity {
        match axis {
            0 => Velocity::new(x + 2.1, 0.0),
            1 => Velocity::new(0.0, y + 2.1),
            _ => Velocity::new(x + 2.1, y),
        }
    }
}

proptest! {
    #![proptest_config(config(3000))]

    #[test]
    fn exact_is_measured_on_any_grid(
        band in 1..7_u64, x in 1..16_usize, y in 1..16_usize, v in velocities(), real: bool, ideal in 0..4_usize,
        seed: u64,
    ) {
        let filter = ["none", "ideal", "ideal-kept", "ideal-split"][ideal];
        let report = check_series(&random(band, real, seed), &setup(None, GridSize::new(x, y), v, filter)).unwrap();
        prop_assert!(agrees(&report), "{:?}", report);
    }

    #[test]
    fn exact_is_measured_under_any_stride(
        band in 1..9_u64, x in 1..6_usize, y in 1..6_usize, by_x in 1..4_usize, by_y in 1..4_usize,
        v in velocities(), real: bool, filter in 0..11_usize, seed: u64,
    ) {
        // Bands both within the samples and beyond them, where the first sampling folds on its own.
        let filters = ["none", "ideal", "ideal-kept", "ideal-split", "binomial-2", "binomial-5", "binomial-7",
            "kaiser", "kaiser-radial:5", "lanczos:2", "taps:0.3,-0.2,0.9"];
        let samples = GridSize::new(x * by_x, y * by_y);
        let setup = setup(Some(samples), GridSize::new(x, y), v, filters[filter]);
        let report = check_series(&random(band, real, seed), &setup).unwrap();
        prop_assert_eq!(report.stride, Some(GridSize::new(by_x, by_y)));
        prop_assert!(agrees(&report), "{:?}", report);
    }

    #[test]
    fn exact_is_measured_between_any_two_grids(
        band in 1..7_u64, n in 1..13_usize, m in 1..13_usize, v in velocities(), real: bool, seed: u64,
    ) {
        let setup = setup(Some(GridSize::new(n, n + 1)), GridSize::new(m, m + 2), v, "none");
        let report = check_series(&random(band, real, seed), &setup).unwrap();
        prop_assert!(agrees(&report), "{:?}", report);
    }
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn fields_and_series_give_the_same_report(
        x in 1..6_usize, y in 1..6_usize, by in 1..4_usize, v in velocities(), filter in 0..4_usize, seed: u64,
    ) {
        let samples = GridSize::new(x * by, y * by);
        let series = random(3, true, seed);
        let field = series.sample(samples).mapv(|h| h.re);
        let filter = ["none", "ideal", "binomial-3", "kaiser"][filter];
        let setup = setup(Some(samples), GridSize::new(x, y), v, filter);
        let (from_series, from_field) =
            (check_series(&series, &setup).unwrap(), check_field(field.view(), &setup).unwrap());
        // The same numbers by two transforms, whose rounding is relative to the slope, or where a filter leaves no slope
        // to that of the field.
        let close = |a: f64, b: f64| close(&from_series, a, b, from_series.slope_energy.max(a));
        prop_assert!(close(from_series.exact, from_field.exact));
        prop_assert!(close(from_series.diagonal, from_field.diagonal));
        prop_assert!(close(from_series.paper, from_field.paper));
        prop_assert!(close(from_series.measured, from_field.measured));
        prop_assert!(close(from_series.slope_energy, from_field.slope_energy));
        prop_assert!(agrees(&from_field));
    }

    #[test]
    fn without_collisions_diagonal_is_exact_and_along_an_axis_paper_is_diagonal(
        x in 3..16_usize, y in 3..16_usize, v in velocities(), seed: u64,
    ) {
        // One harmonic per bin, moved away by whole grids.
        let grid = GridSize::new(x, y);
        let base = random(1, false, seed);
        let moved = base.terms().map(|(n, values)| {
            let wave = Wave::new(n.x + x as i64 * (n.y + 2), n.y - y as i64 * n.x);
            (wave, values[0])
        });
        let report = check_series(&FourierSeries::new(moved).unwrap(), &setup(None, grid, v, "none")).unwrap();
        prop_assert_eq!(report.assumptions.collisions, 0);
        // The same products, summed in another order.
        prop_assert!((report.exact - report.diagonal).abs() <= 1e-13 * report.exact);
        if report.assumptions.axis_aligned {
            prop_assert!((report.paper - report.diagonal).abs() <= 1e-13 * report.exact);
        }
    }

    #[test]
    fn within_the_band_nothing_aliases(band in 1..6_u64, more in 0..4_usize, v in velocities(), seed: u64) {
        let grid = GridSize::square(2 * band as usize + 1 + more);
        let report = check_series(&random(band, true, seed), &setup(None, grid, v, "none")).unwrap();
        prop_assert_eq!(report.exact, 0.0);
        prop_assert!(report.assumptions.alias_free && report.folds.is_empty());
        prop_assert!(report.measured <= 1e-26 * report.slope_energy);
    }
}

#[test]
fn diagonal_is_the_mean_over_translations_and_paper_that_over_a_reflection() {
    let v = Velocity::new(0.8, -0.6);
    for (grid, seed) in [(GridSize::new(7, 7), 1), (GridSize::new(6, 6), 2), (GridSize::new(5, 8), 3)] {
        let series = random(4, true, seed);
        let setup = setup(None, grid, v, "none");
        let report = check_series(&series, &setup).unwrap();
        // `exact` as a function of the translation has harmonics up to 8 per axis: 17 equal steps average them exactly.
        let steps = 17;
        let mean = |series: &FourierSeries| {
            let exact = |k: usize| {
                let shift = [(k % steps) as f64 / steps as f64, (k / steps) as f64 / steps as f64];
                check_series(&series.translate(shift), &setup).unwrap().exact
            };
            (0..steps * steps).map(exact).sum::<f64>() / (steps * steps) as f64
        };
        let mirrored = FourierSeries::new(series.terms().map(|(n, values)| (Wave::new(-n.x, n.y), values[0]))).unwrap();
        let (mean, mean_of_mirrored) = (mean(&series), mean(&mirrored));
        // Means of 289 sums of 81 terms in f64.
        assert!((mean / report.diagonal - 1.0).abs() < 1e-12);
        assert!(((mean + mean_of_mirrored) / 2.0 / report.paper - 1.0).abs() < 1e-12);
        // And none of the three is another: the departures that the printed form hides.
        assert!((report.exact / report.diagonal - 1.0).abs() > 0.01);
        assert!((report.paper / report.diagonal - 1.0).abs() > 0.01);
    }
}

#[test]
fn one_wave_by_hand() {
    // e^{2πi 5x} on 4 samples looks like e^{2πi x}: δ = 2πi (5 − 1), and the mean square is (8π)².
    let wave = FourierSeries::new([(Wave::new(5, 0), Complex64::ONE)]).unwrap();
    let report = check_series(&wave, &setup(None, GridSize::square(4), Velocity::new(1.0, 0.0), "none")).unwrap();
    let expected = (8.0 * std::f64::consts::PI).powi(2);
    for form in [report.exact, report.diagonal, report.paper, report.measured] {
        assert!((form / expected - 1.0).abs() < 1e-13);
    }
    assert_eq!((report.folds[0].from, report.folds[0].to), (Wave::new(5, 0), Wave::new(1, 0)));
    // cos(2π 2x) on 4 samples is the Nyquist wave, whose derivative both ways is 0 at every sample.
    let nyquist = FourierSeries::new([(Wave::new(2, 0), 0.5.into()), (Wave::new(-2, 0), 0.5.into())]).unwrap();
    let report = check_series(&nyquist, &setup(None, GridSize::square(4), Velocity::new(1.0, 0.0), "none")).unwrap();
    assert_eq!(report.exact, 0.0);
    assert!(report.diagonal > 0.0, "moved by a quarter of a sample it would not be 0");
}

#[test]
fn sampling_first_folds_first() {
    // Harmonic 5 on 8 samples is −3, and −3 on every second one of them is 1: δ = 2πi(−3 − 1), and not 2πi(5 − 1).
    let wave = FourierSeries::new([(Wave::new(5, 0), Complex64::ONE)]).unwrap();
    let setup = setup(Some(GridSize::square(8)), GridSize::square(4), Velocity::new(1.0, 0.0), "none");
    let report = check_series(&wave, &setup).unwrap();
    assert_eq!(report.presampling_share, Some(1.0));
    assert!(!report.assumptions.band_within_samples);
    assert_eq!((report.folds[0].from, report.folds[0].to), (Wave::new(-3, 0), Wave::new(1, 0)));
    assert_eq!(report.stride, Some(GridSize::square(2)));
}

/// A polynomial of degree d makes harmonics up to dK and no more: the samples hold them all exactly where 2dK < M.
#[test]
fn polynomials_are_alias_free_exactly_where_the_grid_holds_every_harmonic() {
    for (activation, degree) in [("poly:0,1", 1), ("poly:0.1,-0.4,1", 2), ("poly:0,1,0.5,-0.25", 3)] {
        for grid in [13, 16] {
            let free = (grid - 1) / (2 * degree);
            for band in 1..=free + 1 {
                let report = check_series(&random(band, true, 9), &with_activation(activation, grid)).unwrap();
                let share = report.exact / report.slope_energy;
                assert!(agrees(&report), "{report:?}");
                assert!(report.truncation.unwrap().converged);
                if band <= free {
                    // Rounding, squared.
                    assert!(share < 1e-25, "{activation} {grid} {band}: {share}");
                } else {
                    assert!(share > 1e-6, "{activation} {grid} {band}: {share}");
                }
            }
        }
    }
}

/// The weaker condition (d + 1)K < M is that no alias reaches the band K of the input: harmonic dK lands on M − dK > K.
#[test]
fn aliases_of_polynomials_spare_the_inputs_band_under_the_weaker_condition() {
    for (activation, degree) in [("poly:0.1,-0.4,1", 2), ("poly:0,1,0.5,-0.25", 3)] {
        for grid in [13, 16] {
            let sparing = (grid - 1) / (degree + 1);
            for band in 1..=sparing + 1 {
                let report = check_series(&random(band, true, 9), &with_activation(activation, grid)).unwrap();
                let reaches = report.folds.iter().any(|fold| fold.energy > 1e-20 && fold.to.band() <= band);
                assert_eq!(reaches, band > sparing, "{activation} {grid} {band}");
                // And yet the defect is not 0 unless the stronger condition holds.
                let aliases = report.exact > 1e-6 * report.slope_energy;
                assert_eq!(aliases, 2 * degree * band >= grid, "{activation} {grid} {band}");
            }
        }
    }
}

fn with_activation(activation: &str, grid: u64) -> Setup {
    let setup = setup(None, GridSize::square(grid as usize), Velocity::new(1.0, 0.5), "none");
    Setup { activation: Some(activation.parse().unwrap()), ..setup }
}

#[test]
fn an_activations_prediction_converges_to_its_measurement() {
    let series = random(3, true, 4);
    for (name, within) in [("tanh", 1e-6), ("gelu", 1e-8), ("silu", 1e-8), ("relu", 0.05)] {
        for (samples, grid, filter) in
            [(None, 9, "none"), (Some(GridSize::square(24)), 8, "none"), (Some(GridSize::square(24)), 8, "binomial-3")]
        {
            let setup = Setup {
                activation: Some(name.parse().unwrap()),
                ..setup(samples, GridSize::square(grid), Velocity::new(0.6, 0.8), filter)
            };
            let report = check_series(&series, &setup).unwrap();
            let truncation = report.truncation.unwrap();
            let difference = (report.exact / report.measured - 1.0).abs();
            // Analytic activations reach the tolerance of 1e-6; a kink's harmonics fall as n⁻², and what is left says so.
            assert!(difference < within, "{name}: {difference} {truncation:?}");
            if name != "relu" {
                assert!(truncation.converged);
            }
        }
    }
}

#[test]
fn an_oversampled_operator_predicts_the_defect_on_samples() {
    let velocity = Velocity::new(0.5, -1.0);
    for (columns, rows) in [(9, 7), (8, 12)] {
        let field = random(3, true, 6).sample(GridSize::new(columns, rows)).mapv(|h| h.re);
        let square = Activation::Polynomial(vec![0.0, 0.3, 1.0]);
        let measured = measured_activation_defect(field.view(), &square, velocity).unwrap();
        let predicted =
            oversampled_defect(field.view(), 2, GridSize::square(1), velocity, |fine| fine.mapv(|h| square.value(h)))
                .unwrap()
                .spectrum
                .into_samples()
                .unwrap();
        let largest = measured.iter().fold(0.0_f64, |worst, d| worst.max(d.abs()));
        // A square doubles the band, which twice the samples hold, and nothing is truncated.
        assert!(measured.iter().zip(&predicted).all(|(a, b)| (a - b).abs() < 1e-12 * largest));
        assert!(largest > 0.0);
    }
}

#[test]
fn setups_that_make_no_sense_are_refused() {
    let series = random(2, false, 0);
    let square = GridSize::square(8);
    let v = Velocity::new(1.0, 0.0);
    let refused = |setup: Setup| check_series(&series, &setup).unwrap_err();
    assert!(matches!(refused(setup(None, GridSize::new(0, 3), v, "none")), TheoremError::Grid(_)));
    assert!(matches!(refused(setup(None, GridSize::square(usize::MAX), v, "none")), TheoremError::Grid(_)));
    assert!(matches!(refused(setup(None, square, Velocity::new(0.0, 0.0), "none")), TheoremError::Velocity(_)));
    assert!(matches!(refused(setup(None, square, Velocity::new(f64::NAN, 0.0), "none")), TheoremError::Velocity(_)));
    assert!(matches!(refused(setup(None, square, v, "binomial-3")), TheoremError::Filter(_)));
    let relu = Some(Activation::Relu);
    assert!(matches!(
        refused(Setup { activation: relu.clone(), ..setup(None, square, v, "none") }),
        TheoremError::Complex
    ));
    let real = random(2, true, 0);
    let error = check_series(&real, &Setup { activation: relu, ..setup(None, square, v, "ideal") }).unwrap_err();
    assert_eq!(error, TheoremError::FilterNeedsStride);
    assert!(check_field(Array3::zeros((1, 9, 9)).view(), &setup(None, square, v, "none")).is_err());
    assert!("gauss".parse::<Filter>().is_err() && "binomial-9".parse::<Filter>().is_err());
}
