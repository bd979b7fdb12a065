//! Softmax and LogSoftmax.

use tch::{Kind, Tensor};

use crate::graph::builder::{Build, Builder, Built};
use crate::graph::layout::Flow;
use crate::graph::operator::{AttentionPart, Differentiable, Operator, Point, Stack, Torch};

/// Softmax along an axis, of a view of x.
#[derive(Debug)]
pub struct Softmax {
    /// The axis, from the end.
    axis: i64,
    /// Before opset 13: all axes from `axis` on are one. Then the number of those axes.
    flattened: Option<usize>,
    logarithm: bool,
}

impl Softmax {
    /// Softmax along one axis, counted from the end.
    pub fn along(axis: i64) -> Self {
        Self { axis, flattened: None, logarithm: false }
    }

    fn viewed(&self, x: &Tensor) -> Torch<(Tensor, i64)> {
        match self.flattened {
            Some(axes) if axes > 1 => Ok((x.f_flatten(-(axes as i64), -1)?, -1)),
            _ => Ok((x.shallow_clone(), self.axis)),
        }
    }
}

impl Differentiable for Softmax {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let (view, axis) = self.viewed(x[0])?;
        let y =
            if self.logarithm { view.f_log_softmax(axis, None::<Kind>)? } else { view.f_softmax(axis, None::<Kind>)? };
        Ok(vec![y.f_view(x[0].size().as_slice())?])
    }

    fn tangent(&self, at: &Point<'_>) -> Torch<Vec<Tensor>> {
        // softmax: dp = p·(dx − Σ p·dx);  log-softmax: dx − Σ p·dx.
        let (y, axis) = self.viewed(&at.y[0])?;
        let p = if self.logarithm { y.f_exp()? } else { y };
        let dy = at.sum(|_, dx| {
            let (moved, _) = self.viewed(dx)?;
            let mean = moved.f_mul(&p)?.f_sum_dim_intlist([axis].as_slice(), true, None::<Kind>)?;
            let centred = moved.f_sub(&mean)?;
            let dy = if self.logarithm { centred } else { centred.f_mul(&p)? };
            dy.f_reshape(dx.size())
        })?;
        Ok(vec![dy])
    }

    fn value_and_jvp(&self, x: &[&Tensor], dx: &[Option<Tensor>]) -> Torch<Option<Vec<Tensor>>> {
        let [Some(dx)] = dx else { return Ok(None) };
        if self.logarithm || self.flattened.is_some_and(|axes| axes > 1) {
            return Ok(None);
        }
        // dp = p·dx − p·Σ p·dx, with no other memory than the result's.
        let Stack { whole, mut y, mut dy } = Stack::new(&x[0].size(), dx.size()[0], x[0])?;
        y.f_copy_(&x[0].f_softmax(self.axis, None::<Kind>)?)?;
        let _ = dx.f_mul_out(&dy, &y)?;
        let mean = dy.f_sum_dim_intlist([self.axis].as_slice(), true, None::<Kind>)?;
        let _ = dy.f_addcmul_(&y, &mean.f_neg()?)?;
        Ok(Some(vec![whole]))
    }

    fn attention_part(&self) -> Option<AttentionPart> {
        (self.axis == -1 && !self.logarithm).then_some(AttentionPart::Softmax)
    }
}

/// Softmax and LogSoftmax.
pub fn softmax(b: &mut Builder<'_>) -> Build {
    let rank = b.shape(0)?.len();
    let given = b.int("axis")?;
    let (axis, flattened) = if b.opset < 13 {
        let axis = b.axis_from_end(given.unwrap_or(1), rank)?;
        (axis, Some(-axis as usize))
    } else {
        (b.axis_from_end(given.unwrap_or(-1), rank)?, None)
    };
    let logarithm = b.operator == "LogSoftmax";
    b.varying_input(0)?;
    let op = Softmax { axis, flattened, logarithm };
    Ok(Built { operator: Operator::Differentiable(Box::new(op)), flow: Flow::Pointwise })
}
