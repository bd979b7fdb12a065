//! What is known of a network, node by node: shapes, layouts, where samples lie, and where something can alias.

use serde::{Deserialize, Serialize};

use crate::graph::layout::{Flow, Layout};
use crate::graph::operator::Operator;
use crate::graph::{Network, Step};
use crate::symmetry::Grid;

/// The version of [`Inspection`]'s JSON; it grows when a field changes its meaning or goes away.
pub const INSPECT_SCHEMA_VERSION: u32 = 1;

/// A network as it was understood.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inspection {
    /// [`INSPECT_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The model's path as it was given.
    pub model: String,
    /// The input's shape.
    pub input_shape: Vec<i64>,
    /// The output's shape.
    pub output_shape: Vec<i64>,
    /// Nodes that the output depends on, in order; what depends on constants alone was computed when loading.
    pub nodes: Vec<NodeInfo>,
}

impl Inspection {
    /// How many nodes have a layout with rows and columns, and how many should have one: all but those that are still or
    /// relate sites to each other.
    pub fn placed(&self) -> [usize; 2] {
        let placed = self.nodes.iter().filter(|node| node.grid.is_some()).count();
        let lost = self.nodes.iter().filter(|node| node.layout == "–" && !node.relates).count();
        [placed, placed + lost]
    }
}

/// One node's first output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeInfo {
    /// The node's name.
    pub name: String,
    /// Its operator.
    pub op: String,
    /// The path of the module that it came from; empty where the file does not tell.
    pub module: String,
    /// How tangents are carried: linear, elementwise, rule, automatic or locally constant.
    pub rule: String,
    /// The output's shape.
    pub shape: Vec<i64>,
    /// Which axes are rows and columns, in words; a dash where that is not certain.
    pub layout: String,
    /// Whether its entries relate sites to each other (weights of an attention), so that it has no rows and columns.
    #[serde(default)]
    pub relates: bool,
    /// Where the samples lie in the input plane, in half-widths; null without a layout.
    pub grid: Option<Grid>,
    /// Why the node can alias; null where it cannot.
    pub aliases: Option<String>,
}

/// Inspects a loaded network.
pub fn inspect(network: &Network, model: &str) -> Inspection {
    let nodes = network
        .steps()
        .iter()
        .filter_map(|step| {
            let value = &network.values()[*step.outputs.iter().flatten().next()?];
            let grid = match &value.layout {
                Layout::Map(map) => Some(map.grid),
                Layout::Still | Layout::Unknown => None,
            };
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
    Inspection {
        schema_version: INSPECT_SCHEMA_VERSION,
        model: model.to_owned(),
        input_shape: network.input().shape.clone(),
        output_shape: network.output().shape.clone(),
        nodes,
    }
}

/// Why a node can fold harmonics onto each other, if it can.
fn aliasing(network: &Network, step: &Step) -> Option<String> {
    let moves = step.inputs.iter().any(|&id| !matches!(network.values()[id].layout, Layout::Still));
    if !moves {
        return None;
    }
    match (&step.operator, &step.flow) {
        (_, Flow::Resampled { rows, columns }) if rows.step > 1.0 || columns.step > 1.0 => {
            let stride = if rows.step == columns.step {
                format!("{}", rows.step)
            } else {
                format!("{} by {}", rows.step, columns.step)
            };
            let made =
                if matches!(step.operator, Operator::Linear(_)) { "" } else { "a maximum makes harmonics, and " };
            Some(format!("{made}stride {stride} folds what the new grid cannot hold"))
        }
        (Operator::Linear(_), _) | (Operator::LocallyConstant(_), _) => None,
        (Operator::Elementwise(_), _) => Some("a nonlinearity makes harmonics".to_owned()),
        (Operator::Differentiable(_) | Operator::Automatic(_), Flow::Product) => {
            Some("a product of two values widens the band".to_owned())
        }
        (Operator::Differentiable(op), _) if op.max_window().is_some() => Some("a maximum makes harmonics".to_owned()),
        (Operator::Differentiable(_) | Operator::Automatic(_), _) if step.inputs.len() > 1 => {
            Some("a product of two values widens the band".to_owned())
        }
        (Operator::Differentiable(_) | Operator::Automatic(_), _) => Some("a nonlinearity makes harmonics".to_owned()),
    }
}
