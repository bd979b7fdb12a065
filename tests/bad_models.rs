//! Models as they come, good and bad: a bad one ends in a sentence that names the node, quickly and without the memory.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use aliascope::graph::onnx::OnnxFile;
use aliascope::graph::onnx::proto::*;
use aliascope::graph::{LoadOptions, Network};
use prost::Message;
use tch::{Kind, Tensor};

use crate::common::alone::alone;
use crate::common::model::{self, Value, attribute};
use crate::common::onnx::{model, node, tensor_type, text};

const IMAGE: [Option<i64>; 4] = [Some(1), Some(3), Some(8), Some(8)];

fn file(model: ModelProto) -> OnnxFile {
    OnnxFile { path: PathBuf::from("test.onnx"), model }
}

fn load(model: ModelProto) -> Result<Network, String> {
    Network::from_file(&file(model), &LoadOptions::default()).map_err(|error| error.to_string())
}

/// The sentence that a model is refused with.
fn refusal(model: ModelProto) -> String {
    let started = Instant::now();
    let message = load(model).expect_err("the model is refused");
    let seconds = started.elapsed().as_secs_f64();
    assert!(seconds < 5.0, "refused after {seconds} s: {message}");
    assert_eq!(message.lines().count(), 1, "one sentence, not:\n{message}");
    message
}

fn refuses(nodes: Vec<NodeProto>, initializers: Vec<TensorProto>, words: &[&str]) {
    let message = refusal(model(&IMAGE, nodes, initializers));
    for word in words {
        assert!(message.contains(word), "no '{word}' in: {message}");
    }
}

fn with(mut node: NodeProto, attributes: Vec<AttributeProto>) -> NodeProto {
    node.attribute = attributes;
    node
}

fn singles(name: &str, shape: &[i64], values: &[f32]) -> TensorProto {
    TensorProto {
        name: text(name),
        dims: shape.to_vec(),
        data_type: Some(1),
        float_data: values.to_vec(),
        ..Default::default()
    }
}

fn longs(name: &str, values: &[i64]) -> TensorProto {
    model::ints(name, &[values.len() as i64], values)
}

fn ones() -> Tensor {
    Tensor::ones([1, 1, 3, 8, 8], (Kind::Float, tch::Device::Cpu))
}

#[test]
fn constants_that_are_listed_as_inputs_are_constants() {
    let mut old = model(&IMAGE, vec![node("Mul", &["x", "w"], "y")], vec![singles("w", &[1], &[3.0])]);
    let graph = old.graph.as_mut().unwrap();
    graph.input.push(ValueInfoProto { name: text("w"), r#type: Some(tensor_type(&[Some(1)])), ..Default::default() });
    let network = load(old).unwrap();
    assert_eq!(network.forward(&ones()).unwrap().double_value(&[0, 0, 0, 0, 0]), 3.0);
}

#[test]
fn half_precision_weights_are_computed_in_single() {
    // 1 + 2⁻¹⁰ in half, 1 + 2⁻⁷ in bfloat16: what a run in half precision would round away when squared.
    for (code, bits, value) in [(10, 0x3c01, 1.0 + 2f64.powi(-10)), (16, 0x3f81, 1.0 + 2f64.powi(-7))] {
        let weight = TensorProto {
            data_type: Some(code),
            int32_data: vec![bits],
            float_data: vec![],
            ..singles("w", &[1], &[])
        };
        let nodes = vec![node("Mul", &["x", "w"], "a"), node("Mul", &["a", "w"], "y")];
        let y = load(model(&IMAGE, nodes, vec![weight])).unwrap().forward(&ones()).unwrap();
        let apart = (y.double_value(&[0, 0, 0, 0, 0]) - value * value).abs();
        assert!(apart <= 1e-7, "{code}: {apart:.1e}");
    }
}

/// A model on disk whose weight lies beside it.
fn external(location: &str, data: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("w.bin"), data).unwrap();
    let entry = StringStringEntryProto { key: text("location"), value: text(location) };
    let weight = TensorProto { data_location: Some(1), external_data: vec![entry], ..singles("w", &[2], &[]) };
    let nodes = vec![node("ReduceSum", &["w"], "s"), node("Mul", &["x", "s"], "y")];
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, model(&IMAGE, nodes, vec![weight]).encode_to_vec()).unwrap();
    (folder, path)
}

