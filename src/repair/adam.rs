//! Adam, with a limit of the gradient's length.
//!
//! tch's own optimisers do not give out their moments, without which a run cannot be gone on from bit for bit.

use tch::{Kind, Tensor};

use crate::graph::operator::Torch;

const FIRST: f64 = 0.9;
const SECOND: f64 = 0.999;
/// Beside the root of the second moment.
const EPSILON: f64 = 1e-8;

/// The moments of gradients, of the shapes of what they are the gradients by.
#[derive(Debug)]
pub(super) struct Adam {
    /// Averages of gradients.
    pub first: Vec<Tensor>,
    /// Averages of their squares.
    pub second: Vec<Tensor>,
}

impl Adam {
    /// For variables like these.
    pub fn new(variables: &[Tensor]) -> Torch<Self> {
        let zeros = || variables.iter().map(|variable| variable.f_detach()?.f_zeros_like()).collect::<Torch<Vec<_>>>();
        Ok(Self { first: zeros()?, second: zeros()? })
    }

    /// One step, counted from 0, at this learning rate: m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g²,
    /// x ← x − η m̂/(√v̂ + ε), with m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ), t = step + 1 (Kingma and Ba, 2015).
    pub fn step(&mut self, variables: &mut [Tensor], gradients: &[Tensor], rate: f64, step: usize) -> Torch<()> {
        let count = step as i32 + 1;
        let (first_scale, second_scale) = (1.0 - FIRST.powi(count), 1.0 - SECOND.powi(count));
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((variable, gradient), (first, second)) in variables.iter_mut().zip(gradients).zip(moments) {
            let _ = first.f_mul_scalar_(FIRST)?.f_add_(&gradient.f_mul_scalar(1.0 - FIRST)?)?;
            let _ = second.f_mul_scalar_(SECOND)?.f_add_(&gradient.f_square()?.f_mul_scalar(1.0 - SECOND)?)?;
            let root = second.f_div_scalar(second_scale)?.f_sqrt()?.f_add_scalar(EPSILON)?;
            let change = first.f_div(&root)?.f_mul_scalar(rate / first_scale)?;
            let _ = variable.f_sub_(&change)?;
        }
        Ok(())
    }
}

/// Shortens gradients, taken as one vector, to a length of `most` where it is longer; the length that it had.
pub(super) fn clip(gradients: &mut [Tensor], most: f64) -> Torch<f64> {
    let mut squares = 0.0;
    for gradient in gradients.iter() {
        squares += gradient.f_square()?.f_sum(Kind::Double)?.f_double_value(&[])?;
    }
    let length = squares.sqrt();
    if length > most {
        for gradient in gradients {
            let _ = gradient.f_mul_scalar_(most / length)?;
        }
    }
    Ok(length)
}
