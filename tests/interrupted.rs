//! Long runs that something goes wrong in: photos that cannot be read, and interruptions at any moment.
#![cfg(unix)]

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use aliascope::graph::onnx::proto::*;
use prost::Message;
use serde_json::Value;

use crate::common::command::{aliascope, photo, run, with};
use crate::common::onnx::{ints, model, node, text};

fn weights(name: &str, shape: &[i64], seed: u32) -> TensorProto {
    let count = shape.iter().product::<i64>() as u32;
    let values = crate::common::noise(count + seed).split_off(seed as usize);
    TensorProto { name: text(name), data_type: Some(1), dims: shape.to_vec(), float_data: values, ..Default::default() }
}

/// Two convolutions and a dense layer, of an image of 32 × 32 pixels.
fn classifier(path: &Path, seed: u32) {
    let convolution = |inputs: &[&str], output: &str| NodeProto {
        attribute: vec![ints("pads", &[1; 4]), ints("strides", &[2; 2])],
        ..node("Conv", inputs, output)
    };
    let nodes = vec![
        convolution(&["x", "a"], "h1"),
        node("Relu", &["h1"], "h2"),
        convolution(&["h2", "b"], "h3"),
        node("Relu", &["h3"], "h4"),
        node("GlobalAveragePool", &["h4"], "h5"),
        node("Flatten", &["h5"], "h6"),
        node("MatMul", &["h6", "c"], "y"),
    ];
    let constants = vec![
        weights("a", &[16, 3, 3, 3], seed),
        weights("b", &[24, 16, 3, 3], seed + 1),
        weights("c", &[24, 10], seed + 2),
    ];
    fs::write(path, model(&[Some(1), Some(3), Some(32), Some(32)], nodes, constants).encode_to_vec()).unwrap();
}

/// A model and so many photos.
fn given(photos: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    classifier(&folder.path().join("model.onnx"), 0);
    fs::create_dir(folder.path().join("photos")).unwrap();
    for at in 0..photos {
        photo(&folder.path().join(format!("photos/{at:03}.png")), at);
    }
    folder
}

const LEE: [&str; 4] = ["lee", "model.onnx", "--images", "photos"];
const LAYERS: [&str; 8] =
    ["layers", "model.onnx", "--images", "photos", "--generator", "translate_x", "--generator", "rotate"];
const METRICS: [&str; 7] = ["metrics", "model.onnx", "--images", "photos", "--layers", "--draws", "2"];

/// A result without the times that it took.
fn untimed(path: &Path) -> Value {
    fn without(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|name, _| {
                    !name.contains("_ms") && !["timing", "time_ratio", "time", "command"].contains(&name.as_str())
                });
                fields.values_mut().for_each(without);
            }
            Value::Array(entries) => entries.iter_mut().for_each(without),
            _ => {}
        }
    }
    let mut value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    without(&mut value);
    value
}

/// The results beside the images that were left out of them.
fn split(mut value: Value) -> (Value, Value) {
    let skipped = value["run"]["images"].as_object_mut().unwrap().remove("skipped").unwrap();
    (value, skipped)
}