#[test]
fn weights_in_files_beside_the_model_are_read_or_refused_by_name() {
    let data: Vec<u8> = [1.5f32, 2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let (_kept, path) = external("w.bin", &data);
    let network = Network::load(&path, &LoadOptions::default()).unwrap();
    assert_eq!(network.forward(&ones()).unwrap().double_value(&[0, 0, 0, 0, 0]), 3.5);
    for (location, data, words) in [
        ("w.bin", &data[..5], ["'w'", "w.bin", "has 5 bytes"]),
        ("../w.bin", &data, ["'w'", "../w.bin", ""]),
        ("/etc/hostname", &data, ["'w'", "/etc/hostname", "outside the model's folder"]),
        ("gone.bin", &data, ["'w'", "gone.bin", "cannot be read"]),
    ] {
        let (_kept, path) = external(location, data);
        let message = Network::load(&path, &LoadOptions::default()).unwrap_err().to_string();
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
    }
}

#[test]
fn open_axes_take_their_size_from_the_command_line() {
    let build = |shape: &[Option<i64>]| model(shape, vec![node("Relu", &["x"], "y")], vec![]);
    // Exporters leave the batch open as a rule: it is one.
    let network = load(build(&[None, Some(3), Some(8), Some(8)])).unwrap();
    assert_eq!(network.input().shape, [1, 3, 8, 8]);
    let message = load(build(&[None, Some(3), None, None])).unwrap_err();
    assert!(message.contains("'x'") && message.contains("--input-shape 1,3,224,224"), "{message}");
    let given = |shape: &[i64]| {
        let options = LoadOptions { input_shape: Some(shape.to_vec()), ..Default::default() };
        Network::from_file(&file(build(&[None, Some(3), None, None])), &options)
    };
    assert_eq!(given(&[1, 3, 5, 7]).unwrap().output().shape, [1, 3, 5, 7]);
    for shape in [&[1, 4, 5, 7][..], &[1, 3, 5], &[], &[2, 3, 5, 7], &[1, 3, 0, 7], &[1, 3, 1 << 20, 1 << 20]] {
        let message = given(shape).unwrap_err().to_string();
        assert!(message.contains("test.onnx"), "{message}");
    }
}

#[test]
fn graphs_that_cannot_run_are_refused() {
    let relu = |from: &str, to: &str| node("Relu", &[from], to);
    refuses(
        vec![node("Add", &["x", "b"], "a"), relu("a", "b"), relu("b", "y")],
        vec![],
        &["/body/Add", "'b'", "cycle"],
    );
    refuses(vec![relu("a", "y"), node("Abs", &["x"], "a")], vec![], &["/body/Relu", "'a'", "not in order"]);
    refuses(vec![node("Mul", &["x", "gone"], "y")], vec![], &["/body/Mul", "'gone'", "a constant is missing"]);
    refuses(vec![relu("x", "z")], vec![], &["no node makes the output 'y'"]);
    refuses(vec![relu("w", "y")], vec![singles("w", &[1], &[1.0])], &["'y' does not depend on the input 'x'"]);
    refuses(vec![relu("x", "y"), node("Abs", &["x"], "y")], vec![], &["'y' is made twice"]);
    refuses(vec![relu("x", "x"), node("Abs", &["x"], "y")], vec![], &["'x' is made twice"]);
    refuses(vec![relu("x", "w")], vec![singles("w", &[1], &[1.0])], &["'w' is made twice"]);
    let mut same = model(&IMAGE, vec![relu("x", "a"), node("Abs", &["a"], "y")], vec![]);
    same.graph.as_mut().unwrap().node[1].name = text("/body/Relu");
    assert!(refusal(same).contains("two nodes are called '/body/Relu'"));
    let twice = vec![singles("w", &[1], &[1.0]), singles("w", &[1], &[2.0])];
    refuses(vec![node("Mul", &["x", "w"], "y")], twice, &["'w' is there twice"]);
}

#[test]
fn what_the_output_does_not_need_is_not_looked_at() {
    let nodes = vec![node("Sparkle", &["x"], "z"), node("Relu", &["x"], "y")];
    assert_eq!(load(model(&IMAGE, nodes, vec![])).unwrap().steps().len(), 1);
}

#[test]
fn contradicting_shapes_name_the_node() {
    let weight = |shape: &[i64]| singles("w", shape, &vec![0.5; shape.iter().product::<i64>() as usize]);
    let one = |operator: &str| node(operator, &["x", "w"], "y");
    refuses(vec![one("Add")], vec![weight(&[3])], &["/body/Add", "[1, 3, 8, 8]", "[3]", "do not broadcast"]);
    refuses(vec![one("MatMul")], vec![weight(&[7, 2])], &["/body/MatMul", "[7, 2]"]);
    refuses(vec![one("Conv")], vec![weight(&[4, 2, 3, 3])], &["/body/Conv", "3 channels"]);
    refuses(vec![one("Conv")], vec![weight(&[4, 3, 9, 9])], &["/body/Conv", "longer than the padded axis"]);
    refuses(vec![one("Conv")], vec![weight(&[4, 3, 0, 3])], &["/body/Conv"]);
    refuses(vec![with(one("Concat"), vec![attribute("axis", Value::Int(9))])], vec![weight(&[3])], &["axis 9"]);
    let reshape = |shape: &[i64]| (vec![one("Reshape")], vec![longs("w", shape)]);
    for shape in [&[5, -1][..], &[-1, -1], &[-2], &[1, 3, 8, 9], &[0, 0, 0, 0, 0], &[i64::MAX, 2]] {
        let (nodes, initializers) = reshape(shape);
        refuses(nodes, initializers, &["/body/Reshape", "[1, 3, 8, 8]"]);
    }
    // Nothing is wrong with a value without entries, but as an output it leaves nothing to measure.
    let none = vec![longs("w", &[0]), longs("e", &[0])];
    let slice = model(&IMAGE, vec![node("Slice", &["x", "w", "e"], "y")], none);
    let gemm = vec![node("Flatten", &["x"], "a"), node("Gemm", &["a", "w"], "y")];
    let gemm = model(&IMAGE, gemm, vec![weight(&[192, 0])]);
    for (empty, words) in [(slice, ["/body/Slice", "[0, 3, 8, 8]"]), (gemm, ["/body/Gemm", "[1, 0]"])] {
        let message = load(empty).unwrap().check_output().unwrap_err().to_string();
        assert!(words.iter().all(|word| message.contains(word)) && message.contains("no entries"), "{message}");
    }
}

#[test]
fn shapes_that_the_file_states_are_those_that_come_out() {
    let stated = |shape: &[Option<i64>], of: &str, says: &[Option<i64>]| {
        let mut built = model(shape, vec![node("Relu", &["x"], "a"), node("Abs", &["a"], "y")], vec![]);
        let info = ValueInfoProto { name: text(of), r#type: Some(tensor_type(says)), ..Default::default() };
        built.graph.as_mut().unwrap().value_info.push(info);
        load(built)
    };
    let open = [None, Some(3), None, None];
    for says in [&IMAGE[..], &open, &[None; 4]] {
        assert!(stated(&IMAGE, "a", says).is_ok(), "{says:?}");
    }
    for says in [&[Some(1), Some(3), Some(4), Some(8)][..], &[Some(1), Some(3), Some(8)], &[Some(2), None, None, None]]
    {
        let message = stated(&IMAGE, "a", says).unwrap_err();
        assert!(message.contains("/body/Relu") && message.contains("[1, 3, 8, 8]"), "{message}");
    }
    assert!(stated(&IMAGE, "y", &[Some(7)]).unwrap_err().contains("/body/Abs"));
    // What was stated for one size of the input says nothing of another.
    let given = LoadOptions { input_shape: Some(vec![1, 3, 4, 4]), ..Default::default() };
    let mut built = model(&open, vec![node("Relu", &["x"], "y")], vec![]);
    built.graph.as_mut().unwrap().output[0].r#type = Some(tensor_type(&IMAGE));
    assert!(Network::from_file(&file(built), &given).is_ok());
}

#[test]
fn attributes_of_another_type_or_name_are_named() {
    let conv = |attributes| {
        let weight = singles("w", &[1, 3, 1, 1], &[1.0; 3]);
        (vec![with(node("Conv", &["x", "w"], "y"), attributes)], vec![weight])
    };
    for (attributes, words) in [
        (vec![attribute("strides", Value::Float(2.0))], ["'strides'", "not a list of integers"]),
        (vec![attribute("auto_pad", Value::Ints(vec![1, 1]))], ["'auto_pad'", "not a string"]),
        (vec![attribute("sparkle", Value::Int(1))], ["'sparkle'", "not supported"]),
        (vec![attribute("strides", Value::Ints(vec![2]))], ["strides", "does not fit"]),
        (vec![attribute("strides", Value::Ints(vec![0, 1]))], ["strides", "does not fit"]),
        (vec![attribute("pads", Value::Ints(vec![1, 1, -1, 1]))], ["pads", "does not fit"]),
        (vec![attribute("auto_pad", Value::Text("SOMEHOW"))], ["auto_pad", "SOMEHOW"]),
        (vec![attribute("group", Value::Int(2))], ["2 groups", "3 channels"]),
    ] {
        let (nodes, initializers) = conv(attributes);
        refuses(nodes, initializers, &["/body/Conv", words[0], words[1]]);
    }
}

#[test]
fn operators_that_are_not_supported_are_refused_with_the_reason() {
    refuses(
        vec![node("Sparkle", &["x"], "y")],
        vec![],
        &["/body/Sparkle", "Sparkle (opset 17)", "nearest supported are", "Shape"],
    );
    refuses(vec![node("QuantizeLinear", &["x"], "y")], vec![], &["/body/QuantizeLinear", "before its quantisation"]);
    // Integers that are made of the image are no constants.
    let whole = with(node("Cast", &["x"], "whole"), vec![attribute("to", Value::Int(3))]);
    let back = node("DequantizeLinear", &["whole", "scale"], "y");
    refuses(
        vec![whole, back],
        vec![singles("scale", &[], &[0.5])],
        &["depend on the network's input", "derivative zero"],
    );
    let mut blocked = node("Conv", &["x"], "y");
    blocked.domain = text("com.microsoft.nchwc");
    refuses(vec![blocked], vec![], &["com.microsoft.nchwc.Conv", "ORT_ENABLE_EXTENDED"]);
    refuses(vec![node("Loop", &["x"], "y")], vec![], &["/body/Loop", "not unrolled"]);
    let mut foreign = node("Relu", &["x"], "y");
    foreign.domain = text("ai.other");
    refuses(vec![foreign], vec![], &["Relu (opset 1, domain ai.other)"]);
    let mut newer = model(&IMAGE, vec![node("Relu", &["x"], "y")], vec![]);
    newer.opset_import[0].version = Some(99);
    assert!(refusal(newer).contains("opset 99"));
}

/// The most memory that this process has had, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or("");
    line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) * 1024
}

