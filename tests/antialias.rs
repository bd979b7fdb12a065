//! What designs promise: predicted is measured, guarantees hold, tangents are derivatives, ONNX says the same.

use aliascope::antialias::bench::{Bench, tensor};
use aliascope::antialias::{
    Context, Design, DesignError, Guarantee, Kind, OnnxSite, Padding, Phase, Polyphase, Resampling, Wavelet, all_names,
    apply, design, fit, operator, split_names,
};
use aliascope::graph::forward_ad::jvp;
use aliascope::graph::onnx::proto::GraphProto;
use aliascope::graph::operator::{Operator, Point};
use aliascope::graph::{LoadOptions, Network};
use aliascope::spectrum::activation::Activation;
use aliascope::spectrum::filter::{Filter, Nyquist};
use aliascope::spectrum::series::RandomSeries;
use aliascope::spectrum::theorem::oversampled_defect;
use aliascope::spectrum::{FourierSeries, GridSize, Velocity};
use ndarray::{Array2, Array3, s};
use tch::{Device, Kind as Element, Tensor};

use crate::common::model;

const PADDINGS: [Padding; 3] = [Padding::Circular, Padding::Reflect, Padding::Zero];

/// A random real field of this band on N × N samples.
fn field(band: u64, samples: usize, seed: u64) -> Array2<f64> {
    let series = FourierSeries::random(RandomSeries { band, decay: 1.0, real: true, seed }).unwrap();
    series.sample(GridSize::square(samples)).mapv(|h| h.re).index_axis_move(ndarray::Axis(0), 0)
}

fn bench(field: Array2<f64>, stride: usize, velocity: Velocity) -> Bench {
    Bench { field, input: String::new(), stride, velocity, padding: Padding::Circular }
}

fn make(name: &str, stride: usize) -> Box<dyn Design> {
    design(name, &Context { stride, range: [-2.0, 2.0] }).unwrap()
}

/// Names that a stride supports.
fn names(stride: usize) -> Vec<&'static str> {
    all_names().into_iter().filter(|name| stride == 2 || !name.starts_with("wavelet")).collect()
}

fn relative(a: &Tensor, b: &Tensor) -> f64 {
    let norm = |x: &Tensor| x.square().sum(None::<Element>).sqrt().double_value(&[]);
    norm(&(a - b)) / norm(b).max(f64::MIN_POSITIVE)
}

/// White noise `[images, channels, rows, columns]`, of no band at all.
fn noise(shape: [i64; 4], seed: u64) -> Tensor {
    aliascope::antialias::gaussian(seed, &shape).unwrap() * 10.0
}

#[test]
fn every_listed_name_is_its_design() {
    for name in all_names() {
        let made = make(name, 2);
        let full = match name {
            "blurpool" => "blurpool:4",
            name => name,
        };
        assert_eq!(made.name(), full);
        assert!(!made.about().is_empty());
    }
    assert_eq!(split_names("blurpool:3,poly:0,1,0.5,aps"), ["blurpool:3", "poly:0,1,0.5", "aps"]);
    assert_eq!(split_names("all").len(), all_names().len());
}

#[test]
fn linear_designs_measure_what_the_theorem_predicts() {
    // Even and odd grids at both ends, a velocity that is not along an axis, energy up to the fine Nyquist frequency.
    for (stride, samples) in [(2, 32), (2, 30), (3, 27), (4, 32)] {
        let input = bench(field(samples as u64 / 2, samples, stride as u64), stride, Velocity::new(0.8, -0.6));
        let mut counted = 0;
        for name in names(stride) {
            let design = make(name, stride);
            if !design.is_linear() && design.frozen(&noise([1, 1, 12, 12], 1), Padding::Circular).unwrap().is_none() {
                continue;
            }
            counted += 1;
            let defect = input.defect(design.as_ref()).unwrap();
            let (predicted, measured) = (defect.prediction.unwrap().exact, defect.measured);
            // The field's slope has a mean square of about 10⁴; sums of N² such terms round at ε² of it, squared.
            let rounding = 1e-10 * predicted + 1e-20;
            assert!((predicted - measured).abs() <= rounding, "{name} {stride} {samples}: {predicted} {measured}");
        }
        assert!(counted >= 26, "{counted}");
    }
}

