//! Positions of products of two values that vary, such as an attention's.

use super::joined::aligned;
use super::known::Known;
use crate::graph::blocks::blocks_along;
use crate::graph::labels::{Labels, varies};
use crate::graph::operator::Torch;

/// A·B: an entry belongs to the position of its row of A or of its column of B; where both have one it relates the two, if
/// they are not the same.
///
/// A side of which nothing is known may have positions that were lost: then the other's say nothing. Where both sides' positions
/// are what is summed over, the sum has no place, or lies at the centre of the window that was summed over.
pub(super) fn product(inputs: &[Known<'_>], shape: &[i64]) -> Torch<Option<Labels>> {
    // A value times itself is one input, read twice.
    let (first, second) = (&inputs[0], &inputs[inputs.len() - 1]);
    let (a, b) = (first.labels()?, second.labels()?);
    let claim = |labels: Option<&Labels>, contracted: i64| -> Torch<Option<Labels>> {
        let Some(labels) = labels.filter(|l| l.placed()) else { return Ok(None) };
        let axis = labels.ids.dim() as i64 + contracted;
        if axis < 0 || varies(&labels.ids, axis)? {
            return Ok(None);
        }
        let ids = labels.ids.f_narrow(contracted, 0, 1)?.f_expand(shape, false)?;
        Ok(Some(Labels { ids, relation: false, ..*labels }))
    };
    // Whether the sum is over the positions that the labels number.
    let over = |labels: Option<&Labels>, contracted: i64| -> Torch<bool> {
        let Some(labels) = labels.filter(|l| l.placed()) else { return Ok(false) };
        let axis = labels.ids.dim() as i64 + contracted;
        Ok(axis >= 0 && varies(&labels.ids, axis)?)
    };
    let related = a.as_ref().is_some_and(|labels| labels.relation && labels.placed());
    Ok(match (claim(a.as_ref(), -1)?, claim(b.as_ref(), -2)?) {
        (Some(rows), Some(columns)) => {
            // Each position with itself.
            let grids = rows.grid().zip(columns.grid());
            let both = related || b.as_ref().is_some_and(|labels| labels.relation);
            if !both && grids.is_some_and(|(a, b)| a.agrees_with(&b)) && rows.ids.f_equal(&columns.ids)? {
                return Ok(Some(rows));
            }
            // Rows that windows share, against each window's own columns, belong to no one place.
            for axis in 0..shape.len() as i64 - 2 {
                if varies(&columns.ids, axis)? && !varies(&rows.ids, axis)? {
                    return Ok(Some(Labels { relation: true, ..columns }));
                }
            }
            Some(Labels { relation: true, ..rows })
        }
        (Some(rows), None) => {
            // Weights for each window, the same for all its rows or one for each, lie where the window lies.
            let windows = match (&a, &b) {
                (Some(a), Some(b)) if !a.relation && !varies(&a.ids, a.ids.dim() as i64 - 2)? => centred(b, shape)?,
                _ => None,
            };
            windows.or_else(|| (related || b.is_some()).then_some(rows))
        }
        (None, Some(columns)) => a.is_some().then_some(columns),
        (None, None) => match (over(a.as_ref(), -1)?, over(b.as_ref(), -2)?, &b) {
            (true, true, Some(b)) if windowless(b, -2)? => Some(Labels::sums(shape, first.device)?),
            (_, true, Some(b)) => centred(b, shape)?,
            _ if a.is_some() && b.is_some() && a.as_ref().is_none_or(|l| !l.placed()) => {
                Some(Labels::sums(shape, first.device)?)
            }
            _ => None,
        },
    })
}

/// Sums over the rows of the second side of a product of the given shape, where they are windows.
fn centred(b: &Labels, shape: &[i64]) -> Torch<Option<Labels>> {
    if !b.placed() || !varies(&b.ids, b.ids.dim() as i64 - 2)? {
        return Ok(None);
    }
    let Some(blocks) = blocks_along(b, &[-2])?.filter(|l| l.grid().is_none_or(|grid| !grid.is_point())) else {
        return Ok(None);
    };
    Ok(Some(blocks.with(blocks.ids.f_narrow(-1, 0, 1)?.f_expand(shape, false)?)))
}

/// A sum of products: an entry belongs to the position of its part of an input, if it is not summed over. Where parts of
/// two inputs have positions and they are not the same ones, it relates the two.
pub(super) fn contracted(inputs: &[Known<'_>], axes: &[Vec<Option<usize>>], shape: &[i64]) -> Torch<Option<Labels>> {
    let mut claims: Vec<Labels> = Vec::new();
    let mut resolved = false;
    for (input, axes) in inputs.iter().zip(axes) {
        let Some(labels) = input.labels()? else { return Ok(None) };
        let mut ids = labels.ids.shallow_clone();
        let mut summed = false;
        for (axis, _) in axes.iter().enumerate().filter(|(_, place)| place.is_none()) {
            summed |= varies(&labels.ids, axis as i64)?;
            ids = ids.f_narrow(axis as i64, 0, 1)?;
        }
        if !labels.placed() && !labels.relation {
            continue;
        }
        // What is summed over one input's positions belongs to the other's, whose entries told how they relate.
        if summed {
            resolved = true;
            continue;
        }
        // Summed axes to the front, of one entry, then off.
        let mut order: Vec<usize> = (0..axes.len()).collect();
        order.sort_by_key(|&axis| axes[axis].map_or(-1, |place| place as i64));
        let kept: Vec<i64> = order.iter().map(|&axis| axis as i64).collect();
        let mut size = vec![1; shape.len()];
        for (axis, place) in axes.iter().enumerate() {
            if let Some(place) = place {
                size[*place] = ids.size()[axis];
            }
        }
        claims.push(labels.with(ids.f_permute(kept)?.f_reshape(size)?.f_expand(shape, false)?));
    }
    let Some(first) = claims.pop() else { return Ok(None) };
    let Some(second) = claims.pop() else {
        return Ok(Some(Labels { relation: first.relation && !resolved, ..first }));
    };
    let Some((both, positions, relation)) = aligned(vec![first, second])? else { return Ok(None) };
    let same = both[0].ids.f_equal(&both[1].ids)?;
    Ok(both.into_iter().next().map(|first| Labels { positions, relation: relation || !same, ..first }))
}

/// Whether labels vary along one axis alone, counted from the end.
fn windowless(of: &Labels, axis: i64) -> Torch<bool> {
    let rank = of.ids.dim() as i64;
    for other in (0..rank).filter(|&other| other != rank + axis) {
        if varies(&of.ids, other)? {
            return Ok(false);
        }
    }
    Ok(true)
}
