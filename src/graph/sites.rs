//! Following sites through a graph, entry by entry, to learn layouts.
//!
//! Every entry of a value gets a *label*: the number of the site of the input plane that it belongs to, from 1, row by
//! row, or 0 where it has none. Operators that only move entries (reshape, transpose, slice, join, roll, window) are
//! run on the labels themselves, so whatever they do is followed exactly. Operators that mix entries keep a label
//! where all entries that they mix have it. From labels a layout is read back only where every site is there exactly
//! once in every channel: a wrong layout is worse than none.

use ndarray::Array2;
use tch::{Device, Kind, Tensor};

use crate::symmetry::Grid;

use super::axis_map::filter_step;
use super::blocks::{blocks, blocks_along, everywhere};
use super::labels::{Labels, varies};
use super::layout::{Flow, Layout, Step};
use super::operator::{Linear, Operator, Pattern, Torch};

/// A varying input of an operator.
pub struct Known<'a> {
    /// Its shape.
    pub shape: &'a [i64],
    /// Its layout.
    pub layout: &'a Layout,
    /// Its labels, where they say more than the layout.
    pub labels: Option<&'a Labels>,
    /// Where operators keep their constants.
    pub device: Device,
}

impl Known<'_> {
    fn labels(&self) -> Torch<Option<Labels>> {
        match self.labels {
            Some(labels) => Ok(Some(labels.copy())),
            None => Labels::of(self.layout, self.shape, self.device),
        }
    }
}

