//! What is no more than rounding is not given as a result: photos of one colour, outputs that hardly change; and sizes that
//! depend on units are in those of the photo.

use std::fs;
use std::path::{Path, PathBuf};

use aliascope::graph::onnx::proto::*;
use assert_cmd::Command;
use predicates::prelude::*;
use prost::Message;
use serde_json::Value;

use crate::common::asset;
use crate::common::onnx::{model, node, text};

fn run(command: &str, model: &Path, image: &Path, more: &[&str]) -> Command {
    let mut built = Command::new(env!("CARGO_BIN_EXE_aliascope"));
    built.env("OMP_WAIT_POLICY", "passive").current_dir(env!("CARGO_MANIFEST_DIR"));
    built.arg(command).arg(model).arg("--images").arg(image).args(more);
    built
}

fn json(command: &mut Command) -> Value {
    let output = command.args(["--json", "-"]).assert().success();
    serde_json::from_slice(&output.get_output().stdout).expect("standard output is JSON alone")
}

fn resnet() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families/resnet.onnx")
}

fn one_colour(folder: &Path) -> PathBuf {
    let path = folder.join("colour.png");
    image::RgbImage::from_pixel(300, 300, image::Rgb([180, 40, 90])).save(&path).unwrap();
    path
}

fn floats(name: &str, dims: &[i64], values: Vec<f32>) -> TensorProto {
    TensorProto { name: text(name), data_type: Some(1), dims: dims.to_vec(), float_data: values, ..Default::default() }
}

const SHAPE: [Option<i64>; 4] = [Some(1), Some(3), Some(16), Some(16)];

/// Nodes after a convolution of three by three taps to two channels, with its padding, `c`.
fn after(
    folder: &Path,
    name: &str,
    pads: i64,
    front: Vec<NodeProto>,
    nodes: Vec<NodeProto>,
    more: Vec<TensorProto>,
) -> PathBuf {
    let kernel = floats("kernel", &[2, 3, 3, 3], (0..54).map(|i| ((i * 29 % 17) as f32 - 8.0) * 0.03).collect());
    let first = front.last().map_or("x", |node| node.output[0].as_str()).to_owned();
    let mut conv = node("Conv", &[&first, "kernel"], "c");
    conv.attribute = vec![crate::common::onnx::ints("pads", &[pads; 4])];
    let nodes = front.into_iter().chain([conv]).chain(nodes).collect();
    let path = folder.join(name);
    let constants = [kernel].into_iter().chain(more).collect();
    fs::write(&path, model(&SHAPE, nodes, constants).encode_to_vec()).unwrap();
    path
}

#[test]
fn on_a_photo_of_one_colour_nothing_is_relative() {
    let folder = tempfile::tempdir().unwrap();
    let colour = one_colour(folder.path());
    for precision in ["f32", "f64"] {
        let mut command = run("lee", &resnet(), &colour, &["--precision", precision]);
        let report = json(&mut command);
        for name in ["translate_x", "translate_y", "stretch_x", "stretch_y", "shear_x", "shear_y", "rotate", "scale"] {
            assert!(report["generators"][name]["relative"].is_null(), "{name}: {}", report["generators"][name]);
        }
        assert!(report["generators"]["saturate"]["relative"].as_f64().unwrap() > 0.0);
        assert_eq!(report["symmetry_spectrum"], serde_json::json!([]));
        assert_eq!((&report["images_flat"], &report["images_constant"]), (&1.into(), &0.into()));
        let note = predicate::str::contains("Careful: 1 of 1 images are of one colour");
        run("lee", &resnet(), &colour, &["--precision", precision]).assert().success().stdout(note);
    }
    // Beside a photo of something it changes nothing but the means.
    let mut both = run("lee", &resnet(), &colour, &["--images"]);
    let report = json(both.arg(asset("photos/chelsea.png")));
    assert_eq!(report["images_flat"], 1);
    assert!(report["generators"]["rotate"]["relative"].as_f64().unwrap() > 0.0);
}

#[test]
fn layers_add_up_on_a_photo_of_one_colour() {
    let folder = tempfile::tempdir().unwrap();
    let colour = one_colour(folder.path());
    let unpadded = after(folder.path(), "unpadded.onnx", 0, vec![], vec![node("Relu", &["c"], "y")], vec![]);
    for precision in ["f32", "f64"] {
        // The padding makes edges, and their errors cancel.
        let report = json(&mut run("layers", &resnet(), &colour, &["--precision", precision]));
        assert_eq!(report["is_rounding"], true, "{report}");
        assert!(report["images_effective"].is_null());
        // Without it there is rounding alone, in every layer.
        let report = json(&mut run("layers", &unpadded, &colour, &["--precision", precision]));
        assert_eq!(report["is_rounding"], true, "{report}");
        for layer in report["layers"].as_array().unwrap() {
            assert!(layer["signed_share"].is_null() && layer["relative_local_error"].is_null(), "{layer}");
        }
        for class in report["by_type"].as_object().unwrap().values() {
            assert!(class["share"].is_null() && class["share_by_image"].is_null(), "{class}");
        }
    }
    let table = run("layers", &unpadded, &colour, &[]).assert().success();
    table.stdout(predicate::str::contains("This is rounding alone"));
    // Real errors stay what they are, in single precision too.
    let report = json(&mut run("layers", &resnet(), &asset("photos/chelsea.png"), &[]));
    assert_eq!(report["is_rounding"], false);
}

