//! LRN, local response normalisation.

use tch::Tensor;

use crate::graph::builder::{Build, Builder, Built};
use crate::graph::layout::Flow;
use crate::graph::operator::{Differentiable, Operator, Point, Torch};

/// y_c = x_c/(k + α/n·Σ x²)^β, the sum over the n channels about c.
#[derive(Debug)]
struct LocalResponse {
    rank: usize,
    size: i64,
    alpha: f64,
    beta: f64,
    bias: f64,
}

impl LocalResponse {
    /// α/n times the sum over neighbouring channels.
    fn neighbours(&self, x: &Tensor) -> Torch<Tensor> {
        let before = (self.size - 1) / 2;
        let size = x.size();
        let (lead, own) = size.split_at(size.len() - self.rank);
        let [batch, channels] = [own[0], own[1]];
        let flat = x.f_reshape([lead.iter().product::<i64>() * batch, 1, channels, -1])?;
        let flat = flat.f_constant_pad_nd([0, 0, before, self.size - 1 - before])?;
        let sums = flat.f_avg_pool2d([self.size, 1], [1, 1], [0, 0], false, true, 1)?;
        sums.f_view(size.as_slice())?.f_mul_scalar(self.alpha / self.size as f64)
    }

    fn base(&self, x: &Tensor) -> Torch<Tensor> {
        self.neighbours(&x.f_square()?)?.f_add_scalar(self.bias)
    }
}

impl Differentiable for LocalResponse {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![x[0].f_mul(&self.base(x[0])?.f_pow_tensor_scalar(-self.beta)?)?])
    }

    fn tangent(&self, at: &Point<'_>) -> Torch<Vec<Tensor>> {
        // With s = k + α/n·Σ x²:  dy = s^{−β}·dx − β·y/s·ds,  ds = 2α/n·Σ x·dx.
        let (x, y) = (at.x[0], &at.y[0]);
        let base = self.base(x)?;
        let scale = base.f_pow_tensor_scalar(-self.beta)?;
        let slope = y.f_div(&base)?.f_mul_scalar(-2.0 * self.beta)?;
        let dy = at.sum(|_, dx| dx.f_mul(&scale)?.f_add(&self.neighbours(&dx.f_mul(x)?)?.f_mul(&slope)?))?;
        Ok(vec![dy])
    }
}

/// LRN.
pub fn lrn(b: &mut Builder<'_>) -> Build {
    let size = b.int("size")?.ok_or_else(|| b.invalid("it has no size"))?;
    let alpha = b.float("alpha")?.unwrap_or(1e-4);
    let beta = b.float("beta")?.unwrap_or(0.75);
    let bias = b.float("bias")?.unwrap_or(1.0);
    let shape = b.shape(0)?;
    if shape.len() < 3 || !(1..=1 << 20).contains(&size) {
        return Err(b.invalid(format!("its input has no channels, or size = {size} does not fit them")));
    }
    b.check_size(&[&[shape[0], shape[1] + size], &shape[2..]].concat())?;
    b.varying_input(0)?;
    let op = LocalResponse { rank: shape.len(), size, alpha, beta, bias };
    Ok(Built { operator: Operator::Differentiable(Box::new(op)), flow: Flow::Pointwise })
}
