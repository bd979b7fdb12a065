//! What figures of an attribution get from a network, and the files that `aliascope layers` writes.

use std::path::Path;
use std::process::Command;

use aliascope::graph::{LoadOptions, Network};
use aliascope::measure::layer_graph::NodeRole;
use aliascope::measure::layers::{LayerMeter, LayersOptions};
use aliascope::symmetry::{Combination, Generator};
use predicates::prelude::*;
use prost::Message;
use tch::{Kind, Tensor};

use crate::common::asset;
use crate::common::onnx::{ints, model, node, text};

/// x → Relu → Conv 3×3, stride 2 → y, with the Relu's output added to itself on the way.
fn network(folder: &Path) -> Network {
    let mut convolution = node("Conv", &["s", "w"], "y");
    convolution.attribute = vec![ints("kernel_shape", &[3; 2]), ints("strides", &[2; 2]), ints("pads", &[1; 4])];
    let weight = aliascope::graph::onnx::proto::TensorProto {
        name: text("w"),
        dims: vec![2, 3, 3, 3],
        data_type: Some(1),
        float_data: (0..54).map(|i| ((i * 37 % 54) as f32 - 26.0) / 54.0).collect(),
        ..Default::default()
    };
    let nodes = vec![node("Relu", &["x"], "r"), node("Add", &["r", "r"], "s"), convolution];
    let model = model(&[Some(1), Some(3), Some(16), Some(24)], nodes, vec![weight]);
    let path = folder.join("small.onnx");
    std::fs::write(&path, model.encode_to_vec()).unwrap();
    Network::load(&path, &LoadOptions { kind: Kind::Double, ..Default::default() }).unwrap()
}

fn meter(network: &Network, maps: bool, memory: u64) -> LayerMeter<'_> {
    let options = LayersOptions::new(Combination::single(Generator::TranslateX));
    LayerMeter::new(network, LayersOptions { maps, memory, ..options }).unwrap()
}

fn images(count: i64) -> Tensor {
    let entries: Vec<f64> =
        (0..count * 3 * 16 * 24).map(|i| (i as f64 * 0.37).sin() + (i as f64 * 0.011).cos()).collect();
    Tensor::from_slice(&entries).view([count, 1, 3, 16, 24])
}

#[test]
fn a_map_holds_the_defect_of_the_first_image() {
    let folder = tempfile::tempdir().unwrap();
    let network = network(folder.path());
    let x = images(2);
    let mut first = meter(&network, true, 1 << 30);
    first.measure(&x.narrow(0, 0, 1), &["a".to_owned()], &mut |_, _| {}).unwrap();
    let maps = first.maps().to_vec();
    assert_eq!(
        maps.iter().map(|map| (map.layer, map.squares.dim())).collect::<Vec<_>>(),
        [(0, (16, 24)), (1, (8, 12))]
    );
    assert_eq!(maps[1].grid, network.output().layout.plane().unwrap());
    // The last node's defect is what it contributes: nothing lies after it. Sums of 96 squares in double precision.
    let results = first.results();
    let contribution = results.layers[1].contribution * results.dim as f64;
    assert!(contribution > 1.0 && (maps[1].squares.sum() / contribution - 1.0).abs() < 1e-12);
    assert!(maps[0].squares.iter().all(|square| *square >= 0.0) && maps[0].squares.sum() > 1.0);

    // Neither a batch, nor later images, nor a limit of one layer per sweep change it.
    let mut least = 1 << 10;
    let mut together = loop {
        let mut small = meter(&network, true, least);
        if small.measure(&x, &["a".to_owned(), "b".to_owned()], &mut |_, _| {}).is_ok() {
            break small;
        }
        least += 1 << 10;
    };
    together.measure(&x.narrow(0, 1, 1), &["b".to_owned()], &mut |_, _| {}).unwrap();
    assert_eq!(together.maps().len(), 2);
    for (map, expected) in together.maps().iter().zip(&maps) {
        assert_eq!((map.layer, &map.node, map.grid), (expected.layer, &expected.node, expected.grid));
        let scale = expected.squares.iter().copied().fold(0.0, f64::max);
        // Other batch sizes take other paths through libtorch's convolutions: rounding.
        assert!((&map.squares - &expected.squares).iter().all(|d| d.abs() <= 1e-12 * scale));
    }
    let mut without = meter(&network, false, 1 << 30);
    without.measure(&x, &["a".to_owned(), "b".to_owned()], &mut |_, _| {}).unwrap();
    assert!(without.maps().is_empty());
}

#[test]
fn the_graph_says_what_reads_what_and_who_makes_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let network = network(folder.path());
    let graph = meter(&network, false, 1 << 30).graph();
    assert_eq!(graph.nodes.iter().map(|n| n.op.as_str()).collect::<Vec<_>>(), ["input", "Relu", "Add", "Conv"]);
    assert_eq!(
        graph.nodes.iter().map(|n| n.role).collect::<Vec<_>>(),
        [NodeRole::Input, NodeRole::Source(0), NodeRole::Exact, NodeRole::Source(1)]
    );
    assert_eq!(graph.edges, [[0, 1], [1, 2], [2, 3]], "a value read twice is one edge");
    assert_eq!(graph.nodes[3].shape, [1, 2, 8, 12]);
}

