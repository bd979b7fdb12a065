//! Promise: D_N of every scheme is what its definition says, checked against rustfft, closed forms and polynomials.

use std::f64::consts::{PI, TAU};

use aliascope_numerics::spectrum::differentiation::{
    Boundary, DifferentiationError, MAX_SAMPLES, Scheme, authors_forward_share, authors_takes_forward,
    derivative_error, differentiation_matrix, transfer_function,
};
use ndarray::{Array1, Array2};
use num_complex::Complex64;
use proptest::prelude::*;
use rustfft::FftPlanner;

fn matrix(samples: usize, scheme: Scheme, boundary: Boundary) -> Array2<f64> {
    differentiation_matrix(samples, scheme, boundary).unwrap()
}

/// A periodic filter by transform: bin k of N is multiplied by `symbol(k)`.
fn filtered_by_fft(h: &[f64], symbol: impl Fn(usize) -> Complex64) -> Array1<f64> {
    let n = h.len();
    let mut planner = FftPlanner::new();
    let mut bins: Vec<Complex64> = h.iter().map(|&x| x.into()).collect();
    planner.plan_fft_forward(n).process(&mut bins);
    bins.iter_mut().enumerate().for_each(|(k, bin)| *bin *= symbol(k));
    planner.plan_fft_inverse(n).process(&mut bins);
    bins.iter().map(|bin| bin.re / n as f64).collect()
}

/// The periodic spectral derivative by transform: multiply bin n by 2πi n/N, the Nyquist bin by 0.
fn derivative_by_fft(h: &[f64]) -> Array1<f64> {
    let n = h.len();
    filtered_by_fft(h, |k| {
        let symbol = match (2 * k).cmp(&n) {
            std::cmp::Ordering::Less => k as f64,
            std::cmp::Ordering::Equal => 0.0,
            std::cmp::Ordering::Greater => k as f64 - n as f64,
        };
        Complex64::new(0.0, TAU * symbol / n as f64)
    })
}

/// e^{iω} − 1, 1 − e^{−iω} and their mean, at ω = 2πk/N: differences ahead, behind and central.
fn difference_by_fft(h: &[f64], ahead: f64) -> Array1<f64> {
    let n = h.len();
    filtered_by_fft(h, |k| {
        let turn = Complex64::cis(TAU * k as f64 / n as f64);
        ahead * (turn - 1.0) + (1.0 - ahead) * (1.0 - turn.conj())
    })
}

/// h mirrored without repeating its edges: h_0 … h_{N−1} h_{N−2} … h_1, which is periodic.
fn mirrored(h: &[f64]) -> Vec<f64> {
    let inner = h.get(1..h.len().saturating_sub(1)).unwrap_or(&[]);
    h.iter().chain(inner.iter().rev()).copied().collect()
}

fn largest_difference(a: &Array1<f64>, b: &Array1<f64>) -> f64 {
    (a - b).iter().fold(0.0, |worst, d| worst.max(d.abs()))
}

fn signals() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-1.0..1.0_f64, 1..80)
}

