//! Lie derivatives of tch functions: closed forms, ONNX networks of the same weights, finite motions, refusals.

use aliascope::figure::Format;
use aliascope::graph::{LoadOptions, Network};
use aliascope::measure::lee::{LeeMeter, LeeOptions, Output};
use aliascope::measure::lee_report::LeeReport;
use aliascope::measure::torus::translate;
use aliascope::measure::{LieTerm, measure_function};
use aliascope::spectrum::differentiation::Boundary;
use aliascope::{FunctionOptions, Outcome};
use prost::Message;
use tch::{Device, Kind, Tensor};

use crate::common::drawing::seeded;
use crate::common::model::{Value, attribute, doubles};
use crate::common::noise;
use crate::common::onnx::{ints, model, node};

const DOUBLE: (Kind, Device) = (Kind::Double, Device::Cpu);

fn double(name: &str, input: [i64; 3]) -> FunctionOptions {
    FunctionOptions { kind: Kind::Double, ..FunctionOptions::new(name, input) }
}

/// Noise of a shape.
fn tensor(shape: &[i64]) -> Tensor {
    let values = noise(shape.iter().product::<i64>() as u32);
    Tensor::from_slice(&values).to_kind(Kind::Double).view(shape)
}

fn names(count: i64) -> Vec<String> {
    (0..count).map(|i| format!("{i}")).collect()
}

fn identity(boundary: Boundary) -> LeeOptions {
    LeeOptions { boundary, output: Some(Output::Identity), keep_vectors: true, ..Default::default() }
}

fn relative(a: &Tensor, b: &Tensor) -> f64 {
    let norm = |t: &Tensor| t.norm().double_value(&[]);
    norm(&(a - b)) / norm(b).max(1e-300)
}

/// f(x) = M x: L = M A x.
#[test]
fn a_linear_map_has_the_lie_derivative_m_a_x() {
    let (x, m) = (tensor(&[2, 2, 6, 8]), tensor(&[2 * 6 * 8, 5]));
    let moved = m.shallow_clone();
    let f = move |x: &Tensor| x.flatten(1, -1).matmul(&moved);
    let mut meter = LeeMeter::of_function(f, &double("m", [2, 6, 8]), identity(Boundary::Reflect)).unwrap();
    let lie = meter.lie_derivatives(&x.unsqueeze(1)).unwrap();
    let tangents = meter.input_tangents(&x.unsqueeze(1)).unwrap();
    let wanted = tangents.flatten(3, -1).matmul(&m);
    assert_eq!(lie.size(), [7, 2, 1, 5]);
    // Sums of 96 products in double precision.
    assert!(relative(&lie, &wanted) < 1e-14);
}

/// A circular convolution commutes with translations of the torus, and not with rotations.
#[test]
fn a_circular_convolution_is_equivariant_to_translations_alone() {
    let (x, w) = (tensor(&[3, 2, 8, 8]), tensor(&[2, 2, 3, 3]));
    let f = move |x: &Tensor| {
        let wrapped = Tensor::cat(&[x.narrow(-1, 7, 1), x.shallow_clone(), x.narrow(-1, 0, 1)], -1);
        let wrapped = Tensor::cat(&[wrapped.narrow(-2, 7, 1), wrapped.shallow_clone(), wrapped.narrow(-2, 0, 1)], -2);
        wrapped.conv2d(&w, None::<&Tensor>, 1, 0, 1, 1)
    };
    let options = identity(Boundary::Periodic);
    let report = measure_function(f, &double("circular", [2, 8, 8]), &x, (&names(3), &[]), 2, options).unwrap();
    for (name, exact) in [("translate_x", true), ("translate_y", true), ("saturate", true), ("rotate", false)] {
        let lee = report.generators[name].lee;
        // Squares of rounding: the spectral derivative has entries of some tens.
        assert!(if exact { lee < 1e-24 } else { lee > 1e-2 }, "{name}: {lee}");
    }
    assert_eq!(report.run.output.as_ref().unwrap().action.to_string(), "image");
}

