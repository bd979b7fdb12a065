//! Conv and ConvTranspose whose weight depends on the network's input: every entry of the stack has a weight of its
//! own.

use tch::{TchError, Tensor};

use crate::graph::builder::{Build, Builder, Built, Operand};
use crate::graph::layout::Flow;
use crate::graph::operator::{Differentiable, Operator, Point, Torch};
use crate::graph::window::Window;

use super::convolve::{convolve, convolve_transposed};

/// y = b + w ⋆ x, bilinear in image and weight.
#[derive(Debug)]
struct DynamicConvolution {
    image: Operand,
    weight: Operand,
    bias: Option<Operand>,
    window: Window,
    /// What the full output of the adjoint keeps along each axis; none where it is a convolution.
    crop: Option<Vec<(i64, i64)>>,
    groups: i64,
}

/// An operand as `[copies, stack, own shape…]`, of one copy; constants are the same all along the stack.
fn operand(operand: &Operand, x: &[&Tensor]) -> Torch<Tensor> {
    match operand {
        Operand::Varying(place) => x[*place].f_unsqueeze(0),
        Operand::Constant(constant) => {
            let stack = x.first().map_or(1, |x| x.size()[0]);
            let size = [&[1, stack], constant.size().as_slice()].concat();
            constant.f_expand(size, false)
        }
    }
}

impl DynamicConvolution {
    /// w ⋆ x for `[copies, stack, batch, channels, …]` and a weight `[copies, stack, own shape…]`, of which one has one
    /// copy; `[copies, stack, batch, channels, …]`.
    ///
    /// One grouped convolution: entries of the stack are groups, copies of the image are a larger batch, and copies of
    /// the weight make more channels of each group.
    fn product(&self, x: &Tensor, weight: &Tensor) -> Torch<Tensor> {
        let ([images, stack, batch, channels], own) = leading(x)?;
        let ([weights, _, outer, inner], taps) = leading(weight)?;
        let g = self.groups;
        let x = x.f_transpose(1, 2)?.f_reshape([&[images * batch, stack * channels], own.as_slice()].concat())?;
        // Outputs of a group.
        let outputs = if self.crop.is_some() { inner } else { outer / g };
        let weight = if self.crop.is_some() {
            // [stack, inputs, copies, outputs of a group, …]
            weight.f_movedim_int(0, 2)?.f_reshape([&[stack * outer, weights * inner], taps.as_slice()].concat())?
        } else {
            // [stack, groups, copies, outputs of a group, inputs of a group, …]
            let split = weight.f_reshape([&[weights, stack, g, outputs, inner], taps.as_slice()].concat())?;
            split.f_movedim_int(0, 2)?.f_reshape([&[stack * weights * outer, inner], taps.as_slice()].concat())?
        };
        let y = match &self.crop {
            None => convolve(&self.window, &x, &weight, None, stack * g)?,
            Some(crop) => convolve_transposed(&self.window, crop, &x, &weight, stack * g)?,
        };
        let out = y.size()[2..].to_vec();
        let y = y.f_reshape([&[images, batch, stack, g, weights, outputs], out.as_slice()].concat())?;
        let order: Vec<i64> = [0, 4, 2, 1, 3, 5].into_iter().chain(6..6 + out.len() as i64).collect();
        y.f_permute(order)?.f_reshape([&[images * weights, stack, batch, g * outputs], out.as_slice()].concat())
    }

    /// A bias `[…, channels]` as it broadcasts over batch and spatial axes.
    fn spread(&self, bias: &Tensor) -> Torch<Tensor> {
        let mut bias = bias.f_unsqueeze(-2)?;
        for _ in &self.window.kernel {
            bias = bias.f_unsqueeze(-1)?;
        }
        Ok(bias)
    }
}

/// The first four sizes, and those after them.
fn leading(x: &Tensor) -> Torch<([i64; 4], Vec<i64>)> {
    match x.size()[..] {
        [a, b, c, d, ref rest @ ..] => Ok(([a, b, c, d], rest.to_vec())),
        _ => Err(TchError::Torch("an operand of a convolution lacks axes".into())),
    }
}

impl Differentiable for DynamicConvolution {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let y = self.product(&operand(&self.image, x)?, &operand(&self.weight, x)?)?;
        let y = match &self.bias {
            None => y,
            Some(bias) => y.f_add(&self.spread(&operand(bias, x)?)?)?,
        };
        Ok(vec![y.f_squeeze_dim(0)?])
    }

    fn tangent(&self, at: &Point<'_>) -> Torch<Vec<Tensor>> {
        let moved = |operand: &Operand| match operand {
            Operand::Varying(place) => at.dx[*place].as_ref(),
            Operand::Constant(_) => None,
        };
        let mut terms = Vec::with_capacity(3);
        if let Some(dx) = moved(&self.image) {
            terms.push(self.product(dx, &operand(&self.weight, at.x)?)?);
        }
        if let Some(dw) = moved(&self.weight) {
            terms.push(self.product(&operand(&self.image, at.x)?, dw)?);
        }
        if let Some(db) = self.bias.as_ref().and_then(moved) {
            let size = [&[db.size()[0]], at.y[0].size().as_slice()].concat();
            terms.push(self.spread(db)?.f_expand(size, false)?.f_contiguous()?);
        }
        let mut terms = terms.into_iter();
        let first =
            terms.next().ok_or_else(|| TchError::Torch("a tangent was asked for, and no input moves".into()))?;
        Ok(vec![terms.try_fold(first, |sum, term| sum.f_add(&term))?])
    }
}

/// The operator for a node whose shapes and attributes are checked; `flow` is that of the image.
pub fn build(b: &mut Builder<'_>, window: Window, crop: Option<Vec<(i64, i64)>>, groups: i64, flow: Flow) -> Build {
    let image = b.operand(0)?;
    let weight = b.operand(1)?;
    let bias = if b.has(2) { Some(b.operand(2)?) } else { None };
    // Where the image is constant, nothing that moves has rows and columns.
    let flow = if matches!(image, Operand::Varying(_)) { flow } else { Flow::Unknown };
    let op = DynamicConvolution { image, weight, bias, window, crop, groups };
    Ok(Built { operator: Operator::Differentiable(Box::new(op)), flow })
}
