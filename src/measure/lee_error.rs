//! Why a network could not be measured.

use super::action::ActionError;
use crate::graph::GraphError;

/// Why a network could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum LeeError {
    /// The network failed.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The action is not defined.
    #[error(transparent)]
    Action(#[from] ActionError),
    /// The network's input is no image.
    #[error("the network's input has the shape {0:?}; Lie derivatives need [batch, channels, rows, columns]")]
    NotAnImage(Vec<i64>),
    /// The output cannot be treated as asked.
    #[error(
        "--output {output} needs a class vector [1, classes], and the network's output has the shape {shape:?}; use identity"
    )]
    NotClasses {
        /// What was asked for.
        output: &'static str,
        /// The output's shape.
        shape: Vec<i64>,
    },
    /// The output is an image whose samples' positions are not known.
    #[error(
        "the network's output has the shape {0:?}, an image, but the positions of its samples in the input are not certain, \
         so the action on it is not defined; say --action none, or measure a layer with rows and columns by --at"
    )]
    UnknownGrid(Vec<i64>),
    /// The output does not have what the asked action takes.
    #[error(
        "--action {action} {problem}, and the network's output has the shape {shape:?}; --at measures another value"
    )]
    NoAction {
        /// What was asked for.
        action: &'static str,
        /// The output's shape.
        shape: Vec<i64>,
        /// What it takes.
        problem: &'static str,
    },
    /// NaN or infinity.
    #[error("{what} of '{image}' holds NaN or infinity; {hint}")]
    NotFinite {
        /// Input or output.
        what: &'static str,
        /// The image.
        image: String,
        /// What to do.
        hint: &'static str,
    },
    /// libtorch refused.
    #[error("{}", crate::graph::in_words(.0))]
    Torch(#[from] tch::TchError),
}

impl LeeError {
    /// NaN or infinity in `what` of an image.
    pub(super) fn not_finite(what: &'static str, image: &str, hint: &'static str) -> Self {
        Self::NotFinite { what, image: image.to_owned(), hint }
    }
}
