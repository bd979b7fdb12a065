//! The network's graph as plain data.

use std::collections::HashSet;

use super::plan::{Plan, Role};
use crate::graph::{Network, ValueInfo};
use crate::measure::layer_graph::{GraphNode, LayerGraph, NodeRole};

/// Every step as a node behind the input's, in order.
pub(super) fn layer_graph(network: &Network, plan: &Plan) -> LayerGraph {
    let node = |name: &str, op: &str, value: Option<&ValueInfo>, role| GraphNode {
        name: name.to_owned(),
        op: op.to_owned(),
        shape: value.map_or_else(Vec::new, |v| v.shape.clone()),
        layout: value.map_or_else(String::new, |v| v.layout.describe()),
        role,
    };
    let input = network.input();
    let mut graph = LayerGraph { nodes: vec![node(&input.name, "input", Some(input), NodeRole::Input)], edges: vec![] };
    // Per value, the node that writes it.
    let mut writers = vec![0; network.values().len()];
    for step in network.steps() {
        let place = graph.nodes.len();
        let mut seen = HashSet::new();
        graph.edges.extend(step.inputs.iter().map(|&id| writers[id]).filter(|w| seen.insert(*w)).map(|w| [w, place]));
        let outputs: Vec<usize> = step.outputs.iter().flatten().copied().collect();
        for &id in &outputs {
            writers[id] = place;
        }
        let roles = || outputs.iter().map(|&id| plan.roles[id]);
        let source = roles().find_map(|role| match role {
            Role::Source(layer) => Some(NodeRole::Source(layer)),
            _ => None,
        });
        let later = roles().any(|role| role == Role::Pushed).then_some(NodeRole::Later);
        let role = source.or(later).unwrap_or(NodeRole::Exact);
        let value = outputs.first().map(|&id| &network.values()[id]);
        graph.nodes.push(node(&step.name, &step.op_type, value, role));
    }
    graph
}
