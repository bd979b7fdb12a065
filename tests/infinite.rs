//! Infinity in constants: what masks, bounds and padding mean by it, and where it is refused; and tangents that are not
//! taken do not come through.

use std::path::PathBuf;

use aliascope::graph::onnx::OnnxFile;
use aliascope::graph::onnx::proto::*;
use aliascope::graph::{GraphError, LoadOptions, Network};
use aliascope::measure::layers::per_layer::LayerShifts;
use aliascope::measure::layers::{Grouping, LayerMeter, LayersOptions, SplitBy, probes};
use aliascope::measure::layers_report::LayerResults;
use aliascope::measure::lee::Output;
use tch::{Device, Kind, Tensor};

use crate::common::drawing::seeded;
use crate::common::model::{Value, attribute, doubles, ints};
use crate::common::onnx::{model, node};

const SHAPE: [Option<i64>; 4] = [Some(1), Some(2), Some(6), Some(6)];
const INFINITY: f64 = f64::INFINITY;

fn load(nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> Result<Network, GraphError> {
    let file = OnnxFile { path: PathBuf::from("test.onnx"), model: model(&SHAPE, nodes, constants) };
    Network::from_file(&file, &LoadOptions { kind: Kind::Double, ..Default::default() })
}

fn with(mut node: NodeProto, attributes: Vec<AttributeProto>) -> NodeProto {
    node.attribute = attributes;
    node
}

/// Values and tangents that are in no order.
fn point() -> (Tensor, Tensor) {
    let line = Tensor::arange(72, (Kind::Double, Device::Cpu));
    let x = (&line * 37.0).remainder(101.0) / 40.0 - 1.2;
    let dx = (&line * 53.0).remainder(89.0) / 30.0 - 1.4;
    (x.view([1, 1, 2, 6, 6]), dx.view([1, 1, 1, 2, 6, 6]))
}

fn swept(nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> (Tensor, Tensor) {
    let (x, dx) = point();
    let sweep = load(nodes, constants).unwrap().sweep(&x, &dx).unwrap();
    (sweep.value, sweep.tangent)
}

fn pool(pads: Option<&[i64]>, input: &str) -> NodeProto {
    let mut attributes = vec![attribute("kernel_shape", Value::Ints(vec![3, 3]))];
    attributes.push(attribute("strides", Value::Ints(vec![2, 2])));
    attributes.extend(pads.map(|pads| attribute("pads", Value::Ints(pads.to_vec()))));
    with(node("MaxPool", &[input], "y"), attributes)
}

#[test]
fn a_maximum_takes_over_the_padding_in_front_of_it() {
    let pads = ints("pads", &[8], &[0, 0, 1, 0, 0, 0, 1, 2]);
    let low = doubles("low", &[], &[-INFINITY]);
    let apart = vec![node("Pad", &["x", "pads", "low"], "p"), pool(Some(&[0, 1, 0, 0]), "p")];
    let together = vec![pool(Some(&[1, 1, 1, 2]), "x")];
    let network = load(apart.clone(), vec![pads.clone(), low.clone()]).unwrap();
    let plain = load(together.clone(), vec![]).unwrap();
    assert_eq!(network.steps().len(), 1);
    // The same layout too, and so the same errors.
    assert_eq!(format!("{:?}", network.output().layout), format!("{:?}", plain.output().layout));
    assert_eq!(swept(apart, vec![pads.clone(), low.clone()]), swept(together, vec![]));
    // Read by another node it stays.
    let small = vec![attribute("kernel_shape", Value::Ints(vec![1, 1]))];
    let mut pooled = with(node("MaxPool", &["p"], "m"), small);
    pooled.name = None;
    let seen = vec![node("Pad", &["x", "pads", "low"], "p"), pooled, node("Max", &["m", "p"], "y")];
    assert_eq!(load(seen, vec![pads, low]).unwrap().steps().len(), 3);
}

#[test]
fn infinite_bounds_bound_nothing() {
    let bounds = vec![doubles("low", &[], &[-INFINITY]), doubles("high", &[], &[0.5])];
    let (y, dy) = swept(vec![node("Clip", &["x", "low", "high"], "y")], bounds);
    let (x, dx) = point();
    assert!(y == x.clamp_max(0.5));
    let nothing = Tensor::zeros([1], (Kind::Double, Device::Cpu));
    assert!(dy == dx.where_self(&x.le(0.5), &nothing));
}

/// The mask of a causal attention, −∞ above the diagonal, and row 2 shut altogether where `shut`.
fn mask(shut: bool) -> TensorProto {
    let entry = |i: i64, j: i64| if j > i || (shut && i == 2) { -INFINITY } else { 0.0 };
    doubles("mask", &[6, 6], &(0..36).map(|k| entry(k / 6, k % 6)).collect::<Vec<_>>())
}

#[test]
fn safe_softmax_has_finite_tangents() {
    // As exporters write it: a row without an entry is NaN, and replaced by zeros.
    let nodes = || {
        vec![
            node("Add", &["x", "mask"], "s"),
            node("Softmax", &["s"], "p"),
            node("IsNaN", &["p"], "bad"),
            node("Where", &["bad", "zero", "p"], "y"),
        ]
    };
    let (y, dy) = swept(nodes(), vec![mask(true), doubles("zero", &[], &[0.0])]);
    assert!(bool::try_from(y.isfinite().all()).unwrap() && bool::try_from(dy.isfinite().all()).unwrap());
    assert_eq!((y.select(3, 2).abs().sum(Kind::Double)).double_value(&[]), 0.0);
    assert_eq!((dy.select(4, 2).abs().sum(Kind::Double)).double_value(&[]), 0.0);
    // The derivative of each row over the entries that are left.
    let (x, dx) = point();
    for i in [0i64, 1, 3, 5] {
        let (row, moved) = (x.select(3, i).narrow(3, 0, i + 1), dx.select(4, i).narrow(4, 0, i + 1));
        let p = row.softmax(-1, Kind::Double);
        let mean = (&moved * &p).sum_dim_intlist([-1i64].as_slice(), true, Kind::Double);
        let wanted = (moved - mean) * &p;
        assert!(dy.select(4, i).narrow(4, 0, i + 1).allclose(&wanted, 1e-12, 1e-14, false), "row {i}");
    }
}

#[test]
fn what_is_not_taken_does_not_come_through() {
    // √(x·0) has the tangent 0/0 everywhere, and each of these takes something else.
    let root = || vec![node("Mul", &["x", "zero"], "n"), node("Sqrt", &["n"], "r")];
    let constants = || vec![doubles("zero", &[], &[0.0]), doubles("high", &[], &[1.0]), doubles("never", &[], &[0.0])];
    for last in [
        node("Max", &["r", "high"], "y"),
        node("Max", &["high", "r"], "y"),
        node("Clip", &["r", "high"], "y"),
        with(node("ThresholdedRelu", &["r"], "y"), vec![attribute("alpha", Value::Float(1.0))]),
    ] {
        let name = last.op_type.clone().unwrap();
        let (y, dy) = swept([root(), vec![last]].concat(), constants());
        assert!(bool::try_from(y.isfinite().all()).unwrap(), "{name}");
        assert_eq!(dy.abs().max().double_value(&[]), 0.0, "{name}");
    }
    // The extremum of a row that has such an entry.
    let joined = vec![node("Sub", &["r", "high"], "low"), with(node("Concat", &["low", "x"], "j"), vec![axis(1)])];
    let reduced = with(node("ReduceMax", &["j"], "y"), vec![attribute("axes", Value::Ints(vec![1]))]);
    let (_, dy) = swept([root(), joined, vec![reduced]].concat(), constants());
    assert!(bool::try_from(dy.isfinite().any()).unwrap());
}

fn axis(axis: i64) -> AttributeProto {
    attribute("axis", Value::Int(axis))
}

#[test]
fn infinite_weights_and_nan_are_refused() {
    let refused = |operator: &str, value: f64| {
        let message = load(vec![node(operator, &["x", "w"], "y")], vec![doubles("w", &[1], &[value])]);
        let error = message.unwrap_err();
        assert!(matches!(error, GraphError::NotFinite(_)), "{error}");
        error.to_string()
    };
    let weight = doubles("w", &[2, 2, 1, 1], &[1.0, INFINITY, 0.0, 1.0]);
    let message = load(vec![node("Conv", &["x", "w"], "y")], vec![weight]).unwrap_err().to_string();
    assert!(message.contains("'w'") && message.contains("(Conv)") && message.contains("holds infinity"), "{message}");
    assert!(refused("Mul", -INFINITY).contains("holds infinity"));
    assert!(refused("Add", f64::NAN).contains("holds NaN"));
    // Made of constants: ln 0, and then 0·∞.
    let logarithm = vec![node("Log", &["w"], "l"), node("Mul", &["x", "l"], "y")];
    let message = load(logarithm, vec![doubles("w", &[1], &[0.0])]).unwrap_err().to_string();
    assert!(message.contains("'l'") && message.contains("holds infinity"), "{message}");
    let product = vec![node("Log", &["w"], "l"), node("Mul", &["w", "l"], "m"), node("Add", &["x", "m"], "y")];
    let message = load(product, vec![doubles("w", &[1], &[0.0])]).unwrap_err().to_string();
    assert!(message.contains("'m'") && message.contains("holds NaN"), "{message}");
}

/// `layers` under a generator, of a network whose output is taken as it is.
fn attributed(network: &Network, x: &Tensor, generator: &str) -> LayerResults {
    let options = LayersOptions {
        grouping: Grouping::Node,
        output: Some(Output::Identity),
        ..LayersOptions::new(generator.parse().unwrap())
    };
    let mut meter = LayerMeter::new(network, options).unwrap();
    let names: Vec<String> = (0..x.size()[0]).map(|i| i.to_string()).collect();
    meter.measure(x, &names, &mut |_, _| {}).unwrap();
    meter.results()
}

#[test]
fn layers_add_up_around_values_that_are_not_finite() {
    // A safe softmax along the rows of maps: its scores have places, and −∞ has no derivative among them.
    let scored = || vec![node("Add", &["x", "mask"], "s"), node("Softmax", &["s"], "p"), node("IsNaN", &["p"], "bad")];
    let safe = || [scored(), vec![node("Where", &["bad", "zero", "p"], "w")]].concat();
    let squared = node("Mul", &["w", "w"], "y");
    let constants = |shut| vec![mask(shut), doubles("zero", &[], &[0.0])];
    let (x, _) = point();
    for shut in [false, true] {
        let network = load([safe(), vec![squared.clone()]].concat(), constants(shut)).unwrap();
        for generator in ["translate_x", "rotate", "saturate"] {
            let results = attributed(&network, &x, generator);
            assert!(results.conservation_residual < 1e-10, "{generator}: {}", results.conservation_residual);
            assert!(results.lee > 0.0 && results.layers.iter().all(|layer| layer.contribution.is_finite()));
            assert!(results.layers.iter().all(|layer| layer.local_error.is_finite()), "{generator}");
            let shares: f64 = results.layers.iter().filter_map(|layer| layer.signed_share).sum();
            assert!((shares - 1.0).abs() < 1e-9, "{generator}: {shares}");
        }
    }
}

#[test]
fn probes_and_shifts_of_layers_say_what_they_make_of_infinite_values() {
    // A row of scores that are all masked is NaN, and replaced by zeros: reverse mode has NaN for its gradient.
    let safe = vec![
        node("Add", &["x", "mask"], "s"),
        node("Softmax", &["s"], "p"),
        node("IsNaN", &["p"], "bad"),
        node("Where", &["bad", "zero", "p"], "w"),
        node("Mul", &["w", "w"], "y"),
    ];
    let network = load(safe, vec![mask(true), doubles("zero", &[], &[0.0])]).unwrap();
    let (x, _) = point();

    let generator = "rotate".parse().unwrap();
    let options = LayersOptions {
        grouping: Grouping::Node,
        output: Some(Output::Identity),
        split: SplitBy::Nothing,
        ..LayersOptions::new(generator)
    };
    let mut meters = [LayerMeter::new(&network, options).unwrap()];
    let _turn = seeded(0);
    let refused = probes::measure(&mut meters, &x, "noise", 2, &mut |_, _| {});
    let message = refused.map_err(|error| error.to_string()).unwrap_err();
    for word in ["a gradient of a probe", "'noise'", "scores behind a mask", "--estimator exact"] {
        assert!(message.contains(word), "{word} is not in: {message}");
    }

    let mut shifts = LayerShifts::new(&network, 2, 0).unwrap();
    shifts.measure(&x, "noise").unwrap();
    let results = shifts.results();
    let softmax = results.layers.iter().find(|layer| layer.op.contains("Softmax")).unwrap();
    assert_eq!(softmax.missing.as_deref(), Some("what it reads or gives is not finite everywhere"));
    // What the attribution itself says of it stays.
    assert!(softmax.measures["lee"].as_ref().is_some_and(|lee| lee.mean.is_finite()), "{softmax:?}");
    assert!(softmax.measures["eq_t_by_n"].is_none(), "{softmax:?}");
}
