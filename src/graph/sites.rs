//! Following sites through a graph, entry by entry, to learn layouts.
//!
//! Every entry of a value gets a *label*: the number of the site of the input plane that it belongs to, from 1, row by
//! row, or 0 where it has none. Operators that only move entries (reshape, transpose, slice, join, roll, window) are
//! run on the labels themselves, so whatever they do is followed exactly. Operators that mix entries keep a label
//! where all entries that they mix have it. From labels a layout is read back only where every site is there exactly
//! once in every channel: a wrong layout is worse than none.

use ndarray::Array2;
use tch::{Device, Kind, Tensor};

use crate::memory;
use crate::symmetry::{Axis, Grid};

use super::axis_map::filter_step;
use super::blocks::{blocks, blocks_along};
use super::guard;
use super::labels::{Labels, Sites, varies};
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
    let planar = inputs.iter().all(|k| plane_of(k.layout).is_some() || k.layout.sites().is_none());
    let grids: Vec<Option<Grid>> =
        shapes.iter().map(|shape| if planar { flow.grid(&planes, shape) } else { None }).collect();
    if grids.iter().all(Option::is_some) {
        // Of one sample there is nothing to move.
        let layout = |grid: Grid| if grid.is_point() { Layout::Still } else { Layout::planar(grid) };
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
    if inputs.iter().all(|k| matches!(k.layout, Layout::Still)) {
        return Ok(shapes.iter().map(|_| (Layout::Still, None)).collect());
    }
    // All sites into one: nothing is left to move.
    if let (Flow::Reduced { axes, .. }, [input, ..]) = (flow, inputs)
        && input.layout.sites().is_some_and(|map| map.axes.iter().all(|axis| axes.contains(axis)))
    {
        return Ok(shapes.iter().map(|_| (Layout::Still, None)).collect());
    }
    followed_if_room(operator, flow, inputs, shapes)
}

/// The grid of a plane, or of the part of one.
fn plane_of(layout: &Layout) -> Option<Grid> {
    layout.sites().filter(|map| map.is_planar()).map(|map| map.grid)
}

