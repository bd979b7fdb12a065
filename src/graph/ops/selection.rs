//! Operators that pick, join and repeat entries: Concat, Split, Slice, Gather, Expand, Tile, Where,
//! GatherElements, TopK.

use tch::{Kind, Tensor};

use crate::graph::builder::{Build, Builder, Built, Operand};
use crate::graph::layout::{Flow, Step};
use crate::graph::operator::{Differentiable, Forward, Linear, Operator, Pattern, Point, Torch, leading, with_rank};

fn linear(op: impl Linear + 'static, flow: Flow) -> Build {
    Ok(Built { operator: Operator::Linear(Box::new(op)), flow })
}

/// A join along an axis; constants among the parts are the offset.
#[derive(Debug)]
struct Join {
    parts: Vec<Operand>,
    axis: i64,
    rank: usize,
    offset: Option<Tensor>,
}

impl Join {
    fn joined(&self, x: &[&Tensor], keep_constants: bool) -> Torch<Tensor> {
        let lead = x[0].size()[..leading(x[0], self.rank)].to_vec();
        let parts = self
            .parts
            .iter()
            .map(|part| match part {
                Operand::Varying(i) => Ok(x[*i].shallow_clone()),
                Operand::Constant(constant) => {
                    let mut size = lead.clone();
                    size.extend(constant.size());
                    if keep_constants {
                        constant.f_expand(size, false)
                    } else {
                        constant.f_zeros_like()?.f_expand(size, false)
                    }
                }
            })
            .collect::<Torch<Vec<_>>>()?;
        Tensor::f_cat(&parts, self.axis)
    }
}

impl Linear for Join {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![self.joined(x, false)?])
    }

    fn offset(&self) -> Option<&Tensor> {
        self.offset.as_ref()
    }

    fn is_fresh(&self) -> bool {
        true
    }

    fn pattern(&self) -> Pattern<'_> {
        Pattern::Selection
    }
}

/// Concat.
pub fn concat(b: &mut Builder<'_>) -> Build {
    let first = b.shape(0)?;
    let axis = b.int("axis")?.ok_or_else(|| b.invalid("it has no axis"))?;
    let axis = b.axis_from_end(axis, first.len())?;
    let place = (axis + first.len() as i64) as usize;
    let mut whole = first.clone();
    for i in 1..b.inputs() {
        let shape = b.shape(i)?;
        if shape.len() != first.len() || (0..first.len()).any(|a| a != place && shape[a] != first[a]) {
            return Err(b.invalid(format!("its inputs do not fit along axis {place}")));
        }
        whole[place] = whole[place].saturating_add(shape[place]);
    }
    b.check_size(&whole)?;
    let parts = (0..b.inputs()).map(|i| b.operand(i)).collect::<Result<Vec<_>, _>>()?;
    let mut offset = None;
    if parts.iter().any(|part| matches!(part, Operand::Constant(_))) {
        let pieces = parts
            .iter()
            .enumerate()
            .map(|(i, part)| match part {
                Operand::Constant(constant) => Ok(constant.shallow_clone()),
                Operand::Varying(_) => Ok(Tensor::f_zeros(b.shape(i)?, (b.kind(i)?, b.device()))?),
            })
            .collect::<Result<Vec<_>, crate::graph::GraphError>>()?;
        offset = Some(Tensor::f_cat(&pieces, place as i64)?);
    }
    let flow = if first.len() == 4 && axis == -3 { Flow::Pointwise } else { Flow::Unknown };
    linear(Join { parts, axis, rank: first.len(), offset }, flow)
}

#[derive(Debug)]
struct Parts {
    axis: i64,
    sizes: Vec<i64>,
}

impl Linear for Parts {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        x[0].f_split_with_sizes(self.sizes.as_slice(), self.axis)
    }

    fn pattern(&self) -> Pattern<'_> {
        Pattern::Selection
    }
}

