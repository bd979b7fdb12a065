//! Measures of `lee` that do not depend on an accident, on a small smooth classifier in double precision: Fisher LEE against
//! divergences of finite motions, scaled logits, and the horizon against finite shifts.

use aliascope::graph::{LoadOptions, Network};
use aliascope::measure::lee::{LeeMeter, LeeOptions};
use aliascope::measure::lee_report::{LeeReport, Logits, Timing};
use aliascope::measure::run::Run;
use aliascope::measure::torus::translate;
use aliascope::spectrum::differentiation::Boundary;
use prost::Message;
use tch::{Kind, Tensor};

use crate::common::model::{Value, attribute, doubles};
use crate::common::noise;
use crate::common::onnx::{ints, model, node};

const ROWS: i64 = 12;
const COLUMNS: i64 = 16;

/// Five class scores times `scale`, of a strided convolution, a sigmoid and a mean over the plane.
fn classifier(scale: f64, softmax: bool) -> Network {
    ending(scale, softmax.then_some(&["Identity"]))
}

/// The same with a softmax and operators that change shapes alone at its end, where there are any.
fn ending(scale: f64, behind_softmax: Option<&[&str]>) -> Network {
    let softmax = behind_softmax.is_some();
    let weights = |name: &str, shape: &[i64]| {
        let values: Vec<f64> =
            noise(shape.iter().product::<i64>() as u32).into_iter().map(|v| 2.0 * f64::from(v)).collect();
        doubles(name, shape, &values)
    };
    let mut conv = node("Conv", &["x", "w"], "c");
    conv.attribute = vec![ints("strides", &[2, 2]), ints("pads", &[1, 1, 1, 1])];
    let mut flat = node("Flatten", &["pooled"], "flat");
    flat.attribute = vec![attribute("axis", Value::Int(1))];
    let mut nodes = vec![
        conv,
        node("Sigmoid", &["c"], "s"),
        node("GlobalAveragePool", &["s"], "pooled"),
        flat,
        node("MatMul", &["flat", "v"], "scores"),
        node("Mul", &["scores", "scale"], if softmax { "scaled" } else { "y" }),
    ];
    if softmax {
        nodes.push(node("Softmax", &["scaled"], "p0"));
    }
    // Identity as Paddle's exporter ends a classifier.
    let behind = behind_softmax.unwrap_or_default();
    for (at, op) in behind.iter().enumerate() {
        let (from, to) =
            (format!("p{at}"), if at + 1 == behind.len() { "y".to_owned() } else { format!("p{}", at + 1) });
        let constant = match *op {
            "Unsqueeze" => Some("last"),
            "Reshape" => Some("flattened"),
            _ => None,
        };
        let inputs: Vec<&str> = std::iter::once(from.as_str()).chain(constant).collect();
        nodes.push(node(op, &inputs, &to));
    }
    let integers = |name: &str, values: &[i64]| crate::common::model::ints(name, &[values.len() as i64], values);
    let constants = vec![
        weights("w", &[8, 2, 3, 3]),
        weights("v", &[8, 5]),
        doubles("scale", &[1], &[3.0 * scale]),
        integers("last", &[2]),
        integers("flattened", &[1, -1]),
    ];
    let model = model(&[Some(1), Some(2), Some(ROWS), Some(COLUMNS)], nodes, constants);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, model.encode_to_vec()).unwrap();
    Network::load(&path, &LoadOptions { kind: Kind::Double, ..Default::default() }).unwrap()
}

/// Image number `number`: noise, another one each.
fn image(number: i64) -> Tensor {
    let values = noise((8 * 2 * ROWS * COLUMNS) as u32);
    let all = Tensor::from_slice(&values).to_kind(Kind::Double).view([8, 1, 2, ROWS, COLUMNS]);
    all.narrow(0, number, 1)
}

