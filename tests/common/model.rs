//! Models built in memory.

use std::path::PathBuf;

use aliascope::graph::onnx::OnnxFile;
use aliascope::graph::onnx::proto::{
    AttributeProto, Dimension, DimensionValue, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TensorType, TypeProto, TypeValue, ValueInfoProto,
};

/// A node without attributes.
pub fn node(operator: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    NodeProto { op_type: Some(operator.to_owned()), input: own(inputs), output: own(outputs), ..Default::default() }
}

/// An attribute of a node.
#[derive(Clone)]
pub enum Value {
    Int(i64),
    Float(f32),
    Ints(Vec<i64>),
    Floats(Vec<f32>),
    Text(&'static str),
}

/// A named attribute.
pub fn attribute(name: &str, value: Value) -> AttributeProto {
    let mut a = AttributeProto { name: Some(name.to_owned()), ..Default::default() };
    match value {
        Value::Int(i) => (a.r#type, a.i) = (Some(2), Some(i)),
        Value::Float(f) => (a.r#type, a.f) = (Some(1), Some(f)),
        Value::Ints(ints) => (a.r#type, a.ints) = (Some(7), ints),
        Value::Floats(floats) => (a.r#type, a.floats) = (Some(6), floats),
        Value::Text(text) => (a.r#type, a.s) = (Some(3), Some(text.as_bytes().to_vec())),
    }
    a
}

/// A constant of integers.
pub fn ints(name: &str, shape: &[i64], values: &[i64]) -> TensorProto {
    TensorProto {
        name: Some(name.to_owned()),
        dims: shape.to_vec(),
        data_type: Some(7),
        int64_data: values.to_vec(),
        ..Default::default()
    }
}

/// A constant of double-precision numbers.
pub fn doubles(name: &str, shape: &[i64], values: &[f64]) -> TensorProto {
    TensorProto {
        name: Some(name.to_owned()),
        dims: shape.to_vec(),
        data_type: Some(11),
        double_data: values.to_vec(),
        ..Default::default()
    }
}

/// A constant of single-precision numbers.
pub fn singles(name: &str, shape: &[i64], values: &[f64]) -> TensorProto {
    TensorProto {
        name: Some(name.to_owned()),
        dims: shape.to_vec(),
        data_type: Some(1),
        float_data: values.iter().map(|value| *value as f32).collect(),
        ..Default::default()
    }
}

/// An input or output of floats.
pub fn floats(name: &str, shape: &[i64]) -> ValueInfoProto {
    let dim = |&n: &i64| Dimension { value: Some(DimensionValue::Value(n)), ..Default::default() };
    let shape = TensorShapeProto { dim: shape.iter().map(dim).collect() };
    let tensor = TensorType { elem_type: Some(1), shape: Some(shape) };
    let r#type = TypeProto { value: Some(TypeValue::Tensor(tensor)), ..Default::default() };
    ValueInfoProto { name: Some(name.to_owned()), r#type: Some(r#type), ..Default::default() }
}

/// A graph as a model of one opset of ONNX's own domain.
pub fn model(graph: GraphProto, opset: i64) -> OnnxFile {
    let id = |domain: &str, version| OperatorSetIdProto { domain: Some(domain.to_owned()), version: Some(version) };
    let model = ModelProto {
        ir_version: Some(8),
        opset_import: vec![id("", opset), id("com.microsoft", 1)],
        graph: Some(graph),
        ..Default::default()
    };
    OnnxFile { path: PathBuf::from("memory.onnx"), model }
}

/// One float vector that feeds several values: `x` of `[1, entries]` is cut into pieces of the given names and shapes,
/// so that a model of several inputs becomes one of a single input.
pub fn one_input(graph: &mut GraphProto, pieces: &[(String, Vec<i64>)]) -> i64 {
    let mut at = 0;
    let mut front = Vec::new();
    for (i, (name, shape)) in pieces.iter().enumerate() {
        let entries: i64 = shape.iter().product();
        let key = |what: &str| format!("aliascope/{what}/{i}");
        graph.initializer.push(ints(&key("start"), &[1], &[at]));
        graph.initializer.push(ints(&key("end"), &[1], &[at + entries]));
        graph.initializer.push(ints(&key("axis"), &[1], &[1]));
        graph.initializer.push(ints(&key("shape"), &[shape.len() as i64], shape));
        let (start, end, axis, piece) = (key("start"), key("end"), key("axis"), key("piece"));
        front.push(node("Slice", &["aliascope/x", &start, &end, &axis], &[&piece]));
        front.push(node("Reshape", &[&piece, &key("shape")], &[name]));
        at += entries;
    }
    front.append(&mut graph.node);
    graph.node = front;
    graph.input = vec![floats("aliascope/x", &[1, at])];
    at
}
