//! Outputs that are each other or an input, pipes, and disks that are full, as a user meets them.
#![cfg(unix)]

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use aliascope::graph::onnx::proto::*;
use aliascope::input::{Preprocessing, Source};
use prost::Message;
use serde_json::Value;

use crate::common::onnx::{model, node, text};

fn aliascope(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aliascope"));
    command.env("OMP_WAIT_POLICY", "passive").env("ALIASCOPE_CACHE", folder.join("cache")).current_dir(folder);
    command.args(arguments).stdin(Stdio::null());
    command
}

/// What a command prints that ends with this status, within a time that no measurement and no waiting would leave.
fn ends(mut command: Command, status: i32) -> (String, String) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_secs(120) {
            child.kill().unwrap();
            panic!("{command:?} hangs");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let Output { status: found, stdout, stderr } = child.wait_with_output().unwrap();
    let (stdout, stderr) =
        (String::from_utf8_lossy(&stdout).into_owned(), String::from_utf8_lossy(&stderr).into_owned());
    assert_eq!(found.code(), Some(status), "{command:?}\n{stderr}");
    (stdout, stderr)
}

/// A network of 12 × 12 pixels whose weight lies beside it, two photos, and a list of labels.
fn given() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let entry = |key: &str, value: &str| StringStringEntryProto { key: text(key), value: text(value) };
    let outside = TensorProto {
        name: text("w"),
        data_type: Some(1),
        dims: vec![3, 4],
        data_location: Some(1),
        external_data: vec![entry("location", "weights.bin")],
        ..Default::default()
    };
    let weights: Vec<u8> = crate::common::noise(12).iter().flat_map(|value| value.to_le_bytes()).collect();
    fs::write(path.join("weights.bin"), weights).unwrap();
    let nodes = vec![
        node("GlobalAveragePool", &["x"], "h1"),
        node("Flatten", &["h1"], "h2"),
        node("MatMul", &["h2", "w"], "y"),
    ];
    let made = model(&[Some(1), Some(3), Some(12), Some(12)], nodes, vec![outside]);
    fs::write(path.join("model.onnx"), made.encode_to_vec()).unwrap();
    fs::create_dir(path.join("photos")).unwrap();
    for at in 0..2u32 {
        image::RgbImage::from_fn(20, 16, |x, y| image::Rgb([(x * y) as u8, (9 * x + at) as u8, (5 * y) as u8]))
            .save(path.join(format!("photos/{at}.png")))
            .unwrap();
    }
    fs::write(path.join("labels.csv"), "0.png,1\n1.png,2\n").unwrap();
    folder
}

const LEE: [&str; 6] = ["lee", "model.onnx", "--images", "photos", "--labels", "labels.csv"];

fn with<'a>(arguments: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    arguments.iter().chain(more).copied().collect()
}

#[test]
fn two_outputs_of_one_name_are_refused_before_the_work() {
    let folder = given();
    let path = folder.path();
    fs::write(path.join("old.csv"), "old").unwrap();
    fs::hard_link(path.join("old.csv"), path.join("same.csv")).unwrap();
    symlink(path, path.join("here")).unwrap();
    for outputs in [
        ["--json", "a", "--csv", "a"],
        ["--json", "a", "--csv", "./a"],
        ["--json", "here/a", "--csv", "new/../a"],
        ["--json", "new/a", "--csv", "here/new/a"],
        ["--json", "old.csv", "--csv", "same.csv"],
        // Beside a plot there are figures.
        ["--csv", "p-tangents.png", "--plot", "p.png"],
        ["--checkpoint", "c", "--vectors", "c"],
    ] {
        let _ = fs::create_dir(path.join("new"));
        // Nothing is looked at before: there is no such model.
        let arguments = ["lee", "none.onnx", "--images", "photos", "--force"];
        let model = if outputs[0] == "--checkpoint" { with(&LEE, &["--force"]) } else { arguments.to_vec() };
        let (_, told) = ends(aliascope(path, &with(&model, &outputs)), 6);
        assert!(told.contains("are one file; give each output a name of its own"), "{outputs:?}: {told}");
    }
    let layers = ["layers", "none.onnx", "--images", "photos", "--plot", "p.svg", "--csv", "p-worst.svg"];
    let (_, told) = ends(aliascope(path, &layers), 6);
    assert!(told.contains("p-worst.svg and p-worst.svg are one file"), "{told}");
    assert_eq!(fs::read(path.join("old.csv")).unwrap(), b"old");
    // The same device may take several.
    ends(aliascope(path, &with(&LEE, &["--json", "/dev/null", "--csv", "/dev/null"])), 0);
}

