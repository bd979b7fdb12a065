//! Promise: a filter's taps are those of its definition, its response is that of its taps, and its quality is measured.

use std::f64::consts::PI;

use aliascope_numerics::spectrum::filter::{Filter, Nyquist, quality, response};
use aliascope_numerics::spectrum::{GridSize, Wave};
use ndarray::{Array3, s};
use num_complex::Complex64;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn filter(name: &str) -> Filter {
    name.parse().unwrap()
}

fn close(a: &[f64], b: &[f64], tolerance: f64) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < tolerance)
}

#[test]
fn binomial_taps_are_pascals_rows_and_their_response_a_power_of_a_cosine() {
    let rows: [&[f64]; 7] = [
        &[1.0],
        &[1.0, 1.0],
        &[1.0, 2.0, 1.0],
        &[1.0, 3.0, 3.0, 1.0],
        &[1.0, 4.0, 6.0, 4.0, 1.0],
        &[1.0, 5.0, 10.0, 10.0, 5.0, 1.0],
        &[1.0, 6.0, 15.0, 20.0, 15.0, 6.0, 1.0],
    ];
    for (n, row) in rows.iter().enumerate() {
        let taps = filter(&format!("binomial-{}", n + 1)).taps(2.0);
        let expected: Vec<f64> = row.iter().map(|c| c / 2f64.powi(n as i32)).collect();
        // Halving is exact.
        assert_eq!(taps, expected);
        for step in 0..=20 {
            let f = f64::from(step) / 40.0;
            assert!((response(&taps, f).norm() - (PI * f).cos().abs().powi(n as i32)).abs() < 1e-15);
        }
    }
}

/// `scipy.signal.firwin(count, 1/ratio, width=0.5/ratio, fs=2)` and |`freqz`| of it at 0.3, 1 and 2.5 radians per sample
/// (SciPy 1.17.1); the first half of each, the rest is its mirror image.
#[test]
fn kaiser_taps_are_scipys() {
    let scipy: [(usize, f64, &[f64], [f64; 3]); 3] = [
        (
            12,
            2.0,
            &[
                0.020255793741543977,
                0.03165361708930219,
                -0.048637560138583086,
                -0.07716921924885077,
                0.13931754160285575,
                0.4345798269537319,
            ],
            [0.9596264749785878, 1.012574851886157, 0.001638157421207205],
        ),
        (
            7,
            2.0,
            &[-0.11477908094455233, 0.0, 0.34433724283365696, 0.5408836762217907],
            [1.0561038997814265, 1.1402369466239997, 0.09041645756870029],
        ),
        (
            18,
            3.0,
            &[
                0.008743206662997136,
                0.023835090426427633,
                0.01596498666194257,
                -0.021283050380606787,
                -0.05725709194953249,
                -0.039635109508240444,
                0.05857225012416422,
                0.20227852418313155,
                0.3087811937797166,
            ],
            [0.9431896327287954, 0.582116130042381, 0.004033797932288767],
        ),
    ];
    for (count, ratio, half, gains) in scipy {
        let taps = filter(&format!("kaiser:{count}")).taps(ratio);
        assert_eq!(taps.len(), count);
        // The same formulas in f64.
        assert!(close(&taps[..half.len()], half, 1e-15), "{taps:?}");
        assert!(taps.iter().zip(taps.iter().rev()).all(|(a, b)| (a - b).abs() < 1e-15));
        for (omega, gain) in [0.3, 1.0, 2.5].into_iter().zip(gains) {
            assert!((response(&taps, omega / (2.0 * PI)).norm() - gain).abs() < 1e-14);
        }
    }
    // Six taps per coarse sample unless told otherwise.
    assert_eq!(filter("kaiser").taps(3.0).len(), 18);
}