#[test]
fn sizes_beyond_reason_are_refused_before_the_memory_is_asked_for() {
    alone("bad_models::sizes_beyond_reason_are_refused_before_the_memory_is_asked_for", sizes_beyond_reason);
}

fn sizes_beyond_reason() {
    let huge = 1i64 << 33;
    let two = |operator: &str| node(operator, &["x", "w"], "y");
    let three = |operator: &str| node(operator, &["x", "", "w"], "y");
    let mix = |operator: &str| {
        vec![node(operator, &["w"], "c"), node("ReduceMax", &["c"], "m"), node("Add", &["x", "m"], "y")]
    };
    let filters = || singles("w", &[3, 3, 2, 2], &[0.1; 36]);
    let wide = 1i64 << 20;
    let cases: Vec<(&str, Vec<NodeProto>, Vec<TensorProto>)> = vec![
        ("Expand", vec![two("Expand")], vec![longs("w", &[huge, 3, 8, 8])]),
        ("Expand", vec![two("Expand")], vec![longs("w", &[i64::MAX, i64::MAX, 3, 8, 8])]),
        ("Tile", vec![two("Tile")], vec![longs("w", &[1, 1, huge, 1])]),
        ("Reshape", vec![two("Reshape")], vec![longs("w", &[huge, 3, 8])]),
        ("ConstantOfShape", mix("ConstantOfShape"), vec![longs("w", &[huge])]),
        ("ConstantOfShape", mix("ConstantOfShape"), vec![longs("w", &[-1])]),
        (
            "Range",
            vec![node("Range", &["a", "w", "b"], "c"), node("ReduceMax", &["c"], "m"), node("Add", &["x", "m"], "y")],
            vec![model::ints("a", &[], &[0]), model::ints("w", &[], &[huge]), model::ints("b", &[], &[1])],
        ),
        ("Pad", vec![two("Pad")], vec![longs("w", &[0, 0, wide, wide, 0, 0, wide, wide])]),
        ("Resize", vec![node("Resize", &["x", "", "", "w"], "y")], vec![longs("w", &[1, 3, wide, wide])]),
        ("Resize", vec![three("Resize")], vec![singles("w", &[4], &[1.0, 1.0, 1e5, 1e5])]),
        ("Conv", vec![with(two("Conv"), vec![attribute("pads", Value::Ints(vec![wide; 4]))])], vec![filters()]),
        (
            "ConvTranspose",
            vec![with(two("ConvTranspose"), vec![attribute("strides", Value::Ints(vec![wide; 2]))])],
            vec![filters()],
        ),
        (
            "MaxPool",
            vec![with(
                node("MaxPool", &["x"], "y"),
                vec![attribute("kernel_shape", Value::Ints(vec![2, 2])), attribute("pads", Value::Ints(vec![wide; 4]))],
            )],
            vec![],
        ),
        (
            "OneHot",
            vec![node("OneHot", &["i", "w", "v"], "c"), node("ReduceMax", &["c"], "m"), node("Add", &["x", "m"], "y")],
            vec![longs("i", &[1]), longs("w", &[huge]), singles("v", &[2], &[0.0, 1.0])],
        ),
        (
            "Add",
            vec![
                node("Range", &["a", "w", "b"], "c"),
                node("Unsqueeze", &["c", "one"], "d"),
                node("Add", &["c", "d"], "e"),
                node("ReduceMax", &["e"], "m"),
                node("Add", &["x", "m"], "y"),
            ],
            vec![
                model::ints("a", &[], &[0]),
                model::ints("w", &[], &[wide]),
                model::ints("b", &[], &[1]),
                longs("one", &[1]),
            ],
        ),
        (
            "Einsum",
            vec![
                node("ConstantOfShape", &["w"], "c"),
                with(node("Einsum", &["c", "c"], "e"), vec![attribute("equation", Value::Text("i,j->ij"))]),
                node("ReduceMax", &["e"], "m"),
                node("Add", &["x", "m"], "y"),
            ],
            vec![longs("w", &[wide])],
        ),
        (
            "MatMul",
            vec![
                node("ConstantOfShape", &["w"], "c"),
                node("ConstantOfShape", &["v"], "d"),
                node("MatMul", &["c", "d"], "e"),
                node("ReduceMax", &["e"], "m"),
                node("Add", &["x", "m"], "y"),
            ],
            vec![longs("w", &[wide, 1]), longs("v", &[1, wide])],
        ),
    ];
    for (operator, nodes, initializers) in cases {
        refuses(nodes, initializers, &[operator]);
    }
    // No size is written anywhere here: each node doubles what the last one made.
    let doubling = |from: &str, axis: i64, last: NodeProto| -> Vec<NodeProto> {
        let name = |i: usize| if i == 0 { from.to_owned() } else { format!("d{i}") };
        let twice = |i: usize| node("Concat", &[&name(i), &name(i)], &name(i + 1));
        let along = || vec![attribute("axis", Value::Int(axis))];
        (0..40).map(|i| with(twice(i), along())).chain([last]).collect()
    };
    refuses(doubling("x", 1, node("Relu", &["d40"], "y")), vec![], &["/body/Concat_20", "too large"]);
    let sum = node("Add", &["x", "d40"], "y");
    refuses(doubling("w", 0, sum), vec![singles("w", &[1024], &[1.0; 1024])], &["/body/Concat_18", "too large"]);
    let bytes = peak();
    assert!(bytes < 2 << 30, "{bytes} bytes were taken");
}

