//! AffineGrid, CenterCropPad, Compress and ReverseSequence: linear, with constant places.

use tch::{Kind, Tensor};

use crate::graph::builder::{Build, Builder, Built};
use crate::graph::layout::Flow;
use crate::graph::operator::{Linear, Operator, Pattern, Torch};

use super::pad;

fn linear(op: impl Linear + 'static) -> Build {
    Ok(Built { operator: Operator::Linear(Box::new(op)), flow: Flow::Unknown })
}

/// Every output entry along an axis is the input entry that the index says, which may differ from entry to entry of the
/// other axes.
#[derive(Debug)]
struct Picked {
    axis: i64,
    /// Of the value's own shape.
    index: Tensor,
}

impl Linear for Picked {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![x[0].f_gather(self.axis, &self.index.f_expand_as(x[0])?, false)?])
    }

    fn is_fresh(&self) -> bool {
        true
    }

    fn pattern(&self) -> Pattern<'_> {
        Pattern::Selection
    }
}

/// ReverseSequence: the first entries of each batch item along the time axis, in reverse order.
pub fn reverse_sequence(b: &mut Builder<'_>) -> Build {
    let shape = b.shape(0)?;
    let rank = shape.len();
    let (batch, time) = (b.int("batch_axis")?.unwrap_or(1), b.int("time_axis")?.unwrap_or(0));
    let (batch, time) = (b.axis_from_end(batch, rank)?, b.axis_from_end(time, rank)?);
    let size = |axis: i64| shape[(axis + rank as i64) as usize];
    let (items, steps) = (size(batch), size(time));
    let lengths = b.parameter_ints(1, "sequence_lens")?.unwrap_or_default();
    if batch == time || lengths.len() as i64 != items || lengths.iter().any(|n| !(0..=steps).contains(n)) {
        return Err(b.invalid(format!("sequence_lens = {lengths:?} do not fit {items} sequences of {steps}")));
    }
    b.check_size(&[items, steps])?;
    let reversed = |n: i64, at: i64| if at < n { n - 1 - at } else { at };
    let index: Vec<i64> = lengths.iter().flat_map(|&n| (0..steps).map(move |at| reversed(n, at))).collect();
    let index = Tensor::f_from_slice(&index)?.f_to_device(b.device())?.f_reshape([items, steps])?;
    let index = if batch < time { index } else { index.f_transpose(0, 1)? };
    let mut view = vec![1; rank];
    for axis in [batch, time] {
        view[(axis + rank as i64) as usize] = size(axis);
    }
    b.varying_input(0)?;
    linear(Picked { axis: time, index: index.f_reshape(view)? })
}

/// The entries where the condition holds, along an axis or of all axes as one.
#[derive(Debug)]
struct Kept {
    /// None where all axes of the value, of which there are so many, are one.
    axis: Option<i64>,
    rank: usize,
    index: Tensor,
}

impl Linear for Kept {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![match self.axis {
            Some(axis) => x[0].f_index_select(axis, &self.index)?,
            None => {
                let flat =
                    if self.rank == 0 { x[0].f_unsqueeze(-1)? } else { x[0].f_flatten(-(self.rank as i64), -1)? };
                flat.f_index_select(-1, &self.index)?
            }
        }])
    }

    fn is_fresh(&self) -> bool {
        true
    }

    fn pattern(&self) -> Pattern<'_> {
        Pattern::Selection
    }
}

/// Compress with a constant condition.
pub fn compress(b: &mut Builder<'_>) -> Build {
    let shape = b.shape(0)?;
    let rank = shape.len();
    let axis = b.int("axis")?.map(|axis| b.axis_from_end(axis, rank)).transpose()?;
    let condition = b.parameter(1, "condition")?.f_reshape([-1])?;
    let length = axis.map_or_else(|| shape.iter().product(), |axis| shape[(axis + rank as i64) as usize]);
    if condition.size()[0] > length {
        return Err(b.invalid(format!("its condition of {} entries is longer than {length}", condition.size()[0])));
    }
    let index = condition.f_nonzero()?.f_reshape([-1])?;
    b.varying_input(0)?;
    linear(Kept { axis, rank, index })
}

