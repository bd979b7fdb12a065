//! Why the theorem could not be checked on a network.

use crate::graph::GraphError;
use crate::measure::action::ActionError;
use crate::spectrum::convolution::ConvolutionError;
use crate::spectrum::strided::StridedError;
use crate::spectrum::transform::TransformError;

/// Why the theorem could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum NodeTheoremError {
    /// The network failed.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The derivative failed.
    #[error(transparent)]
    Action(#[from] ActionError),
    /// A transform failed.
    #[error(transparent)]
    Transform(#[from] TransformError),
    /// A stride does not fit.
    #[error(transparent)]
    Strided(#[from] StridedError),
    /// Weights do not fit.
    #[error(transparent)]
    Convolution(#[from] ConvolutionError),
    /// libtorch refused.
    #[error("{}", crate::graph::in_words(.0))]
    Torch(#[from] tch::TchError),
    /// Prediction and measurement cannot be compared; a defect.
    #[error(
        "the predicted field has {predicted} channels and the measured one {measured}, which is a defect of aliascope"
    )]
    Channels {
        /// Of the prediction.
        predicted: usize,
        /// Of the measurement.
        measured: usize,
    },
    /// Entries of the input are NaN or infinite.
    #[error("the input holds NaN or infinity; check the image or tensor")]
    NotFinite,
    /// No node matches.
    #[error("no node that can alias has '{pattern}' in its name; near are {near}")]
    NoNode {
        /// What was asked for.
        pattern: String,
        /// Names of such nodes.
        near: String,
    },
}
