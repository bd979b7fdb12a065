//! Numbers and types that no exporter writes end in a sentence, with the status of what is wrong.

use std::fs;
use std::path::Path;
use std::process::Command;

use aliascope::graph::onnx::OnnxFile;
use aliascope::graph::onnx::proto::{ModelProto, NodeProto, TensorProto};
use aliascope::graph::{LoadOptions, Network};
use prost::Message;

use crate::common::asset;
use crate::common::model::{Value, attribute, doubles, ints};
use crate::common::onnx::{model, node};

const IMAGE: [Option<i64>; 4] = [Some(1), Some(3), Some(8), Some(8)];

/// The program's status and what it prints on standard error.
fn aliascope(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aliascope"));
    let output = command.env("OMP_WAIT_POLICY", "passive").args(arguments).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn saved(folder: &Path, model: &ModelProto) -> String {
    let path = folder.join("model.onnx");
    fs::write(&path, model.encode_to_vec()).unwrap();
    path.to_str().unwrap().to_owned()
}

fn with(mut node: NodeProto, name: &str, value: Value) -> NodeProto {
    node.attribute = vec![attribute(name, value)];
    node
}

fn refusal(nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> String {
    let file = OnnxFile { path: "test.onnx".into(), model: model(&IMAGE, nodes, constants) };
    let message = Network::from_file(&file, &LoadOptions::default()).expect_err("it is refused").to_string();
    for word in ["torch", "c10", "Expected", "Tensor", "Exception", "\n"] {
        assert!(!message.contains(word), "{message}");
    }
    message
}

#[test]
fn attributes_beyond_what_they_count_are_refused_by_name() {
    let weight = || vec![doubles("w", &[3, 3, 3, 3], &[0.1; 81])];
    for value in [1 << 62, 1 << 32, i64::MAX, i64::MIN] {
        for (operator, inputs, name, list) in [
            ("Conv", vec!["x", "w"], "group", 0),
            ("Conv", vec!["x", "w"], "strides", 2),
            ("Conv", vec!["x", "w"], "dilations", 2),
            ("Conv", vec!["x", "w"], "pads", 4),
            ("Conv", vec!["x", "w"], "kernel_shape", 2),
            ("ConvTranspose", vec!["x", "w"], "output_padding", 2),
            ("MaxPool", vec!["x"], "kernel_shape", 2),
            ("AveragePool", vec!["x"], "kernel_shape", 2),
            ("Softmax", vec!["x"], "axis", 0),
            ("ReduceMean", vec!["x"], "axes", 1),
            ("DepthToSpace", vec!["x"], "blocksize", 0),
            ("LRN", vec!["x"], "size", 0),
        ] {
            let given = if list == 0 { Value::Int(value) } else { Value::Ints(vec![value; list]) };
            let message = refusal(vec![with(node(operator, &inputs, "y"), name, given)], weight());
            assert!(message.contains(name) && message.contains(operator), "{operator}.{name} = {value}: {message}");
        }
    }
}

#[test]
fn types_that_do_not_fit_are_named_and_the_file_is_to_blame() {
    let folder = tempfile::tempdir().unwrap();
    let long = || vec![ints("k", &[8, 8], &[1; 64])];
    let message = refusal(vec![node("MatMul", &["x", "k"], "y")], long());
    for words in ["MatMul", "[1, 3, 8, 8] float", "[8, 8] int64", "types"] {
        assert!(message.contains(words), "{message}");
    }
    let path = saved(folder.path(), &model(&IMAGE, vec![node("MatMul", &["x", "k"], "y")], long()));
    let (status, stderr) = aliascope(&["inspect", &path]);
    assert_eq!(status, Some(3), "{stderr}");
}

#[test]
fn more_threads_than_a_machine_can_have_are_refused() {
    let (lite, photo) = (asset("models/efficientnet-lite0.onnx"), asset("photos/chelsea.png"));
    let arguments = ["lee", lite.to_str().unwrap(), "--images", photo.to_str().unwrap(), "--threads", "65535"];
    let (status, stderr) = aliascope(&arguments);
    assert_eq!(status, Some(2), "{stderr}");
    assert!(stderr.contains("--threads 65535") && stderr.lines().count() == 1, "{stderr}");
}

#[test]
fn vectors_of_outputs_without_a_batch_axis_keep_all_their_axes() {
    let folder = tempfile::tempdir().unwrap();
    let photo = asset("photos/chelsea.png");
    for (shape, expected) in [(vec![3], vec![2, 3]), (vec![3, 1], vec![2, 3, 1]), (vec![1, 3], vec![2, 3])] {
        let nodes = vec![node("GlobalAveragePool", &["x"], "pooled"), node("Reshape", &["pooled", "shape"], "y")];
        let rank = shape.len() as i64;
        let path = saved(folder.path(), &model(&IMAGE, nodes, vec![ints("shape", &[rank], &shape)]));
        let vectors = folder.path().join("vectors.safetensors");
        let (vectors_name, photo) = (vectors.to_str().unwrap(), photo.to_str().unwrap());
        let arguments = ["lee", &path, "--images", photo, photo, "--vectors", vectors_name, "--force", "--quiet"];
        let (status, stderr) = aliascope(&arguments);
        assert_eq!(status, Some(0), "{shape:?}: {stderr}");
        let bytes = fs::read(&vectors).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        for key in ["value", "lie/rotate"] {
            assert_eq!(file.tensor(key).unwrap().shape(), expected, "{key} of {shape:?}");
        }
    }
}
