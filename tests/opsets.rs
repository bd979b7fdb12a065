//! What operators mean at each opset at which their meaning changed: values that ONNX Runtime, or ONNX's reference
//! evaluator, gives (scripts/record_opsets.py).

mod common;

use std::path::Path;

use aliascope::graph::onnx::proto::{ModelProto, NodeProto, TensorProto};
use aliascope::graph::onnx::{OnnxFile, OnnxTensor, read_model};
use aliascope::graph::{GraphError, LoadOptions, Network, tensor_from_onnx};
use common::model::{Value, attribute, floats, model, node};
use prost::Message;
use tch::{Kind, Tensor};

fn read(tensor: &TensorProto) -> Tensor {
    tensor_from_onnx(&OnnxTensor::from_proto(tensor, Path::new("."), "value").unwrap()).unwrap()
}

fn run(file: &OnnxFile, x: &Tensor) -> Result<Tensor, GraphError> {
    // A node may put in front of the batch what the network's input cannot have.
    Ok(Network::from_file(file, &LoadOptions::default())?.forward(&x.unsqueeze(0))?.squeeze_dim(0))
}

/// What is wrong with one test, if anything is.
fn problem(test: &NodeProto) -> Option<String> {
    let given = |name: &str| test.attribute.iter().find(|a| a.name.as_deref() == Some(name)).unwrap();
    let model = ModelProto::decode(given("model").s.as_deref().unwrap()).unwrap();
    let file = OnnxFile { path: "opsets.onnx".into(), model };
    let (x, wanted) = (read(&given("inputs").tensors[0]), read(&given("outputs").tensors[0]));
    // The network takes batches of one: of the tests without an image, those of matrices have several rows.
    let rows = x.size()[0];
    let (file, x) = if rows == 1 { (file, x) } else { (with_batch(file, &x), x.reshape([1, -1])) };
    let name = test.name.as_deref().unwrap();
    match run(&file, &x) {
        Err(error) => Some(format!("{name}: {error}")),
        Ok(y) if y.size() != wanted.size() => Some(format!("{name}: {:?}, not {:?}", y.size(), wanted.size())),
        // Single precision on both sides, and sums of a dozen entries of order one.
        Ok(y) if !y.to_kind(Kind::Float).allclose(&wanted, 1e-5, 2e-6, true) => {
            Some(format!("{name}: off by {:.1e}", (y - wanted).abs().max().double_value(&[])))
        }
        Ok(_) => None,
    }
}

/// The model with its input as one row.
fn with_batch(mut file: OnnxFile, x: &Tensor) -> OnnxFile {
    let graph = file.model.graph.as_mut().unwrap();
    common::model::one_input(graph, &[("x".to_owned(), x.size())]);
    file
}

#[test]
fn operators_mean_what_their_opset_says() {
    let container = read_model(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/opsets.onnx")).unwrap();
    let tests = &container.graph().unwrap().node;
    let problems: Vec<String> = tests.iter().filter_map(problem).collect();
    assert!(tests.len() > 150, "{}", tests.len());
    assert!(problems.is_empty(), "{} of {}:\n{}", problems.len(), tests.len(), problems.join("\n"));
}

fn resize(input: i64, rounding: &'static str, coordinates: &'static str) -> (OnnxFile, Tensor) {
    let mut graph = aliascope::graph::onnx::proto::GraphProto::default();
    let mut resize = node("Resize", &["x", "", "", "sizes"], &["y"]);
    resize.attribute = vec![
        attribute("mode", Value::Text("nearest")),
        attribute("nearest_mode", Value::Text(rounding)),
        attribute("coordinate_transformation_mode", Value::Text(coordinates)),
    ];
    graph.node = vec![resize];
    graph.input = vec![floats("x", &[1, 1, 1, input])];
    graph.output = vec![floats("y", &[])];
    (model(graph, 13), Tensor::arange(input, (Kind::Float, tch::Device::Cpu)).view([1, 1, 1, input]))
}

#[test]
fn nearest_neighbours_are_nearest_for_every_pair_of_sizes() {
    // Whole numbers throughout: the position is above/below, in the units of input samples.
    type Position = fn(i64, i64, i64) -> (i64, i64);
    let coordinates: [(&'static str, Position); 4] = [
        ("asymmetric", |j, n, m| (j * n, m)),
        ("half_pixel", |j, n, m| ((2 * j + 1) * n - m, 2 * m)),
        ("tf_half_pixel_for_nn", |j, n, m| ((2 * j + 1) * n, 2 * m)),
        ("align_corners", |j, n, m| if m > 1 { (j * (n - 1), m - 1) } else { (0, 1) }),
    ];
    let up = |above: i64, below: i64| -(-above).div_euclid(below);
    for (name, position) in coordinates {
        for rounding in ["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"] {
            for input in (1..40).step_by(3) {
                let (mut file, x) = resize(input, rounding, name);
                for output in 1..60 {
                    let sizes = common::model::ints("sizes", &[4], &[1, 1, 1, output]);
                    file.model.graph.as_mut().unwrap().initializer = vec![sizes];
                    let y = Vec::<f32>::try_from(run(&file, &x).unwrap().reshape([-1])).unwrap();
                    for (j, &found) in y.iter().enumerate() {
                        let (above, below) = position(j as i64, input, output);
                        let nearest = match rounding {
                            "floor" => above.div_euclid(below),
                            "ceil" => up(above, below),
                            "round_prefer_floor" => up(2 * above - below, 2 * below),
                            _ => (2 * above + below).div_euclid(2 * below),
                        };
                        // An axis that keeps its size is left alone.
                        let wanted = if input == output { j as i64 } else { nearest.clamp(0, input - 1) };
                        assert_eq!(found as i64, wanted, "{name}, {rounding}, {input} to {output}, sample {j}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_opsets_leave_open_is_refused() {
    let mut graph = aliascope::graph::onnx::proto::GraphProto::default();
    let mut up = node("ConvTranspose", &["x", "w"], &["y"]);
    up.attribute =
        vec![attribute("strides", Value::Ints(vec![2, 2])), attribute("auto_pad", Value::Text("SAME_UPPER"))];
    graph.node = vec![up];
    graph.initializer = vec![common::model::doubles("w", &[1, 1, 3, 3], &[1.0; 9])];
    graph.input = vec![floats("x", &[1, 1, 3, 3])];
    graph.output = vec![floats("y", &[])];
    let message = run(&model(graph.clone(), 10), &Tensor::ones([1, 1, 3, 3], (Kind::Float, tch::Device::Cpu)));
    assert!(message.unwrap_err().to_string().contains("convert the model to opset 11"));
    for (opset, words) in [(6, "onnx.version_converter"), (99, "export it with an older one")] {
        let message = run(&model(graph.clone(), opset), &Tensor::ones([1, 1, 3, 3], (Kind::Float, tch::Device::Cpu)));
        let message = message.unwrap_err().to_string();
        assert!(message.contains(words) && message.contains(&format!("opset {opset}")), "{message}");
    }
}
