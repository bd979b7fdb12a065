//! GridSample over rows and columns.
//!
//! With a constant grid it is linear, and libtorch's own kernel runs it. libtorch has no forward-mode derivative with
//! respect to the grid, so a grid that depends on the network's input is sampled tap by tap, out of operations that
//! have one.

use tch::{Kind, Tensor};

use crate::graph::builder::{Build, Builder, Built, Operand};
use crate::graph::error::GraphError;
use crate::graph::layout::Flow;
use crate::graph::operator::{Forward, Linear, Operator, Torch};
use crate::graph::window::{fold_stack, unfold_stack};

use super::NEWEST_OPSET;

/// Modes, in libtorch's order.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Linear = 0,
    Nearest = 1,
    Cubic = 2,
}

/// What lies outside the image, in libtorch's order.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outside {
    Zeros = 0,
    Border = 1,
    Reflection = 2,
}

#[derive(Clone, Copy, Debug)]
struct Sampling {
    mode: Mode,
    outside: Outside,
    align_corners: bool,
}

/// The convolution coefficient of cubic interpolation, libtorch's and ONNX's.
const CUBIC: f64 = -0.75;

impl Sampling {
    /// −1 ‥ 1 as sample indices of an axis of n.
    fn position(&self, g: &Tensor, n: i64) -> Torch<Tensor> {
        let n = n as f64;
        if self.align_corners {
            g.f_add_scalar(1.0)?.f_mul_scalar((n - 1.0) / 2.0)
        } else {
            g.f_add_scalar(1.0)?.f_mul_scalar(n / 2.0)?.f_sub_scalar(0.5)
        }
    }

    /// Positions moved into the image, as border and reflection have it.
    fn inside(&self, position: &Tensor, n: i64) -> Torch<Tensor> {
        let last = (n - 1) as f64;
        match self.outside {
            Outside::Zeros => Ok(position.shallow_clone()),
            Outside::Border => position.f_clamp(0.0, last),
            Outside::Reflection => {
                let (low, span) = if self.align_corners { (0.0, last) } else { (-0.5, n as f64) };
                if span == 0.0 {
                    return position.f_mul_scalar(0.0);
                }
                let distance = position.f_sub_scalar(low)?.f_abs()?;
                let rest = distance.f_fmod(span)?;
                let is_even = distance.f_div_scalar(span)?.f_floor()?.f_fmod(2.0)?.f_eq(0.0)?;
                let back = rest.f_neg()?.f_add_scalar(span)?;
                rest.f_where_self(&is_even, &back)?.f_add_scalar(low)?.f_clamp(0.0, last)
            }
        }
    }

    /// The samples of an axis that a position reads: index, weight (none for 1), and whether it is inside.
    fn taps(&self, g: &Tensor, n: i64) -> Torch<Vec<(Tensor, Option<Tensor>, Tensor)>> {
        let position = self.position(g, n)?;
        let (indices, weights) = match self.mode {
            Mode::Nearest => (vec![self.inside(&position, n)?.f_round()?], vec![None]),
            Mode::Linear => {
                let position = self.inside(&position, n)?;
                let first = position.f_floor()?;
                let t = position.f_sub(&first)?;
                let next = first.f_add_scalar(1.0)?;
                (vec![first, next], vec![Some(t.f_neg()?.f_add_scalar(1.0)?), Some(t)])
            }
            Mode::Cubic => {
                let first = position.f_floor()?;
                let t = position.f_sub(&first)?;
                let mut indices = Vec::with_capacity(4);
                let mut weights = Vec::with_capacity(4);
                for k in -1..=2 {
                    indices.push(self.inside(&first.f_add_scalar(k as f64)?, n)?);
                    weights.push(Some(cubic(&t.f_sub_scalar(k as f64)?.f_abs()?, k == 0 || k == 1)?));
                }
                (indices, weights)
            }
        };
        indices
            .into_iter()
            .zip(weights)
            .map(|(index, weight)| {
                let inside = index.f_ge(0.0)?.f_logical_and(&index.f_le((n - 1) as f64)?)?;
                let index = index.f_clamp(0.0, (n - 1) as f64)?.f_to_kind(Kind::Int64)?;
                Ok((index, weight, inside))
            })
            .collect()
    }

    /// `x` of `[batch, channels, rows, columns]` at `grid` of `[batch, rows, columns, 2]`, tap by tap.
    fn by_taps(&self, x: &Tensor, grid: &Tensor) -> Torch<Tensor> {
        let (size, out) = (x.size(), grid.size());
        let flat = x.f_flatten(2, 3)?;
        let columns = self.taps(&grid.f_select(-1, 0)?, size[3])?;
        let rows = self.taps(&grid.f_select(-1, 1)?, size[2])?;
        let mut total: Option<Tensor> = None;
        for (row, row_weight, row_inside) in &rows {
            for (column, column_weight, column_inside) in &columns {
                let place = row.f_mul_scalar(size[3])?.f_add(column)?.f_view([out[0], 1, -1])?;
                let value = flat.f_gather(2, &place.f_expand([-1, size[1], -1], false)?, false)?;
                let mut weight = row_inside.f_logical_and(column_inside)?.f_to_kind(x.kind())?;
                for w in [row_weight, column_weight].into_iter().flatten() {
                    weight = weight.f_mul(w)?;
                }
                let term = value.f_mul(&weight.f_reshape([out[0], 1, -1])?)?;
                total = Some(match total {
                    Some(sum) => sum.f_add(&term)?,
                    None => term,
                });
            }
        }
        let total = total.ok_or_else(|| tch::TchError::Torch("a grid of no taps".into()))?;
        total.f_reshape([size[0], size[1], out[1], out[2]])
    }
}

