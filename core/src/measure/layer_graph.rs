//! A network's nodes and what each reads, in the terms of an attribution: plain data for figures.

use serde::{Deserialize, Serialize};

/// The nodes of a network, the input first, and the edges between them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LayerGraph {
    /// In the order of the network: an edge leads from a lower to a higher place.
    pub nodes: Vec<GraphNode>,
    /// From the node that writes a value to one that reads it, by their places; each pair once.
    pub edges: Vec<[usize; 2]>,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GraphNode {
    /// Its name in the file.
    pub name: String,
    /// The operator; `input` for the input.
    pub op: String,
    /// The shape of its first output, batch axis included.
    pub shape: Vec<i64>,
    /// What is known of where that output's entries lie, in words.
    pub layout: String,
    /// What becomes of the generator's action there.
    pub role: NodeRole,
}

/// What becomes of the generator's action at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeRole {
    /// The network's input.
    Input,
    /// It passes as it is, for every input: no error by construction.
    Exact,
    /// The output has no layout: the error shows at a later node.
    Later,
    /// It makes an error, which counts to the layer at this place of the results.
    Source(usize),
}
