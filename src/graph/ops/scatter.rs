//! ScatterND, ScatterElements and GatherND, with constant indices.
//!
//! All three become one thing when the graph is loaded: rows of a table `[places, entries]`, the value with its last
//! axes as entries, and a list of places in it.

use std::collections::HashMap;

use tch::{Kind, Tensor};

use crate::graph::builder::{Build, Builder, Built, Operand};
use crate::graph::error::GraphError;
use crate::graph::layout::Flow;
use crate::graph::operator::{Forward, Linear, Operator, Pattern, Torch};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Reduction {
    Replace,
    Add,
    Multiply,
    Max,
    Min,
}

/// Where a node's indices point in the table.
struct Places {
    /// Rows of the table, each in 0..rows.
    places: Vec<i64>,
    rows: i64,
    entries: i64,
}

/// Updates put into the rows of a table.
#[derive(Debug)]
struct Scatter {
    data: Operand,
    updates: Operand,
    shape: Vec<i64>,
    entries: i64,
    reduction: Reduction,
    /// Updates that have places of their own, round by round: which updates, and their places. A place that comes up
    /// twice is met in two rounds, so that the second sees what the first left.
    rounds: Vec<(Tensor, Tensor)>,
    offset: Option<Tensor>,
}

impl Scatter {
    fn operand(&self, which: &Operand, x: &[&Tensor], stack: i64, keep_constants: bool) -> Torch<Tensor> {
        match which {
            Operand::Varying(i) => x[*i].f_reshape([stack, -1, self.entries]),
            Operand::Constant(constant) => {
                let constant = if keep_constants { constant.shallow_clone() } else { constant.f_zeros_like()? };
                // In the kind of what varies, which is another where positions are followed.
                constant.f_to_kind(x[0].kind())?.f_reshape([1, -1, self.entries])?.f_expand([stack, -1, -1], false)
            }
        }
    }

    fn scattered(&self, x: &[&Tensor], keep_constants: bool) -> Torch<Tensor> {
        let stack = x[0].size()[0];
        let mut table = self.operand(&self.data, x, stack, keep_constants)?;
        let updates = self.operand(&self.updates, x, stack, keep_constants)?;
        for (which, places) in &self.rounds {
            let next = updates.f_index_select(1, which)?;
            table = match self.reduction {
                Reduction::Replace => table.f_index_copy(1, places, &next)?,
                Reduction::Add => table.f_index_add(1, places, &next)?,
                _ => {
                    let now = table.f_index_select(1, places)?;
                    let combined = match self.reduction {
                        Reduction::Multiply => now.f_mul(&next)?,
                        Reduction::Max => now.f_maximum(&next)?,
                        _ => now.f_minimum(&next)?,
                    };
                    table.f_index_copy(1, places, &combined)?
                }
            };
        }
        // With no round the table is still the input's memory.
        if self.rounds.is_empty() {
            table = table.copy();
        }
        table.f_reshape([&[stack], self.shape.as_slice()].concat())
    }
}

impl Linear for Scatter {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![self.scattered(x, false)?])
    }

    fn pattern(&self) -> Pattern<'_> {
        if self.reduction == Reduction::Replace { Pattern::Selection } else { Pattern::Any }
    }

    fn offset(&self) -> Option<&Tensor> {
        self.offset.as_ref()
    }

    fn is_fresh(&self) -> bool {
        true
    }
}

impl Forward for Scatter {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![self.scattered(x, true)?])
    }
}

fn reduction(b: &mut Builder<'_>) -> Result<Reduction, GraphError> {
    Ok(match b.string("reduction")?.as_deref() {
        None | Some("none") => Reduction::Replace,
        Some("add") => Reduction::Add,
        Some("mul") => Reduction::Multiply,
        Some("max") => Reduction::Max,
        Some("min") => Reduction::Min,
        Some(other) => {
            return Err(b.unsupported(format!("reduction = '{other}'"), "none, add, mul, max and min are"));
        }
    })
}

