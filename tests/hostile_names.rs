//! Names that come from files, chosen to do harm: in what is printed and drawn they are text, in JSON they are themselves.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use aliascope::graph::onnx::proto::*;
use prost::Message;
use serde_json::Value;

use crate::common::onnx::{ints, model, node, text};

/// A title for the window, a cleared screen in seven and in eight bits, a line of its own, text turned around, a space
/// without width, a formula.
const ATTACK: &str = "=\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\r\naliascope: all is well\u{202e}lanif\u{200b}\u{2066}";

fn acts(c: char) -> bool {
    c.is_control() && c != '\n'
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn harmless(what: &str, text: &str) {
    if let Some(at) = text.find(acts) {
        panic!("{what}: {:?} of\n{}", text[at..].chars().next(), text.escape_debug());
    }
    assert!(!text.lines().any(|line| line.starts_with("aliascope: all is well")), "{what}: a line of its own");
}

struct Ran {
    status: Option<i32>,
    stderr: String,
    took: Duration,
}

fn run(folder: &Path, arguments: &[&str]) -> Ran {
    let begun = Instant::now();
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_aliascope"))
        .args(arguments)
        .env("OMP_WAIT_POLICY", "passive")
        .env("ALIASCOPE_CACHE", folder.join("cache"))
        .env("ALIASCOPE_LOG", "debug")
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let took = begun.elapsed();
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    harmless(&format!("standard output of {arguments:?}"), &stdout);
    harmless(&format!("standard error of {arguments:?}"), &stderr);
    Ran { status: status.code(), stderr, took }
}

/// A small network of 16 × 16 pixels in which every name is `name` with something after it.
fn named(name: &str) -> ModelProto {
    let floats = |name: &str, shape: &[i64]| TensorProto {
        name: text(name),
        data_type: Some(1),
        dims: shape.to_vec(),
        float_data: crate::common::noise(shape.iter().product::<i64>() as u32),
        ..Default::default()
    };
    let convolution = NodeProto {
        attribute: vec![ints("pads", &[1; 4]), ints("strides", &[2; 2])],
        ..node("Conv", &["x", "a"], "h1")
    };
    let nodes = vec![
        convolution,
        node("Relu", &["h1"], "h2"),
        node("GlobalAveragePool", &["h2"], "h3"),
        node("Flatten", &["h3"], "h4"),
        node("MatMul", &["h4", "c"], "y"),
    ];
    let constants = vec![floats("a", &[8, 3, 3, 3]), floats("c", &[8, 5])];
    let mut made = model(&[Some(1), Some(3), Some(16), Some(16)], nodes, constants);
    let graph = made.graph.as_mut().unwrap();
    let rename = |old: &mut String| *old = format!("{name}/{old}");
    for node in &mut graph.node {
        node.name.iter_mut().chain(&mut node.input).chain(&mut node.output).for_each(rename);
    }
    graph.initializer.iter_mut().filter_map(|tensor| tensor.name.as_mut()).for_each(rename);
    graph.input.iter_mut().chain(&mut graph.output).filter_map(|value| value.name.as_mut()).for_each(rename);
    made
}

fn given(model: &ModelProto) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("model.onnx"), model.encode_to_vec()).unwrap();
    fs::create_dir(folder.path().join("photos")).unwrap();
    image::RgbImage::from_fn(24, 24, |x, y| image::Rgb([(x * y) as u8, (7 * x) as u8, (9 * y) as u8]))
        .save(folder.path().join("photos/plain.png"))
        .unwrap();
    folder
}

const IMAGES: [&str; 2] = ["--images", "photos"];

fn commands(force: bool) -> Vec<Vec<&'static str>> {
    let outputs: [&[&str]; 6] = [
        &["lee", "model.onnx", "--csv", "lee.csv", "--plot", "lee.svg", "--json", "lee.json", "--generator", "-rotate"],
        &[
            "layers",
            "model.onnx",
            "--csv",
            "layers.csv",
            "--plot",
            "layers.svg",
            "--html",
            "layers.html",
            "--json",
            "layers.json",
            "--group",
            "node",
        ],
        &["metrics", "model.onnx", "--layers", "--draws", "1", "--csv", "m.csv", "--plot", "m.svg", "--json", "m.json"],
        &[
            "antialias",
            "--model",
            "model.onnx",
            "--replace",
            "stride=blurpool:3",
            "--draws",
            "1",
            "--advise",
            "--csv",
            "a.csv",
            "--plot",
            "a.svg",
            "--json",
            "a.json",
            "--save",
            "new.onnx",
        ],
        &["theorem", "--model", "model.onnx", "--csv", "t.csv", "--plot", "t.svg", "--json", "t.json"],
        &["inspect", "model.onnx", "--json", "i.json"],
    ];
    let images = |words: &[&'static str]| if words[0] == "inspect" { Vec::new() } else { IMAGES.to_vec() };
    let force = if force { vec!["--force"] } else { Vec::new() };
    outputs.iter().map(|words| [words.to_vec(), images(words), force.clone()].concat()).collect()
}

