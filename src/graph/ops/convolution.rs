//! Conv and ConvTranspose.

use tch::Tensor;

use crate::graph::builder::{Build, Builder, Built};
use crate::graph::error::GraphError;
use crate::graph::layout::{Flow, Step};
use crate::graph::memory_format::{MemoryFormat, arranged};
use crate::graph::operator::{Activated, Linear, Operator, Pattern, Torch};
use crate::graph::parameter::{Held, ParameterRole};
use crate::graph::window::{Taps, Window, fold_stack, unfold_stack};

use super::convolve::{convolve, convolve_transposed};
use super::{Function, dynamic_convolution};

/// Reads `strides`, `dilations`, `pads` and `auto_pad` for an input of the given spatial shape.
///
/// # Errors
/// When an attribute has the wrong length or sign, or `auto_pad` an unknown value.
pub fn read_window(b: &mut Builder<'_>, spatial: &[i64], kernel: Vec<i64>) -> Result<Window, GraphError> {
    let axes = spatial.len();
    let strides = positive(b, "strides", axes)?.unwrap_or_else(|| vec![1; axes]);
    let dilations = positive(b, "dilations", axes)?.unwrap_or_else(|| vec![1; axes]);
    let pads = b.ints("pads")?;
    let auto = b.string("auto_pad")?.unwrap_or_else(|| "NOTSET".to_owned());
    let mut window = Window { kernel, strides, dilations, begin: vec![0; axes], end: vec![0; axes] };
    match auto.as_str() {
        "NOTSET" => {
            if let Some(pads) = pads {
                if pads.len() != 2 * axes || pads.iter().any(|p| *p < 0 || *p > MAX_PAD) {
                    return Err(b.invalid(format!("its attribute pads = {pads:?} does not fit {axes} spatial axes")));
                }
                window.begin.copy_from_slice(&pads[..axes]);
                window.end.copy_from_slice(&pads[axes..]);
            }
        }
        "VALID" => {}
        "SAME_UPPER" | "SAME_LOWER" => {
            for (axis, &samples) in spatial.iter().enumerate() {
                let stride = window.strides[axis];
                let outputs = (samples + stride - 1) / stride;
                let total = ((outputs - 1) * stride + window.reach(axis) - samples).max(0);
                let (small, large) = (total / 2, total - total / 2);
                let upper = auto == "SAME_UPPER";
                window.begin[axis] = if upper { small } else { large };
                window.end[axis] = if upper { large } else { small };
            }
        }
        _ => {
            return Err(b.unsupported(format!("auto_pad = '{auto}'"), "NOTSET, VALID, SAME_UPPER and SAME_LOWER are"));
        }
    }
    Ok(window)
}

/// More padding than any network has; more is a damaged file, and would ask for the memory.
const MAX_PAD: i64 = 1 << 20;

/// A list of positive integers, one per spatial axis.
pub fn positive(b: &mut Builder<'_>, name: &str, axes: usize) -> Result<Option<Vec<i64>>, GraphError> {
    let Some(values) = b.ints(name)? else { return Ok(None) };
    if values.len() != axes || values.iter().any(|v| *v < 1 || *v > MAX_PAD) {
        return Err(b.invalid(format!("its attribute {name} = {values:?} does not fit {axes} spatial axes")));
    }
    Ok(Some(values))
}

/// The shape of input 0 as batch, channels and one to three spatial axes.
pub fn spatial_input(b: &Builder<'_>) -> Result<Vec<i64>, GraphError> {
    let shape = b.shape(0)?;
    match shape.len() {
        3..=5 => Ok(shape),
        n => {
            let hint = "one to three spatial axes after batch and channels are";
            Err(b.unsupported(format!("an input of {n} axes"), hint))
        }
    }
}

#[derive(Debug)]
struct Convolution {
    weight: Tensor,
    offset: Option<Tensor>,
    window: Window,
    groups: i64,
}

impl Convolution {
    fn convolved(&self, x: &Tensor, bias: Option<&Tensor>) -> Torch<Vec<Tensor>> {
        let (x, lead) = fold_stack(x)?;
        let y = convolve(&self.window, &x, &self.weight, bias, self.groups)?;
        Ok(vec![unfold_stack(y, lead)?])
    }
}

impl Linear for Convolution {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        self.convolved(x[0], None)
    }

    fn value(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let bias = self.offset.as_ref().map(|offset| offset.f_reshape([-1])).transpose()?;
        self.convolved(x[0], bias.as_ref())
    }

    fn offset(&self) -> Option<&Tensor> {
        self.offset.as_ref()
    }

    fn is_fresh(&self) -> bool {
        true
    }

    fn parameters(&mut self) -> Vec<Held<'_>> {
        weight_and_bias(&mut self.weight, self.offset.as_mut(), 0)
    }

    fn arrange(&mut self, format: MemoryFormat) -> Torch<()> {
        // So that libtorch does not do it at every call.
        if self.weight.dim() == 4 {
            self.weight = arranged(&self.weight, format)?;
        }
        Ok(())
    }

    fn pattern(&self) -> Pattern<'_> {
        match self.window.kernel.len() {
            2 => Pattern::Convolution(Taps { weight: &self.weight, window: &self.window, groups: self.groups }),
            _ => Pattern::Any,
        }
    }
}

