//! Sums over windows: where what became of each window lies.

use std::collections::{BTreeSet, HashMap, HashSet};

use tch::Tensor;

use crate::symmetry::{Axis, Grid};

use super::labels::{Labels, Positions, values, varies};
use super::operator::Torch;

/// What sums over the last axis belong to: where it holds disjoint blocks of positions, as a patch merging has it, the
/// grid of the blocks' centres; where it holds other sets of positions, no grid.
///
/// Blocks may lack positions where a map was padded to a whole number of them. They lie where they would with all
/// positions.
pub(super) fn blocks(of: &Labels) -> Torch<Option<Labels>> {
    let (Some(_), false) = (of.grid(), of.relation) else { return Ok(None) };
    let of = of.condensed()?;
    let mut size = of.ids.size();
    let Some(last) = size.len().checked_sub(1) else { return Ok(None) };
    // Axes along which the same sets come again.
    let again: Vec<usize> = (0..last).filter(|&axis| size[axis] > 1 && of.ids.stride()[axis] == 0).collect();
    let mut one = of.ids.shallow_clone();
    for &axis in &again {
        one = one.f_narrow(axis as i64, 0, 1)?;
    }
    let of = of.with(one);
    let of = of.of_part()?.unwrap_or(of);
    // Several sums over one block have no place apart from each other: a dense layer over the block may mix its rows.
    let found = if again.is_empty() { rectangles(&of)? } else { None };
    let Some(found) = found.map_or_else(|| scattered(&of), |found| Ok(Some(found)))? else { return Ok(None) };
    size[last] = 1;
    Ok(Some(found.with(found.ids.f_expand(size, false)?)))
}

/// The grid of the centres of disjoint rectangles of positions on the last axis.
fn rectangles(of: &Labels) -> Torch<Option<Labels>> {
    let Some(grid) = of.grid() else { return Ok(None) };
    let mut size = of.ids.size();
    let length = size.pop().unwrap_or(1) as usize;
    let ids = values(&of.ids)?;
    let device = of.ids.device();
    let Some(centres) = centres(&ids, length, [grid.rows.samples, grid.columns.samples]) else { return Ok(None) };
    let along = |a: usize, axis: &Axis| -> Option<(Vec<u64>, Axis)> {
        let mut values: Vec<f64> = centres.iter().map(|c| c[a]).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let step = if values.len() > 1 { values[1] - values[0] } else { axis.samples as f64 };
        let even = values.windows(2).all(|pair| pair[1] - pair[0] == step);
        even.then(|| (values.iter().map(|v| v.to_bits()).collect(), axis.resampled(values[0], step, values.len())))
    };
    let (Some((row_values, row_axis)), Some((column_values, column_axis))) =
        (along(0, &grid.rows), along(1, &grid.columns))
    else {
        return Ok(None);
    };
    if row_values.len() * column_values.len() != centres.len() {
        return Ok(None);
    }
    let place = |values: &[u64], v: f64| values.iter().position(|bits| *bits == v.to_bits());
    let mut labels = Vec::with_capacity(centres.len());
    for [r, c] in &centres {
        let (Some(r), Some(c)) = (place(&row_values, *r), place(&column_values, *c)) else { return Ok(None) };
        labels.push((r * column_values.len() + c + 1) as f64);
    }
    size.push(1);
    let ids = Tensor::f_from_slice(&labels)?.f_view(size.as_slice())?.f_to_device(device)?;
    let centres = Grid { rows: row_axis, columns: column_axis };
    Ok(Some(Labels { positions: Positions::On(centres), ids, relation: false }))
}

/// Sets of positions on the last axis, numbered from 1, where it is certain that they lie on no grid: each position is
/// in one of them, and one is no rectangle; or each reaches over more than half the rows and half the columns, so that
/// no sum over one lies beside any other.
fn scattered(of: &Labels) -> Torch<Option<Labels>> {
    let Some(grid) = of.grid() else { return Ok(None) };
    let mut size = of.ids.size();
    let length = size.pop().unwrap_or(1) as usize;
    let ids = values(&of.ids)?;
    let [rows, columns] = [grid.rows.samples, grid.columns.samples];
    if ids.iter().any(|id| *id <= 0.0) {
        return Ok(None);
    }
    let mut numbers: HashMap<BTreeSet<usize>, usize> = HashMap::new();
    let mut labels = Vec::with_capacity(ids.len() / length.max(1));
    for entries in ids.chunks_exact(length) {
        let next = numbers.len() + 1;
        let positions = entries.iter().map(|id| *id as usize).collect();
        labels.push(*numbers.entry(positions).or_insert(next) as f64);
    }
    let together: HashSet<usize> = numbers.keys().flatten().copied().collect();
    let disjoint = numbers.keys().map(BTreeSet::len).sum::<usize>() == together.len();
    let broken =
        numbers.keys().any(|positions| extents(positions, columns).iter().product::<usize>() != positions.len());
    let wide = |positions: &BTreeSet<usize>| {
        let [down, across] = extents(positions, columns);
        2 * down > rows && 2 * across > columns
    };
    if together.len() != rows * columns || !(disjoint && broken || numbers.keys().all(wide)) {
        return Ok(None);
    }
    size.push(1);
    let ids = Tensor::f_from_slice(&labels)?.f_view(size.as_slice())?.f_to_device(of.ids.device())?;
    Ok(Some(Labels { positions: Positions::Scattered, ids, relation: false }))
}