/// What an operator does to a plane along whose rows or columns it multiplies by a constant matrix, where that is a filter.
///
/// # Errors
/// When libtorch refuses.
pub fn along_plane(operator: &Operator, inputs: &[Known<'_>]) -> Torch<Option<Flow>> {
    let (Operator::Linear(op), [input]) = (operator, inputs) else { return Ok(None) };
    if input.layout.plane().is_none() {
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
/// When libtorch refuses.
pub fn outputs(
    operator: &Operator,
    flow: &Flow,
    inputs: &[Known<'_>],
    shapes: &[Vec<i64>],
) -> Torch<Vec<(Layout, Option<Labels>)>> {
    if shapes.iter().any(|shape| shape.contains(&0)) {
        return Ok(nothing(shapes));
    }
    let planes: Vec<(&[i64], Option<Grid>)> = inputs.iter().map(|k| (k.shape, k.layout.plane())).collect();
    let planar = inputs.iter().all(|k| k.layout.plane().is_some() || !matches!(k.layout, Layout::Map(_)));
    let grids: Vec<Option<Grid>> =
        shapes.iter().map(|shape| if planar { flow.grid(&planes, shape) } else { None }).collect();
    if grids.iter().all(Option::is_some) {
        // Of one sample there is nothing to move.
        let layout = |grid: Grid| if grid.is_point() { Layout::Still } else { Layout::planar(grid) };
        return Ok(grids.into_iter().flatten().map(|grid| (layout(grid), None)).collect());
    }
    if inputs.iter().all(|k| matches!(k.layout, Layout::Still)) {
        return Ok(shapes.iter().map(|_| (Layout::Still, None)).collect());
    }
    if shapes.iter().any(|shape| shape.iter().product::<i64>() > MOST_LABELS) {
        return Ok(nothing(shapes));
    }
    let found: Vec<Option<Labels>> = match (operator, flow) {
        (Operator::Linear(op), _) if op.pattern().selects() => {
            let Some(ids) = inputs.iter().map(Known::labels).collect::<Torch<Option<Vec<Labels>>>>()? else {
                return Ok(nothing(shapes));
            };
            let Some((grid, relation)) = common(&ids) else { return Ok(nothing(shapes)) };
            let lanes = ids.iter().map(|l| l.ids.f_unsqueeze(0)).collect::<Torch<Vec<_>>>()?;
            let moved = op.apply(&lanes.iter().collect::<Vec<_>>())?;
            let moved = moved.into_iter().map(|y| y.f_squeeze_dim(0)?.f_to_kind(Kind::Double));
            let moved = moved.collect::<Torch<Vec<_>>>()?;
            let constant = if moved.len() == 1 { constant_channels(op.as_ref(), inputs, &moved[0])? } else { None };
            moved
                .into_iter()
                .map(|ids| Some(Labels { grid, ids: constant.as_ref().map_or(ids, Tensor::shallow_clone), relation }))
                .collect()
        }
        (_, Flow::Pointwise) => shapes.iter().map(|shape| merged(inputs, shape)).collect::<Torch<_>>()?,
        (_, Flow::Mixed { axis }) => {
            shapes.iter().map(|shape| mixed(&inputs[0], *axis, shape)).collect::<Torch<_>>()?
        }
        // Within windows that lie on the batch axis: every output has its window about the input of the same place.
        (_, Flow::Resampled { rows, columns }) if stays(rows, columns) => {
            shapes.iter().map(|shape| in_place(&inputs[0], shape)).collect::<Torch<_>>()?
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
            let layout = labels.as_ref().map_or(Ok(Layout::Unknown), Labels::layout)?;
            // Labels are kept only where a layout does not say as much.
            let keep = matches!(layout, Layout::Unknown);
            Ok((layout, labels.filter(|_| keep)))
        })
        .collect()
}

/// Larger values than any with tokens or windows are not followed entry by entry, which would take seconds for each.
const MOST_LABELS: i64 = 1 << 25;

fn nothing(shapes: &[Vec<i64>]) -> Vec<(Layout, Option<Labels>)> {
    shapes.iter().map(|_| (Layout::Unknown, None)).collect()
}

/// The labels of what an operator joins from its inputs, of labels `ids`, and constants: a channel of constants that
/// are the same everywhere is a map like the other channels. None where there is no such channel.
fn constant_channels(op: &dyn Linear, inputs: &[Known<'_>], ids: &Tensor) -> Torch<Option<Tensor>> {
    let ones = inputs.iter().map(|k| {
        let lanes: Vec<i64> = [&[1], k.shape].concat();
        Tensor::f_ones(lanes.as_slice(), (Kind::Double, k.device))
    });
    let ones = ones.collect::<Torch<Vec<_>>>()?;
    let Some(made) = op.apply(&ones.iter().collect::<Vec<_>>())?.into_iter().next() else { return Ok(None) };
    let given = made.f_squeeze_dim(0)?.f_eq(0.0)?;
    if !flag(&given.f_any()?)? {
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

fn flag(of: &Tensor) -> Torch<bool> {
    Ok(of.f_int64_value(&[])? != 0)
}

/// The grid of what is put together of values with these labels, and whether one is a relation.
fn common(labels: &[Labels]) -> Option<(Option<Grid>, bool)> {
    let grids: Vec<Grid> = labels.iter().filter_map(|l| l.grid).collect();
    // Of sums over all sites, joined to a map, nothing says where they belong.
    if !grids.is_empty() && labels.iter().any(|l| l.grid.is_none() && l.relation) {
        return None;
    }
    let grid = if grids.is_empty() { None } else { Some(Grid::halfway(&grids)?) };
    Some((grid, labels.iter().any(|l| l.relation)))
}

/// Entry by entry: the labels that the inputs agree on. Inputs without any have no say: what is added to a map, or
/// multiplied with it, entry by entry, lies where the map lies. So does what has sites, but is no map of its own: what
/// every window made of queries that all windows share, added to the map of the windows; and a map of fewer sites, whose
/// others are its channels.
fn merged(inputs: &[Known<'_>], shape: &[i64]) -> Torch<Option<Labels>> {
    let labels = inputs.iter().map(Known::labels).collect::<Torch<Vec<Option<Labels>>>>()?;
    let sites = |known: &Known<'_>| match known.layout {
        Layout::Map(map) => map.grid.rows.samples * map.grid.columns.samples,
        Layout::Still | Layout::Unknown => 0,
    };
    let finest = inputs.iter().map(sites).max().unwrap_or(0);
    let mut found: Option<Labels> = None;
    for (known, labels) in inputs.iter().zip(&labels) {
        let Some(labels) = labels.as_ref().filter(|l| l.grid.is_some()) else { continue };
        if !labels.relation && sites(known) < finest {
            continue;
        }
        let labels = labels.with(labels.ids.f_expand(shape, false)?);
        found = match found {
            None => Some(labels),
            Some(first) => {
                let Some((grid, relation)) = common(&[first.copy(), labels.copy()]) else { return Ok(None) };
                if !first.ids.f_equal(&labels.ids)? {
                    return Ok(None);
                }
                Some(Labels { grid, relation, ..first })
            }
        };
    }
    if found.is_none() && labels.iter().all(Option::is_some) {
        let relation = labels.iter().flatten().any(|l| l.relation);
        return Ok(Some(Labels { relation, ..placeless(shape, inputs[0].device)? }));
    }
    Ok(found)
}

/// The labels of entries that are sums over all sites.
fn placeless(shape: &[i64], device: Device) -> Torch<Labels> {
    Ok(Labels { grid: None, ids: Tensor::f_zeros(shape, (Kind::Double, device))?, relation: true })
}

/// A sum over an axis.
fn mixed(input: &Known<'_>, axis: i64, shape: &[i64]) -> Torch<Option<Labels>> {
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
fn stays(rows: &Step, columns: &Step) -> bool {
    [rows, columns].iter().all(|step| step.first == 0.0 && step.step == 1.0)
}

/// A window over the last two axes that keeps their samples where they are, and mixes the channels before them.
fn in_place(input: &Known<'_>, shape: &[i64]) -> Torch<Option<Labels>> {
    let Some(labels) = input.labels()? else { return Ok(None) };
    let from = labels.ids.size();
    let same = from.len() == 4 && shape.len() == 4 && from[0] == shape[0] && from[2..] == shape[2..];
    if !same || varies(&labels.ids, 1)? {
        return Ok(None);
    }
    Ok(Some(labels.with(labels.ids.f_narrow(1, 0, 1)?.f_expand(shape, false)?)))
}

/// A·B: an entry belongs to the site of its row of A or of its column of B; where both have one it relates the two.
///
/// A side of which nothing is known may have sites that were lost: then the other's say nothing. Where both sides' sites
/// are what is summed over, the sum has no place, or lies at the centre of the window that was summed over.
fn product(inputs: &[Known<'_>], shape: &[i64]) -> Torch<Option<Labels>> {
    // A value times itself is one input, read twice.
    let (first, second) = (&inputs[0], &inputs[inputs.len() - 1]);
    let (a, b) = (first.labels()?, second.labels()?);
    let claim = |labels: Option<&Labels>, contracted: i64| -> Torch<Option<Labels>> {
        let Some(labels) = labels.filter(|l| l.grid.is_some()) else { return Ok(None) };
        let axis = labels.ids.dim() as i64 + contracted;
        if axis < 0 || varies(&labels.ids, axis)? {
            return Ok(None);
        }
        let ids = labels.ids.f_narrow(contracted, 0, 1)?.f_expand(shape, false)?;
        Ok(Some(Labels { grid: labels.grid, ids, relation: false }))
    };
    // Whether the sum is over the sites that the labels number.
    let over = |labels: Option<&Labels>, contracted: i64| -> Torch<bool> {
        let Some(labels) = labels.filter(|l| l.grid.is_some()) else { return Ok(false) };
        let axis = labels.ids.dim() as i64 + contracted;
        Ok(axis >= 0 && varies(&labels.ids, axis)?)
    };
    let related = a.as_ref().is_some_and(|labels| labels.relation && labels.grid.is_some());
    Ok(match (claim(a.as_ref(), -1)?, claim(b.as_ref(), -2)?) {
        (Some(rows), Some(columns)) => {
            // Rows that windows share, against each window's own columns, belong to no one place.
            for axis in 0..shape.len() as i64 - 2 {
                if varies(&columns.ids, axis)? && !varies(&rows.ids, axis)? {
                    return Ok(None);
                }
            }
            Some(Labels { relation: true, ..rows })
        }
        (Some(rows), None) => (related || b.is_some()).then_some(rows),
        (None, Some(columns)) => a.is_some().then_some(columns),
        (None, None) => match (over(a.as_ref(), -1)?, over(b.as_ref(), -2)?, &b) {
            (true, true, Some(b)) if windowless(b, -2)? => Some(placeless(shape, first.device)?),
            (_, true, Some(b)) => match blocks_along(b, &[-2])?.filter(|l| l.grid.is_some_and(|g| !g.is_point())) {
                Some(blocks) => Some(blocks.with(blocks.ids.f_narrow(-1, 0, 1)?.f_expand(shape, false)?)),
                None => None,
            },
            _ if a.is_some() && b.is_some() && a.as_ref().is_none_or(|l| l.grid.is_none()) => {
                Some(placeless(shape, first.device)?)
            }
            _ => None,
        },
    })
}

/// A sum of products: an entry belongs to the site of its part of an input, if it is not summed over. Where parts of
/// two inputs have sites and they are not the same ones, it relates the two.
fn contracted(inputs: &[Known<'_>], axes: &[Vec<Option<usize>>], shape: &[i64]) -> Torch<Option<Labels>> {
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
        if labels.grid.is_none() && !labels.relation {
            continue;
        }
        // What is summed over one input's sites belongs to the other's, whose entries told how they relate.
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
    let Some((grid, relation)) = common(&[first.copy(), second.copy()]) else { return Ok(None) };
    let same = first.ids.f_equal(&second.ids)?;
    Ok(Some(Labels { grid, relation: relation || !same, ..first }))
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

/// A mean, sum or extremum over axes.
fn reduced(input: &Known<'_>, axes: &[i64], keep: bool, shape: &[i64]) -> Torch<Option<Labels>> {
    let Some(labels) = input.labels()? else { return Ok(None) };
    let rank = labels.ids.dim() as i64;
    let mut gone = false;
    for &axis in axes {
        gone |= varies(&labels.ids, rank + axis)?;
    }
    if !gone {
        return Ok(Some(labels.with(labels.ids.f_amax(axes, keep)?)));
    }
    // All sites into one: nothing is left to move.
    let all = match input.layout {
        Layout::Map(map) => map.axes.iter().all(|a| axes.contains(a)),
        _ => false,
    };
    let none = Tensor::f_zeros(shape, (Kind::Double, input.device))?;
    if all {
        return Ok(Some(Labels { grid: None, ids: none, relation: false }));
    }
    // Windows into one each.
    let Some(blocks) = blocks_along(&labels, axes)? else {
        return Ok(if everywhere(&labels, axes)? { Some(placeless(shape, input.device)?) } else { None });
    };
    let mut kept = labels.ids.size();
    axes.iter().for_each(|axis| kept[(rank + axis) as usize] = 1);
    let ids = blocks.ids.f_expand(kept, false)?.f_reshape(shape)?;
    Ok(Some(blocks.with(ids)))
}
