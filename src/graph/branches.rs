//! Branches of If nodes written out into a model's graph, the one of each that the network takes.

use super::inline;
use super::load::{LoadOptions, evaluate};
use super::onnx::proto::{GraphProto, NodeProto, TensorProto, TypeValue, ValueInfoProto};
use super::onnx::{ElementType, OnnxFile, is_own};

/// If nodes, those in branches of others included, of which as many are written out.
const MOST: usize = 1000;

/// The model with the nodes of the branches that it takes for an input of the given shape, in the file's order of axes,
/// and the names of the If nodes whose condition could not be found.
///
/// A condition may depend on shapes, but not on values: what loads has constant ones.
pub fn written_out(file: &OnnxFile, input_shape: &[i64]) -> (OnnxFile, Vec<String>) {
    let mut file = file.clone();
    let mut left = Vec::new();
    for _ in 0..MOST {
        let Some(graph) = &file.model.graph else { break };
        let Some(at) = graph.node.iter().position(|node| is_branch(node) && !left.contains(&name_of(node))) else {
            break;
        };
        let name = name_of(&graph.node[at]);
        match taken(&file, &graph.node[at], &name, input_shape) {
            Some(nodes) => {
                if let Some(graph) = &mut file.model.graph {
                    graph.node.splice(at..=at, nodes);
                }
            }
            None => left.push(name),
        }
    }
    (file, left)
}

fn is_branch(node: &NodeProto) -> bool {
    node.op_type.as_deref() == Some("If") && is_own(node.domain.as_deref().unwrap_or(""))
}

/// As the loader names nodes.
fn name_of(node: &NodeProto) -> String {
    match node.name.as_deref() {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => node.output.first().cloned().unwrap_or_default(),
    }
}

/// The nodes of the branch that is taken.
fn taken(file: &OnnxFile, node: &NodeProto, name: &str, input_shape: &[i64]) -> Option<Vec<NodeProto>> {
    let condition = node.input.first()?;
    let values = evaluate(&condition_of(file, condition, input_shape)?, &LoadOptions::default()).ok()?;
    let value = values.first().filter(|value| value.numel() == 1)?;
    let holds = value.f_to_kind(tch::Kind::Int64).ok()?.f_reshape([-1]).ok()?.f_int64_value(&[0]).ok()? != 0;
    let wanted = if holds { "then_branch" } else { "else_branch" };
    let branch = node.attribute.iter().find(|a| a.name.as_deref() == Some(wanted))?.g.as_deref()?;
    inline::branch(node, name, branch).ok()
}

/// The model that has the condition for its output, and an image of zeros in the place of its input.
fn condition_of(file: &OnnxFile, condition: &str, input_shape: &[i64]) -> Option<OnnxFile> {
    let mut file = file.clone();
    let graph = file.model.graph.as_mut()?;
    let held = |input: &ValueInfoProto, graph: &GraphProto| graph.initializer.iter().any(|t| t.name == input.name);
    let inputs = std::mem::take(&mut graph.input);
    for input in inputs.iter().filter(|input| !held(input, graph)).collect::<Vec<_>>() {
        let TypeValue::Tensor(tensor) = input.r#type.as_ref()?.value.as_ref()? else { return None };
        let code = tensor.elem_type?;
        let entries: i64 = input_shape.iter().product();
        let bits = ElementType::try_from(code).ok()?.bits();
        graph.initializer.push(TensorProto {
            name: input.name.clone(),
            data_type: Some(code),
            dims: input_shape.to_vec(),
            raw_data: Some(vec![0; (usize::try_from(entries).ok()? * bits).div_ceil(8)]),
            ..Default::default()
        });
    }
    graph.output = vec![ValueInfoProto { name: Some(condition.to_owned()), ..Default::default() }];
    Some(file)
}