/// The centres of blocks of `length` entries in a map of so many columns, in samples: disjoint ones that are alike, and
/// such as overlap, if they are the same window about each centre.
fn centres(ids: &[f64], length: usize, [rows, columns]: [usize; 2]) -> Option<Vec<[f64; 2]>> {
    let position = |id: f64| [((id as usize - 1) / columns) as f64, ((id as usize - 1) % columns) as f64];
    let blocks = || ids.chunks_exact(length);
    // A block is all positions of a rectangle: others, as every second position, lie nowhere in particular.
    let fills = |positions: &BTreeSet<usize>| extents(positions, columns).iter().product::<usize>() == positions.len();
    let mut seen = HashSet::new();
    let mut block = None;
    let mut overlap = false;
    for entries in blocks() {
        let positions: BTreeSet<usize> = entries.iter().filter(|id| **id > 0.0).map(|id| *id as usize).collect();
        let whole = entries.iter().all(|id| *id > 0.0);
        let mut alike = || *block.get_or_insert(positions.len()) == positions.len() && fills(&positions);
        if whole && !alike() {
            return None;
        }
        positions.iter().for_each(|position| overlap |= !seen.insert(*position));
    }
    if seen.len() != rows * columns {
        return None;
    }
    let middle = |entries: &[f64]| {
        let positions: BTreeSet<usize> = entries.iter().map(|id| *id as usize).collect();
        let mean =
            |axis: usize| positions.iter().map(|s| position(*s as f64)[axis]).sum::<f64>() / positions.len() as f64;
        [mean(0), mean(1)]
    };
    // How far from the centre the position of each entry lies: alike in all blocks, where some lack positions or
    // overlap.
    let whole = blocks().find(|entries| entries.iter().all(|id| *id > 0.0))?;
    let centre = middle(whole);
    let offsets: Vec<[f64; 2]> = whole.iter().map(|id| [0, 1].map(|axis| position(*id)[axis] - centre[axis])).collect();
    let from_offsets = |entries: &[f64]| {
        let of_entry = |(id, offset): (&f64, &[f64; 2])| [0, 1].map(|axis| position(*id)[axis] - offset[axis]);
        let mut found = entries.iter().zip(&offsets).filter(|(id, _)| **id > 0.0).map(of_entry);
        let first = found.next()?;
        found.all(|other| other == first).then_some(first)
    };
    let free = !overlap && ids.iter().all(|id| *id > 0.0);
    blocks().map(|entries| if free { Some(middle(entries)) } else { from_offsets(entries) }).collect()
}

/// The rows and columns that positions, numbered from 1 in a map of so many columns, reach over.
fn extents(positions: &BTreeSet<usize>, columns: usize) -> [usize; 2] {
    let extent = |of: &dyn Fn(usize) -> usize| {
        let along = || positions.iter().map(|position| of(position - 1));
        along().max().unwrap_or(0) + 1 - along().min().unwrap_or(0)
    };
    [extent(&|position| position / columns), extent(&|position| position % columns)]
}

/// The labels with some axes, counted from the end, as one at the end, and with one entry of the others that do not
/// vary; and the shape in which it was one.
fn brought_together(of: &Labels, axes: &[i64]) -> Torch<(Tensor, Vec<i64>)> {
    let rank = of.ids.dim() as i64;
    let axes: Vec<i64> = axes.iter().map(|axis| rank + axis).collect();
    let mut one = of.ids.shallow_clone();
    for axis in (0..rank).filter(|axis| !axes.contains(axis)) {
        if !varies(&of.ids, axis)? {
            one = one.f_narrow(axis, 0, 1)?;
        }
    }
    let ends: Vec<i64> = (rank - axes.len() as i64..rank).collect();
    let last = one.f_movedim(axes.as_slice(), ends.as_slice())?.f_flatten(rank - axes.len() as i64, -1)?;
    Ok((last, one.size()))
}

/// What sums over `axes`, counted from the end, belong to, as [`blocks`] has it; the axes stay as axes of one entry.
pub(super) fn blocks_along(of: &Labels, axes: &[i64]) -> Torch<Option<Labels>> {
    let (last, mut size) = brought_together(of, axes)?;
    let Some(blocks) = blocks(&of.with(last))? else { return Ok(None) };
    let rank = size.len() as i64;
    axes.iter().for_each(|&axis| size[(rank + axis) as usize] = 1);
    let ids = blocks.ids.f_reshape(size)?;
    Ok(Some(Labels { ids, ..blocks }))
}