/// Values of J₁(πr)/(2r) · Kaiser ⊗ Kaiser over their sum by `scipy.special.j1`, 6 taps at ratio 2.
#[test]
fn radial_kaiser_taps_are_a_jinc() {
    let (fine, coarse) = (GridSize::square(64), GridSize::square(32));
    let response = filter("kaiser-radial:6").design(Some(fine), coarse).unwrap();
    let mut impulse = Array3::zeros((1, 64, 64));
    impulse[[0, 20, 20]] = 1.0;
    let taps = response.apply(impulse.view()).unwrap();
    // Convolution mirrors taps, and these are symmetric: the anchor is ⌊5/2⌋ from the first one.
    let row = |y: usize| taps.slice(s![0, y, 17..23]).to_vec();
    let first = [-0.022120259903460067, -0.01996598534069446, -0.006157701997092116];
    let third = [-0.006157701997092116, 0.07332494860771951, 0.15509685058586337];
    assert!(close(&row(17)[..3], &first, 1e-15), "{:?}", row(17));
    assert!(close(&row(19)[..3], &third, 1e-15), "{:?}", row(19));
    assert!((taps.sum() - 1.0).abs() < 1e-14);
    // What it is for: with room for taps it passes all directions alike, which the separable one does not.
    let at = |name: &str, x: f64, y: f64| filter(name).design(Some(fine), coarse).unwrap().gain_at([x, y]).norm();
    let diagonal = 16.0 / 2f64.sqrt();
    let spread = |name| (at(name, 16.0, 0.0) - at(name, diagonal, diagonal)).abs();
    assert!(spread("kaiser-radial:24") < 0.02 && spread("kaiser:24") > 0.2);
}

#[test]
fn lanczos_taps_are_a_windowed_sinc_that_ends_at_its_last_lobe() {
    let sinc = |x: f64| if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) };
    for (lobes, ratio) in [(2, 2.0), (3, 2.0), (3, 4.0), (1, 3.0)] {
        let taps = filter(&format!("lanczos:{lobes}")).taps(ratio);
        assert_eq!(taps.len(), 2 * lobes * ratio as usize - 1);
        let middle = taps.len() / 2;
        for (t, tap) in taps.iter().enumerate() {
            let x = (t as f64 - middle as f64) / ratio;
            let expected = taps[middle] * sinc(x) * sinc(x / lobes as f64);
            assert!((tap - expected).abs() < 1e-15);
        }
        assert!((taps.iter().sum::<f64>() - 1.0).abs() < 1e-15);
    }
}

#[test]
fn ideal_filters_differ_at_the_nyquist_bin_alone() {
    for (nyquist, gain) in [(Nyquist::Zeroed, 0.0), (Nyquist::Kept, 1.0), (Nyquist::Split, 0.5)] {
        let response = Filter::Ideal(nyquist).design(Some(GridSize::square(16)), GridSize::square(8)).unwrap();
        let at = |x, y| response.gain(Wave::new(x, y));
        assert_eq!(at(3, -3), Complex64::ONE);
        assert_eq!(at(5, 0), Complex64::ZERO);
        for edge in [at(4, 0), at(-4, 0), at(0, 4), at(12, 0), at(3, -4)] {
            assert_eq!(edge, gain.into());
        }
        assert_eq!(at(4, -4), (gain * gain).into());
        // An odd grid has no such bin.
        let odd = Filter::Ideal(nyquist).design(None, GridSize::square(7)).unwrap();
        assert_eq!((odd.gain(Wave::new(3, 0)), odd.gain(Wave::new(4, 0))), (Complex64::ONE, Complex64::ZERO));
    }
}

#[test]
fn quality_is_what_integrals_say() {
    // Binomial, n taps: |G|² = cos^{2n−2}(πf). Its mean over [1/4, 1/2] is 1/2 − 1/π for n = 2 and 3/8 − 1/π for n = 3,
    // that over [0, 1/4] the same with plus; |G| = cos²(πf) for n = 3 is 0.9 and 0.1 at arccos(√0.9)/π, arccos(√0.1)/π.
    let of = |name: &str, ratio: f64| {
        let taps = filter(name).taps(ratio);
        quality(|f| response(&taps, f).norm(), ratio)
    };
    // The midpoint rule over 4096 steps of |G|², whose second derivative is below 100.
    const MIDPOINT: f64 = 1e-7;
    let two = of("binomial-2", 2.0);
    assert!((two.stop_band - (0.5 - 1.0 / PI)).abs() < MIDPOINT);
    assert!((two.pass_band - (0.5 + 1.0 / PI)).abs() < MIDPOINT);
    let three = of("binomial-3", 2.0);
    assert!((three.stop_band - (0.375 - 1.0 / PI)).abs() < MIDPOINT);
    assert!((three.pass_band - (0.375 + 1.0 / PI)).abs() < MIDPOINT);
    for (found, level) in three.transition.into_iter().zip([0.9_f64, 0.1]) {
        // To one of 4096 points.
        assert!((found - level.sqrt().acos() / PI).abs() < 0.5 / 4096.0);
    }
    // Sharper filters let less through and have narrower transitions.
    let (kaiser, short) = (of("kaiser:24", 2.0), of("kaiser:12", 2.0));
    assert!(kaiser.stop_band < short.stop_band && short.stop_band < three.stop_band);
    let width = |q: aliascope_numerics::spectrum::filter::Quality| q.transition[1] - q.transition[0];
    assert!(width(kaiser) < width(short) && width(short) < width(three));
    // Nothing folds without a stride, and everything that folds passes without a filter.
    assert_eq!(of("binomial-3", 1.0).stop_band, 0.0);
    assert!((of("none", 2.0).stop_band - 1.0).abs() < 1e-12);
    let design = filter("binomial-3").design(Some(GridSize::new(64, 8)), GridSize::new(32, 8)).unwrap();
    assert_eq!(design.quality(), three);
    let profile = design.profile(5);
    assert_eq!(profile[0], [0.0, 1.0, 1.0, 1.0]);
    // At the Nyquist frequency of the axis cos² is 0, and on the diagonal of both.
    assert!(profile[4][1..].iter().all(|gain| gain.abs() < 1e-15));
}