/// The places of each tuple of indices along the last axis, as ScatterND and GatherND have them, after `batch` axes
/// that both have.
fn tuples(b: &Builder<'_>, shape: &[i64], batch: usize) -> Result<(Places, Vec<i64>), GraphError> {
    let index_shape = b.shape(1)?;
    let indices = b.parameter_ints(1, "indices")?.unwrap_or_default();
    let Some((&width, lead)) = index_shape.split_last() else { return Err(b.invalid("its indices have no axis")) };
    let fits = width >= 1 && batch as i64 + width <= shape.len() as i64 && batch <= lead.len();
    if !fits || shape[..batch] != lead[..batch] {
        return Err(b.invalid(format!("its indices of shape {index_shape:?} do not fit")));
    }
    let indexed = batch + width as usize;
    let rows: i64 = shape[..indexed].iter().product();
    let entries: i64 = shape[indexed..].iter().product();
    let per_batch: i64 = lead[batch..].iter().product::<i64>().max(1);
    let mut places = Vec::with_capacity(indices.len() / width as usize);
    for (i, tuple) in indices.chunks_exact(width as usize).enumerate() {
        let mut place = i as i64 / per_batch;
        for (&index, &n) in tuple.iter().zip(&shape[batch..]) {
            let wrapped = if index < 0 { index.saturating_add(n) } else { index };
            if !(0..n).contains(&wrapped) {
                return Err(b.invalid(format!("index {index} is outside an axis of {n}")));
            }
            place = place * n + wrapped;
        }
        places.push(place);
    }
    Ok((Places { places, rows, entries }, lead.to_vec()))
}

/// The places of the indices along one axis, as ScatterElements has them.
fn along_axis(b: &Builder<'_>, shape: &[i64], axis: usize) -> Result<Places, GraphError> {
    let index_shape = b.shape(1)?;
    let indices = b.parameter_ints(1, "indices")?.unwrap_or_default();
    let fits = index_shape.len() == shape.len()
        && index_shape.iter().zip(shape).enumerate().all(|(i, (n, all))| i == axis || n <= all);
    if !fits {
        return Err(b.invalid(format!("its indices of shape {index_shape:?} do not fit {shape:?}")));
    }
    let mut places = Vec::with_capacity(indices.len());
    for (flat, &index) in indices.iter().enumerate() {
        let n = shape[axis];
        let wrapped = if index < 0 { index.saturating_add(n) } else { index };
        if !(0..n).contains(&wrapped) {
            return Err(b.invalid(format!("index {index} is outside an axis of {n}")));
        }
        let (mut rest, mut stride, mut place) = (flat as i64, 1, 0);
        for (i, &m) in index_shape.iter().enumerate().rev() {
            place += stride * if i == axis { wrapped } else { rest % m };
            rest /= m;
            stride *= shape[i];
        }
        places.push(place);
    }
    Ok(Places { places, rows: shape.iter().product(), entries: 1 })
}

