//! LpPool and GlobalLpPool.

use tch::{Kind, Tensor};

use crate::graph::builder::{Build, Builder, Built};
use crate::graph::error::GraphError;
use crate::graph::layout::Flow;
use crate::graph::operator::{Differentiable, Operator, Point, Torch};

use super::convolution::spatial_input;
use super::pooling::{PoolWindow, pool_window};

/// What the norm runs over.
#[derive(Debug)]
enum Extent {
    Window(PoolWindow),
    /// All spatial axes, of which there are so many.
    All(i64),
}

/// (Σ |x|^p)^{1/p} under each window.
#[derive(Debug)]
struct PowerPool {
    extent: Extent,
    p: f64,
}

impl PowerPool {
    fn sums(&self, x: &Tensor) -> Torch<Tensor> {
        match &self.extent {
            Extent::All(axes) => x.f_sum_dim_intlist((-axes..0).collect::<Vec<_>>(), true, None::<Kind>),
            Extent::Window(pool) => {
                let (x, lead) = pool.folded(x, 0.0)?;
                pool.unfolded(pool.sums(&x)?, lead)
            }
        }
    }
}

impl Differentiable for PowerPool {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![self.sums(&x[0].f_abs()?.f_pow_tensor_scalar(self.p)?)?.f_pow_tensor_scalar(1.0 / self.p)?])
    }

    fn tangent(&self, at: &Point<'_>) -> Torch<Vec<Tensor>> {
        // dy = Σ |x|^{p−1}·sign(x)·dx / y^{p−1}; 0 where the norm is 0, its least subgradient.
        let (x, y) = (at.x[0], &at.y[0]);
        let slope = x.f_abs()?.f_pow_tensor_scalar(self.p - 1.0)?.f_mul(&x.f_sign()?)?;
        let inverse = y.f_pow_tensor_scalar(1.0 - self.p)?.f_masked_fill(&y.f_eq(0.0)?, 0.0)?;
        let dy = at.sum(|_, dx| {
            let size = [&[dx.size()[0]], y.size().as_slice()].concat();
            self.sums(&dx.f_mul(&slope)?.f_flatten(0, 1)?)?.f_view(size.as_slice())?.f_mul(&inverse)
        })?;
        Ok(vec![dy])
    }
}

fn exponent(b: &mut Builder<'_>) -> Result<f64, GraphError> {
    match b.int("p")?.unwrap_or(2) {
        p if p >= 1 => Ok(p as f64),
        p => Err(b.unsupported(format!("p = {p}"), "1 and more are")),
    }
}

/// LpPool.
pub fn lp_pool(b: &mut Builder<'_>) -> Build {
    let p = exponent(b)?;
    let pool = pool_window(b)?;
    b.varying_input(0)?;
    let flow = pool.flow();
    let op = PowerPool { extent: Extent::Window(pool), p };
    Ok(Built { operator: Operator::Differentiable(Box::new(op)), flow })
}

/// GlobalLpPool.
pub fn global_lp_pool(b: &mut Builder<'_>) -> Build {
    let p = exponent(b)?;
    let axes = spatial_input(b)?.len() as i64 - 2;
    b.varying_input(0)?;
    let op = PowerPool { extent: Extent::All(axes), p };
    Ok(Built { operator: Operator::Differentiable(Box::new(op)), flow: Flow::Unknown })
}
