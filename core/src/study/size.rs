//! How large a model is.

use crate::onnx::OnnxFile;
use crate::onnx::proto::{GraphProto, TensorProto};

/// How many numbers a model has learned, as its file holds them: the entries of initialisers and constants of floating
/// point or of at most 8 bits. Batch norm's running statistics count, unless the exporter folded them into weights; shapes
/// and indices, which are integers of 32 or 64 bits, do not.
pub fn parameters(file: &OnnxFile) -> u64 {
    let model = &file.model;
    let functions = model.functions.iter().flat_map(|function| &function.node);
    let constants = functions.flat_map(|node| &node.attribute).filter_map(|attribute| attribute.t.as_deref());
    model.graph.as_ref().map_or(0, of_graph) + constants.map(entries).sum::<u64>()
}

fn of_graph(graph: &GraphProto) -> u64 {
    let attributes = || graph.node.iter().flat_map(|node| &node.attribute);
    let constants = attributes().filter_map(|attribute| attribute.t.as_deref());
    let inner = attributes().flat_map(|attribute| attribute.g.as_deref().into_iter().chain(&attribute.graphs));
    graph.initializer.iter().chain(constants).map(entries).sum::<u64>() + inner.map(of_graph).sum::<u64>()
}

fn entries(tensor: &TensorProto) -> u64 {
    /// ONNX's numbers of the types: float, uint8, int8, float16, double, bfloat16, the 8-bit floats, uint4, int4, float4.
    const LEARNED: [i32; 13] = [1, 2, 3, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23];
    let is_learned = tensor.data_type.is_some_and(|kind| LEARNED.contains(&kind));
    let count = tensor.dims.iter().map(|&n| u64::try_from(n).unwrap_or(0)).fold(1, u64::saturating_mul);
    if is_learned { count } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::proto::{AttributeProto, ModelProto, NodeProto};

    #[test]
    fn weights_count_and_shapes_do_not() {
        let tensor = |kind: i32, dims: &[i64]| TensorProto {
            data_type: Some(kind),
            dims: dims.to_vec(),
            ..TensorProto::default()
        };
        let constant = AttributeProto { t: Some(Box::new(tensor(1, &[]))), ..AttributeProto::default() };
        let graph = GraphProto {
            initializer: vec![tensor(1, &[16, 3, 3, 3]), tensor(10, &[16]), tensor(3, &[2, 5]), tensor(7, &[4])],
            node: vec![NodeProto { attribute: vec![constant], ..NodeProto::default() }],
            ..GraphProto::default()
        };
        let model = ModelProto { graph: Some(graph), ..ModelProto::default() };
        let file = OnnxFile { path: "m.onnx".into(), model };
        assert_eq!(parameters(&file), 16 * 27 + 16 + 10 + 1);
    }
}
