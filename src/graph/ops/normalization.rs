//! BatchNormalization, LayerNormalization, RMSNormalization, InstanceNormalization, GroupNormalization and
//! LpNormalization.

use tch::{Kind, Tensor};

use crate::graph::builder::{Build, Builder, Built};
use crate::graph::kernels;
use crate::graph::layout::Flow;
use crate::graph::operator::{Differentiable, Forward, Linear, Operator, Point, Stack, Torch};

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

    fn constants(&self) -> Vec<&Tensor> {
        vec![&self.scale, &self.offset]
    }
}

/// BatchNormalization at test time.
pub fn batch(b: &mut Builder<'_>) -> Build {
    let training = b.int("training_mode")?.unwrap_or(0) != 0;
    if training && !b.folds() {
        return Err(b.unsupported("training_mode = 1", "export the network in evaluation mode"));
    }
    if b.outputs() > 1 && !training {
        return Err(b.unsupported("running statistics as outputs", "export the network in evaluation mode"));
    }
    let momentum = b.float("momentum")?.unwrap_or(0.9);
    // Until opset 8 statistics may be those of each entry instead of each channel.
    let per_entry = b.opset < 9 && b.int("spatial")?.unwrap_or(1) == 0;
    let epsilon = b.float("epsilon")?.unwrap_or(1e-5);
    let shape = b.shape(0)?;
    if shape.len() < 2 {
        return Err(b.invalid("its input has no channels"));
    }
    if training {
        return standardized_weights(b, &shape, epsilon, momentum);
    }
    let kind = b.kind(0)?;
    let channels = if per_entry { shape[1..].to_vec() } else { vec![shape[1]] };
    let mut view = channels.clone();
    view.extend(std::iter::repeat_n(1, shape.len() - 1 - channels.len()));
    let mut parameters = Vec::with_capacity(4);
    for (i, what) in [(1, "scale"), (2, "bias"), (3, "mean"), (4, "variance")] {
        let parameter = b.parameter(i, what)?;
        if parameter.size() != channels {
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

/// Batch normalisation by the statistics of its own input, of constants alone: networks that standardise their weights
/// are written so.
#[derive(Debug)]
struct OwnStatistics {
    /// Scale, bias, and the running mean and variance that come in, per channel.
    parameters: [Tensor; 4],
    /// The input's own axes.
    rank: usize,
    epsilon: f64,
    momentum: f64,
    outputs: usize,
}

impl Forward for OwnStatistics {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let rank = self.rank as i64;
        // All axes but those of the stack and the channels.
        let axes: Vec<i64> = (-rank..0).filter(|&axis| axis != 1 - rank).collect();
        let mean_of = |x: &Tensor, keep: bool| x.f_mean_dim(axes.as_slice(), keep, None::<Kind>);
        let centred = x[0].f_sub(&mean_of(x[0], true)?)?;
        let variance = mean_of(&centred.f_square()?, true)?;
        let mut view = vec![-1];
        view.extend(std::iter::repeat_n(1, self.rank - 2));
        let [scale, bias, mean, running] = &self.parameters;
        let inverse = variance.f_add_scalar(self.epsilon)?.f_rsqrt()?;
        let scaled = centred.f_mul(&inverse)?.f_mul(&scale.f_reshape(view.as_slice())?)?;
        let mut outputs = vec![scaled.f_add(&bias.f_reshape(view.as_slice())?)?];
        let followed = |before: &Tensor, now: &Tensor| {
            now.f_mul_scalar(1.0 - self.momentum)?.f_add(&before.f_mul_scalar(self.momentum)?)
        };
        outputs.push(followed(mean, &mean_of(x[0], false)?)?);
        outputs.push(followed(running, &mean_of(&centred.f_square()?, false)?)?);
        outputs.truncate(self.outputs.max(1));
        Ok(outputs)
    }
}

fn standardized_weights(b: &mut Builder<'_>, shape: &[i64], epsilon: f64, momentum: f64) -> Build {
    let mut parameters = Vec::with_capacity(4);
    for (i, what) in [(1, "scale"), (2, "bias"), (3, "mean"), (4, "variance")] {
        let parameter = b.parameter(i, what)?;
        if parameter.size() != [shape[1]] {
            return Err(b.invalid(format!("its {what} has the shape {:?}", parameter.size())));
        }
        parameters.push(parameter);
    }
    let Ok(parameters) = <[Tensor; 4]>::try_from(parameters) else { return Err(b.invalid("it has no statistics")) };
    b.varying_input(0)?;
    let op = OwnStatistics { parameters, rank: shape.len(), epsilon, momentum, outputs: b.outputs() };
    Ok(Built { operator: Operator::Automatic(Box::new(op)), flow: Flow::Unknown })
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
    /// Whether the mean and 1/√(var + ε) are outputs too.
    statistics: bool,
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

    fn mean(&self, x: &Tensor) -> Torch<Tensor> {
        x.f_mean_dim(self.axes().as_slice(), true, None::<Kind>)
    }

    /// x̂ and 1/√(var + ε).
    fn standardized(&self, x: &Tensor) -> Torch<(Tensor, Tensor)> {
        let x = self.viewed(x)?;
        let centred = x.f_sub(&self.mean(&x)?)?;
        let inverse = self.mean(&centred.f_square()?)?.f_add_scalar(self.epsilon)?.f_rsqrt()?;
        Ok((centred.f_mul(&inverse)?, inverse))
    }

    /// The sizes of the axes that the statistics run over, where libtorch's layer norm is what is asked for.
    fn native_axes(&self, x: &Tensor) -> Option<Vec<i64>> {
        let size = x.size();
        let axes = size[size.len().checked_sub(self.over)?..].to_vec();
        let fits = |parameter: &Option<Tensor>| parameter.as_ref().is_none_or(|parameter| parameter.size() == axes);
        let plain = self.view.is_none() && !self.statistics && self.over > 0;
        (plain && fits(&self.scale) && fits(&self.bias)).then_some(axes)
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
        if let Some(axes) = self.native_axes(x[0]) {
            return Ok(vec![x[0].f_layer_norm(axes, self.scale.as_ref(), self.bias.as_ref(), self.epsilon, false)?]);
        }
        let (normalized, inverse) = self.standardized(x[0])?;
        let y = self.scaled(normalized, x[0])?;
        let y = match &self.bias {
            Some(bias) => y.f_add(bias)?,
            None => y,
        };
        Ok(if self.statistics { vec![y, self.mean(x[0])?, inverse] } else { vec![y] })
    }

    fn value_and_jvp(&self, x: &[&Tensor], dx: &[Option<Tensor>]) -> Torch<Option<Vec<Tensor>>> {
        let (Some(axes), [Some(dx)]) = (self.native_axes(x[0]), dx) else { return Ok(None) };
        let n = axes.iter().product();
        if kernels::can_loop_over(x[0]) && n > 0 {
            let (scale, bias) = (self.scale.as_ref(), self.bias.as_ref());
            let (value, mean, inverse) = x[0].f_native_layer_norm(axes.as_slice(), scale, bias, self.epsilon)?;
            let Stack { whole, mut y, dy } = Stack::new(&x[0].size(), dx.size()[0], &value)?;
            y.f_copy_(&value)?;
            let scale = scale.map(Tensor::f_contiguous).transpose()?;
            kernels::layer_norm_tangent(&dy, dx, x[0], (&mean, &inverse), scale.as_ref(), n)?;
            return Ok(Some(vec![whole]));
        }
        let none = None::<&Tensor>;
        let (normalized, _, inverse) = x[0].f_native_layer_norm(axes.as_slice(), none, none, self.epsilon)?;
        let (value, slope) = match &self.scale {
            Some(scale) => (normalized.f_mul(scale)?, inverse.f_mul(scale)?),
            None => (normalized.shallow_clone(), inverse),
        };
        let value = match &self.bias {
            Some(bias) => value.f_add(bias)?,
            None => value,
        };
        // As `tangent`, with no other memory than the result's, which holds x̂·dx first.
        let Stack { whole, mut y, mut dy } = Stack::new(&x[0].size(), dx.size()[0], &normalized)?;
        y.f_copy_(&value)?;
        let _ = dx.f_mul_out(&dy, &normalized)?;
        let along = self.mean(&dy)?.f_neg()?;
        let _ = dx.f_sub_out(&dy, &self.mean(dx)?)?;
        let _ = dy.f_addcmul_(&normalized, &along)?;
        let _ = dy.f_mul_(&slope)?;
        Ok(Some(vec![whole]))
    }

    fn tangent(&self, at: &Point<'_>) -> Torch<Vec<Tensor>> {
        // With x̂ = (x − μ)/σ:  dx̂ = (dx − mean(dx) − x̂·mean(x̂·dx))/σ,  d(1/σ) = −mean(x̂·dx)/σ².
        let (normalized, inverse) = self.standardized(at.x[0])?;
        let dx = at.sum(|_, dx| Ok(dx.shallow_clone()))?;
        let moved = self.viewed(&dx)?;
        let along = self.mean(&moved.f_mul(&normalized)?)?;
        let mean = self.mean(&moved)?;
        let dy = moved.f_sub(&mean)?.f_sub(&normalized.f_mul(&along)?)?.f_mul(&inverse)?;
        let dy = self.scaled(dy, &dx)?;
        Ok(if self.statistics { vec![dy, mean, along.f_mul(&inverse.f_square()?)?.f_neg()?] } else { vec![dy] })
    }
}

/// Layer norm over the last of `rank` axes, with a scale and an offset of every feature where they are given.
pub fn standardized(rank: usize, scale: Option<Tensor>, bias: Option<Tensor>, epsilon: f64) -> Operator {
    let op = Standardize { rank, view: None, over: 1, scale, bias, epsilon, statistics: false };
    Operator::Differentiable(Box::new(op))
}

/// LayerNormalization over the axes from `axis` to the last.
pub fn layer(b: &mut Builder<'_>) -> Build {
    // The precision of the statistics; the whole run has one.
    let _ = b.int("stash_type")?;
    let shape = b.shape(0)?;
    let axis = b.int("axis")?.unwrap_or(-1);
    let axis = b.axis_from_end(axis, shape.len())?;
    let epsilon = b.float("epsilon")?.unwrap_or(1e-5);
    let scale = if b.has(1) { Some(b.parameter(1, "scale")?) } else { None };
    let bias = if b.has(2) { Some(b.parameter(2, "bias")?) } else { None };
    b.varying_input(0)?;
    let op = Standardize {
        rank: shape.len(),
        view: None,
        over: -axis as usize,
        scale,
        bias,
        epsilon,
        statistics: b.outputs() > 1,
    };
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
    let op =
        Standardize { rank: shape.len(), view: None, over: shape.len() - 2, scale, bias, epsilon, statistics: false };
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
    // Until opset 20 there is one scale and bias per group, then one per channel.
    let per_group = b.opset < 21 && b.shape(1)? == [groups];
    let parameter = |b: &Builder<'_>, i: usize, what: &str| -> Result<Tensor, crate::graph::GraphError> {
        if !per_group {
            return per_channel(b, i, what, &shape);
        }
        let each = b.parameter(i, what)?;
        if each.size() != [groups] {
            return Err(b.invalid(format!("its {what} has the shape {:?}", each.size())));
        }
        let mut view = vec![shape[1]];
        view.extend(std::iter::repeat_n(1, shape.len() - 2));
        Ok(each.f_repeat_interleave_self_int(shape[1] / groups, 0, None)?.f_reshape(view)?)
    };
    let scale = Some(parameter(b, 1, "scale")?);
    let bias = Some(parameter(b, 2, "bias")?);
    b.varying_input(0)?;
    let rest: i64 = shape[2..].iter().product();
    let view = Some(vec![shape[0], groups, shape[1] / groups * rest]);
    let op = Standardize { rank: shape.len(), view, over: 1, scale, bias, epsilon, statistics: false };
    Ok(Built { operator: Operator::Differentiable(Box::new(op)), flow: Flow::Pointwise })
}

/// x/‖x‖_p along an axis, p = 1 or 2; 0 where the norm is 0.
#[derive(Debug)]
struct LpNormalize {
    axis: i64,
    p: i64,
}

impl LpNormalize {
    fn sum(&self, x: &Tensor) -> Torch<Tensor> {
        x.f_sum_dim_intlist([self.axis].as_slice(), true, None::<Kind>)
    }

    /// The norm, 1 where it is 0.
    fn norm(&self, x: &Tensor) -> Torch<Tensor> {
        let norm = if self.p == 1 { self.sum(&x.f_abs()?)? } else { self.sum(&x.f_square()?)?.f_sqrt()? };
        norm.f_masked_fill(&norm.f_eq(0.0)?, 1.0)
    }
}

impl Differentiable for LpNormalize {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![x[0].f_div(&self.norm(x[0])?)?])
    }

    fn tangent(&self, at: &Point<'_>) -> Torch<Vec<Tensor>> {
        // y = x/n:  dy = (dx − y·dn)/n,  dn = Σ x·dx/n, or Σ sign(x)·dx.
        let (x, y) = (at.x[0], &at.y[0]);
        let norm = self.norm(x)?;
        let slope = if self.p == 1 { x.f_sign()? } else { y.shallow_clone() };
        let dy = at.sum(|_, dx| dx.f_sub(&self.sum(&dx.f_mul(&slope)?)?.f_mul(y)?)?.f_div(&norm))?;
        Ok(vec![dy])
    }
}

