//! Finite motions: the layers' defects, integrated along the way, are the finite change of the output.

use aliascope::graph::onnx::OnnxFile;
use aliascope::graph::onnx::proto::{GraphProto, NodeProto};
use aliascope::graph::{LoadOptions, Network};
use aliascope::measure::layers::LayersOptions;
use aliascope::measure::orbit::OrbitMeter;
use aliascope::measure::orbit_report::OrbitReport;
use aliascope::measure::output::ActionChoice;
use aliascope::measure::run::{Images, Run};
use aliascope::spectrum::differentiation::{Boundary, Scheme};
use tch::{Kind, Tensor};

use crate::common::model::{Value, attribute, doubles, floats, model, node};

const ROWS: i64 = 9;
const COLUMNS: i64 = 12;

fn noise(seed: usize, count: usize) -> Vec<f64> {
    crate::common::noise((seed + count) as u32)[seed..].iter().map(|&v| 0.4 * f64::from(v)).collect()
}

fn convolution(inputs: &[&str], output: &str, stride: i64) -> NodeProto {
    let mut made = node("Conv", inputs, &[output]);
    made.name = Some(output.to_owned());
    made.attribute =
        vec![attribute("pads", Value::Ints(vec![1; 4])), attribute("strides", Value::Ints(vec![stride; 2]))];
    made
}

/// Two convolutions, the second in stride 2, with this function behind each; then a mean and scores, or the maps.
fn network(function: &str, output: &str) -> Network {
    let graph = GraphProto {
        name: Some("small".to_owned()),
        node: vec![
            convolution(&["x", "w1"], "a", 1),
            node(function, &["a"], &["b"]),
            convolution(&["b", "w2"], "c", 2),
            node(function, &["c"], &["d"]),
            node("GlobalAveragePool", &["d"], &["e"]),
            node("Flatten", &["e"], &["y"]),
        ],
        initializer: vec![doubles("w1", &[4, 2, 3, 3], &noise(3, 72)), doubles("w2", &[5, 4, 3, 3], &noise(500, 180))],
        input: vec![floats("x", &[1, 2, ROWS, COLUMNS])],
        output: vec![floats(output, &[])],
        ..Default::default()
    };
    let file: OnnxFile = model(graph, 17);
    Network::from_file(&file, &LoadOptions { kind: Kind::Double, ..Default::default() }).unwrap()
}

fn image(count: i64) -> Tensor {
    Tensor::from_slice(&noise(0, (2 * ROWS * COLUMNS) as usize))
        .reshape([1, 1, 2, ROWS, COLUMNS])
        .repeat([count, 1, 1, 1, 1])
}

fn options(boundary: Boundary) -> LayersOptions {
    LayersOptions { boundary, ..LayersOptions::new("translate_x".parse().unwrap()) }
}

fn follow(network: &Network, orbit: &str, options: LayersOptions) -> OrbitReport {
    let mut meter = OrbitMeter::new(network, orbit.parse().unwrap(), options).unwrap();
    let found = meter.find(&image(1), "x", 3, &mut |_, _| {}).unwrap();
    meter.take(found);
    let run = Run { images: Images { names: vec!["x".to_owned()], ..Images::default() }, ..Run::default() };
    meter.report(run, [vec![1.0], vec![1.0]])
}

/// With smooth functions the residual falls to rounding as nodes grow, for class scores and for images that are moved back.
#[test]
fn contributions_add_up_to_the_finite_change() {
    for output in ["y", "d"] {
        let network = network("Tanh", output);
        for boundary in Boundary::ALL {
            for orbit in ["translate_x=1px", "translate_x-0.5*translate_y=1.5px"] {
                let residual = |nodes: usize| {
                    let report = follow(&network, &format!("{orbit}:{nodes}"), options(boundary));
                    let shares: f64 = report.layers.iter().map(|layer| layer.share.unwrap()).sum();
                    let residual = report.residual.unwrap();
                    // What is missing along the change is no more than what is missing.
                    assert!((shares - 1.0).abs() <= residual + 1e-12, "{shares} {residual}");
                    residual
                };
                let residuals = [2, 6, 40].map(residual);
                assert!(residuals[1] < residuals[0] / 10.0, "{output} {boundary} {orbit}: {residuals:?}");
                // Gauss–Legendre converges geometrically on functions that are analytic around the path.
                assert!(residuals[2] < 1e-8, "{output} {boundary} {orbit}: {residuals:?}");
            }
        }
    }
}