/// Scores of a strided convolution, a GELU and a mean, by ONNX and by tch.
fn both_ways(scale: f64) -> (Network, impl Fn(&Tensor) -> Tensor + Clone) {
    let (w, v) = (tensor(&[6, 2, 3, 3]) * 2.0 * scale, tensor(&[6, 4]) * 3.0);
    let numbers = |t: &Tensor| Vec::<f64>::try_from(t.reshape([-1])).unwrap();
    let constants = vec![doubles("w", &[6, 2, 3, 3], &numbers(&w)), doubles("v", &[6, 4], &numbers(&v))];
    let mut conv = node("Conv", &["x", "w"], "c");
    conv.attribute = vec![ints("strides", &[2, 2]), ints("pads", &[1, 1, 1, 1])];
    let mut flat = node("Flatten", &["pooled"], "flat");
    flat.attribute = vec![attribute("axis", Value::Int(1))];
    let nodes = vec![
        conv,
        node("Tanh", &["c"], "s"),
        node("GlobalAveragePool", &["s"], "pooled"),
        flat,
        node("MatMul", &["flat", "v"], "y"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, model(&[Some(1), Some(2), Some(10), Some(12)], nodes, constants).encode_to_vec()).unwrap();
    let network = Network::load(&path, &LoadOptions { kind: Kind::Double, ..Default::default() }).unwrap();
    let (w, v) = (std::rc::Rc::new(w), std::rc::Rc::new(v));
    let f = move |x: &Tensor| {
        let maps = x.conv2d(&w, None::<&Tensor>, 2, 1, 1, 1).tanh();
        maps.mean_dim([2, 3].as_slice(), false, None::<Kind>).matmul(&v)
    };
    (network, f)
}

fn of_network(network: &Network, x: &Tensor) -> LeeReport {
    let mut meter = LeeMeter::new(network, LeeOptions::default()).unwrap();
    meter.measure(&x.unsqueeze(1), &names(x.size()[0])).unwrap();
    let timing = meter.timing(&x.unsqueeze(1), 0).unwrap();
    meter.report(Default::default(), &[], timing).unwrap()
}

#[test]
fn a_function_and_an_onnx_network_of_the_same_weights_agree() {
    let (network, f) = both_ways(1.0);
    let x = tensor(&[3, 2, 10, 12]);
    let classes = [Some(0), Some(1), None];
    let names = names(3);
    let options = LeeOptions::default();
    let report = measure_function(f, &double("scores", [2, 10, 12]), &x, (&names, &classes), 2, options).unwrap();
    let wanted = of_network(&network, &x);
    for (name, lee) in &wanted.generators {
        let found = &report.generators[name];
        let pairs = [
            (found.lee, lee.lee),
            (found.mean_abs, lee.mean_abs),
            (found.relative.unwrap(), lee.relative.unwrap()),
            (found.fisher.as_ref().unwrap().mean.value, lee.fisher.as_ref().unwrap().mean.value),
            (found.margin_rate.unwrap().median.value, lee.margin_rate.unwrap().median.value),
        ];
        for (a, b) in pairs {
            // Double precision, some hundred additions in another order.
            assert!((a - b).abs() <= 1e-11 * b.abs(), "{name}: {a} {b}");
        }
    }
    assert_eq!(report.predicted, wanted.predicted);
    assert_eq!(report.accuracy.as_ref().unwrap().images, 2);
    assert!(report.horizon.is_some());
    // Table, JSON, rows and figure are those of any report.
    assert!(report.text(80).unwrap().contains("rotate"));
    let back: LeeReport = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
    assert_eq!(back, report);
    let beside = Default::default();
    let figures = report.figures(&beside);
    assert!(figures[0].render(Format::Svg).unwrap().len() > 1000);
}

/// The translation by its Fourier series, a finite way both ways.
#[test]
fn it_is_the_limit_of_finite_shifts() {
    let (_, f) = both_ways(1.0);
    let x = tensor(&[2, 2, 10, 12]);
    let finite = {
        let pixels = 1e-3;
        let moved = |by: f64| f(&translate(&x, [-by, 0.0]).unwrap());
        (moved(pixels) - moved(-pixels)) / (2.0 * pixels * 2.0 / 12.0)
    };
    let mut meter = LeeMeter::of_function(f, &double("scores", [2, 10, 12]), identity(Boundary::Periodic)).unwrap();
    let lie = meter.lie_derivatives(&x.unsqueeze(1)).unwrap().select(0, 0).squeeze_dim(1);
    // Central differences of 10⁻³ pixels of waves of two pixels and more: (π·10⁻³)²/6, and third derivatives of tanh.
    assert!(relative(&lie, &finite) < 2e-5, "{}", relative(&lie, &finite));
}

#[test]
fn the_term_of_a_loss_is_the_lee_and_its_gradient_exact() {
    let x = tensor(&[2, 1, 6, 6]);
    let weights = (tensor(&[36, 3]) * 0.5).set_requires_grad(true);
    let f = |x: &Tensor, w: &Tensor| x.flatten(1, -1).matmul(w).tanh();
    let term = LieTerm::new("rotate".parse().unwrap(), [6, 6], DOUBLE).unwrap();
    let lee = |w: &Tensor| term.of(|x| f(x, w), &x).unwrap().1.square().mean(None::<Kind>);
    let loss = lee(&weights);
    let (held, double) = (weights.detach(), double("f", [1, 6, 6]));
    let options = identity(Boundary::Reflect);
    let report = measure_function(move |x| f(x, &held), &double, &x, (&names(2), &[]), 2, options).unwrap();
    assert!((loss.double_value(&[]) / report.generators["rotate"].lee - 1.0).abs() < 1e-12);
    let gradient = Tensor::run_backward(&[&loss], &[&weights], false, false).pop().unwrap();
    let step = 1e-5;
    for at in [[0, 0], [17, 1], [35, 2]] {
        let moved = |by: f64| {
            let w = weights.detach().copy();
            let _ = w.get(at[0]).get(at[1]).g_add_scalar_(by);
            lee(&w).double_value(&[])
        };
        let finite = (moved(step) - moved(-step)) / (2.0 * step);
        let exact = gradient.double_value(&at);
        // Differences err by step² of third derivatives and by rounding over the step.
        assert!((exact - finite).abs() < 1e-7 * exact.abs().max(1.0), "{at:?}: {exact} {finite}");
    }
}

#[test]
fn what_cannot_be_measured_is_refused_in_a_sentence() {
    let refused = |f: fn(&Tensor) -> Tensor| {
        Network::of_function(f, &FunctionOptions::new("net", [1, 6, 6])).unwrap_err().to_string()
    };
    let batch = refused(|x| (x - x.mean_dim([0].as_slice(), true, None::<Kind>)).flatten(1, -1));
    assert!(batch.contains("other images of the batch"), "{batch}");
    let _turn = seeded(0);
    let chance = refused(|x| x.dropout(0.5, true).flatten(1, -1));
    assert!(chance.contains("dropout"), "{chance}");
    let still = refused(|x| x.detach().flatten(1, -1).square());
    assert!(still.contains("no derivative"), "{still}");
    let rows = refused(|x| x.flatten(0, -1));
    assert!(rows.contains("one row per image"), "{rows}");
    let sizes = refused(|x| x.matmul(&Tensor::ones([7, 2], (Kind::Float, Device::Cpu))));
    assert!(sizes.contains("net: the function:") && !sizes.contains('\n'), "{sizes}");
    // An image whose samples' places nobody knows.
    let options = FunctionOptions::new("net", [1, 6, 6]);
    let half = LeeMeter::of_function(
        |x| x.avg_pool2d([2, 2], [2, 2], [0, 0], false, true, None),
        &options,
        LeeOptions::default(),
    );
    assert!(half.err().unwrap().to_string().contains("positions of its samples"));
}
