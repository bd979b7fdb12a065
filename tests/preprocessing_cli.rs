//! `--preprocess` and what models' metadata says of preprocessing, as a user meets them.

use std::path::{Path, PathBuf};

use aliascope::graph::onnx::proto::*;
use assert_cmd::Command;
use image::{Rgb, RgbImage};
use predicates::prelude::*;
use prost::Message;
use serde_json::Value;

use crate::common::onnx::{model, node, text};

/// A network of one operator that says `metadata` of itself, and a photo of 24 × 16 pixels.
fn files(folder: &Path, shape: &[Option<i64>], metadata: &[(&str, &str)]) -> (PathBuf, PathBuf) {
    let mut proto = model(shape, vec![node("Relu", &["x"], "y")], vec![]);
    let entry = |(key, value): &(&str, &str)| StringStringEntryProto { key: text(key), value: text(value) };
    proto.metadata_props = metadata.iter().map(entry).collect();
    let (network, photo) = (folder.join("model.onnx"), folder.join("photo.png"));
    std::fs::write(&network, proto.encode_to_vec()).unwrap();
    RgbImage::from_fn(24, 16, |x, y| Rgb([10 * x as u8, 15 * y as u8, 90])).save(&photo).unwrap();
    (network, photo)
}

fn lee((network, photo): &(PathBuf, PathBuf), more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aliascope"));
    command.env("OMP_WAIT_POLICY", "passive").arg("lee").arg(network).arg("--images").arg(photo).args(more);
    command
}

const FIXED: [Option<i64>; 4] = [Some(1), Some(3), Some(12), Some(12)];
const OPEN: [Option<i64>; 4] = [None, Some(3), None, None];

/// The report's words of preprocessing, and the notes.
fn said(mut command: Command) -> (String, String) {
    let output = command.args(["--json", "-"]).assert().success().get_output().clone();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    (report["run"]["images"]["preprocess"].as_str().unwrap().to_owned(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_bad_part_ends_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path(), &FIXED, &[]);
    let contains = predicate::str::contains::<&str>;
    lee(&files, &["--preprocess", "imagenet,cropp=1"])
        .assert()
        .code(2)
        .stdout("")
        .stderr(contains("'cropp=1' is not known").and(contains("letterbox")).and(contains("panicked").not()));
    lee(&files, &["--preprocess", "resize=11"])
        .assert()
        .code(2)
        .stdout("")
        .stderr(contains("resize=11 is less than the network's input of 12×12"));
}

#[test]
fn what_is_given_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path(), &FIXED, &[("author", "Ultralytics"), ("task", "detect")]);
    let (words, notes) = said(lee(&files, &["--preprocess", "mean=0.5/0.4/0.3,std=0.25,resize=14,bgr"]));
    assert_eq!(
        words,
        "given (shorter side resized to 14, then centre crop, bicubic, pixels 0 to 1, mean [0.5, 0.4, 0.3], std [0.25], \
         channels blue green red, mean and std in red green blue)"
    );
    assert_eq!(notes, "");
    assert!(said(lee(&files, &["--preprocess", "half"])).0.starts_with("half (centre crop 1, bicubic"));
}

#[test]
fn metadata_of_other_programs_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let yolo = [("author", "Ultralytics"), ("task", "detect"), ("imgsz", "[12, 20]")];
    let open = files(folder.path(), &OPEN, &yolo);
    let (words, notes) = said(lee(&open, &[]));
    let expected =
        "metadata of ultralytics (whole photo, padded with grey 114/255, bilinear, pixels 0 to 1, mean [0], std [1])";
    assert_eq!(words, expected);
    assert!(notes.contains("20×12") && notes.contains("--input-shape") && !notes.contains("imagenet"), "{notes}");
    let (_, notes) = said(lee(&open, &["--input-shape", "1,3,16,16"]));
    assert_eq!(notes, "");

    let timm = "{'mean': (0.5, 0.5, 0.5), 'std': (0.25, 0.25, 0.25), 'crop_pct': 0.9, 'interpolation': 'bilinear', 'file': None}";
    let (words, notes) = said(lee(&files(folder.path(), &FIXED, &[("pretrained_cfg", timm)]), &[]));
    // ⌊12/0.9⌋.
    let expected = "metadata of timm (shorter side resized to 13, then centre crop, bilinear, pixels 0 to 1, \
                    mean [0.5, 0.5, 0.5], std [0.25, 0.25, 0.25])";
    assert_eq!((words.as_str(), notes.as_str()), (expected, ""));

    let (words, notes) = said(lee(&files(folder.path(), &FIXED, &[("pretrained_cfg", "{'mean': (0.5,")]), &[]));
    assert!(words.starts_with("imagenet (centre crop 0.875"), "{words}");
    assert!(
        notes.contains("note: ") && notes.contains("pretrained_cfg") && notes.contains("imagenet is assumed"),
        "{notes}"
    );
}

#[test]
fn relative_errors_do_not_depend_on_how_channels_are_put() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path(), &FIXED, &[]);
    // A network that is linear here and the same in each channel: the photo's units undo mean, std and order, so that
    // `relative` stays what it is.
    let relative = |how: &str| {
        let mut command = lee(&files, &["--action", "none", "--precision", "f64", "--json", "-", "--preprocess", how]);
        let output = command.assert().success().get_output().stdout.clone();
        let report: Value = serde_json::from_slice(&output).unwrap();
        report["generators"]["translate_x"]["relative"].as_f64().unwrap()
    };
    let (rgb, bgr) = (relative("mean=-1,std=0.25/0.5/2"), relative("mean=-1,std=0.25/0.5/2,bgr"));
    assert!(rgb > 0.0 && (rgb - bgr).abs() <= 1e-12 * rgb, "{rgb} {bgr}");
}
