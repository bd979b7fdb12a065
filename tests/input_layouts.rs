//! Inputs that are channels last or integers give the numbers of the same network with floats, channels first.

use aliascope::graph::onnx::proto::{GraphProto, NodeProto, TypeValue};
use aliascope::graph::{GraphError, InputLayout, Integers, LoadOptions, Network};
use aliascope::input::{Preprocessing, Source};
use aliascope::measure::layers::{LayerMeter, LayersOptions};
use aliascope::measure::lee::{LeeMeter, LeeOptions, Output};
use aliascope::symmetry::{Combination, Generator};
use safetensors::tensor::{Dtype, TensorView, serialize_to_file};
use tch::{Kind, Tensor};

use crate::common::model::{Value, attribute, doubles, floats, model, node};
use crate::common::{noise, relative};

const ROWS: i64 = 9;
const COLUMNS: i64 = 14;

/// A strided convolution, a kink and a mean, after the nodes that lead from `x` to `image`.
fn network(
    input: &[i64],
    element: i32,
    front: Vec<NodeProto>,
    layout: Option<InputLayout>,
) -> Result<Network, GraphError> {
    let mut nodes = front;
    let mut conv = node("Conv", &["image", "w"], &["maps"]);
    conv.attribute = vec![
        attribute("strides", Value::Ints(vec![2, 2])),
        attribute("pads", Value::Ints(vec![1, 1, 1, 1])),
        attribute("kernel_shape", Value::Ints(vec![3, 3])),
    ];
    nodes.push(conv);
    nodes.push(node("Relu", &["maps"], &["active"]));
    nodes.push(node("GlobalAveragePool", &["active"], &["pooled"]));
    nodes.push(node("Flatten", &["pooled"], &["y"]));
    load(input, element, nodes, layout)
}

fn load(
    input: &[i64],
    element: i32,
    nodes: Vec<NodeProto>,
    layout: Option<InputLayout>,
) -> Result<Network, GraphError> {
    let weights: Vec<f64> = noise(4 * 3 * 9).into_iter().map(f64::from).collect();
    let mut x = floats("x", input);
    if let Some(TypeValue::Tensor(tensor)) = x.r#type.as_mut().and_then(|t| t.value.as_mut()) {
        tensor.elem_type = Some(element);
    }
    let mut y = floats("y", &[]);
    y.r#type = None;
    let graph = GraphProto {
        node: nodes,
        initializer: vec![doubles("w", &[4, 3, 3, 3], &weights)],
        input: vec![x],
        output: vec![y],
        ..Default::default()
    };
    Network::from_file(&model(graph, 17), &LoadOptions { kind: Kind::Double, layout, ..Default::default() })
}

fn transposed(input: &str, output: &str, order: [i64; 4]) -> NodeProto {
    let mut node = node("Transpose", &[input], &[output]);
    node.attribute = vec![attribute("perm", Value::Ints(order.to_vec()))];
    node
}

fn cast(input: &str, output: &str) -> NodeProto {
    let mut node = node("Cast", &[input], &[output]);
    node.attribute = vec![attribute("to", Value::Int(1))];
    node
}

fn plain() -> Network {
    network(&[1, 3, ROWS, COLUMNS], 1, vec![node("Identity", &["x"], &["image"])], None).unwrap()
}

fn photo() -> Tensor {
    let values = Tensor::from_slice(&noise((3 * ROWS * COLUMNS) as u32)).to_kind(Kind::Double);
    ((values + 1.0) * 127.5).floor().view([1, 1, 3, ROWS, COLUMNS])
}

fn lie(network: &Network) -> Tensor {
    // The values themselves: a softmax of values as large as these is constant.
    let options = LeeOptions { output: Some(Output::Identity), ..Default::default() };
    LeeMeter::new(network, options).unwrap().lie_derivatives(&photo()).unwrap()
}

#[test]
fn a_channels_last_input_gives_the_numbers_of_its_twin() {
    let file = [1, ROWS, COLUMNS, 3];
    let network = network(&file, 1, vec![transposed("x", "image", [0, 3, 1, 2])], None).unwrap();
    assert_eq!(network.input().shape, [1, 3, ROWS, COLUMNS]);
    assert_eq!((network.input_layout(), network.file_shape()), (InputLayout::ChannelsLast, file.to_vec()));
    assert!(network.input().layout.plane().is_some());
    assert_eq!(network.steps()[0].op_type, "Transpose", "the step is shown like any other");
    let twin = plain();
    // Both move entries only in front of the same convolution.
    assert!(relative(&network.forward(&photo()).unwrap(), &twin.forward(&photo()).unwrap()) <= 1e-15);
    assert!(lie(&twin).abs().max().double_value(&[]) > 1.0);
    assert!(relative(&lie(&network), &lie(&twin)) <= 1e-14);

    let shares = |network: &Network| {
        let options = LayersOptions {
            output: Some(Output::Identity),
            ..LayersOptions::new(Combination::single(Generator::TranslateX))
        };
        let mut meter = LayerMeter::new(network, options).unwrap();
        meter.measure(&photo(), &["noise".to_owned()], &mut |_, _| {}).unwrap();
        meter.results().norm_squared
    };
    let (here, there) = (shares(&network), shares(&twin));
    assert!((here - there).abs() <= 1e-13 * there, "{here} {there}");
}