fn report(network: &Network, images: i64) -> LeeReport {
    let options = LeeOptions { boundary: Boundary::Periodic, ..Default::default() };
    let mut meter = LeeMeter::new(network, options).unwrap();
    let all: Vec<Tensor> = (0..images).map(image).collect();
    for (number, x) in all.iter().enumerate() {
        meter.measure(x, &[format!("{number}")]).unwrap();
    }
    meter.measure_horizon(&all).unwrap();
    let timing = Timing { forward_ms: None, forward_batch8_ms: None, sweep_ms: 0.0 };
    meter.report(Run::default(), &[], timing).unwrap()
}

/// The output of an image whose content moves by so many pixels to the left.
fn moved(network: &Network, x: &Tensor, pixels: f64) -> Tensor {
    network.forward(&translate(x, [-pixels, 0.0]).unwrap()).unwrap().reshape([-1])
}

fn numbers(t: &Tensor) -> Vec<f64> {
    Vec::try_from(&t.reshape([-1])).unwrap()
}

/// KL(p ‖ p_t) = ½t² LᵀFL + O(t³) for finite shifts of the image; the mean of both signs of t errs by t⁴.
#[test]
fn fisher_lee_predicts_the_divergence_of_a_shift() {
    let network = classifier(1.0, false);
    let report = report(&network, 3);
    assert_eq!(report.margins.as_ref().unwrap().logits, Logits::Output);
    let lee = &report.generators["translate_x"];
    for (number, fisher) in lee.by_image.fisher.as_ref().unwrap().iter().enumerate() {
        let x = image(number as i64);
        let p = moved(&network, &x, 0.0).log_softmax(-1, None::<Kind>);
        let divergence = |pixels: f64| {
            let q = moved(&network, &x, pixels).log_softmax(-1, None::<Kind>);
            numbers(&(p.exp() * (&p - q)).sum(None::<Kind>))[0]
        };
        let pixels = 1e-3;
        let t = pixels * 2.0 / COLUMNS as f64;
        let predicted = (divergence(pixels) + divergence(-pixels)) / (t * t);
        // t is 10⁻³ pixels of waves of two and more: (π·10⁻³)² = 10⁻⁵, times the factors of fourth derivatives.
        assert!((predicted / fisher - 1.0).abs() < 1e-3, "{number}: {predicted} {fisher}");
    }
}

#[test]
fn a_softmax_at_the_end_of_the_network_gives_the_same_as_one_behind_it() {
    let (behind, inside) = (report(&classifier(1.0, false), 3), report(&classifier(1.0, true), 3));
    assert_eq!(inside.margins.as_ref().unwrap().logits, Logits::LogProbabilities);
    for name in ["translate_x", "rotate", "saturate"] {
        let [a, b] = [&behind, &inside].map(|report| &report.generators[name]);
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9 * a.abs().max(1e-9), "{name}: {a} {b}");
        close(a.lee, b.lee);
        close(a.fisher.as_ref().unwrap().mean.value, b.fisher.as_ref().unwrap().mean.value);
        close(a.margin_rate.unwrap().median.value, b.margin_rate.unwrap().median.value);
    }
}

/// A second softmax behind the first would be a wrong number that nothing shows.
#[test]
fn shapes_that_change_behind_a_softmax_do_not_hide_it() {
    let plain = report(&classifier(1.0, true), 2);
    for behind in [&["Unsqueeze", "Flatten"][..], &["Reshape", "Identity"], &["Unsqueeze", "Reshape"]] {
        let network = ending(1.0, Some(behind));
        assert!(network.ends_in_softmax(), "{behind:?}");
        let found = report(&network, 2);
        assert_eq!(found.margins.as_ref().unwrap().logits, Logits::LogProbabilities, "{behind:?}");
        for (name, lee) in &plain.generators {
            assert_eq!(found.generators[name].lee, lee.lee, "{behind:?} {name}");
        }
    }
}