/// The cubic kernel at a distance; `near` where it is below 1.
fn cubic(distance: &Tensor, near: bool) -> Torch<Tensor> {
    let square = distance.f_square()?;
    if near {
        // ((a + 2)d − (a + 3))d² + 1
        distance.f_mul_scalar(CUBIC + 2.0)?.f_sub_scalar(CUBIC + 3.0)?.f_mul(&square)?.f_add_scalar(1.0)
    } else {
        // a(d³ − 5d² + 8d − 4)
        let high = distance.f_sub_scalar(5.0)?.f_mul(&square)?;
        high.f_add(&distance.f_mul_scalar(8.0)?)?.f_sub_scalar(4.0)?.f_mul_scalar(CUBIC)
    }
}

/// The grid is constant.
#[derive(Debug)]
struct FixedGrid {
    grid: Tensor,
    sampling: Sampling,
}

impl Linear for FixedGrid {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let stack = x[0].size()[0];
        let (x, lead) = fold_stack(x[0])?;
        let grid = self.grid.f_unsqueeze(0)?.f_expand([stack, -1, -1, -1, -1], false)?.f_flatten(0, 1)?;
        let Sampling { mode, outside, align_corners } = self.sampling;
        Ok(vec![unfold_stack(x.f_grid_sampler(&grid, mode as i64, outside as i64, align_corners)?, lead)?])
    }

    fn is_fresh(&self) -> bool {
        true
    }
}

/// The grid depends on the network's input.
#[derive(Debug)]
struct MovingGrid {
    image: Operand,
    grid: Operand,
    sampling: Sampling,
}

impl Forward for MovingGrid {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let stack = x[0].size()[0];
        let stacked = |operand: &Operand| match operand {
            Operand::Varying(i) => x[*i].f_flatten(0, 1),
            Operand::Constant(constant) => {
                constant.f_unsqueeze(0)?.f_expand([stack, -1, -1, -1, -1], false)?.f_flatten(0, 1)
            }
        };
        let (image, grid) = (stacked(&self.image)?, stacked(&self.grid)?);
        let y = self.sampling.by_taps(&image, &grid)?;
        Ok(vec![unfold_stack(y, [stack, image.size()[0] / stack])?])
    }
}

/// The mode: opset 20 gave two of them other names.
fn mode(b: &mut Builder<'_>) -> Result<Mode, GraphError> {
    let Some(name) = b.string("mode")? else { return Ok(Mode::Linear) };
    let (mode, opsets) = match name.as_str() {
        "nearest" => return Ok(Mode::Nearest),
        "bilinear" => (Mode::Linear, 16..=19),
        "linear" => (Mode::Linear, 20..=NEWEST_OPSET),
        "bicubic" => (Mode::Cubic, 16..=19),
        "cubic" => (Mode::Cubic, 20..=NEWEST_OPSET),
        other => return Err(b.unsupported(format!("mode = '{other}'"), "linear, nearest and cubic are")),
    };
    if opsets.contains(&b.opset) {
        return Ok(mode);
    }
    let here = match (mode, b.opset < 20) {
        (Mode::Cubic, true) => "bicubic",
        (Mode::Cubic, false) => "cubic",
        (_, true) => "bilinear",
        (_, false) => "linear",
    };
    let (first, last) = (opsets.start(), opsets.end());
    Err(b.invalid(format!(
        "its mode '{name}' belongs to opsets {first} to {last}, and the node is of opset {}, which calls it '{here}'; export \
         the model again",
        b.opset
    )))
}

/// GridSample.
pub fn grid_sample(b: &mut Builder<'_>) -> Build {
    let mode = mode(b)?;
    let outside = match b.string("padding_mode")?.as_deref() {
        None | Some("zeros") => Outside::Zeros,
        Some("border") => Outside::Border,
        Some("reflection") => Outside::Reflection,
        Some(other) => {
            return Err(b.unsupported(format!("padding_mode = '{other}'"), "zeros, border and reflection are"));
        }
    };
    let align_corners = b.int("align_corners")?.unwrap_or(0) != 0;
    let (shape, grid) = (b.shape(0)?, b.shape(1)?);
    if shape.len() == 5 {
        return Err(b.unsupported("a volume as input (from opset 20 on)", "[batch, channels, rows, columns] is"));
    }
    if shape.len() != 4 || grid.len() != 4 || grid[0] != shape[0] || grid[3] != 2 || shape.contains(&0) {
        return Err(b.invalid("its input and grid do not fit each other"));
    }
    b.check_size(&[shape[0], shape[1], grid[1], grid[2]])?;
    let sampling = Sampling { mode, outside, align_corners };
    let operator = match (b.operand(0)?, b.operand(1)?) {
        (Operand::Varying(_), Operand::Constant(grid)) => Operator::Linear(Box::new(FixedGrid { grid, sampling })),
        (image, grid) => Operator::Automatic(Box::new(MovingGrid { image, grid, sampling })),
    };
    Ok(Built { operator, flow: Flow::Unknown })
}
