//! Reverse mode: the gradient of a scalar of the output by the input.

use tch::Tensor;

use super::error::GraphError;
use super::network::{Network, Step};
use super::walk::Visitor;

/// A scalar of a network's output and its gradients.
#[derive(Debug)]
pub struct Gradient {
    /// f(x), `[images, shape…]`.
    pub output: Tensor,
    /// m.
    pub scalar: f64,
    /// ∂m/∂f, of the output's shape.
    pub by_output: Tensor,
    /// ∂m/∂x, of the input's shape.
    pub by_input: Tensor,
}

impl Network {
    /// f(x) for `x` of shape `[images, input shape…]`, and the gradients of what `scalar` makes of it, one number. They are 0
    /// where no derivative comes through.
    ///
    /// # Errors
    /// As [`forward`](Self::forward), and whatever `scalar` returns.
    pub fn gradient<E: From<GraphError> + From<tch::TchError>>(
        &self,
        x: &Tensor,
        scalar: impl FnOnce(&Tensor) -> Result<Tensor, E>,
    ) -> Result<Gradient, E> {
        let x = self.place(x)?.f_detach()?.f_set_requires_grad(true)?;
        let output = self.walk(x.shallow_clone(), &mut Record(self))?;
        let scalar = scalar(&output)?;
        // libtorch reads a null pointer for a scalar that nothing recorded.
        let gradients = match scalar.requires_grad() {
            true => Tensor::f_run_backward(&[&scalar], &[&output, &x], false, false)?,
            false => Vec::new(),
        };
        let gradient = |at: usize, of: &Tensor| match gradients.get(at) {
            Some(gradient) if gradient.defined() => Ok(gradient.shallow_clone()),
            _ => of.f_detach()?.f_zeros_like(),
        };
        Ok(Gradient {
            scalar: scalar.f_double_value(&[])?,
            by_output: gradient(0, &output)?,
            by_input: gradient(1, &x)?,
            output: output.f_detach()?,
        })
    }
}

/// A forward that libtorch records.
struct Record<'n>(&'n Network);

impl Visitor for Record<'_> {
    type Value = Tensor;
    type Error = GraphError;

    fn outputs(&mut self, step: &Step, inputs: &[&Tensor]) -> Result<Vec<Tensor>, GraphError> {
        self.0.forward_step(step, inputs)
    }
}
