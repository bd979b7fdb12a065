//! Nodes that a run fuses compute what they compute one by one.

use std::path::Path;

use aliascope::graph::onnx::proto::{GraphProto, NodeProto};
use aliascope::graph::{LoadOptions, MemoryFormat, Network};
use tch::{Kind, Tensor};

use crate::common::model::{Value, attribute, doubles, floats, ints, model, node};
use crate::common::{noise, relative};

/// The operators of an unobserved run in order, and the largest relative difference from the run node by node: of value
/// and tangents of a sweep, and of a forward pass of several images.
fn compare(network: &Network) -> (Vec<String>, f64) {
    let shape = &network.input().shape;
    let entries: i64 = shape.iter().product();
    let random = |lead: &[i64]| {
        let count: i64 = lead.iter().product();
        let values = Tensor::from_slice(&noise((count * entries) as u32)).to_kind(network.kind());
        values.reshape([lead, shape.as_slice()].concat()) * 2.0
    };
    let (x, dx) = (random(&[2]), random(&[3, 2]).flip([-1]));
    let mut operators = Vec::new();
    network.profile(&x, Some(&dx), &mut |operator| operators.push(operator.to_owned())).unwrap();
    let (ours, plain) = (network.sweep(&x, &dx).unwrap(), network.sweep_observed(&x, &dx, &mut |_, _| Ok(())).unwrap());
    let values = relative(&network.forward(&x).unwrap(), &network.forward_observed(&x, &mut |_, _| Ok(())).unwrap());
    let sweep = relative(&ours.value, &plain.value).max(relative(&ours.tangent, &plain.tangent));
    (operators, sweep.max(values))
}

/// Loads a graph of the given nodes from x `[1, 6, 4, 8]` to y in double precision.
fn load(opset: i64, nodes: Vec<NodeProto>) -> Network {
    let spread = |count: u32, scale: f64| noise(count).iter().map(|&v| f64::from(v) * scale).collect::<Vec<_>>();
    let numbers = [
        ("sqrt2", 2f64.sqrt()),
        ("isqrt2", 0.5f64.sqrt()),
        ("sqrt2_single", f64::from(2f32.sqrt())),
        ("one", 1.0),
        ("half", 0.5),
        ("two", 2.0),
        ("gain", 1.702),
        ("scale", 0.35),
    ];
    let mut initializer: Vec<_> = numbers.iter().map(|(name, v)| doubles(name, &[], &[*v])).collect();
    initializer.push(doubles("w", &[8, 5], &spread(40, 1.0)));
    initializer.push(doubles("b", &[5], &spread(5, 1.0)));
    initializer.push(doubles("gains", &[5], &spread(5, 2.0)));
    initializer.push(doubles("column", &[1, 5, 1], &spread(5, 2.0)));
    initializer.push(doubles("features", &[8], &spread(8, 1.3)));
    initializer.push(doubles("shifts", &[8], &spread(8, 0.7)));
    initializer.push(doubles("rows", &[6, 1, 1], &spread(6, 2.0)));
    initializer.push(doubles("bias", &[1, 1, 4, 4], &spread(16, 3.0)));
    initializer.push(doubles("mask", &[1, 2, 1, 4, 4], &spread(32, 3.0)));
    for (kernel, bias) in [("one_by_one", "first_bias"), ("three_by_three", "second_bias")] {
        let size = if kernel == "one_by_one" { 1 } else { 3 };
        initializer.push(doubles(kernel, &[6, 6, size, size], &spread(36 * (size * size) as u32, 0.7)));
        initializer.push(doubles(bias, &[6], &spread(6, if size == 1 { 1.5 } else { -2.0 })));
    }
    initializer.push(ints("windows", &[5], &[1, 2, 3, 4, 4]));
    initializer.push(ints("flat", &[4], &[1, 6, 4, 4]));
    let graph = GraphProto {
        node: nodes,
        initializer,
        input: vec![floats("x", &[1, 6, 4, 8])],
        output: vec![floats("y", &[])],
        ..Default::default()
    };
    Network::from_file(&model(graph, opset), &LoadOptions { kind: Kind::Double, ..Default::default() }).unwrap()
}

