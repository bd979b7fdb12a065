//! AveragePool, MaxPool and their global forms.

use tch::{Kind, Tensor};

use crate::graph::builder::{Build, Builder, Built};
use crate::graph::error::GraphError;
use crate::graph::layout::Flow;
use crate::graph::operator::{Differentiable, Linear, Operator, Pattern, Point, Stack, Torch};
use crate::graph::window::{Taps, Window, fold_stack, unfold_stack};

use super::activation::is_integer;
use super::convolution::{read_window, spatial_input};
use super::convolve::convolve;
use super::pad;

/// A pooling window, with `ceil_mode` turned into padding at the end.
#[derive(Debug)]
pub struct PoolWindow {
    /// Over rows and columns, or over depth, rows and columns; rows of one where the input has one spatial axis.
    pub window: Window,
    /// Padding at the end, with what `ceil_mode` adds; that never counts as padding in an average.
    end: Vec<i64>,
    /// Whether the rows were put in.
    lifted: bool,
    /// `[batch, channels, rows, columns]`, or with depth in front of the rows.
    shape: Vec<i64>,
}

/// Reads a pooling node's window.
///
/// # Errors
/// When attributes contradict each other or the input.
pub fn pool_window(b: &mut Builder<'_>) -> Result<PoolWindow, GraphError> {
    let shape = spatial_input(b)?;
    let axes = shape.len() - 2;
    let kernel =
        super::convolution::positive(b, "kernel_shape", axes)?.ok_or_else(|| b.invalid("it has no kernel_shape"))?;
    let mut window = read_window(b, &shape[2..], kernel)?;
    let ceil = b.int("ceil_mode")?.unwrap_or(0) != 0;
    let mut end = window.end.clone();
    for axis in 0..axes {
        let (stride, padded) = (window.strides[axis], shape[2 + axis] + window.begin[axis] + window.end[axis]);
        let over = padded - window.reach(axis);
        if over < 0 {
            return Err(b.invalid(format!("its window is longer than the padded axis of {padded} samples")));
        }
        if ceil && over % stride != 0 {
            // The last window must start inside the input or its leading padding, not in the padding after it.
            let outputs = over / stride + 2;
            if (outputs - 1) * stride < shape[2 + axis] + window.begin[axis] {
                end[axis] += stride - over % stride;
            }
        }
    }
    let lifted = axes == 1;
    if lifted {
        for (list, one) in [
            (&mut window.kernel, 1),
            (&mut window.strides, 1),
            (&mut window.dilations, 1),
            (&mut window.begin, 0),
            (&mut window.end, 0),
            (&mut end, 0),
        ] {
            list.insert(0, one);
        }
    }
    let mut shape = shape;
    if lifted {
        shape.insert(2, 1);
    }
    let padded = shape[2..].iter().zip(&window.begin).zip(&end).map(|((n, begin), end)| n + begin + end);
    b.check_size(&shape[..2].iter().copied().chain(padded).collect::<Vec<_>>())?;
    Ok(PoolWindow { window, end, lifted, shape })
}

impl PoolWindow {
    fn needs_padding(&self) -> bool {
        self.window.begin.iter().chain(&self.end).any(|&p| p > 0)
    }

    fn is_dilated(&self) -> bool {
        self.window.dilations.iter().any(|&d| d != 1)
    }

    /// Whether it runs over rows and columns.
    fn is_planar(&self) -> bool {
        !self.lifted && self.window.kernel.len() == 2
    }

    /// Where output samples lie.
    pub fn flow(&self) -> Flow {
        let w = &self.window;
        match self.lifted {
            false => w.flow(),
            true if w.kernel[1] == w.strides[1] && !self.needs_padding() && !self.is_dilated() => {
                Flow::Pooled { length: w.kernel[1] }
            }
            true => Flow::Unknown,
        }
    }

    /// `[stack, …]` as `[stack·batch, channels, rows, columns]`, padded with `value`; and the leading sizes.
    pub fn folded(&self, x: &Tensor, value: f64) -> Torch<(Tensor, [i64; 2])> {
        let (x, lead) = fold_stack(x)?;
        let x = if self.lifted { x.f_unsqueeze(-2)? } else { x };
        Ok((if self.needs_padding() { pad::constant(&x, &self.window.begin, &self.end, value)? } else { x }, lead))
    }

    /// The inverse of [`folded`](Self::folded) for an output.
    pub fn unfolded(&self, y: Tensor, lead: [i64; 2]) -> Torch<Tensor> {
        unfold_stack(if self.lifted { y.f_squeeze_dim(-2)? } else { y }, lead)
    }