#[test]
fn fifty_thousand_nodes_load_quickly_or_are_refused_quickly() {
    const NODES: usize = 50_000;
    let chain = |operator: &str| -> Vec<NodeProto> {
        let name = |i: usize| {
            if i == NODES {
                "y".to_owned()
            } else if i == 0 {
                "x".to_owned()
            } else {
                format!("v{i}")
            }
        };
        (0..NODES).map(|i| node(operator, &[&name(i)], &name(i + 1))).collect()
    };
    let started = Instant::now();
    let network = load(model(&IMAGE, chain("Relu"), vec![])).unwrap();
    let loading = started.elapsed();
    assert_eq!(network.steps().len(), NODES);
    println!("{NODES} nodes load in {loading:?}");
    // Some 20 µs each; a loader that grows with the square takes minutes.
    assert!(loading < Duration::from_secs(30), "{loading:?}");
    let mut broken = chain("Relu");
    broken[NODES - 1].op_type = text("Sparkle");
    assert!(load(model(&IMAGE, broken, vec![])).unwrap_err().contains("Sparkle"));
    let mut backwards = chain("Relu");
    backwards.reverse();
    assert!(refusal(model(&IMAGE, backwards, vec![])).contains("not in order"));
}

fn subgraph(name: &str, graph: GraphProto) -> AttributeProto {
    AttributeProto { name: text(name), r#type: Some(5), g: Some(Box::new(graph)), ..Default::default() }
}

fn branch(nodes: Vec<NodeProto>, initializer: Vec<TensorProto>, output: &str) -> GraphProto {
    let output = vec![ValueInfoProto { name: text(output), ..Default::default() }];
    GraphProto { node: nodes, initializer, output, ..Default::default() }
}

fn truth(name: &str, holds: bool) -> TensorProto {
    TensorProto { name: text(name), data_type: Some(9), int32_data: vec![i32::from(holds)], ..Default::default() }
}

#[test]
fn a_branch_with_a_constant_condition_is_written_out() {
    for (holds, expected) in [(true, 6.0), (false, -1.0)] {
        // Both branches call their values alike, and read one of the outer graph; a second If calls them so again.
        let doubled = || branch(vec![node("Mul", &["a", "two"], "t")], vec![singles("two", &[1], &[2.0])], "t");
        let negated = || branch(vec![node("Neg", &["x"], "t")], vec![], "t");
        let choice = |from: &str, to: &str, then: GraphProto, otherwise: GraphProto| {
            let branches = vec![subgraph("then_branch", then), subgraph("else_branch", otherwise)];
            with(node("If", &[from], to), branches)
        };
        let nodes = vec![
            node("Mul", &["x", "three"], "a"),
            node("Not", &["not"], "holds"),
            choice("holds", "b", doubled(), negated()),
            choice("always", "y", branch(vec![node("Identity", &["b"], "t")], vec![], "t"), negated()),
        ];
        let initializers = vec![singles("three", &[1], &[3.0]), truth("not", !holds), truth("always", true)];
        let network = load(model(&IMAGE, nodes, initializers)).unwrap();
        assert_eq!(network.forward(&ones()).unwrap().double_value(&[0, 0, 0, 0, 0]), expected);
        assert!(network.steps().iter().all(|step| step.op_type != "If"));
    }
    let either = || branch(vec![node("Neg", &["x"], "t")], vec![], "t");
    let branches = vec![subgraph("then_branch", either()), subgraph("else_branch", either())];
    let nodes =
        vec![node("ReduceMax", &["x"], "m"), node("Cast", &["m"], "c"), with(node("If", &["c"], "y"), branches)];
    let mut open = model(&IMAGE, nodes, vec![]);
    open.graph.as_mut().unwrap().node[1].attribute = vec![attribute("to", Value::Int(9))];
    let message = refusal(open);
    assert!(message.contains("/body/If") && message.contains("condition"), "{message}");
}

#[test]
fn branches_whose_values_are_called_alike_nest_without_growing() {
    // Every branch calls its value as the outer graph does, which would double names at each level if they were shared.
    let mut inner = node("Relu", &["x"], "y");
    for _ in 0..60 {
        let branches = vec![
            subgraph("then_branch", branch(vec![inner], vec![], "y")),
            subgraph("else_branch", branch(vec![node("Neg", &["x"], "y")], vec![], "y")),
        ];
        inner = with(node("If", &["always"], "y"), branches);
    }
    let network = load(model(&IMAGE, vec![inner], vec![truth("always", true)])).unwrap();
    assert_eq!(network.forward(&ones()).unwrap().double_value(&[0, 0, 0, 0, 0]), 1.0);
    assert!(network.steps().iter().all(|step| step.name.len() < 1000));
}

fn function(name: &str, nodes: Vec<NodeProto>) -> FunctionProto {
    FunctionProto {
        name: text(name),
        domain: text("local"),
        input: vec!["p".into()],
        output: vec!["q".into()],
        attribute: vec!["slope".into()],
        node: nodes,
        opset_import: vec![OperatorSetIdProto { domain: text(""), version: Some(17) }],
        ..Default::default()
    }
}

fn call(name: &str, from: &str, to: &str) -> NodeProto {
    NodeProto { domain: text("local"), ..node(name, &[from], to) }
}

#[test]
fn functions_of_the_model_are_written_out() {
    let reference = |name: &str| AttributeProto {
        name: text(name),
        r#type: Some(1),
        ref_attr_name: text("slope"),
        ..Default::default()
    };
    let inner = with(node("LeakyRelu", &["p"], "t"), vec![reference("alpha")]);
    let body = vec![inner, node("Neg", &["t"], "q")];
    let mut calls = model(&IMAGE, vec![call("f", "x", "a"), call("f", "a", "y")], vec![]);
    calls.graph.as_mut().unwrap().node[1].attribute = vec![attribute("slope", Value::Float(0.5))];
    calls.functions = vec![function("f", body)];
    let network = load(calls.clone()).unwrap();
    // x = 1: −1, then −(−1·0.5).
    assert_eq!(network.forward(&ones()).unwrap().double_value(&[0, 0, 0, 0, 0]), 0.5);

    // A function of itself, and functions that each call the next one twice.
    calls.functions = vec![function("f", vec![call("f", "p", "q")])];
    assert!(refusal(calls.clone()).contains("without end"));
    calls.functions = (0..40)
        .map(|i| {
            let next = if i == 39 { node("Relu", &["p"], "t") } else { call(&format!("f{}", i + 1), "p", "t") };
            let again = if i == 39 { node("Relu", &["t"], "q") } else { call(&format!("f{}", i + 1), "t", "q") };
            function(&if i == 0 { "f".to_owned() } else { format!("f{i}") }, vec![next, again])
        })
        .collect();
    let started = Instant::now();
    assert!(load(calls).unwrap_err().contains("without end"));
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}
