//! Steerable constructions carry the representation that theory gives them, and the fit finds it to rounding.

use std::fs;

use aliascope::graph::onnx::OnnxFile;
use aliascope::graph::onnx::proto::GraphProto;
use aliascope::graph::{LoadOptions, Network};
use aliascope::measure::representation::{RepresentationMeter, RepresentationOptions};
use aliascope::measure::representation_report::{Representation, RepresentationReport};
use aliascope::measure::run::{Images, Run};
use assert_cmd::Command;
use prost::Message;
use safetensors::tensor::{Dtype, TensorView, serialize_to_file};
use tch::{Kind, Tensor};

use crate::common::model::{Value, attribute, doubles, floats, model, node};

/// A convolution with these kernels of odd sides, one input channel, padded to the same size.
fn file(side: usize, kernels: &[Vec<f64>], pooled: bool) -> OnnxFile {
    let taps = (kernels[0].len() as f64).sqrt() as i64;
    let mut convolution = node("Conv", &["x", "w"], &["y"]);
    convolution.attribute = vec![attribute("pads", Value::Ints(vec![taps / 2; 4]))];
    let mut nodes = vec![convolution];
    if pooled {
        nodes.push(node("GlobalAveragePool", &["y"], &["p"]));
        nodes.push(node("Flatten", &["p"], &["z"]));
    }
    let graph = GraphProto {
        name: Some("filters".to_owned()),
        node: nodes,
        initializer: vec![doubles("w", &[kernels.len() as i64, 1, taps, taps], &kernels.concat())],
        input: vec![floats("x", &[1, 1, side as i64, side as i64])],
        output: vec![floats(if pooled { "z" } else { "y" }, &[])],
        ..Default::default()
    };
    model(graph, 17)
}

fn filters(side: usize, kernels: &[Vec<f64>], pooled: bool) -> Network {
    let options = LoadOptions { kind: Kind::Double, ..Default::default() };
    Network::from_file(&file(side, kernels, pooled), &options).unwrap()
}

/// A kernel from its values at offsets (x, y) up to a radius.
fn kernel(radius: i64, value: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let at = |i: i64| (i / (2 * radius + 1) - radius, i % (2 * radius + 1) - radius);
    (0..(2 * radius + 1).pow(2)).map(|i| value(at(i).1 as f64, at(i).0 as f64)).collect()
}

/// Three blobs near the centre: zero at the edge and above the Nyquist frequency to rounding, so that derivatives, products
/// with positions and rotations are exact.
fn blobs(side: usize) -> Tensor {
    const SIGMA: f64 = 2.6;
    let middle = (side as f64 - 1.0) / 2.0;
    let mut values = Vec::new();
    for i in 0..side {
        for j in 0..side {
            let blob = |x: f64, y: f64| {
                let square = (j as f64 - middle - x).powi(2) + (i as f64 - middle - y).powi(2);
                (-square / (2.0 * SIGMA * SIGMA)).exp()
            };
            values.push(blob(2.0, -1.0) - 0.7 * blob(-1.5, 0.5) + 0.4 * blob(0.3, 2.2));
        }
    }
    Tensor::from_slice(&values).reshape([1, 1, 1, side as i64, side as i64])
}

fn measured(network: &Network, images: &[Tensor], generators: &[&str]) -> RepresentationReport {
    let options = RepresentationOptions {
        generators: generators.iter().map(|name| name.parse().unwrap()).collect(),
        single: images.len() == 1,
        ..RepresentationOptions::default()
    };
    let mut meter = RepresentationMeter::new(network, options).unwrap();
    images.iter().for_each(|x| meter.measure(x, "x").unwrap());
    let names = images.iter().map(|_| "x".to_owned()).collect();
    let run = Run { images: Images { names, ..Images::default() }, ..Run::default() };
    meter.report(run, 1.0).unwrap().unwrap()
}