/// LpNormalization.
pub fn lp(b: &mut Builder<'_>) -> Build {
    let rank = b.shape(0)?.len();
    let axis = b.int("axis")?.unwrap_or(-1);
    let axis = b.axis_from_end(axis, rank)?;
    let p = b.int("p")?.unwrap_or(2);
    if !matches!(p, 1 | 2) {
        return Err(b.unsupported(format!("p = {p}"), "1 and 2 are"));
    }
    b.varying_input(0)?;
    Ok(Built { operator: Operator::Differentiable(Box::new(LpNormalize { axis, p })), flow: Flow::Pointwise })
}

/// γ·x/√(mean(x²) + ε) over the last axes.
#[derive(Debug)]
struct RootMeanSquare {
    over: usize,
    scale: Tensor,
    epsilon: f64,
}

impl RootMeanSquare {
    fn mean(&self, x: &Tensor) -> Torch<Tensor> {
        x.f_mean_dim((-(self.over as i64)..0).collect::<Vec<_>>(), true, None::<Kind>)
    }

    fn inverse(&self, x: &Tensor) -> Torch<Tensor> {
        self.mean(&x.f_square()?)?.f_add_scalar(self.epsilon)?.f_rsqrt()
    }
}

impl Differentiable for RootMeanSquare {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![x[0].f_mul(&self.inverse(x[0])?)?.f_mul(&self.scale)?])
    }

    fn tangent(&self, at: &Point<'_>) -> Torch<Vec<Tensor>> {
        // With x̂ = x·r:  dx̂ = r·(dx − x̂·mean(x̂·dx)).
        let inverse = self.inverse(at.x[0])?;
        let normalized = at.x[0].f_mul(&inverse)?;
        let dy = at.sum(|_, dx| {
            let along = self.mean(&dx.f_mul(&normalized)?)?;
            dx.f_sub(&normalized.f_mul(&along)?)?.f_mul(&inverse)?.f_mul(&self.scale)
        })?;
        Ok(vec![dy])
    }
}

/// RMSNormalization over the axes from `axis` to the last.
pub fn root_mean_square(b: &mut Builder<'_>) -> Build {
    let _ = b.int("stash_type")?;
    let rank = b.shape(0)?.len();
    let axis = b.int("axis")?.unwrap_or(-1);
    let axis = b.axis_from_end(axis, rank)?;
    let epsilon = b.float("epsilon")?.unwrap_or(1e-5);
    let scale = b.parameter(1, "scale")?;
    b.varying_input(0)?;
    let op = RootMeanSquare { over: -axis as usize, scale, epsilon };
    Ok(Built { operator: Operator::Differentiable(Box::new(op)), flow: Flow::Pointwise })
}