fn aliascope() -> assert_cmd::Command {
    assert_cmd::Command::cargo_bin("aliascope").unwrap()
}

/// The command that writes every figure and the page of a small network into a folder.
fn layers_into(folder: &Path) -> assert_cmd::Command {
    let _ = network(folder);
    let at = |name: &str| folder.join(name);
    let mut command = aliascope();
    command.arg("layers").arg(at("small.onnx")).arg("--images").arg(asset("photos/chelsea.png"));
    command.args(["--preprocess", "raw", "--quiet", "--generator", "translate_x", "--generator", "rotate"]);
    command.args(["--compare", "derivative=spectral,forward"]);
    command.arg("--plot").arg(at("l.svg")).arg("--html").arg(at("l.html"));
    command
}

#[test]
fn the_command_claims_and_writes_figures_and_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let run = |force: bool| {
        let mut command = layers_into(folder.path());
        command.args(force.then_some("--force"));
        command
    };
    run(false).assert().success();
    let figures =
        ["l.svg", "l-worst.svg", "l-generators.svg", "l-derivatives.svg", "l-graph.svg", "l-maps.png", "l.html"];
    for name in figures {
        assert!(std::fs::metadata(at(name)).unwrap().len() > 1000, "{name}");
    }
    // Any of them is claimed before the network is loaded.
    for name in figures {
        std::fs::remove_file(at(name)).unwrap();
    }
    std::fs::write(at("l-graph.svg"), "precious").unwrap();
    run(false).assert().code(6).stderr(predicate::str::contains("l-graph.svg exists"));
    assert!(!at("l.svg").exists());
    run(true).assert().success();
}

/// Light and dark, narrow and wide.
#[test]
#[ignore = "needs Chromium: `make check-page` installs it and runs this test"]
fn the_page_works_in_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    layers_into(folder.path()).assert().success();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/check_page.py");
    let checked = Command::new("python3").arg(script).arg(folder.path().join("l.html")).output().unwrap();
    let said = String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && said.matches("good").count() == 4, "{said}");
}

/// Pages of the other subcommands, each with a result that is quick to have.
fn other_pages(folder: &Path) -> Vec<std::path::PathBuf> {
    let _ = network(folder);
    let at = |name: &str| folder.join(name);
    let mut pages = Vec::new();
    for command in ["lee", "metrics"] {
        let page = at(&format!("{command}.html"));
        let mut run = aliascope();
        run.arg(command).arg(at("small.onnx")).arg("-i").arg(asset("photos/chelsea.png"));
        run.args(["--preprocess", "raw", "-q"]).arg("--html").arg(&page).assert().success();
        pages.push(page);
    }
    let page = at("designs.html");
    let designs = ["--design", "stride,blurpool:3,ideal,relu", "--field", "random:3", "--samples", "16", "-q"];
    aliascope().arg("antialias").args(designs).arg("--html").arg(&page).assert().success();
    pages.push(page);
    pages
}

#[test]
fn other_results_have_pages_with_a_conclusion_and_their_origin() {
    let folder = tempfile::tempdir().unwrap();
    for page in other_pages(folder.path()) {
        let html = std::fs::read_to_string(&page).unwrap();
        let [conclusion, table, foot] =
            ["class=\"conclusion\"", "class=\"sortable\"", "Command: <code><span>aliascope</span> "]
                .map(|words| html.find(words));
        assert!(conclusion.is_some() && conclusion < table && table < foot, "{}", page.display());
        assert!(html.contains("<svg") && !html.contains("NaN"), "{}", page.display());
    }
}

#[test]
#[ignore = "needs Chromium: `make check-page` installs it and runs this test"]
fn other_pages_work_in_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/check_page.py");
    for page in other_pages(folder.path()) {
        let checked = Command::new("python3").arg(&script).arg(&page).output().unwrap();
        let said = String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success() && said.matches("good").count() == 4, "{}: {said}", page.display());
    }
}

#[test]
fn one_figure_is_drawn_alone_in_any_format_size_and_title() {
    let folder = tempfile::tempdir().unwrap();
    let _ = network(folder.path());
    let at = |name: &str| folder.path().join(name);
    let run = |figure: &str, file: &str| {
        let mut command = aliascope();
        command.arg("layers").arg(at("small.onnx")).arg("-i").arg(asset("photos/chelsea.png"));
        command.args(["--preprocess", "raw", "-q", "-f", "--no-split", "--figure", figure]).arg("-p").arg(at(file));
        command
    };
    run("worst", "w.pdf").args(["--plot-size", "960x540"]).assert().success();
    assert!(std::fs::read(at("w.pdf")).unwrap().starts_with(b"%PDF-"));
    run("graph", "g.png").assert().success();
    run("main", "m.svg").args(["--title", "Mine"]).assert().success();
    assert!(std::fs::read_to_string(at("m.svg")).unwrap().contains("Mine"));
    assert!(!at("m-worst.svg").exists());
    let known = predicate::str::contains("it has main, worst, graph, maps");
    run("wrost", "w.svg").assert().code(2).stderr(known);
}

#[test]
fn a_figure_needs_a_format() {
    aliascope()
        .args(["layers", "none.onnx", "--images", "none.png", "--plot", "layers.gif"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("end it in .svg, .png or .pdf"));
}
