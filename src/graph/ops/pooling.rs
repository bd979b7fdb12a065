//! AveragePool, MaxPool and their global forms.

use tch::{Kind, Tensor};

use crate::graph::builder::{Build, Builder, Built};
use crate::graph::error::GraphError;
use crate::graph::layout::Flow;
use crate::graph::operator::{Differentiable, Linear, Operator, Point, Torch};
use crate::graph::window::{Taps, Window, fold_lanes, unfold_lanes};

use super::activation::is_integer;
use super::convolution::{read_window, spatial_input};
use super::pad;

/// A pooling window, with `ceil_mode` turned into padding at the end.
struct PoolWindow {
    window: Window,
    /// Padding at the end that `ceil_mode` adds; it never counts as padding in an average.
    ceiling: Vec<i64>,
}

fn pool_window(b: &mut Builder<'_>, shape: &[i64]) -> Result<PoolWindow, GraphError> {
    let axes = shape.len() - 2;
    if axes != 2 {
        return Err(b.unsupported(format!("an input of {} axes", shape.len()), "[batch, channels, rows, columns] is"));
    }
    let kernel =
        super::convolution::positive(b, "kernel_shape", axes)?.ok_or_else(|| b.invalid("it has no kernel_shape"))?;
    let window = read_window(b, &shape[2..], kernel)?;
    let ceil = b.int("ceil_mode")?.unwrap_or(0) != 0;
    let mut ceiling = vec![0; axes];
    for axis in 0..axes {
        let (stride, padded) = (window.strides[axis], shape[2 + axis] + window.begin[axis] + window.end[axis]);
        let over = padded - window.reach(axis);
        if over < 0 {
            return Err(b.invalid(format!("its window is longer than the padded axis of {padded} samples")));
        }
        if ceil && over % stride != 0 {
            // The last window must start inside the input or its leading padding, not in the padding behind it.
            let outputs = over / stride + 2;
            if (outputs - 1) * stride < shape[2 + axis] + window.begin[axis] {
                ceiling[axis] = stride - over % stride;
            }
        }
    }
    Ok(PoolWindow { window, ceiling })
}

impl PoolWindow {
    fn end(&self) -> Vec<i64> {
        self.window.end.iter().zip(&self.ceiling).map(|(e, c)| e + c).collect()
    }

    fn needs_padding(&self) -> bool {
        self.window.begin.iter().chain(&self.end()).any(|&p| p > 0)
    }
}

#[derive(Debug)]
struct AveragePool {
    window: Window,
    begin: Vec<i64>,
    end: Vec<i64>,
    padded: bool,
    /// 1/(samples under each window), or none where that is the kernel's size everywhere.
    weight: Option<Tensor>,
    /// The window inside the image as a convolution, one group per channel.
    taps: Tensor,
}

impl Linear for AveragePool {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let (mut x, lead) = fold_lanes(x[0])?;
        if self.padded {
            x = pad::zeros(&x, &self.begin, &self.end)?;
        }
        let w = &self.window;
        let divisor = self.weight.as_ref().map(|_| 1);
        let mut y = x.f_avg_pool2d(&w.kernel, &w.strides, [0, 0], false, true, divisor)?;
        if let Some(weight) = &self.weight {
            y = y.f_mul_(weight)?;
        }
        Ok(vec![unfold_lanes(y, lead)?])
    }

    fn is_fresh(&self) -> bool {
        true
    }

    fn taps(&self) -> Option<Taps<'_>> {
        Some(Taps { weight: &self.taps, window: &self.window, groups: self.taps.size()[0] })
    }
}

/// AveragePool: the mean under each window, over the samples that count.
pub fn average_pool(b: &mut Builder<'_>) -> Build {
    let shape = spatial_input(b)?;
    let pool = pool_window(b, &shape)?;
    if pool.window.dilations.iter().any(|&d| d != 1) {
        return Err(b.unsupported(format!("dilations = {:?}", pool.window.dilations), "dilation 1 is"));
    }
    let count_padding = b.int("count_include_pad")?.unwrap_or(0) != 0;
    let (begin, end, padded) = (pool.window.begin.clone(), pool.end(), pool.needs_padding());
    let weight = if padded {
        let kind = b.kind(0)?;
        let ones = Tensor::f_ones([1, 1, shape[2], shape[3]], (kind, b.device()))?;
        let (inner, outer) = if count_padding {
            (
                pad::constant(&ones, &pool.window.begin, &pool.window.end, 1.0)?,
                pad::zeros(&ones, &[0, 0], &pool.ceiling)?,
            )
        } else {
            (ones.shallow_clone(), pad::zeros(&ones, &begin, &end)?)
        };
        let counted = if count_padding { pad::zeros(&inner, &[0, 0], &pool.ceiling)? } else { outer };
        let counts = counted.f_avg_pool2d(&pool.window.kernel, &pool.window.strides, [0, 0], false, true, 1)?;
        if counts.f_min()?.f_double_value(&[])? < 0.5 {
            return Err(b.invalid("one of its windows lies in the padding alone"));
        }
        Some(counts.f_reciprocal()?)
    } else {
        None
    };
    b.varying_input(0)?;
    let flow = pool.window.flow();
    let (rows, columns) = (pool.window.kernel[0], pool.window.kernel[1]);
    let taps = Tensor::f_full([shape[1], 1, rows, columns], 1.0 / (rows * columns) as f64, (b.kind(0)?, b.device()))?;
    let op = AveragePool { window: pool.window, begin, end, padded, weight, taps };
    Ok(Built { operator: Operator::Linear(Box::new(op)), flow })
}