/// The convolution with these taps and this offset, `[channels, 1, 1]`, and a function of its entries after it.
///
/// Its tensors are those of the given ones, not copies.
pub fn activated_convolution(taps: Taps<'_>, offset: &Tensor, function: Function) -> Operator {
    let convolution = Convolution {
        weight: taps.weight.shallow_clone(),
        offset: Some(offset.shallow_clone()),
        window: taps.window.clone(),
        groups: taps.groups,
    };
    Operator::Activated(Activated { linear: Box::new(convolution), activation: Box::new(function) })
}

/// Refuses a bias that is not one entry per channel.
fn check_bias(b: &Builder<'_>, channels: i64) -> Result<(), GraphError> {
    if b.has(2) && b.shape(2)? != [channels] {
        return Err(b.invalid(format!("its bias has the shape {:?}, not [{channels}]", b.shape(2)?)));
    }
    Ok(())
}

/// Whether more than the image depends on the network's input, or the image does not.
fn is_dynamic(b: &Builder<'_>) -> bool {
    !b.folds() && (!b.varies(0) || b.varies(1) || b.varies(2))
}

/// The bias as an offset: one entry per channel, broadcast over the spatial axes.
fn channel_offset(b: &Builder<'_>, input: usize, channels: i64, axes: usize) -> Result<Option<Tensor>, GraphError> {
    if !b.has(input) {
        return Ok(None);
    }
    let bias = b.parameter(input, "bias")?;
    let mut shape = vec![channels];
    shape.extend(std::iter::repeat_n(1, axes));
    Ok(Some(bias.f_reshape(shape)?))
}

/// Conv: y_o = b_o + Σ_c w_oc ⋆ x_c.
pub fn conv(b: &mut Builder<'_>) -> Build {
    let shape = spatial_input(b)?;
    let (weights, groups) = (b.shape(1)?, b.int("group")?.unwrap_or(1));
    if weights.len() != shape.len() || weights.contains(&0) {
        return Err(b.invalid(format!("its weight has the shape {weights:?}")));
    }
    if groups < 1 || shape[1] != weights[1] * groups || weights[0] % groups != 0 {
        return Err(b.invalid(format!("{} channels do not fit a weight {weights:?} in {groups} groups", shape[1])));
    }
    let kernel = weights[2..].to_vec();
    if let Some(stated) = b.ints("kernel_shape")?
        && stated != kernel
    {
        return Err(b.invalid(format!("its attribute kernel_shape = {stated:?} contradicts its weight {weights:?}")));
    }
    let window = read_window(b, &shape[2..], kernel)?;
    let (mut padded, mut out) = (shape[..2].to_vec(), vec![shape[0], weights[0]]);
    for (axis, &samples) in shape[2..].iter().enumerate() {
        let length = samples + window.begin[axis] + window.end[axis];
        if length < window.reach(axis) {
            return Err(b.invalid(format!("its kernel is longer than the padded axis of {length} samples")));
        }
        padded.push(length);
        out.push((length - window.reach(axis)) / window.strides[axis] + 1);
    }
    b.check_size(&padded)?;
    b.check_size(&out)?;
    check_bias(b, weights[0])?;
    let flow = window.flow();
    if is_dynamic(b) {
        return dynamic_convolution::build(b, window, None, groups, flow);
    }
    let weight = b.parameter(1, "weight")?;
    let offset = channel_offset(b, 2, weights[0], shape.len() - 2)?;
    b.varying_input(0)?;
    Ok(Built { operator: Operator::Linear(Box::new(Convolution { weight, offset, window, groups })), flow })
}

/// The parameters of a convolution whose weight has its outputs along this axis.
fn weight_and_bias<'a>(weight: &'a mut Tensor, offset: Option<&'a mut Tensor>, outputs: usize) -> Vec<Held<'a>> {
    let shape = weight.size();
    let role = ParameterRole::Weight { outputs };
    let weight = Held { input: 1, role, tensor: weight, shape, transposed: false };
    let bias = offset.map(|offset| {
        let shape = vec![offset.numel() as i64];
        Held { input: 2, role: ParameterRole::Bias, tensor: offset, shape, transposed: false }
    });
    std::iter::once(weight).chain(bias).collect()
}

#[derive(Debug)]
struct TransposedConvolution {
    weight: Tensor,
    offset: Option<Tensor>,
    window: Window,
    /// What the full output keeps along each axis: start and length.
    crop: Vec<(i64, i64)>,
    groups: i64,
}

