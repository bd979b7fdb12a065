//! What is known of an operator beside its code.

use super::expansion::Expand;
use crate::graph::builder::{Build, Builder};
use crate::graph::operator::Rule;

/// What makes an operator of a node.
pub type BuildFunction = fn(&mut Builder<'_>) -> Build;

/// What becomes of a node.
#[derive(Clone, Copy, Debug)]
pub enum Make {
    /// An operator of the running network.
    Operator(BuildFunction),
    /// A constant, once shapes are known.
    Constant,
    /// Nodes of other operators in its place.
    Nodes(Expand),
    /// The nodes of one of its subgraphs.
    Branch,
    /// A list of values, or what is taken from one.
    List,
}

/// An operator that is supported.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The operator's name.
    pub name: &'static str,
    /// Its domain: empty for ONNX's own.
    pub domain: &'static str,
    /// The first opset of the domain that has it.
    pub since: i64,
    /// How it carries tangents; several where that depends on which of its inputs are constant.
    pub rules: &'static [Rule],
    /// Limits and conventions; may be empty.
    pub notes: &'static str,
    /// What becomes of it.
    pub make: Make,
}

/// ONNX Runtime's domain: what its optimiser writes into files.
pub const MICROSOFT: &str = "com.microsoft";