#[test]
fn predictions_are_those_of_the_theorem_command() {
    use aliascope::spectrum::theorem::{Setup, check_field};
    let samples = 36;
    let velocity = Velocity::new(0.3, 1.1);
    let field = field(13, samples, 5);
    let pairs = [
        ("stride", Filter::None),
        ("blurpool:5", Filter::Binomial(5)),
        ("ideal", Filter::Ideal(Nyquist::Zeroed)),
        ("ideal:kept", Filter::Ideal(Nyquist::Kept)),
        ("ideal:split", Filter::Ideal(Nyquist::Split)),
        ("kaiser:9", Filter::Kaiser(Some(9))),
        ("kaiser-radial:7", Filter::KaiserRadial(Some(7))),
        ("lanczos:2", Filter::Lanczos(2)),
    ];
    for stride in [2, 3] {
        for (name, prefilter) in &pairs {
            let input = bench(field.clone(), stride, velocity);
            let defect = input.defect(make(name, stride).as_ref()).unwrap();
            let setup = Setup {
                samples: None,
                grid: GridSize::square(samples / stride),
                velocity,
                prefilter: prefilter.clone(),
                activation: None,
                tolerance: 1e-6,
            };
            let theorem = check_field(field.view().insert_axis(ndarray::Axis(0)), &setup).unwrap();
            let (predicted, measured) = (defect.prediction.unwrap().exact, defect.measured);
            let rounding = 1e-10 * theorem.exact + 1e-24 * theorem.slope_energy;
            assert!((predicted - theorem.exact).abs() <= rounding, "{name}: {predicted} {}", theorem.exact);
            assert!((measured - theorem.measured).abs() <= rounding, "{name}: {measured} {}", theorem.measured);
        }
    }
}

#[test]
fn guarantees_hold_on_the_torus() {
    for stride in [2, 4] {
        let samples = 32;
        // Band-limited for the coarser grid: that is what a fractional guarantee is about; an integer one is about
        // anything.
        let held = bench(field(samples as u64 / (2 * stride as u64) - 1, samples, 3), stride, Velocity::new(1.0, 0.5));
        let white = bench(field(samples as u64 / 2, samples, 4), stride, Velocity::new(1.0, 0.5));
        let designs: Vec<_> = names(stride).into_iter().map(|name| make(name, stride)).collect();
        let held = held.run(&designs, &mut |_, _| {}).unwrap();
        let slope = held.slope_energy;
        let white = white.run(&designs, &mut |_, _| {}).unwrap();
        let mut counted = [0, 0];
        for (held, white) in held.designs.iter().zip(&white.designs) {
            if held.guarantee == Guarantee::Integer || held.kind == Kind::Nonlinearity {
                counted[0] += 1;
                assert!(white.integer_shift_error.unwrap() <= 1e-10, "{}: {:?}", white.name, white.integer_shift_error);
            }
            if held.guarantee == Guarantee::Fractional {
                counted[1] += 1;
                assert!(held.fractional_shift_error.unwrap() <= 1e-10, "{}", held.name);
                assert!(held.integer_shift_error.unwrap() <= 1e-10, "{}", held.name);
                assert!(held.measured <= 1e-20 * slope, "{}: {}", held.name, held.measured);
            }
            // What promises nothing does break: the checks above can fail.
            if held.kind == Kind::Downsampling && held.guarantee == Guarantee::None {
                assert!(white.integer_shift_error.unwrap() > 0.1, "{}", white.name);
                assert!(white.fractional_shift_error.unwrap() > 0.1, "{}", white.name);
            }
        }
        assert!(counted[0] > 20 && counted[1] >= 10, "{counted:?}");
    }
}

