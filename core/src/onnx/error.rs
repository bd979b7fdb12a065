//! Why an ONNX file could not be used.

use std::path::PathBuf;

use crate::memory::Shortage;

/// Why an ONNX file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// The operating system refused to read.
    #[error("{}: {problem}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What was being done.
        problem: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The bytes are not an ONNX model, or only a part of one.
    #[error("{}: {problem}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// Memory does not suffice.
    #[error("{what}: {shortage}; free some, or take a smaller model")]
    Memory {
        /// The file or tensor.
        what: String,
        /// How much.
        shortage: Shortage,
    },
    /// A tensor's data and description do not fit.
    #[error("the tensor '{tensor}': {problem}")]
    Tensor {
        /// The tensor's name.
        tensor: String,
        /// What is wrong.
        problem: String,
    },
    /// An attribute has another type than its operator defines.
    #[error("node '{node}' ({operator}): its attribute '{attribute}' is not {wanted}")]
    Attribute {
        /// The node's name.
        node: String,
        /// Its operator.
        operator: String,
        /// The attribute.
        attribute: String,
        /// The type that it should have.
        wanted: &'static str,
    },
    /// An attribute that the operator has in other opsets than the node's.
    #[error(
        "node '{node}' ({operator}, opset {opset}): the attribute '{attribute}' belongs to {opsets} of {operator}, not to opset {opset}; export the model again, or state the opset that its nodes are of"
    )]
    AttributeOpset {
        /// The node's name.
        node: String,
        /// Its operator.
        operator: String,
        /// The opset.
        opset: i64,
        /// The attribute.
        attribute: String,
        /// The opsets that have it, in words.
        opsets: String,
    },
    /// An attribute that nothing asked for.
    #[error("node '{node}' ({operator}, opset {opset}): the attribute '{attribute}' is not supported{}", if known.is_empty() { String::new() } else { format!("; supported are {known}") })]
    UnknownAttribute {
        /// The node's name.
        node: String,
        /// Its operator.
        operator: String,
        /// The opset.
        opset: i64,
        /// The attribute.
        attribute: String,
        /// The attributes that were asked for.
        known: String,
    },
}
