//! What is said where libtorch refuses: never its own words, which are for those who write programs with it. The log
//! has them (`ALIASCOPE_LOG=debug`).

use tch::{Kind, TchError};

use super::error::GraphError;
use super::guard;

/// An input of a node: its shape and type; none where it is absent.
pub(super) type Given = Option<(Vec<i64>, Kind)>;

/// The operator of a network that is a function of tensors: whoever wrote that writes programs with libtorch.
pub(super) const FUNCTION: &str = "Function";

/// libtorch's own words, without the places in its code.
pub(super) fn first_line(error: &TchError) -> String {
    let text = match error {
        TchError::Torch(text) => text.clone(),
        other => other.to_string(),
    };
    text.lines().next().unwrap_or_default().to_owned()
}

/// A node that libtorch cannot compute: memory is short, or the file asks for something impossible.
pub(super) fn of_node(node: &str, operator: &str, inputs: &[Given], error: &TchError) -> GraphError {
    tracing::debug!(node, operator, %error, "libtorch refuses a node");
    let shapes = inputs
        .iter()
        .map(|input| match input {
            Some((shape, kind)) => format!("{shape:?} {}", type_name(*kind)),
            None => "absent".to_owned(),
        })
        .collect::<Vec<_>>()
        .join(", ");
    if let Some(shortage) = guard::shortage(error) {
        return GraphError::Memory { place: format!("node '{node}' ({operator}, inputs {shapes})"), shortage };
    }
    if operator == FUNCTION {
        return GraphError::Node {
            node: node.to_owned(),
            operator: operator.to_owned(),
            shapes,
            problem: format!("the function fails there: {}", first_line(error)),
        };
    }
    let mut kinds = inputs.iter().flatten().map(|(_, kind)| *kind);
    let first = kinds.next();
    let what = if kinds.any(|kind| Some(kind) != first) { "these types and sizes" } else { "these sizes" };
    GraphError::Node {
        node: node.to_owned(),
        operator: operator.to_owned(),
        shapes,
        problem: format!(
            "this file asks for what the operator cannot do with inputs of {what} and its attributes; export the model again"
        ),
    }
}

fn type_name(kind: Kind) -> String {
    match kind {
        Kind::Int => "int32".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{in_words, is_of_machine};
    use tch::{Device, Tensor};

    /// Words that no message has.
    fn is_clean(message: &str) -> bool {
        ["torch", "c10", "Tensor", "Exception", "aten", ".cpp", "\n"].iter().all(|word| !message.contains(word))
    }

    #[test]
    fn a_refused_node_is_told_by_name_sizes_and_types() {
        let float = Tensor::zeros([2, 3], (Kind::Float, Device::Cpu));
        let long = Tensor::zeros([3], (Kind::Int64, Device::Cpu));
        let error = float.f_matmul(&long).unwrap_err();
        let given = |t: &Tensor| Some((t.size(), t.kind()));
        let message = of_node("n", "MatMul", &[given(&float), None, given(&long)], &error).to_string();
        assert!(message.contains("node 'n' (MatMul, inputs [2, 3] float, absent, [3] int64)"), "{message}");
        assert!(message.contains("these types and sizes") && is_clean(&message), "{message}");
        assert!(is_clean(&in_words(&error)) && !is_of_machine(&error));
    }

    #[test]
    fn memory_that_is_not_there_is_told_as_memory() {
        guard::install();
        let error = Tensor::f_zeros([1 << 45], (Kind::Float, Device::Cpu)).unwrap_err();
        assert!(is_of_machine(&error), "{error}");
        let GraphError::Memory { shortage, .. } = of_node("n", "Tile", &[], &error) else { panic!("{error}") };
        assert_eq!(shortage.wanted, Some(4 << 45));
        assert!(in_words(&error).contains("131072.0 GiB") && is_clean(&in_words(&error)), "{}", in_words(&error));
        // What fits is given.
        assert_eq!(Tensor::f_zeros([1 << 25], (Kind::Float, Device::Cpu)).unwrap().numel(), 1 << 25);
    }
}