#[test]
fn aps_is_plain_striding_at_its_phase_to_a_lie_derivative() {
    for seed in 0..6 {
        let input = bench(field(16, 32, seed), 2, Velocity::new(0.4, 0.9));
        let aps = Polyphase::aps(1, 2);
        let x = tensor(&input.field.clone().insert_axis(ndarray::Axis(0))).unwrap();
        let [row, column] = aps.origin(&x, Padding::Circular).unwrap();
        let at_phase = Phase::new(2, [row as usize, column as usize]);
        // It is the component of largest norm, by a plain sum.
        let energy = |r: usize, c: usize| input.field.slice(s![r..;2, c..;2]).iter().map(|v| v * v).sum::<f64>();
        for (r, c) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            assert!(energy(row as usize, column as usize) >= energy(r, c));
        }
        let designs: Vec<Box<dyn Design>> = vec![Box::new(aps), Box::new(at_phase)];
        let report = input.run(&designs, &mut |_, _| {}).unwrap();
        let [aps, plain] = &report.designs[..] else { panic!() };
        assert_eq!(aps.measured, plain.measured);
        assert_eq!(aps.generators, plain.generators);
        assert!(
            aps.measured > 1.0 && aps.integer_shift_error.unwrap() < 1e-12 && plain.integer_shift_error.unwrap() > 0.1
        );
    }
}

#[test]
fn aps_is_exact_where_all_components_have_the_same_norm() {
    // No two of these harmonics fold onto each other, so that every component has all of the energy.
    let waves = [(1, 0, 0.5, 0.1), (3, 2, 0.2, -0.3), (7, 5, 0.1, 0.2)];
    let field = Array2::from_shape_fn((16, 16), |(j, i)| {
        let turn = |x: i64, y: i64| std::f64::consts::TAU * (x as f64 * i as f64 + y as f64 * j as f64) / 16.0;
        0.3 + waves.iter().map(|&(x, y, re, im)| 2.0 * (re * turn(x, y).cos() - im * turn(x, y).sin())).sum::<f64>()
    });
    let energy = |r: usize, c: usize| field.slice(s![r..;2, c..;2]).iter().map(|v| v * v).sum::<f64>();
    for (r, c) in [(0, 1), (1, 0), (1, 1)] {
        assert!((energy(r, c) / energy(0, 0) - 1.0).abs() < 1e-14);
    }
    let x = tensor(&field.insert_axis(ndarray::Axis(0))).unwrap();
    let aps = Polyphase::aps(1, 2);
    let y = aps.forward(&x, Padding::Circular).unwrap();
    for (right, down) in [(1, 0), (0, 1), (1, 1), (3, 6), (5, 15)] {
        let moved = aps.forward(&x.roll([down, right], [2, 3]), Padding::Circular).unwrap();
        let least = (0..64).map(|k| relative(&moved, &y.roll([k / 8, k % 8], [2, 3]))).fold(f64::INFINITY, f64::min);
        assert!(least < 1e-14, "{right} {down}: {least}");
    }
}