fn scatter(b: &mut Builder<'_>, shape: Vec<i64>, at: Places, updates: Vec<i64>) -> Build {
    let reduction = reduction(b)?;
    if b.shape(2)? != updates {
        return Err(b.invalid(format!("its updates should have the shape {updates:?}")));
    }
    // With `add` libtorch adds all that comes to one place.
    let mut rounds: Vec<(Vec<i64>, Vec<i64>)> = Vec::new();
    let mut met: HashMap<i64, usize> = HashMap::new();
    for (i, &place) in at.places.iter().enumerate() {
        let round = met.entry(place).or_default();
        let turn = if reduction == Reduction::Add { 0 } else { *round };
        if turn >= MAX_ROUNDS {
            return Err(b.unsupported(format!("more than {MAX_ROUNDS} updates of one place"), "reduction = 'add' is"));
        }
        if rounds.len() <= turn {
            rounds.push((Vec::new(), Vec::new()));
        }
        rounds[turn].0.push(i as i64);
        rounds[turn].1.push(place);
        *round += 1;
    }
    let device = b.device();
    let list = |values: Vec<i64>| -> Torch<Tensor> { Tensor::f_from_slice(&values)?.f_to_device(device) };
    let rounds = rounds.into_iter().map(|(which, places)| Ok((list(which)?, list(places)?)));
    let rounds = rounds.collect::<Torch<Vec<_>>>()?;
    let (data, updates) = (b.operand(0)?, b.operand(2)?);
    let kind = b.kind(0)?;
    let linear = matches!(reduction, Reduction::Replace | Reduction::Add);
    let has_constant = matches!(data, Operand::Constant(_)) || matches!(updates, Operand::Constant(_));
    let mut op = Scatter { data, updates, shape, entries: at.entries, reduction, rounds, offset: None };
    if linear && has_constant {
        // The value where what varies is zero; one operand varies, and only its place is left open.
        let size = if matches!(op.data, Operand::Varying(_)) { op.shape.clone() } else { b.shape(2)? };
        let zero = Tensor::f_zeros([&[1], size.as_slice()].concat(), (kind, device))?;
        op.offset = Some(op.scattered(&[&zero], true)?.f_squeeze_dim(0)?);
    }
    let operator = if linear { Operator::Linear(Box::new(op)) } else { Operator::Automatic(Box::new(op)) };
    Ok(Built { operator, flow: Flow::Unknown })
}

/// More updates of one place than this are refused where they cannot be added up at once.
const MAX_ROUNDS: usize = 1024;

/// ScatterND.
pub fn scatter_nd(b: &mut Builder<'_>) -> Build {
    let shape = b.shape(0)?;
    let (at, mut updates) = tuples(b, &shape, 0)?;
    let width = b.shape(1)?.last().copied().unwrap_or(0) as usize;
    updates.extend(&shape[width..]);
    scatter(b, shape, at, updates)
}

/// ScatterElements, and Scatter, its name before opset 11.
pub fn scatter_elements(b: &mut Builder<'_>) -> Build {
    let shape = b.shape(0)?;
    let axis = b.int("axis")?.unwrap_or(0);
    let axis = (b.axis_from_end(axis, shape.len())? + shape.len() as i64) as usize;
    let at = along_axis(b, &shape, axis)?;
    let updates = b.shape(1)?;
    scatter(b, shape, at, updates)
}

/// Rows of the table.
#[derive(Debug)]
struct TakeRows {
    places: Tensor,
    rows: i64,
    entries: i64,
    shape: Vec<i64>,
}

impl Linear for TakeRows {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let stack = x[0].size()[0];
        let table = x[0].f_reshape([stack, self.rows, self.entries])?;
        Ok(vec![table.f_index_select(1, &self.places)?.f_reshape([&[stack], self.shape.as_slice()].concat())?])
    }

    fn pattern(&self) -> Pattern<'_> {
        Pattern::Selection
    }

    fn is_fresh(&self) -> bool {
        true
    }
}

/// GatherND.
pub fn gather_nd(b: &mut Builder<'_>) -> Build {
    let shape = b.shape(0)?;
    let batch = b.int("batch_dims")?.unwrap_or(0);
    if !(0..shape.len() as i64).contains(&batch) {
        return Err(b.invalid(format!("batch_dims = {batch} does not fit {} axes", shape.len())));
    }
    let (Places { places, rows, entries }, mut out) = tuples(b, &shape, batch as usize)?;
    let width = b.shape(1)?.last().copied().unwrap_or(0);
    out.extend(&shape[(batch + width) as usize..]);
    b.check_size(&out)?;
    b.varying_input(0)?;
    let places = Tensor::f_from_slice(&places)?.f_to_device(b.device())?.f_to_kind(Kind::Int64)?;
    let op = TakeRows { places, rows, entries, shape: out };
    Ok(Built { operator: Operator::Linear(Box::new(op)), flow: Flow::Unknown })
}