#[test]
fn photos_that_cannot_be_read_are_left_out_and_the_rest_is_measured() {
    let folder = given(3);
    let path = folder.path();
    let good = |command: &[&str], json: &str| run(path, &with(command, &["--json", json, "--quiet"]), 0);
    let surgery = ["antialias", "--model", "model.onnx", "--images", "photos", "--replace", "stride=blurpool:3"];
    let theorem = ["theorem", "--model", "model.onnx", "--images", "photos", "--velocity", "1,0"];
    let commands: [&[&str]; 5] = [&LEE, &LAYERS, &METRICS, &surgery, &theorem];
    for (at, command) in commands.iter().enumerate() {
        good(command, &format!("good{at}.json"));
    }
    // Three whose headers tell, before, between and after the others, and one that only the decoder refuses.
    fs::write(path.join("photos/000a.png"), b"").unwrap();
    fs::write(path.join("photos/a.jpg"), b"no photo").unwrap();
    fs::write(path.join("photos/b.png"), &fs::read(path.join("photos/000.png")).unwrap()[..20]).unwrap();
    let mut damaged = fs::read(path.join("photos/001.png")).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 8].fill(0xff);
    fs::write(path.join("photos/001b.png"), damaged).unwrap();
    for (at, command) in commands.iter().enumerate() {
        let name = format!("all{at}.json");
        let told = run(path, &with(command, &["--json", &name]), 10);
        for (photo, reason) in [
            ("000a.png", "the file is empty"),
            ("a.jpg", "this is not a PNG or JPEG image"),
            ("b.png", "its header is not whole"),
            ("001b.png", "the image is damaged"),
        ] {
            let note =
                told.lines().find(|line| line.starts_with("note: ") && line.contains(&format!("{photo} is left")));
            assert!(note.is_some_and(|note| note.contains(reason)), "{photo} of {command:?}:\n{told}");
        }
        let last = told.lines().last().unwrap();
        assert!(last.starts_with("aliascope: 4 images could not be read and were left out"), "{told}");
        let (results, skipped) = split(untimed(&path.join(&name)));
        let (wanted, _) = split(untimed(&path.join(format!("good{at}.json"))));
        assert_eq!(results, wanted, "{command:?}");
        let skipped = skipped.as_array().unwrap();
        let names: Vec<&str> = skipped.iter().map(|one| one["image"].as_str().unwrap()).collect();
        assert_eq!(names, ["photos/000a.png", "photos/a.jpg", "photos/b.png", "photos/001b.png"]);
        // The old way.
        let strict = run(path, &with(command, &["--strict", "--quiet"]), 5);
        assert!(strict.starts_with("aliascope: photos/000a.png: the file is empty"), "{strict}");
    }
    // Whatever is left out, something must be measured.
    let none = run(path, &["lee", "model.onnx", "--images", "photos/a.jpg", "photos/001b.png", "--quiet"], 5);
    assert!(none.contains("photos/001b.png: the image is damaged"), "{none}");
    fs::write(path.join("photos/001b.png"), b"").unwrap();
    let none = run(path, &["lee", "model.onnx", "--images", "photos/a.jpg", "photos/001b.png", "--quiet"], 5);
    assert!(none.contains("photos/a.jpg: this is not a PNG"), "{none}");
}

#[test]
fn figures_among_the_photos_are_passed_over() {
    let folder = given(2);
    let path = folder.path();
    run(path, &with(&LEE, &["--quiet", "--json", "before.json", "--plot", "photos/figure.png"]), 0);
    let told = run(path, &with(&LEE, &["--json", "after.json"]), 0);
    assert!(told.contains("note: passed over, as aliascope drew them: figure-tangents.png and 1 more"), "{told}");
    assert_eq!(untimed(&path.join("before.json")), untimed(&path.join("after.json")));
    let alone = run(path, &["lee", "model.onnx", "--images", "photos/figure.png"], 5);
    assert!(alone.contains("1 figures that aliascope drew, and no photos"), "{alone}");
}