    /// The sums under each window of `x`, `[any, channels, rows, columns]`, padded already.
    pub fn sums(&self, x: &Tensor) -> Torch<Tensor> {
        let w = &self.window;
        if !self.is_dilated() {
            return match w.kernel.len() {
                2 => x.f_avg_pool2d(&w.kernel, &w.strides, [0, 0], false, true, 1),
                _ => x.f_avg_pool3d(&w.kernel, &w.strides, [0, 0, 0], false, true, 1),
            };
        }
        let size = x.size();
        let ones = Tensor::f_ones([&[1, 1], w.kernel.as_slice()].concat(), (x.kind(), x.device()))?;
        let flat = x.f_reshape([&[size[0] * size[1], 1], &size[2..]].concat())?;
        let y = convolve(&w.unpadded(), &flat, &ones, None, 1)?;
        y.f_view([&size[..2], &y.size()[2..]].concat().as_slice())
    }
}

#[derive(Debug)]
struct AveragePool {
    pool: PoolWindow,
    /// 1/(samples under each window), or none where that is the kernel's size everywhere.
    weight: Option<Tensor>,
    /// The window inside the image as a convolution, one group per channel.
    taps: Tensor,
}

impl Linear for AveragePool {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let (x, lead) = self.pool.folded(x[0], 0.0)?;
        let w = &self.pool.window;
        let y = match &self.weight {
            Some(weight) => self.pool.sums(&x)?.f_mul_(weight)?,
            None if w.kernel.len() == 2 => x.f_avg_pool2d(&w.kernel, &w.strides, [0, 0], false, true, None)?,
            None => x.f_avg_pool3d(&w.kernel, &w.strides, [0, 0, 0], false, true, None)?,
        };
        Ok(vec![self.pool.unfolded(y, lead)?])
    }

    fn is_fresh(&self) -> bool {
        true
    }

    fn pattern(&self) -> Pattern<'_> {
        let taps = Taps { weight: &self.taps, window: &self.pool.window, groups: self.taps.size()[0] };
        if self.pool.is_planar() { Pattern::Convolution(taps) } else { Pattern::Any }
    }
}

/// AveragePool: the mean under each window, over the samples that count.
pub fn average_pool(b: &mut Builder<'_>) -> Build {
    let pool = pool_window(b)?;
    let kind = b.kind(0)?;
    let count_padding = b.int("count_include_pad")?.unwrap_or(0) != 0;
    let weight = if pool.needs_padding() || pool.is_dilated() {
        let w = &pool.window;
        let counted = Tensor::f_ones([&[1, 1], &pool.shape[2..]].concat(), (kind, b.device()))?;
        let counted = if count_padding {
            let beyond: Vec<i64> = pool.end.iter().zip(&w.end).map(|(all, stated)| all - stated).collect();
            pad::zeros(&pad::constant(&counted, &w.begin, &w.end, 1.0)?, &vec![0; beyond.len()], &beyond)?
        } else {
            pad::zeros(&counted, &w.begin, &pool.end)?
        };
        let counts = pool.sums(&counted)?;
        if counts.f_min()?.f_double_value(&[])? < 0.5 {
            return Err(b.invalid("one of its windows lies in the padding alone"));
        }
        Some(counts.f_reciprocal()?)
    } else {
        None
    };
    b.varying_input(0)?;
    let flow = pool.flow();
    let kernel = &pool.window.kernel;
    let share = 1.0 / kernel.iter().product::<i64>() as f64;
    let taps = Tensor::f_full([&[pool.shape[1], 1], kernel.as_slice()].concat(), share, (kind, b.device()))?;
    let op = AveragePool { pool, weight, taps };
    Ok(Built { operator: Operator::Linear(Box::new(op)), flow })
}

/// The largest sample under each window.
#[derive(Debug)]
pub struct MaxPool {
    pool: PoolWindow,
    /// Whether the winners' places are an output; then whether columns come before rows in them.
    indices: Option<bool>,
}

impl MaxPool {
    /// Max-pooling without padding.
    pub fn unpadded(window: &Window) -> Self {
        let pool = PoolWindow { window: window.unpadded(), end: vec![0; 2], lifted: false, shape: vec![0; 4] };
        Self { pool, indices: None }
    }

