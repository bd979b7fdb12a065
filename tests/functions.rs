//! Functions of a model, and names that are keys: what has the same name is told apart, or refused.

use std::path::PathBuf;

use aliascope::graph::onnx::proto::*;
use aliascope::graph::onnx::{OnnxFile, OnnxTensor};
use aliascope::graph::{LoadOptions, Network, missing_operators};
use prost::Message;
use tch::{Kind, Tensor};

use crate::common::model::{Value, attribute, doubles};
use crate::common::onnx::{model, node, text};

const SHAPE: [Option<i64>; 4] = [Some(1), Some(2), Some(2), Some(5)];

fn file(model: ModelProto) -> OnnxFile {
    OnnxFile { path: PathBuf::from("test.onnx"), model }
}

/// The output for ones.
fn output(model: ModelProto) -> Result<Tensor, String> {
    let x = Tensor::ones([1, 1, 2, 2, 5], (Kind::Float, tch::Device::Cpu));
    let network = Network::from_file(&file(model), &LoadOptions::default()).map_err(|error| error.to_string())?;
    network.forward(&x).map_err(|error| error.to_string())
}

fn first(y: &Tensor) -> f64 {
    y.flatten(0, -1).double_value(&[0])
}

fn imports(version: i64) -> Vec<OperatorSetIdProto> {
    vec![OperatorSetIdProto { domain: text(""), version: Some(version) }]
}

fn function(name: &str, overload: &str, nodes: Vec<NodeProto>) -> FunctionProto {
    FunctionProto {
        name: text(name),
        domain: text("local"),
        overload: text(overload),
        input: vec!["p".into()],
        output: vec!["q".into()],
        node: nodes,
        opset_import: imports(17),
        ..Default::default()
    }
}

fn call(name: &str, overload: &str, from: &str, to: &str) -> NodeProto {
    NodeProto { domain: text("local"), overload: text(overload), ..node(name, &[from], to) }
}

/// p times a constant.
fn scaled(by: f64) -> Vec<NodeProto> {
    let constant = AttributeProto {
        name: text("value"),
        r#type: Some(4),
        t: Some(Box::new(doubles("", &[], &[by]))),
        ..Default::default()
    };
    let constant = NodeProto { attribute: vec![constant], ..node("Constant", &[], "c") };
    vec![constant, node("Mul", &["p", "c"], "q")]
}

fn overloaded() -> ModelProto {
    let nodes = vec![call("f", "a", "x", "s"), call("f", "b", "s", "t"), node("Add", &["s", "t"], "y")];
    let mut both = model(&SHAPE, nodes, vec![]);
    both.functions = vec![function("f", "a", scaled(2.0)), function("f", "b", scaled(3.0))];
    both
}

#[test]
fn overloads_of_a_function_are_told_apart() {
    // 2 + 2·3; the last of both alone would give 3 + 9.
    assert_eq!(first(&output(overloaded()).unwrap()), 8.0);
    let bytes = file(overloaded()).to_bytes().unwrap();
    assert_eq!(ModelProto::decode(bytes.as_slice()).unwrap(), overloaded());
    let mut gone = overloaded();
    gone.functions.pop();
    assert!(output(gone).unwrap_err().contains("the operator f"));
    let mut twice = overloaded();
    twice.functions[1].overload = text("a");
    let message = output(twice).unwrap_err();
    assert!(message.contains("'f' (overload 'a')") && message.contains("is there twice"), "{message}");
}

#[test]
fn a_functions_own_opset_says_what_its_nodes_mean() {
    let mut sums = model(&SHAPE, vec![call("f", "", "x", "t"), node("Softmax", &["t"], "y")], vec![]);
    sums.functions = vec![function("f", "", vec![node("Softmax", &["p"], "q")])];
    // Opset 11: over all of 2·2·5 entries, 1/20 each. Opset 17: over the last axis, 1/5.
    sums.functions[0].opset_import = imports(11);
    let mut inner = sums.clone();
    inner.graph.as_mut().unwrap().node = vec![call("f", "", "x", "y")];
    assert!((first(&output(inner).unwrap()) - 1.0 / 20.0).abs() < 1e-7);
    assert!((first(&output(sums.clone()).unwrap()) - 1.0 / 5.0).abs() < 1e-7);
    sums.functions[0].opset_import = imports(5);
    assert!(output(sums.clone()).unwrap_err().contains("opset 5"));
    sums.functions[0].opset_import = [imports(11), imports(17)].concat();
    assert!(output(sums).unwrap_err().contains("two opsets"));
}