#[test]
fn nonlinear_predictions_converge_to_what_is_measured() {
    let velocity = Velocity::new(0.7, 0.5);
    let field = field(5, 16, 2);
    let fields = field.clone().insert_axis(ndarray::Axis(0));
    for (name, activation) in [("relu", Activation::Relu), ("gelu", Activation::Gelu), ("tanh", Activation::Tanh)] {
        let measured = bench(field.clone(), 2, velocity).defect(make(name, 2).as_ref()).unwrap().measured;
        let error = |factor: usize| {
            let sigma = |fine: Array3<f64>| fine.mapv_into(|h| activation.value(h));
            let one = GridSize::square(1);
            let defect = oversampled_defect(fields.view(), factor, one, velocity, sigma).unwrap();
            (defect.forms[0].exact - measured).abs() / measured
        };
        let errors = [2, 8, 32].map(error);
        // A kink's harmonics fall as 1/k², so that truncation falls at least as 1/factor; smooth ones faster. Below 1e-9
        // there is only rounding left to converge to.
        assert!(errors[1] < 0.5 * errors[0] && (errors[2] < 0.5 * errors[1] || errors[2] < 1e-9), "{name}: {errors:?}");
        assert!(errors[2] < 0.02, "{name}: {errors:?}");
    }
    for name in ["max", "max:3", "max-blurpool:4", "filtered:relu:2x:ideal", "layernorm"] {
        let defect = bench(field.clone(), 2, velocity).defect(make(name, 2).as_ref()).unwrap();
        let prediction = defect.prediction.unwrap();
        let (oversampled, change) = prediction.truncation.unwrap();
        let off = (prediction.exact - defect.measured).abs() / defect.measured;
        // Samples within a fine step of a kink see the mean of two slopes: their share falls as 1/factor. Behind a filter
        // that takes most of the defect away and little of that, it weighs more.
        let most = if name == "max-blurpool:4" { 0.2 } else { 0.05 };
        assert!(oversampled >= 8 && off < most, "{name}: {off} {change} {oversampled}");
    }
    // More oversampling in the layer itself, less error.
    let factors = ["relu", "filtered:relu:2x:ideal", "filtered:relu:4x:ideal", "filtered:relu:8x:ideal"];
    let input = bench(field, 2, velocity);
    let measured = factors.map(|name| input.defect(make(name, 2).as_ref()).unwrap().measured);
    assert!(measured.windows(2).all(|pair| pair[1] < 0.5 * pair[0]), "{measured:?}");
}

#[test]
fn polynomials_between_ideal_filters_are_exact_while_their_band_fits() {
    // ↑f of band K < N/2 holds degree d where (d + 1)K < fN/…: the folded part stays out of the band for d + 1 ≤ 2f.
    for (poly, factor, exact) in
        [("poly:0,1,0.5", 2, true), ("poly:0,1,0.5,0.25", 2, true), ("poly:0,1,0.5,0.25,0.1", 2, false)]
    {
        let name = format!("filtered:{poly}:{factor}x:ideal");
        let report = bench(field(7, 16, 8), 2, Velocity::new(1.0, 0.3)).run(&[make(&name, 2)], &mut |_, _| {}).unwrap();
        let result = &report.designs[0];
        assert_eq!(
            result.fractional_shift_error.unwrap() < 1e-10,
            exact,
            "{name}: {:?}",
            result.fractional_shift_error
        );
        assert_eq!(result.guarantee == Guarantee::Fractional, exact, "{name}");
    }
}

#[test]
fn tangents_are_derivatives() {
    for name in all_names() {
        let design = make(name, 2);
        for padding in PADDINGS {
            let x = noise([2, 4, 24, 24], 1);
            let dx = noise([3 * 2, 4, 24, 24], 2).view([3, 2, 4, 24, 24]);
            let tangent = design.tangent(&x, &dx, padding).unwrap();
            for t in 0..3 {
                let one = dx.get(t);
                let (_, by_torch) = jvp(|x| Ok(vec![design.forward(x[0], padding)?]), &[&x], &[Some(&one)]).unwrap();
                let difference = relative(&tangent.get(t), &by_torch[0]);
                assert!(difference < 1e-11, "{name} {padding}: {difference}");
            }
            // And without any automatic differentiation. Steps over a kink are rare at this size, and count for little.
            let h = 1e-6;
            let step = dx.get(0) * h;
            let up = design.forward(&(&x + &step), padding).unwrap();
            let down = design.forward(&(&x - &step), padding).unwrap();
            let difference = relative(&((up - down) / (2.0 * h)), &tangent.get(0));
            assert!(difference < 2e-3, "{name} {padding}: {difference}");
        }
    }
}

