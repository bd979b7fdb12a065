//! BatchNormalization, LayerNormalization, InstanceNormalization, GroupNormalization, LpNormalization and LRN.

use tch::{Kind, Tensor};

use crate::graph::builder::{Build, Builder, Built};
use crate::graph::layout::Flow;
use crate::graph::operator::{Differentiable, Forward, Linear, Operator, Point, Torch};

/// y = s_c·x + o_c: batch normalisation with fixed statistics.
#[derive(Debug)]
struct ChannelAffine {
    scale: Tensor,
    offset: Tensor,
}

impl Linear for ChannelAffine {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![x[0].f_mul(&self.scale)?])
    }

    fn offset(&self) -> Option<&Tensor> {
        Some(&self.offset)
    }
}

/// BatchNormalization at test time.
pub fn batch(b: &mut Builder<'_>) -> Build {
    if b.int("training_mode")?.unwrap_or(0) != 0 {
        return Err(b.unsupported("training_mode = 1", "export the network in evaluation mode"));
    }
    if b.outputs() > 1 {
        return Err(b.unsupported("running statistics as outputs", "export the network in evaluation mode"));
    }
    let _ = b.float("momentum")?;
    let _ = b.int("spatial")?;
    let epsilon = b.float("epsilon")?.unwrap_or(1e-5);
    let shape = b.shape(0)?;
    if shape.len() < 2 {
        return Err(b.invalid("its input has no channels"));
    }
    let kind = b.kind(0)?;
    let mut view = vec![shape[1]];
    view.extend(std::iter::repeat_n(1, shape.len() - 2));
    let mut parameters = Vec::with_capacity(4);
    for (i, what) in [(1, "scale"), (2, "bias"), (3, "mean"), (4, "variance")] {
        let parameter = b.parameter(i, what)?;
        if parameter.size() != [shape[1]] {
            return Err(b.invalid(format!("its {what} has the shape {:?}", parameter.size())));
        }
        // Folded in double precision: s = γ/√(σ² + ε), o = β − s·μ.
        parameters.push(parameter.f_to_kind(Kind::Double)?.f_reshape(view.as_slice())?);
    }
    let scale = parameters[0].f_div(&parameters[3].f_add_scalar(epsilon)?.f_sqrt()?)?;
    let offset = parameters[1].f_sub(&scale.f_mul(&parameters[2])?)?;
    b.varying_input(0)?;
    let op = ChannelAffine { scale: scale.f_to_kind(kind)?, offset: offset.f_to_kind(kind)? };
    Ok(Built { operator: Operator::Linear(Box::new(op)), flow: Flow::Pointwise })
}

/// x̂ = (x − mean)/√(var + ε) over some of the last axes, of a view of x; then scale and bias.
#[derive(Debug)]
struct Standardize {
    /// The value's own axes, from the end.
    rank: usize,
    /// The view in which the mean runs over the last `over` axes; none where the value is itself that view.
    view: Option<Vec<i64>>,
    /// How many of the last axes (of the view) the statistics run over.
    over: usize,
    scale: Option<Tensor>,
    bias: Option<Tensor>,
    epsilon: f64,
}

impl Standardize {
    fn viewed(&self, x: &Tensor) -> Torch<Tensor> {
        match &self.view {
            None => Ok(x.shallow_clone()),
            Some(view) => {
                let size = x.size();
                let mut wanted = size[..size.len() - self.rank].to_vec();
                wanted.extend(view);
                x.f_reshape(wanted)
            }
        }
    }

    fn axes(&self) -> Vec<i64> {
        (-(self.over as i64)..0).collect()
    }

    /// x̂ and 1/√(var + ε).
    fn standardized(&self, x: &Tensor) -> Torch<(Tensor, Tensor)> {
        let (x, axes) = (self.viewed(x)?, self.axes());
        let centred = x.f_sub(&x.f_mean_dim(axes.as_slice(), true, None::<Kind>)?)?;
        let variance = centred.f_square()?.f_mean_dim(axes.as_slice(), true, None::<Kind>)?;
        let inverse = variance.f_add_scalar(self.epsilon)?.f_rsqrt()?;
        Ok((centred.f_mul(&inverse)?, inverse))
    }

    fn scaled(&self, normalized: Tensor, like: &Tensor) -> Torch<Tensor> {
        let y = normalized.f_reshape(like.size())?;
        match &self.scale {
            Some(scale) => y.f_mul(scale),
            None => Ok(y),
        }
    }
}