#[test]
fn branches_in_functions_see_the_functions_attributes() {
    let alpha =
        AttributeProto { name: text("alpha"), r#type: Some(1), ref_attr_name: text("slope"), ..Default::default() };
    let leaky = NodeProto { attribute: vec![alpha], ..node("LeakyRelu", &["n"], "b") };
    let branch = |node: NodeProto| GraphProto {
        output: vec![ValueInfoProto { name: Some(node.output[0].clone()), ..Default::default() }],
        node: vec![node],
        ..Default::default()
    };
    let graph = |name: &str, graph: GraphProto| AttributeProto {
        name: text(name),
        r#type: Some(5),
        g: Some(Box::new(graph)),
        ..Default::default()
    };
    let choice = NodeProto {
        attribute: vec![graph("then_branch", branch(leaky)), graph("else_branch", branch(node("Neg", &["n"], "b")))],
        ..node("If", &["always"], "q")
    };
    let always = TensorProto { data_type: Some(9), int32_data: vec![1], ..Default::default() };
    let always =
        AttributeProto { name: text("value"), r#type: Some(4), t: Some(Box::new(always)), ..Default::default() };
    let always = NodeProto { attribute: vec![always], ..node("Constant", &[], "always") };
    let mut leaks = function("f", "", vec![always, node("Neg", &["p"], "n"), choice]);
    leaks.attribute = vec!["slope".into()];
    let called = NodeProto { attribute: vec![attribute("slope", Value::Float(0.25))], ..call("f", "", "x", "y") };
    let mut calls = model(&SHAPE, vec![called], vec![]);
    calls.functions = vec![leaks.clone()];
    assert_eq!(first(&output(calls.clone()).unwrap()), -0.25);
    // Names that are there twice.
    calls.graph.as_mut().unwrap().node[0].attribute.push(attribute("slope", Value::Float(0.5)));
    assert!(output(calls.clone()).unwrap_err().contains("'slope' twice"));
    calls.graph.as_mut().unwrap().node[0].attribute.pop();
    calls.functions[0].input = vec!["p".into(), "p".into()];
    assert!(output(calls.clone()).unwrap_err().contains("two inputs of its function are called 'p'"));
    calls.functions[0].input = vec!["n".into()];
    assert!(output(calls).unwrap_err().contains("makes the value 'n' twice"));
}

#[test]
fn all_that_a_model_lacks_is_told_at_once() {
    let inner = vec![node("Frobnicate", &["p"], "t"), node("Gru", &["t"], "q")];
    let nodes = vec![call("f", "", "x", "a"), node("Frobnicate", &["a"], "b"), node("Loop", &["b"], "y")];
    let mut lacking = model(&SHAPE, nodes, vec![]);
    lacking.functions = vec![function("f", "", inner)];
    let missing = missing_operators(&file(lacking));
    let told: Vec<(&str, usize)> = missing.iter().map(|m| (m.operator.as_str(), m.count)).collect();
    assert_eq!(told, [("Frobnicate", 2), ("Gru", 1), ("Loop", 1)]);
    assert!(missing[2].reason.contains("loops are not unrolled"), "{missing:?}");
    assert!(missing[1].reason.contains("GRU"), "{missing:?}");
    assert_eq!(missing[0].reason.matches(',').count() + missing[0].reason.matches(" and ").count(), 2, "{missing:?}");
}

#[cfg(unix)]
#[test]
fn data_beside_a_linked_model_are_read_and_nothing_else_outside() {
    use std::os::unix::fs::symlink;
    let root = tempfile::tempdir().unwrap();
    let (blobs, snapshot) = (root.path().join("blobs"), root.path().join("snapshots/main/onnx"));
    std::fs::create_dir_all(&blobs).unwrap();
    std::fs::create_dir_all(&snapshot).unwrap();
    let entry = |key: &str, value: &str| StringStringEntryProto { key: text(key), value: text(value) };
    let weight = TensorProto {
        name: text("w"),
        dims: vec![1],
        data_type: Some(1),
        data_location: Some(1),
        external_data: vec![entry("location", "model.onnx_data")],
        ..Default::default()
    };
    let bytes = model(&SHAPE, vec![node("Mul", &["x", "w"], "y")], vec![weight.clone()]).encode_to_vec();
    std::fs::write(blobs.join("model"), bytes).unwrap();
    std::fs::write(blobs.join("data"), 2.5f32.to_le_bytes()).unwrap();
    symlink("../../../blobs/model", snapshot.join("model.onnx")).unwrap();
    symlink("../../../blobs/data", snapshot.join("model.onnx_data")).unwrap();
    let network = Network::load(&snapshot.join("model.onnx"), &LoadOptions::default()).unwrap();
    let x = Tensor::ones([1, 1, 2, 2, 5], (Kind::Float, tch::Device::Cpu));
    assert_eq!(first(&network.forward(&x).unwrap()), 2.5);
    // Elsewhere than where the model is a link to, or where none is.
    let read = |weight: &TensorProto| OnnxTensor::from_proto(weight, &snapshot, "w").unwrap_err().to_string();
    std::fs::remove_file(snapshot.join("model.onnx")).unwrap();
    let message = read(&weight);
    assert!(message.contains("is a link that leads outside") && message.contains("put the file itself"), "{message}");
    for location in ["../onnx/../../../blobs/data", "/etc/hostname"] {
        let away = TensorProto { external_data: vec![entry("location", location)], ..weight.clone() };
        assert!(read(&away).contains("lies outside"), "{location}");
    }
    let mut twice = weight;
    twice.external_data.push(entry("location", "other"));
    assert!(read(&twice).contains("'location' twice"));
}
