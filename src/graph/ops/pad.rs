//! Pad.

use tch::{Kind, Tensor};

use crate::graph::builder::{Build, Builder, Built};
use crate::graph::layout::{Flow, Step};
use crate::graph::operator::{Linear, Operator, Pattern, Torch};
use crate::graph::window::{fold_stack, unfold_stack};

/// `x` with zeros around its last axes; `begin` and `end` run from the first of those axes to the last.
pub fn zeros(x: &Tensor, begin: &[i64], end: &[i64]) -> Torch<Tensor> {
    x.f_constant_pad_nd(torch_order(begin, end))
}

/// `x` with `value` around its last axes.
pub fn constant(x: &Tensor, begin: &[i64], end: &[i64], value: f64) -> Torch<Tensor> {
    x.f_pad(torch_order(begin, end), "constant", value)
}

/// libtorch lists padding from the last axis to the first, both sides together.
fn torch_order(begin: &[i64], end: &[i64]) -> Vec<i64> {
    begin.iter().zip(end).rev().flat_map(|(&b, &e)| [b, e]).collect()
}

#[derive(Debug)]
struct ConstantPad {
    begin: Vec<i64>,
    end: Vec<i64>,
    offset: Option<Tensor>,
}

impl Linear for ConstantPad {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![zeros(x[0], &self.begin, &self.end)?])
    }

    fn offset(&self) -> Option<&Tensor> {
        self.offset.as_ref()
    }

    fn is_fresh(&self) -> bool {
        self.begin.iter().chain(&self.end).any(|&p| p != 0)
    }

    fn pattern(&self) -> Pattern<'_> {
        Pattern::Selection
    }
}

/// Padding by copies of the input's own samples: an index per axis.
#[derive(Debug)]
struct IndexPad {
    /// Axis from the end, and the input index of each output index.
    axes: Vec<(i64, Tensor)>,
    /// libtorch's name of the mode and its padding, where that is of planes and libtorch has it.
    planes: Option<(&'static str, Vec<i64>)>,
}

impl IndexPad {
    /// libtorch's own padding, which reads and writes each sample once in either memory format, in the backward pass too;
    /// an index per axis takes a multiple of that.
    fn padded_planes(&self, x: &Tensor) -> Torch<Option<Tensor>> {
        let Some((mode, padding)) = &self.planes else { return Ok(None) };
        if x.dim() != 5 || !matches!(x.kind(), Kind::Float | Kind::Double) {
            return Ok(None);
        }
        let (planes, lead) = fold_stack(x)?;
        unfold_stack(planes.f_pad(padding, mode, None::<f64>)?, lead).map(Some)
    }
}

impl Linear for IndexPad {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        if let Some(y) = self.padded_planes(x[0])? {
            return Ok(vec![y]);
        }
        let mut y = x[0].shallow_clone();
        for (axis, index) in &self.axes {
            y = y.f_index_select(*axis, index)?;
        }
        Ok(vec![y])
    }

    fn pattern(&self) -> Pattern<'_> {
        Pattern::Selection
    }
}