fn turned(input: &str, output: &str) -> NodeProto {
    let perm = attribute("perm", Value::Ints(vec![0, 1, 3, 2]));
    NodeProto { attribute: vec![perm], ..node("Transpose", &[input], &[output]) }
}

fn assert_fused(nodes: Vec<NodeProto>, expected: &[&str]) {
    assert_fused_at(20, nodes, expected);
}

fn assert_fused_at(opset: i64, nodes: Vec<NodeProto>, expected: &[&str]) {
    let (operators, difference) = compare(&load(opset, nodes));
    assert_eq!(operators, expected);
    assert!(difference <= 1e-13, "{expected:?}: {difference:.1e}");
}

#[test]
fn gelu_is_found_in_every_order() {
    let front = || {
        vec![
            node("Div", &["x", "sqrt2"], &["scaled"]),
            node("Erf", &["scaled"], &["erf"]),
            node("Add", &["erf", "one"], &["sum"]),
        ]
    };
    let with = |rest: Vec<NodeProto>| [front(), rest].concat();
    assert_fused(with(vec![node("Mul", &["x", "sum"], &["p"]), node("Mul", &["p", "half"], &["y"])]), &["Gelu"]);
    assert_fused(with(vec![node("Mul", &["sum", "x"], &["p"]), node("Div", &["p", "two"], &["y"])]), &["Gelu"]);
    assert_fused(with(vec![node("Mul", &["half", "x"], &["h"]), node("Mul", &["h", "sum"], &["y"])]), &["Gelu"]);
    assert_fused(with(vec![node("Mul", &["sum", "half"], &["h"]), node("Mul", &["h", "x"], &["y"])]), &["Gelu"]);
    let multiplied = vec![
        node("Mul", &["isqrt2", "x"], &["scaled"]),
        node("Erf", &["scaled"], &["erf"]),
        node("Add", &["one", "erf"], &["sum"]),
        node("Mul", &["x", "sum"], &["p"]),
        node("Mul", &["p", "half"], &["y"]),
    ];
    assert_fused(multiplied, &["Gelu"]);
}

#[test]
fn what_is_almost_gelu_stays_apart() {
    let five = |scale: &str, one: &str, half: &str| {
        vec![
            node("Div", &["x", scale], &["scaled"]),
            node("Erf", &["scaled"], &["erf"]),
            node("Add", &["erf", one], &["sum"]),
            node("Mul", &["x", "sum"], &["p"]),
            node("Mul", &["p", half], &["y"]),
        ]
    };
    let apart = ["Div", "Erf", "Add", "Mul", "Mul"];
    assert_fused(five("sqrt2", "one", "gain"), &apart);
    assert_fused(five("sqrt2", "two", "half"), &apart);
    // A constant of single precision is not the root of two in a run of double precision.
    assert_fused(five("sqrt2_single", "one", "half"), &apart);
    // A value in the middle is read elsewhere too.
    let mut read = five("sqrt2", "one", "half");
    read[4].output[0] = "gelu".to_owned();
    read.push(node("Add", &["gelu", "erf"], &["y"]));
    assert_fused(read, &["Div", "Erf", "Add", "Mul", "Mul", "Add"]);
    // The product is with another value than the one that erf saw.
    let mut other = five("sqrt2", "one", "half");
    other.insert(0, node("Sin", &["x"], &["s"]));
    other[4].input[0] = "s".to_owned();
    assert_fused(other, &["Sin", "Div", "Erf", "Add", "Mul", "Mul"]);
}