/// No class changes, and softmax LEE does by orders of magnitude, the margin's relative rate not at all.
#[test]
fn scaled_logits_move_softmax_lee_and_not_the_rate_of_the_margin() {
    let [half, two] = [0.5, 2.0].map(|scale| report(&classifier(scale, false), 3));
    assert_eq!(half.predicted, two.predicted);
    let [a, b] = [&half, &two].map(|report| &report.generators["translate_x"]);
    let ratio = b.lee / a.lee;
    assert!(!(0.5..=2.0).contains(&ratio), "{ratio}");
    for (a, b) in a.by_image.margin_rate.as_ref().unwrap().iter().zip(b.by_image.margin_rate.as_ref().unwrap()) {
        assert!((a.unwrap() - b.unwrap()).abs() < 1e-10 * a.unwrap().abs().max(1e-6), "{a:?} {b:?}");
    }
    let margins = |report: &LeeReport| report.margins.as_ref().unwrap().by_image[0].unwrap();
    assert!((margins(&two) / margins(&half) - 4.0).abs() < 1e-10);
}

/// Actual over linear change of a function that is moved back, where `change` gives the former's root mean square.
fn ratio(report: &LeeReport, number: usize, pixels: f64, change: &Tensor) -> f64 {
    let change = numbers(&change.square().mean(None::<Kind>))[0].sqrt();
    let linear = report.generators["translate_x"].by_image.lee[number].sqrt();
    change / (pixels * 2.0 / COLUMNS as f64 * linear)
}

/// What the report says of every shift, and that it goes to 1.
fn check_horizon(report: &LeeReport, number: usize, change: impl Fn(f64) -> Tensor) {
    let horizon = report.horizon.as_ref().unwrap();
    for (pixels, stated) in horizon.shifts.iter().zip(&horizon.by_image[number]) {
        let wanted = ratio(report, number, *pixels, &change(*pixels));
        assert!((stated.unwrap() / wanted - 1.0).abs() < 1e-9, "{pixels}: {stated:?} {wanted}");
    }
    // White noise changes by several times itself within a pixel: 10⁻⁴ of one leaves less than a hundredth.
    let least = ratio(report, number, 1e-4, &change(1e-4));
    assert!((least - 1.0).abs() < 1e-2, "{least}");
}

#[test]
fn the_horizon_is_actual_over_linear_change() {
    let network = classifier(1.0, false);
    let report = report(&network, 2);
    let horizon = report.horizon.as_ref().unwrap();
    assert_eq!((horizon.generator.as_str(), horizon.images, horizon.forward_passes), ("translate_x", 2, 14));
    for number in 0..2 {
        let x = image(number);
        let softmax = |pixels: f64| moved(&network, &x, pixels).softmax(-1, None::<Kind>);
        check_horizon(&report, number as usize, |pixels| softmax(pixels) - softmax(0.0));
    }
}

/// An output that is an image is moved back: the finite change is then the error's, not the picture's.
#[test]
fn the_horizon_of_an_image_is_of_the_image_moved_back() {
    let mut conv = node("Conv", &["x", "w"], "c");
    conv.attribute = vec![ints("strides", &[2, 2]), ints("pads", &[1, 1, 1, 1])];
    let weights: Vec<f64> = noise(3 * 2 * 9).into_iter().map(f64::from).collect();
    let nodes = vec![conv, node("Sigmoid", &["c"], "y")];
    let constants = vec![doubles("w", &[3, 2, 3, 3], &weights)];
    let model = model(&[Some(1), Some(2), Some(ROWS), Some(COLUMNS)], nodes, constants);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, model.encode_to_vec()).unwrap();
    let network = Network::load(&path, &LoadOptions { kind: Kind::Double, ..Default::default() }).unwrap();
    let report = report(&network, 1);
    let y = |pixels: f64| network.forward(&translate(&image(0), [-pixels, 0.0]).unwrap()).unwrap();
    // A pixel of the input is half a sample of the output.
    check_horizon(&report, 0, |pixels| translate(&y(pixels), [pixels / 2.0, 0.0]).unwrap() - y(0.0));
    let lee = &report.generators["translate_x"];
    assert!(lee.fisher.is_none() && report.margins.is_none() && lee.margin_rate.is_none());
}