fn assert_turns(found: &Representation, times: f64) {
    let matrix = found.matrix.as_ref().unwrap();
    for (i, j, wanted) in [(0, 0, 0.0), (0, 1, -times), (1, 0, times), (1, 1, 0.0)] {
        // What the blobs have beyond the edge and the Nyquist frequency, below 1e-9, times the condition of the fit.
        assert!((matrix[i][j] - wanted).abs() < 1e-7, "{matrix:?}");
    }
    assert!(found.held_out < 1e-14 * found.lee && found.lee > 0.1 * found.still, "{found:?}");
    assert!(found.explained.unwrap() > 1.0 - 1e-13 && found.antisymmetric.unwrap() > 1.0 - 1e-9);
    let [a, b] = &found.eigenvalues[..] else { panic!("{:?}", found.eigenvalues) };
    assert!((a[1] - times).abs() < 1e-7 && (b[1] + times).abs() < 1e-7, "{:?}", found.eigenvalues);
}

/// (∂x, ∂y) of a band-limited image turn with it, L = (−f₂, f₁): [∂x, y∂x − x∂y] = −∂y.
#[test]
fn gradients_turn_with_the_image() {
    const SIDE: usize = 40;
    // The derivative of the sinc at whole numbers, with every sample in reach.
    let slope = |t: f64| if t == 0.0 { 0.0 } else { -(std::f64::consts::PI * t).cos() / t };
    let on_axis = |along: f64, across: f64| if across == 0.0 { slope(along) } else { 0.0 };
    let radius = SIDE as i64 - 1;
    let kernels = [kernel(radius, on_axis), kernel(radius, |x, y| on_axis(y, x))];
    let network = filters(SIDE, &kernels, false);
    let report = measured(&network, &[blobs(SIDE)], &["rotate", "translate_x", "scale"]);
    assert_turns(&report.generators["rotate"], 1.0);
    // Translation leaves the gradient's components alone, and under u·∇ both grow by themselves: M = 1.
    let still = &report.generators["translate_x"];
    assert!(still.lee < 1e-16 * still.still, "{still:?}");
    let scaled = report.generators["scale"].matrix.as_ref().unwrap();
    assert!((scaled[0][0] - 1.0).abs() < 1e-7 && (scaled[1][1] - 1.0).abs() < 1e-7 && scaled[0][1].abs() < 1e-7);
}

/// Circular harmonics of order k, r^k e^{ikθ} times a Gaussian, turn k times as fast.
#[test]
fn circular_harmonics_turn_as_often_as_their_order() {
    const SIDE: usize = 56;
    let gauss = |x: f64, y: f64| (-(x * x + y * y) / (2.0 * 2.4 * 2.4)).exp();
    let second = [kernel(20, |x, y| (x * x - y * y) * gauss(x, y)), kernel(20, |x, y| 2.0 * x * y * gauss(x, y))];
    let report = measured(&filters(SIDE, &second, false), &[blobs(SIDE)], &["rotate"]);
    assert_turns(&report.generators["rotate"], 2.0);
}