/// Whether an operator takes rows or columns away and leaves the others as they are.
fn cuts(operator: &Operator, inputs: &[Known<'_>], shapes: &[Vec<i64>]) -> bool {
    let (Operator::Linear(op), [input]) = (operator, inputs) else { return false };
    let sites = |shape: &[i64]| shape.iter().rev().take(2).product::<i64>();
    if input.shape.iter().product::<i64>() > MOST_LABELS {
        return false;
    }
    op.pattern().selects() && shapes.iter().any(|shape| sites(shape) < sites(input.shape))
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

/// The labels of what only moves entries: they are moved as the entries are.
fn selected(op: &dyn Linear, inputs: &[Known<'_>], shapes: &[Vec<i64>]) -> Torch<Vec<Option<Labels>>> {
    let none = || Ok(shapes.iter().map(|_| None).collect());
    let Some(labels) = inputs.iter().map(Known::labels).collect::<Torch<Option<Vec<Labels>>>>()? else {
        return none();
    };
    let Some((labels, sites, relation)) = aligned(labels)? else { return none() };
    let lanes = labels.iter().map(|l| l.ids.f_unsqueeze(0)).collect::<Torch<Vec<_>>>()?;
    let moved = op.apply(&lanes.iter().collect::<Vec<_>>())?;
    let moved = moved.into_iter().map(|y| y.f_squeeze_dim(0)?.f_to_kind(Kind::Double));
    let moved = moved.collect::<Torch<Vec<_>>>()?;
    let constant = if moved.len() == 1 { constant_channels(op, inputs, &moved[0])? } else { None };
    let all = moved.into_iter();
    Ok(all
        .map(|ids| Some(Labels { sites, ids: constant.as_ref().map_or(ids, Tensor::shallow_clone), relation }))
        .collect())
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

/// Labels of values that are put together, what all of them number, and whether they relate sites. Where they number the
/// samples of different grids, parts of maps are numbered on grids of their own.
fn aligned(labels: Vec<Labels>) -> Torch<Option<(Vec<Labels>, Sites, bool)>> {
    let first = labels.iter().find_map(Labels::grid);
    let apart = first.is_some_and(|first| labels.iter().filter_map(Labels::grid).any(|g| !g.agrees_with(&first)));
    let labels = if apart {
        labels.into_iter().map(|l| Ok(l.of_part()?.unwrap_or(l))).collect::<Torch<Vec<Labels>>>()?
    } else {
        labels
    };
    let grids: Vec<Grid> = labels.iter().filter_map(Labels::grid).collect();
    let scattered = labels.iter().any(|l| l.sites == Sites::Scattered);
    let sites = match (grids.is_empty(), scattered) {
        (true, true) => Sites::Scattered,
        (true, false) => Sites::None,
        (false, false) => match Grid::halfway(&grids) {
            Some(grid) => Sites::On(grid),
            None => return Ok(None),
        },
        (false, true) => return Ok(None),
    };
    // Sums over all sites, joined to a map as its class token is, have no site.
    let relation = labels.iter().any(|l| l.relation && (l.placed() || sites == Sites::None));
    Ok(Some((labels, sites, relation)))
}

/// Entry by entry: the labels that the inputs agree on. Inputs without any have no say: what is added to a map, or
/// multiplied with it, entry by entry, lies where the map lies. So does what has sites, but is no map of its own: what
/// every window made of queries that all windows share, added to the map of the windows; and a map of fewer sites, whose
/// others are its channels.
fn merged(inputs: &[Known<'_>], shape: &[i64]) -> Torch<Option<Labels>> {
    let labels = inputs.iter().map(Known::labels).collect::<Torch<Vec<Option<Labels>>>>()?;
    let sites =
        |known: &Known<'_>| known.layout.sites().map_or(0, |map| map.grid.rows.samples * map.grid.columns.samples);
    let finest = inputs.iter().map(sites).max().unwrap_or(0);
    let mut counted = Vec::new();
    for (known, labels) in inputs.iter().zip(&labels) {
        let Some(labels) = labels.as_ref().filter(|l| l.placed()) else { continue };
        if labels.relation || sites(known) >= finest {
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
    let Some((counted, sites, relation)) = aligned(counted)? else { return Ok(None) };
    for other in &counted[1..] {
        if !other.ids.f_equal(&counted[0].ids)? {
            return Ok(None);
        }
    }
    Ok(counted.into_iter().next().map(|first| Labels { sites, relation, ..first }))
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

/// A window over the axes from the third on that keeps their samples where they are, and mixes the channels before them.
/// Along an axis of several taps the labels have to follow each other evenly, so that the centre of the taps is the middle
/// one's place.
fn in_place(input: &Known<'_>, kernel: &[i64], shape: &[i64]) -> Torch<Option<Labels>> {
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
    Ok(flag(&ids.f_gt(0.0)?.f_all()?)? && steps.f_min()?.f_equal(&steps.f_max()?)?)
}

/// Sums over so many entries in a row along the last axis.
fn pooled(input: &Known<'_>, length: i64, shape: &[i64]) -> Torch<Option<Labels>> {
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
fn folded(input: &Known<'_>, steps: [Step; 2], blocks: [i64; 2], shape: &[i64]) -> Torch<Option<Labels>> {
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
fn recurrent(input: &Known<'_>, is_first: bool, shape: &[i64]) -> Torch<Option<Labels>> {
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

/// A·B: an entry belongs to the site of its row of A or of its column of B; where both have one it relates the two, if
/// they are not the same.
///
/// A side of which nothing is known may have sites that were lost: then the other's say nothing. Where both sides' sites
/// are what is summed over, the sum has no place, or lies at the centre of the window that was summed over.
fn product(inputs: &[Known<'_>], shape: &[i64]) -> Torch<Option<Labels>> {
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
    // Whether the sum is over the sites that the labels number.
    let over = |labels: Option<&Labels>, contracted: i64| -> Torch<bool> {
        let Some(labels) = labels.filter(|l| l.placed()) else { return Ok(false) };
        let axis = labels.ids.dim() as i64 + contracted;
        Ok(axis >= 0 && varies(&labels.ids, axis)?)
    };
    let related = a.as_ref().is_some_and(|labels| labels.relation && labels.placed());
    Ok(match (claim(a.as_ref(), -1)?, claim(b.as_ref(), -2)?) {
        (Some(rows), Some(columns)) => {
            // Each site with itself.
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
        if !labels.placed() && !labels.relation {
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
    let Some((both, sites, relation)) = aligned(vec![first, second])? else { return Ok(None) };
    let same = both[0].ids.f_equal(&both[1].ids)?;
    Ok(both.into_iter().next().map(|first| Labels { sites, relation: relation || !same, ..first }))
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
    // Windows into one each.
    let Some(blocks) = blocks_along(&labels, axes)? else { return Ok(None) };
    let mut kept = labels.ids.size();
    axes.iter().for_each(|axis| kept[(rank + axis) as usize] = 1);
    let ids = blocks.ids.f_expand(kept, false)?.f_reshape(shape)?;
    Ok(Some(blocks.with(ids)))
}