/// The largest sample under each window.
#[derive(Debug)]
pub struct MaxPool {
    window: Window,
    begin: Vec<i64>,
    end: Vec<i64>,
    padded: bool,
}

impl MaxPool {
    /// Max-pooling without padding.
    pub fn unpadded(window: &Window) -> Self {
        let none = vec![0; window.kernel.len()];
        Self { window: window.unpadded(), begin: none.clone(), end: none, padded: false }
    }

    fn pooled(&self, x: &Tensor) -> Torch<(Tensor, Tensor, [i64; 2])> {
        let (mut x, lead) = fold_lanes(x)?;
        if self.padded {
            x = pad::constant(&x, &self.begin, &self.end, f64::NEG_INFINITY)?;
        }
        let w = &self.window;
        let (y, index) = x.f_max_pool2d_with_indices(&w.kernel, &w.strides, [0, 0], &w.dilations, false)?;
        Ok((y, index, lead))
    }
}

impl Differentiable for MaxPool {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        // libtorch pools floats alone; 8 bits fit them exactly.
        let kind = x[0].kind();
        let (y, _, lead) =
            if is_integer(kind) { self.pooled(&x[0].f_to_kind(Kind::Float)?)? } else { self.pooled(x[0])? };
        Ok(vec![unfold_lanes(y, lead)?.f_to_kind(kind)?])
    }

    fn tangent(&self, at: &Point<'_>) -> Torch<Vec<Tensor>> {
        // The tangent of the sample that was largest. The winners are found again rather than kept from `forward`,
        // which keeps operators without state; pooling the primals costs an eighth of the sweep's pooling.
        let (_, index, lead) = self.pooled(at.x[0])?;
        let dx = at.dx[0].as_ref().ok_or_else(|| tch::TchError::Torch("MaxPool's input does not move".into()))?;
        let size = dx.size();
        let (tangents, plane) = (size[0], self.padded_plane(&size));
        let flat = dx.f_flatten(0, 2)?;
        let flat = if self.padded { pad::zeros(&flat, &self.begin, &self.end)? } else { flat };
        let channels = size[3];
        let flat = flat.f_reshape([tangents, lead[0] * lead[1], channels, plane])?;
        let out = index.size();
        let index = index.f_reshape([1, lead[0] * lead[1], channels, out[2] * out[3]])?;
        let picked = flat.f_gather(-1, &index.f_expand([tangents, -1, -1, -1], false)?, false)?;
        Ok(vec![picked.f_view([tangents, lead[0], lead[1], channels, out[2], out[3]])?])
    }

    fn max_window(&self) -> Option<&Window> {
        Some(&self.window)
    }
}

impl MaxPool {
    fn padded_plane(&self, size: &[i64]) -> i64 {
        let n = size.len();
        (size[n - 2] + self.begin[0] + self.end[0]) * (size[n - 1] + self.begin[1] + self.end[1])
    }
}

/// MaxPool: the largest sample under each window; its tangent is that sample's.
pub fn max_pool(b: &mut Builder<'_>) -> Build {
    let shape = spatial_input(b)?;
    if b.outputs() > 1 {
        return Err(b.unsupported("the output Indices", "the first output is"));
    }
    if b.int("storage_order")?.unwrap_or(0) != 0 {
        return Err(b.unsupported("storage_order = 1", "0 is"));
    }
    let pool = pool_window(b, &shape)?;
    b.varying_input(0)?;
    let (begin, end, padded) = (pool.window.begin.clone(), pool.end(), pool.needs_padding());
    let flow = pool.window.flow();
    let op = MaxPool { window: pool.window, begin, end, padded };
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
struct GlobalMax;

impl Differentiable for GlobalMax {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![x[0].f_amax([-2, -1], true)?])
    }

    fn tangent(&self, at: &Point<'_>) -> Torch<Vec<Tensor>> {
        let x = at.x[0].f_flatten(-2, -1)?;
        let index = x.f_argmax(-1, true)?;
        let dy = at.sum(|_, dx| {
            let tangents = dx.size()[0];
            let mut expanded = vec![tangents];
            expanded.extend(std::iter::repeat_n(-1, index.dim()));
            dx.f_flatten(-2, -1)?
                .f_gather(-1, &index.f_unsqueeze(0)?.f_expand(expanded, false)?, false)?
                .f_unsqueeze(-1)
        })?;
        Ok(vec![dy])
    }
}

/// GlobalMaxPool: the largest sample of each channel.
pub fn global_max_pool(b: &mut Builder<'_>) -> Build {
    let shape = spatial_input(b)?;
    if shape.len() != 4 {
        return Err(b.unsupported(format!("an input of {} axes", shape.len()), "[batch, channels, rows, columns] is"));
    }
    b.varying_input(0)?;
    let flow = Flow::Reduced { axes: vec![-2, -1], keep: true };
    Ok(Built { operator: Operator::Differentiable(Box::new(GlobalMax)), flow })
}
