//! Why a network could not be loaded or run.

use tch::TchError;

use super::guard;
use super::onnx::OnnxError;
use crate::memory::Shortage;

/// What to do where memory does not suffice.
pub(super) const TAKE_LESS: &str = "free some, or take a smaller input or fewer images at once";

/// Why a network could not be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum GraphError {
    /// The file is missing, damaged, or not ONNX.
    #[error(transparent)]
    File(#[from] OnnxError),
    /// An operator that aliascope does not know.
    #[error(
        "node '{node}': the operator {operator} (opset {opset}{}) is not supported; the nearest supported are {nearest}, and `aliascope inspect` lists all that the model lacks",
        domain_note(domain)
    )]
    Operator {
        /// The node's name.
        node: String,
        /// Its operator.
        operator: String,
        /// Its domain; empty for ONNX's own.
        domain: String,
        /// The opset that the model imports for the domain.
        opset: i64,
        /// The supported operators with the nearest names.
        nearest: String,
    },
    /// An attribute, or a use of an operator, that aliascope does not support.
    #[error("node '{node}' ({operator}, opset {opset}): {problem} is not supported{}", if hint.is_empty() { String::new() } else { format!("; {hint}") })]
    Unsupported {
        /// The node's name.
        node: String,
        /// Its operator.
        operator: String,
        /// The opset.
        opset: i64,
        /// What is not supported.
        problem: String,
        /// What is supported instead; may be empty.
        hint: String,
    },
    /// A node contradicts itself or its inputs.
    #[error("node '{node}' ({operator}, inputs {shapes}): {problem}")]
    Node {
        /// The node's name.
        node: String,
        /// Its operator.
        operator: String,
        /// The shapes of its inputs.
        shapes: String,
        /// What is wrong.
        problem: String,
    },
    /// The graph as a whole is not usable.
    #[error("{path}: {problem}")]
    Graph {
        /// The model's path.
        path: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The input's size is left open by the model.
    #[error(
        "{path}: the input '{input}' has the open shape [{shape}]; fix it with --input-shape, such as --input-shape {example}"
    )]
    DynamicInput {
        /// The model's path.
        path: String,
        /// The input's name.
        input: String,
        /// The shape as the model states it.
        shape: String,
        /// A shape that would do.
        example: String,
    },
    /// The shape that was asked for does not fit the model.
    #[error("{path}: --input-shape {given} {problem}")]
    InputShape {
        /// The model's path.
        path: String,
        /// The shape that was asked for.
        given: String,
        /// Why it does not fit.
        problem: String,
    },
    /// The value that was to be measured is not there.
    #[error("{path}: {option} {given} {problem}")]
    Target {
        /// The model's path.
        path: String,
        /// The option that names it.
        option: &'static str,
        /// The name.
        given: String,
        /// Why it names no value, and what is near.
        problem: String,
    },
    /// No path from the input to the measured value carries a derivative.
    #[error(
        "{path}: '{value}' is locally constant, since node {node} passes on no derivative, so that there is no \
         Lie derivative to measure; {hint}"
    )]
    LocallyConstant {
        /// The model's path.
        path: String,
        /// The value that was to be measured.
        value: String,
        /// The last node on the way that an input's change does not pass, with its operator: `'name' (ArgMax)`.
        node: String,
        /// What to measure instead.
        hint: String,
    },
    /// NaN or infinity.
    #[error("{0}")]
    NotFinite(String),
    /// Memory does not suffice.
    #[error("{place}: {shortage}; {TAKE_LESS}")]
    Memory {
        /// The node, or what else asked for it.
        place: String,
        /// How much.
        shortage: Shortage,
    },
    /// libtorch refused something outside of the nodes.
    #[error("{}", in_words(.0))]
    Torch(#[from] TchError),
}

fn domain_note(domain: &str) -> String {
    if domain.is_empty() { String::new() } else { format!(", domain {domain}") }
}

/// What is said of an error outside of the network's nodes.
pub fn in_words(error: &TchError) -> String {
    tracing::debug!(%error, "libtorch refuses");
    match guard::shortage(error) {
        Some(shortage) => format!("{shortage}; {}", TAKE_LESS),
        None if is_of_device(error) => "the device failed; check it, or take --device cpu".to_owned(),
        None => "a computation failed, which is a defect of aliascope; please report it with the command that you ran"
            .to_owned(),
    }
}

/// Whether the machine lacks something: memory, or a device that works.
pub fn is_of_machine(error: &TchError) -> bool {
    guard::shortage(error).is_some() || is_of_device(error)
}

fn is_of_device(error: &TchError) -> bool {
    error.to_string().contains("CUDA")
}
