//! `aliascope theorem` and `aliascope harmonics` as a user meets them: what they print, draw and write, and how they
//! refuse.

use std::f64::consts::PI;
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use image::{GrayImage, Luma};
use serde_json::Value;
use tempfile::TempDir;

fn aliascope(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aliascope"));
    command.args(line.split_whitespace());
    command
}

fn json(line: &str) -> Value {
    let output = aliascope(line).args(["--json", "-"]).assert().success().get_output().stdout.clone();
    serde_json::from_slice(&output).unwrap()
}

/// A picture without symmetry.
fn picture(folder: &Path, columns: u32, rows: u32) -> PathBuf {
    let path = folder.join("picture.png");
    let value = |x, y| Luma([(127.0 + 60.0 * f64::from(x * x + 3 * y).sin() + 60.0 * f64::from(x * y).cos()) as u8]);
    GrayImage::from_fn(columns, rows, value).save(&path).unwrap();
    path
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// Fields and filters have the same names in every subcommand; the old spellings mean the same.
#[test]
fn fields_and_filters_are_named_alike() {
    let folder = tempfile::tempdir().unwrap();
    let wave = folder.path().join("wave.json");
    fs::write(&wave, "[[2, 1, 0.5, 0], [-2, -1, 0.5, 0]]").unwrap();
    let wave = wave.display();
    let without_run = |line: &str| {
        let mut report = json(line);
        report["run"] = Value::Null;
        for timed in ["time_ms", "time_ratio"] {
            for design in report["designs"].as_array_mut().into_iter().flatten() {
                design[timed] = Value::Null;
            }
        }
        report
    };
    for (line, old) in [
        (
            "theorem --samples 21 --stride 3 --field random:9,seed=1 --filter binomial-3",
            "theorem --samples 21 --stride 3 --random 1 --prefilter binomial-3",
        ),
        (&format!("theorem --grid 4 --field {wave}"), &format!("theorem --grid 4 --harmonics {wave}")),
        (
            &format!("antialias --design blurpool:3 --samples 16 --field {wave}"),
            &format!("antialias --design binomial-3 --samples 16 --signal {wave}"),
        ),
        (
            "antialias --design stride --samples 16 --field random:4,seed=2",
            "antialias --design none --samples 16 --random 4 --seed 2",
        ),
    ] {
        assert_eq!(without_run(line), without_run(old), "{line}");
    }
    let taps = json("antialias --design taps:0.25,0.5,0.25,blurpool:3 --samples 16 --field random:4");
    assert_eq!(taps["designs"][0]["name"], "taps:0.25,0.5,0.25");
    assert_eq!(taps["designs"][0]["measured"], taps["designs"][1]["measured"], "the same filter");
    aliascope("theorem --grid 7 --field random").assert().code(2).stderr(predicates::str::contains("random:BAND"));
}

/// `exact` and `measured` to 1e-12, as the issue of rounding allows for defects as large as the slopes.
fn assert_exact_is_measured(report: &Value) {
    assert!(number(&report["exact"]) > 0.0, "{report}");
    assert!(number(&report["relative"]["measured"]) < 1e-12, "{report}");
}

#[test]
fn every_input_of_the_theorem_gives_the_promised_json() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("h.json");
    fs::write(&file, "[[5, 0, 1, 0], [1, 2, 0.5, -0.25], [-3, 4, 0, 1]]").unwrap();
    let photo = picture(folder.path(), 24, 20);
    let (file, photo) = (file.display(), photo.display());
    for line in [
        format!("theorem --harmonics {file} --grid 4"),
        format!("theorem --harmonics {file} --samples 16 --stride 4 --prefilter binomial-3 --velocity 0.8,-0.6"),
        "theorem --random 3 --band 5 --grid 6".to_owned(),
        "theorem --random 3 --band 5 --complex --decay 0 --grid 7x5 --velocity -1,2".to_owned(),
        "theorem --random 3 --samples 24x12 --stride 3x2 --prefilter kaiser".to_owned(),
        format!("theorem --image {photo} --stride 4 --prefilter taps:0.25,0.5,0.25 --velocity 1,1"),
        format!("theorem --image {photo} --grid 7"),
    ] {
        let report = json(&line);
        assert_exact_is_measured(&report);
        for field in ["grid", "stride", "velocity", "diagonal", "paper", "folds", "assumptions", "convention"] {
            assert!(report.get(field).is_some(), "{line}: no {field}");
        }
        for field in ["collisions", "axis_aligned", "alias_free"] {
            assert!(report["assumptions"].get(field).is_some(), "{line}: no {field}");
        }
        for field in ["from", "to", "energy"] {
            assert!(report["folds"][0].get(field).is_some(), "{line}: no {field} of a fold");
        }
    }
    // Smooth activations, whose harmonics converge.
    let report = json("theorem --random 3 --band 2 --grid 9 --activation tanh --tolerance 1e-9");
    assert!(number(&report["relative"]["measured"]) < 1e-8, "{report}");
    let truncation = &report["truncation"];
    assert!(truncation["converged"].as_bool().unwrap() && number(&truncation["change"]) < 1e-9);
    assert!(number(&truncation["estimate"]) < 1e-9, "{truncation}");
}

