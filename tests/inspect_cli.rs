//! `aliascope inspect` as a user meets it: what is missing, and how wide it is.

use std::fs;
use std::process::Output;

use aliascope::graph::onnx::proto::*;
use assert_cmd::Command;
use prost::Message;

use crate::common::asset;
use crate::common::onnx::{model, node, text};

fn inspect(model: &std::path::Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_aliascope")).arg("inspect").arg(model).args(more).output().unwrap()
}

#[test]
fn all_missing_operators_are_listed_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing.onnx");
    let foreign = NodeProto { domain: text("ai.vendor"), ..node("Twist", &["b"], "c") };
    let nodes = vec![
        node("Sparkle", &["x"], "a"),
        node("Relu", &["a"], "b"),
        foreign,
        node("Sparkle", &["c"], "d"),
        node("QLinearConv", &["d"], "e"),
        node("Loop", &["e"], "y"),
    ];
    fs::write(&path, model(&[Some(1), Some(3), Some(8), Some(8)], nodes, vec![]).encode_to_vec()).unwrap();
    let output = inspect(&path, &[]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    assert!(output.stdout.is_empty());
    let lines: Vec<&str> = stderr.lines().collect();
    // A line for each, and one before them.
    assert_eq!(lines.len(), 5, "{stderr}");
    assert!(lines[0].contains("missing.onnx: operators that are not supported:"), "{stderr}");
    let has = |words: &[&str]| lines.iter().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(has(&["Sparkle (2 nodes, first '/body/Sparkle')", "nearest supported are"]), "{stderr}");
    assert!(has(&["Twist of ai.vendor (node '/body/Twist')"]), "{stderr}");
    assert!(has(&["QLinearConv (node '/body/QLinearConv')", "--quantised straight-through"]), "{stderr}");
    assert!(has(&["Loop (node '/body/Loop')", "not unrolled"]), "{stderr}");
    assert!(!has(&["  Relu "]), "{stderr}");
}

#[test]
fn without_a_terminal_the_table_is_as_wide_as_those_of_other_commands() {
    let output = inspect(&asset("models/ppocr-v4-cls.onnx"), &["--input-shape", "1,3,48,192"]);
    let table = String::from_utf8(output.stdout).unwrap();
    let widest = table.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    assert!(widest > 80 && widest <= 100, "{widest} columns");
}
