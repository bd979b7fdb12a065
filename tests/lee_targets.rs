//! Which value of a model is measured: several outputs, inner values, and outputs that are locally constant.

use std::fs;
use std::path::{Path, PathBuf};

use aliascope::graph::onnx::proto::*;
use assert_cmd::Command;
use predicates::prelude::*;
use prost::Message;
use serde_json::Value;

use crate::common::asset;
use crate::common::onnx::{ints, model, node, text};

fn run(command: &str, model: &Path, more: &[&str]) -> Command {
    let mut built = Command::new(env!("CARGO_BIN_EXE_aliascope"));
    built.env("OMP_WAIT_POLICY", "passive").current_dir(env!("CARGO_MANIFEST_DIR"));
    built.arg(command).arg(model).arg("--images").arg(asset("photos/chelsea.png")).args(more);
    built
}

fn json(command: &mut Command) -> Value {
    let output = command.args(["--json", "-"]).assert().success();
    serde_json::from_slice(&output.get_output().stdout).expect("standard output is JSON alone")
}

fn refuses(mut command: Command, status: i32, words: &[&str]) {
    let assert = command.assert().code(status).stdout("");
    let stderr = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    let messages: Vec<&str> = stderr.lines().filter(|line| !line.starts_with("note:")).collect();
    assert_eq!(messages.len(), 1, "one message, not:\n{stderr}");
    for word in words {
        assert!(messages[0].contains(word), "'{word}' is not in: {stderr}");
    }
}

fn named(op_type: &str, name: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto { name: text(name), ..node(op_type, inputs, output) }
}

fn integer(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: text(name), r#type: Some(2), i: Some(value), ..Default::default() }
}

/// Maps of 8 channels, pooled and flattened to eight scores, on images of 16 × 16; further nodes after.
fn scores(folder: &Path, file: &str, after: Vec<NodeProto>, outputs: &[&str]) -> PathBuf {
    let weights: Vec<f32> = (0..8 * 3 * 9).map(|i| ((i * 37 % 23) as f32 - 11.0) * 0.05).collect();
    let kernel = TensorProto {
        name: text("kernel"),
        data_type: Some(1),
        dims: vec![8, 3, 3, 3],
        float_data: weights,
        ..Default::default()
    };
    let mut conv = named("Conv", "/stem/conv/Conv", &["x", "kernel"], "/stem/conv/out");
    conv.attribute = vec![ints("pads", &[1, 1, 1, 1]), ints("strides", &[2, 2])];
    let mut nodes = vec![
        conv,
        named("Relu", "/stem/act/Relu", &["/stem/conv/out"], "/stem/act/out"),
        named("GlobalAveragePool", "/pool/Pool", &["/stem/act/out"], "/pool/out"),
        named("Flatten", "/flatten/Flatten", &["/pool/out"], "scores"),
    ];
    nodes.extend(after);
    let mut made = model(&[Some(1), Some(3), Some(16), Some(16)], nodes, vec![kernel]);
    let graph = made.graph.as_mut().unwrap();
    let value = |name: &&str| ValueInfoProto { name: text(name), ..graph.output[0].clone() };
    let outputs: Vec<ValueInfoProto> = outputs.iter().map(value).collect();
    graph.output = outputs;
    let path = folder.join(file);
    fs::write(&path, made.encode_to_vec()).unwrap();
    path
}

#[test]
fn locally_constant_outputs_are_refused_with_the_node_and_the_value_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut arg_max = named("ArgMax", "/head/ArgMax", &["scores"], "y");
    arg_max.attribute = vec![integer("axis", 1), integer("keepdims", 1)];
    let cast = |to: i64| {
        let mut cast = named("Cast", "/head/Cast", &["scores"], "y");
        cast.attribute = vec![integer("to", to)];
        cast
    };
    for (what, after, node) in [
        ("ArgMax", vec![arg_max.clone()], "/head/ArgMax"),
        ("Round", vec![named("Round", "/head/Round", &["scores"], "y")], "/head/Round"),
        ("Sign", vec![named("Sign", "/head/Sign", &["scores"], "y")], "/head/Sign"),
        ("Cast", vec![cast(2)], "/head/Cast"),
        ("Cast", vec![cast(9)], "/head/Cast"),
        // What comes after it moves as little.
        (
            "Floor",
            vec![
                named("Floor", "/head/Floor", &["scores"], "whole"),
                named("Mul", "/head/Mul", &["whole", "whole"], "y"),
            ],
            "/head/Floor",
        ),
    ] {
        let path = scores(folder, "model.onnx", after, &["y"]);
        for command in ["lee", "layers"] {
            refuses(
                run(command, &path, &[]),
                4,
                &["'y' is locally constant", node, what, "measure the value before it with --at 'scores'"],
            );
        }
        // As the sentence says.
        let report = json(&mut run("lee", &path, &["--at", "scores"]));
        assert!(report["generators"]["saturate"]["lee"].as_f64().unwrap() > 0.0);
    }
    // One path that moves is enough, and then nothing is said.
    let after =
        vec![named("Round", "/head/Round", &["scores"], "whole"), named("Sub", "/head/Sub", &["scores", "whole"], "y")];
    let half = scores(folder, "half.onnx", after, &["y"]);
    let whole = scores(folder, "whole.onnx", vec![], &["scores"]);
    let lee = |path: &Path| json(&mut run("lee", path, &["--output", "logits"]))["gram"]["matrix"].clone();
    assert_eq!(lee(&half), lee(&whole));
    // Nothing before it moves.
    let first = model(&[Some(1), Some(3), Some(16), Some(16)], vec![node("Round", &["x"], "y")], vec![]);
    let path = folder.join("first.onnx");
    fs::write(&path, first.encode_to_vec()).unwrap();
    refuses(run("lee", &path, &[]), 4, &["locally constant", "/body/Round", "no node before it"]);
}

