//! Every command that takes photos gives the same numbers for a channels-last twin, and with photos that are placed as
//! `--preprocess` says the numbers of the placed photo.

use std::fs;
use std::path::{Path, PathBuf};

use aliascope::graph::onnx::proto::*;
use assert_cmd::Command;
use image::imageops::{FilterType, overlay, resize};
use prost::Message;
use serde_json::Value;

use crate::common::asset;
use crate::common::onnx::{ints, model, node, text};

const SIDE: i64 = 24;

/// Strided maps, a kink, and a map that is as fine as the input again, or scores; after a transposition where the input
/// is channels last.
fn network(folder: &Path, channels_last: bool) -> PathBuf {
    let weights: Vec<f32> = (0..4 * 3 * 9).map(|i| ((i * 37 % 23) as f32 - 11.0) * 0.05).collect();
    let kernel = TensorProto {
        name: text("kernel"),
        data_type: Some(1),
        dims: vec![4, 3, 3, 3],
        float_data: weights,
        ..Default::default()
    };
    let mut nodes = Vec::new();
    if channels_last {
        let mut turn = node("Transpose", &["x"], "planes");
        turn.attribute = vec![ints("perm", &[0, 3, 1, 2])];
        nodes.push(turn);
    }
    let mut conv = node("Conv", &[if channels_last { "planes" } else { "x" }, "kernel"], "maps");
    conv.attribute = vec![ints("pads", &[1, 1, 1, 1]), ints("strides", &[2, 2])];
    let last = [
        node("Relu", &["maps"], "active"),
        node("GlobalAveragePool", &["active"], "pooled"),
        node("Flatten", &["pooled"], "y"),
    ];
    nodes.push(conv);
    nodes.extend(last);
    let size = Some(SIDE);
    let shape = if channels_last { [Some(1), size, size, Some(3)] } else { [Some(1), Some(3), size, size] };
    let path = folder.join(if channels_last { "last.onnx" } else { "first.onnx" });
    fs::write(&path, model(&shape, nodes, vec![kernel]).encode_to_vec()).unwrap();
    path
}

/// A command's JSON.
fn json(command: &str, model: &Path, images: &Path, more: &[&str]) -> Value {
    let mut built = Command::new(env!("CARGO_BIN_EXE_aliascope"));
    built.env("OMP_WAIT_POLICY", "passive").arg(command);
    match command {
        "antialias" => built.args(["--replace", "stride=blurpool:3", "--model"]).arg(model),
        "theorem" => built.args(["--velocity", "0.8,-0.6", "--model"]).arg(model),
        _ => built.arg(model),
    };
    built.arg("--images").arg(images).args(["--precision", "f64", "--json", "-"]).args(more);
    let output = built.assert().success();
    serde_json::from_slice(&output.get_output().stdout).unwrap()
}

/// The figures of a report that do not tell how long something took, or what the transposition in front is like.
fn figures(command: &str, report: &Value) -> Vec<(String, f64)> {
    let roots: &[&str] = match command {
        "antialias" => &["generators", "shifts", "change"],
        "metrics" => &["metrics"],
        "theorem" => &["nodes"],
        _ => &["generators", "gram"],
    };
    let mut found = Vec::new();
    roots.iter().for_each(|root| numbers(root, &report[root], &mut found));
    assert!(found.len() > 5, "{command}: {found:?}");
    found
}

fn numbers(path: &str, value: &Value, found: &mut Vec<(String, f64)>) {
    match value {
        Value::Number(number) => found.push((path.to_owned(), number.as_f64().unwrap())),
        Value::Array(entries) => {
            entries.iter().enumerate().for_each(|(i, entry)| numbers(&format!("{path}.{i}"), entry, found));
        }
        Value::Object(fields) => fields.iter().for_each(|(key, entry)| numbers(&format!("{path}.{key}"), entry, found)),
        _ => {}
    }
}

fn assert_same(command: &str, one: &Value, other: &Value) {
    let (one, other) = (figures(command, one), figures(command, other));
    assert_eq!(one.len(), other.len(), "{command}");
    let largest = one.iter().map(|(_, value)| value.abs()).fold(0.0, f64::max);
    for ((name, a), (same, b)) in one.iter().zip(&other) {
        assert_eq!(name, same, "{command}");
        // Sums of a few hundred products in another order; residuals are rounding themselves.
        let rounding = 1e-9 * a.abs().max(b.abs()) + 1e-12 * largest;
        assert!((a - b).abs() <= rounding, "{command}, {name}: {a} {b}");
    }
}

const COMMANDS: [&str; 4] = ["lee", "metrics", "antialias", "theorem"];

#[test]
fn a_channels_last_network_has_the_numbers_of_its_twin_in_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let [first, last] = [false, true].map(|channels_last| network(folder.path(), channels_last));
    let photo = asset("photos/chelsea.png");
    for command in COMMANDS {
        let more = ["--preprocess", "half"];
        let [a, b] = [&first, &last].map(|model| json(command, model, &photo, &more));
        assert!(
            b["run"]["images"]["preprocess"].as_str().unwrap().contains("[N, H, W, C]"),
            "{command}: {}",
            b["run"]["images"]["preprocess"]
        );
        assert_same(command, &a, &b);
    }
}

#[test]
fn a_photo_that_is_placed_has_the_numbers_of_the_placed_photo() {
    let folder = tempfile::tempdir().unwrap();
    let model = network(folder.path(), false);
    // Twice the input's size, in blocks of 2 × 2 pixels that are equal: a half of it by any averaging is the small one.
    let side = SIDE as u32;
    let small = image::RgbImage::from_fn(side, side, |i, j| {
        image::Rgb([(i * 37 + j * 11) % 256, (i * 5 + j * 91) % 256, (i * j * 7) % 256].map(|v| v as u8))
    });
    let large = resize(&small, 2 * side, 2 * side, FilterType::Nearest);
    // A third of the height: padded to a square with grey, as letterboxes are.
    let third = image::imageops::crop_imm(&small, 0, side / 3, side, side / 3).to_image();
    let mut boxed = image::RgbImage::from_pixel(side, side, image::Rgb([114; 3]));
    overlay(&mut boxed, &third, 0, i64::from(side / 3));
    let save = |name: &str, picture: &image::RgbImage| {
        let path = folder.path().join(name);
        picture.save(&path).unwrap();
        path
    };
    let (small, large) = (save("small.png", &small), save("large.png", &large));
    let (third, boxed) = (save("third.png", &third), save("boxed.png", &boxed));
    let resized = format!("raw,resize={SIDE},interpolation=nearest");
    for command in COMMANDS {
        // Shifts of a window read more of the photo than the input, and so differ: they are left out.
        let more: &[&str] = if command == "antialias" { &["--draws", "0"] } else { &[] };
        let with = |images: &Path, how: &str| json(command, &model, images, &[&["--preprocess", how], more].concat());
        let strip = |mut report: Value| {
            if let Some(metrics) = report.get_mut("metrics").and_then(Value::as_object_mut) {
                metrics.retain(|name, _| !name.contains("cropped") && !name.starts_with("eq_"));
            }
            report
        };
        for (images, how, placed) in [(&large, resized.as_str(), &small), (&third, "raw,letterbox", &boxed)] {
            let report = with(images, how);
            let said = report["run"]["images"]["preprocess"].as_str().unwrap().to_owned();
            let word = if how.contains("letterbox") { "padded with grey" } else { "24" };
            assert!(said.contains(word), "{command}: {said}");
            assert_same(command, &strip(report), &strip(with(placed, "raw,crop=1")));
        }
    }
}