#[test]
fn one_harmonic_is_what_a_hand_computes() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("one.json");
    // 5 cycles on 4 samples look like 1: δ = 2πi·(5 − 1).
    fs::write(&file, "[[5, 0, 1, 0]]").unwrap();
    let report = json(&format!("theorem --harmonics {} --grid 4", file.display()));
    let expected = (8.0 * PI).powi(2);
    for form in ["exact", "diagonal", "paper", "measured"] {
        assert!((number(&report[form]) / expected - 1.0).abs() < 1e-13, "{form}");
    }
    assert_eq!(report["folds"][0]["from"], serde_json::json!([5, 0]));
    assert_eq!(report["folds"][0]["to"], serde_json::json!([1, 0]));
    assert_eq!(report["grid"], serde_json::json!([4, 4]));
}

#[test]
fn tables_say_what_they_mean() {
    let theorem = aliascope("theorem --random 1 --band 9 --grid 7 --velocity 0.8,0.6").assert().success();
    let text = String::from_utf8_lossy(&theorem.get_output().stdout).into_owned();
    for words in ["exact", "measured", "diagonal", "paper", "lands on", "no 1/(2 pi) in front", "not along an axis"] {
        assert!(text.contains(words), "{words} in:\n{text}");
    }
    let harmonics = aliascope("harmonics --activation relu").assert().success();
    let text = String::from_utf8_lossy(&harmonics.get_output().stdout).into_owned();
    for words in ["|c_k|", "folds to", "aliased", "k^-p, p = 2 predicted"] {
        assert!(text.contains(words), "{words} in:\n{text}");
    }
    let tail = aliascope("theorem --random 1 --band 2 --grid 9 --activation relu").assert().success();
    let text = String::from_utf8_lossy(&tail.get_output().stdout).into_owned();
    assert!(text.contains("estimated 5.95·10⁻⁴") && text.contains("is left"), "{text}");
}

#[test]
fn a_rectified_cosine_has_the_promised_json() {
    let report = json("harmonics --activation relu --frequency 5 --samples 32 --stride 2");
    assert_eq!(report["activation"], "relu");
    let harmonic = |k: usize| &report["harmonics"][k];
    for (k, magnitude) in [(0, 1.0 / PI), (1, 0.25), (2, 1.0 / (3.0 * PI)), (3, 0.0), (4, 1.0 / (15.0 * PI))] {
        assert_eq!(harmonic(k)["k"], k);
        assert!((number(&harmonic(k)["magnitude"]) - magnitude).abs() < 1e-14, "{k}");
        assert!(harmonic(k)["phase"].is_number());
    }
    // 10 cycles on 16 samples are −6, 20 are 4.
    assert_eq!((&harmonic(2)["folds_to"], &harmonic(4)["folds_to"]), (&(-6).into(), &4.into()));
    assert!(number(&report["aliased_fraction"]) > 0.0);
    assert_eq!(report["decay"]["law"], "algebraic");
    assert_eq!(number(&report["decay"]["predicted"]), 2.0);
    assert!((number(&report["decay"]["fitted"]) - 2.0).abs() < 0.06);
}