#[test]
fn gated_activations_are_found() {
    assert_fused(vec![node("Sigmoid", &["x"], &["s"]), node("Mul", &["x", "s"], &["y"])], &["Swish"]);
    let quick = vec![
        node("Mul", &["x", "gain"], &["scaled"]),
        node("Sigmoid", &["scaled"], &["s"]),
        node("Mul", &["s", "x"], &["y"]),
    ];
    assert_fused(quick, &["Swish"]);
    let mish = vec![
        node("Softplus", &["x"], &["softplus"]),
        node("Tanh", &["softplus"], &["t"]),
        node("Mul", &["x", "t"], &["y"]),
    ];
    assert_fused(mish, &["Mish"]);
    let hard = |alpha: f32| {
        let attributes = vec![attribute("alpha", Value::Float(alpha)), attribute("beta", Value::Float(0.5))];
        let gate = NodeProto { attribute: attributes, ..node("HardSigmoid", &["x"], &["s"]) };
        vec![gate, node("Mul", &["x", "s"], &["y"])]
    };
    assert_fused(hard(1.0 / 6.0), &["HardSwish"]);
    assert_fused(hard(0.2), &["HardSigmoid", "Mul"]);
    // A gate of another value.
    let other = vec![node("Sin", &["x"], &["z"]), node("Sigmoid", &["z"], &["s"]), node("Mul", &["x", "s"], &["y"])];
    assert_fused(other, &["Sin", "Sigmoid", "Mul"]);
}

#[test]
fn layer_norms_that_are_written_out_are_one_operator() {
    let mean = |input: &str, output: &str| NodeProto {
        attribute: vec![attribute("axes", Value::Ints(vec![-1]))],
        ..node("ReduceMean", &[input], &[output])
    };
    let front = |square: NodeProto| {
        vec![
            mean("x", "m"),
            node("Sub", &["x", "m"], &["c"]),
            square,
            mean("q", "v"),
            node("Add", &["v", "half"], &["e"]),
            node("Sqrt", &["e"], &["s"]),
        ]
    };
    let squared = || node("Mul", &["c", "c"], &["q"]);
    let power = || node("Pow", &["c", "two"], &["q"]);
    let with = |square: NodeProto, rest: Vec<NodeProto>| [front(square), rest].concat();
    let one = ["LayerNormalization"];
    assert_fused_at(17, with(power(), vec![node("Div", &["c", "s"], &["y"])]), &one);
    let scaled = vec![
        node("Div", &["c", "s"], &["d"]),
        node("Mul", &["d", "features"], &["g"]),
        node("Add", &["shifts", "g"], &["y"]),
    ];
    assert_fused_at(17, with(squared(), scaled), &one);
    // As TensorFlow has it: the scale belongs to the deviation's inverse.
    let inverse = vec![
        node("Reciprocal", &["s"], &["r"]),
        node("Mul", &["r", "features"], &["g"]),
        node("Mul", &["g", "c"], &["d"]),
        node("Add", &["d", "shifts"], &["y"]),
    ];
    assert_fused_at(17, with(squared(), inverse), &one);
    let unscaled = vec![node("Reciprocal", &["s"], &["r"]), node("Mul", &["c", "r"], &["y"])];
    assert_fused_at(17, with(power(), unscaled), &one);
    // A scale of rows is none of features.
    let rows = vec![node("Div", &["c", "s"], &["d"]), node("Mul", &["d", "rows"], &["y"])];
    assert_fused_at(17, with(power(), rows), &["LayerNormalization", "Mul"]);
}

#[test]
fn what_is_almost_a_layer_norm_stays_apart() {
    let mean = |input: &str, output: &str, axis: i64| NodeProto {
        attribute: vec![attribute("axes", Value::Ints(vec![axis]))],
        ..node("ReduceMean", &[input], &[output])
    };
    let seven = |axes: [i64; 2], centred: &str, last: NodeProto| {
        vec![
            mean("x", "m", axes[0]),
            node("Sub", &["x", "m"], &["c"]),
            node("Mul", &["c", centred], &["q"]),
            mean("q", "v", axes[1]),
            node("Add", &["v", "two"], &["e"]),
            node("Sqrt", &["e"], &["s"]),
            last,
        ]
    };
    let apart = ["ReduceMean", "Sub", "Mul", "ReduceMean", "Add", "Sqrt", "Div"];
    let divided = || node("Div", &["c", "s"], &["y"]);
    assert_fused_at(17, seven([-2, -1], "c", divided()), &apart);
    assert_fused_at(17, seven([-1, -2], "c", divided()), &apart);
    // Not a square, and the wrong way round.
    assert_fused_at(17, seven([-1, -1], "x", divided()), &apart);
    assert_fused_at(17, seven([-1, -1], "c", node("Div", &["s", "c"], &["y"])), &apart);
    // Another reader of the deviation.
    let mut read = seven([-1, -1], "c", node("Div", &["c", "s"], &["d"]));
    read.push(node("Add", &["d", "s"], &["y"]));
    assert_fused_at(17, read, &["ReduceMean", "Sub", "Mul", "ReduceMean", "Add", "Sqrt", "Div", "Add"]);
}

