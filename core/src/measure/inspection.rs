//! What is known of a network, node by node, as plain data.

use serde::{Deserialize, Serialize};

use super::run::Run;
use crate::symmetry::Grid;

/// The version of [`Inspection`]'s JSON; it grows when a field changes its meaning or goes away.
pub const INSPECT_SCHEMA_VERSION: u32 = 2;

/// A network as it was understood.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inspection {
    /// [`INSPECT_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What inspected it, of what file, and how it was loaded; it has no images.
    pub run: Run,
    /// Nodes that the output depends on, in order; what depends on constants alone was computed when loading.
    pub nodes: Vec<NodeInfo>,
}

impl Inspection {
    /// How many nodes have a layout with rows and columns, and how many should have one: all but those that are
    /// non-spatial or relate positions to each other, or are sums over positions that lie on no grid.
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
    /// Whether its entries relate positions to each other (weights of an attention), or are sums over positions that
    /// lie on no grid (over every second row), so that it has no rows and columns.
    #[serde(default)]
    pub relates: bool,
    /// Where the samples lie in the input plane, in half-widths; null without a layout.
    pub grid: Option<Grid>,
    /// Why the node can alias; null where it cannot.
    pub aliases: Option<String>,
}
