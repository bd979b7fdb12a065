//! `aliascope repair` and `aliascope fix` as a user meets them, on a small network.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use predicates::prelude::*;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::Value;
use tch::{Kind, Tensor};

use crate::common::classifier::{Noise, SIDE, classifier};
use crate::common::model::singles;

/// A folder with the network, images to adapt on, others to judge on, and some of both.
struct Case(tempfile::TempDir);

impl Case {
    fn new() -> Self {
        let case = Self(tempfile::tempdir().unwrap());
        let mut file = classifier(singles);
        file.path = case.0.path().join("net.onnx");
        fs::write(&file.path, file.to_bytes().unwrap()).unwrap();
        let mut noise = Noise(77);
        let (train, held) = (noise.images(40), noise.images(30));
        case.tensors("train", &train);
        case.tensors("held", &held);
        case.tensors("few", &held.narrow(0, 0, 6));
        case.tensors("both", &Tensor::cat(&[train.narrow(0, 0, 3), held.shallow_clone()], 0));
        case
    }

    fn tensors(&self, name: &str, x: &Tensor) {
        let x = x.squeeze_dim(1).to_kind(Kind::Float).contiguous();
        let values: Vec<f32> = Vec::try_from(&x.view([-1])).unwrap();
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let shape = vec![x.size()[0] as usize, 3, SIDE as usize, SIDE as usize];
        let view = TensorView::new(Dtype::F32, shape, &bytes).unwrap();
        fs::write(self.path(&format!("{name}.safetensors")), safetensors::serialize([("x", view)], None).unwrap())
            .unwrap();
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    /// The command in the folder, in one thread: these networks are too small for more.
    fn aliascope(&self, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aliascope"));
        command.env("OMP_WAIT_POLICY", "passive").current_dir(self.0.path());
        command.args(args.split_whitespace()).args(["--threads", "1"]);
        command
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(name)).unwrap()).unwrap()
    }
}

const REPAIR: &str = "repair net.onnx --replace stride=blurpool:3 --images train.safetensors --calibration 16 \
                      --batch 8 --every 4 --rate 1e-3 --draws 1";

/// Steps, all outputs, and what the saved file is: the network whose numbers were reported.
#[test]
fn a_repair_is_an_ordinary_result() {
    let case = Case::new();
    let outputs = "--json r.json --csv r.csv --md r.md --plot r.svg --save new.onnx";
    case.aliascope(&format!("{REPAIR} --validate held.safetensors --steps 8 {outputs}")).assert().success().stdout(
        predicate::str::contains("judged on 30 images")
            .and(predicate::str::contains("8 of 8 steps"))
            .and(predicate::str::contains("LEE over LEE before"))
            .and(predicate::str::contains("crop, half pixel").not())
            .and(predicate::str::contains("roll, half pixel")),
    );
    let report = case.json("r.json");
    let stages: Vec<&str> =
        report["stages"].as_array().unwrap().iter().map(|stage| stage["stage"].as_str().unwrap()).collect();
    assert_eq!(stages, ["surgery", "recalibration", "repair"]);
    assert!(report["saved_difference"].as_f64().unwrap() < 1e-5);
    assert!(fs::read_to_string(case.path("r.csv")).unwrap().contains("\nrepair,lee_ratio,translate_x,"));
    assert!(fs::read_to_string(case.path("r.svg")).unwrap().contains("KL of the outputs"));
    // What `lee` says of the saved file on the same images.
    let lee = case.aliascope("lee new.onnx --images held.safetensors --generator translate_x --json lee.json --quiet");
    { lee }.assert().success();
    let (own, theirs) = (
        report["stages"][2]["generators"]["translate_x"]["after"].as_f64().unwrap(),
        case.json("lee.json")["generators"]["translate_x"]["lee"].as_f64().unwrap(),
    );
    assert!((own - theirs).abs() < 1e-3 * theirs, "{own} {theirs}");
}

