//! Small models, written in the test that needs them.

use aliascope::graph::onnx::proto::*;

pub fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

pub fn tensor_type(shape: &[Option<i64>]) -> TypeProto {
    let dimension = |n: &Option<i64>| Dimension {
        value: Some(n.map_or(DimensionValue::Param("open".to_owned()), DimensionValue::Value)),
        ..Default::default()
    };
    let shape = TensorShapeProto { dim: shape.iter().map(dimension).collect() };
    let tensor = TensorType { elem_type: Some(1), shape: Some(shape) };
    TypeProto { value: Some(TypeValue::Tensor(tensor)), ..Default::default() }
}

pub fn node(op_type: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        op_type: text(op_type),
        name: text(&format!("/body/{op_type}")),
        input: inputs.iter().map(|s| (*s).to_owned()).collect(),
        output: vec![output.to_owned()],
        ..Default::default()
    }
}

/// A model of the given nodes from `x` to `y`.
/// Nodes of the same name are numbered from the second on, as exporters do.
pub fn model(shape: &[Option<i64>], mut nodes: Vec<NodeProto>, initializer: Vec<TensorProto>) -> ModelProto {
    let mut used = std::collections::HashMap::new();
    for name in nodes.iter_mut().filter_map(|node| node.name.as_mut()) {
        let before = used.entry(name.clone()).or_insert(0);
        *before += 1;
        if *before > 1 {
            name.push_str(&format!("_{}", *before - 1));
        }
    }
    let value = |name: &str, shape: &[Option<i64>]| ValueInfoProto {
        name: text(name),
        r#type: Some(tensor_type(shape)),
        ..Default::default()
    };
    ModelProto {
        ir_version: Some(8),
        opset_import: vec![OperatorSetIdProto { domain: text(""), version: Some(17) }],
        graph: Some(GraphProto {
            name: text("test"),
            node: nodes,
            initializer,
            input: vec![value("x", shape)],
            output: vec![value("y", &[])],
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// A list of integers as an attribute.
pub fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { name: text(name), r#type: Some(7), ints: values.to_vec(), ..Default::default() }
}