#[test]
fn a_product_with_its_bias_is_one_operator() {
    assert_fused(vec![node("MatMul", &["x", "w"], &["p"]), node("Add", &["b", "p"], &["y"])], &["Linear"]);
    let scaled = vec![node("MatMul", &["x", "w"], &["p"]), node("Add", &["p", "one"], &["y"])];
    assert_fused(scaled, &["MatMul", "Add"]);
    let with = |rest: Vec<NodeProto>| {
        [vec![node("MatMul", &["x", "w"], &["p"]), node("Add", &["p", "b"], &["s"])], rest].concat()
    };
    // A gain for each feature goes into the weight, also after a transposition.
    assert_fused(with(vec![node("Mul", &["s", "gains"], &["y"])]), &["Linear"]);
    assert_fused(with(vec![turned("s", "t"), node("Mul", &["t", "column"], &["y"])]), &["Linear"]);
    // One for each row does not.
    assert_fused(with(vec![node("Mul", &["s", "rows"], &["y"])]), &["Linear", "Mul"]);
    assert_fused(with(vec![turned("s", "t"), node("Mul", &["t", "rows"], &["y"])]), &["Linear", "Transpose", "Mul"]);
}

#[test]
fn attention_is_one_operator() {
    // Q, K and V are x itself and functions of it, so that all move.
    let operands = || vec![node("Sin", &["x"], &["k"]), turned("k", "kt"), node("Cos", &["x"], &["v"])];
    let with = |middle: Vec<NodeProto>| [operands(), middle].concat();
    let expected = ["Sin", "Transpose", "Cos", "Attention"];
    let plain = vec![
        node("MatMul", &["x", "kt"], &["s"]),
        node("Softmax", &["s"], &["p"]),
        node("MatMul", &["p", "v"], &["y"]),
    ];
    assert_fused(with(plain.clone()), &expected);
    let scaled_query = vec![
        node("Mul", &["x", "scale"], &["q"]),
        node("MatMul", &["q", "kt"], &["s"]),
        node("Add", &["s", "bias"], &["z"]),
        node("Softmax", &["z"], &["p"]),
        node("MatMul", &["p", "v"], &["y"]),
    ];
    assert_fused(with(scaled_query), &expected);
    let windows = vec![
        node("MatMul", &["x", "kt"], &["s"]),
        node("Div", &["s", "two"], &["halved"]),
        node("Add", &["halved", "bias"], &["biased"]),
        node("Reshape", &["biased", "windows"], &["split"]),
        node("Add", &["split", "mask"], &["masked"]),
        node("Reshape", &["masked", "flat"], &["z"]),
        node("Softmax", &["z"], &["p"]),
        node("MatMul", &["p", "v"], &["y"]),
    ];
    assert_fused(with(windows), &expected);
    // Weights that something else reads, and a softmax over another axis, stay as they are.
    let mut read = with(plain.clone());
    read.last_mut().unwrap().output[0] = "o".to_owned();
    read.push(node("MatMul", &["p", "o"], &["y"]));
    assert_fused(read, &["Sin", "Transpose", "Cos", "MatMul", "Softmax", "MatMul", "MatMul"]);
    let mut other = with(plain);
    other[4].attribute.push(attribute("axis", Value::Int(1)));
    assert_fused(other, &["Sin", "Transpose", "Cos", "MatMul", "Softmax", "MatMul"]);
}

