//! Positions of sums: over an axis, over windows, over blocks that are added up, over steps.

use tch::Tensor;

use super::known::Known;
use crate::graph::blocks::{blocks, blocks_along};
use crate::graph::labels::{Labels, is_true, varies};
use crate::graph::layout::{Layout, Step};
use crate::graph::operator::Torch;
use crate::symmetry::{Axis, Grid};

/// A sum over an axis.
pub(super) fn mixed(input: &Known<'_>, axis: i64, shape: &[i64]) -> Torch<Option<Labels>> {
    let Some(labels) = input.labels()? else { return Ok(None) };
    let labels = if varies(&labels.ids, labels.ids.dim() as i64 + axis)? {
        match if axis == -1 { blocks(&labels)? } else { None } {
            Some(blocks) => blocks,
            None => return Ok(None),
        }
    } else {
        labels.with(labels.ids.f_narrow(axis, 0, 1)?)
    };
    Ok(Some(labels.with(labels.ids.f_expand(shape, false)?)))
}

/// Whether output sample j lies at input sample j.
pub(super) fn stays(rows: &Step, columns: &Step) -> bool {
    [rows, columns].iter().all(|step| step.first == 0.0 && step.step == 1.0)
}

/// A window over the axes from the third on that keeps their samples where they are, and mixes the channels before them.
/// Along an axis of several taps the labels have to follow each other evenly, so that the centre of the taps is the middle
/// one's place.
pub(super) fn in_place(input: &Known<'_>, kernel: &[i64], shape: &[i64]) -> Torch<Option<Labels>> {
    let Some(labels) = input.labels()? else { return Ok(None) };
    let from = labels.ids.size();
    let same = from.len() == kernel.len() + 2 && from.len() == shape.len() && from[0] == shape[0];
    if !same || from[2..] != shape[2..] || varies(&labels.ids, 1)? {
        return Ok(None);
    }
    for (axis, _) in kernel.iter().enumerate().filter(|(_, taps)| **taps > 1) {
        if !is_even(&labels.ids, axis as i64 + 2)? {
            return Ok(None);
        }
    }
    Ok(Some(labels.with(labels.ids.f_narrow(1, 0, 1)?.f_expand(shape, false)?)))
}

/// Whether each label along an axis differs from the one before it by the same number, everywhere, or none varies.
fn is_even(ids: &Tensor, axis: i64) -> Torch<bool> {
    if !varies(ids, axis)? {
        return Ok(true);
    }
    let length = ids.size()[axis as usize];
    let steps = ids.f_narrow(axis, 1, length - 1)?.f_sub(&ids.f_narrow(axis, 0, length - 1)?)?;
    Ok(is_true(&ids.f_gt(0.0)?.f_all()?)? && steps.f_min()?.f_equal(&steps.f_max()?)?)
}

/// Sums over so many entries in a row along the last axis.
pub(super) fn pooled(input: &Known<'_>, length: i64, shape: &[i64]) -> Torch<Option<Labels>> {
    let Some(labels) = input.labels()? else { return Ok(None) };
    let mut size = shape.to_vec();
    let Some(kept) = size.last().map(|windows| windows * length) else { return Ok(None) };
    size.push(length);
    // Entries that fill no window are left out.
    let ids = labels.ids.f_narrow(-1, 0, kept)?;
    if !varies(&ids, ids.dim() as i64 - 1)? {
        return Ok(Some(labels.with(ids.f_narrow(-1, 0, 1)?.f_expand(shape, false)?)));
    }
    let pieces = labels.with(ids.f_reshape(size)?);
    let Some(found) = blocks_along(&pieces, &[-1])? else { return Ok(None) };
    Ok(Some(found.with(found.ids.f_squeeze_dim(-1)?.f_expand(shape, false)?)))
}

/// Blocks of a map, in its order, that are added up to an image: the image lies so that each block's centre is where the
/// block was.
pub(super) fn folded(input: &Known<'_>, steps: [Step; 2], blocks: [i64; 2], shape: &[i64]) -> Torch<Option<Labels>> {
    let (Layout::Map(map), [_, _, rows, columns]) = (input.layout, shape) else { return Ok(None) };
    let counts = [map.grid.rows.samples as i64, map.grid.columns.samples as i64];
    if map.axes != [-1] || map.places.is_some() || map.channels.is_some() || counts != blocks {
        return Ok(None);
    }
    let finer = |axis: &Axis, step: Step, samples: i64| {
        axis.resampled(-step.first / step.step, 1.0 / step.step, samples as usize)
    };
    let grid =
        Grid { rows: finer(&map.grid.rows, steps[0], *rows), columns: finer(&map.grid.columns, steps[1], *columns) };
    Labels::of(&Layout::planar(grid), shape, input.device)
}

/// Step j of what reads step by step lies at step j, the first output; others are states behind all steps.
pub(super) fn recurrent(input: &Known<'_>, is_first: bool, shape: &[i64]) -> Torch<Option<Labels>> {
    let Some(labels) = input.labels()?.filter(|l| !l.relation) else { return Ok(None) };
    if varies(&labels.ids, 2)? || !is_even(&labels.ids, 0)? {
        return Ok(None);
    }
    let ids = labels.ids.f_narrow(2, 0, 1)?;
    if is_first {
        return Ok(Some(labels.with(ids.f_unsqueeze(1)?.f_expand(shape, false)?)));
    }
    let still = !varies(&labels.ids, 0)?;
    let ids = ids.f_narrow(0, 0, 1)?;
    Ok(if still { Some(labels.with(ids.f_expand(shape, false)?)) } else { None })
}

/// A mean, sum or extremum over axes.
pub(super) fn reduced(input: &Known<'_>, axes: &[i64], keep: bool, shape: &[i64]) -> Torch<Option<Labels>> {
    let Some(labels) = input.labels()? else { return Ok(None) };
    let rank = labels.ids.dim() as i64;
    let mut gone = false;
    for &axis in axes {
        gone |= varies(&labels.ids, rank + axis)?;
    }
    if !gone {
        return Ok(Some(labels.with(labels.ids.f_amax(axes, keep)?)));
    }
    // Windows into one each.
    let Some(blocks) = blocks_along(&labels, axes)? else { return Ok(None) };
    let mut kept = labels.ids.size();
    axes.iter().for_each(|axis| kept[(rank + axis) as usize] = 1);
    let ids = blocks.ids.f_expand(kept, false)?.f_reshape(shape)?;
    Ok(Some(blocks.with(ids)))
}