/// Kills a run at moments that differ from time to time until one of them is done; gives how often it was killed.
fn until_done(folder: &Path, arguments: &[&str], moments: &mut impl FnMut() -> Duration, most: usize) -> usize {
    for kills in 0..most {
        let mut child = aliascope(folder, arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let moment = moments();
        let begun = Instant::now();
        while begun.elapsed() < moment {
            if let Some(status) = child.try_wait().unwrap() {
                assert_eq!(status.code(), Some(0), "{arguments:?}");
                return kills;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        // SIGKILL.
        child.kill().unwrap();
        child.wait().unwrap();
    }
    run(folder, arguments, 0);
    most
}

/// The entries of a file of tensors, all after one another; metadata before them are in no order.
fn tensors(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = fs::read(path).ok()?;
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    Some(bytes.split_off(8 + header))
}

/// Kills every command at random moments, so many times in all, and holds the resumed results against undisturbed ones.
fn resumed_equals_undisturbed(kills: usize, photos: u32) {
    let folder = given(photos);
    let path = folder.path();
    let batched = with(&LEE, &["--batch", "3", "--vectors", "v.safetensors"]);
    let probes = with(&LAYERS, &["--estimator", "probes=3"]);
    let drawn = with(&LAYERS, &["--batch", "2", "--plot", "layers.svg"]);
    let commands: [&[&str]; 6] = [&LEE, &batched, &LAYERS, &drawn, &probes, &METRICS];
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut killed = 0;
    let (mut wanted, mut whole) = (Vec::new(), Vec::new());
    for command in commands {
        let begun = Instant::now();
        run(path, &with(command, &["--json", "whole.json", "--quiet", "--force"]), 0);
        whole.push(begun.elapsed());
        let vectors = tensors(&path.join("v.safetensors"));
        let figures = fs::read(path.join("layers-maps.png")).ok();
        wanted.push((untimed(&path.join("whole.json")), vectors, figures));
    }
    for turn in 0.. {
        let at = turn % commands.len();
        let (command, name) = (commands[at], format!("checkpoint{turn}.jsonl"));
        let more = ["--json", "resumed.json", "--quiet", "--force", "--resume", "--checkpoint", &name];
        let mut moments = || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            // Most of the run, its beginning and its end.
            whole[at].mul_f64((random % 1000) as f64 / 900.0)
        };
        killed += until_done(path, &with(command, &more), &mut moments, 12);
        let (json, vectors, figures) = &wanted[at];
        assert_eq!(&untimed(&path.join("resumed.json")), json, "{command:?}");
        if command.contains(&"--vectors") {
            assert!(vectors.is_some() && tensors(&path.join("v.safetensors")) == *vectors);
        }
        if command.contains(&"--plot") {
            assert_eq!(fs::read(path.join("layers-maps.png")).ok(), *figures);
        }
        let left: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        println!("{killed} kills after {} runs", turn + 1);
        assert!(left.len() < 200, "{left:?}");
        if killed >= kills && turn + 1 >= commands.len() {
            break;
        }
    }
}

#[test]
fn killed_runs_go_on_and_end_as_undisturbed_ones_do() {
    resumed_equals_undisturbed(12, 10);
}

/// `cargo test --test commands -- --ignored --nocapture a_hundred`: minutes.
#[test]
#[ignore = "takes minutes"]
fn a_hundred_kills_change_nothing() {
    resumed_equals_undisturbed(100, 24);
}

/// What was measured under other conditions is never taken.
#[test]
fn a_resume_under_other_conditions_says_so_and_begins_anew() {
    let folder = given(3);
    let path = folder.path();
    let kept = ["--checkpoint", "results.jsonl"];
    run(path, &with(&with(&LEE, &kept), &["--json", "half.json"]), 0);
    let again = run(path, &with(&LEE, &kept), 6);
    assert!(again.contains("results.jsonl exists; go on with it by --resume"), "{again}");
    let resume = ["--checkpoint", "results.jsonl", "--resume", "--force", "--json", "now.json"];
    let same = run(path, &with(&with(&LEE, &resume), &[]), 0);
    assert!(same.contains("results.jsonl holds results of 3 images"), "{same}");
    assert_eq!(untimed(&path.join("now.json")), untimed(&path.join("half.json")));

    let told = run(path, &with(&with(&LEE, &resume), &["--units", "pixel"]), 0);
    assert!(told.contains("nothing to resume: what was interrupted is of units half-width (now pixel)"), "{told}");
    run(path, &with(&LEE, &["--units", "pixel", "--json", "pixel.json"]), 0);
    assert_eq!(untimed(&path.join("now.json")), untimed(&path.join("pixel.json")));

    classifier(&path.join("model.onnx"), 9);
    let told = run(path, &with(&with(&LEE, &resume), &[]), 0);
    assert!(told.contains("nothing to resume: what was interrupted is of another model"), "{told}");
    run(path, &with(&LEE, &["--json", "other.json"]), 0);
    assert_eq!(untimed(&path.join("now.json")), untimed(&path.join("other.json")));

    // Another version's results, told apart by what they state.
    let lines = fs::read_to_string(path.join("results.jsonl")).unwrap();
    let version = format!("\"aliascope\":\"{}\"", env!("CARGO_PKG_VERSION"));
    let first = lines.lines().next().unwrap();
    assert!(first.contains(&version), "{first}");

    // A photo that is another by now is measured again, the rest is not.
    photo(&path.join("photos/001.png"), 77);
    run(path, &with(&LEE, &resume), 0);
    run(path, &with(&LEE, &["--json", "other.json", "--force"]), 0);
    assert_eq!(untimed(&path.join("now.json")), untimed(&path.join("other.json")));

    // Somebody's file is not written into.
    fs::write(path.join("letter.txt"), "Dear all\n").unwrap();
    let told = run(path, &with(&LEE, &["--resume", "--checkpoint", "letter.txt"]), 6);
    assert!(told.contains("letter.txt is no checkpoint"), "{told}");
    assert_eq!(fs::read(path.join("letter.txt")).unwrap(), b"Dear all\n");
}

/// The results in a checkpoint are read, not only found: one that is changed there comes out changed.
#[test]
fn what_the_checkpoint_has_is_what_is_reported() {
    let folder = given(2);
    let path = folder.path();
    run(path, &with(&LEE, &["--checkpoint", "r.jsonl", "--json", "a.json"]), 0);
    let text = fs::read_to_string(path.join("r.jsonl")).unwrap();
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3, "a heading and a line for each image");
    lines[1]["result"][0]["mean_abs"][0] = Value::from(1e6);
    let changed: Vec<String> = lines.iter().map(Value::to_string).collect();
    fs::write(path.join("r.jsonl"), changed.join("\n") + "\n").unwrap();
    run(path, &with(&LEE, &["--checkpoint", "r.jsonl", "--resume", "--json", "b.json"]), 0);
    let mean = |name: &str| untimed(&path.join(name))["generators"]["translate_x"]["mean_abs"].as_f64().unwrap();
    assert!(mean("a.json") < 10.0 && mean("b.json") > 4e5);
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .map_or_else(|_| Vec::new(), |entries| entries.map(|entry| entry.unwrap().path()).collect());
    found.sort();
    found
}

/// Without options a run is kept in the cache once it takes long, and goes away from there when it is done.
#[test]
fn short_runs_leave_nothing_in_the_cache() {
    let folder = given(2);
    run(folder.path(), &LEE, 0);
    assert!(files(&folder.path().join("cache/checkpoints")).is_empty());
    let told = run(folder.path(), &with(&LEE, &["--resume"]), 0);
    assert!(told.contains("there is nothing to resume, so every image is measured"), "{told}");
}

/// SIGTERM and SIGHUP end a run as Ctrl-C does; what `nohup` started outlives its terminal.
#[test]
fn signals_end_a_run_with_a_sentence_and_nohup_is_obeyed() {
    let folder = given(4);
    let path = folder.path();
    for (signal, nohup, status) in [("TERM", false, 130), ("HUP", false, 130), ("HUP", true, 0)] {
        let arguments = with(&METRICS, &["--json", "out.json", "--checkpoint", "c.jsonl"]);
        let mut command = aliascope(path, &arguments);
        if nohup {
            let program = command.get_program().to_owned();
            command = Command::new("nohup");
            command.arg(program).args(&arguments).env("ALIASCOPE_CACHE", path.join("cache")).current_dir(path);
        }
        if !nohup {
            // Where this test itself runs under nohup, the command would be as deaf.
            // SAFETY: signal is safe to call between fork and exec.
            unsafe {
                command.pre_exec(|| {
                    libc::signal(libc::SIGHUP, libc::SIG_DFL);
                    Ok(())
                });
            }
        }
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        // The first image is measured: the command is at its work.
        let begun = Instant::now();
        while !path.join("c.jsonl").exists() {
            assert!(begun.elapsed() < Duration::from_secs(120), "nothing is measured");
            std::thread::sleep(Duration::from_millis(2));
        }
        assert!(
            Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap().success()
        );
        let Output { status: found, stderr, .. } = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&stderr).into_owned();
        assert_eq!(found.code(), Some(status), "{signal}: {told}");
        if status == 130 {
            assert!(told.contains("interrupted; outputs that were not finished are not there"), "{told}");
            assert!(told.contains("the same command with --resume goes on from here"), "{told}");
            assert!(!path.join("out.json").exists());
        }
        assert!(files(path).iter().all(|file| !file.to_string_lossy().contains(".aliascope-")));
        fs::remove_file(path.join("c.jsonl")).unwrap();
    }
}
