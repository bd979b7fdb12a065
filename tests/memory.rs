//! Memory is counted before it is taken: whole commands with little address space end with a sentence and status 8.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::process::Command;

use aliascope::graph::onnx::proto::{AttributeProto, ModelProto, NodeProto, TensorProto};
use prost::Message;

use crate::common::asset;
use crate::common::model::{Value, attribute, doubles, ints};
use crate::common::onnx::{model, node};

/// Kilobytes of address space, of which a command on a small network needs about half.
const SPACE: u32 = 1_300_000;

struct Run {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

/// The program with little address space.
fn run(arguments: &[&str]) -> Run {
    let mut command = Command::new("bash");
    command.args(["-c", &format!("ulimit -v {SPACE}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_aliascope")]);
    let output = command.args(arguments).env("OMP_WAIT_POLICY", "passive").output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Run { status: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

/// The one message of a command that memory does not suffice for.
fn refusal(arguments: &[&str]) -> String {
    let run = run(arguments);
    assert_eq!(run.status, Some(8), "{arguments:?}: {}", run.stderr);
    let messages: Vec<&str> = run.stderr.lines().filter(|line| !line.starts_with("note:")).collect();
    assert_eq!(messages.len(), 1, "one message, not:\n{}", run.stderr);
    for word in ["torch", "c10", "Exception", "alloc", "\x1b"] {
        assert!(!messages[0].contains(word), "{}", messages[0]);
    }
    assert!(messages[0].contains("free"), "{}", messages[0]);
    messages[0].to_owned()
}

fn with(mut node: NodeProto, attributes: Vec<AttributeProto>) -> NodeProto {
    node.attribute = attributes;
    node
}

fn write(folder: &Path, name: &str, model: &ModelProto) -> String {
    let path = folder.join(format!("{name}.onnx"));
    fs::write(&path, model.encode_to_vec()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The sum of a huge value that the nodes make of `x`, or of constants alone, in which case `x` is added after it.
fn huge(nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> ModelProto {
    let folds = !nodes.iter().any(|node| node.input.iter().any(|input| input == "x"));
    let back = match folds {
        true => vec![node("ReduceSum", &["huge"], "sum"), node("Add", &["x", "sum"], "y")],
        false => vec![node("ReduceSum", &["huge"], "y")],
    };
    model(&[Some(1), Some(1), Some(8), Some(8)], nodes.into_iter().chain(back).collect(), constants)
}

/// Values of about a gigabyte, twice what is left of [`SPACE`], each made by one operator.
fn huge_values() -> Vec<(&'static str, ModelProto)> {
    let list = |name: &str, values: &[i64]| ints(name, &[values.len() as i64], values);
    let number = |name: &str, value: i64| ints(name, &[], &[value]);
    let pads = || attribute("pads", Value::Ints(vec![800; 4]));
    vec![
        (
            "ConstantOfShape",
            huge(vec![node("ConstantOfShape", &["shape"], "huge")], vec![list("shape", &[4, 8000, 8000])]),
        ),
        ("Expand", huge(vec![node("Expand", &["x", "shape"], "huge")], vec![list("shape", &[1 << 22, 1, 8, 8])])),
        ("Tile", huge(vec![node("Tile", &["x", "times"], "huge")], vec![list("times", &[1, 1, 2000, 2000])])),
        (
            "Pad",
            huge(vec![node("Pad", &["x", "pads"], "huge")], vec![list("pads", &[0, 0, 7900, 7900, 0, 0, 7900, 7900])]),
        ),
        (
            "Resize",
            huge(vec![node("Resize", &["x", "", "", "sizes"], "huge")], vec![list("sizes", &[1, 1, 16_000, 16_000])]),
        ),
        (
            "Range",
            huge(
                vec![node("Range", &["zero", "many", "one"], "huge")],
                vec![number("zero", 0), number("many", 250_000_000), number("one", 1)],
            ),
        ),
        (
            "OneHot",
            huge(
                vec![node("OneHot", &["places", "depth", "values"], "huge")],
                vec![list("places", &[0; 1000]), number("depth", 260_000), doubles("values", &[2], &[0.0, 1.0])],
            ),
        ),
        (
            "Conv",
            huge(
                vec![with(node("Conv", &["x", "weight"], "huge"), vec![pads()])],
                vec![doubles("weight", &[100, 1, 1, 1], &[0.5; 100])],
            ),
        ),
        (
            "Gemm",
            huge(
                vec![node("Reshape", &["x", "column"], "a"), node("Gemm", &["a", "row"], "huge")],
                vec![list("column", &[64, 1]), doubles("row", &[1, 4_000_000], &[0.1; 4_000_000])],
            ),
        ),
    ]
}

#[test]
fn operators_outputs_and_constants_are_counted_before_they_are_made() {
    let folder = tempfile::tempdir().unwrap();
    for (name, model) in huge_values() {
        let message = refusal(&["inspect", &write(folder.path(), name, &model)]);
        assert!(message.contains(&format!("({name}")) && message.contains("of memory"), "{name}: {message}");
    }
}

#[test]
fn large_inputs_are_refused_at_load_or_before_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = || vec![node("GlobalAveragePool", &["x"], "pooled"), node("Flatten", &["pooled"], "y")];
    let sized = |n| model(&[Some(1), Some(1), Some(n), Some(n)], nodes(), Vec::new());
    let photo = asset("photos/chelsea.png");
    let photo = photo.to_str().unwrap();
    let larger = write(folder.path(), "larger", &sized(30_000));
    let large = write(folder.path(), "large", &sized(14_000));
    assert!(refusal(&["inspect", &larger]).contains("input"));
    for command in ["lee", "layers", "metrics", "theorem"] {
        let mut arguments = match command {
            "theorem" => vec!["theorem", "--model"],
            other => vec![other],
        };
        arguments.extend([large.as_str(), "--images", photo]);
        let run = run(&arguments);
        // The limit of layers is an option of its own, whose words say what it lacks.
        let usage = command == "layers" && run.status == Some(2) && run.stderr.contains("--memory");
        assert!(usage || run.status == Some(8), "{command}: {:?} {}", run.status, run.stderr);
    }
}

#[test]
fn whichever_step_of_a_node_finds_no_memory_the_node_is_named() {
    let folder = tempfile::tempdir().unwrap();
    // Between the size that fits and the one whose value alone does not, what is known of its entries does not.
    let mut refused = 0;
    for pad in [2000, 3000, 4000, 5000, 6000, 7000, 8000] {
        let pads = ints("pads", &[8], &[0, 0, pad, pad, 0, 0, pad, pad]);
        let model = write(folder.path(), "pad", &huge(vec![node("Pad", &["x", "pads"], "huge")], vec![pads]));
        let run = run(&["inspect", &model]);
        if run.status != Some(0) {
            assert!(run.status == Some(8) && run.stderr.contains("node '"), "{pad}: {}", run.stderr);
            refused += 1;
        }
    }
    assert!(refused > 0);
}

#[test]
fn where_the_entries_of_a_value_lie_is_not_asked_where_only_the_value_finds_memory() {
    let folder = tempfile::tempdir().unwrap();
    // Channels last, so that the entries are followed one by one, of 8 bytes each and more than once.
    let layout = |pad: i64| {
        let last = with(node("Transpose", &["x"], "last"), vec![attribute("perm", Value::Ints(vec![0, 2, 3, 1]))]);
        let pads = ints("pads", &[8], &[0, pad, pad, 0, 0, pad, pad, 0]);
        let model = huge(vec![last, node("Pad", &["last", "pads"], "huge")], vec![pads]);
        let run = run(&["inspect", &write(folder.path(), "pad", &model), "--json", "-"]);
        assert_eq!(run.status, Some(0), "{pad}: {}", run.stderr);
        let nodes = serde_json::from_str::<serde_json::Value>(&run.stdout).unwrap();
        let huge = nodes["nodes"].as_array().unwrap().iter().find(|node| node["op"] == "Pad").unwrap().clone();
        huge["layout"].as_str().unwrap().to_owned()
    };
    assert_eq!([100, 2700].map(layout), ["8×8 in windows", "–"]);
}

/// A PNG whose header states so many columns and rows of grey; there is a little of its data.
fn png(side: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |name: &[u8; 4], data: &[u8]| {
        let checked = [name.as_slice(), data].concat();
        bytes.extend((data.len() as u32).to_be_bytes());
        bytes.extend(&checked);
        bytes.extend(checksum(&checked).to_be_bytes());
    };
    let header = [&side.to_be_bytes()[..], &side.to_be_bytes(), &[8, 0, 0, 0, 0]].concat();
    chunk(b"IHDR", &header);
    chunk(b"IDAT", &[0x78, 0x9c, 0x63, 0x60, 0x60, 0, 0, 0, 2, 0, 1]);
    chunk(b"IEND", &[]);
    bytes
}

/// CRC-32, as PNG has it.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 })
    })
}

#[test]
fn pictures_are_counted_before_they_are_decoded() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = vec![node("GlobalAveragePool", &["x"], "pooled"), node("Flatten", &["pooled"], "y")];
    let model = write(folder.path(), "small", &model(&[Some(1), Some(3), Some(8), Some(8)], nodes, Vec::new()));
    let photo = folder.path().join("huge.png");
    fs::write(&photo, png(31_000)).unwrap();
    let photo = photo.to_str().unwrap();
    let message = refusal(&["lee", &model, "--images", photo]);
    assert!(message.contains("huge.png") && message.contains("GiB"), "{message}");
    let message = refusal(&["harmonics", "--activation", "relu", "--image", photo]);
    assert!(message.contains("huge.png"), "{message}");
    // The same file, of a size that memory has, is only damaged.
    fs::write(photo, png(300)).unwrap();
    let run = run(&["lee", &model, "--images", photo]);
    assert_eq!(run.status, Some(5), "{}", run.stderr);
}

#[test]
fn what_the_user_allows_bounds_loading() {
    let folder = tempfile::tempdir().unwrap();
    let shape = ints("shape", &[4], &[1, 4, 4000, 4000]);
    let nodes = vec![node("ConstantOfShape", &["shape"], "huge")];
    let model = write(folder.path(), "constant", &huge(nodes, vec![shape]));
    let photo = asset("photos/chelsea.png");
    let photo = photo.to_str().unwrap();
    let message = refusal(&["lee", &model, "--images", photo, "--memory", "100"]);
    assert!(message.contains("ConstantOfShape") && message.contains("100 MiB are free"), "{message}");
}
