//! Promise: the harmonics of an activation are those of its closed form where there is one, fall as predicted, and fold
//! where the grid says.

use std::f64::consts::PI;

use aliascope_numerics::spectrum::activation::Activation;
use aliascope_numerics::spectrum::filter::Filter;
use aliascope_numerics::spectrum::harmonics::{
    HarmonicsError, Law, Signal, closed_form, coefficients, decay, harmonics,
};
use proptest::prelude::*;

fn signal(activation: &str, amplitude: f64, frequency: usize, samples: usize, stride: usize) -> Signal {
    Signal {
        activation: activation.parse().unwrap(),
        amplitude,
        frequency,
        samples,
        stride,
        filter: Filter::None,
        oversample: None,
    }
}

#[test]
fn a_rectified_cosine_has_the_textbook_series() {
    let c = coefficients(&Activation::Relu, 1.0, 64);
    // 1/π, 1/4, 1/(π(k² − 1)) with alternating sign at even k, 0 at odd k > 1; quadrature is good to 1e-15.
    assert!((c[0] - 1.0 / PI).abs() < 1e-14);
    assert!((c[1] - 0.25).abs() < 1e-14);
    for (k, c) in c.iter().enumerate().take(65).skip(2) {
        let sign = if k % 4 == 2 { 1.0 } else { -1.0 };
        let expected = if k % 2 == 0 { sign / (PI * (k * k - 1) as f64) } else { 0.0 };
        assert!((c - expected).abs() < 1e-14, "{k}");
    }
}