#[test]
fn operators_of_the_executor_are_the_designs() {
    for name in ["blurpool:4", "ideal", "aps", "filtered:relu:2x", "afc", "upsample:fir", "max", "layernorm"] {
        let x = noise([3, 4, 16, 16], 3);
        let dx = noise([2 * 3, 4, 16, 16], 4);
        let reference = make(name, 2);
        let y = reference.forward(&x, Padding::Reflect).unwrap();
        let dy = reference.tangent(&x, &dx.view([2, 3, 4, 16, 16]), Padding::Reflect).unwrap();
        let op = operator(std::rc::Rc::from(make(name, 2)), Padding::Reflect);
        let stack = x.view([3, 1, 4, 16, 16]);
        let got = op.forward(&[&stack]).unwrap();
        assert_eq!(got[0].size()[..2], [3, 1]);
        assert!(relative(&got[0].squeeze_dim(1), &y) < 1e-14, "{name}");
        let stack_dx = dx.view([2, 3, 1, 4, 16, 16]);
        let got = match &op {
            Operator::Linear(op) => op.apply(&[&dx.view([6, 1, 4, 16, 16])]).unwrap(),
            Operator::Differentiable(op) => {
                op.tangent(&Point { x: &[&stack], y: &got, dx: &[Some(stack_dx)] }).unwrap()
            }
            other => panic!("{other:?}"),
        };
        assert!(relative(&got[0].reshape(dy.size()), &dy) < 1e-13, "{name}");
    }
}

#[test]
fn onnx_forms_compute_the_same() {
    let mut with_form = 0;
    for name in all_names() {
        for padding in PADDINGS {
            let design = make(name, 2);
            let shape = [1, 4, 18, 20];
            let site = OnnxSite {
                input: "x".to_owned(),
                output: "y".to_owned(),
                prefix: "layer".to_owned(),
                shape,
                padding,
                double: true,
            };
            let Ok(form) = design.onnx(&site) else { continue };
            with_form += 1;
            let graph = GraphProto {
                node: form.nodes,
                initializer: form.constants,
                input: vec![model::floats("x", &shape.map(|n| n as i64))],
                output: vec![model::floats("y", &[])],
                ..Default::default()
            };
            let options = LoadOptions { kind: Element::Double, ..Default::default() };
            let network = Network::from_file(&model::model(graph, 17), &options)
                .unwrap_or_else(|error| panic!("{name} {padding}: {error}"));
            let x = noise([1, 4, 18, 20], 9);
            let y = network.forward(&x.unsqueeze(0)).unwrap().squeeze_dim(0);
            let expected = apply(design.as_ref(), &x, padding).unwrap();
            assert_eq!(y.size(), expected.size(), "{name} {padding}");
            // Attributes of ONNX are of single precision: here, the slope of leaky_relu.
            let rounding = if name == "leaky_relu" { 1e-8 } else { 1e-13 };
            assert!(relative(&y, &expected) < rounding, "{name} {padding}: {}", relative(&y, &expected));
            // Where output samples lie, the loaded graph agrees, unless it cannot tell.
            if let (Resampling::Down { stride, first }, Some(grid), true) =
                (design.resampling(), network.output().layout.plane(), padding == Padding::Zero)
            {
                let input = network.input().layout.plane().unwrap();
                assert!((grid.rows.pitch / input.rows.pitch - stride as f64).abs() < 1e-12, "{name}");
                let at = (grid.rows.origin - input.rows.origin) / input.rows.pitch;
                // A window has its middle where symmetric taps have their centre of gravity; wavelets are not symmetric.
                if !name.starts_with("wavelet:db") && !name.starts_with("max-") {
                    assert!((at - first).abs() < 1e-9, "{name}: {at} {first}");
                }
            }
        }
    }
    // All but APS, LPS, DDAC, ADAA and the normalisations.
    assert!(with_form >= 3 * 42, "{with_form}");
}