/// Images that weights were adapted on judge nothing, whatever the numbers are; nor do a few.
#[test]
fn what_shows_nothing_is_not_called_good() {
    let case = Case::new();
    case.aliascope(&format!("{REPAIR} --validate both.safetensors --steps 0 --json both.json"))
        .assert()
        .success()
        .stdout(
            predicate::str::contains("Not judged: 3 of 33 validation images are among the training images")
                .and(predicate::str::contains("Repaired:").not()),
        );
    let report = case.json("both.json");
    assert_eq!(report["conclusion"]["verdict"], "not-judged");
    let names: Vec<&str> =
        report["training"]["overlap"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(names, ["both.safetensors[0]", "both.safetensors[1]", "both.safetensors[2]"]);
    case.aliascope(&format!("{REPAIR} --validate few.safetensors --steps 0 --json few.json"))
        .assert()
        .success()
        .stdout(predicate::str::contains("Not judged: 6 validation images are too few"));
    assert_eq!(case.json("few.json")["conclusion"]["verdict"], "too-few");
    // LEE on a few of many is no more.
    case.aliascope(&format!("{REPAIR} --validate held.safetensors --steps 0 --measured 5"))
        .assert()
        .success()
        .stdout(predicate::str::contains("Not judged: 5 validation images are too few"));
}

/// A run that was stopped at any step and goes on ends in the same file, byte for byte, with the same curve.
#[test]
fn a_run_that_goes_on_ends_where_an_uninterrupted_one_does() {
    let case = Case::new();
    let run = format!("{REPAIR} --validate held.safetensors --steps 10 --lee-weight 0.5 --quiet");
    case.aliascope(&format!("{run} --save whole.onnx --json whole.json")).assert().success();
    // Out of time behind the first step, which no validation follows.
    case.aliascope(&format!("{run} --state s.safetensors --minutes 1e-9 --json part.json")).assert().success();
    let part = case.json("part.json");
    assert_eq!((&part["training"]["steps"], &part["training"]["ended"]), (&1.into(), &"minutes".into()));
    case.aliascope(&format!("{run} --state s.safetensors --resume --save on.onnx --json on.json")).assert().success();
    assert!(fs::read(case.path("whole.onnx")).unwrap() == fs::read(case.path("on.onnx")).unwrap(), "another file");
    let curve = |name: &str| -> Vec<String> {
        let report = case.json(name);
        let points = report["curve"].as_array().unwrap().iter();
        points
            .map(|point| format!("{} {} {} {}", point["step"], point["loss"], point["validation"], point["lee"]))
            .collect()
    };
    assert_eq!(curve("whole.json"), curve("on.json"));
    // Another run's state is refused.
    case.aliascope(&format!("{run} --seed 5 --state s.safetensors --resume"))
        .assert()
        .failure()
        .stderr(predicate::str::contains("it belongs to another network, other images or other options"));
}

#[test]
fn numbers_that_are_none_end_the_run_and_leave_nothing() {
    let case = Case::new();
    let run = REPAIR.replace("--rate 1e-3", "--rate 1e30");
    case.aliascope(&format!("{run} --validate held.safetensors --steps 5 --json r.json --save new.onnx"))
        .assert()
        .failure()
        .stderr(predicate::str::contains("of step 2 is not finite; lower --rate (it is 1e30)"));
    assert!(!case.path("r.json").exists() && !case.path("new.onnx").exists());
}

#[test]
fn what_cannot_be_done_is_said_in_one_sentence() {
    let case = Case::new();
    let held = "--validate held.safetensors";
    let cases = [
        (format!("{REPAIR} {held} --clip 0"), "--clip must be a number above 0, not 0"),
        (format!("{REPAIR} {held} --lee-weight=-1"), "--lee-weight must be a number from 0, not -1"),
        (format!("{REPAIR} {held} --mixup 1.5"), "--mixup must be a number from 0 to 1, not 1.5"),
        (format!("{REPAIR} {held} --teacher-shift inf"), "--teacher-shift must be a number of pixels from 0, not inf"),
        (format!("{REPAIR} {held} --teacher-shift 2 --loss features"), "leave one of the two out"),
        (format!("{REPAIR} {held} --minutes nan"), "--minutes must be a number above 0"),
        (format!("{REPAIR} {held} --resume"), "--state <FILE.safetensors>"),
        (format!("{REPAIR} {held} --state none.safetensors --resume"), "none.safetensors: it cannot be read"),
        (format!("{REPAIR} {held} --state train.safetensors --resume"), "the state cannot be gone on from"),
        (format!("{REPAIR} {held} --save net.onnx"), "--force"),
        (format!("{REPAIR} {held} --where nowhere"), "nowhere"),
        (format!("{REPAIR} {held} --where down,elsewhere"), "has 'elsewhere' in its name"),
        (format!("{REPAIR} {held} --where down,"), "has '' in its name"),
        (format!("{REPAIR} --validate none.png"), "none.png"),
        ("fix net.onnx --images one.safetensors".to_owned(), "one image cannot be both adapted and judged on"),
        ("fix net.onnx --images same.safetensors".to_owned(), "all are copies of each other"),
        ("fix net.onnx --images train.safetensors --budget 0".to_owned(), "--budget"),
    ];
    let image = Noise(3).images(1);
    case.tensors("one", &image);
    case.tensors("same", &Tensor::cat(&[&image, &image, &image], 0));
    for (args, message) in cases {
        let output = case.aliascope(&args).assert().failure().get_output().stderr.clone();
        let text = String::from_utf8(output).unwrap();
        assert!(text.contains(message) && !text.contains("panicked"), "{args}: {text}");
    }
    // The file that was not to be replaced is as it was.
    assert!(fs::read(case.path("net.onnx")).unwrap() == classifier(singles).to_bytes().unwrap());
}

/// One command: some images are held out by the seed, places are chosen on the others, and the verdict is of the held.
#[test]
fn a_fix_is_judged_on_images_held_out() {
    let case = Case::new();
    let fix = "fix net.onnx --images both.safetensors train.safetensors --draws 1 --replace stride=blurpool:3";
    let outputs = "--json f.json --csv f.csv --md f.md --plot f.svg --save fixed.onnx";
    case.aliascope(&format!("{fix} {outputs}")).assert().success().stdout(
        predicate::str::contains("held out: 36 of 73 images by seed 0")
            .and(predicate::str::contains("worst layers under translate_x"))
            .and(predicate::str::contains("where to begin"))
            .and(predicate::str::contains("Put in:")),
    );
    let report = case.json("f.json");
    let names = |report: &Value, what: &str| -> Vec<String> {
        let names = report.pointer(what).unwrap().as_array().unwrap().iter();
        names.map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let (chosen_on, judged_on) = (names(&report, "/run/images/names"), names(&report, "/repair/run/images/names"));
    assert_eq!((chosen_on.len(), judged_on.len()), (8, 36));
    assert!(chosen_on.iter().all(|name| !judged_on.contains(name)), "{chosen_on:?} {judged_on:?}");
    // Three images are in both files: what is left of them to adapt on is no copy of a held-out one.
    assert_eq!(report["repair"]["training"]["overlap"], Value::Array(Vec::new()));
    let twice = report["hold_out"]["twice"].as_u64().unwrap();
    assert_eq!(report["repair"]["training"]["images"].as_u64().unwrap(), 73 - 36 - twice);
    assert_ne!(report["conclusion"]["verdict"], "not-judged");
    assert!(fs::read_to_string(case.path("f.csv")).unwrap().contains("\nlayer,contribution,"));
    assert!(case.path("f-advice.png").exists() && case.path("fixed.onnx").exists());
    let other = format!("{fix} --seed 1 --json other.json --quiet");
    case.aliascope(&other).assert().success();
    assert_ne!(names(&case.json("other.json"), "/repair/run/images/names"), judged_on);
    // The same again, number by number.
    case.aliascope(&other.replace("other.json", "again.json")).assert().success();
    let (once, again) = (case.json("other.json"), case.json("again.json"));
    assert_eq!(once["repair"]["stages"], again["repair"]["stages"]);
}

/// Given images to judge on are all of them; too few are no judgement.
#[test]
fn a_fix_on_given_images_judges_on_those() {
    let case = Case::new();
    let fix = "fix net.onnx --images train.safetensors --validate few.safetensors --draws 0 --json f.json";
    case.aliascope(fix).assert().success().stdout(
        predicate::str::contains("judged on the images that --validate gave")
            .and(predicate::str::contains("6 validation images are too few"))
            .and(predicate::str::contains("What to try: more photos")),
    );
    assert_eq!(
        (&case.json("f.json")["hold_out"], &case.json("f.json")["conclusion"]["verdict"]),
        (&Value::Null, &"too-few".into())
    );
    assert!(Path::new(&case.path("f.json")).exists());
}