#[test]
fn names_are_text_in_every_table_figure_page_and_log() {
    let folder = given(&named(ATTACK));
    let path = folder.path();
    for command in commands(false) {
        let ran = run(path, &command);
        assert_eq!(ran.status, Some(0), "{command:?}: {}", ran.stderr);
    }
    let mut seen = 0;
    for entry in fs::read_dir(path).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if [".svg", ".html", ".csv"].iter().any(|end| name.ends_with(end)) {
            harmless(&name, &fs::read_to_string(&file).unwrap());
            seen += 1;
        }
        if name.ends_with(".json") {
            let text = fs::read_to_string(&file).unwrap();
            harmless(&name, &text);
            // The true names, whatever they are.
            fn strings(value: &Value, found: &mut Vec<String>) {
                match value {
                    Value::String(text) => found.push(text.clone()),
                    Value::Array(entries) => entries.iter().for_each(|entry| strings(entry, found)),
                    Value::Object(fields) => fields.values().for_each(|field| strings(field, found)),
                    _ => {}
                }
            }
            let mut found = Vec::new();
            strings(&serde_json::from_str(&text).unwrap(), &mut found);
            assert!(found.iter().any(|text| text.contains(ATTACK)), "{name}");
            seen += 1;
        }
    }
    assert!(seen >= 16, "{seen} files");
    // What a spreadsheet would take for a formula is text; numbers stay numbers.
    let layers = fs::read_to_string(path.join("layers.csv")).unwrap();
    let row = layers.lines().nth(1).unwrap();
    assert!(row.contains(",'=\\u{1b}]0;owned"), "{row}");
    let lee = fs::read_to_string(path.join("lee.csv")).unwrap();
    assert!(lee.contains("\n'-rotate,"), "{lee}");
}

#[test]
fn files_names_are_text_too() {
    let folder = given(&named("plain"));
    let path = folder.path();
    let photo = "photos/a\u{1b}[2J\naliascope: all is well\u{202e}.png";
    fs::copy(path.join("photos/plain.png"), path.join(photo)).unwrap();
    fs::write(path.join("photos/b\u{1b}]0;owned\u{7}.jpg"), b"no photo").unwrap();
    let model = "m\u{1b}[31m\u{202e}.onnx";
    fs::copy(path.join("model.onnx"), path.join(model)).unwrap();
    let ran = run(path, &["lee", model, "--images", "photos", "--plot", "lee.svg", "--json", "lee.json"]);
    assert_eq!(ran.status, Some(10), "{}", ran.stderr);
    harmless("lee.svg", &fs::read_to_string(path.join("lee.svg")).unwrap());
    let report: Value = serde_json::from_slice(&fs::read(path.join("lee.json")).unwrap()).unwrap();
    assert!(report["run"]["images"]["names"].as_array().unwrap().iter().any(|name| name == photo), "{report}");
}

/// Messages quote names, and are short whatever they quote.
#[test]
fn messages_are_one_readable_line() {
    for name in [ATTACK.to_owned(), format!("{ATTACK}{}", "n".repeat(2_000_000))] {
        type Damage = fn(&mut GraphProto, &str);
        let damages: [(&str, i32, Damage); 5] = [
            ("an operator", 4, |graph, name| graph.node[1].op_type = text(name)),
            ("a domain", 4, |graph, name| graph.node[1].domain = text(name)),
            ("an attribute", 4, |graph, name| graph.node[0].attribute.push(ints(name, &[1]))),
            ("a value that is not there", 3, |graph, name| graph.node[1].input[0] = format!("{name} not there")),
            ("a name used twice", 3, |graph, _| graph.node[2].name = graph.node[1].name.clone()),
        ];
        // A megabyte takes a debug build seconds.
        let most = if name == ATTACK { damages.len() } else { 2 };
        for (what, status, damage) in damages.into_iter().take(most) {
            let mut made = named(&name);
            damage(made.graph.as_mut().unwrap(), &name);
            let folder = given(&made);
            let ran = run(folder.path(), &["lee", "model.onnx", "--images", "photos"]);
            assert_eq!(ran.status, Some(status), "{what}: {}", ran.stderr);
            let last = ran.stderr.lines().last().unwrap();
            assert!(last.starts_with("aliascope: "), "{what}: {last}");
            assert!(last.chars().count() < 4500, "{what}: {} characters", last.chars().count());
            let listed = run(folder.path(), &["inspect", "model.onnx"]);
            assert_ne!(listed.status, Some(0), "{what}");
            assert!(listed.stderr.len() < 20_000, "{what}: {} bytes", listed.stderr.len());
        }
    }
}

/// A name of 200,000 characters takes about as long as a short one, and no figure is made of it.
#[test]
fn long_names_slow_nothing() {
    let short = given(&named("short"));
    let long = given(&named(&"n".repeat(200_000)));
    for command in commands(true) {
        let (before, after) = (run(short.path(), &command), run(long.path(), &command));
        assert_eq!((before.status, after.status), (Some(0), Some(0)), "{command:?}: {}", after.stderr);
        let most = before.took * 3 + Duration::from_secs(4);
        assert!(after.took < most, "{command:?} took {:?}, and {:?} with short names", after.took, before.took);
    }
    for entry in fs::read_dir(long.path()).unwrap() {
        let file = entry.unwrap().path();
        let drawn = file.extension().is_some_and(|end| end == "svg" || end == "html");
        assert!(!drawn || fs::metadata(&file).unwrap().len() < 3_000_000, "{}", file.display());
    }
}
