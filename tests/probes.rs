//! Reverse mode agrees with forward mode on networks in which derivatives end: at comparisons, roundings, ArgMax.

use aliascope::graph::onnx::OnnxFile;
use aliascope::graph::onnx::proto::{AttributeProto, GraphProto, NodeProto, TensorProto};
use aliascope::graph::{LoadOptions, Network};
use aliascope::measure::layers::{Grouping, LayerMeter, LayersOptions, SplitBy, probes};
use aliascope::measure::layers_report::LayerResults;
use proptest::prelude::*;
use tch::{Kind, Tensor};

use crate::common::drawing::seeded;
use crate::common::model::{Value, attribute, doubles, floats, model, node};

const CHANNELS: i64 = 3;
const SIDE: i64 = 8;
const PROBES: usize = 200;

/// What a block does with the plane before it.
#[derive(Clone, Copy, Debug)]
enum Block {
    Convolution,
    Pointwise(&'static str),
    /// A product with 1 where another convolution is positive, else 0.
    Masked,
    /// The plane where another is positive, else a constant.
    Chosen,
    /// A constant where the plane is positive, else another convolution of it.
    Replaced,
    /// A sum with a convolution whose values are rounded.
    Rounded(&'static str),
    /// A sum with the number of the largest channel.
    Counted,
}

fn block() -> impl Strategy<Value = Block> {
    let rounding = prop_oneof![Just("Round"), Just("Floor"), Just("Ceil"), Just("Sign")];
    prop_oneof![
        2 => Just(Block::Convolution),
        2 => prop_oneof![Just("Relu"), Just("Tanh"), Just("Sigmoid")].prop_map(Block::Pointwise),
        1 => Just(Block::Masked),
        1 => Just(Block::Chosen),
        1 => Just(Block::Replaced),
        1 => rounding.prop_map(Block::Rounded),
        1 => Just(Block::Counted),
    ]
}

struct Draft {
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
    seed: u32,
}

impl Draft {
    fn add(&mut self, operator: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> String {
        let name = format!("{}_{}", operator.to_lowercase(), self.nodes.len());
        let mut made = node(operator, inputs, &[&name]);
        (made.name, made.attribute) = (Some(name.clone()), attributes);
        self.nodes.push(made);
        name
    }

    fn constant(&mut self, shape: &[i64]) -> String {
        let name = format!("constant_{}", self.constants.len());
        let count: i64 = shape.iter().product();
        let noise = crate::common::noise(self.seed + count as u32);
        let values: Vec<f64> = noise[self.seed as usize..].iter().map(|&v| 0.5 * f64::from(v)).collect();
        self.seed += 1;
        self.constants.push(doubles(&name, shape, &values));
        name
    }

    fn convolution(&mut self, from: &str) -> String {
        let weight = self.constant(&[CHANNELS, CHANNELS, 3, 3]);
        self.add("Conv", &[from, &weight], vec![attribute("pads", Value::Ints(vec![1; 4]))])
    }

    /// Where a convolution of `from` is positive, as a condition.
    fn positive(&mut self, from: &str) -> String {
        let (other, bound) = (self.convolution(from), self.constant(&[1]));
        self.add("Greater", &[&other, &bound], vec![])
    }

    fn cast(&mut self, from: &str) -> String {
        self.add("Cast", &[from], vec![attribute("to", Value::Int(11))])
    }

    fn block(&mut self, block: Block, last: &str) -> String {
        match block {
            Block::Convolution => self.convolution(last),
            Block::Pointwise(operator) => self.add(operator, &[last], vec![]),
            Block::Masked => {
                let condition = self.positive(last);
                let mask = self.cast(&condition);
                self.add("Mul", &[last, &mask], vec![])
            }
            Block::Chosen => {
                let (condition, other) = (self.positive(last), self.constant(&[1, CHANNELS, SIDE, SIDE]));
                self.add("Where", &[&condition, last, &other], vec![])
            }
            Block::Replaced => {
                let (condition, constant) = (self.positive(last), self.constant(&[1]));
                let other = self.convolution(last);
                self.add("Where", &[&condition, &constant, &other], vec![])
            }
            Block::Rounded(operator) => {
                let other = self.convolution(last);
                let rounded = self.add(operator, &[&other], vec![]);
                self.add("Add", &[last, &rounded], vec![])
            }
            Block::Counted => {
                let other = self.convolution(last);
                let largest = self.add("ArgMax", &[&other], vec![attribute("axis", Value::Int(1))]);
                let count = self.cast(&largest);
                self.add("Add", &[last, &count], vec![])
            }
        }
    }
}

fn drawn(blocks: &[Block], seed: u32) -> OnnxFile {
    let mut draft = Draft { nodes: Vec::new(), constants: Vec::new(), seed };
    let last = blocks.iter().fold("x".to_owned(), |last, &block| draft.block(block, &last));
    let pooled = draft.add("GlobalAveragePool", &[&last], vec![]);
    let output = draft.add("Flatten", &[&pooled], vec![]);
    let graph = GraphProto {
        name: Some("draft".to_owned()),
        node: draft.nodes,
        initializer: draft.constants,
        input: vec![floats("x", &[1, CHANNELS, SIDE, SIDE])],
        output: vec![floats(&output, &[])],
        ..Default::default()
    };
    model(graph, 17)
}

fn options() -> LayersOptions {
    LayersOptions { grouping: Grouping::Node, split: SplitBy::Nothing, ..LayersOptions::new("rotate".parse().unwrap()) }
}

fn image() -> Tensor {
    let values = crate::common::noise((CHANNELS * SIDE * SIDE) as u32);
    Tensor::from_slice(&values).to_kind(Kind::Double).reshape([1, 1, CHANNELS, SIDE, SIDE])
}

fn exact(network: &Network) -> LayerResults {
    let mut meter = LayerMeter::new(network, options()).unwrap();
    meter.measure(&image(), &["x".to_owned()], &mut |_, _| {}).unwrap();
    meter.results()
}

fn probed(network: &Network, seed: u32) -> LayerResults {
    let mut meters = vec![LayerMeter::new(network, options()).unwrap()];
    let _turn = seeded(i64::from(seed));
    probes::measure(&mut meters, &image(), "x", PROBES, &mut |_, _| {}).unwrap();
    meters[0].results()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn probes_agree_with_the_exact_contributions_where_derivatives_end(
        blocks in prop::collection::vec(block(), 1..6),
        seed in 0u32..1000,
    ) {
        let network = Network::from_file(&drawn(&blocks, seed), &LoadOptions { kind: Kind::Double, ..Default::default() });
        let network = network.unwrap();
        let (exact, probed) = (exact(&network), probed(&network, seed));
        // The law holds for every single probe.
        prop_assert!(probed.conservation_residual <= 1e-10, "residual {}", probed.conservation_residual);
        prop_assert!((probed.lee - exact.lee).abs() <= 1e-9 * exact.lee);
        prop_assert_eq!(probed.layers.len(), exact.layers.len());
        for (a, b) in probed.layers.iter().zip(&exact.layers) {
            prop_assert_eq!(&a.name, &b.name);
            // √(2/n) is one standard error of the mean of n squares of a normal number: 10 %, so this is seven of them.
            let allowed = 0.7 * b.contribution + 1e-15 * exact.lee;
            prop_assert!((a.contribution - b.contribution).abs() <= allowed,
                "{}: {} by probes, {} exactly", a.name, a.contribution, b.contribution);
            // What cancels in one sum leaves roundings in another, some 1e-15 of the values that are summed.
            let rounding = 1e-30 * b.local_error;
            prop_assert!(b.contribution != 0.0 || a.contribution <= rounding, "{}: {}", a.name, a.contribution);
        }
    }
}
