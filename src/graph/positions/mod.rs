//! Following positions through a graph, entry by entry, to learn layouts.
//!
//! Every entry of a value gets a *label*: the number of the position of the input plane that it belongs to, from 1, row
//! by row, or 0 where it has none. Operators that only move entries (reshape, transpose, slice, join, roll, window) are
//! run on the labels themselves, so whatever they do is followed exactly. Operators that mix entries keep a label
//! where all entries that they mix have it. From labels a layout is read back only where every position is there
//! exactly once in every channel: a wrong layout is worse than none.

mod joined;
mod known;
mod products;
mod windows;

use ndarray::Array2;
use tch::{Device, Kind};

use crate::memory;
use crate::symmetry::Grid;

use self::joined::{merged, selected};
pub use self::known::Known;
use self::products::{contracted, product};
use self::windows::{folded, in_place, mixed, pooled, recurrent, reduced, stays};
use super::axis_map::filter_step;
use super::guard;
use super::labels::Labels;
use super::layout::{Flow, Layout, Step};
use super::operator::{Operator, Pattern, Torch};

/// What an operator does to a plane along whose rows or columns it multiplies by a constant matrix, where that is a
/// filter.
///
/// # Errors
/// When libtorch refuses.
pub fn along_plane(operator: &Operator, inputs: &[Known<'_>]) -> Torch<Option<Flow>> {
    let (Operator::Linear(op), [input]) = (operator, inputs) else { return Ok(None) };
    if plane_of(input.layout).is_none() {
        return Ok(None);
    }
    let Pattern::Matrix { axis, matrix } = op.pattern() else { return Ok(None) };
    let size = matrix.size();
    let entries = matrix.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?.f_contiguous()?.f_view([-1])?;
    let entries = Array2::from_shape_vec((size[0] as usize, size[1] as usize), Vec::try_from(&entries)?);
    let still = Step { first: 0.0, step: 1.0 };
    Ok(entries.ok().and_then(|matrix| filter_step(&matrix)).map(|step| match axis {
        -1 => Flow::Resampled { rows: still, columns: step },
        _ => Flow::Resampled { rows: step, columns: still },
    }))
}

/// What is known of an operator's outputs, of the given shapes.
///
/// # Errors
/// When libtorch refuses for another reason than memory: where labels find none, nothing is known.
pub fn outputs(
    operator: &Operator,
    flow: &Flow,
    inputs: &[Known<'_>],
    shapes: &[Vec<i64>],
) -> Torch<Vec<(Layout, Option<Labels>)>> {
    if shapes.iter().any(|shape| shape.contains(&0)) {
        return Ok(nothing(shapes));
    }
    let planes: Vec<(&[i64], Option<Grid>)> = inputs.iter().map(|k| (k.shape, plane_of(k.layout))).collect();
    let planar = inputs.iter().all(|k| plane_of(k.layout).is_some() || k.layout.positions().is_none());
    let grids: Vec<Option<Grid>> =
        shapes.iter().map(|shape| if planar { flow.grid(&planes, shape) } else { None }).collect();
    if grids.iter().all(Option::is_some) {
        // Of one sample there is nothing to move.
        let layout = |grid: Grid| if grid.is_point() { Layout::NonSpatial } else { Layout::planar(grid) };
        let planes = grids.into_iter().flatten().map(layout);
        if !(cuts(operator, inputs, shapes) || inputs.iter().any(|k| k.labels.is_some())) {
            return Ok(planes.map(|plane| (plane, None)).collect());
        }
        // The part of a plane that it is says more, where it is one.
        let found = followed_if_room(operator, flow, inputs, shapes)?;
        let known = planes.zip(found).map(|(plane, found)| {
            let same = match (&found.0, plane.plane()) {
                (Layout::Part(part), Some(grid)) => part.map.is_planar() && part.map.grid.agrees_with(&grid),
                _ => false,
            };
            if same { found } else { (plane, None) }
        });
        return Ok(known.collect());
    }
    if inputs.iter().all(|k| matches!(k.layout, Layout::NonSpatial)) {
        return Ok(shapes.iter().map(|_| (Layout::NonSpatial, None)).collect());
    }
    // All positions into one: nothing is left to move.
    if let (Flow::Reduced { axes, .. }, [input, ..]) = (flow, inputs)
        && input.layout.positions().is_some_and(|map| map.axes.iter().all(|axis| axes.contains(axis)))
    {
        return Ok(shapes.iter().map(|_| (Layout::NonSpatial, None)).collect());
    }
    followed_if_room(operator, flow, inputs, shapes)
}

/// The grid of a plane, or of the part of one.
fn plane_of(layout: &Layout) -> Option<Grid> {
    layout.positions().filter(|map| map.is_planar()).map(|map| map.grid)
}

/// Whether an operator takes rows or columns away and leaves the others as they are.
fn cuts(operator: &Operator, inputs: &[Known<'_>], shapes: &[Vec<i64>]) -> bool {
    let (Operator::Linear(op), [input]) = (operator, inputs) else { return false };
    let positions = |shape: &[i64]| shape.iter().rev().take(2).product::<i64>();
    if input.shape.iter().product::<i64>() > MOST_LABELS {
        return false;
    }
    op.pattern().selects() && shapes.iter().any(|shape| positions(shape) < positions(input.shape))
}

/// Larger values than any with tokens or windows are not followed entry by entry, which would take seconds for each.
const MOST_LABELS: i64 = 1 << 25;

/// Tensors of labels that may be there at once while one operator is followed.
const COPIES: u64 = 4;

fn followed_if_room(
    operator: &Operator,
    flow: &Flow,
    inputs: &[Known<'_>],
    shapes: &[Vec<i64>],
) -> Torch<Vec<(Layout, Option<Labels>)>> {
    let entries = |shape: &[i64]| shape.iter().product::<i64>();
    let most = shapes.iter().map(|shape| entries(shape)).chain(inputs.iter().map(|k| entries(k.shape))).max();
    let most = most.unwrap_or(0);
    let bytes = most.unsigned_abs().saturating_mul(8 * COPIES);
    if shapes.iter().any(|shape| entries(shape) > MOST_LABELS) || memory::check(bytes).is_err() {
        return Ok(nothing(shapes));
    }
    match followed(operator, flow, inputs, shapes) {
        Err(error) if guard::shortage(&error).is_some() => Ok(nothing(shapes)),
        other => other,
    }
}

/// What labels tell of the outputs.
fn followed(
    operator: &Operator,
    flow: &Flow,
    inputs: &[Known<'_>],
    shapes: &[Vec<i64>],
) -> Torch<Vec<(Layout, Option<Labels>)>> {
    let found: Vec<Option<Labels>> = match (operator, flow) {
        (Operator::Linear(op), _) if op.pattern().selects() => selected(op.as_ref(), inputs, shapes)?,
        (_, Flow::Pointwise) => shapes.iter().map(|shape| merged(inputs, shape)).collect::<Torch<_>>()?,
        (_, Flow::Mixed { axis }) => {
            shapes.iter().map(|shape| mixed(&inputs[0], *axis, shape)).collect::<Torch<_>>()?
        }
        // Within windows that lie on the batch axis: every output has its window about the input of the same place.
        (_, Flow::Resampled { rows, columns }) if stays(rows, columns) => {
            shapes.iter().map(|shape| in_place(&inputs[0], &[1, 1], shape)).collect::<Torch<_>>()?
        }
        (_, Flow::InPlace { kernel }) => {
            shapes.iter().map(|shape| in_place(&inputs[0], kernel, shape)).collect::<Torch<_>>()?
        }
        (_, Flow::Pooled { length }) => {
            shapes.iter().map(|shape| pooled(&inputs[0], *length, shape)).collect::<Torch<_>>()?
        }
        (_, Flow::Folded { rows, columns, blocks }) => {
            shapes.iter().map(|shape| folded(&inputs[0], [*rows, *columns], *blocks, shape)).collect::<Torch<_>>()?
        }
        (_, Flow::Recurrent) => {
            shapes.iter().enumerate().map(|(at, shape)| recurrent(&inputs[0], at == 0, shape)).collect::<Torch<_>>()?
        }
        (_, Flow::Contracted { axes }) => {
            shapes.iter().map(|shape| contracted(inputs, axes, shape)).collect::<Torch<_>>()?
        }
        (_, Flow::Product) => shapes.iter().map(|shape| product(inputs, shape)).collect::<Torch<_>>()?,
        (_, Flow::Reduced { axes, keep }) => {
            shapes.iter().map(|shape| reduced(&inputs[0], axes, *keep, shape)).collect::<Torch<_>>()?
        }
        _ => return Ok(nothing(shapes)),
    };
    found
        .into_iter()
        .map(|labels| {
            let Some(labels) = labels.map(|labels| labels.condensed()).transpose()? else {
                return Ok((Layout::Unknown, None));
            };
            let layout = labels.layout()?;
            // Labels are kept only where a layout does not say as much.
            let keep = matches!(layout, Layout::Unknown | Layout::Part(_));
            Ok((layout, keep.then_some(labels)))
        })
        .collect()
}

fn nothing(shapes: &[Vec<i64>]) -> Vec<(Layout, Option<Labels>)> {
    shapes.iter().map(|_| (Layout::Unknown, None)).collect()
}