impl Linear for TransposedConvolution {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let (x, lead) = fold_stack(x[0])?;
        let y = convolve_transposed(&self.window, &self.crop, &x, &self.weight, self.groups)?;
        Ok(vec![unfold_stack(y, lead)?])
    }

    fn parameters(&mut self) -> Vec<Held<'_>> {
        weight_and_bias(&mut self.weight, self.offset.as_mut(), 1)
    }

    fn offset(&self) -> Option<&Tensor> {
        self.offset.as_ref()
    }

    fn is_fresh(&self) -> bool {
        true
    }

    fn pattern(&self) -> Pattern<'_> {
        match self.window.kernel.len() {
            2 => {
                Pattern::TransposedConvolution(Taps { weight: &self.weight, window: &self.window, groups: self.groups })
            }
            _ => Pattern::Any,
        }
    }
}

/// ConvTranspose: the adjoint of Conv.
pub fn conv_transpose(b: &mut Builder<'_>) -> Build {
    let shape = spatial_input(b)?;
    let (weights, groups) = (b.shape(1)?, b.int("group")?.unwrap_or(1));
    if weights.len() != shape.len() || weights.contains(&0) || groups < 1 {
        return Err(b.invalid(format!("its weight has the shape {weights:?}")));
    }
    if shape[1] != weights[0] || weights[0] % groups != 0 {
        return Err(b.invalid(format!("{} channels do not fit a weight {weights:?} in {groups} groups", shape[1])));
    }
    let axes = shape.len() - 2;
    let kernel = weights[2..].to_vec();
    if let Some(stated) = b.ints("kernel_shape")?
        && stated != kernel
    {
        return Err(b.invalid(format!("its attribute kernel_shape = {stated:?} contradicts its weight {weights:?}")));
    }
    let strides = positive(b, "strides", axes)?.unwrap_or_else(|| vec![1; axes]);
    let dilations = positive(b, "dilations", axes)?.unwrap_or_else(|| vec![1; axes]);
    let extra = b.ints("output_padding")?.unwrap_or_else(|| vec![0; axes]);
    let pads = b.ints("pads")?.unwrap_or_else(|| vec![0; 2 * axes]);
    let wanted = b.ints("output_shape")?;
    let auto = b.string("auto_pad")?.unwrap_or_else(|| "NOTSET".to_owned());
    let bad = |v: &Vec<i64>, n: usize| v.len() != n || v.iter().any(|p| *p < 0 || *p > MAX_PAD);
    if bad(&extra, axes) || bad(&pads, 2 * axes) || wanted.as_ref().is_some_and(|w| bad(w, axes)) {
        return Err(b.invalid(format!("its pads, output_padding or output_shape do not fit {axes} spatial axes")));
    }
    let mut window = Window { kernel, strides, dilations, begin: vec![0; axes], end: vec![0; axes] };
    let mut crop = Vec::with_capacity(axes);
    let mut whole = vec![shape[0], weights[1].saturating_mul(groups)];
    for axis in 0..axes {
        let full = window.strides[axis] * (shape[2 + axis] - 1) + extra[axis] + window.reach(axis);
        let same = matches!(auto.as_str(), "SAME_UPPER" | "SAME_LOWER");
        let target = wanted.as_ref().map(|w| w[axis]).or(same.then(|| shape[2 + axis] * window.strides[axis]));
        if b.opset < 11 && target.is_some_and(|target| (full - target).max(0) % 2 == 1) {
            let hint = "convert the model to opset 11, which says on which side";
            return Err(b.unsupported("an odd number of samples to cut off for auto_pad or output_shape", hint));
        }
        let begin = match (target, auto.as_str()) {
            // An output longer than the full one is filled up filled with zeros.
            (Some(target), "SAME_UPPER") => (full - target).max(0) / 2,
            (Some(target), _) => ((full - target).max(0) + 1) / 2,
            (None, "NOTSET") => pads[axis],
            (None, "VALID") => 0,
            (None, _) => return Err(b.unsupported(format!("auto_pad = '{auto}'"), String::new())),
        };
        let length = target.unwrap_or(full - begin - if auto == "VALID" { 0 } else { pads[axes + axis] });
        if begin < 0 || length < 1 {
            return Err(b.invalid(format!("its padding leaves {length} output samples along spatial axis {axis}")));
        }
        window.begin[axis] = begin;
        crop.push((begin, length));
        whole.push(full.max(begin + length));
    }
    b.check_size(&whole)?;
    let flow = match axes {
        2 => {
            let step = |a: usize| {
                Step::transposed_window(window.kernel[a], window.strides[a], window.dilations[a], window.begin[a])
            };
            Flow::Resampled { rows: step(0), columns: step(1) }
        }
        _ => Flow::Unknown,
    };
    check_bias(b, weights[1].saturating_mul(groups))?;
    if is_dynamic(b) {
        return dynamic_convolution::build(b, window, Some(crop), groups, flow);
    }
    let weight = b.parameter(1, "weight")?;
    let offset = channel_offset(b, 2, weights[1] * groups, axes)?;
    b.varying_input(0)?;
    Ok(Built {
        operator: Operator::Linear(Box::new(TransposedConvolution { weight, offset, window, crop, groups })),
        flow,
    })
}