#[test]
fn inner_values_whose_squares_exceed_single_precision_are_no_rounding() {
    let folder = tempfile::tempdir().unwrap();
    let relu = after(folder.path(), "relu.onnx", 0, vec![], vec![node("Relu", &["c"], "y")], vec![]);
    let nodes = vec![node("Mul", &["c", "large"], "b"), node("Relu", &["b"], "r"), node("Mul", &["r", "small"], "y")];
    let scales = vec![floats("large", &[1], vec![1e25]), floats("small", &[1], vec![1e-25])];
    let scaled = after(folder.path(), "scaled.onnx", 0, vec![], nodes, scales);
    let [relu, scaled] =
        [relu, scaled].map(|model| json(&mut run("layers", &model, &asset("photos/chelsea.png"), &[])));
    assert_eq!((&relu["is_rounding"], &scaled["is_rounding"]), (&false.into(), &false.into()));
    let of = |report: &Value, key: &str| {
        let layers = report["layers"].as_array().unwrap();
        let relu = layers.iter().find(|layer| layer["class"] == "nonlinearity");
        relu.and_then(|layer| layer[key].as_f64()).unwrap_or_else(|| panic!("no {key}: {report}"))
    };
    // Single precision.
    for key in ["contribution", "signed_share", "relative_local_error"] {
        assert!((of(&scaled, key) / of(&relu, key) - 1.0).abs() < 1e-4, "{key}");
    }
}

#[test]
fn the_theorem_has_no_percentages_of_rounding() {
    let folder = tempfile::tempdir().unwrap();
    let colour = one_colour(folder.path());
    for precision in ["f32", "f64"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aliascope"));
        command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["theorem", "--velocity", "1,0", "--node", "/conv1/Conv"]);
        command.arg("--model").arg(resnet()).arg("--images").arg(&colour).args(["--precision", precision]);
        let report = json(&mut command);
        let node = &report["nodes"][0];
        assert!(node["relative_difference"].is_null() && node["worst"] == serde_json::json!([]), "{node}");
    }
}

#[test]
fn an_output_that_sees_nothing_is_told_from_an_equivariant_one() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let chelsea = asset("photos/chelsea.png");
    let detector = |bias: f32| {
        let nodes = vec![node("Add", &["c", "bias"], "logits"), node("Sigmoid", &["logits"], "y")];
        after(folder, "detector.onnx", 1, vec![], nodes, vec![floats("bias", &[1], vec![bias])])
    };
    for (bias, constant) in [(-20.0, 1), (-2.0, 0)] {
        let report = json(&mut run("lee", &detector(bias), &chelsea, &[]));
        assert_eq!(report["images_constant"], constant, "bias {bias}");
        let small = report["generators"]["translate_x"]["lee"].as_f64().unwrap() < 1e-10;
        assert_eq!(small, constant == 1, "{}", report["generators"]["translate_x"]);
        let assert = run("lee", &detector(bias), &chelsea, &["--units", "pixel"]).assert().success();
        // Above the numbers that it is about.
        let table = String::from_utf8_lossy(&assert.get_output().stdout).into_owned();
        let [warned, numbers] = ["hardly changes on 1 of 1 images", "geo. mean"].map(|words| table.find(words));
        assert_eq!(warned.is_some(), constant == 1, "{table}");
        assert!(numbers.is_some() && warned.is_none_or(|at| Some(at) < numbers), "{table}");
    }
    // Equivariant, and not constant: what comes out moves with what goes in.
    let identity = folder.join("identity.onnx");
    fs::write(&identity, model(&SHAPE, vec![node("Identity", &["x"], "y")], vec![]).encode_to_vec()).unwrap();
    assert_eq!(json(&mut run("lee", &identity, &chelsea, &[]))["images_constant"], 0);
}

#[test]
fn relative_errors_are_those_of_pixels_whatever_units_the_network_takes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let chelsea = asset("photos/chelsea.png");
    let raw = after(folder, "raw.onnx", 1, vec![], vec![node("Relu", &["c"], "y")], vec![]);
    // The same function of the photo: this one takes pixels of −1 to 1, and undoes that.
    let front = vec![node("Mul", &["x", "half"], "scaled"), node("Add", &["scaled", "half"], "pixels")];
    let constant = vec![floats("half", &[1], vec![0.5])];
    let half = after(folder, "half.onnx", 1, front, vec![node("Relu", &["c"], "y")], constant);
    let raw = json(&mut run("lee", &raw, &chelsea, &["--preprocess", "raw", "--precision", "f64"]));
    let half = json(&mut run("lee", &half, &chelsea, &["--preprocess", "half", "--precision", "f64"]));
    assert_eq!((&raw["input_units"], &half["input_units"]), (&"photo".into(), &"photo".into()));
    let close = |a: &Value, b: &Value| {
        let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
        // Photos become input in single precision.
        assert!((a - b).abs() <= 1e-6 * b.abs(), "{a} beside {b}");
    };
    for name in ["translate_x", "stretch_y", "rotate", "hyperbolic"] {
        close(&raw["generators"][name]["relative"], &half["generators"][name]["relative"]);
        close(&raw["generators"][name]["lee"], &half["generators"][name]["lee"]);
    }
    for at in 0..6 {
        close(&raw["symmetry_spectrum"][at]["eigenvalue"], &half["symmetry_spectrum"][at]["eigenvalue"]);
    }
}