#[test]
fn a_convolution_with_the_clip_behind_it_is_one_operator() {
    let conv = |input: &str, which: &str, output: &str| {
        let (kernel, bias, pad) = match which {
            "k" => ("one_by_one", "first_bias", 0),
            _ => ("three_by_three", "second_bias", 1),
        };
        let attribute = vec![attribute("pads", Value::Ints(vec![pad; 4]))];
        NodeProto { attribute, ..node("Conv", &[input, kernel, bias], &[output]) }
    };
    let add = |a: &str, b: &str, output: &str| node("Add", &[a, b], &[output]);
    let relu = |input: &str| node("Relu", &[input], &["y"]);
    let two = || vec![conv("x", "k", "c"), conv("x", "l", "d")];
    let cases = [
        (vec![conv("x", "k", "c"), relu("c")], vec!["Conv+Relu"]),
        (vec![conv("x", "k", "c"), node("Clip", &["c", "half", "two"], &["y"])], vec!["Conv+Clip"]),
        (vec![conv("x", "k", "c"), conv("c", "l", "d"), relu("d")], vec!["Conv", "Conv+Relu"]),
        // Sums stand between.
        ([two(), vec![add("c", "d", "s"), relu("s")]].concat(), vec![]),
        ([two(), vec![add("x", "c", "s"), add("d", "s", "t"), relu("t")]].concat(), vec![]),
        ([two(), vec![add("c", "x", "s"), add("s", "one", "t"), add("t", "d", "u"), relu("u")]].concat(), vec![]),
        // A sum with another shape, or with itself.
        (vec![conv("x", "k", "c"), node("GlobalAveragePool", &["c"], &["g"]), add("g", "x", "s"), relu("s")], vec![]),
        (vec![node("GlobalAveragePool", &["x"], &["g"]), conv("g", "k", "c"), add("c", "x", "s"), relu("s")], vec![]),
        (vec![conv("x", "k", "c"), add("c", "c", "s"), relu("s")], vec![]),
        // Others read the value, or something else than a clip does, or nothing.
        (
            [two(), vec![node("Relu", &["c"], &["r"]), add("r", "c", "s"), add("s", "d", "t"), relu("t")]].concat(),
            vec![],
        ),
        (vec![conv("x", "k", "c"), node("Sigmoid", &["c"], &["y"])], vec![]),
        (vec![conv("x", "k", "c"), node("Gelu", &["c"], &["y"])], vec![]),
        (vec![conv("x", "k", "y")], vec![]),
        // Some of it does not move.
        (
            vec![
                node("Round", &["x"], &["r"]),
                conv("r", "k", "c"),
                conv("x", "l", "d"),
                add("c", "d", "s"),
                relu("s"),
            ],
            vec![],
        ),
        (vec![node("Round", &["x"], &["r"]), conv("r", "k", "c"), relu("c")], vec!["Round", "Conv+Relu"]),
    ];
    for (nodes, fused) in cases {
        let mut network = load(20, nodes.clone());
        let apart: Vec<&str> = nodes.iter().map(|node| node.op_type.as_deref().unwrap()).collect();
        for order in MemoryFormat::ALL {
            network.set_memory_format(order).unwrap();
            let (operators, difference) = compare(&network);
            assert_eq!(operators, *if fused.is_empty() { &apart } else { &fused });
            // The same sums in the same order.
            assert_eq!(difference, 0.0, "{operators:?}, {order}");
        }
    }
}

#[test]
fn networks_are_the_same_in_both_ways() {
    for name in ["resnet", "mobilenet", "vit", "swin", "convnext", "mixer", "xcit"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/families/{name}.onnx"));
        for (kind, limit) in [(Kind::Double, 1e-11), (Kind::Float, 1e-4)] {
            let network = Network::load(&path, &LoadOptions { kind, ..Default::default() }).unwrap();
            let (operators, difference) = compare(&network);
            let count = |operator: &str| operators.iter().filter(|o| *o == operator).count();
            println!("{name} {kind:?}: {difference:.1e}, {} of {} left", operators.len(), network.steps().len());
            assert!(difference <= limit, "{name} {kind:?}: {difference:.1e}");
            match name {
                "vit" | "swin" => assert!(count("Attention") > 0 && count("Softmax") == 0 && count("Erf") == 0),
                "convnext" | "mixer" => assert!(count("Gelu") > 0 && count("Linear") > 0 && count("Erf") == 0),
                _ => {}
            }
        }
    }
}
