//! `aliascope antialias --model` as a user meets it.

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

const MODEL: &str = "models/efficientnet-lite0.onnx";

#[test]
fn a_network_before_and_after_is_measured_saved_and_drawn() {
    asset(MODEL);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (new, json, csv, plot) = (path("new.onnx"), path("after.json"), path("after.csv"), path("after.png"));
    let photo = asset("photos/chelsea.png");
    let photo = photo.to_str().unwrap();
    let args = [
        "antialias",
        "--model",
        MODEL,
        "--replace",
        "stride=kaiser",
        "--replace",
        "relu6=filtered:2x",
        "--where",
        "blocks.1.0",
        "--images",
        photo,
        "--draws",
        "1",
        "--save",
        &new,
        "--json",
        &json,
        "--csv",
        &csv,
        "--plot",
        &plot,
    ];
    aliascope(&args)
        .assert()
        .success()
        .stdout(predicate::str::contains("top-1 unchanged").and(predicate::str::contains("saved")));
    let report: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    let insertions = report["insertions"].as_array().unwrap();
    assert_eq!(insertions.len(), 3);
    assert_eq!(insertions[1]["design"], "kaiser");
    assert_eq!(
        (&insertions[1]["reads"][0], &insertions[1]["writes"][0], &insertions[1]["stride"]),
        (&111.into(), &56.into(), &2.into())
    );
    assert_eq!(report["padding"], "reflect");
    assert!(report["saved_difference"].as_f64().unwrap() < 1e-4);
    assert!(report["cost"]["forward_passes"].as_f64().unwrap() > 1.0);
    // What `lee` says of both files.
    for (model, when) in [(MODEL, "before"), (new.as_str(), "after")] {
        let lee = aliascope(&["lee", model, "--images", photo, "--json", "-", "--quiet"]).assert().success();
        let lee: Value = serde_json::from_slice(&lee.get_output().stdout).unwrap();
        for generator in ["translate_x", "rotate", "saturate"] {
            let (own, theirs) = (&report["generators"][generator][when], &lee["generators"][generator]["lee"]);
            let (own, theirs) = (own.as_f64().unwrap(), theirs.as_f64().unwrap());
            assert!((own - theirs).abs() < 1e-3 * theirs, "{model}, {generator}: {own} {theirs}");
        }
    }
    let rows = std::fs::read_to_string(&csv).unwrap();
    assert!(
        rows.starts_with("quantity,name,before,") && rows.contains("\nlee,rotate,") && rows.contains("\noutput,kl,"),
        "{rows}"
    );
    assert!(std::fs::read(&plot).unwrap().starts_with(b"\x89PNG"));
    // An output that exists is not written over, and it is said before anything is computed.
    aliascope(&["antialias", "--model", MODEL, "--replace", "stride=ideal", "--images", photo, "--save", &new])
        .assert()
        .code(6)
        .stderr(predicate::str::contains("exists").and(predicate::str::contains("--force")));
}

#[test]
fn advice_goes_on_from_its_own_choices() {
    asset(MODEL);
    let folder = tempfile::tempdir().unwrap();
    let plot = folder.path().join("advice.svg");
    let photos = [asset("photos/chelsea.png"), asset("photos/coffee.png")];
    let [a, b] = photos.each_ref().map(|photo| photo.to_str().unwrap());
    let output = aliascope(&[
        "antialias",
        "--model",
        MODEL,
        "--replace",
        "stride=blurpool:3",
        "--advise",
        "--budget",
        "2",
        "--images",
        a,
        b,
        "--draws",
        "0",
        "--no-layers",
        "--plot",
        plot.to_str().unwrap(),
        "--json",
        "-",
    ])
    .assert()
    .success();
    let report: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    let advice = &report["advice"];
    let steps = advice["steps"].as_array().unwrap();
    let chosen: Vec<&Value> = steps.iter().map(|step| &step["chosen"]).filter(|name| *name != "").collect();
    assert!(!chosen.is_empty());
    assert_eq!(report["insertions"].as_array().unwrap().len(), chosen.len());
    let last = steps.iter().rfind(|step| step["chosen"] != "").unwrap();
    let best = &last["tried"][0];
    assert_eq!(&best["name"], &last["chosen"]);
    // What the last choice was tried with is what was measured in the end.
    let (tried, measured) =
        (best["lee"].as_f64().unwrap(), report["generators"]["translate_x"]["after"].as_f64().unwrap());
    assert!((tried - measured).abs() < 1e-3 * measured, "{tried} {measured}");
    let (tried, measured) = (best["cost"].as_f64().unwrap(), report["cost"]["forward_passes"].as_f64().unwrap());
    assert!((tried - measured).abs() < 1e-9, "{tried} {measured}");
    assert_eq!(advice["forecast"]["places"].as_array().unwrap().len(), 5);
    assert!(folder.path().join("advice-advice.png").exists());
}

#[test]
fn what_cannot_be_done_is_said_in_one_sentence() {
    asset(MODEL);
    let photo = asset("photos/chelsea.png");
    let photo = photo.to_str().unwrap();
    let refused = |more: &[&str], status: i32, words: &[&str]| {
        let args = [&["antialias", "--model", MODEL, "--images", photo], more].concat();
        let output = aliascope(&args).assert().code(status);
        let text = String::from_utf8(output.get_output().stderr.clone()).unwrap();
        assert!(words.iter().all(|word| text.contains(word)), "{more:?}: {text}");
        assert!(!text.contains("panicked"), "{text}");
    };
    refused(&["--replace", "stride=blurpol:3"], 2, &["blurpool"]);
    refused(&["--replace", "strde=blurpool:3"], 2, &["did you mean stride"]);
    refused(&["--replace", "stride=gelu"], 2, &["nonlinearity", "downsampling"]);
    refused(&["--replace", "stride=blurpool:3", "--where", "stage9"], 2, &["'stage9'", "/conv_stem/Conv"]);
    refused(&["--replace", "silu=softplus"], 4, &["silu=softplus", "relu6"]);
    refused(
        &["--replace", "stride=lps", "--save", "/tmp/never-written.onnx"],
        4,
        &["/conv_stem/Conv", "lps", "--save"],
    );
    refused(&["--replace", "stride=kaiser:60", "--where", "blocks.5"], 2, &["blocks.5.0", "13 rows"]);
    refused(&["--replace", "stride=ideal", "--advise", "--keep", "1.5"], 2, &["--keep"]);
    aliascope(&["antialias", "--model", MODEL, "--images", photo])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("--replace"));
    aliascope(&["antialias", "--model", MODEL, "--replace", "stride=ideal"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("--images"));
}
