//! `aliascope antialias --model` on networks of a few nodes: places in branches, and advice that chooses nothing.

use std::fs;
use std::path::{Path, PathBuf};

use aliascope::graph::onnx::proto::*;
use assert_cmd::Command;
use prost::Message;
use serde_json::Value;

use crate::common::asset;
use crate::common::onnx::{ints, model, node, text};

const SIDE: i64 = 24;

fn antialias(model: &Path, more: &[&str]) -> (Value, String) {
    let run = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aliascope"));
        command.env("OMP_WAIT_POLICY", "passive").args(["antialias", "--replace", "stride=blurpool:3", "--draws", "0"]);
        command.args(["--preprocess", "half", "--precision", "f64", "--model"]).arg(model).args(more);
        command.arg("--images").arg(asset("photos/chelsea.png"));
        command.output().unwrap()
    };
    let (table, json) = (run(more), run(&[more, &["--json", "-"]].concat()));
    assert!(table.status.success() && json.status.success(), "{}", String::from_utf8_lossy(&json.stderr));
    (serde_json::from_slice(&json.stdout).unwrap(), String::from_utf8(table.stdout).unwrap())
}

fn kernel(name: &str, inputs: i64) -> TensorProto {
    TensorProto {
        name: text(name),
        data_type: Some(1),
        dims: vec![4, inputs, 3, 3],
        float_data: (0..4 * inputs * 9).map(|i| ((i * 37 % 23) as f32 - 11.0) * 0.05).collect(),
        ..Default::default()
    }
}

fn strided(input: &str, kernel: &str, output: &str) -> NodeProto {
    let mut conv = node("Conv", &[input, kernel], output);
    conv.attribute = vec![ints("pads", &[1, 1, 1, 1]), ints("strides", &[2, 2])];
    conv
}

/// Strided maps and a kink, twice, then a vector that is no scores.
fn network(folder: &Path, name: &str, middle: Vec<NodeProto>) -> PathBuf {
    let mut nodes = vec![strided("x", "first", "maps"), node("Relu", &["maps"], "active")];
    nodes.extend(middle);
    nodes.push(node("GlobalAveragePool", &["deep"], "pooled"));
    nodes.push(node("Flatten", &["pooled"], "y"));
    let constants = vec![kernel("first", 3), kernel("second", 4)];
    let mut made = model(&[Some(1), Some(3), Some(SIDE), Some(SIDE)], nodes, constants);
    let graph = made.graph.as_mut().unwrap();
    for value in graph.node.iter_mut().flat_map(|node| &mut node.output).filter(|value| *value == "y") {
        *value = "embedding".to_owned();
    }
    graph.output[0].name = text("embedding");
    let path = folder.join(name);
    fs::write(&path, made.encode_to_vec()).unwrap();
    path
}

#[test]
fn places_in_the_branch_that_is_taken_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let inner = || vec![strided("active", "second", "halved"), node("Relu", &["halved"], "deep")];
    let plain = network(folder.path(), "plain.onnx", inner());

    let branch = |nodes: Vec<NodeProto>, output: &str| {
        let output = ValueInfoProto { name: text(output), ..Default::default() };
        GraphProto { node: nodes, output: vec![output], name: text("branch"), ..Default::default() }
    };
    let graph = |name: &str, graph: GraphProto| AttributeProto {
        name: text(name),
        r#type: Some(5),
        g: Some(Box::new(graph)),
        ..Default::default()
    };
    let held = |name: &str, value: i64| {
        let tensor = TensorProto { data_type: Some(7), int64_data: vec![value], ..Default::default() };
        let value =
            AttributeProto { name: text("value"), r#type: Some(4), t: Some(Box::new(tensor)), ..Default::default() };
        NodeProto { attribute: vec![value], ..node("Constant", &[], name) }
    };
    let mut choose = node("If", &["large"], "deep");
    choose.attribute = vec![
        graph("then_branch", branch(vec![strided("active", "second", "halved"), node("Relu", &["halved"], "t")], "t")),
        graph("else_branch", branch(vec![node("Sigmoid", &["active"], "e")], "e")),
    ];
    // Whether the input has more than ten rows, as exporters ask of shapes.
    let nodes = vec![
        node("Shape", &["x"], "shape"),
        held("two", 2),
        held("ten", 10),
        node("Gather", &["shape", "two"], "rows"),
        node("Greater", &["rows", "ten"], "large"),
        choose,
    ];
    let branched = network(folder.path(), "branched.onnx", nodes);

    let (a, b) = (antialias(&plain, &[]).0, antialias(&branched, &[]).0);
    assert_eq!(a["insertions"].as_array().unwrap().len(), 2);
    let names: Vec<&str> =
        b["insertions"].as_array().unwrap().iter().map(|insertion| insertion["name"].as_str().unwrap()).collect();
    assert!(names.len() == 2 && names[1].contains("If"), "{names:?}");
    for generator in ["translate_x", "rotate"] {
        for side in ["before", "after"] {
            let of = |report: &Value| report["generators"][generator][side].as_f64().unwrap();
            assert!((of(&a) - of(&b)).abs() <= 1e-9 * of(&a), "{generator}, {side}: {} {}", of(&a), of(&b));
        }
        assert!(a["generators"][generator]["before"] != a["generators"][generator]["after"]);
    }
}

#[test]
fn advice_that_chooses_nothing_says_so_and_measures_the_network_once() {
    let folder = tempfile::tempdir().unwrap();
    let middle = vec![strided("active", "second", "halved"), node("Relu", &["halved"], "deep")];
    let model = network(folder.path(), "small.onnx", middle);
    let saved = folder.path().join("new.onnx");
    // Of the deeper place alone, whose filter makes the error under a change of scale no smaller.
    let more = ["--advise", "--where", "Conv_1", "--generator", "scale", "--save", saved.to_str().unwrap()];
    let (report, table) = antialias(&model, &more);
    assert_eq!(report["insertions"].as_array().unwrap().len(), 0);
    assert!(report["advice"]["steps"].as_array().unwrap().iter().all(|step| step["chosen"] == ""), "{report}");
    assert!(!report["advice"]["ended"].as_str().unwrap().is_empty());
    assert!(table.contains("Nothing was replaced") && table.contains("LEE falls at none"), "{table}");
    assert!(!saved.exists(), "a network that is the old one is not saved");
    // One measurement stands on both sides: not even a clock tells them apart.
    assert_eq!(report["cost"]["time_ratio"], 1.0);
    assert_eq!(report["cost"]["forward_ms_before"], report["cost"]["forward_ms_after"]);
    for (name, pair) in report["generators"].as_object().unwrap() {
        assert!(pair["before"] == pair["after"] && pair["before"].as_f64().unwrap() > 0.0, "{name}: {pair}");
    }
}
