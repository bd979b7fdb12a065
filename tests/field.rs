//! The field of motion: one gradient has the Lie derivatives along every generator, and what finite motions do in the limit.

use aliascope::graph::onnx::OnnxFile;
use aliascope::graph::onnx::proto::GraphProto;
use aliascope::graph::{LoadOptions, Network};
use aliascope::measure::field::{FieldMeter, FieldOptions};
use aliascope::measure::lee::{LeeMeter, LeeOptions};
use aliascope::measure::motion_field::{VectorField, on_grid};
use aliascope::measure::output::Output;
use aliascope::measure::scalar::Scalar;
use aliascope::spectrum::differentiation::Boundary;
use aliascope::spectrum::warp::warped;
use aliascope::symmetry::{Grid, GridKind, Motion, Units};
use ndarray::Array3;
use tch::{Kind, Tensor};

use crate::common::model::{Value, attribute, doubles, floats, model, node};

const ROWS: i64 = 10;
const COLUMNS: i64 = 12;
const CLASSES: i64 = 5;

/// Two convolutions, the second in stride 2, with tanh behind each, and the mean over the plane: smooth everywhere.
fn classifier() -> OnnxFile {
    let noise = |seed: usize, count: usize| -> Vec<f64> {
        crate::common::noise((seed + count) as u32)[seed..].iter().map(|&v| 0.8 * f64::from(v)).collect()
    };
    let convolution = |inputs: &[&str], output: &str, stride: i64| {
        let mut made = node("Conv", inputs, &[output]);
        made.attribute =
            vec![attribute("pads", Value::Ints(vec![1; 4])), attribute("strides", Value::Ints(vec![stride; 2]))];
        made
    };
    let nodes = vec![
        convolution(&["x", "w1"], "a", 1),
        node("Tanh", &["a"], &["b"]),
        convolution(&["b", "w2"], "c", 2),
        node("Tanh", &["c"], &["d"]),
        node("GlobalAveragePool", &["d"], &["e"]),
        node("Flatten", &["e"], &["y"]),
    ];
    let graph = GraphProto {
        name: Some("classifier".to_owned()),
        node: nodes,
        initializer: vec![
            doubles("w1", &[4, 2, 3, 3], &noise(3, 72)),
            doubles("w2", &[CLASSES, 4, 3, 3], &noise(500, 180)),
        ],
        input: vec![floats("x", &[1, 2, ROWS, COLUMNS])],
        output: vec![floats("y", &[])],
        ..Default::default()
    };
    model(graph, 17)
}

fn network() -> Network {
    Network::from_file(&classifier(), &LoadOptions { kind: Kind::Double, ..Default::default() }).unwrap()
}

fn image() -> Array3<f64> {
    let values = crate::common::noise((2 * ROWS * COLUMNS) as u32);
    Array3::from_shape_fn((2, ROWS as usize, COLUMNS as usize), |(c, i, j)| {
        f64::from(values[(c * ROWS as usize + i) * COLUMNS as usize + j])
    })
}

fn tensor(x: &Array3<f64>) -> Tensor {
    let values: Vec<f64> = x.iter().copied().collect();
    Tensor::from_slice(&values).reshape([1, 1, 2, ROWS, COLUMNS])
}

fn options(scalar: Scalar, boundary: Boundary) -> FieldOptions {
    FieldOptions { scalar: Some(scalar), boundary, smoothness: 2.0, ..FieldOptions::default() }
}

/// L of `lee`, contracted with the gradient of the scalar at the output, is Σ v·F.
#[test]
fn the_generators_derivatives_are_those_of_lee() {
    let network = network();
    let x = tensor(&image());
    for (boundary, units) in [(Boundary::Reflect, Units::HalfWidth), (Boundary::Periodic, Units::Pixel)] {
        for scalar in [Scalar::Margin, Scalar::LogProbability, Scalar::Energy] {
            let lee = LeeOptions { boundary, units, output: Some(Output::Logits), ..LeeOptions::default() };
            let lie = LeeMeter::new(&network, lee).unwrap().lie_derivatives(&x).unwrap();
            let meter = FieldMeter::new(&network, FieldOptions { units, ..options(scalar, boundary) }).unwrap();
            let (found, _) = meter.find(&x, "x", None).unwrap();
            // The gradient at the output in closed form.
            let y = network.forward(&x).unwrap().reshape([-1]);
            let scores = Vec::<f64>::try_from(&y).unwrap();
            let mut order: Vec<usize> = (0..scores.len()).collect();
            order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
            let by_output: Vec<f64> = match scalar {
                Scalar::Margin => {
                    assert_eq!((found.image.class, found.image.other), (Some(order[0]), Some(order[1])));
                    let sign = |i: usize| f64::from(i == order[0]) - f64::from(i == order[1]);
                    (0..scores.len()).map(sign).collect()
                }
                Scalar::LogProbability => {
                    let total: f64 = scores.iter().map(|z| z.exp()).sum();
                    (0..scores.len()).map(|i| f64::from(i == order[0]) - scores[i].exp() / total).collect()
                }
                _ => scores.iter().map(|z| 2.0 * z / scores.len() as f64).collect(),
            };
            let contracted = lie.reshape([7, -1]).matmul(&Tensor::from_slice(&by_output));
            let wanted = Vec::<f64>::try_from(&contracted).unwrap();
            let ours = [&found.derivatives[..6], &found.derivatives[found.derivatives.len() - 1..]].concat();
            let scale = wanted.iter().map(|v| v.abs()).fold(0.0, f64::max);
            for (a, b) in ours.iter().zip(&wanted) {
                assert!((a - b).abs() <= 1e-10 * scale, "{scalar} {boundary}: {a} {b}");
            }
            assert!(found.image.residual < 1e-10, "{}", found.image.residual);
        }
    }
}

