//! `aliascope theorem --model` as a user meets it.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use predicates::prelude::*;
use prost::Message;
use serde_json::Value;

use crate::common::asset;
use crate::common::onnx::{ints, model, node};

/// A strided max-pooling, an average pooling that does not close on the torus, and an activation, on 24 × 24 pixels.
fn small(folder: &Path) -> std::path::PathBuf {
    let pool = |op: &str, input: &str, output: &str, stride: i64| {
        let mut pool = node(op, &[input], output);
        pool.attribute = vec![ints("kernel_shape", &[2, 2]), ints("strides", &[stride, stride])];
        pool
    };
    let nodes = vec![pool("MaxPool", "x", "a", 2), node("Relu", &["a"], "b"), pool("AveragePool", "b", "y", 5)];
    let path = folder.join("small.onnx");
    fs::write(&path, model(&[Some(1), Some(3), Some(24), Some(24)], nodes, vec![]).encode_to_vec()).unwrap();
    path
}

fn theorem(model: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aliascope"));
    command.env("OMP_WAIT_POLICY", "passive").current_dir(env!("CARGO_MANIFEST_DIR"));
    command.args(["theorem", "--velocity", "0.8,-0.6", "--preprocess", "half", "--model"]).arg(model);
    command.arg("--images").arg(asset("photos/coffee.png"));
    command
}

#[test]
fn every_output_tells_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let path = small(folder);
    let mut command = theorem(&path);
    for (flag, name) in [("--json", "t.json"), ("--csv", "t.csv"), ("--plot", "t.png")] {
        command.arg(flag).arg(folder.join(name));
    }
    let words = ["Max pooling", "Activations", "Not checked:", "does not divide 12 columns and 12 rows"];
    let run = command.assert().success();
    for word in words {
        let stdout = String::from_utf8_lossy(&run.get_output().stdout).into_owned();
        assert!(stdout.contains(word), "{word} in:\n{stdout}");
    }
    let report: Value = serde_json::from_slice(&fs::read(folder.join("t.json")).unwrap()).unwrap();
    let nodes = report["nodes"].as_array().unwrap();
    assert_eq!(nodes.iter().map(|n| n["op"].as_str().unwrap()).collect::<Vec<_>>(), ["MaxPool", "Relu"]);
    assert_eq!(report["skipped"][0]["op"], "AveragePool");
    assert!(report["map"].is_null(), "of one node alone");
    let csv = fs::read_to_string(folder.join("t.csv")).unwrap();
    for (row, node) in csv.lines().skip(1).zip(nodes) {
        let measured: f64 = row.split(',').nth(9).unwrap().parse().unwrap();
        assert_eq!(Some(measured), node["measured"].as_f64());
    }
    let picture = image::open(folder.join("t.png")).unwrap();
    assert!(picture.width() > 2000, "{}", picture.width());

    // JSON on standard output has it to itself; the map of one node comes with it.
    let run = theorem(&path).args(["--node", "/body/Relu", "--json", "-"]).assert().success();
    let report: Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
    assert_eq!(report["map"]["node"], "/body/Relu");
    // σ(h) on a grid four times as fine as the 12 × 12 samples.
    assert_eq!(report["map"]["fine"], serde_json::json!([48, 48]));
    assert_eq!(report["map"]["coarse"], serde_json::json!([12, 12]));
    let sum = |name: &str| {
        let rows = report["map"][name].as_array().unwrap().iter();
        rows.flat_map(|row| row.as_array().unwrap()).map(|v| v.as_f64().unwrap()).sum::<f64>()
    };
    assert!(sum("power") > 0.0 && sum("damage") > 0.0);
    theorem(&path).arg("--quiet").assert().success().stdout("").stderr("");
}

#[test]
fn what_cannot_be_done_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = small(folder.path());
    let refuses = |command: &mut Command, status: i32, word: &str| {
        command.assert().code(status).stdout("").stderr(predicate::str::contains(word));
    };
    refuses(theorem(&path).args(["--node", "/body/Rellu"]), 2, "near are /body/Relu");
    refuses(theorem(&path).args(["--oversample", "1"]), 2, "2..=16");
    refuses(theorem(&path).args(["--grid", "7"]), 2, "cannot be used with");
    let taken = folder.path().join("taken.csv");
    fs::write(&taken, "kept").unwrap();
    refuses(theorem(&path).arg("--csv").arg(&taken), 6, "exists");
    let mut alone = Command::new(env!("CARGO_BIN_EXE_aliascope"));
    refuses(alone.args(["theorem", "--model"]).arg(&path), 2, "--images");
    let mut csv = Command::new(env!("CARGO_BIN_EXE_aliascope"));
    refuses(csv.args(["theorem", "--random", "1", "--grid", "7", "--node", "x"]), 2, "MODEL");
    let tensor = folder.path().join("nan.safetensors");
    let bytes: Vec<u8> = std::iter::repeat_n(f32::NAN, 3 * 24 * 24).flat_map(f32::to_le_bytes).collect();
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![1, 3, 24, 24], &bytes).unwrap();
    fs::write(&tensor, safetensors::serialize([("x", view)], None).unwrap()).unwrap();
    let mut nan = Command::new(env!("CARGO_BIN_EXE_aliascope"));
    nan.arg("theorem").arg("--model").arg(&path).arg("--images").arg(&tensor);
    refuses(&mut nan, 7, "NaN");
}
