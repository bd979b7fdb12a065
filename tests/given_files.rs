//! What people give: a model among the images, other files in a model's place, and the classes of images.

use std::fs;
use std::path::{Path, PathBuf};

use aliascope::graph::onnx::read_model;
use aliascope::input::{Frame, LabelSource, Labels};
use assert_cmd::Command;
use prost::Message;
use serde_json::Value;

use crate::common::asset;
use crate::common::onnx::{ints, model, node, text};

fn aliascope(arguments: &[&str]) -> Command {
    let mut built = Command::new(env!("CARGO_BIN_EXE_aliascope"));
    built.env("OMP_WAIT_POLICY", "passive").current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments);
    built
}

/// The error of a command that fails with `status`: one message, without notes.
fn refusal(arguments: &[&str], status: i32) -> String {
    let assert = aliascope(arguments).assert().code(status).stdout("");
    let stderr = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    let messages: Vec<&str> = stderr.lines().filter(|line| !line.starts_with("note:")).collect();
    assert_eq!(messages.len(), 1, "one message, not:\n{stderr}");
    messages[0].to_owned()
}

/// The means of an 8 × 8 image's three channels as scores: the class is the strongest colour.
fn colours(folder: &Path) -> PathBuf {
    let nodes = vec![node("GlobalAveragePool", &["x"], "pooled"), node("Flatten", &["pooled"], "y")];
    let path = folder.join("colours.onnx");
    fs::write(&path, model(&[Some(1), Some(3), Some(8), Some(8)], nodes, Vec::new()).encode_to_vec()).unwrap();
    path
}

/// Photos of one colour, 0 red, 1 green, 2 blue, in folders of these names.
fn photos(folder: &Path, folders: [&str; 3]) {
    for (colour, name) in folders.into_iter().enumerate() {
        fs::create_dir_all(folder.join(name)).unwrap();
        for copy in 0..2 {
            let mut pixel = [40; 3];
            pixel[colour] = 200 + copy;
            let image = image::RgbImage::from_pixel(8, 8, image::Rgb(pixel));
            image.save(folder.join(name).join(format!("{name}-{copy}.png"))).unwrap();
        }
    }
}

#[test]
fn a_model_behind_the_images_is_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let (model, photo) = (colours(folder.path()), asset("photos/chelsea.png"));
    let (model, photo) = (model.to_str().unwrap(), photo.to_str().unwrap());
    let json = |arguments: &[&str]| -> Value {
        let assert = aliascope(arguments).args(["--json", "-"]).assert().success();
        serde_json::from_slice(&assert.get_output().stdout).unwrap()
    };
    let (usual, turned) = (json(&["lee", model, "--images", photo]), json(&["lee", "--images", photo, model]));
    assert_eq!(usual["generators"], turned["generators"]);
    assert_eq!(turned["run"]["model"]["path"], model);
}