#[test]
fn filters_are_plain_sums() {
    // Every separable filter by its definition: the sum over taps of padded samples, no convolution of a library.
    let at = |field: &Array2<f64>, j: i64, i: i64, padding: Padding| -> f64 {
        let (rows, columns) = (field.nrows() as i64, field.ncols() as i64);
        let inside = |i: i64, n: i64| match padding {
            Padding::Circular => Some(i.rem_euclid(n)),
            Padding::Reflect => Some((n - 1 - ((i.rem_euclid(2 * n - 2)) - (n - 1)).abs()) % n),
            Padding::Zero => (0..n).contains(&i).then_some(i),
        };
        match (inside(j, rows), inside(i, columns)) {
            (Some(j), Some(i)) => field[[j as usize, i as usize]],
            _ => 0.0,
        }
    };
    let binomial5 = vec![1.0 / 16.0, 0.25, 0.375, 0.25, 1.0 / 16.0];
    let cases: [(&str, Vec<f64>, i64); 7] = [
        ("blurpool:5", binomial5, 2),
        ("blurpool:4", vec![0.125, 0.375, 0.375, 0.125], 1),
        ("bspline", vec![1.0 / 6.0, 4.0 / 6.0, 1.0 / 6.0], 1),
        ("average", vec![0.5, 0.5], 0),
        ("bilinear", vec![0.125, 0.375, 0.375, 0.125], 1),
        ("bicubic", bicubic_taps(), 3),
        ("wavelet:bior3.3", [3.0, -9.0, -7.0, 45.0, 45.0, -7.0, -9.0, 3.0].map(|w| w / 64.0).to_vec(), 3),
    ];
    let input = field(7, 16, 1);
    let x = tensor(&input.clone().insert_axis(ndarray::Axis(0))).unwrap();
    for (name, taps, anchor) in cases {
        for padding in PADDINGS {
            let y = make(name, 2).forward(&x, padding).unwrap();
            for (j, i) in [(0, 0), (3, 5), (7, 7), (7, 0)] {
                let mut sum = 0.0;
                for (v, w) in taps.iter().enumerate() {
                    for (u, z) in taps.iter().enumerate() {
                        sum += w * z * at(&input, 2 * j + v as i64 - anchor, 2 * i + u as i64 - anchor, padding);
                    }
                }
                let got = y.double_value(&[0, 0, j, i]);
                assert!((got - sum).abs() < 1e-12, "{name} {padding} ({j}, {i}): {got} {sum}");
            }
        }
    }
}

/// Keys's cubic with a = −½ at ±¼, ±¾, ±5/4, ±7/4, over their sum 2: by hand.
fn bicubic_taps() -> Vec<f64> {
    let half = [111.0 / 128.0, 29.0 / 128.0, -9.0 / 128.0, -3.0 / 128.0];
    let taps: Vec<f64> = half.iter().rev().chain(&half).copied().collect();
    let sum: f64 = taps.iter().sum();
    taps.into_iter().map(|w| w / sum).collect()
}

#[test]
fn resizing_and_upsampling_are_the_librarys_inside() {
    let x = noise([1, 2, 24, 24], 6);
    let inner = |y: &Tensor, from: i64, count: i64| y.narrow(2, from, count).narrow(3, from, count).contiguous();
    let aa = x.internal_upsample_bilinear2d_aa([12, 12], false, None, None);
    let own = make("bilinear", 2).forward(&x, Padding::Reflect).unwrap();
    assert!(relative(&inner(&own, 2, 8), &inner(&aa, 2, 8)) < 1e-12);
    let aa = x.internal_upsample_bicubic2d_aa([12, 12], false, None, None);
    let own = make("bicubic", 2).forward(&x, Padding::Reflect).unwrap();
    assert!(relative(&inner(&own, 3, 6), &inner(&aa, 3, 6)) < 1e-12);
    for factor in [2, 3] {
        let side = 24 * factor;
        let library = x.upsample_bilinear2d([side, side], false, None, None);
        let own = make("upsample:bilinear", factor as usize).forward(&x, Padding::Reflect).unwrap();
        assert!(relative(&inner(&own, 6, side - 12), &inner(&library, 6, side - 12)) < 1e-12, "{factor}");
        let library = x.upsample_nearest2d([side, side], None, None);
        let own = make("upsample:nearest", factor as usize).forward(&x, Padding::Zero).unwrap();
        assert!(relative(&own, &library) == 0.0, "{factor}");
    }
    let library = x.max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false);
    assert!(relative(&make("max", 2).forward(&x, Padding::Zero).unwrap(), &library) == 0.0);
    let library = x.group_norm(2, None::<&Tensor>, None::<&Tensor>, 1e-5, false);
    assert!(relative(&make("groupnorm:2", 2).forward(&x, Padding::Zero).unwrap(), &library) < 1e-12);
}