/// Split: sizes as an attribute, an input, or equal parts.
pub fn split(b: &mut Builder<'_>) -> Build {
    let shape = b.shape(0)?;
    let axis = b.int("axis")?.unwrap_or(0);
    let axis = b.axis_from_end(axis, shape.len())?;
    let length = shape[(axis + shape.len() as i64) as usize];
    let given = match b.ints("split")? {
        Some(sizes) => Some(sizes),
        None => b.parameter_ints(1, "split")?,
    };
    let count = b.int("num_outputs")?.unwrap_or(b.outputs() as i64);
    let sizes = match given {
        Some(sizes) => sizes,
        None if count != b.outputs() as i64 || count < 1 => {
            return Err(b.invalid(format!("num_outputs = {count} does not fit its {} outputs", b.outputs())));
        }
        None if b.opset < 18 && length % count != 0 => {
            return Err(b.invalid(format!("an axis of {length} does not make {count} equal parts")));
        }
        None => {
            // The last part is the shorter one.
            let each = (length + count - 1) / count;
            (0..count).map(|i| each.min(length - i * each)).collect()
        }
    };
    let total = sizes.iter().try_fold(0i64, |sum, &n| if n < 0 { None } else { sum.checked_add(n) });
    if total != Some(length) || sizes.len() != b.outputs() {
        return Err(b.invalid(format!("parts of {sizes:?} do not make an axis of {length}")));
    }
    b.varying_input(0)?;
    let flow = if shape.len() == 4 && axis < -2 { Flow::Pointwise } else { Flow::Unknown };
    linear(Parts { axis, sizes }, flow)
}

/// One axis of a slice, in libtorch's terms: step ≥ 1, or a flip before it.
#[derive(Debug)]
struct Cut {
    axis: i64,
    start: i64,
    end: i64,
    step: i64,
    flip: bool,
}

#[derive(Debug)]
struct Cuts(Vec<Cut>);

impl Linear for Cuts {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let mut y = x[0].shallow_clone();
        for cut in &self.0 {
            if cut.flip {
                y = y.f_flip([cut.axis])?;
            }
            y = y.f_slice(cut.axis, cut.start, cut.end, cut.step)?;
        }
        Ok(vec![y])
    }

    fn pattern(&self) -> Pattern<'_> {
        Pattern::Selection
    }
}

/// Slice: bounds as attributes (opset 9) or inputs.
pub fn slice(b: &mut Builder<'_>) -> Build {
    let shape = b.shape(0)?;
    let rank = shape.len();
    let (starts, ends, axes, steps) = match b.ints("starts")? {
        Some(starts) => (starts, b.ints("ends")?.unwrap_or_default(), b.ints("axes")?, None),
        None => (
            b.parameter_ints(1, "starts")?.unwrap_or_default(),
            b.parameter_ints(2, "ends")?.unwrap_or_default(),
            b.parameter_ints(3, "axes")?,
            b.parameter_ints(4, "steps")?,
        ),
    };
    let axes = axes.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = steps.unwrap_or_else(|| vec![1; starts.len()]);
    if starts.len() != ends.len() || starts.len() != axes.len() || starts.len() != steps.len() || steps.contains(&0) {
        return Err(b.invalid("its starts, ends, axes and steps do not fit each other"));
    }
    let mut cuts = Vec::new();
    let mut positions = [Step { first: 0.0, step: 1.0 }; 2];
    let mut moved_others = false;
    for (i, axis) in b.axes_from_end(&axes, rank)?.into_iter().enumerate() {
        let n = shape[(axis + rank as i64) as usize];
        let wrap = |v: i64| if v < 0 { v.saturating_add(n) } else { v };
        let step = steps[i];
        let (start, end, flip) = if step > 0 {
            (wrap(starts[i]).clamp(0, n), wrap(ends[i]).clamp(0, n), false)
        } else {
            // Backwards from `start` down to, but without, `end`: forwards on the flipped axis.
            let (start, end) = (wrap(starts[i]).clamp(-1, n - 1), wrap(ends[i]).clamp(-1, n - 1));
            (n - 1 - start, n - 1 - end, true)
        };
        let stride = step.unsigned_abs().min(i64::MAX as u64) as i64;
        let end = end.max(start);
        if rank == 4 && axis >= -2 {
            let place = (axis + 2) as usize;
            positions[place] = if flip {
                Step { first: (n - 1 - start) as f64, step: step as f64 }
            } else {
                Step { first: start as f64, step: step as f64 }
            };
            moved_others |= flip;
        }
        cuts.push(Cut { axis, start, end, step: stride, flip });
    }
    b.varying_input(0)?;
    // A flipped axis runs against the image: its positions are right, but no layer before it says so; keep it out.
    let flow = if rank == 4 && !moved_others {
        Flow::Resampled { rows: positions[0], columns: positions[1] }
    } else {
        Flow::Unknown
    };
    linear(Cuts(cuts), flow)
}

#[derive(Debug)]
struct Take {
    axis: i64,
    index: Tensor,
    shape: Vec<i64>,
    rank: usize,
}