fn fields() -> Vec<VectorField> {
    let image = Grid::image(ROWS as usize, COLUMNS as usize, GridKind::Tracked);
    let local = |axis: usize| {
        ndarray::Array2::from_shape_fn((ROWS as usize, COLUMNS as usize), |(i, j)| {
            (-((i as f64 - 4.0).powi(2) + (j as f64 - 7.0).powi(2)) / 6.0).exp() * [1.0, -0.5][axis]
        })
    };
    vec![on_grid(&Motion::KeystoneX, &image), on_grid(&Motion::Distort, &image), [local(0), local(1)]]
}

/// Moving the image by ±t·v changes the scalar by 2t·Σ v·F, up to O(t³): half of t leaves a quarter of the error.
#[test]
fn finite_warps_have_the_field_s_derivative() {
    let network = network();
    let x = image();
    for boundary in Boundary::ALL {
        for scalar in [Scalar::Margin, Scalar::Logit(3), Scalar::Sum, Scalar::Energy, Scalar::Entry(1)] {
            let meter = FieldMeter::new(&network, options(scalar, boundary)).unwrap();
            let (found, of) = meter.find(&tensor(&x), "x", None).unwrap();
            let value = |t: f64, v: &VectorField| {
                let moved = warped(x.view(), &[0, 1].map(|axis| &v[axis] * t), boundary);
                let (moved, _) = meter.find(&tensor(&moved), "moved", None).unwrap();
                // Small motions change no class.
                assert_eq!((moved.image.class, moved.image.other), (found.image.class, found.image.other));
                moved.image.value
            };
            for v in fields() {
                let slope: f64 = (0..2).map(|axis| (&v[axis] * &of.field[axis]).sum()).sum();
                let error = |t: f64| ((value(t, &v) - value(-t, &v)) / (2.0 * t) - slope).abs();
                let [coarse, fine] = [error(5e-4), error(2.5e-4)];
                // White noise moved by a few thousandths of a pixel: t² times its third derivative.
                assert!(fine < 1e-3 * slope.abs().max(1e-2), "{scalar} {boundary}: {fine} of {slope}");
                assert!((coarse / fine - 4.0).abs() < 0.2, "{scalar} {boundary}: {coarse} {fine}");
            }
        }
    }
}

#[test]
fn the_labelled_class_is_taken_and_finite_deformations_begin_as_predicted() {
    let network = network();
    let x = tensor(&image());
    let options = FieldOptions { warps: vec![1e-3, 0.5], ..options(Scalar::Margin, Boundary::Reflect) };
    let meter = FieldMeter::new(&network, options).unwrap();
    let top = meter.find(&x, "x", None).unwrap().0.image;
    let label = (top.class.unwrap() + 2) % CLASSES as usize;
    let found = meter.find(&x, "x", Some(label)).unwrap().0.image;
    assert!(found.class == Some(label) && found.other == top.class && found.value < 0.0);
    assert_eq!(found.distance, Some(-found.value / found.smooth));
    let fall = (found.value - found.warps[0].value) / 1e-3;
    assert!((fall / found.smooth - 1.0).abs() < 1e-2, "{fall} {}", found.smooth);
    assert!(top.smooth > top.affine && top.affine > 0.0);
}

#[test]
fn what_an_output_does_not_have_is_refused() {
    let network = network();
    let refused = |options: FieldOptions| FieldMeter::new(&network, options).err().unwrap().to_string();
    assert!(refused(options(Scalar::Logit(5), Boundary::Reflect)).contains("5 entries"));
    let central = aliascope::spectrum::differentiation::Scheme::Central;
    let warps = FieldOptions { scheme: central, warps: vec![1.0], ..FieldOptions::default() };
    assert!(refused(warps).contains("spectral"));
    let mut file = classifier();
    file.model.graph.as_mut().unwrap().output = vec![floats("d", &[])];
    let plane = Network::from_file(&file, &LoadOptions { kind: Kind::Double, ..Default::default() }).unwrap();
    let refused = FieldMeter::new(&plane, options(Scalar::Margin, Boundary::Reflect)).err().unwrap().to_string();
    assert!(refused.contains("energy, sum or entry:INDEX"), "{refused}");
    assert_eq!(FieldMeter::new(&plane, FieldOptions::default()).unwrap().scalar(), Scalar::Energy);
}
