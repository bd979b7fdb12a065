//! The supported operators as plain data.

use serde::{Deserialize, Serialize};

/// The version of [`OperatorList`]'s JSON; it grows when a field changes its meaning or goes away.
pub const OPERATORS_SCHEMA_VERSION: u32 = 1;

/// What `aliascope ops` returns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperatorList {
    /// [`OPERATORS_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The oldest opset of ONNX's own domain that is read.
    pub oldest_opset: i64,
    /// The newest opset of ONNX's own domain that is read.
    pub newest_opset: i64,
    /// By domain and name.
    pub operators: Vec<OperatorRow>,
    /// Refused for a reason; any other operator is refused by name.
    pub refused: Vec<RefusedRow>,
}

/// One supported operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperatorRow {
    /// Its name.
    pub name: String,
    /// Its domain: empty for ONNX's own.
    pub domain: String,
    /// The first opset of the domain that has it and that is read.
    pub since: i64,
    /// The last opset of ONNX's own domain that has it; of other domains, [`since`](Self::since).
    pub until: i64,
    /// How it carries tangents; several where that depends on which of its inputs are constant.
    pub rules: Vec<String>,
    /// Limits and conventions; may be empty.
    pub notes: String,
}

/// Operators that are refused for the same reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefusedRow {
    /// Their names.
    pub names: Vec<String>,
    /// Why, and what to do.
    pub reason: String,
}