    /// Whether libtorch's own padding does: the same on both sides, and half a window at most.
    fn pads_itself(&self) -> bool {
        let (w, end) = (&self.pool.window, &self.pool.end);
        w.begin == *end && w.begin.iter().zip(&w.kernel).all(|(&pad, &taps)| 2 * pad <= taps)
    }

    fn pooled(&self, x: &Tensor) -> Torch<(Tensor, Tensor, [i64; 2])> {
        let (x, lead) = self.pool.folded(x, f64::NEG_INFINITY)?;
        let w = &self.pool.window;
        let (y, index) = match w.kernel.len() {
            2 => x.f_max_pool2d_with_indices(&w.kernel, &w.strides, [0, 0], &w.dilations, false)?,
            _ => x.f_max_pool3d_with_indices(&w.kernel, &w.strides, [0, 0, 0], &w.dilations, false)?,
        };
        Ok((y, index, lead))
    }

    /// libtorch's places in the padded plane as ONNX's in the whole input, padding left out.
    fn places(&self, index: &Tensor, lead: [i64; 2], columns_first: bool) -> Torch<Tensor> {
        let (shape, w) = (&self.pool.shape, &self.pool.window);
        let axes = w.kernel.len();
        // Coordinates, from the last axis to the first.
        let mut rest = index.shallow_clone();
        let mut coordinates = Vec::with_capacity(axes);
        for axis in (0..axes).rev() {
            let length = shape[2 + axis] + w.begin[axis] + self.pool.end[axis];
            coordinates.push((rest.f_remainder(length)?.f_sub_scalar(w.begin[axis])?, shape[2 + axis]));
            rest = rest.f_div_scalar_mode(length, "floor")?;
        }
        if !columns_first {
            coordinates.reverse();
        }
        let mut place = index.f_zeros_like()?;
        for (coordinate, samples) in &coordinates {
            place = place.f_mul_scalar(*samples)?.f_add(coordinate)?;
        }
        let plane: i64 = shape[2..].iter().product();
        let planes = Tensor::f_arange(shape[0] * shape[1], (Kind::Int64, index.device()))?.f_mul_scalar(plane)?;
        let own = if self.pool.lifted { 1 } else { axes };
        let planes = planes.f_view([&shape[..2], vec![1; own].as_slice()].concat().as_slice())?;
        self.pool.unfolded(place, lead)?.f_add(&planes)
    }
}

impl Differentiable for MaxPool {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        // libtorch pools floats alone; 8 bits fit them exactly.
        let kind = x[0].kind();
        let (y, index, lead) =
            if is_integer(kind) { self.pooled(&x[0].f_to_kind(Kind::Float)?)? } else { self.pooled(x[0])? };
        let mut outputs = vec![self.pool.unfolded(y, lead)?.f_to_kind(kind)?];
        if let Some(columns_first) = self.indices {
            outputs.push(self.places(&index, lead, columns_first)?);
        }
        Ok(outputs)
    }

    fn tangent(&self, at: &Point<'_>) -> Torch<Vec<Tensor>> {
        // The tangent of the sample that was largest. The winners are found again rather than kept from `forward`,
        // which keeps operators without state; pooling the primals costs an eighth of the sweep's pooling.
        let (_, index, lead) = self.pooled(at.x[0])?;
        let dx = at.dx[0].as_ref().ok_or_else(|| tch::TchError::Torch("MaxPool's input does not move".into()))?;
        let tangents = dx.size()[0];
        let (flat, _) = self.pool.folded(&dx.f_flatten(0, 1)?, 0.0)?;
        let (channels, out) = (flat.size()[1], index.size()[2..].iter().product::<i64>());
        let flat = flat.f_reshape([tangents, lead[0] * lead[1], channels, -1])?;
        let index = index.f_reshape([1, lead[0] * lead[1], channels, out])?;
        let picked = flat.f_gather(-1, &index.f_expand([tangents, -1, -1, -1], false)?, false)?;
        let mut outputs = vec![picked.f_view([&[tangents], at.y[0].size().as_slice()].concat().as_slice())?];
        if let Some(places) = at.y.get(1) {
            outputs.push(places.f_zeros_like()?.f_expand([&[tangents], places.size().as_slice()].concat(), false)?);
        }
        Ok(outputs)
    }

    fn value_and_jvp(&self, x: &[&Tensor], dx: &[Option<Tensor>]) -> Torch<Option<Vec<Tensor>>> {
        let [Some(dx)] = dx else { return Ok(None) };
        let strides = x[0].stride();
        let channels_last = strides.len() == 5 && strides[2] == 1 && x[0].size()[2] > 1 && dx.stride()[3] == 1;
        if self.indices.is_some() || self.pool.lifted || !channels_last || !self.pads_itself() {
            return Ok(None);
        }
        // Everything stays in channels-last memory: a tangent is picked where the maximum was, channels side by side.
        let w = &self.pool.window;
        let (flat, lead) = fold_stack(x[0])?;
        let (value, index) = flat.f_max_pool2d_with_indices(&w.kernel, &w.strides, &w.begin, &w.dilations, false)?;
        let value = unfold_stack(value, lead)?;
        let tangents = dx.size()[0];
        let Stack { whole, mut y, dy } = Stack::new(&value.size(), tangents, &value)?;
        y.f_copy_(&value)?;
        // [tangents, stack·batch, rows·columns, channels]
        let channels_behind =
            |t: &Tensor| -> Torch<Tensor> { t.f_flatten(1, 2)?.f_permute([0, 1, 3, 4, 2])?.f_flatten(2, 3) };
        let index = index.f_permute([0, 2, 3, 1])?.f_flatten(1, 2)?.f_unsqueeze(0)?;
        let (from, to) = (channels_behind(dx)?, channels_behind(&dy)?);
        if to.data_ptr() == dy.data_ptr() {
            let _ = from.f_gather_out(&to, 2, &index.f_expand(to.size(), false)?, false)?;
        } else {
            return Ok(None);
        }
        Ok(Some(vec![whole]))
    }

    fn max_window(&self) -> Option<&Window> {
        self.pool.is_planar().then_some(&self.pool.window)
    }
}

