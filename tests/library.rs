//! The library as a program uses it: a network, photos, a result, files; with the command's numbers.

use std::path::{Path, PathBuf};

use aliascope::{Images, LayersOptions, LeeOptions, Network, Outcome, measure_layers, measure_lee};
use assert_cmd::Command;
use prost::Message;

use crate::common::asset;
use crate::common::onnx::{ints, model, node, text};

/// x → Conv 3×3, stride 2 → Relu → global mean → flat scores.
fn network(folder: &Path) -> PathBuf {
    let mut convolution = node("Conv", &["x", "w"], "c");
    convolution.attribute = vec![ints("kernel_shape", &[3; 2]), ints("strides", &[2; 2]), ints("pads", &[1; 4])];
    let weight = aliascope::graph::onnx::proto::TensorProto {
        name: text("w"),
        dims: vec![4, 3, 3, 3],
        data_type: Some(1),
        float_data: (0..108).map(|i| ((i * 37 % 54) as f32 - 26.0) / 54.0).collect(),
        ..Default::default()
    };
    let nodes = vec![
        convolution,
        node("Relu", &["c"], "r"),
        node("GlobalAveragePool", &["r"], "m"),
        node("Flatten", &["m"], "y"),
    ];
    let path = folder.join("small.onnx");
    std::fs::write(&path, model(&[Some(1), Some(3), Some(32), Some(32)], nodes, vec![weight]).encode_to_vec()).unwrap();
    path
}

fn command(arguments: &[&str], json: &Path) -> serde_json::Value {
    let photo = asset("photos/chelsea.png");
    let mut command = Command::cargo_bin("aliascope").unwrap();
    command.args(arguments).arg("--images").arg(photo).arg("--quiet").arg("--json").arg(json).assert().success();
    serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap()
}

#[test]
fn a_program_gets_the_command_s_numbers_and_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = network(folder.path());
    let network = Network::open(&path).unwrap();
    let images = Images::open(&network, [asset("photos/chelsea.png")]).unwrap();
    assert!(images.stated().assumed.as_ref().unwrap().contains("imagenet is assumed"));

    let lee = measure_lee(&images, LeeOptions::default()).unwrap();
    let told = command(&["lee", path.to_str().unwrap()], &folder.path().join("command.json"));
    let ours = serde_json::to_value(&lee).unwrap();
    for part in ["generators", "gram", "symmetry_spectrum", "input_units"] {
        assert_eq!(ours[part], told[part], "{part}");
    }
    for part in ["model", "images", "lie", "output", "precision", "quantised", "device", "memory_format"] {
        assert_eq!(ours["run"][part], told["run"][part], "{part}");
    }
    assert!(lee.text(80).unwrap().lines().all(|line| line.chars().count() <= 80));
    for name in ["lee.json", "lee.csv", "lee.md", "lee.svg", "lee.png", "lee.pdf"] {
        // Twice: what is there is replaced.
        lee.save(folder.path().join(name)).unwrap();
        lee.save(folder.path().join(name)).unwrap();
        assert!(std::fs::metadata(folder.path().join(name)).unwrap().len() > 300, "{name}");
    }
    let message = lee.save(folder.path().join("lee.tiff")).unwrap_err().to_string();
    assert!(message.contains(".json, .csv, .md, .svg, .png or .pdf"), "{message}");

    let options = LayersOptions::new("rotate".parse().unwrap());
    let layers = measure_layers(&images, options).unwrap();
    let told = command(
        &["layers", path.to_str().unwrap(), "--generator", "rotate"],
        &folder.path().join("command-layers.json"),
    );
    assert_eq!(serde_json::to_value(&layers).unwrap()["results"], told["results"]);
    assert!(layers.text(100).unwrap().contains("small.onnx"));
    layers.save(folder.path().join("layers.svg")).unwrap();
}

#[test]
fn what_cannot_be_measured_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::open(network(folder.path())).unwrap();
    let broken = folder.path().join("cut.png");
    let whole = std::fs::read(asset("photos/chelsea.png")).unwrap();
    std::fs::write(&broken, &whole[..whole.len() / 2]).unwrap();
    let none: [&Path; 0] = [];
    assert!(Images::open(&network, none).is_err_and(|error| error.to_string().contains("no image to measure")));
    assert!(Images::open(&network, [folder.path().join("missing.png")]).is_err());
    let cut = Images::open(&network, [&broken]);
    assert!(cut.and_then(|cut| measure_lee(&cut, LeeOptions::default())).is_err());
}
