//! The constants of a network that training may change.

use std::rc::Rc;

use super::fusion;
use super::network::Network;
use super::operator::Operator;
use super::parameter::Parameter;
use super::torch::Torch;

impl Network {
    /// The constants that training may change: weights and biases of convolutions and dense layers, and what is added
    /// to or multiplied with each channel. Each becomes a tensor of its own operator, also where several nodes read one
    /// constant of the file. What normalises (statistics and affine part of a normalisation that is a node) is none of
    /// them.
    ///
    /// Nodes are fused with constants that may be computed from these: after a change,
    /// [`fuse_again`](Self::fuse_again).
    ///
    /// # Errors
    /// When memory is short.
    pub fn parameters(&mut self) -> Torch<Vec<Parameter>> {
        // Fused nodes share the operators' tensors.
        self.fused = Vec::new();
        let mut found = Vec::new();
        for (at, step) in self.steps.iter_mut().enumerate() {
            let Some(Operator::Linear(op)) = Rc::get_mut(&mut step.operator) else { continue };
            for held in op.parameters() {
                // A copy keeps the memory format.
                *held.tensor = held.tensor.f_detach()?.copy();
                found.push(Parameter {
                    node: step.name.clone(),
                    step: at,
                    input: held.input,
                    role: held.role,
                    tensor: held.tensor.shallow_clone(),
                    shape: held.shape,
                    transposed: held.transposed,
                });
            }
        }
        self.fuse_again()?;
        Ok(found)
    }

    /// Fuses nodes anew.
    ///
    /// # Errors
    /// When libtorch cannot compute a constant.
    pub fn fuse_again(&mut self) -> Torch<()> {
        self.fused = tch::no_grad(|| fusion::fuse(&self.steps, &self.values, self.output, (self.kind, self.device)))?;
        Ok(())
    }
}
