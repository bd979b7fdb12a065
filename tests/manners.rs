//! What every subcommand keeps to: silence where it is asked for, and the width of a terminal.

use aliascope::antialias::bench::Bench;
use aliascope::antialias::{Context, Padding, catalogue, design, list};
use aliascope::report::{antialias_list, antialias_table};
use aliascope::spectrum::Velocity;
use assert_cmd::Command;
use ndarray::Array2;

use crate::common::asset;

fn aliascope(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aliascope"));
    // Tests share the machine: libtorch's threads must not spin while others wait for a core.
    command.env("OMP_WAIT_POLICY", "passive").current_dir(env!("CARGO_MANIFEST_DIR")).args(args);
    command
}

/// Every subcommand on something small, and whether its result has a figure.
fn commands() -> Vec<(Vec<String>, bool)> {
    let (model, photo) = (asset("models/ppocr-v4-cls.onnx"), asset("photos/chelsea.png"));
    let (model, photo) = (model.to_str().unwrap().to_owned(), photo.to_str().unwrap().to_owned());
    let network = |command: &[&'static str], more: &[&'static str]| {
        let mut args: Vec<String> = command.iter().map(|text| (*text).to_owned()).collect();
        args.extend([&model, "--input-shape", "1,3,48,192", "--images", &photo].map(str::to_owned));
        args.extend(more.iter().map(|text| (*text).to_owned()));
        args
    };
    let own = |args: &[&str]| args.iter().map(|text| (*text).to_owned()).collect::<Vec<String>>();
    vec![
        (network(&["lee"], &[]), true),
        (network(&["compare"], &[]), true),
        (network(&["layers"], &["--no-split"]), true),
        (network(&["field"], &[]), true),
        (network(&["layers"], &["--orbit", "translate_x=1px:2"]), true),
        (network(&["metrics"], &["--draws", "1"]), true),
        (network(&["theorem", "--model"], &["--velocity", "1,0"]), true),
        (
            network(
                &["antialias", "--model"],
                &["--replace", "conv=blurpool:3", "--where", "Conv@0", "--no-layers", "--draws", "1", "--advise"],
            ),
            true,
        ),
        (own(&["inspect", &model, "--input-shape", "1,3,48,192"]), false),
        (own(&["theorem", "--random", "1", "--band", "5", "--grid", "7"]), true),
        (own(&["harmonics", "--activation", "relu"]), true),
        (own(&["antialias", "--design", "stride,blurpool:3", "--random", "3", "--samples", "16"]), true),
        (own(&["antialias", "--list"]), false),
        (own(&["ops"]), false),
        (own(&["doctor"]), false),
    ]
}

#[test]
fn quiet_is_quiet_in_every_subcommand() {
    for (args, _) in commands() {
        let mut all: Vec<&str> = args.iter().map(String::as_str).collect();
        all.push("--quiet");
        aliascope(&all).assert().success().stdout("").stderr("");
    }
}

/// JSON, CSV and Markdown of every result, and its figure where there is one; where there is none, that is said.
#[test]
fn every_result_is_a_table_json_csv_markdown_and_a_figure() {
    let folder = tempfile::tempdir().unwrap();
    for (at, (args, drawn)) in commands().iter().enumerate() {
        let file = |extension: &str| folder.path().join(format!("{at}.{extension}")).to_str().unwrap().to_owned();
        let [json, csv, md, svg] = ["json", "csv", "md", "svg"].map(file);
        // Advice that chooses nothing has no figure.
        let mut all: Vec<&str> = args.iter().map(String::as_str).filter(|word| *word != "--advise").collect();
        let figureless = [&all[..], &["--plot", &svg]].concat();
        all.extend(["--json", &json, "--csv", &csv, "--md", &md]);
        if *drawn {
            all.extend(["--plot", &svg]);
        } else {
            let refused = aliascope(&figureless).assert().code(2);
            let told = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
            assert!(told.contains("--plot"), "{args:?}: {told}");
        }
        aliascope(&all).assert().success();
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_else(|_| panic!("{args:?} left no {path}"));
        assert!(serde_json::from_str::<serde_json::Value>(&read(&json)).is_ok(), "{args:?}");
        let (csv, md) = (read(&csv), read(&md));
        let columns = csv.lines().next().unwrap().replace(',', " | ");
        assert_eq!(md.lines().next().unwrap(), format!("| {columns} |"), "{args:?}");
        // Heading and rule in the one, heading in the other; texts with line breaks are there in neither.
        assert_eq!(md.lines().count(), csv.lines().count() + 1, "{args:?}");
        assert!(csv.lines().count() > 1, "{args:?} has no rows");
        if *drawn {
            assert!(read(&svg).starts_with("<svg"), "{args:?}");
        }
    }
}

#[test]
fn designs_keep_to_eighty_columns() {
    let narrow = |text: &str| {
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    };
    let listed = list(&Context::default()).unwrap();
    let text = antialias_list(&listed, &catalogue(), 80);
    narrow(&text);
    // Wrapped, not cut.
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
    assert!(listed.iter().all(|design| words(&text).contains(&words(&design.about))), "{text}");
    let field = Array2::from_shape_fn((16, 16), |(j, i)| (0.8 * i as f64).sin() + (0.4 * (i + 2 * j) as f64).cos());
    let bench = Bench {
        field,
        input: "a field of a name that is much too long for one line of a terminal of eighty columns".to_owned(),
        stride: 2,
        velocity: Velocity { x: 1.0, y: 0.0 },
        padding: Padding::Circular,
    };
    let designs = ["stride", "blurpool:5", "aps:3"].map(|name| design(name, &bench.context()).unwrap());
    let report = bench.run(&designs, &mut |_, _| {}).unwrap();
    let text = antialias_table(&report, 80);
    narrow(&text);
    for word in ["predicted", "guarantee", "time, ms", "multiplies", "integer"] {
        assert!(text.contains(word), "{word}");
    }
    // Times are of a map as networks have them: 64 channels of 56 x 56 samples, of which 28 x 28 with 25 taps are kept.
    let blur = &report.designs[1];
    assert_eq!(blur.time_multiplications, Some(64.0 * 28.0 * 28.0 * 25.0));
    assert!(report.protocols.time.contains("64 channels of 56 x 56"), "{}", report.protocols.time);
    assert!(blur.time_ms > 0.0);
}
