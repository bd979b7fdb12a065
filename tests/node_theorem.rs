//! The aliasing theorem holds on the nodes of real networks: prediction from Fourier coefficients beside measurement.

use std::path::Path;

use aliascope::graph::onnx::proto::{NodeProto, TensorProto};
use aliascope::graph::{LoadOptions, Network};
use aliascope::input::{METADATA_KEY, Preprocessing, read_photo};
use aliascope::measure::node_theorem::{NodeTheoremOptions, node_theorems};
use aliascope::measure::node_theorem_report::NodeTheorems;
use aliascope::spectrum::Velocity;
use prost::Message;
use tch::{Kind, Tensor};

use crate::common::asset;
use crate::common::onnx::{ints, model, node, text};

fn photo(network: &Network, name: &str) -> Tensor {
    let preprocessing = match network.metadata(METADATA_KEY) {
        Some(json) => Preprocessing::from_metadata(json).unwrap(),
        None => Preprocessing::half(),
    };
    let shape = &network.input().shape;
    let size = [shape[1] as usize, shape[2] as usize, shape[3] as usize];
    let image = read_photo(&asset(&format!("photos/{name}")), &preprocessing, size).unwrap();
    let values: Vec<f64> = image.data.iter().copied().collect();
    let x = Tensor::from_slice(&values).view([1, 1, shape[1], shape[2], shape[3]]);
    network.place(&x).unwrap()
}

fn check(network: &Network, x: &Tensor, pattern: Option<&str>, oversample: usize) -> NodeTheorems {
    // A direction along no axis, so that the cross term counts.
    let options =
        NodeTheoremOptions { velocity: Velocity::new(0.8, -0.6), oversample, pattern: pattern.map(str::to_owned) };
    node_theorems(network, x, &options, &mut |_, _| {}).unwrap()
}

#[test]
fn every_strided_convolution_of_a_pretrained_network_obeys_the_theorem() {
    // 1e-10 and 1e-4 leave a factor of some hundred over the rounding of sums over taps, channels and samples.
    for (kind, tolerance) in [(Kind::Double, 1e-10), (Kind::Float, 1e-4)] {
        let options = LoadOptions { kind, ..Default::default() };
        let network = Network::load(&asset("models/efficientnet-lite0.onnx"), &options).unwrap();
        let x = photo(&network, "chelsea.png");
        // Convolutions are the nodes whose name ends so; activations take other tests.
        let theorems = check(&network, &x, Some("/Conv"), 2);
        assert_eq!(theorems.nodes.len(), 5, "224, 112, 56, 28 and 14 pixels are halved");
        assert!(theorems.skipped.is_empty());
        for node in &theorems.nodes {
            assert_eq!(node.kind, "strided convolution");
            let difference = node.relative_difference.unwrap();
            assert!(difference <= tolerance, "{}: {difference:.1e}", node.name);
            assert!(node.measured > 1.0, "{} has something to predict: {}", node.name, node.measured);
            assert!((node.predicted / node.measured - 1.0).abs() <= tolerance);
        }
    }
}

#[test]
fn a_stride_that_does_not_close_on_the_torus_is_said() {
    let network = Network::load(&asset("models/efficientnet-lite1.onnx"), &LoadOptions::default()).unwrap();
    let theorems = check(&network, &photo(&network, "coffee.png"), Some("/Conv"), 2);
    assert_eq!(theorems.nodes.len(), 4);
    assert_eq!(theorems.skipped.len(), 1, "240 pixels are 15 after four halvings");
    assert!(theorems.skipped[0].reason.contains("15 columns"), "{}", theorems.skipped[0].reason);
}

#[test]
fn activations_of_a_pretrained_network_differ_by_what_oversampling_leaves_out() {
    let network = Network::load(&asset("models/efficientnet-lite0.onnx"), &LoadOptions::default()).unwrap();
    let x = photo(&network, "chelsea.png");
    // Small maps, so that a grid eight times as fine is quick.
    let at = |oversample: usize| check(&network, &x, Some("/blocks/blocks.5/blocks.5.1"), oversample).nodes;
    let (coarse, fine) = (at(2), at(8));
    assert_eq!(fine.len(), 2, "ReLU6 after expansion and after the depthwise convolution");
    for (coarse, fine) in coarse.iter().zip(&fine) {
        assert_eq!(fine.kind, "activation");
        let (before, after) = (coarse.relative_difference.unwrap(), fine.relative_difference.unwrap());
        let left = fine.truncation.unwrap().field_change;
        // The missing field falls as the root of the grid: by 2 from twice to eight times as fine.
        assert!((before / after - 2.0).abs() < 0.5, "{}: {before} {after}", fine.name);
        assert!(after < left && after > 0.4 * left, "{}: {after} {left}", fine.name);
        // Energies converge faster than fields, from either side.
        assert!((fine.predicted / fine.measured - 1.0).abs() < after, "{}", fine.name);
    }
}