impl Linear for Take {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let size = x[0].size();
        let mut wanted = size[..size.len() - self.rank].to_vec();
        wanted.extend(&self.shape);
        Ok(vec![x[0].f_index_select(self.axis, &self.index)?.f_reshape(wanted)?])
    }

    fn is_fresh(&self) -> bool {
        true
    }

    fn pattern(&self) -> Pattern<'_> {
        Pattern::Selection
    }
}

/// Gather with constant indices.
pub fn gather(b: &mut Builder<'_>) -> Build {
    let shape = b.shape(0)?;
    let axis = b.int("axis")?.unwrap_or(0);
    let axis = b.axis_from_end(axis, shape.len())?;
    let place = (axis + shape.len() as i64) as usize;
    let index_shape = b.shape(1)?;
    let n = shape[place];
    let indices = b.parameter_ints(1, "index")?.unwrap_or_default();
    let indices: Vec<i64> = indices.into_iter().map(|i| if i < 0 { i + n } else { i }).collect();
    if let Some(&outside) = indices.iter().find(|i| !(0..n).contains(*i)) {
        return Err(b.invalid(format!("index {outside} is outside an axis of {n}")));
    }
    let mut out = shape[..place].to_vec();
    out.extend(&index_shape);
    out.extend(&shape[place + 1..]);
    b.check_size(&out)?;
    b.varying_input(0)?;
    let index = Tensor::f_from_slice(&indices)?.f_to_device(b.device())?;
    linear(Take { axis, index, shape: out, rank: shape.len() }, Flow::Unknown)
}

#[derive(Debug)]
struct Spread {
    rank: usize,
    shape: Vec<i64>,
}

impl Linear for Spread {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let x = with_rank(x[0], self.rank, self.shape.len())?;
        let size = x.size();
        let mut wanted = size[..size.len() - self.shape.len()].to_vec();
        wanted.extend(&self.shape);
        Ok(vec![x.f_expand(wanted, false)?])
    }

    fn pattern(&self) -> Pattern<'_> {
        Pattern::Selection
    }
}

/// Expand: broadcasts to a shape, both ways.
pub fn expand(b: &mut Builder<'_>) -> Build {
    let from = b.shape(0)?;
    let wanted = b.parameter_ints(1, "shape")?.unwrap_or_default();
    let shape = super::arithmetic::broadcast_shape(&[from.clone(), wanted.clone()])
        .ok_or_else(|| b.invalid(format!("{from:?} does not broadcast to {wanted:?}")))?;
    b.check_size(&shape)?;
    b.varying_input(0)?;
    let flow = if from == shape { Flow::Pointwise } else { Flow::Unknown };
    linear(Spread { rank: from.len(), shape }, flow)
}

#[derive(Debug)]
struct Tiled {
    repeats: Vec<i64>,
}

impl Linear for Tiled {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let mut repeats = vec![1; x[0].dim() - self.repeats.len()];
        repeats.extend(&self.repeats);
        Ok(vec![x[0].f_repeat(repeats)?])
    }

    fn is_fresh(&self) -> bool {
        true
    }

    fn pattern(&self) -> Pattern<'_> {
        Pattern::Selection
    }
}

/// Tile.
pub fn tile(b: &mut Builder<'_>) -> Build {
    let shape = b.shape(0)?;
    let repeats = b.parameter_ints(1, "repeats")?.unwrap_or_default();
    if repeats.len() != shape.len() || repeats.iter().any(|&r| r < 1) {
        return Err(b.invalid(format!("repeats = {repeats:?} do not fit its input")));
    }
    let out: Vec<i64> = shape.iter().zip(&repeats).map(|(n, r)| n.saturating_mul(*r)).collect();
    b.check_size(&out)?;
    b.varying_input(0)?;
    linear(Tiled { repeats }, Flow::Unknown)
}

/// a where the condition holds, else b.
#[derive(Debug)]
struct Choice {
    operands: [Operand; 3],
    ranks: [usize; 3],
    rank: usize,
}

impl Choice {
    fn operand(&self, i: usize, x: &[&Tensor]) -> Torch<Tensor> {
        self.operands[i].at(x, self.ranks[i], self.rank)
    }

    fn moved(&self, i: usize, at: &Point<'_>) -> Torch<Tensor> {
        if let Operand::Varying(place) = &self.operands[i]
            && let Some(dx) = &at.dx[*place]
        {
            return with_rank(dx, self.ranks[i], self.rank);
        }
        Tensor::f_zeros([1], (at.y[0].kind(), at.y[0].device()))
    }
}