#[test]
fn inputs_are_never_written_over() {
    let folder = given();
    let path = folder.path();
    symlink("photos/1.png", path.join("link.json")).unwrap();
    fs::hard_link(path.join("photos/0.png"), path.join("hard.json")).unwrap();
    symlink("model.onnx", path.join("model.json")).unwrap();
    let before = |name: &str| fs::read(path.join(name)).unwrap();
    let inputs = ["model.onnx", "weights.bin", "photos/0.png", "photos/1.png", "labels.csv"];
    let kept = inputs.map(before);
    for output in inputs.iter().chain(&["link.json", "hard.json", "model.json"]) {
        let (_, told) = ends(aliascope(path, &with(&LEE, &["--force", "--json", output])), 6);
        assert!(told.contains("which this command reads; give another name"), "{output}: {told}");
    }
    fs::write(path.join("harmonics.json"), "[[1, 0, 0.5, 0], [-1, 0, 0.5, 0]]").unwrap();
    let photo = ["--image", "photos/0.png", "--json", "photos/0.png", "--force"];
    let signal = ["--signal", "harmonics.json", "--samples", "16", "--json", "harmonics.json", "--force"];
    let design = ["antialias", "--design", "stride"];
    let surgery =
        ["antialias", "--model", "model.onnx", "--images", "photos", "--replace", "stride=blurpool:3", "--force"];
    for command in [
        with(&["harmonics", "--activation", "relu"], &photo),
        with(&["theorem", "--velocity", "1,0"], &photo),
        with(&design, &photo),
        with(&design, &signal),
        with(&["inspect", "model.onnx"], &["--json", "model.json", "--force"]),
        with(&["metrics", "model.onnx", "--images", "photos"], &["--csv", "photos/1.png", "--force"]),
        with(&["layers", "model.onnx", "--images", "photos"], &["--html", "weights.bin", "--force"]),
        with(&["theorem", "--model", "model.onnx", "--images", "photos"], &["--csv", "model.onnx", "--force"]),
        with(&surgery, &["--save", "model.onnx"]),
    ] {
        let (_, told) = ends(aliascope(path, &command), 6);
        assert!(told.contains("which this command reads; give another name"), "{command:?}: {told}");
    }
    assert_eq!(inputs.map(before), kept);
}

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn pipes_do_not_make_a_command_wait() {
    let folder = given();
    let path = folder.path();
    for name in ["p", "p.png", "p.safetensors", "p.onnx", "p.bin"] {
        pipe(&path.join(name));
    }
    let (_, told) = ends(aliascope(path, &with(&LEE, &["--json", "p"])), 6);
    assert!(told.contains("p is a pipe that nobody reads; start what reads it first, or name a file"), "{told}");
    for (arguments, status) in [
        (vec!["lee", "model.onnx", "--images", "p.png"], 5),
        (vec!["lee", "model.onnx", "--images", "p.safetensors"], 5),
        (vec!["lee", "p.onnx", "--images", "photos"], 3),
        (vec!["inspect", "p.onnx"], 3),
        (vec!["lee", "model.onnx", "--images", "photos", "--labels", "p"], 5),
        (vec!["lee", "model.onnx", "--images", "photos", "--resume", "--checkpoint", "p"], 6),
        (vec!["theorem", "--harmonics", "p", "--grid", "16", "--velocity", "1,0"], 5),
        (vec!["harmonics", "--activation", "relu", "--image", "p.png"], 5),
    ] {
        let (_, told) = ends(aliascope(path, &arguments), status);
        assert_eq!(told.lines().filter(|line| line.starts_with("aliascope: ")).count(), 1, "{arguments:?}: {told}");
    }
    fs::rename(path.join("p.bin"), path.join("weights.bin")).unwrap();
    let (_, told) = ends(aliascope(path, &LEE), 3);
    assert!(told.contains("weights.bin' is not an ordinary file"), "{told}");
}