// Sums of N terms of size up to π·|h|, |h| ≤ 1, N ≤ 160: 160·π·2.2e-16 ≈ 1e-13; a decade of room.
const ROUNDING: f64 = 1e-12;

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn periodic_spectral_is_the_derivative_by_fft(h in signals()) {
        let by_matrix = matrix(h.len(), Scheme::Spectral, Boundary::Periodic).dot(&Array1::from(h.clone()));
        prop_assert!(largest_difference(&by_matrix, &derivative_by_fft(&h)) < ROUNDING);
    }

    #[test]
    fn reflected_spectral_is_the_derivative_of_the_even_extension(h in signals()) {
        let by_matrix = matrix(h.len(), Scheme::Spectral, Boundary::Reflect).dot(&Array1::from(h.clone()));
        let extended: Vec<f64> = h.iter().chain(h.iter().rev()).copied().collect();
        let by_fft = derivative_by_fft(&extended).slice(ndarray::s![..h.len()]).to_owned();
        prop_assert!(largest_difference(&by_matrix, &by_fft) < ROUNDING);
    }

    #[test]
    fn differences_are_their_symbols_by_fft(h in signals()) {
        let column = Array1::from(h.clone());
        let mirror = mirrored(&h);
        let slope = |h: &[f64], ahead: f64| difference_by_fft(h, ahead).slice(ndarray::s![..column.len()]).to_owned();
        for (scheme, ahead) in [(Scheme::Forward, 1.0), (Scheme::Central, 0.5)] {
            let periodic = matrix(h.len(), scheme, Boundary::Periodic).dot(&column);
            prop_assert!(largest_difference(&periodic, &slope(&h, ahead)) < ROUNDING);
            let reflected = matrix(h.len(), scheme, Boundary::Reflect).dot(&column);
            prop_assert!(largest_difference(&reflected, &slope(&mirror, ahead)) < ROUNDING);
        }
        // The authors' scheme is one or the other at each sample, as their rounding falls.
        let (forward, backward) = (slope(&mirror, 1.0), slope(&mirror, 0.0));
        let takes_forward = authors_takes_forward(h.len());
        let expected =
            Array1::from_shape_fn(h.len(), |i| if takes_forward[i] { forward[i] } else { backward[i] });
        let authors = matrix(h.len(), Scheme::Authors, Boundary::Reflect).dot(&column);
        prop_assert!(largest_difference(&authors, &expected) < ROUNDING);
    }

    #[test]
    fn every_scheme_annihilates_constants(samples in 1..60_usize) {
        for scheme in Scheme::ALL {
            let ones = Array1::ones(samples);
            let slope = matrix(samples, scheme, Boundary::Reflect).dot(&ones);
            prop_assert!(largest_difference(&slope, &Array1::zeros(samples)) < ROUNDING);
        }
    }

    #[test]
    fn periodic_schemes_multiply_waves_by_their_transfer_function(samples in 2..60_usize, k in 0..30_usize) {
        let k = k % samples.div_ceil(2);
        let omega = TAU * k as f64 / samples as f64;
        for scheme in [Scheme::Spectral, Scheme::Forward, Scheme::Central] {
            let matrix = matrix(samples, scheme, Boundary::Periodic);
            let factor = transfer_function(scheme, samples, omega);
            for i in 0..samples {
                let got: Complex64 = (0..samples).map(|j| matrix[[i, j]] * Complex64::cis(omega * j as f64)).sum();
                prop_assert!((got - factor * Complex64::cis(omega * i as f64)).norm() < ROUNDING * 10.0);
            }
        }
    }
}

#[test]
fn spectral_entries_are_trefethens() {
    // Closed form for N = 4: ½ cot(π d/4) (−1)^d times 2π/4 per sample: ∓π/4 at d = ±1, 0 at d = 2.
    let four = matrix(4, Scheme::Spectral, Boundary::Periodic);
    assert!((four[[1, 0]] + PI / 4.0).abs() < 1e-15);
    assert!((four[[0, 1]] - PI / 4.0).abs() < 1e-15);
    assert_eq!(four[[2, 0]], 0.0);
    // N = 3: d = 1 gives −(π/3)/sin(π/3).
    let three = matrix(3, Scheme::Spectral, Boundary::Periodic);
    assert!((three[[1, 0]] + PI / 3.0 / (PI / 3.0).sin()).abs() < 1e-15);
}

#[test]
fn nyquist_of_an_even_grid_has_derivative_zero() {
    let wave = Array1::from_shape_fn(16, |j| if j % 2 == 0 { 1.0 } else { -1.0 });
    let slope = matrix(16, Scheme::Spectral, Boundary::Periodic).dot(&wave);
    assert!(largest_difference(&slope, &Array1::zeros(16)) < ROUNDING);
}

#[test]
fn half_sample_cosines_are_exact_under_reflection() {
    // cos(πk(j + ½)/N) is its own even extension; its slope is −(πk/N) sin(…).
    for samples in [5, 8, 31, 64] {
        let matrix = matrix(samples, Scheme::Spectral, Boundary::Reflect);
        for k in 0..samples {
            let rate = PI * k as f64 / samples as f64;
            let wave = Array1::from_shape_fn(samples, |j| (rate * (j as f64 + 0.5)).cos());
            let slope = Array1::from_shape_fn(samples, |j| -rate * (rate * (j as f64 + 0.5)).sin());
            assert!(largest_difference(&matrix.dot(&wave), &slope) < ROUNDING);
        }
    }
}