fn pooling(folder: &Path, op: &str, kernel: i64, stride: i64, pad: i64) -> Network {
    let mut pool = node(op, &["x"], "y");
    pool.attribute = vec![ints("kernel_shape", &[kernel; 2]), ints("strides", &[stride; 2]), ints("pads", &[pad; 4])];
    let model = model(&[Some(1), Some(3), Some(24), Some(36)], vec![pool], vec![]);
    let path = folder.join(format!("{op}.onnx"));
    std::fs::write(&path, model.encode_to_vec()).unwrap();
    Network::load(&path, &LoadOptions { kind: Kind::Double, ..Default::default() }).unwrap()
}

#[test]
fn pooling_obeys_the_theorem() {
    let folder = tempfile::tempdir().unwrap();
    for (kernel, stride, pad) in [(2, 2, 0), (3, 2, 1), (3, 3, 0), (4, 4, 0)] {
        let network = pooling(folder.path(), "AveragePool", kernel, stride, pad);
        let theorems = check(&network, &photo(&network, "rocket.jpg"), None, 2);
        assert_eq!(theorems.nodes[0].kind, "average pooling");
        let difference = theorems.nodes[0].relative_difference.unwrap();
        // A convolution in double precision.
        assert!(difference <= 1e-10, "{kernel} {stride} {pad}: {difference:.1e}");
    }
}

#[test]
fn predictions_of_nonlinear_nodes_converge_as_oversampling_grows() {
    let folder = tempfile::tempdir().unwrap();
    let networks = [
        ("max pooling", pooling(folder.path(), "MaxPool", 3, 2, 1)),
        ("activation", {
            let model = model(&[Some(1), Some(3), Some(24), Some(36)], vec![node("Relu", &["x"], "y")], vec![]);
            let path = folder.path().join("relu.onnx");
            std::fs::write(&path, model.encode_to_vec()).unwrap();
            Network::load(&path, &LoadOptions { kind: Kind::Double, ..Default::default() }).unwrap()
        }),
    ];
    for (kind, network) in &networks {
        let x = photo(network, "coffee.png");
        let at = |oversample: usize| {
            let theorems = check(network, &x, None, oversample);
            assert_eq!(theorems.nodes[0].kind, *kind);
            let node = &theorems.nodes[0];
            (node.relative_difference.unwrap(), node.truncation.unwrap().field_change)
        };
        let (coarse, fine) = (at(2), at(16));
        // Kinks make harmonics that fall off as 1/k² and differentiate to 1/k: the missing ones' field goes down as
        // the square root of the oversampling, by √8 here; 0.6 leaves room for a finite sum.
        assert!(fine.0 < 0.6 * coarse.0, "{kind}: {coarse:?} {fine:?}");
        // The last doubling tells how much is missing: as much again for a random error, √2 less where errors of both
        // grids are alike; a field that converged to something else would change far less than it is off.
        assert!(fine.0 < 1.2 * fine.1 && fine.0 > 0.4 * fine.1, "{kind}: {fine:?}");
    }
}

#[test]
fn a_smooth_nonlinearity_is_predicted_to_rounding() {
    let folder = tempfile::tempdir().unwrap();
    // x² doubles the band: on a grid twice as fine nothing is missing.
    let power = node("Pow", &["x", "two"], "y");
    let two = TensorProto { name: text("two"), data_type: Some(1), float_data: vec![2.0], ..Default::default() };
    let model = model(&[Some(1), Some(3), Some(25), Some(33)], vec![power], vec![two]);
    let path = folder.path().join("square.onnx");
    std::fs::write(&path, model.encode_to_vec()).unwrap();
    let network = Network::load(&path, &LoadOptions { kind: Kind::Double, ..Default::default() }).unwrap();
    let theorems = check(&network, &photo(&network, "coffee.png"), None, 4);
    let node = &theorems.nodes[0];
    // Odd grids have no Nyquist bin, so the square of a band K has the band 2K < 2N exactly.
    assert!(node.relative_difference.unwrap() <= 1e-10, "{node:?}");
    assert!(node.truncation.unwrap().last_change <= 1e-10);
}

const SHAPE: [Option<i64>; 4] = [Some(1), Some(3), Some(25), Some(33)];

fn constant(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    TensorProto {
        name: text(name),
        dims: dims.to_vec(),
        data_type: Some(1),
        float_data: values.to_vec(),
        ..Default::default()
    }
}

/// The theorem on a network of these nodes, in double precision.
fn theorems(nodes: Vec<NodeProto>, constants: Vec<TensorProto>, oversample: usize) -> NodeTheorems {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, model(&SHAPE, nodes, constants).encode_to_vec()).unwrap();
    let network = Network::load(&path, &LoadOptions { kind: Kind::Double, ..Default::default() }).unwrap();
    check(&network, &photo(&network, "coffee.png"), None, oversample)
}