#[test]
fn an_inner_value_is_measured_by_the_name_of_its_node_or_its_own() {
    let folder = tempfile::tempdir().unwrap();
    // Nothing after the value needs to be known.
    let after = vec![named("Frobnicate", "/head/Frobnicate", &["scores"], "y")];
    let path = scores(folder.path(), "model.onnx", after, &["y"]);
    refuses(run("lee", &path, &[]), 4, &["Frobnicate"]);
    let by = |name: &str| json(&mut run("lee", &path, &["--at", name]));
    let report = by("/stem/act/Relu");
    assert_eq!(report["run"]["output"]["name"], "/stem/act/out");
    assert_eq!(report["run"]["model"]["output_shape"], serde_json::json!([1, 8, 8, 8]));
    assert_eq!(
        (&report["run"]["output"]["action"], &report["run"]["output"]["function"]),
        (&"image".into(), &"identity".into())
    );
    for name in ["/stem/act/out", "act/Relu", "act/out", "Relu"] {
        assert_eq!(by(name)["gram"], report["gram"], "{name}");
    }
    // Under translations the same as a model that ends there; about the middle, where that model's output is an image of
    // its own, and the inner value moves where its samples were tracked.
    let cut = scores(folder.path(), "cut.onnx", vec![], &["/stem/act/out"]);
    let cut = json(&mut run("lee", &cut, &[]));
    for (i, j) in [(0, 0), (0, 1), (1, 1)] {
        assert_eq!(cut["gram"]["matrix"][i][j], report["gram"]["matrix"][i][j]);
    }
    assert_ne!(cut["gram"]["matrix"][2][2], report["gram"]["matrix"][2][2]);
    // An inner vector is no class scores, unless that is said.
    assert_eq!(by("scores")["run"]["output"]["function"], "identity");
    let softmax = json(&mut run("lee", &path, &["--at", "scores", "--output", "softmax"]));
    assert_eq!(softmax["run"]["output"]["function"], "softmax");

    let layers = json(&mut run("layers", &path, &["--at", "act/Relu", "--precision", "f64"]));
    assert_eq!(layers["run"]["output"]["name"], "/stem/act/out");
    assert!(layers["conservation_residual"].as_f64().unwrap() < 1e-10);
    assert_eq!(layers["layers"].as_array().unwrap().len(), 2);
    run("lee", &path, &["--at", "act/Relu"]).assert().success().stdout(predicate::str::contains("/stem/act/out"));
    run("layers", &path, &["--at", "act/Relu"]).assert().success().stdout(predicate::str::contains("/stem/act/out"));

    refuses(run("lee", &path, &["--at", "stem/act/Rele"]), 2, &["--at stem/act/Rele", "/stem/act/Relu"]);
    refuses(run("lee", &path, &["--at", "out"]), 2, &["several names", "'/stem/conv/out'", "'/stem/act/out'"]);
}

#[test]
fn nodes_inside_of_functions_are_found_too() {
    let folder = tempfile::tempdir().unwrap();
    let call = NodeProto { domain: text("own"), ..named("Twice", "/head/twice", &["/pool/out"], "y") };
    let path = scores(folder.path(), "model.onnx", vec![call], &["y"]);
    let mut made = ModelProto::decode(fs::read(&path).unwrap().as_slice()).unwrap();
    made.opset_import.push(OperatorSetIdProto { domain: text("own"), version: Some(1) });
    made.functions.push(FunctionProto {
        name: text("Twice"),
        domain: text("own"),
        input: vec!["a".to_owned()],
        output: vec!["c".to_owned()],
        node: vec![named("Sigmoid", "squash", &["a"], "b"), named("Add", "both", &["b", "b"], "c")],
        opset_import: vec![OperatorSetIdProto { domain: text(""), version: Some(17) }],
        ..Default::default()
    });
    fs::write(&path, made.encode_to_vec()).unwrap();
    let whole = json(&mut run("lee", &path, &[]));
    let inner = json(&mut run("lee", &path, &["--at", "squash"]));
    let lee = |report: &Value| report["generators"]["saturate"]["lee"].as_f64().unwrap();
    assert!((lee(&whole) / lee(&inner) - 4.0).abs() < 1e-5, "{} {}", lee(&whole), lee(&inner));
}

#[test]
fn one_of_several_outputs_is_measured_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let after = vec![named("Sigmoid", "/head/Sigmoid", &["scores"], "y")];
    let path = scores(folder.path(), "model.onnx", after, &["y", "/stem/act/out"]);
    let first = run("lee", &path, &[]).assert().success();
    first.stderr(predicate::str::contains("measured is the output 'y'; not measured: /stem/act/out (--output-name"));
    let report = json(&mut run("lee", &path, &["--output-name", "/stem/act/out"]));
    assert_eq!(
        (&report["run"]["output"]["name"], &report["run"]["output"]["action"]),
        (&"/stem/act/out".into(), &"image".into())
    );
    let layers = json(&mut run("layers", &path, &["--output-name", "act/out", "--precision", "f64"]));
    assert_eq!(layers["run"]["output"]["action"], "image");
    refuses(run("lee", &path, &["--output-name", "z"]), 2, &["--output-name z", "'y'", "'/stem/act/out'"]);
    run("lee", &path, &["--output-name", "y", "--at", "scores"]).assert().code(2);
}