#[test]
fn differences_mirror_without_repeating_the_edge() {
    let squares = Array1::from(vec![0.0, 1.0, 4.0, 9.0, 16.0]);
    let forward = matrix(5, Scheme::Forward, Boundary::Reflect).dot(&squares);
    assert_eq!(forward.to_vec(), [1.0, 3.0, 5.0, 7.0, -7.0]);
    let central = matrix(5, Scheme::Central, Boundary::Reflect).dot(&squares);
    assert_eq!(central.to_vec(), [0.0, 2.0, 4.0, 6.0, 0.0]);
    let forward = matrix(5, Scheme::Forward, Boundary::Periodic).dot(&squares);
    assert_eq!(forward.to_vec(), [1.0, 3.0, 5.0, 7.0, -16.0]);
    let central = matrix(5, Scheme::Central, Boundary::Periodic).dot(&squares);
    assert_eq!(central.to_vec(), [-7.5, 2.0, 4.0, 6.0, -4.5]);
}

#[test]
fn authors_mixes_forward_and_backward_as_their_float32_does() {
    // Counted once with libtorch 2.13's own linspace.
    for (samples, forward) in [(7, 6), (14, 9), (28, 25), (56, 44), (112, 97), (224, 188), (240, 190), (260, 211)] {
        assert_eq!(authors_forward_share(samples), f64::from(forward) / samples as f64);
    }
    let samples = 14;
    let (forward, matrix) = (authors_takes_forward(samples), matrix(samples, Scheme::Authors, Boundary::Reflect));
    let h = Array1::from_shape_fn(samples, |j| ((j * j) as f64).sin());
    let slope = matrix.dot(&h);
    for i in 0..samples {
        let after = if i + 1 < samples { h[i + 1] } else { h[samples - 2] };
        let before = if i > 0 { h[i - 1] } else { h[1] };
        assert_eq!(slope[i], if forward[i] { after - h[i] } else { h[i] - before });
    }
}

#[test]
fn errors_grow_with_frequency_at_the_known_rates() {
    // Taylor: forward ω/2, central ω²/6 to first order, relative; ω = 1e-3 leaves terms a thousand times smaller.
    let omega = 1e-3;
    assert!((derivative_error(Scheme::Forward, omega) / (omega / 2.0) - 1.0).abs() < 1e-3);
    assert!((derivative_error(Scheme::Central, omega) / (omega * omega / 6.0) - 1.0).abs() < 1e-3);
    assert_eq!(derivative_error(Scheme::Spectral, 1.0), 0.0);
    assert_eq!(derivative_error(Scheme::Spectral, PI), 1.0);
    assert_eq!(derivative_error(Scheme::Authors, 1.0), derivative_error(Scheme::Forward, 1.0));
}

#[test]
fn what_makes_no_sense_is_refused() {
    use DifferentiationError::{NoSamples, TooLarge, Undefined};
    assert_eq!(differentiation_matrix(0, Scheme::Spectral, Boundary::Reflect), Err(NoSamples));
    assert!(matches!(
        differentiation_matrix(MAX_SAMPLES + 1, Scheme::Spectral, Boundary::Reflect),
        Err(TooLarge { .. })
    ));
    assert!(matches!(differentiation_matrix(8, Scheme::Authors, Boundary::Periodic), Err(Undefined { .. })));
    for scheme in Scheme::ALL {
        assert_eq!(differentiation_matrix(1, scheme, Boundary::Reflect).unwrap()[[0, 0]], 0.0);
    }
    // Two samples: both neighbours are the same one.
    assert_eq!(differentiation_matrix(2, Scheme::Central, Boundary::Periodic).unwrap().sum(), 0.0);
}

#[test]
fn names_round_trip_and_near_misses_are_suggested() {
    for scheme in Scheme::ALL {
        assert_eq!(scheme.to_string().parse::<Scheme>().unwrap(), scheme);
    }
    for boundary in Boundary::ALL {
        assert_eq!(boundary.to_string().parse::<Boundary>().unwrap(), boundary);
    }
    let error = "spectrl".parse::<Scheme>().unwrap_err();
    assert_eq!(error.to_string(), "unknown derivative scheme 'spectrl'; did you mean spectral?");
}
