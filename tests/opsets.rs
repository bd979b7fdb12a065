//! What operators mean at each opset at which their meaning changed: values that ONNX Runtime, or ONNX's reference
//! evaluator, gives (scripts/record_opsets.py).

use std::path::Path;

use aliascope::graph::onnx::proto::{ModelProto, NodeProto, TensorProto};
use aliascope::graph::onnx::{OnnxFile, OnnxTensor, read_model};
use aliascope::graph::{GraphError, LoadOptions, Network, tensor_from_onnx};
use prost::Message;
use tch::{Kind, Tensor};

use crate::common::model::{Value, attribute, floats, model, node};

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
    crate::common::model::one_input(graph, &[("x".to_owned(), x.size())]);
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
                    let sizes = crate::common::model::ints("sizes", &[4], &[1, 1, 1, output]);
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
    graph.initializer = vec![crate::common::model::doubles("w", &[1, 1, 3, 3], &[1.0; 9])];
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

/// What loading one node with one attribute at an opset says.
fn refusal(operator: &str, opset: i64, attributes: Vec<(&'static str, Value)>, shapes: &[&[i64]]) -> Option<String> {
    let names = ["x", "c1", "c2"];
    let mut made = node(operator, &names[..shapes.len()], &["y"]);
    made.attribute = attributes.into_iter().map(|(name, value)| attribute(name, value)).collect();
    let mut graph = aliascope::graph::onnx::proto::GraphProto {
        node: vec![made],
        input: vec![floats("x", shapes[0])],
        output: vec![floats("y", &[])],
        ..Default::default()
    };
    for (name, shape) in names.iter().zip(shapes).skip(1) {
        let count = shape.iter().product::<i64>() as usize;
        graph.initializer.push(crate::common::model::doubles(name, shape, &vec![0.25; count]));
    }
    Network::from_file(&model(graph, opset), &LoadOptions::default()).err().map(|error| error.to_string())
}

#[test]
fn attributes_of_other_opsets_are_refused_by_name_and_opsets() {
    let image: &[i64] = &[1, 2, 4, 4];
    let number = |value: i64| Value::Int(value);
    let list = |values: &[i64]| Value::Ints(values.to_vec());
    let pool = || ("kernel_shape", list(&[2, 2]));
    type Case = (&'static str, &'static str, Value, bool, [i64; 2], &'static str);
    // Operator, attribute, its value, whether a kernel's shape goes with it, an opset that has it and one that has not,
    // and the opsets in words.
    let cases: Vec<Case> = vec![
        ("MaxPool", "ceil_mode", number(0), true, [10, 9], "opsets 10 to 25"),
        ("AveragePool", "dilations", list(&[1, 1]), true, [19, 18], "opsets 19 to 25"),
        ("LpPool", "ceil_mode", number(0), true, [18, 17], "opsets 18 to 25"),
        ("ReduceMean", "axes", list(&[1]), false, [17, 18], "opsets 7 to 17"),
        ("ReduceSum", "axes", list(&[1]), false, [12, 13], "opsets 7 to 12"),
        ("Squeeze", "axes", list(&[0]), false, [12, 13], "opsets 7 to 12"),
        ("Clip", "max", Value::Float(0.5), false, [10, 11], "opsets 7 to 10"),
        ("Dropout", "ratio", Value::Float(0.5), false, [11, 12], "opsets 7 to 11"),
    ];
    for (operator, name, value, pools, [has, lacks], opsets) in cases {
        let attributes = || {
            let mut all = vec![(name, value.clone())];
            all.extend(pools.then(pool));
            all
        };
        assert_eq!(refusal(operator, has, attributes(), &[image]), None, "{operator} {has}");
        let message = refusal(operator, lacks, attributes(), &[image]).unwrap_or_default();
        let wanted = format!("the attribute '{name}' belongs to {opsets} of {operator}, not to opset {lacks}");
        assert!(message.contains(&wanted), "{message}");
    }
}

#[test]
fn modes_of_grid_sample_are_those_of_the_opset() {
    let shapes: [&[i64]; 2] = [&[1, 2, 4, 4], &[1, 3, 3, 2]];
    let of = |opset: i64, mode: &'static str| refusal("GridSample", opset, vec![("mode", Value::Text(mode))], &shapes);
    for (old, new) in [("bilinear", "linear"), ("bicubic", "cubic")] {
        for (opset, right, wrong, opsets) in [(19, old, new, "opsets 20 to 25"), (20, new, old, "opsets 16 to 19")] {
            assert_eq!(of(opset, right), None, "{opset}");
            let message = of(opset, wrong).unwrap_or_default();
            let wanted = format!(
                "mode '{wrong}' belongs to {opsets}, and the node is of opset {opset}, which calls it '{right}'"
            );
            assert!(message.contains(&wanted), "{message}");
        }
    }
    let volume = refusal("GridSample", 20, Vec::new(), &[&[1, 2, 3, 4, 4], &[1, 3, 3, 3, 3]]).unwrap_or_default();
    assert!(volume.contains("a volume as input"), "{volume}");
}