#[test]
fn tanh_is_the_sum_of_its_poles() {
    // tanh z = Σ_m 2z/(z² + b_m²), b_m = (m − ½)π, and each term's harmonics are geometric:
    // c_k = (2/a) Σ_m (−1)^{(k−1)/2} e^{−kη_m}/cosh η_m, sinh η_m = b_m/a, at odd k.
    for a in [0.7, 2.0, 6.0] {
        let c = coefficients(&Activation::Tanh, a, 40);
        // At k ≥ 7 the terms fall as m⁻⁸, so that 2000 of them leave 1e-20.
        for k in (7..40_i32).step_by(2) {
            let sum: f64 = (1..2000)
                .map(|m| ((f64::from(m) - 0.5) * PI / a).asinh())
                .map(|eta| (-f64::from(k) * eta).exp() / eta.cosh())
                .sum();
            let sign = if k % 4 == 1 { 1.0 } else { -1.0 };
            assert!((c[k as usize] - sign * 2.0 / a * sum).abs() < 1e-14, "{a} {k}");
        }
        assert!(c.iter().step_by(2).all(|c| c.abs() < 1e-14));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn quadrature_meets_every_closed_form(
        amplitude in 0.1..20.0_f64, slope in -0.5..0.9_f64, poly in prop::collection::vec(-1.0..1.0_f64, 1..6),
    ) {
        let activations = [
            Activation::Relu, Activation::LeakyRelu(slope), Activation::Relu6, Activation::Abs, Activation::Sin,
            Activation::Polynomial(poly),
        ];
        for activation in activations {
            let c = coefficients(&activation, amplitude, 64);
            // Relative to σ's largest value on the cosine.
            let largest = activation.value(amplitude).abs().max(activation.value(-amplitude).abs()).max(1.0);
            for (k, c) in c.iter().enumerate() {
                let expected = closed_form(&activation, amplitude, k).unwrap();
                prop_assert!((c - expected).abs() < 1e-13 * largest, "{} {} {} {}", activation, k, c, expected);
            }
        }
    }

    #[test]
    fn harmonics_add_up_to_the_signal(amplitude in 0.1..8.0_f64, theta in 0.0..6.3_f64) {
        // Analytic activations, whose series converge at once.
        for activation in [Activation::Gelu, Activation::Silu, Activation::Tanh, Activation::Softplus,
            Activation::Mish, Activation::Sigmoid, Activation::Sin] {
            let c = coefficients(&activation, amplitude, 200);
            let sum = c[0] + c.iter().enumerate().skip(1).map(|(k, c)| 2.0 * c * (k as f64 * theta).cos()).sum::<f64>();
            // 200 terms with errors of 1e-15 times values up to 8, and at a = 8 a tail of e^{−200·0.19}.
            prop_assert!((sum - activation.value(amplitude * theta.cos())).abs() < 1e-12, "{}", activation);
        }
    }

    #[test]
    fn derivatives_are_those_of_the_values(x in -8.0..8.0_f64) {
        for activation in Activation::examples() {
            let clear = activation.kinks().iter().all(|(kink, _)| (x - kink).abs() > 1e-4);
            let step = 1e-5;
            let slope = (activation.value(x + step) - activation.value(x - step)) / (2.0 * step);
            // Central differences: h² from truncation, 1e-16/h from rounding, times values up to 20.
            prop_assert!(!clear || (slope - activation.derivative(x)).abs() < 1e-8, "{} {}", activation, x);
        }
    }
}

#[test]
fn harmonics_fall_as_predicted() {
    let fitted = |name: &str, amplitude: f64| {
        let activation: Activation = name.parse().unwrap();
        decay(&activation, amplitude, &coefficients(&activation, amplitude, 512))
    };
    // The fit's own error: harmonics from 16 to 512 of a k⁻ᵖ law with corrections of order k⁻².
    for (name, amplitude, rate) in [
        ("relu", 1.0, 2.0),
        ("leaky_relu", 3.0, 2.0),
        ("abs", 0.5, 2.0),
        ("relu6", 2.0, 2.0),
        ("relu6", 9.0, 2.0),
        ("elu", 1.0, 3.0),
        ("hardswish", 5.0, 2.0),
    ] {
        let decay = fitted(name, amplitude);
        assert_eq!((decay.law, decay.predicted), (Law::Algebraic, rate), "{name}");
        assert!((decay.fitted.unwrap() / rate - 1.0).abs() < 0.03, "{name} {decay:?}");
    }
    // Further poles, e^{−k·η₂}, bend the line where k is small.
    for (name, amplitude) in [
        ("tanh", 2.0),
        ("tanh", 8.0),
        ("sigmoid", 4.0),
        ("silu", 5.0),
        ("softplus", 6.0),
        ("mish", 6.0),
        ("quick_gelu", 5.0),
        ("gelu_tanh", 8.0),
    ] {
        let decay = fitted(name, amplitude);
        assert_eq!(decay.law, Law::Exponential, "{name}");
        assert!((decay.fitted.unwrap() / decay.predicted - 1.0).abs() < 0.03, "{name} {decay:?}");
    }
    let tanh = fitted("tanh", 2.0);
    assert!((tanh.predicted.sinh() - PI / 4.0).abs() < 1e-14);
    let softplus = fitted("softplus", 2.0);
    assert!((softplus.predicted.sinh() - PI / 2.0).abs() < 1e-14);
    for (name, amplitude) in [("sin", 3.0), ("sin", 0.5), ("sin", 20.0), ("gelu", 4.0), ("gelu", 1.0)] {
        let decay = fitted(name, amplitude);
        assert_eq!(decay.law, Law::SuperExponential, "{name}");
        println!("{name} {amplitude} {decay:?}");
        assert!((decay.fitted.unwrap() / decay.predicted - 1.0).abs() < 0.2, "{name} {decay:?}");
    }
    for (name, amplitude, degree) in [("poly:1,2,0,0.5", 2.0, 3.0), ("hardswish", 2.5, 2.0), ("leaky_relu:1", 1.0, 1.0)]
    {
        let decay = fitted(name, amplitude);
        assert_eq!((decay.law, decay.predicted, decay.fitted), (Law::Polynomial, degree, Some(degree)), "{name}");
    }
}

#[test]
fn harmonics_fold_where_the_grid_says() {
    let report = harmonics(&signal("relu", 1.0, 5, 32, 2)).unwrap();
    assert_eq!(report.grid, 16);
    // 10 folds to −6, 20 to 4, 30 to −2.
    let folds: Vec<_> = [2, 4, 6].iter().map(|k| report.harmonics[*k].folds_to).collect();
    assert_eq!(folds, [-6, 4, -2]);
    // Energy on the circle, less its mean: 1/4 − 1/π²; what stays is k = 1 alone, 2·(1/4)².
    let total = 0.25 - 1.0 / (PI * PI);
    // Harmonics above the 64th, whose energy is of order k⁻³/π², are not counted.
    assert!((report.aliased_fraction - (1.0 - 0.125 / total)).abs() < 1e-6);
    // The folded spectrum is what a transform of the samples sees.
    let sampled = harmonics(&Signal { oversample: Some(1), ..signal("tanh", 2.0, 3, 32, 1) }).unwrap();
    let exact = harmonics(&signal("tanh", 2.0, 3, 32, 1)).unwrap();
    for harmonic in &sampled.harmonics {
        assert!((harmonic.magnitude - exact.folded[harmonic.frequency as usize]).abs() < 1e-13);
    }
    // And with enough oversampling a transform finds the harmonics themselves.
    let oversampled = harmonics(&Signal { oversample: Some(64), ..signal("tanh", 2.0, 3, 32, 1) }).unwrap();
    assert!(oversampled.harmonics.iter().zip(&exact.harmonics).all(|(a, b)| (a.magnitude - b.magnitude).abs() < 1e-13));
}

#[test]
fn filters_take_away_what_would_fold() {
    let plain = harmonics(&signal("relu", 1.0, 3, 64, 4)).unwrap().aliased_fraction;
    let with = |filter: &str| {
        let signal = Signal { filter: filter.parse().unwrap(), ..signal("relu", 1.0, 3, 64, 4) };
        harmonics(&signal).unwrap().aliased_fraction
    };
    assert!(with("binomial-3") < plain);
    assert!(with("kaiser") < 0.2 * plain);
    // An ideal filter has the period of the samples: what the nonlinearity folded on them stays within.
    assert!(with("ideal") < 0.05 * plain);
}

#[test]
fn signals_that_make_no_sense_are_refused() {
    let refused = |signal: Signal| harmonics(&signal).unwrap_err();
    assert!(matches!(refused(signal("relu", 0.0, 1, 16, 1)), HarmonicsError::Amplitude(_)));
    assert!(matches!(refused(signal("relu", f64::NAN, 1, 16, 1)), HarmonicsError::Amplitude(_)));
    assert!(matches!(refused(signal("relu", 1.0, 0, 16, 1)), HarmonicsError::Frequency { .. }));
    assert!(matches!(refused(signal("relu", 1.0, 8, 16, 1)), HarmonicsError::Frequency { .. }));
    assert!(matches!(refused(signal("relu", 1.0, 1, 2, 1)), HarmonicsError::Samples(2)));
    assert!(matches!(refused(signal("relu", 1.0, 1, 16, 3)), HarmonicsError::Stride { .. }));
    assert!(matches!(refused(signal("relu", 1.0, 1, 16, 0)), HarmonicsError::Stride { .. }));
    let over = Signal { oversample: Some(0), ..signal("relu", 1.0, 1, 16, 1) };
    assert!(matches!(refused(over), HarmonicsError::Oversample(0)));
    assert!(matches!(refused(signal("poly:0,0,0,0,1", 1e100, 1, 16, 1)), HarmonicsError::NotFinite(_)));
    let error = "reluu".parse::<Activation>().unwrap_err().to_string();
    assert!(error.starts_with("unknown activation 'reluu'; did you mean relu"), "{error}");
    for bad in ["poly", "poly:", "poly:a", "poly:1,inf", "relu:2", "leaky_relu:1,2"] {
        assert!(bad.parse::<Activation>().is_err(), "{bad}");
    }
    for activation in Activation::examples() {
        assert_eq!(activation.to_string().parse::<Activation>().unwrap(), activation);
    }
}
