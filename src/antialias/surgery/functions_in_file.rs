//! Pointwise functions in a model's file, for the recogniser of activations.

use super::graph_index::{GraphIndex, is_onnx};
use crate::graph::onnx::proto::NodeProto;
use crate::spectrum::activation::Activation;
use crate::spectrum::activation::recognise::{Graph, Node, Operand, recognise_all};

/// A function, and the nodes that it is made of.
pub(super) struct Function {
    pub activation: Activation,
    /// The last one makes the function's value.
    pub nodes: Vec<usize>,
    pub input: String,
}

/// Every function of a graph; no node is in two of them.
pub(super) fn functions(index: &GraphIndex<'_>) -> Vec<Function> {
    let found = recognise_all(index, index.graph.node.len());
    let function = |found: crate::spectrum::activation::recognise::Found<&str>| Function {
        activation: found.activation,
        nodes: found.nodes,
        input: found.input.to_owned(),
    };
    found.into_iter().map(function).collect()
}

impl<'a> Graph for GraphIndex<'a> {
    type Value = &'a str;

    fn producer(&self, value: &'a str) -> Option<usize> {
        self.producer.get(value).copied()
    }

    fn node(&self, at: usize) -> Option<Node<'_, &'a str>> {
        let node: &'a NodeProto = GraphIndex::node(self, at);
        if !is_onnx(node) || node.output.len() != 1 {
            return None;
        }
        let operand = |input: &'a String| match self.scalar(input) {
            Some(c) => Operand::Constant(c),
            None => Operand::Value(input.as_str()),
        };
        let operator = node.op_type.as_deref()?;
        let operands = match operator {
            // Bounds are attributes before opset 11.
            "Clip" => {
                let bound = |at: usize, name: &str| match node.input.get(at).filter(|input| !input.is_empty()) {
                    Some(input) => self.scalar(input),
                    None => self.float(node, name),
                };
                let x = node.input.first()?;
                vec![operand(x), Operand::Constant(bound(1, "min")?), Operand::Constant(bound(2, "max")?)]
            }
            _ => node.input.iter().map(operand).collect(),
        };
        Some(Node { operator, operands })
    }

    fn number(&self, at: usize, name: &str) -> Option<f64> {
        self.float(GraphIndex::node(self, at), name)
    }

    fn text(&self, at: usize, name: &str) -> Option<String> {
        let attribute = GraphIndex::node(self, at).attribute.iter().find(|a| a.name.as_deref() == Some(name))?;
        attribute.s.as_deref().map(|text| String::from_utf8_lossy(text).into_owned())
    }

    fn is_read_only_by(&self, at: usize, nodes: &[usize]) -> bool {
        GraphIndex::node(self, at).output.iter().all(|value| self.read_only_by(value, nodes))
    }
}