/// The middle of some axes, or zeros around it.
#[derive(Debug)]
struct Centred {
    /// For every axis: what is cut off (negative) or added in front of it and after it.
    begin: Vec<i64>,
    end: Vec<i64>,
}

impl Linear for Centred {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![pad::zeros(x[0], &self.begin, &self.end)?])
    }

    fn is_fresh(&self) -> bool {
        self.begin.iter().chain(&self.end).any(|&p| p != 0)
    }

    fn pattern(&self) -> Pattern<'_> {
        Pattern::Selection
    }
}

/// CenterCropPad with a constant shape.
pub fn center_crop_pad(b: &mut Builder<'_>) -> Build {
    let mut shape = b.shape(0)?;
    let rank = shape.len();
    let axes = b.ints("axes")?.unwrap_or_else(|| (0..rank as i64).collect());
    let axes = b.axes_from_end(&axes, rank)?;
    let wanted = b.parameter_ints(1, "shape")?.unwrap_or_default();
    if wanted.len() != axes.len() || wanted.iter().any(|&n| n < 1) {
        return Err(b.invalid(format!("its shape {wanted:?} does not fit {} axes", axes.len())));
    }
    let (mut begin, mut end) = (vec![0; rank], vec![0; rank]);
    for (&axis, &n) in axes.iter().zip(&wanted) {
        let at = (axis + rank as i64) as usize;
        let more = n.saturating_sub(shape[at]);
        // Half of what is added or cut off lies in front, rounded towards it being less.
        begin[at] = if more < 0 { -(-more / 2) } else { more / 2 };
        end[at] = more - begin[at];
        shape[at] = n;
    }
    b.check_size(&shape)?;
    b.varying_input(0)?;
    linear(Centred { begin, end })
}

/// Places of a grid, moved by an affine map: linear in the map.
#[derive(Debug)]
struct AffinePlaces {
    /// `[places, axes + 1]`, with ones at the end.
    places: Tensor,
    /// The grid's axes, then the number of coordinates.
    shape: Vec<i64>,
}

impl Linear for AffinePlaces {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        // [stack, batch, coordinates, axes + 1] to [stack, batch, places, coordinates]
        let y = self.places.f_matmul(&x[0].f_transpose(-1, -2)?)?;
        let lead = &y.size()[..2];
        Ok(vec![y.f_reshape([lead, self.shape.as_slice()].concat())?])
    }

    fn is_fresh(&self) -> bool {
        true
    }
}

/// AffineGrid with a constant size, for images and volumes.
pub fn affine_grid(b: &mut Builder<'_>) -> Build {
    let (theta, size) = (b.shape(0)?, b.parameter_ints(1, "size")?.unwrap_or_default());
    let align = b.int("align_corners")?.unwrap_or(0) != 0;
    let fits = matches!((&theta[..], size.len()), ([_, 2, 3], 4) | ([_, 3, 4], 5));
    if !fits || size[0] != theta[0] || size.iter().any(|&n| n < 1) {
        return Err(b.invalid(format!("its size {size:?} does not fit maps of shape {theta:?}")));
    }
    let grid = &size[2..];
    let axes = grid.len();
    b.check_size(&[&[size[0], axes as i64 + 1], grid].concat())?;
    let (kind, device) = (b.kind(0)?, b.device());
    let mut columns = Vec::with_capacity(axes + 1);
    // x is the last axis, and comes first.
    for axis in (0..axes).rev() {
        let n = grid[axis] as f64;
        let at = Tensor::f_arange(grid[axis], (Kind::Double, device))?;
        let at = match align {
            true if grid[axis] == 1 => at,
            true => at.f_mul_scalar(2.0 / (n - 1.0))?.f_sub_scalar(1.0)?,
            false => at.f_mul_scalar(2.0)?.f_add_scalar(1.0)?.f_div_scalar(n)?.f_sub_scalar(1.0)?,
        };
        let mut view = vec![1; axes];
        view[axis] = grid[axis];
        columns.push(at.f_reshape(view)?.f_expand(grid, false)?.f_reshape([-1])?);
    }
    columns.push(columns[0].f_ones_like()?);
    let places = Tensor::f_stack(&columns, 1)?.f_to_kind(kind)?;
    b.varying_input(0)?;
    linear(AffinePlaces { places, shape: [grid, &[axes as i64]].concat() })
}
