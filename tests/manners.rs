//! What every subcommand keeps to: silence where it is asked for, and the width of a terminal.

mod common;

use aliascope::antialias::bench::Bench;
use aliascope::antialias::{Context, Padding, catalogue, design, list};
use aliascope::report::{antialias_list, antialias_table};
use aliascope::spectrum::Velocity;
use assert_cmd::Command;
use common::asset;
use ndarray::Array2;

fn aliascope(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aliascope"));
    // Tests share the machine: libtorch's threads must not spin while others wait for a core.
    command.env("OMP_WAIT_POLICY", "passive").current_dir(env!("CARGO_MANIFEST_DIR")).args(args);
    command
}

#[test]
fn quiet_is_quiet_in_every_subcommand() {
    let (model, photo) = (asset("models/ppocr-v4-cls.onnx"), asset("photos/chelsea.png"));
    let (model, photo) = (model.to_str().unwrap(), photo.to_str().unwrap());
    let network = |command: &[&'static str], more: &[&'static str]| {
        let mut args: Vec<String> = command.iter().map(|text| (*text).to_owned()).collect();
        args.extend([model, "--input-shape", "1,3,48,192", "--images", photo].map(str::to_owned));
        args.extend(more.iter().map(|text| (*text).to_owned()));
        args
    };
    let own = |args: &[&str]| args.iter().map(|text| (*text).to_owned()).collect::<Vec<String>>();
    let commands = [
        network(&["lee"], &[]),
        network(&["layers"], &["--no-split"]),
        network(&["metrics"], &["--draws", "1"]),
        network(&["theorem", "--model"], &["--velocity", "1,0"]),
        network(
            &["antialias", "--model"],
            &["--replace", "conv=blurpool:3", "--where", "Conv@0", "--no-layers", "--draws", "1", "--advise"],
        ),
        own(&["inspect", model, "--input-shape", "1,3,48,192"]),
        own(&["theorem", "--random", "1", "--band", "5", "--grid", "7"]),
        own(&["harmonics", "--activation", "relu"]),
        own(&["antialias", "--design", "stride,blurpool:3", "--random", "3", "--samples", "16"]),
        own(&["antialias", "--list"]),
        own(&["ops"]),
        own(&["doctor"]),
    ];
    for args in commands {
        let mut all: Vec<&str> = args.iter().map(String::as_str).collect();
        all.push("--quiet");
        aliascope(&all).assert().success().stdout("").stderr("");
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