#[test]
fn ideal_filters_are_their_transforms() {
    // By transform, and not by the matrices that the layer is made of.
    for (samples, stride) in [(24, 2), (24, 3), (18, 2)] {
        let input = field(samples as u64 / 2, samples, 2).insert_axis(ndarray::Axis(0));
        let x = tensor(&input).unwrap();
        for (name, nyquist) in
            [("ideal", Nyquist::Zeroed), ("ideal:kept", Nyquist::Kept), ("ideal:split", Nyquist::Split)]
        {
            let coarse = GridSize::square(samples / stride);
            let response = Filter::Ideal(nyquist).design(Some(GridSize::square(samples)), coarse).unwrap();
            let by_transform = response.apply(input.view()).unwrap();
            let kept = by_transform.slice(s![.., ..;stride, ..;stride]).to_owned();
            let y = make(name, stride).forward(&x, Padding::Circular).unwrap();
            assert!(relative(&y, &tensor(&kept).unwrap()) < 1e-12, "{name} {samples} {stride}");
        }
    }
    // Released FLC keeps the bins from −M/2 to M/2 − 1 and takes the real part: along one axis that is `ideal:split`.
    let (n, m) = (16_usize, 8_usize);
    let line: Vec<f64> = field(8, n, 3).row(0).to_vec();
    let by_hand: Vec<f64> = (0..m)
        .map(|i| {
            let bins = (-(m as i64) / 2..m as i64 / 2).map(|k| {
                let bin = line.iter().enumerate().map(|(j, v)| {
                    v * num_complex::Complex64::cis(-std::f64::consts::TAU * k as f64 * j as f64 / n as f64)
                });
                bin.sum::<num_complex::Complex64>()
                    * num_complex::Complex64::cis(std::f64::consts::TAU * k as f64 * i as f64 / m as f64)
            });
            bins.sum::<num_complex::Complex64>().re / n as f64
        })
        .collect();
    let rows = Array3::from_shape_fn((1, n, n), |(_, _, i)| line[i]);
    let y = make("ideal:split", 2).forward(&tensor(&rows).unwrap(), Padding::Circular).unwrap();
    for (i, value) in by_hand.iter().enumerate() {
        assert!((y.double_value(&[0, 0, 3, i as i64]) - value).abs() < 1e-13);
    }
    // Reflected: the same on the even extension.
    let input = field(8, 16, 5);
    let wide = Array3::from_shape_fn((1, 32, 32), |(_, j, i)| {
        input[[if j < 16 { j } else { 31 - j }, if i < 16 { i } else { 31 - i }]]
    });
    let x = tensor(&input.insert_axis(ndarray::Axis(0))).unwrap();
    for name in ["ideal", "asap", "afc", "filtered:relu:2x:ideal", "upsample:ideal"] {
        let design = make(name, 2);
        let reflected = design.forward(&x, Padding::Reflect).unwrap();
        let whole = design.forward(&tensor(&wide).unwrap(), Padding::Circular).unwrap();
        let side = reflected.size()[2];
        assert!(relative(&reflected, &whole.narrow(2, 0, side).narrow(3, 0, side)) < 1e-12, "{name}");
    }
}

#[test]
fn wavelets_have_their_defining_properties() {
    for wavelet in Wavelet::ALL {
        let taps = wavelet.low_pass();
        assert!((taps.iter().sum::<f64>() - 1.0).abs() < 1e-14, "{}", wavelet.name());
        let moments = match wavelet {
            Wavelet::Haar => 1,
            Wavelet::Daubechies(n) => n,
            // The analysis filter's zeros at half a cycle are those of its dual's moments.
            Wavelet::Bior33 => 3,
        };
        for power in 0..moments {
            let moment: f64 = taps
                .iter()
                .enumerate()
                .map(|(t, w)| if t % 2 == 0 { 1.0 } else { -1.0 } * w * (t as f64).powi(power as i32))
                .sum();
            assert!(moment.abs() < 1e-11, "{} {power}: {moment}", wavelet.name());
        }
        if wavelet != Wavelet::Bior33 {
            for shift in 0..taps.len() / 2 {
                let product: f64 = taps.iter().zip(&taps[2 * shift..]).map(|(a, b)| a * b).sum();
                let expected = if shift == 0 { 0.5 } else { 0.0 };
                assert!((product - expected).abs() < 1e-13, "{} {shift}: {product}", wavelet.name());
            }
        }
    }
}