impl Differentiable for Choice {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let condition = self.operand(0, x)?.f_to_kind(Kind::Bool)?;
        let (a, b) = (self.operand(1, x)?, self.operand(2, x)?);
        Ok(vec![a.f_where_self(&condition, &b)?])
    }

    fn tangent(&self, at: &Point<'_>) -> Torch<Vec<Tensor>> {
        let condition = self.operand(0, at.x)?.f_to_kind(Kind::Bool)?;
        let dy = self.moved(1, at)?.f_where_self(&condition, &self.moved(2, at)?)?;
        let tangents = at.dx.iter().flatten().next().map_or(1, |dx| dx.size()[0]);
        let mut size = vec![tangents];
        size.extend(at.y[0].size());
        Ok(vec![dy.f_expand(size, false)?.f_contiguous()?])
    }
}

/// Where.
pub fn choose(b: &mut Builder<'_>) -> Build {
    let ranks = [b.shape(0)?.len(), b.shape(1)?.len(), b.shape(2)?.len()];
    let shapes = [b.shape(0)?, b.shape(1)?, b.shape(2)?];
    let shape = super::arithmetic::broadcast_shape(&shapes);
    b.check_size(&shape.ok_or_else(|| b.invalid("its inputs' shapes do not broadcast"))?)?;
    let rank = ranks.iter().copied().max().unwrap_or(0);
    let operands = [b.operand(0)?, b.operand(1)?, b.operand(2)?];
    let op = Choice { operands, ranks, rank };
    Ok(Built { operator: Operator::Differentiable(Box::new(op)), flow: Flow::Pointwise })
}

/// Gathers along an axis by an index of the output's shape.
#[derive(Debug)]
struct TakeElements {
    axis: i64,
    index: Tensor,
}

impl Linear for TakeElements {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let lead = leading(x[0], self.index.dim());
        let mut size = x[0].size()[..lead].to_vec();
        size.extend(self.index.size());
        Ok(vec![x[0].f_gather(self.axis, &self.index.f_expand(size, false)?, false)?])
    }

    fn is_fresh(&self) -> bool {
        true
    }

    fn pattern(&self) -> Pattern<'_> {
        Pattern::Selection
    }
}

/// GatherElements with constant indices.
pub fn gather_elements(b: &mut Builder<'_>) -> Build {
    let shape = b.shape(0)?;
    let axis = b.int("axis")?.unwrap_or(0);
    let axis = b.axis_from_end(axis, shape.len())?;
    let n = shape[(axis + shape.len() as i64) as usize];
    let index = b.parameter(1, "index")?.f_to_kind(Kind::Int64)?;
    let index = index.f_where_self(&index.f_ge(0)?, &index.f_add_scalar(n)?)?;
    if index.dim() != shape.len() || index.f_min()?.f_int64_value(&[])? < 0 || index.f_max()?.f_int64_value(&[])? >= n {
        return Err(b.invalid("its indices do not fit its input"));
    }
    b.varying_input(0)?;
    linear(TakeElements { axis, index }, Flow::Unknown)
}

/// The k largest or smallest along an axis.
#[derive(Debug)]
struct TopK {
    k: i64,
    axis: i64,
    largest: bool,
    sorted: bool,
    indices: bool,
}

impl Forward for TopK {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let (values, indices) = x[0].f_topk(self.k, self.axis, self.largest, self.sorted)?;
        Ok(if self.indices { vec![values, indices] } else { vec![values] })
    }
}

/// TopK: its values move as the entries they are; its indices do not move.
pub fn top_k(b: &mut Builder<'_>) -> Build {
    let shape = b.shape(0)?;
    // An attribute until opset 9.
    let k = match b.int("k")? {
        Some(k) => k,
        None => b.parameter_ints(1, "k")?.and_then(|k| k.first().copied()).unwrap_or(0),
    };
    let axis = b.int("axis")?.unwrap_or(-1);
    let axis = b.axis_from_end(axis, shape.len())?;
    if k < 1 || k > shape[(axis + shape.len() as i64) as usize] {
        return Err(b.invalid(format!("k = {k} does not fit its axis")));
    }
    let indices = b.outputs() > 1;
    let (largest, sorted) = (b.int("largest")?.unwrap_or(1) != 0, b.int("sorted")?.unwrap_or(1) != 0);
    b.varying_input(0)?;
    let op = TopK { k, axis, largest, sorted, indices };
    Ok(Built { operator: Operator::Automatic(Box::new(op)), flow: Flow::Unknown })
}