#[test]
fn activations_of_several_nodes_are_checked_as_one() {
    let square = theorems(vec![node("Mul", &["x", "x"], "y")], vec![], 4);
    assert_eq!(square.nodes.len(), 1);
    assert_eq!((square.nodes[0].op.as_str(), square.nodes[0].kind.as_str()), ("Mul", "activation"));
    // Odd grids have no Nyquist bin, so the square of a band K has the band 2K < 2N exactly.
    assert!(square.nodes[0].relative_difference.unwrap() <= 1e-10, "{:?}", square.nodes[0]);

    let silu = theorems(vec![node("Sigmoid", &["x"], "s"), node("Mul", &["x", "s"], "y")], vec![], 8);
    assert_eq!(silu.nodes.len(), 1, "the gate is no activation of its own: {silu:?}");
    assert_eq!((silu.nodes[0].op.as_str(), silu.nodes[0].name.as_str()), ("Sigmoid+Mul", "/body/Mul"));

    let gelu = theorems(
        vec![
            node("Div", &["x", "root"], "d"),
            node("Erf", &["d"], "e"),
            node("Add", &["e", "one"], "a"),
            node("Mul", &["x", "a"], "m"),
            node("Identity", &["m"], "y"),
        ],
        vec![constant("root", &[], &[std::f32::consts::SQRT_2]), constant("one", &[], &[1.0])],
        8,
    );
    assert_eq!(gelu.nodes.len(), 1);
    assert_eq!(gelu.nodes[0].op, "Div+Erf+Add+Mul");
    for smooth in [&silu.nodes[0], &gelu.nodes[0]] {
        // Harmonics of smooth functions fall exponentially, from a photo of amplitude 1: to some 1e-6 of the field on
        // a grid eight times as fine.
        let difference = smooth.relative_difference.unwrap();
        assert!(difference < 1e-4, "{}: {difference:.1e}", smooth.op);
        assert!(smooth.measured > 1e-6, "there is something to predict: {smooth:?}");
    }
}

#[test]
fn slopes_of_channels_stay_with_their_channels() {
    let slopes = constant("slopes", &[3, 1, 1], &[0.0, 0.5, 1.0]);
    let of = |oversample| theorems(vec![node("PRelu", &["x", "slopes"], "y")], vec![slopes.clone()], oversample);
    let (coarse, fine) = (of(2), of(16));
    let node = &fine.nodes[0];
    assert_eq!(node.channels, 3);
    let (before, after) = (coarse.nodes[0].relative_difference.unwrap(), node.relative_difference.unwrap());
    // A kink's share of the field falls as the root of the grid: by √8.
    assert!(after < 0.6 * before, "{before} {after}");
    // ReLU on every channel would make more harmonics than slopes of 0, ½ and 1 do.
    let relu = theorems(vec![crate::common::onnx::node("Relu", &["x"], "y")], vec![], 16);
    assert!(node.measured < 0.9 * relu.nodes[0].measured, "{} {}", node.measured, relu.nodes[0].measured);
}

#[test]
fn channels_may_come_last() {
    let mut transpose = node("Transpose", &["x"], "t");
    transpose.attribute = vec![ints("perm", &[0, 2, 3, 1])];
    let last = theorems(vec![transpose, node("Relu", &["t"], "y")], vec![], 4);
    let first = theorems(vec![node("Relu", &["x"], "y")], vec![], 4);
    let (last, first) = (&last.nodes[0], &first.nodes[0]);
    assert_eq!((last.channels, last.samples), (3, [33, 25]));
    // The same numbers, summed in another order.
    assert!((last.measured / first.measured - 1.0).abs() < 1e-12);
    assert!((last.predicted / first.predicted - 1.0).abs() < 1e-12);
}

#[test]
fn values_without_rows_and_columns_are_not_taken_for_maps() {
    // Three channels by three: a matrix, which has two axes like a map, and no places.
    let mut flat = node("Reshape", &["x", "shape"], "f");
    flat.name = text("/body/Flat");
    let shape = TensorProto {
        name: text("shape"),
        dims: vec![3],
        data_type: Some(7),
        int64_data: vec![1, 3, -1],
        ..Default::default()
    };
    let mut turned = node("Transpose", &["f"], "g");
    turned.attribute = vec![ints("perm", &[0, 2, 1])];
    let nodes = vec![flat, turned, node("MatMul", &["f", "g"], "m"), node("Relu", &["m"], "y")];
    let theorems = theorems(nodes, vec![shape], 2);
    assert!(theorems.nodes.is_empty(), "{theorems:?}");
    assert_eq!(theorems.skipped[0].op, "Relu");
    assert!(theorems.skipped[0].reason.contains("rows and columns"), "{}", theorems.skipped[0].reason);
}
