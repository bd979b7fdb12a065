//! Who makes and who reads each value of a model's graph, and what its constants are.

use std::collections::{HashMap, HashSet};

use crate::graph::inline::subgraph_reads;
use crate::graph::onnx::proto::{GraphProto, NodeProto, TensorProto};
use crate::graph::onnx::{Attributes, ElementType, OnnxFile, OnnxTensor};

use super::SurgeryError;

/// A graph with its wires.
pub(super) struct GraphIndex<'a> {
    pub graph: &'a GraphProto,
    file: &'a OnnxFile,
    /// The node that makes a value.
    pub producer: HashMap<&'a str, usize>,
    /// The nodes that read a value.
    pub readers: HashMap<&'a str, Vec<usize>>,
    constants: HashMap<&'a str, &'a TensorProto>,
    outputs: HashSet<&'a str>,
}

impl<'a> GraphIndex<'a> {
    pub fn new(file: &'a OnnxFile) -> Result<Self, SurgeryError> {
        let graph = file.graph()?;
        let mut producer = HashMap::new();
        let mut readers: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut constants: HashMap<&str, &TensorProto> = HashMap::new();
        for tensor in &graph.initializer {
            constants.insert(tensor.name.as_deref().unwrap_or(""), tensor);
        }
        for (at, node) in graph.node.iter().enumerate() {
            for output in node.output.iter().filter(|output| !output.is_empty()) {
                producer.insert(output.as_str(), at);
            }
            for input in node.input.iter().map(String::as_str).chain(subgraph_reads(node)) {
                readers.entry(input).or_default().push(at);
            }
            let value = node.attribute.iter().find(|a| a.name.as_deref() == Some("value")).and_then(|a| a.t.as_deref());
            if let (Some("Constant"), Some(output), Some(tensor)) =
                (node.op_type.as_deref(), node.output.first(), value)
            {
                constants.insert(output, tensor);
            }
        }
        let outputs = graph.output.iter().filter_map(|output| output.name.as_deref()).collect();
        Ok(Self { graph, file, producer, readers, constants, outputs })
    }

    pub fn node(&self, at: usize) -> &'a NodeProto {
        &self.graph.node[at]
    }

    pub fn is_output(&self, value: &str) -> bool {
        self.outputs.contains(value)
    }

    /// Whether only these nodes read a value, and the graph does not give it away.
    pub fn read_only_by(&self, value: &str, nodes: &[usize]) -> bool {
        !self.is_output(value) && self.readers.get(value).is_none_or(|all| all.iter().all(|at| nodes.contains(at)))
    }

    /// The shape of a constant.
    pub fn constant_shape(&self, value: &str) -> Option<&'a [i64]> {
        self.constants.get(value).map(|tensor| tensor.dims.as_slice())
    }

    /// A constant of one entry.
    pub fn scalar(&self, value: &str) -> Option<f64> {
        let proto = self.constants.get(value)?;
        if proto.dims.iter().product::<i64>() != 1 {
            return None;
        }
        let tensor = OnnxTensor::from_proto(proto, &self.file.folder(), value).ok()?;
        let single = |bytes: &[u8]| Some(f64::from(f32::from_le_bytes(bytes.try_into().ok()?)));
        match tensor.element_type {
            ElementType::Float | ElementType::Float16 | ElementType::BFloat16 => single(&tensor.data),
            ElementType::Double => Some(f64::from_le_bytes(tensor.data.as_slice().try_into().ok()?)),
            _ => None,
        }
    }

    /// A float attribute of a node.
    pub fn float(&self, node: &NodeProto, name: &str) -> Option<f64> {
        let mut attributes = Attributes::new(node, "", &self.file.folder()).ok()?;
        attributes.float(name).ok().flatten().map(f64::from)
    }
}

/// Whether a node's operator is one of ONNX's own.
pub(super) fn is_onnx(node: &NodeProto) -> bool {
    matches!(node.domain.as_deref(), None | Some("" | "ai.onnx"))
}

/// The name that the loader gives a node: its own, else its first output's.
pub(super) fn name_of(node: &NodeProto) -> String {
    match node.name.as_deref() {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => node.output.first().cloned().unwrap_or_default(),
    }
}
