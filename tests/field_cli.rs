//! `aliascope field` as a user meets it: its files, and how it refuses.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use predicates::prelude::*;
use serde_json::Value;

use crate::common::asset;

fn field(folder: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aliascope"));
    command.env("OMP_WAIT_POLICY", "passive").current_dir(folder).arg("field").arg(asset("models/ppocr-v4-cls.onnx"));
    command.args(["--input-shape", "1,3,48,192", "--images"]).arg(asset("photos/chelsea.png")).args(more);
    command
}

#[test]
fn results_are_told_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["f.json", "f.csv", "f.md", "f.png", "v.safetensors"];
    let options =
        ["--json", "f.json", "--csv", "f.csv", "--md", "f.md", "--plot", "f.png", "--vectors", "v.safetensors"];
    let all = [&options[..], &["--warp", "0.5,1", "--smoothness", "8"]].concat();
    let output = field(folder.path(), &all).assert().success();
    let told = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    for words in
        ["field of motion of the margin", "worst smooth", "keystone_x", "Relative stability", "Moved along it by"]
    {
        assert!(told.contains(words), "{words} in:\n{told}");
    }
    files.iter().for_each(|file| assert!(fs::metadata(folder.path().join(file)).unwrap().len() > 100, "{file}"));
    let report: Value = serde_json::from_slice(&fs::read(folder.path().join("f.json")).unwrap()).unwrap();
    assert_eq!(report["schema_version"], 1);
    assert_eq!(report["scalar"], "margin");
    let image = &report["by_image"][0];
    let number = |value: &Value| value.as_f64().unwrap();
    assert!(number(&image["smooth"]) >= number(&image["affine"]) && number(&image["residual"]) < 1e-2);
    assert_eq!(image["warps"].as_array().unwrap().len(), 2);
    assert!(number(&report["motions"]["rotate"]["gain"]) <= number(&image["affine"]) * (1.0 + 1e-9));
    let bytes = fs::read(folder.path().join("v.safetensors")).unwrap();
    let fields = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    for key in ["field", "worst"] {
        assert_eq!(fields.tensor(key).unwrap().shape(), [1, 2, 48, 192], "{key}");
    }
}

#[test]
fn what_means_nothing_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (more, words) in [
        (&["--scalar", "logit:1"][..], "probabilities, not scores"),
        (&["--scalar", "entry:7"], "2 entries"),
        (&["--scalar", "top"], "entry:INDEX"),
        (&["--smoothness=-1"], "0 or more"),
        (&["--warp", "0"], "above 0"),
        (&["--edge", "open"], "free"),
    ] {
        field(folder.path(), more).assert().code(2).stderr(predicate::str::contains(words));
    }
}