/// Pad: modes `constant`, `reflect`, `edge` and `wrap`; negative pads crop.
pub fn pad(b: &mut Builder<'_>) -> Build {
    let shape = b.shape(0)?;
    let rank = shape.len();
    let mode = b.string("mode")?.unwrap_or_else(|| "constant".to_owned());
    let pads = match b.ints("pads")? {
        Some(pads) => pads,
        None => b.parameter_ints(1, "pads")?.ok_or_else(|| b.invalid("it has no pads"))?,
    };
    let value = match b.float("value")? {
        Some(value) => value,
        None => b.parameter_float(2, "constant value")?.unwrap_or(0.0),
    };
    let axes = match b.parameter_ints(3, "axes")? {
        Some(axes) => b.axes_from_end(&axes, rank)?,
        None => (-(rank as i64)..0).collect(),
    };
    if pads.len() != 2 * axes.len() || pads.iter().any(|p| p.unsigned_abs() > 1 << 20) {
        return Err(b.invalid(format!("its pads {pads:?} do not fit {} axes", axes.len())));
    }
    let (mut begin, mut end) = (vec![0; rank], vec![0; rank]);
    for (i, axis) in axes.iter().enumerate() {
        let at = (rank as i64 + axis) as usize;
        begin[at] = pads[i];
        end[at] = pads[axes.len() + i];
    }
    for axis in 0..rank {
        if shape[axis] + begin[axis] + end[axis] < 1 {
            return Err(b.invalid(format!("its pads {pads:?} leave nothing of axis {axis}")));
        }
    }
    let padded: Vec<i64> = (0..rank).map(|axis| shape[axis] + begin[axis] + end[axis]).collect();
    b.check_size(&padded)?;
    b.varying_input(0)?;
    let flow = match rank {
        4 => {
            let step = |axis: usize| Step { first: -begin[axis] as f64, step: 1.0 };
            Flow::Resampled { rows: step(2), columns: step(3) }
        }
        _ => Flow::Unknown,
    };
    let operator: Box<dyn Linear> = match mode.as_str() {
        "constant" => {
            let offset = if value == 0.0 {
                None
            } else {
                // The padding's value where the padding is, zero where the input is.
                let kind = b.kind(0)?;
                let inside = Tensor::f_zeros(&shape, (kind, b.device()))?;
                Some(constant(&inside, &begin, &end, value)?)
            };
            Box::new(ConstantPad { begin, end, offset })
        }
        "reflect" | "edge" | "wrap" => {
            let mut indexed = Vec::new();
            for axis in (0..rank).filter(|&axis| begin[axis] != 0 || end[axis] != 0) {
                // Negative pads crop first; what is left is copied.
                let (cropped, n) = (begin[axis].min(0).abs(), shape[axis] + begin[axis].min(0) + end[axis].min(0));
                if n < 1 {
                    return Err(b.invalid(format!("its pads {pads:?} leave nothing of axis {axis} to copy")));
                }
                let places = -begin[axis].max(0)..n + end[axis].max(0);
                let index: Vec<i64> = places.map(|i| cropped + source_index(i, n, &mode)).collect();
                let index = Tensor::f_from_slice(&index)?.f_to_device(b.device())?.f_to_kind(Kind::Int64)?;
                indexed.push((axis as i64 - rank as i64, index));
            }
            Box::new(IndexPad { axes: indexed, planes: torch_planes(&mode, &shape, &begin, &end) })
        }
        _ => return Err(b.unsupported(format!("mode = '{mode}'"), "constant, reflect, edge and wrap are")),
    };
    Ok(Built { operator: Operator::Linear(operator), flow })
}

/// What libtorch calls a padding of planes `[batch, channels, rows, columns]` by their own samples, if it has it: it does
/// not crop, and does not go round more than once.
fn torch_planes(mode: &str, shape: &[i64], begin: &[i64], end: &[i64]) -> Option<(&'static str, Vec<i64>)> {
    let &[_, _, rows, columns] = shape else { return None };
    let (most, name) = match mode {
        "reflect" => (-1, "reflect"),
        "wrap" => (0, "circular"),
        _ => (i64::MAX / 2, "replicate"),
    };
    let fits =
        |axis: usize, n: i64| [begin[axis], end[axis]].iter().all(|pad| (0..=n.saturating_add(most)).contains(pad));
    let untouched = [begin[0], begin[1], end[0], end[1]] == [0; 4];
    (untouched && fits(2, rows) && fits(3, columns)).then(|| (name, torch_order(&begin[2..], &end[2..])))
}

/// The index in 0..n that padding index `i` copies.
fn source_index(i: i64, n: i64, mode: &str) -> i64 {
    match mode {
        "edge" => i.clamp(0, n - 1),
        "wrap" => i.rem_euclid(n),
        _ if n == 1 => 0,
        _ => {
            // Mirror without repeating the edge: period 2(n − 1).
            let folded = i.rem_euclid(2 * (n - 1));
            folded.min(2 * (n - 1) - folded)
        }
    }
}
