//! `aliascope layers` and `inspect` as a user meets them.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use predicates::prelude::*;
use serde_json::Value;

use crate::common::asset;

fn aliascope() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aliascope"));
    command.env("OMP_WAIT_POLICY", "passive").current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

fn resnet() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families/resnet.onnx")
}

fn layers() -> Command {
    let mut command = aliascope();
    command.arg("layers").arg(resnet()).arg("--images").arg(asset("photos/chelsea.png"));
    command
}

fn json(command: &mut Command) -> Value {
    let output = command.args(["--json", "-"]).assert().success();
    serde_json::from_slice(&output.get_output().stdout).expect("standard output is JSON alone")
}

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or_else(|| panic!("{key} is no number in {value}"))
}

#[test]
fn one_generator_lies_at_the_top_of_the_json() {
    let report = json(layers().args(["--generator", "rotate", "--precision", "f64", "--group", "node"]));
    for key in [
        "schema_version",
        "run",
        "generator",
        "estimator",
        "conservation_residual",
        "lee",
        "norm_squared",
        "dim",
        "by_type",
    ] {
        assert!(!report[key].is_null(), "{key} is missing");
    }
    assert_eq!(report["generator"], "rotate");
    assert!(number(&report, "conservation_residual") <= 1e-10);
    let layers = report["layers"].as_array().unwrap();
    let shares: f64 = layers.iter().map(|layer| number(layer, "signed_share")).sum();
    assert!((shares - 1.0).abs() < 1e-9, "shares add up to {shares}");
    let last = layers.last().unwrap();
    let sum: f64 = layers.iter().map(|layer| number(layer, "contribution")).sum();
    assert!((number(last, "cumulative") / sum - 1.0).abs() < 1e-12);
    for layer in layers {
        for key in ["name", "op", "module", "class", "local_error", "aliasing", "kernel", "boundary"] {
            assert!(!layer[key].is_null(), "{key} is missing in {layer}");
        }
        assert!(layer["discretisation"].is_null(), "the spectral derivative makes no error of its own");
    }
    let by_type: f64 = report["by_type"].as_object().unwrap().values().map(|class| number(class, "contribution")).sum();
    assert!((by_type / sum - 1.0).abs() < 1e-12);
}

#[test]
fn several_generators_and_derivatives_are_a_list() {
    let report = json(layers().args(["--compare", "derivative=spectral,forward", "--generator", "translate_x"]));
    let list = report["attributions"].as_array().unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!((&list[0]["derivative"], &list[1]["derivative"]), (&"spectral".into(), &"forward".into()));
    assert!(!list[1]["layers"][0]["discretisation"].is_null());
    assert!(report["generator"].is_null());
}

#[test]
fn generators_are_compared_by_the_layers_that_they_blame() {
    let report = json(layers().arg(asset("photos/coffee.png")).args([
        "--no-split",
        "--generator",
        "translate_x",
        "--generator",
        "2*translate_x",
        "--generator",
        "shear_x",
    ]));
    let agreement = report["agreement"].as_array().unwrap();
    assert_eq!(agreement.len(), 3, "every pair");
    // Twice as fast blames the same layers in the same order.
    assert!((number(&agreement[0], "rank_correlation") - 1.0).abs() < 1e-12);
    let other = number(&agreement[1], "rank_correlation");
    assert!((-1.0..1.0).contains(&other), "{other}");
    assert_eq!(agreement[1]["generators"][1], "shear_x");
    assert!(number(&agreement[1], "sem") >= 0.0);
    for class in report["attributions"][0]["by_type"].as_object().unwrap().values() {
        assert!(number(class, "sem") >= 0.0 && (0.0..=1.0).contains(&number(class, "share_sem")));
    }
}

#[test]
fn images_together_or_one_by_one_give_the_same() {
    let two = |batch: &str| {
        let mut command = aliascope();
        let photos = [asset("photos/chelsea.png"), asset("photos/coffee.png")];
        command.arg("layers").arg(resnet()).arg("--images").args(photos);
        json(command.args(["--precision", "f64", "--batch", batch]))
    };
    let (one, both) = (two("1"), two("2"));
    assert!((number(&one, "lee") / number(&both, "lee") - 1.0).abs() < 1e-9);
    for (a, b) in one["layers"].as_array().unwrap().iter().zip(both["layers"].as_array().unwrap()) {
        assert!((number(a, "contribution") - number(b, "contribution")).abs() <= 1e-9 * number(&one, "lee"), "{a} {b}");
    }
}