#[test]
fn other_files_in_a_models_place_are_answered_with_what_to_type() {
    let folder = tempfile::tempdir().unwrap();
    let photo = asset("photos/chelsea.png");
    let photo = photo.to_str().unwrap();
    let zip = |names: &[&str]| {
        let names: Vec<u8> = names.iter().flat_map(|name| name.bytes().chain([0])).collect();
        [b"PK\x03\x04".as_slice(), &names].concat()
    };
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("weights.pth", zip(&["archive/data.pkl", "archive/data/0"]), "--checkpoint"),
        ("old.pth", b"\x80\x02\x8a\x0al\xfc\x9c".to_vec(), "--checkpoint"),
        ("weights.safetensors", [&16u64.to_le_bytes()[..], b"{\"a\":{}}        "].concat(), "--checkpoint"),
        ("photo.onnx", fs::read(photo).unwrap(), "after --images"),
        ("names.onnx", b"tench\ngoldfish\n".to_vec(), "text file"),
        ("page.onnx", "<!doctype html><title>Größe".into(), "text file"),
        ("net.tflite", b"\x1c\0\0\0TFL3\0\0".to_vec(), "--tflite"),
        ("net.h5", b"\x89HDF\r\n\x1a\n\0".to_vec(), "--keras"),
        ("net.ort", b"\x1c\0\0\0ORTM\0\0".to_vec(), "made from"),
        ("net.engine", b"ptrt\0\0".to_vec(), "TensorRT"),
        ("net.zip", zip(&["net.onnx"]), "unpack"),
        ("module.pt", zip(&["m/data.pkl", "m/code/__torch__.py", "m/constants.pkl"]), "--trust-code"),
        ("net.gz", b"\x1f\x8b\x08".to_vec(), "unpack"),
    ];
    for (name, bytes, words) in cases {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        for command in ["lee", "layers", "inspect"] {
            let mut arguments = vec![command, path.to_str().unwrap()];
            if command != "inspect" {
                arguments.extend(["--images", photo]);
            }
            let message = refusal(&arguments, 3);
            assert!(message.contains(words) && message.contains(name), "{name}: {message}");
        }
    }
    assert!(read_model(&colours(folder.path())).is_ok());
    for shipped in crate::common::MODELS {
        assert!(read_model(&asset(&format!("models/{shipped}.onnx"))).is_ok());
    }
}

#[test]
fn accuracy_is_counted_by_folders_and_by_lists() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let model = colours(folder);
    let set = folder.join("set");
    // In the order of names blue is 0, which the network calls 2, and red is 2.
    photos(&set, ["red", "green", "blue"]);
    let list = |name: &str, text: &str| {
        fs::write(folder.join(name), text).unwrap();
        folder.join(name).to_str().unwrap().to_owned()
    };
    // Right for red and green; blue is called red in one of its two photos, and the other is not in the list.
    let csv = list(
        "labels.csv",
        "\u{feff}TrueLabel,Author,ImageId\n1,\"Doe, J\",red-0\n1,x,red-1\n2,x,set/green/green-0.png\n2,x,green-1\n1,x,blue-0\n",
    );
    let plain = list("labels.txt", "red-0.png 0\nred-1.png 0\n\ngreen/green-0.png\t1\nblue-0.png 2\n");
    let run = |labels: &[&str]| -> Value {
        let (model, set) = (model.to_str().unwrap(), set.to_str().unwrap());
        let mut arguments = vec!["lee", model, "--images", set, "--preprocess", "raw", "--json", "-"];
        arguments.extend(labels);
        let assert = aliascope(&arguments).assert().success();
        serde_json::from_slice(&assert.get_output().stdout).unwrap()
    };
    let counted = |labels: &[&str]| {
        let accuracy = run(labels)["accuracy"].clone();
        (accuracy["right"].as_u64().unwrap(), accuracy["images"].as_u64().unwrap())
    };
    assert_eq!(counted(&["--labels", "folders"]), (2, 6));
    assert_eq!(counted(&["--labels", &csv, "--first-label", "1"]), (4, 5));
    assert_eq!(counted(&["--labels", &plain]), (4, 4));
    assert_eq!(run(&[])["accuracy"], Value::Null);
    // The class does not depend on which images a sample leaves.
    assert_eq!(counted(&["--labels", &csv, "--first-label", "1", "--limit", "6"]), (4, 5));
    let error = list("short.csv", "a.png,0\nb.png,3\n");
    let (model, set) = (model.to_str().unwrap(), set.to_str().unwrap());
    let refused = |labels: &str, status: i32| {
        refusal(&["lee", model, "--images", set, "--preprocess", "raw", "--labels", labels], status)
    };
    assert!(refused(&error, 5).contains("line 2: 3 is none of the network's 3 classes, 0 to 2"));
    assert!(refused(&list("other.csv", "a.png,0\n"), 5).contains("none of the 6 images is in it"));
    assert!(refused(&list("names.csv", "red-0.png,red\n"), 5).contains("'red' is no class number"));
    assert!(refused(&folder.join("no.csv").display().to_string(), 5).contains("cannot be read"));
}

