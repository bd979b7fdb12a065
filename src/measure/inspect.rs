//! What is known of a network, node by node: shapes, layouts, where samples lie, and where something can alias.

use super::run::Run;
use crate::graph::layout::{Flow, Layout};
use crate::graph::operator::Operator;
use crate::graph::{Network, Step};

pub use aliascope_core::measure::inspection::{INSPECT_SCHEMA_VERSION, Inspection, NodeInfo};

/// Inspects a loaded network, of the run that is described.
pub fn inspect(network: &Network, run: Run) -> Inspection {
    let nodes = network
        .steps()
        .iter()
        .filter_map(|step| {
            let value = &network.values()[*step.outputs.iter().flatten().next()?];
            let grid = value.layout.positions().map(|map| map.grid);
            Some(NodeInfo {
                name: step.name.clone(),
                op: step.op_type.clone(),
                module: step.module.clone(),
                rule: step.operator.rule().name().to_owned(),
                shape: value.shape.clone(),
                layout: value.layout.describe(),
                relates: value.relates,
                grid,
                aliases: aliasing(network, step),
            })
        })
        .collect();
    Inspection { schema_version: INSPECT_SCHEMA_VERSION, run, nodes }
}

/// Why a node can fold harmonics onto each other, if it can.
fn aliasing(network: &Network, step: &Step) -> Option<String> {
    let moves = step.inputs.iter().any(|&id| !matches!(network.values()[id].layout, Layout::NonSpatial));
    if !moves {
        return None;
    }
    match (&*step.operator, &step.flow) {
        (_, Flow::Resampled { rows, columns }) if rows.step > 1.0 || columns.step > 1.0 => {
            let stride = if rows.step == columns.step {
                format!("{}", rows.step)
            } else {
                format!("{} by {}", rows.step, columns.step)
            };
            let made =
                if matches!(*step.operator, Operator::Linear(_)) { "" } else { "a maximum makes harmonics, and " };
            Some(format!("{made}stride {stride} folds what the new grid cannot hold"))
        }
        (Operator::Linear(_), _) | (Operator::LocallyConstant(_), _) => None,
        (Operator::Elementwise(_) | Operator::Activated(_), _) => Some("a nonlinearity makes harmonics".to_owned()),
        (Operator::Differentiable(_) | Operator::Automatic(_), flow) if flow.is_product() => {
            Some("a product of two values widens the band".to_owned())
        }
        (Operator::Differentiable(op), _) if op.max_window().is_some() => Some("a maximum makes harmonics".to_owned()),
        (Operator::Differentiable(_) | Operator::Automatic(_), _) if step.inputs.len() > 1 => {
            Some("a product of two values widens the band".to_owned())
        }
        (Operator::Differentiable(_) | Operator::Automatic(_), _) => Some("a nonlinearity makes harmonics".to_owned()),
    }
}