#[test]
fn every_activation_has_harmonics() {
    for name in [
        "relu",
        "leaky_relu",
        "leaky_relu:0.2",
        "relu6",
        "gelu",
        "silu",
        "tanh",
        "softplus",
        "elu",
        "hardswish",
        "mish",
        "sigmoid",
        "sin",
        "abs",
        "poly:0,1,0.5",
    ] {
        let report =
            json(&format!("harmonics --activation {name} --amplitude 2.5 --oversample 16 --filter binomial-3"));
        assert_eq!(report["activation"], name);
        assert!(number(&report["harmonics"][0]["magnitude"]).is_finite(), "{name}");
        let report = json(&format!("theorem --random 2 --band 2 --grid 8 --activation {name} --tolerance 0.01"));
        assert_eq!(report["activation"], name);
    }
}

/// Where no bin is shared the diagonal form is exact; along an axis the printed one is the diagonal one; measured always is.
#[test]
fn departures_are_where_the_forms_assume_too_much() {
    for (velocity, askew) in [("0.8,0.6", true), ("1,0", false)] {
        let study = json(&format!("theorem --departures --velocity {velocity}"));
        let cases = study["cases"].as_array().unwrap();
        assert!(cases.len() > 300);
        let departs = |case: &Value, form: &str| number(&case[form]).abs() > 1e-9;
        assert!(cases.iter().all(|case| !departs(case, "measured")));
        let (alone, crowded): (Vec<_>, Vec<_>) = cases.iter().partition(|case| number(&case["collision_share"]) == 0.0);
        assert!(!alone.is_empty() && alone.iter().all(|case| !departs(case, "diagonal")));
        assert!(crowded.iter().any(|case| departs(case, "diagonal")));
        assert_eq!(alone.iter().any(|case| departs(case, "paper")), askew);
    }
    let table = aliascope("theorem --departures --velocity 0.8,0.6").assert().success();
    let text = String::from_utf8_lossy(&table.get_output().stdout).into_owned();
    assert!(text.contains("bins shared  series  diagonal"), "{text}");
}

#[test]
fn figures_are_drawn_for_every_kind_of_result() {
    let folder = TempDir::new().unwrap();
    let photo = picture(folder.path(), 40, 32);
    for (name, line) in [
        ("theorem.svg", "theorem --random 1 --grid 7".to_owned()),
        ("free.svg", "theorem --random 1 --band 2 --grid 7".to_owned()),
        ("departures.svg", "theorem --departures --velocity 0.8,0.6".to_owned()),
        ("harmonics.svg", "harmonics --activation gelu --amplitude 4 --filter kaiser --stride 2".to_owned()),
        ("photo.svg", format!("harmonics --activation relu --image {} --stride 2", photo.display())),
    ] {
        let path = folder.path().join(name);
        aliascope(&line).arg("--plot").arg(&path).assert().success();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("<svg") && text.trim_end().ends_with("</svg>"), "{name}");
        // Nothing is replaced unasked.
        aliascope(&line).arg("--plot").arg(&path).assert().code(6);
        aliascope(&line).arg("--plot").arg(&path).arg("--force").assert().success();
    }
}