impl Differentiable for Standardize {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let (normalized, _) = self.standardized(x[0])?;
        let y = self.scaled(normalized, x[0])?;
        Ok(vec![match &self.bias {
            Some(bias) => y.f_add(bias)?,
            None => y,
        }])
    }

    fn tangent(&self, at: &Point<'_>) -> Torch<Vec<Tensor>> {
        // With x̂ = (x − μ)/σ:  dx̂ = (dx − mean(dx) − x̂·mean(x̂·dx))/σ.
        let (normalized, inverse) = self.standardized(at.x[0])?;
        let axes = self.axes();
        let dy = at.sum(|_, dx| {
            let moved = self.viewed(dx)?;
            let along = moved.f_mul(&normalized)?.f_mean_dim(axes.as_slice(), true, None::<Kind>)?;
            let centred = moved.f_sub(&moved.f_mean_dim(axes.as_slice(), true, None::<Kind>)?)?;
            self.scaled(centred.f_sub(&normalized.f_mul(&along)?)?.f_mul(&inverse)?, dx)
        })?;
        Ok(vec![dy])
    }
}

/// LayerNormalization over the axes from `axis` to the last.
pub fn layer(b: &mut Builder<'_>) -> Build {
    if b.outputs() > 1 {
        return Err(b.unsupported("Mean and InvStdDev as outputs", "the first output is"));
    }
    let _ = b.int("stash_type")?;
    let shape = b.shape(0)?;
    let axis = b.int("axis")?.unwrap_or(-1);
    let axis = b.axis_from_end(axis, shape.len())?;
    let epsilon = b.float("epsilon")?.unwrap_or(1e-5);
    let scale = if b.has(1) { Some(b.parameter(1, "scale")?) } else { None };
    let bias = if b.has(2) { Some(b.parameter(2, "bias")?) } else { None };
    b.varying_input(0)?;
    let op = Standardize { rank: shape.len(), view: None, over: -axis as usize, scale, bias, epsilon };
    Ok(Built { operator: Operator::Differentiable(Box::new(op)), flow: Flow::Pointwise })
}

/// One entry per channel, broadcast over the spatial axes.
fn per_channel(b: &Builder<'_>, i: usize, what: &str, shape: &[i64]) -> Result<Tensor, crate::graph::GraphError> {
    let parameter = b.parameter(i, what)?;
    if parameter.size() != [shape[1]] {
        return Err(b.invalid(format!("its {what} has the shape {:?}", parameter.size())));
    }
    let mut view = vec![shape[1]];
    view.extend(std::iter::repeat_n(1, shape.len() - 2));
    Ok(parameter.f_reshape(view)?)
}

/// InstanceNormalization: statistics over the spatial axes of each channel.
pub fn instance(b: &mut Builder<'_>) -> Build {
    let shape = b.shape(0)?;
    if shape.len() < 3 {
        return Err(b.invalid("its input has no spatial axes"));
    }
    let epsilon = b.float("epsilon")?.unwrap_or(1e-5);
    let scale = Some(per_channel(b, 1, "scale", &shape)?);
    let bias = Some(per_channel(b, 2, "bias", &shape)?);
    b.varying_input(0)?;
    let op = Standardize { rank: shape.len(), view: None, over: shape.len() - 2, scale, bias, epsilon };
    Ok(Built { operator: Operator::Differentiable(Box::new(op)), flow: Flow::Pointwise })
}

/// GroupNormalization: statistics over the spatial axes and the channels of each group.
pub fn group(b: &mut Builder<'_>) -> Build {
    let shape = b.shape(0)?;
    let groups = b.int("num_groups")?.ok_or_else(|| b.invalid("it has no num_groups"))?;
    let _ = b.int("stash_type")?;
    if shape.len() < 2 || groups < 1 || shape[1] % groups != 0 {
        return Err(b.invalid(format!("its channels do not fit {groups} groups")));
    }
    let epsilon = b.float("epsilon")?.unwrap_or(1e-5);
    if b.opset < 21 {
        // Until opset 20 scale and bias are per group, which no exporter writes for affine channels.
        if b.shape(1)? != [shape[1]] {
            return Err(b.unsupported("a scale per group", "a scale per channel (opset 21) is"));
        }
    }
    let scale = Some(per_channel(b, 1, "scale", &shape)?);
    let bias = Some(per_channel(b, 2, "bias", &shape)?);
    b.varying_input(0)?;
    let rest: i64 = shape[2..].iter().product();
    let view = Some(vec![shape[0], groups, shape[1] / groups * rest]);
    let op = Standardize { rank: shape.len(), view, over: 1, scale, bias, epsilon };
    Ok(Built { operator: Operator::Differentiable(Box::new(op)), flow: Flow::Pointwise })
}

/// x/‖x‖_p along an axis.
#[derive(Debug)]
struct LpNormalize {
    axis: i64,
    p: i64,
}

impl Forward for LpNormalize {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let norm = x[0].f_norm_scalaropt_dim(self.p as f64, [self.axis], true)?;
        Ok(vec![x[0].f_div(&norm)?])
    }
}

/// LpNormalization.
pub fn lp(b: &mut Builder<'_>) -> Build {
    let rank = b.shape(0)?.len();
    let axis = b.int("axis")?.unwrap_or(-1);
    let axis = b.axis_from_end(axis, rank)?;
    let p = b.int("p")?.unwrap_or(2);
    b.varying_input(0)?;
    Ok(Built { operator: Operator::Automatic(Box::new(LpNormalize { axis, p })), flow: Flow::Pointwise })
}