#[test]
fn folders_are_classes_only_where_that_is_certain() {
    let frame = |name: &str| Frame::Photo(PathBuf::from(name));
    let read = |names: &[&str], classes: usize, first: i64| {
        let frames: Vec<Frame> = names.iter().map(|name| frame(name)).collect();
        Labels::read(&LabelSource::Folders, &frames, classes, first)
            .map(|labels| frames.iter().map(|frame| labels.of(frame)).collect::<Vec<_>>())
            .map_err(|error| error.to_string())
    };
    let names = ["set/n02/a.png", "set/n01/b.png", "set/n02/c.png"];
    assert_eq!(read(&names, 2, 0).unwrap(), [Some(1), Some(0), Some(1)]);
    // Of 1,000 classes two folders are any two.
    assert!(read(&names, 1000, 0).unwrap_err().contains("2 folders of images and 1000 classes"));
    assert_eq!(read(&["s/7/a.png", "s/007/b.png", "s/3/c.png"], 1000, 1).unwrap(), [Some(6), Some(6), Some(2)]);
    assert!(read(&["s/1000/a.png"], 1000, 0).unwrap_err().contains("'1000' is none of the network's 1000 classes"));
    assert_eq!(read(&["s/5/a.png"], 1001, -1).unwrap(), [Some(6)]);
}

#[test]
fn labels_need_classes() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = vec![node("Relu", &["x"], "y")];
    let mut made = model(&[Some(1), Some(3), Some(8), Some(8)], nodes, Vec::new());
    made.producer_name = text("test");
    let path = folder.path().join("image.onnx");
    fs::write(&path, made.encode_to_vec()).unwrap();
    let photo = asset("photos/chelsea.png");
    let arguments = ["lee", path.to_str().unwrap(), "--images", photo.to_str().unwrap(), "--labels", "folders"];
    assert!(refusal(&arguments, 2).contains("one vector of classes"));
}

#[test]
fn accuracy_stands_beside_a_replacement_before_and_after() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // The mean over every other sample is that of the colour whatever is replaced.
    let mut pool = node("MaxPool", &["x"], "pooled");
    pool.attribute = vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])];
    let nodes = vec![pool, node("GlobalAveragePool", &["pooled"], "mean"), node("Flatten", &["mean"], "y")];
    let path = folder.join("strided.onnx");
    fs::write(&path, model(&[Some(1), Some(3), Some(8), Some(8)], nodes, Vec::new()).encode_to_vec()).unwrap();
    let set = folder.join("set");
    photos(&set, ["0", "1", "0b"]);
    fs::rename(set.join("0b"), set.join("2")).unwrap();
    fs::write(folder.join("labels.csv"), "file,label\n0/0-0,0\n1/1-0,0\n2/0b-1,2\n").unwrap();
    let (model, set, labels) = (path.to_str().unwrap(), set.to_str().unwrap(), folder.join("labels.csv"));
    let base =
        ["antialias", "--model", model, "--replace", "stride=blurpool:3", "--images", set, "--preprocess", "raw"];
    let more = ["--no-layers", "--draws", "0", "--labels", labels.to_str().unwrap()];
    let assert = aliascope(&base).args(more).args(["--json", "-"]).assert().success();
    let report: Value = serde_json::from_slice(&assert.get_output().stdout).unwrap();
    for side in [0, 1] {
        assert_eq!(
            (report["accuracy"][side]["right"].as_u64(), report["accuracy"][side]["images"].as_u64()),
            (Some(2), Some(3))
        );
    }
    let assert = aliascope(&base).args(more).assert().success();
    let table = String::from_utf8_lossy(&assert.get_output().stdout).into_owned();
    assert!(table.contains("top-1 accuracy        2 of 3 right before, 2 after"), "{table}");
}
