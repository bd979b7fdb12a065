//! Lists of values: they are known when a model is loaded, and what is taken from them is what a split makes.

use aliascope::graph::onnx::proto::{AttributeProto, GraphProto, NodeProto};
use aliascope::graph::{LoadOptions, Network};
use tch::{Kind, Tensor};

use crate::common::model::{Value, attribute, floats, ints, model, node};

const SHAPE: [i64; 4] = [1, 6, 4, 4];

fn with(mut node: NodeProto, attributes: Vec<AttributeProto>) -> NodeProto {
    node.attribute = attributes;
    node
}

fn load(nodes: Vec<NodeProto>, opset: i64) -> Result<Network, String> {
    let initializer = vec![
        ints("sizes", &[3], &[1, 2, 3]),
        ints("four", &[], &[4]),
        ints("first", &[], &[0]),
        ints("last", &[], &[-1]),
        ints("beyond", &[], &[3]),
    ];
    let graph = GraphProto {
        node: nodes,
        initializer,
        input: vec![floats("x", &SHAPE)],
        output: vec![aliascope::graph::onnx::proto::ValueInfoProto { name: Some("y".into()), ..Default::default() }],
        ..Default::default()
    };
    let options = LoadOptions { kind: Kind::Double, ..Default::default() };
    Network::from_file(&model(graph, opset), &options).map_err(|error| error.to_string())
}

/// An image, and what the nodes make of it.
fn run(nodes: Vec<NodeProto>, opset: i64) -> (Tensor, Tensor) {
    let network = load(nodes, opset).unwrap_or_else(|error| panic!("{error}"));
    let x = Tensor::arange(96, (Kind::Double, tch::Device::Cpu)).reshape([1, 1, 6, 4, 4]).sin();
    let y = network.forward(&x).unwrap();
    (x.squeeze_dim(0), y.squeeze_dim(0))
}

fn split(inputs: &[&str], attributes: Vec<AttributeProto>) -> NodeProto {
    with(node("SplitToSequence", inputs, &["list"]), attributes)
}

fn axis() -> AttributeProto {
    attribute("axis", Value::Int(1))
}

fn take(place: &str, output: &str) -> NodeProto {
    node("SequenceAt", &["list", place], &[output])
}

#[test]
fn elements_are_the_parts_of_a_split() {
    for opset in [11, 12, 13, 22] {
        let (x, y) = run(vec![split(&["x", "sizes"], vec![axis()]), take("last", "y")], opset);
        assert_eq!(y, x.narrow(1, 3, 3), "opset {opset}");
        // Parts of four: the last has two.
        let (x, y) = run(vec![split(&["x", "four"], vec![axis()]), take("last", "y")], opset);
        assert_eq!(y, x.narrow(1, 4, 2), "opset {opset}");
        // Without sizes, parts of one; with keepdims = 0 their axis goes.
        let (x, y) = run(vec![split(&["x"], vec![axis()]), take("first", "y")], opset);
        assert_eq!(y, x.narrow(1, 0, 1), "opset {opset}");
        let gone = attribute("keepdims", Value::Int(0));
        let (x, y) = run(vec![split(&["x"], vec![axis(), gone]), take("last", "y")], opset);
        assert_eq!(y, x.select(1, 5), "opset {opset}");
    }
}

#[test]
fn lists_are_joined_and_changed() {
    for opset in [11, 17] {
        let nodes = vec![
            split(&["x", "sizes"], vec![axis()]),
            take("first", "a"),
            node("Relu", &["a"], &["b"]),
            node("SequenceErase", &["list", "first"], &["rest"]),
            node("SequenceInsert", &["rest", "b"], &["more"]),
            with(node("ConcatFromSequence", &["more"], &["y"]), vec![axis()]),
        ];
        let (x, y) = run(nodes, opset);
        assert_eq!(y, Tensor::cat(&[x.narrow(1, 1, 5), x.narrow(1, 0, 1).relu()], 1), "opset {opset}");
        let nodes = vec![
            node("Relu", &["x"], &["a"]),
            node("SequenceConstruct", &["x", "a"], &["list"]),
            node("SequenceLength", &["list"], &["count"]),
            with(
                node("ConcatFromSequence", &["list"], &["z"]),
                vec![attribute("axis", Value::Int(0)), attribute("new_axis", Value::Int(1))],
            ),
            with(node("Cast", &["count"], &["n"]), vec![attribute("to", Value::Int(11))]),
            node("Mul", &["z", "n"], &["y"]),
        ];
        let (x, y) = run(nodes, opset);
        assert_eq!(y, Tensor::stack(&[x.shallow_clone(), x.relu()], 0) * 2.0, "opset {opset}");
    }
}

#[test]
fn what_is_not_known_is_refused() {
    let refuses = |nodes: Vec<NodeProto>, words: &str| {
        let error = load(nodes, 17).expect_err(words);
        assert!(error.contains(words) && error.lines().count() == 1, "no '{words}' in: {error}");
    };
    let list = || split(&["x", "sizes"], vec![axis()]);
    refuses(vec![list(), take("beyond", "y")], "outside a list of 3 values");
    refuses(vec![list(), node("Relu", &["list"], &["y"])], "a list of values");
    refuses(vec![node("SequenceAt", &["x", "first"], &["y"])], "'x' is not a list of values");
    refuses(vec![split(&["x", "sizes"], vec![attribute("axis", Value::Int(9))]), take("first", "y")], "axis 9");
    refuses(vec![split(&["x", "sizes"], vec![attribute("axis", Value::Int(2))]), take("first", "y")], "parts of");
    refuses(
        vec![
            with(node("ArgMax", &["x"], &["most"]), vec![attribute("axis", Value::Int(3))]),
            with(node("ReduceMax", &["most"], &["one"]), vec![attribute("keepdims", Value::Int(0))]),
            list(),
            take("one", "y"),
        ],
        "not one constant number",
    );
}
