//! MeanVarianceNormalization.

use tch::{Kind, Tensor};

use crate::graph::builder::{Build, Builder, Built};
use crate::graph::layout::Flow;
use crate::graph::operator::{Differentiable, Operator, Point, Torch};

/// What the specification adds to the standard deviation.
const EPSILON: f64 = 1e-9;

/// y = (x − μ)/(σ + ε) over some axes.
#[derive(Debug)]
struct MeanVariance {
    axes: Vec<i64>,
}

impl MeanVariance {
    fn mean(&self, x: &Tensor) -> Torch<Tensor> {
        x.f_mean_dim(self.axes.as_slice(), true, None::<Kind>)
    }

    /// x − μ and σ.
    fn centred(&self, x: &Tensor) -> Torch<(Tensor, Tensor)> {
        let centred = x.f_sub(&self.mean(x)?)?;
        let deviation = self.mean(&centred.f_square()?)?.f_sqrt()?;
        Ok((centred, deviation))
    }
}

impl Differentiable for MeanVariance {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let (centred, deviation) = self.centred(x[0])?;
        Ok(vec![centred.f_div(&deviation.f_add_scalar(EPSILON)?)?])
    }

    fn tangent(&self, at: &Point<'_>) -> Torch<Vec<Tensor>> {
        // dy = (dc − y·dσ)/(σ + ε),  dσ = mean(c·dc)/σ; where σ is 0 it has no derivative, and 0 is taken.
        let (centred, deviation) = self.centred(at.x[0])?;
        let inverse = deviation.f_reciprocal()?.f_masked_fill(&deviation.f_eq(0.0)?, 0.0)?;
        let dy = at.sum(|_, dx| {
            let moved = dx.f_sub(&self.mean(dx)?)?;
            let wider = self.mean(&moved.f_mul(&centred)?)?.f_mul(&inverse)?;
            moved.f_sub(&at.y[0].f_mul(&wider)?)?.f_div(&deviation.f_add_scalar(EPSILON)?)
        })?;
        Ok(vec![dy])
    }
}

/// MeanVarianceNormalization over `axes`, batch and spatial ones by default.
pub fn mean_variance(b: &mut Builder<'_>) -> Build {
    let rank = b.shape(0)?.len();
    let axes = b.ints("axes")?.unwrap_or_else(|| vec![0, 2, 3]);
    let axes = b.axes_from_end(&axes, rank)?;
    if axes.is_empty() || axes.iter().enumerate().any(|(i, axis)| axes[..i].contains(axis)) {
        return Err(b.invalid(format!("its axes {axes:?} are not some of its input's, once each")));
    }
    b.varying_input(0)?;
    Ok(Built { operator: Operator::Differentiable(Box::new(MeanVariance { axes })), flow: Flow::Pointwise })
}
