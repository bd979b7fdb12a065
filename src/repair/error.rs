//! Why a repair is not possible.

use crate::antialias::surgery::SurgeryError;
use crate::graph::GraphError;
use crate::graph::onnx::OnnxError;
use crate::measure::lee::LeeError;

/// Why a repair is not possible.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// A network failed.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// Lie derivatives failed.
    #[error(transparent)]
    Lee(#[from] LeeError),
    /// The rewriting failed.
    #[error(transparent)]
    Surgery(#[from] SurgeryError),
    /// The model's file failed.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// libtorch refused.
    #[error("{}", crate::graph::in_words(.0))]
    Torch(#[from] tch::TchError),
    /// There is nothing to adapt.
    #[error(
        "nothing to adapt: no weight or bias of a convolution or dense layer that was asked for is a constant in the \
         model's file; simplify the model (python3 -m onnxsim OLD.onnx NEW.onnx), or use --train all"
    )]
    Nothing,
    /// The loss is no number any more.
    #[error(
        "the {what} of step {step} is not finite; lower --rate (it is {rate:e}), or --lee-weight where it is large, and \
         see that the photos are as the network takes them"
    )]
    NotFinite {
        /// The loss or the gradient.
        what: &'static str,
        /// The step, counted from 1.
        step: usize,
        /// The learning rate that was asked for.
        rate: f64,
    },
    /// A state is another run's.
    #[error("the state cannot be gone on from: {0}")]
    State(String),
}
