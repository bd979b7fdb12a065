//! A constant of a network that training may change.

use tch::Tensor;

use super::torch::Torch;

/// What a parameter does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterRole {
    /// It multiplies entries of the input, which are added up: taps of a convolution, a matrix.
    Weight {
        /// The axis of the ONNX input along which its outputs lie, within a group where there are groups.
        outputs: usize,
    },
    /// It is added to each channel.
    Bias,
    /// It multiplies each channel.
    Factor,
}

/// A parameter as an operator holds it.
#[derive(Debug)]
pub struct Held<'a> {
    /// Which of the node's inputs it is, as ONNX counts them.
    pub input: usize,
    /// What it does.
    pub role: ParameterRole,
    /// The operator's own tensor.
    pub tensor: &'a mut Tensor,
    /// Its shape in the file.
    pub shape: Vec<i64>,
    /// Whether the tensor is the file's matrix transposed.
    pub transposed: bool,
}

/// A parameter of a network: a tensor that one operator reads, and no other.
#[derive(Debug)]
pub struct Parameter {
    /// The node.
    pub node: String,
    /// The node's place among the network's [`steps`](super::Network::steps).
    pub step: usize,
    /// Which of the node's inputs it is, as ONNX counts them.
    pub input: usize,
    /// What it does.
    pub role: ParameterRole,
    /// The operator's tensor: what is written into it, the network computes with.
    pub tensor: Tensor,
    pub(super) shape: Vec<i64>,
    pub(super) transposed: bool,
}

impl Parameter {
    /// `of`, a tensor of the parameter's size, with the axes and shape of the file.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn as_stored(&self, of: &Tensor) -> Torch<Tensor> {
        let of = if self.transposed { of.f_transpose(-1, -2)? } else { of.shallow_clone() };
        of.f_reshape(self.shape.as_slice())
    }

    /// Whether the operator holds the file's matrix transposed.
    pub fn is_transposed(&self) -> bool {
        self.transposed
    }

    /// The inverse of [`as_stored`](Self::as_stored).
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn as_held(&self, stored: &Tensor) -> Torch<Tensor> {
        let held = if self.transposed { stored.f_transpose(-1, -2)? } else { stored.shallow_clone() };
        held.f_reshape(self.tensor.size())
    }
}