#[test]
fn fits_find_polynomials_and_come_near_to_others() {
    let cubic = Activation::Polynomial(vec![0.3, -1.0, 0.25, 2.0]);
    for degree in [3, 6] {
        let found = fit(&cubic, degree, [-1.0, 4.0]);
        for (j, expected) in [0.3, -1.0, 0.25, 2.0, 0.0, 0.0, 0.0].into_iter().take(degree + 1).enumerate() {
            assert!((found[j] - expected).abs() < 1e-9, "{found:?}");
        }
    }
    let error = |degree: usize| {
        let poly = Activation::Polynomial(fit(&Activation::Relu, degree, [-3.0, 3.0]));
        (0..=600).map(|i| -3.0 + 0.01 * i as f64).map(|x| (poly.value(x) - x.max(0.0)).abs()).fold(0.0, f64::max)
    };
    let errors = [2, 4, 6].map(error);
    assert!(errors[0] > errors[1] && errors[1] > errors[2] && errors[2] < 0.15, "{errors:?}");
}

#[test]
fn what_a_design_cannot_take_is_refused_in_a_sentence() {
    let refused = |name: &str, stride: usize| {
        design(name, &Context { stride, ..Context::default() }).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(refused("blurpol:3", 2).contains("did you mean blurpool"), "{}", refused("blurpol:3", 2));
    assert!(refused("blurpool:8", 2).contains("1 to 7"));
    assert!(refused("stride:2", 2).contains("takes no arguments"));
    assert!(refused("wavelet:haar", 3).contains("--stride 2"));
    assert!(refused("wavelet:db9", 2).contains("db4"));
    assert!(refused("stride", 0).contains("1 to 64"));
    assert!(refused("filtered:relu:9x", 2).contains("filtered:relu:2x"));
    assert!(refused("adaa:mish", 2).contains("antiderivative"));
    assert!(refused("polyfit:relu", 2).contains("polyfit:relu:4"));
    let x = |rows: i64, columns: i64| Tensor::ones([1, 4, rows, columns], (Element::Double, Device::Cpu));
    let error = |name: &str, rows, columns, padding| {
        apply(make(name, 2).as_ref(), &x(rows, columns), padding)
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };
    let small = error("blurpool:7", 3, 8, Padding::Reflect);
    assert!(
        small.contains("blurpool:7") && small.contains("3 rows and 8 columns") && small.contains("4 × 4"),
        "{small}"
    );
    assert!(error("ideal", 7, 8, Padding::Circular).contains("7 rows"));
    assert!(error("aps", 7, 8, Padding::Zero).contains("7 rows"));
    assert!(error("stride", 7, 8, Padding::Circular).contains("7 rows"));
    assert!(error("groupnorm:3", 8, 8, Padding::Zero).contains("4 channels"));
    // Where padding goes without a period, an odd map is nothing to refuse.
    for name in ["stride", "blurpool:4", "max", "average", "kaiser"] {
        let y = apply(make(name, 2).as_ref(), &x(13, 15), Padding::Reflect).unwrap();
        assert_eq!(y.size(), [1, 4, 7, 8], "{name}");
    }
    let nan = Array2::from_elem((8, 8), f64::NAN);
    assert!(bench(nan, 2, Velocity::new(1.0, 0.0)).run(&[], &mut |_, _| {}).is_err());
    assert!(matches!(make("blurpool:3", 2).check([1, 1, 1], Padding::Reflect), Err(DesignError::TooSmall { .. })));
}