/// MaxPool: the largest sample under each window; its tangent is that sample's. Its places do not move.
pub fn max_pool(b: &mut Builder<'_>) -> Build {
    let columns_first = match b.int("storage_order")?.unwrap_or(0) {
        0 => false,
        1 => true,
        other => return Err(b.unsupported(format!("storage_order = {other}"), "0 and 1 are")),
    };
    let pool = pool_window(b)?;
    b.varying_input(0)?;
    let flow = pool.flow();
    let op = MaxPool { pool, indices: (b.outputs() > 1).then_some(columns_first) };
    Ok(Built { operator: Operator::Differentiable(Box::new(op)), flow })
}

#[derive(Debug)]
struct GlobalAverage {
    axes: Vec<i64>,
}

impl Linear for GlobalAverage {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![x[0].f_mean_dim(self.axes.as_slice(), true, None::<Kind>)?])
    }

    fn is_fresh(&self) -> bool {
        true
    }
}

/// GlobalAveragePool: the mean over the spatial axes.
pub fn global_average_pool(b: &mut Builder<'_>) -> Build {
    let shape = spatial_input(b)?;
    b.varying_input(0)?;
    let axes: Vec<i64> = (2 - shape.len() as i64..0).collect();
    let flow = Flow::Reduced { axes: axes.clone(), keep: true };
    Ok(Built { operator: Operator::Linear(Box::new(GlobalAverage { axes })), flow })
}

#[derive(Debug)]
struct GlobalMax {
    /// Spatial axes.
    axes: i64,
}

impl GlobalMax {
    fn flat(&self, x: &Tensor) -> Torch<Tensor> {
        x.f_flatten(-self.axes, -1)
    }
}

impl Differentiable for GlobalMax {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![x[0].f_amax((-self.axes..0).collect::<Vec<_>>(), true)?])
    }

    fn tangent(&self, at: &Point<'_>) -> Torch<Vec<Tensor>> {
        let index = self.flat(at.x[0])?.f_argmax(-1, true)?.f_unsqueeze(0)?;
        let dy = at.sum(|_, dx| {
            let size = [&[dx.size()[0]], at.y[0].size().as_slice()].concat();
            let mut expanded = index.size();
            expanded[0] = size[0];
            self.flat(dx)?.f_gather(-1, &index.f_expand(expanded, false)?, false)?.f_view(size.as_slice())
        })?;
        Ok(vec![dy])
    }
}

/// GlobalMaxPool: the largest sample of each channel.
pub fn global_max_pool(b: &mut Builder<'_>) -> Build {
    let axes = spatial_input(b)?.len() as i64 - 2;
    b.varying_input(0)?;
    let flow = Flow::Reduced { axes: (-axes..0).collect(), keep: true };
    Ok(Built { operator: Operator::Differentiable(Box::new(GlobalMax { axes })), flow })
}