#[test]
fn pipes_and_open_files_with_somebody_behind_them_work() {
    let folder = given();
    let path = folder.path();
    pipe(&path.join("p"));
    let mut reader = Command::new("cat").arg("p").current_dir(path).stdout(Stdio::piped()).spawn().unwrap();
    // The reader is there once it has opened the pipe, which is when a writer does not wait.
    let (_, told) = loop {
        let Output { status, stderr, .. } = aliascope(path, &with(&LEE, &["--json", "p"])).output().unwrap();
        let told = String::from_utf8_lossy(&stderr).into_owned();
        match status.code() {
            Some(0) => break ((), told),
            _ => assert!(told.contains("nobody reads"), "{told}"),
        }
    };
    let mut read = String::new();
    reader.stdout.take().unwrap().read_to_string(&mut read).unwrap();
    reader.wait().unwrap();
    let report: Value = serde_json::from_str(&read).unwrap_or_else(|error| panic!("{error}: {read}\n{told}"));
    assert_eq!(report["run"]["images"]["names"].as_array().map(Vec::len), Some(2));
    // Standard output by its other name, into a pipe and into a file.
    for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        let (out, _) = ends(aliascope(path, &with(&LEE, &["--json", name])), 0);
        assert_eq!(
            serde_json::from_str::<Value>(&out).unwrap()["run"]["images"]["names"].as_array().map(Vec::len),
            Some(2),
            "{name}"
        );
    }
    let mut command = aliascope(path, &with(&LEE, &["--csv", "/dev/stdout", "--quiet"]));
    let status = command.stdout(fs::File::create(path.join("out")).unwrap()).status().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(fs::read_to_string(path.join("out")).unwrap().starts_with("name,geometric_mean,"));
    assert!(fs::symlink_metadata("/dev/stdout").unwrap().is_symlink());
    // Harmonics from a pipe that somebody writes to.
    let mut command = aliascope(path, &["theorem", "--harmonics", "/dev/stdin", "--grid", "16", "--velocity", "1,0"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"[[1, 0, 0.5, 0], [-1, 0, 0.5, 0]]").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// A disk with room for the small files alone, as a limit on the size of files has it.
#[test]
fn what_fits_on_a_full_disk_is_kept_whole_and_the_rest_is_named() {
    let folder = given();
    let path = folder.path();
    let outputs = "--csv lee.csv --json lee.json --plot lee.png --vectors lee.safetensors";
    let script =
        format!("trap '' XFSZ; ulimit -f 160; exec '{}' {} {outputs}", env!("CARGO_BIN_EXE_aliascope"), LEE.join(" "));
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(path).env("ALIASCOPE_CACHE", path.join("cache"));
    let (out, told) = ends(command, 6);
    assert!(out.contains("translate_x"), "the table is printed: {out}");
    let last = told.lines().last().unwrap();
    assert!(
        last.contains("lee.png cannot be written: ") || last.contains("lee-tangents.png cannot be written: "),
        "{told}"
    );
    assert!(last.contains("; missing as well: ") && last.contains("; written: standard output, "), "{told}");
    assert!(fs::read_to_string(path.join("lee.csv")).unwrap().ends_with('\n'));
    let report: Value = serde_json::from_slice(&fs::read(path.join("lee.json")).unwrap()).unwrap();
    assert_eq!(report["run"]["images"]["names"].as_array().map(Vec::len), Some(2));
    let names: Vec<String> =
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!names.iter().any(|name| name.ends_with(".png") || name.starts_with(".aliascope")), "{names:?}");
}

/// Reading what another program has cut off is an error, and no signal.
#[test]
fn a_tensor_file_that_is_cut_off_in_use_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    let values: Vec<u8> = crate::common::noise(4 * 3 * 8 * 8).iter().flat_map(|value| value.to_le_bytes()).collect();
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![4, 3, 8, 8], &values).unwrap();
    fs::write(&path, safetensors::serialize([("x", view)], None).unwrap()).unwrap();
    let source = Source::open(std::slice::from_ref(&path), [3, 8, 8]).unwrap();
    let read = |at: usize| source.read(&source.frames()[at], &Preprocessing::imagenet());
    let (image, _) = read(1).unwrap();
    let wanted = f32::from_le_bytes(values[4 * 3 * 64..4 * 3 * 64 + 4].try_into().unwrap());
    assert_eq!(image[(0, 0, 0)], f64::from(wanted));
    let length = fs::metadata(&path).unwrap().len();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length / 2).unwrap();
    assert!(read(0).is_ok());
    let told = read(3).unwrap_err().to_string();
    assert!(told.contains("entry 3 is not there any more: the file was cut off while it was in use"), "{told}");
}
