//! `aliascope antialias` and `metrics` as a user meets them.

use assert_cmd::Command;
use predicates::prelude::*;
use serde_json::Value;

use crate::common::asset;

fn aliascope(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aliascope"));
    // Tests share the machine: libtorch's threads must not spin while others wait for a core.
    command.env("OMP_WAIT_POLICY", "passive").current_dir(env!("CARGO_MANIFEST_DIR")).args(args);
    command
}

fn json(args: &[&str]) -> Value {
    let output = aliascope(args).assert().success().get_output().stdout.clone();
    serde_json::from_slice(&output).unwrap()
}

const SIGNAL: &str =
    "[[1,0,0.5,0.1],[-1,0,0.5,-0.1],[3,2,0.2,-0.3],[-3,-2,0.2,0.3],[7,5,0.1,0.2],[-7,-5,0.1,-0.2],[0,0,0.3,0]]";

#[test]
fn the_same_signal_gives_the_theorem_commands_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let signal = folder.path().join("signal.json");
    std::fs::write(&signal, SIGNAL).unwrap();
    let signal = signal.to_str().unwrap();
    let bench = json(&[
        "antialias",
        "--design",
        "stride,blurpool:5,ideal,aps",
        "--signal",
        signal,
        "--samples",
        "16",
        "--stride",
        "2",
        "--velocity",
        "0.8,-0.6",
        "--json",
        "-",
    ]);
    assert_eq!((&bench["samples"], &bench["stride"], &bench["protocol"]), (&16.into(), &2.into(), &"circular".into()));
    for (at, (name, filter)) in
        [("stride", "none"), ("blurpool:5", "binomial-5"), ("ideal", "ideal")].iter().enumerate()
    {
        let theorem = json(&[
            "theorem",
            "--harmonics",
            signal,
            "--samples",
            "16",
            "--stride",
            "2",
            "--velocity",
            "0.8,-0.6",
            "--prefilter",
            filter,
            "--json",
            "-",
        ]);
        let design = &bench["designs"][at];
        assert_eq!(design["name"], *name);
        for (own, of) in [("predicted", "exact"), ("measured", "measured")] {
            let (own, of) = (design[own].as_f64().unwrap(), theorem[of].as_f64().unwrap());
            // Squares of differences of slopes of about 20 each.
            assert!((own - of).abs() <= 1e-10 * of + 1e-24, "{name}: {own} {of}");
        }
        assert!(design["generators"]["translate_x"]["lee"].is_number() && design["time_ratio"].as_f64().unwrap() > 0.0);
    }
    let aps = &bench["designs"][3];
    assert!(aps["integer_shift_error"].as_f64().unwrap() <= 1e-6 && aps["guarantee"] == "integer");
}

#[test]
fn the_list_names_every_design() {
    aliascope(&["antialias", "--list"])
        .assert()
        .success()
        .stdout(predicate::str::contains("blurpool:5").and(predicate::str::contains("arXiv 1904.11486")));
    let list = json(&["antialias", "--list", "--json", "-"]);
    assert!(list.as_array().unwrap().len() > 45);
}

#[test]
fn figures_are_drawn_of_a_photo() {
    let folder = tempfile::tempdir().unwrap();
    let plot = folder.path().join("designs.svg");
    let image = asset("photos/brick.png");
    aliascope(&[
        "antialias",
        "--design",
        "stride,blurpool:3,ideal,relu",
        "--image",
        image.to_str().unwrap(),
        "--samples",
        "64",
        "--plot",
        plot.to_str().unwrap(),
    ])
    .assert()
    .success()
    .stdout(predicate::str::contains("predicted").and(predicate::str::contains("blurpool:3")));
    let text = std::fs::read_to_string(&plot).unwrap();
    assert!(text.contains("Frequency responses along an axis") && text.contains("Where a small spot seems to be"));
    let beside = image::open(folder.path().join("designs-downsampled.png")).unwrap();
    assert!(beside.width() > 600);
}