/// Circular harmonics of orders 0, 1 and 2 from the command, in every form that a result has: what turns once and twice as
/// fast as the image stands at ±i and ±2i in the figure.
#[test]
fn the_command_draws_what_it_finds() {
    const SIDE: usize = 56;
    let gauss = |x: f64, y: f64| (-(x * x + y * y) / (2.0 * 2.4 * 2.4)).exp();
    let kernels = [
        kernel(20, gauss),
        kernel(20, |x, y| x * gauss(x, y)),
        kernel(20, |x, y| y * gauss(x, y)),
        kernel(20, |x, y| (x * x - y * y) * gauss(x, y)),
        kernel(20, |x, y| 2.0 * x * y * gauss(x, y)),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("filters.onnx"), file(SIDE, &kernels, false).model.encode_to_vec()).unwrap();
    let bytes: Vec<u8> =
        Vec::<f64>::try_from(&blobs(SIDE).reshape([-1])).unwrap().iter().flat_map(|v| v.to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F64, vec![1, 1, SIDE, SIDE], &bytes).unwrap();
    serialize_to_file([("x", view)], None, &path("x.safetensors")).unwrap();
    let run = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aliascope"));
        command.env("OMP_WAIT_POLICY", "passive").current_dir(folder.path());
        command.args(["representation", "filters.onnx", "--images", "x.safetensors", "--precision", "f64"]);
        command.args(["--generator", "rotate,translate_x,scale"]).args(more).assert().success()
    };
    run(&["--json", "r.json", "--csv", "r.csv", "--md", "r.md", "--plot", "r.svg"]);
    run(&["--quiet", "--plot", "r.png", "--title", "Harmonics", "--plot-size", "800x400"]);
    run(&["--quiet", "--plot", "r.pdf"]);
    let report: serde_json::Value = serde_json::from_slice(&fs::read(path("r.json")).unwrap()).unwrap();
    let turning = &report["generators"]["rotate"];
    assert!(turning["explained"].as_f64().unwrap() > 1.0 - 1e-12, "{turning}");
    let imaginary: Vec<f64> =
        turning["eigenvalues"].as_array().unwrap().iter().map(|pair| pair[1].as_f64().unwrap()).collect();
    for (found, wanted) in imaginary.iter().zip([2.0, -2.0, 1.0, -1.0, 0.0]) {
        // As for each order alone, times the condition of all of them together.
        assert!((found - wanted).abs() < 1e-6, "{imaginary:?}");
    }
    let svg = fs::read_to_string(path("r.svg")).unwrap();
    for words in [
        "filters.onnx",
        "rotate",
        "scale",
        "M explains 100.0 %",
        "λ₁ = ±2.00 i",
        "A, as assumed",
        "LEE ≈ 0: nothing to explain",
    ] {
        assert!(svg.contains(words), "{words}");
    }
    let picture = image::open(path("r.png")).unwrap();
    assert!(picture.width() <= 800 && picture.height() <= 400 && picture.width().max(2 * picture.height()) == 800);
    assert!(fs::read(path("r.pdf")).unwrap().starts_with(b"%PDF"));
    // For a look at it, and for docs/theory.md.
    if let Some(kept) = std::env::var_os("ALIASCOPE_KEEP_FIGURES") {
        fs::copy(path("r.svg"), std::path::Path::new(&kept).join("representation-steerable.svg")).unwrap();
    }
}

/// Filters without symmetry: the fit is never better on the data that it has not seen than on all, and matrices of noise
/// explain little.
#[test]
fn what_is_no_representation_explains_nothing_on_held_out_data() {
    const SIDE: usize = 16;
    let noise = crate::common::noise(6 * 25 + 4 * 256);
    let kernels: Vec<Vec<f64>> = noise[..150].chunks(25).map(|k| k.iter().map(|&v| f64::from(v)).collect()).collect();
    let image = |i: usize| {
        Tensor::from_slice(&noise[150 + 256 * i..150 + 256 * (i + 1)]).to_kind(Kind::Double).reshape([1, 1, 1, 16, 16])
    };
    let images: Vec<Tensor> = (0..4).map(image).collect();
    let report = measured(&filters(SIDE, &kernels, false), &images, &["rotate", "shear_x"]);
    for (name, found) in &report.generators {
        assert!(found.held_out >= found.fitted && found.fitted <= found.lee, "{name}: {found:?}");
        assert!(found.explained.unwrap() < 0.3, "{name}: {found:?}");
    }
}

#[test]
fn an_output_without_places_is_refused() {
    let network = filters(8, &[kernel(1, |x, y| x + 0.5 * y), kernel(1, |x, y| x * y)], true);
    let refused = RepresentationMeter::new(&network, RepresentationOptions::default()).err().unwrap().to_string();
    assert!(refused.contains("--at"), "{refused}");
}