prop_compose! {
    fn designs()(
        x in 1..6_usize, y in 1..6_usize, by_x in 1..4_usize, by_y in 1..4_usize, name in 0..12_usize,
    ) -> (GridSize, GridSize, Filter) {
        let names = ["none", "ideal", "ideal-kept", "ideal-split", "binomial-2", "binomial-5", "binomial-7", "kaiser",
            "kaiser-radial:5", "lanczos:2", "lanczos", "taps:0.3,-0.2,0.9"];
        (GridSize::new(x * by_x, y * by_y), GridSize::new(by_x, by_y), filter(names[name]))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn applied_to_a_wave_a_filter_multiplies_it((fine, stride, filter) in designs(), n in -20..20_i64, m in -20..20_i64) {
        let response = filter.design(Some(fine), fine.strided(stride).unwrap()).unwrap();
        let wave = Wave::new(n, m);
        let phase = |j: usize, i: usize| {
            let turns = n as f64 * i as f64 / fine.x as f64 + m as f64 * j as f64 / fine.y as f64;
            Complex64::cis(2.0 * PI * turns.fract())
        };
        let part = |of: fn(Complex64) -> f64| {
            let field = Array3::from_shape_fn((1, fine.y, fine.x), |(_, j, i)| of(phase(j, i)));
            response.apply(field.view()).unwrap()
        };
        let (real, imaginary) = (part(|z| z.re), part(|z| z.im));
        let gain = response.gain(wave);
        for ((_, j, i), re) in real.indexed_iter() {
            let got = Complex64::new(*re, imaginary[[0, j, i]]);
            // Up to 18² taps whose sizes add up to a few.
            prop_assert!((got - gain * phase(j, i)).norm() < 1e-13, "{} {} {}", filter, got, gain * phase(j, i));
        }
    }

    #[test]
    fn kept_samples_are_those_of_the_whole((fine, stride, filter) in designs(), seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let field = Array3::from_shape_simple_fn((2, fine.y, fine.x), || rng.random_range(-1.0..1.0));
        let response = filter.design(Some(fine), fine.strided(stride).unwrap()).unwrap();
        let whole = response.apply(field.view()).unwrap();
        let kept = whole.slice(s![.., ..;stride.y as isize, ..;stride.x as isize]);
        prop_assert_eq!(response.apply_strided(field.view(), stride).unwrap(), kept);
    }
}

#[test]
fn names_round_trip_and_nonsense_is_refused() {
    for filter in Filter::examples() {
        assert_eq!(filter.to_string().parse::<Filter>().unwrap(), filter);
    }
    for (given, words) in [
        ("binomal-3", "did you mean binomial-"),
        ("binomial-0", "unknown filter"),
        ("binomial-8", "unknown filter"),
        ("kaiser:0", "from 1 to"),
        ("kaiser-radial:65", "from 1 to 64"),
        ("lanczos:x", "from 1 to 16"),
        ("taps", "taps are finite numbers"),
        ("taps:1,nan", "taps are finite numbers"),
        ("ideal:3", "takes no arguments"),
    ] {
        let message = given.parse::<Filter>().unwrap_err().to_string();
        assert!(message.contains(words), "{given}: {message}");
    }
    let message = filter("kaiser").design(None, GridSize::square(8)).unwrap_err().to_string();
    assert!(message.contains("samples to lie on"), "{message}");
}