#[test]
fn what_cannot_be_is_one_sentence_with_its_status() {
    let random = ["--random", "5", "--samples", "16"];
    let cases: [(&[&str], i32, &str); 10] = [
        (&["antialias", "--design", "blurpol:5"], 2, "did you mean blurpool"),
        (&["antialias", "--design", "ideal", "--samples", "15"], 2, "15 rows"),
        (&["antialias", "--design", "wavelet:haar", "--stride", "4"], 2, "--stride 2"),
        (&["antialias", "--design", "blurpool:7", "--samples", "2", "--padding", "reflect"], 2, "at least 4"),
        (&["antialias", "--design", "stride", "--stride", "0"], 2, "1 to 64"),
        (&["antialias", "--design", "stride", "--samples", "100000"], 2, "2048"),
        (&["antialias", "--design", "stride", "--image", "missing.png"], 5, "missing.png"),
        (&["antialias", "--design", "stride", "--signal", "missing.json"], 5, "missing.json"),
        (&["antialias", "--design", "stride", "--random", "0"], 2, "change the band"),
        (&["metrics", "missing.onnx", "--images", "photos"], 3, "missing.onnx"),
    ];
    for (args, status, word) in cases {
        let mut all = args.to_vec();
        if args[0] == "antialias" {
            let field = ["--image", "--signal", "--random"].iter().any(|name| args.contains(name));
            if !field {
                all.extend(&random[..2]);
            }
            if !args.contains(&"--samples") {
                all.extend(&random[2..]);
            }
        }
        let assert = aliascope(&all).assert().code(status).stdout("").stderr(predicate::str::contains(word));
        let stderr = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

#[test]
fn metrics_of_a_classifier_say_their_protocols() {
    let (model, photo) = (asset("models/efficientnet-lite0.onnx"), asset("photos/chelsea.png"));
    let (model, photo) = (model.to_str().unwrap(), photo.to_str().unwrap());
    let report = json(&["metrics", model, "--images", photo, "--draws", "2", "--seed", "3", "--json", "-"]);
    let metrics = &report["metrics"];
    assert!(metrics["eq_t"].is_null() && report["missing"].as_array().unwrap().len() == 3);
    for name in ["integer_circular", "half_pixel_circular", "integer_cropped", "half_pixel_cropped"] {
        let share = metrics[format!("consistency_{name}")]["value"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&share), "{name} {share}");
    }
    for name in ["mse_eq_t", "sample_invariance_rotate"] {
        let measure = &metrics[name];
        assert!(measure["value"].as_f64().unwrap() > 0.0 && measure["sem"].is_null(), "{measure}");
        assert_eq!(measure["by_image"].as_array().unwrap().len(), 1);
    }
    assert!(report["protocols"]["consistency_cropped"].as_str().unwrap().starts_with("crop"));
    assert!(report["protocols"]["consistency_circular"].as_str().unwrap().starts_with("circular"));
}

#[test]
fn metrics_of_layers_are_written_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (model, photo) = (asset("models/efficientnet-lite0.onnx"), asset("photos/chelsea.png"));
    let (model, photo) = (model.to_str().unwrap(), photo.to_str().unwrap());
    let (csv, plot) = (path("layers.csv"), path("layers.svg"));
    let report = json(&[
        "metrics", model, "--images", photo, "--draws", "1", "--layers", "--csv", &csv, "--plot", &plot, "--json", "-",
    ]);
    let layers = report["layers"]["layers"].as_array().unwrap();
    let compared = layers.iter().filter(|layer| layer["missing"].is_null()).count();
    assert_eq!((layers.len(), compared), (51, 50));
    // Whole steps do not see activations; LEE and fractional ones do.
    let share = |class: &str, measure: &str| report["layers"]["by_type"][class][measure]["share"].as_f64().unwrap();
    assert!(share("nonlinearity", "eq_t_by_n") < 1e-6 && share("nonlinearity", "lee") > 0.1);
    assert!(share("nonlinearity", "eq_t_frac_by_root_n") > 0.01);
    assert!(report["layers"]["protocols"]["eq_t_rounded"].as_str().unwrap().contains("rounded"));
    assert!(std::fs::read_to_string(csv).unwrap().lines().count() == 1 + 51 * 8);
    assert!(std::fs::read_to_string(plot).unwrap().contains("EQ-T_frac"));
    let refused = |args: &[&str], word: &str| {
        let mut all = vec!["metrics", model, "--images", photo];
        all.extend(args);
        aliascope(&all).assert().code(2).stdout("").stderr(predicate::str::contains(word));
    };
    refused(&["--layers", "--plot", "x.gif"], ".png");
}

#[test]
fn metrics_obey_memory_and_options() {
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("metrics.csv").to_str().unwrap().to_owned();
    let (model, photo) = (asset("models/ppocr-v4-det.onnx"), asset("photos/chelsea.png"));
    let args = |more: &[&str]| {
        let (model, photo) = (model.to_str().unwrap().to_owned(), photo.to_str().unwrap().to_owned());
        let mut all: Vec<String> = vec!["metrics".into(), model, "--images".into(), photo];
        all.extend(["--input-shape", "1,3,128,128", "--draws", "2"].map(String::from));
        all.extend(more.iter().map(|text| (*text).to_owned()));
        all
    };
    let run = |more: &[&str]| {
        let all = args(more);
        aliascope(&all.iter().map(String::as_str).collect::<Vec<_>>()).assert()
    };
    // Refused in one sentence, before anything is computed.
    let refused = run(&["--memory", "1"]).code(8).stdout("");
    let stderr = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
    assert!(stderr.contains("of memory, and 1 MiB are free") && stderr.lines().count() == 1, "{stderr}");
    // Lowered with a note; the numbers are the same up to rounding of another batch.
    let lowered = run(&["--memory", "14", "--csv", &csv]).success();
    let stderr = String::from_utf8_lossy(&lowered.get_output().stderr).into_owned();
    assert!(stderr.contains("note: --batch 8 takes about"), "{stderr}");
    let stdout = String::from_utf8_lossy(&lowered.get_output().stdout).into_owned();
    assert!(stdout.contains("EQ-T_frac") && stdout.lines().all(|line| line.chars().count() <= 100), "{stdout}");
    let csv = std::fs::read_to_string(csv).unwrap();
    let columns = "measure,value,sem,low,high,geometric_mean,geometric_mean_low,geometric_mean_high,images\neq_t,";
    assert!(csv.starts_with(columns) && csv.lines().count() == 4, "{csv}");
    run(&["--quiet", "--protocol", "authors"]).success().stdout("").stderr("");
}
