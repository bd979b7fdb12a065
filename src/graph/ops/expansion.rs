//! Nodes that stand in another node's place.

use tch::{Device, Kind, Tensor};

use crate::graph::builder::Builder;
use crate::graph::error::GraphError;
use crate::graph::onnx::proto::{AttributeProto, NodeProto, TensorProto};
use crate::graph::operator::Torch;

/// The nodes that stand in a node's place. They may name values of their own, whose names nothing else has.
pub type Expand = fn(&mut Builder<'_>, &NodeProto) -> Result<Vec<NodeProto>, GraphError>;

/// Writes nodes of ONNX's own domain one after the other.
pub struct Writer<'a> {
    node: &'a NodeProto,
    nodes: Vec<NodeProto>,
}

impl<'a> Writer<'a> {
    /// For what stands in the place of `node`.
    pub fn new(node: &'a NodeProto) -> Self {
        Self { node, nodes: Vec::new() }
    }

    /// Input `i` of the node that is replaced; empty where it is absent.
    pub fn input(&self, i: usize) -> String {
        self.node.input.get(i).cloned().unwrap_or_default()
    }

    /// One more node with one output, whose name is returned.
    pub fn add(&mut self, operator: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> String {
        let output = self.node.output.iter().find(|name| !name.is_empty()).map_or("", String::as_str);
        let base = self.node.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(output);
        let known = self.nodes.iter().filter(|node| node.op_type.as_deref() == Some(operator)).count();
        let number = if known == 0 { String::new() } else { format!("_{known}") };
        let value = format!("{output}/{operator}/{}", self.nodes.len());
        let mut input: Vec<String> = inputs.iter().map(|&name| name.to_owned()).collect();
        while input.last().is_some_and(String::is_empty) {
            input.pop();
        }
        self.nodes.push(NodeProto {
            name: Some(format!("{base}/{operator}{number}")),
            op_type: Some(operator.to_owned()),
            input,
            output: vec![value.clone()],
            attribute: attributes,
            ..Default::default()
        });
        value
    }

    /// A constant list of integers.
    pub fn ints(&mut self, values: &[i64]) -> String {
        self.add("Constant", &[], vec![ints("value_ints", values)])
    }

    /// A constant of floats.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn floats(&mut self, tensor: &Tensor) -> Torch<String> {
        let flat = tensor.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?.f_contiguous()?.f_view([-1])?;
        let proto = TensorProto {
            dims: tensor.size(),
            data_type: Some(if tensor.kind() == Kind::Double { DOUBLE } else { FLOAT }),
            raw_data: Some(raw(&Vec::try_from(&flat)?, tensor.kind())),
            ..Default::default()
        };
        let attribute = AttributeProto { r#type: Some(4), t: Some(Box::new(proto)), ..named("value") };
        Ok(self.add("Constant", &[], vec![attribute]))
    }

    /// One constant number.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn number(&mut self, value: f64) -> Torch<String> {
        self.floats(&Tensor::f_from_slice(&[value])?.f_reshape([0i64; 0])?)
    }

    /// The nodes, in which each of these values is the output of that number of the node that is replaced.
    pub fn finish(mut self, outputs: &[(usize, &str)]) -> Vec<NodeProto> {
        for (place, value) in outputs {
            let Some(name) = self.node.output.get(*place).filter(|name| !name.is_empty()) else { continue };
            for node in &mut self.nodes {
                node.input.iter_mut().chain(&mut node.output).filter(|n| n == value).for_each(|n| n.clone_from(name));
            }
        }
        self.nodes
    }
}

const FLOAT: i32 = 1;
const DOUBLE: i32 = 11;

fn raw(values: &[f64], kind: Kind) -> Vec<u8> {
    match kind {
        Kind::Double => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        _ => values.iter().flat_map(|v| (*v as f32).to_le_bytes()).collect(),
    }
}

fn named(name: &str) -> AttributeProto {
    AttributeProto { name: Some(name.to_owned()), ..Default::default() }
}

/// A float attribute.
pub fn float(name: &str, value: f64) -> AttributeProto {
    AttributeProto { r#type: Some(1), f: Some(value as f32), ..named(name) }
}

/// An integer attribute.
pub fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { r#type: Some(2), i: Some(value), ..named(name) }
}

/// A string attribute.
pub fn string(name: &str, value: &str) -> AttributeProto {
    AttributeProto { r#type: Some(3), s: Some(value.as_bytes().to_vec()), ..named(name) }
}

/// A list of integers as an attribute.
pub fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { r#type: Some(7), ints: values.to_vec(), ..named(name) }
}

/// Refuses outputs that the nodes in a node's place do not make: all but those of these numbers.
///
/// # Errors
/// When the node names another.
pub fn only_outputs(b: &Builder<'_>, node: &NodeProto, made: &[usize]) -> Result<(), GraphError> {
    match node.output.iter().enumerate().find(|(i, name)| !name.is_empty() && !made.contains(i)) {
        None => Ok(()),
        Some((i, _)) => Err(b.unsupported(format!("output {i}"), format!("{made:?} are"))),
    }
}