#[test]
fn integers_that_are_cast_give_the_numbers_of_floats() {
    let twin = lie(&plain());
    for (element, integers) in [(2, Integers::Unsigned), (3, Integers::Signed8), (6, Integers::Unsigned)] {
        let bytes = network(&[1, 3, ROWS, COLUMNS], element, vec![cast("x", "image")], None).unwrap();
        assert_eq!(bytes.integers(), Some(integers));
        assert!(relative(&lie(&bytes), &twin) <= 1e-14);
        let front = vec![transposed("x", "moved", [0, 3, 1, 2]), cast("moved", "image")];
        let last = network(&[1, ROWS, COLUMNS, 3], element, front, None).unwrap();
        assert_eq!((last.integers(), last.input_layout()), (Some(integers), InputLayout::ChannelsLast));
        assert!(relative(&lie(&last), &twin) <= 1e-14);
    }
    assert_eq!(plain().integers(), None);
    // 0 to 255, as such files take photos.
    let described = Preprocessing::bytes(0.0).describe();
    assert!(described.contains("pixels 0 to 255, mean [0], std [1]"), "{described}");
}

#[test]
fn integers_that_are_computed_with_are_refused() {
    let mut adds = node("Add", &["x", "x"], &["twice"]);
    adds.name = Some("twofold".to_owned());
    let error = network(&[1, 3, ROWS, COLUMNS], 2, vec![adds, cast("twice", "image")], None).unwrap_err().to_string();
    assert!(error.contains("'twofold' (Add) computes with them") && error.contains("float input"), "{error}");
    let error = network(&[1, 3, ROWS, COLUMNS], 8, vec![cast("x", "image")], None).unwrap_err().to_string();
    assert!(error.contains("does not take numbers"), "{error}");
}

#[test]
fn the_order_of_axes_is_known_or_asked_for() {
    let squared = |input: &[i64], layout| load(input, 1, vec![node("Mul", &["x", "x"], &["y"])], layout);
    let found = |input: &[i64]| squared(input, None).unwrap().input_layout();
    assert_eq!(found(&[1, 3, 12, 10]), InputLayout::ChannelsFirst);
    assert_eq!(found(&[1, 12, 10, 3]), InputLayout::ChannelsLast);
    assert_eq!(found(&[1, 12, 10, 1]), InputLayout::ChannelsLast);
    assert_eq!(found(&[1, 4, 12, 10]), InputLayout::ChannelsFirst);
    for ambiguous in [[1, 3, 224, 3], [1, 3, 3, 3]] {
        let error = squared(&ambiguous, None).unwrap_err().to_string();
        assert!(error.contains("--layout nchw or --layout nhwc"), "{error}");
        for (layout, plane) in [(InputLayout::ChannelsFirst, [224, 3]), (InputLayout::ChannelsLast, [3, 224])] {
            let network = squared(&ambiguous, Some(layout)).unwrap();
            assert_eq!(network.file_shape(), ambiguous);
            if ambiguous[2] == 224 {
                assert_eq!(network.input().shape, [1, 3, plane[0], plane[1]]);
            }
        }
    }
    // A convolution says which axis it is, whatever the shape looks like.
    let narrow = network(&[1, 3, 9, 3], 1, vec![node("Identity", &["x"], &["image"])], None).unwrap();
    assert_eq!(narrow.input_layout(), InputLayout::ChannelsFirst);
    let vector = squared(&[1, 30], Some(InputLayout::ChannelsLast)).unwrap_err().to_string();
    assert!(vector.contains("has no rows and columns"), "{vector}");
}

#[test]
fn tensor_files_have_the_files_own_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    let values: Vec<f32> = (0..2 * 4 * 5 * 3).map(|i| i as f32).collect();
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F32, vec![2, 4, 5, 3], &bytes).unwrap();
    serialize_to_file([("x", view)], None, &path).unwrap();
    let source = Source::open_as(std::slice::from_ref(&path), [3, 4, 5], true).unwrap();
    let (image, _) = source.read(&source.frames()[1], &Preprocessing::raw()).unwrap();
    assert_eq!(image.dim(), (3, 4, 5));
    // Entry [image 1, row 2, column 3, channel 1].
    assert_eq!(image[[1, 2, 3]], (((4 + 2) * 5 + 3) * 3 + 1) as f64);
    let error = Source::open_as(std::slice::from_ref(&path), [4, 5, 3], true).unwrap_err().to_string();
    assert!(error.contains("[N, 5, 3, 4]"), "{error}");
}