#[test]
fn nonsense_is_refused_with_one_message() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let twice = file("twice.json", "[[1, 2, 1, 0], [1, 2, 0, 1]]");
    let nan = file("nan.json", "[[1, 2, NaN, 0]]");
    let huge = file("huge.json", "[[1, 2, 1e999, 0]]");
    let half = file("half.json", "[[1.5, 2, 1, 0]]");
    let short = file("short.json", "[[1, 2, 1]]");
    let empty = file("empty.json", "[]");
    let far = file("far.json", "[[9000000, 2, 1, 0]]");
    let text = file("text.png", "not a picture");
    let missing = folder.path().join("missing.json").display().to_string();
    let photo = picture(folder.path(), 25, 20).display().to_string();
    let refusals: Vec<(String, i32, &str)> = vec![
        ("theorem --random 1 --band 0 --grid 7".to_owned(), 2, "a band from 1 to 256"),
        ("theorem --random 1 --band 257 --grid 7".to_owned(), 2, "a band from 1 to 256"),
        ("theorem --random 1".to_owned(), 2, "give --grid M, or --samples N and --stride S"),
        ("theorem --random 1 --grid 0".to_owned(), 2, "at least 1"),
        ("theorem --departures --grid 7".to_owned(), 2, "cannot be used with"),
        ("theorem --random 1 --grid 7y3".to_owned(), 2, "COLUMNSxROWS"),
        ("theorem --random 1 --samples 16 --stride 3".to_owned(), 2, "does not divide"),
        ("theorem --random 1 --stride 3".to_owned(), 2, "--stride needs --samples"),
        ("theorem --random 1 --grid 7 --velocity 0,0".to_owned(), 2, "moves nothing"),
        ("theorem --random 1 --grid 7 --velocity 1".to_owned(), 2, "two finite numbers"),
        ("theorem --random 1 --grid 7 --prefilter gauss".to_owned(), 2, "unknown filter 'gauss'"),
        ("theorem --random 1 --grid 7 --prefilter binomial-3".to_owned(), 2, "samples to lie on"),
        ("theorem --random 1 --grid 7 --activation geluu".to_owned(), 2, "did you mean gelu"),
        ("theorem --random 1 --grid 7 --activation relu --tolerance 2".to_owned(), 2, "between 0 and 1"),
        ("theorem --random 1 --complex --grid 7 --activation relu".to_owned(), 5, "real fields"),
        (format!("theorem --harmonics {twice} --grid 4"), 5, "harmonic (1, 2) is given twice"),
        (format!("theorem --harmonics {nan} --grid 4"), 5, "all finite numbers"),
        (format!("theorem --harmonics {huge} --grid 4"), 5, "finite"),
        (format!("theorem --harmonics {half} --grid 4"), 5, "whole numbers of cycles"),
        (format!("theorem --harmonics {short} --grid 4"), 5, "[[n, m, re, im], …]"),
        (format!("theorem --harmonics {empty} --grid 4"), 5, "at least one harmonic"),
        (format!("theorem --harmonics {far} --grid 4"), 5, "beyond the limit"),
        (format!("theorem --harmonics {missing} --grid 4"), 5, "cannot be read"),
        (format!("theorem --image {text} --grid 4"), 5, "text.png"),
        (format!("theorem --image {photo} --samples 8 --grid 4"), 2, "an image has its own samples"),
        (format!("theorem --image {photo} --stride 2"), 2, "does not divide"),
        ("harmonics --activation relu --amplitude 0".to_owned(), 2, "the amplitude must be finite and greater than 0"),
        ("harmonics --activation relu --amplitude -1".to_owned(), 2, "greater than 0"),
        ("harmonics --activation relu --frequency 0".to_owned(), 2, "the frequency must be from 1 to 15"),
        ("harmonics --activation relu --frequency 16".to_owned(), 2, "the frequency must be from 1 to 15"),
        ("harmonics --activation relu --stride 5".to_owned(), 2, "does not divide the 32 samples"),
        ("harmonics --activation relu --samples 2".to_owned(), 2, "must be from 3"),
        ("harmonics --activation relu --oversample 0".to_owned(), 2, "oversampling must be from 1"),
        ("harmonics --activation reluu".to_owned(), 2, "did you mean relu"),
        ("harmonics --activation quux".to_owned(), 2, "the known ones are relu, leaky_relu"),
        ("harmonics --activation poly:".to_owned(), 2, "lowest first"),
        ("harmonics --activation relu --filter binomial-9".to_owned(), 2, "unknown filter"),
        (format!("harmonics --activation relu --image {photo} --stride 2"), 2, "does not divide"),
        (format!("harmonics --activation relu --image {photo} --amplitude 0"), 2, "greater than 0"),
        (format!("harmonics --activation relu --image {photo} --oversample 5000"), 2, "oversample less"),
        ("harmonics --activation poly:0,0,0,1 --amplitude 1e200".to_owned(), 7, "too large for f64"),
    ];
    for (line, status, words) in refusals {
        let assert = aliascope(&line).assert().code(status).stdout("");
        let message = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
        assert!(message.contains(words), "{line}:\n{message}");
        // One message: aliascope's own sentence, or clap's with its pointer to --help.
        let sentences = message.lines().filter(|line| line.starts_with("aliascope: ") || line.starts_with("error: "));
        assert_eq!(sentences.count(), 1, "{line}:\n{message}");
        assert!(!message.contains("panicked"), "{line}:\n{message}");
    }
}