#[test]
fn rows_are_those_of_the_json_and_values_by_image_have_the_layers_means() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let run = |more: &[&str]| {
        let mut command = layers();
        command.arg(asset("photos/coffee.png")).args(["--no-split", "--csv"]).arg(path("rows.csv")).arg("--force");
        let report = json(command.args(more));
        let text = std::fs::read_to_string(path("rows.csv")).unwrap();
        let rows: Vec<Vec<String>> = text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect();
        (report, rows)
    };
    let column = |rows: &[Vec<String>], name: &str| rows[0].iter().position(|heading| heading == name).unwrap();
    let (report, rows) = run(&[]);
    let found = report["layers"].as_array().unwrap();
    assert_eq!(rows.len(), 1 + found.len());
    for (row, layer) in rows[1..].iter().zip(found) {
        assert_eq!(row[column(&rows, "name")], layer["name"].as_str().unwrap());
        assert_eq!(row[column(&rows, "contribution")].parse::<f64>().unwrap(), number(layer, "contribution"));
        assert_eq!(row[column(&rows, "aliasing")], "", "it was not asked for");
    }
    let (report, rows) = run(&["--per-image"]);
    let found = report["layers"].as_array().unwrap();
    assert_eq!(rows.len(), 1 + 2 * found.len());
    let at = column(&rows, "contribution");
    for (place, layer) in found.iter().enumerate() {
        let values = [1 + place, 1 + found.len() + place].map(|row| rows[row][at].parse::<f64>().unwrap());
        let mean = number(layer, "contribution");
        // A sum of two over dim, or over dim each.
        assert!((0.5 * (values[0] + values[1]) - mean).abs() <= 1e-12 * mean, "{layer}");
        assert_eq!(layer["by_image"], serde_json::json!(values));
    }
}

#[test]
fn a_node_is_resolved_by_frequency() {
    let report = json(layers().args(["--spectrum", "/conv1/Conv", "--precision", "f64"]));
    let node = &report["spectrum"]["node"];
    assert!((number(node, "predicted") / number(node, "measured") - 1.0).abs() < 1e-10);
    let report = layers().args(["--spectrum", "/conv1/Conv", "--top", "3"]).assert().success();
    let table = String::from_utf8_lossy(&report.get_output().stdout).into_owned();
    assert!(table.contains("lands on") && table.contains("add up to L"), "{table}");
}

/// What a table shows of a name is understood by the options that take one.
#[test]
fn names_of_tables_are_understood() {
    let named = |arguments: &[&str]| json(layers().args(["--no-split"]).args(arguments));
    let whole = named(&["--spectrum", "/conv1/Conv"]);
    for shown in ["conv1", "…onv1/Conv"] {
        assert_eq!(named(&["--spectrum", shown])["spectrum"]["node"], whole["spectrum"]["node"], "{shown}");
    }
    let at = |name: &str| named(&["--at", name])["run"]["output"]["name"].clone();
    let table = named(&[]);
    let act = table["layers"].as_array().unwrap().iter().find(|layer| layer["module"] == "act1").unwrap();
    assert_eq!(at(act["name"].as_str().unwrap()), at("act1"));
    assert_eq!(at("…layer1.0/conv1/Conv"), at("/layer1/layer1.0/conv1/Conv"));
}

#[test]
fn wrong_requests_say_what_to_do() {
    let refuses = |arguments: &[&str], status: i32, words: &[&str]| {
        let mut assert = layers().args(arguments).assert().code(status).stdout("");
        for word in words {
            assert = assert.stderr(predicate::str::contains(*word));
        }
    };
    refuses(&["--generator", "rotat"], 2, &["did you mean rotate"]);
    refuses(&["--spectrum", "/conv9/Conv"], 2, &["/conv9/Conv", "/conv1/Conv"]);
    refuses(&["--spectrum", "/conv1/Conv", "--generator", "rotate"], 2, &["needs a translation"]);
    refuses(&["--memory", "0"], 2, &["--memory 0 MiB is too small", "needs"]);
    refuses(&["--estimator", "probes=x"], 2, &["probes=100"]);
    refuses(&["--group", "modul"], 2, &["node, module, module:DEPTH and type"]);
    refuses(&["--compare", "grid=tracked"], 2, &["derivative="]);
}

#[test]
fn inspect_shows_layouts_and_what_can_alias() {
    let swin = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families/swin.onnx");
    let output = aliascope().arg("inspect").arg(&swin).assert().success();
    let table = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    for words in ["stride 4 f", "a nonlinea", "pitch"] {
        assert!(table.contains(words), "{words} is not in\n{table}");
    }
    let report = json(aliascope().arg("inspect").arg(&swin));
    let nodes = report["nodes"].as_array().unwrap();
    // The table shortens what is long.
    for words in ["8×8 in windows", "8×8 tokens"] {
        assert!(nodes.iter().any(|node| node["layout"].as_str().unwrap().contains(words)), "{words}");
    }
    assert!(nodes.iter().any(|node| node["layout"] == "–" && node["grid"].is_null()));
    // Eight samples of a stride of 4 on 32 pixels: the first lies in the middle of the first patch.
    assert!(nodes.iter().any(|node| node["grid"]["columns"]["origin"] == -0.875));
    for words in ["stride 4 folds what the new grid cannot hold", "a nonlinearity makes harmonics"] {
        assert!(nodes.iter().any(|node| node["aliases"] == words && !node["grid"].is_null()), "{words}");
    }
}