/// The ends are those of the network on the moved image, and the margin is that of the classes there.
#[test]
fn the_ends_are_the_network_on_the_moved_image() {
    let network = network("Tanh", "y");
    let x = image(1);
    let report = follow(&network, "translate_x=2px:64", options(Boundary::Periodic));
    // Sampling at u + t moves the content by −t: a roll by two columns.
    let ends = [x.shallow_clone(), x.roll([-2], [-1])].map(|x| network.forward(&x).unwrap().reshape([-1]));
    let image = &report.by_image[0];
    let (class, against) = (image.top.unwrap()[0] as i64, image.against.unwrap() as i64);
    for (end, scalar) in ends.iter().zip(image.scalar) {
        let margin = end.double_value(&[class]) - end.double_value(&[against]);
        assert!((margin - scalar).abs() < 1e-12, "{margin} {scalar}");
    }
    assert_eq!(image.top.unwrap(), [0, 1].map(|at: usize| ends[at].argmax(-1, false).int64_value(&[]) as usize));
    assert_eq!(report.pixels, [2.0, 0.0]);
    let sum: f64 = image.parts.iter().sum();
    assert!((sum - (image.scalar[1] - image.scalar[0])).abs() < 1e-9);
    // Nyquist's harmonic alone is no group action on the torus: 12 columns hold it, in white noise.
    let edges = &report.layers[report.layers.len() - 2..];
    assert_eq!(
        edges.iter().map(|edge| edge.name.as_str()).collect::<Vec<_>>(),
        ["edge of the image", "edge of the output"]
    );
    assert!(edges.iter().all(|edge| edge.class.is_none()) && edges[1].contribution == 0.0);
}

/// On a torus of odd sides nothing happens at an edge, and convolutions of stride 1 in a linear network have no defect but
/// that of their padding.
#[test]
fn a_torus_of_odd_sides_has_no_edge() {
    let graph = GraphProto {
        name: Some("linear".to_owned()),
        node: vec![convolution(&["x", "w"], "y", 1)],
        initializer: vec![doubles("w", &[1, 1, 3, 3], &noise(3, 9))],
        input: vec![floats("x", &[1, 1, 7, 9])],
        output: vec![floats("y", &[])],
        ..Default::default()
    };
    let network =
        Network::from_file(&model(graph, 17), &LoadOptions { kind: Kind::Double, ..Default::default() }).unwrap();
    let mut meter =
        OrbitMeter::new(&network, "translate_x=0.7px:24".parse().unwrap(), options(Boundary::Periodic)).unwrap();
    let x = Tensor::from_slice(&noise(0, 63)).reshape([1, 1, 1, 7, 9]);
    let found = meter.find(&x, "x", 5, &mut |_, _| {}).unwrap();
    meter.take(found);
    let report = meter.report(Run::default(), [vec![], vec![]]);
    let [layer, image, output] = &report.layers[..] else { panic!("{:?}", report.layers) };
    assert!(report.residual.unwrap() < 1e-12 && report.changed.is_none());
    assert!((layer.share.unwrap() - 1.0).abs() < 1e-12);
    for edge in [image, output] {
        assert!(edge.contribution < 1e-24 * report.change, "{edge:?}");
    }
}

#[test]
fn what_has_no_way_back_is_refused() {
    let network = network("Relu", "d");
    let refused = |options: LayersOptions| {
        OrbitMeter::new(&network, "translate_x=1px".parse().unwrap(), options).err().unwrap().to_string()
    };
    let flow = LayersOptions { action: Some(ActionChoice::Tokens), ..options(Boundary::Reflect) };
    assert!(refused(flow).contains("--action tokens"));
    let central = LayersOptions { scheme: Scheme::Central, ..options(Boundary::Reflect) };
    assert!(refused(central).contains("--derivative central"));
    // Kinks make the quadrature converge slowly; it still closes, and says by how much it does not.
    let report = follow(&network, "translate_x=1px:64", options(Boundary::Reflect));
    assert!(report.residual.unwrap() < 0.03, "{:?}", report.residual);
}
