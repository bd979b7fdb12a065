//! The connected nodes of each layer.

use std::collections::HashSet;

use super::super::plan::{Plan, Role};
use crate::graph::{Network, wires};

/// Connected nodes of one layer, which can be run on their own.
#[derive(Debug, PartialEq)]
pub(super) struct Piece {
    pub layer: usize,
    /// Places of its nodes, in order.
    pub steps: Vec<usize>,
    /// Values that it reads from outside.
    pub inputs: Vec<usize>,
    /// Values that others read.
    pub outputs: Vec<usize>,
}

/// The layers' connected nodes: those that make errors, those whose error shows at them, and exact ones of the same module
/// that lie next to them.
pub(super) fn pieces(network: &Network, plan: &Plan) -> Vec<Piece> {
    let steps = network.steps();
    let (writer, readers) = wires(steps, network.values().len());
    let neighbours = |at: usize| {
        let before = steps[at].inputs.iter().filter_map(|&id| writer[id]);
        let behind = steps[at].outputs.iter().flatten().flat_map(|&id| readers[id].iter().copied());
        before.chain(behind).collect::<Vec<usize>>()
    };
    let exact = |at: usize| steps[at].outputs.iter().flatten().all(|&id| plan.roles[id] == Role::Exact);
    let mut pieces = Vec::new();
    for (number, layer) in plan.layers.iter().enumerate() {
        let mut members: HashSet<usize> = layer.steps.iter().copied().collect();
        let mut open: Vec<usize> = layer.steps.clone();
        while let Some(at) = open.pop() {
            for next in neighbours(at) {
                let same = !layer.module.is_empty() && steps[next].module == layer.module;
                if same && exact(next) && members.insert(next) {
                    open.push(next);
                }
            }
        }
        let mut left = members.clone();
        let mut own: Vec<usize> = members.into_iter().collect();
        own.sort_unstable();
        for first in own {
            if !left.remove(&first) {
                continue;
            }
            let (mut together, mut open) = (vec![first], vec![first]);
            while let Some(at) = open.pop() {
                for next in neighbours(at) {
                    if left.remove(&next) {
                        together.push(next);
                        open.push(next);
                    }
                }
            }
            together.sort_unstable();
            let made: Vec<usize> =
                together.iter().flat_map(|&at| steps[at].outputs.iter().flatten().copied()).collect();
            let mut inputs: Vec<usize> = together
                .iter()
                .flat_map(|&at| steps[at].inputs.iter().copied())
                .filter(|id| !made.contains(id))
                .collect();
            inputs.sort_unstable();
            inputs.dedup();
            let leaves =
                |id: &usize| *id == network.output_id() || readers[*id].iter().any(|reader| !together.contains(reader));
            let outputs: Vec<usize> = made.iter().copied().filter(leaves).collect();
            pieces.push(Piece { layer: number, steps: together, inputs, outputs });
        }
    }
    pieces
}
