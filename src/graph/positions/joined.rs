//! Positions of what is moved, joined or put together entry by entry.

use tch::{Kind, Tensor};

use super::known::Known;
use crate::graph::labels::{Labels, Positions, is_true};
use crate::graph::operator::{Linear, Torch};
use crate::symmetry::Grid;

/// The labels of what only moves entries: they are moved as the entries are.
pub(super) fn selected(op: &dyn Linear, inputs: &[Known<'_>], shapes: &[Vec<i64>]) -> Torch<Vec<Option<Labels>>> {
    let none = || Ok(shapes.iter().map(|_| None).collect());
    let Some(labels) = inputs.iter().map(Known::labels).collect::<Torch<Option<Vec<Labels>>>>()? else {
        return none();
    };
    let Some((labels, positions, relation)) = aligned(labels)? else { return none() };
    let stacks = labels.iter().map(|l| l.ids.f_unsqueeze(0)).collect::<Torch<Vec<_>>>()?;
    let moved = op.apply(&stacks.iter().collect::<Vec<_>>())?;
    let moved = moved.into_iter().map(|y| y.f_squeeze_dim(0)?.f_to_kind(Kind::Double));
    let moved = moved.collect::<Torch<Vec<_>>>()?;
    let constant = if moved.len() == 1 { constant_channels(op, inputs, &moved[0])? } else { None };
    let all = moved.into_iter();
    Ok(all
        .map(|ids| Some(Labels { positions, ids: constant.as_ref().map_or(ids, Tensor::shallow_clone), relation }))
        .collect())
}

/// The labels of what an operator joins from its inputs, of labels `ids`, and constants: a channel of constants that
/// are the same everywhere is a map like the other channels. None where there is no such channel.
fn constant_channels(op: &dyn Linear, inputs: &[Known<'_>], ids: &Tensor) -> Torch<Option<Tensor>> {
    let ones = inputs.iter().map(|k| {
        let size: Vec<i64> = [&[1], k.shape].concat();
        Tensor::f_ones(size.as_slice(), (Kind::Double, k.device))
    });
    let ones = ones.collect::<Torch<Vec<_>>>()?;
    let Some(made) = op.apply(&ones.iter().collect::<Vec<_>>())?.into_iter().next() else { return Ok(None) };
    let given = made.f_squeeze_dim(0)?.f_eq(0.0)?;
    if !is_true(&given.f_any()?)? {
        return Ok(None);
    }
    let rank = ids.dim() as i64;
    for (axis, &length) in ids.size().iter().enumerate() {
        let axis = axis as i64;
        let others: Vec<i64> = (0..rank).filter(|&other| other != axis).collect();
        let whole = given.f_to_kind(Kind::Double)?;
        let whole = if others.is_empty() { whole } else { whole.f_amin(others.as_slice(), false)? };
        let channels: Vec<i64> = Vec::<f64>::try_from(&whole)?
            .iter()
            .enumerate()
            .filter(|(_, all)| **all > 0.0)
            .map(|(at, _)| at as i64)
            .collect();
        let Some(first) = (0..length).find(|at| !channels.contains(at)).filter(|_| !channels.is_empty()) else {
            continue;
        };
        let map = ids.f_narrow(axis, first, 1)?;
        let mut others = (0..length).filter(|at| !channels.contains(at));
        let alike = |at: i64| -> Torch<bool> { ids.f_narrow(axis, at, 1)?.f_equal(&map) };
        let uniform = |at: i64| -> Torch<bool> {
            let Some(offset) = op.offset() else { return Ok(true) };
            let values = offset.f_expand(ids.size(), false)?.f_narrow(axis, at, 1)?;
            values.f_max()?.f_equal(&values.f_min()?)
        };
        let differs = |is: Torch<bool>| is.map_or_else(|error| Some(Err(error)), |is| (!is).then_some(Ok(())));
        let other = others.find_map(|at| differs(alike(at)));
        let uneven = channels.iter().find_map(|&at| differs(uniform(at)));
        if other.or(uneven).transpose()?.is_none() {
            return map.f_expand(ids.size(), false).map(Some);
        }
    }
    Ok(None)
}

/// Labels of values that are put together, what all of them number, and whether they relate positions. Where they number the
/// samples of different grids, parts of maps are numbered on grids of their own.
pub(super) fn aligned(labels: Vec<Labels>) -> Torch<Option<(Vec<Labels>, Positions, bool)>> {
    let first = labels.iter().find_map(Labels::grid);
    let apart = first.is_some_and(|first| labels.iter().filter_map(Labels::grid).any(|g| !g.agrees_with(&first)));
    let labels = if apart {
        labels.into_iter().map(|l| Ok(l.of_part()?.unwrap_or(l))).collect::<Torch<Vec<Labels>>>()?
    } else {
        labels
    };
    let grids: Vec<Grid> = labels.iter().filter_map(Labels::grid).collect();
    let scattered = labels.iter().any(|l| l.positions == Positions::Scattered);
    let positions = match (grids.is_empty(), scattered) {
        (true, true) => Positions::Scattered,
        (true, false) => Positions::None,
        (false, false) => match Grid::halfway(&grids) {
            Some(grid) => Positions::On(grid),
            None => return Ok(None),
        },
        (false, true) => return Ok(None),
    };
    // Sums over all positions, joined to a map as its class token is, have no position.
    let relation = labels.iter().any(|l| l.relation && (l.placed() || positions == Positions::None));
    Ok(Some((labels, positions, relation)))
}

/// Entry by entry: the labels that the inputs agree on. Inputs without any have no say: what is added to a map, or
/// multiplied with it, entry by entry, lies where the map lies. So does what has positions, but is no map of its own: what
/// every window made of queries that all windows share, added to the map of the windows; and a map of fewer positions, whose
/// others are its channels.
pub(super) fn merged(inputs: &[Known<'_>], shape: &[i64]) -> Torch<Option<Labels>> {
    let labels = inputs.iter().map(Known::labels).collect::<Torch<Vec<Option<Labels>>>>()?;
    let positions =
        |known: &Known<'_>| known.layout.positions().map_or(0, |map| map.grid.rows.samples * map.grid.columns.samples);
    let finest = inputs.iter().map(positions).max().unwrap_or(0);
    let mut counted = Vec::new();
    for (known, labels) in inputs.iter().zip(&labels) {
        let Some(labels) = labels.as_ref().filter(|l| l.placed()) else { continue };
        if labels.relation || positions(known) >= finest {
            counted.push(labels.with(labels.ids.f_expand(shape, false)?));
        }
    }
    if counted.is_empty() {
        if labels.iter().any(Option::is_none) {
            return Ok(None);
        }
        let relation = labels.iter().flatten().any(|l| l.relation);
        return Ok(Some(Labels { relation, ..Labels::nowhere(shape, inputs[0].device)? }));
    }
    let Some((counted, positions, relation)) = aligned(counted)? else { return Ok(None) };
    for other in &counted[1..] {
        if !other.ids.f_equal(&counted[0].ids)? {
            return Ok(None);
        }
    }
    Ok(counted.into_iter().next().map(|first| Labels { positions, relation, ..first }))
}
