//! Following sites through a graph, entry by entry, to learn layouts.
//!
//! Every entry of a value gets a *label*: the number of the site of the input plane that it belongs to, from 1, row by
//! row, or 0 where it has none. Operators that only move entries (reshape, transpose, slice, join, roll, window) are
//! run on the labels themselves, so whatever they do is followed exactly. Operators that mix entries keep a label
//! where all entries that they mix have it. From labels a layout is read back only where every site is there exactly
//! once in every channel: a wrong layout is worse than none.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use ndarray::Array2;
use tch::{Device, Kind, Tensor};

use crate::symmetry::{Axis, Grid};

use super::axis_map::filter_step;
use super::layout::{Flow, Layout, SiteMap, Step};
use super::operator::{Operator, Torch};

/// The labels of a value.
#[derive(Debug)]
pub struct Labels {
    /// What the labels number; none where no entry has a site.
    grid: Option<Grid>,
    /// Of the value's shape.
    ids: Tensor,
    /// Entries relate two sites, of which the label is one (the weights of an attention), or are sums over all sites (the
    /// weights of an attention among channels): no layout.
    relation: bool,
}

impl Labels {
    fn copy(&self) -> Self {
        Self { grid: self.grid, ids: self.ids.shallow_clone(), relation: self.relation }
    }

    /// Whether entries relate two sites, or none: there is no map in them.
    pub fn relate(&self) -> bool {
        self.relation
    }

    fn with(&self, ids: Tensor) -> Self {
        Self { grid: self.grid, ids, relation: self.relation }
    }

    /// The labels of a value of the given layout; none where it has none.
    pub fn of(layout: &Layout, shape: &[i64], device: Device) -> Torch<Option<Self>> {
        let none = (Kind::Double, device);
        Ok(match layout {
            Layout::Unknown => None,
            Layout::Still => Some(Self { grid: None, ids: Tensor::f_zeros(shape, none)?, relation: false }),
            Layout::Map(map) => {
                let (rows, columns) = (map.grid.rows.samples as i64, map.grid.columns.samples as i64);
                let ids = Tensor::f_arange_start(1, rows * columns + 1, none)?.f_view([rows, columns])?;
                let mut size = vec![1; shape.len().saturating_sub(map.axes.len())];
                size.extend([rows, columns]);
                // One channel's labels, put where the value keeps them, then the same for all channels.
                let mut one = vec![1; shape.len()];
                for &axis in &map.axes {
                    let at = (shape.len() as i64 + axis) as usize;
                    one[at] = shape[at];
                }
                let ids = map.scatter(&ids.f_view(size.as_slice())?, &one)?.f_expand(shape, false)?;
                Some(Self { grid: Some(map.grid), ids, relation: false })
            }
        })
    }

    /// The layout, where every site is there once in every channel.
    pub fn layout(&self) -> Torch<Layout> {
        let shape = self.ids.size();
        let axes: Vec<usize> = (0..shape.len()).filter(|&a| varies(&self.ids, a as i64).unwrap_or(true)).collect();
        if self.relation {
            return Ok(Layout::Unknown);
        }
        let mut one = self.ids.shallow_clone();
        for axis in (0..shape.len()).rev().filter(|a| !axes.contains(a)) {
            one = one.f_select(axis as i64, 0)?;
        }
        let ids: Vec<f64> = Vec::try_from(&one.f_contiguous()?.f_view([-1])?)?;
        let Some(grid) = self.grid.filter(|_| ids.iter().any(|&id| id > 0.0)) else {
            return Ok(Layout::Still);
        };
        if grid.is_point() {
            return Ok(Layout::Still);
        }
        let sites = grid.rows.samples * grid.columns.samples;
        let mut places = vec![-1; sites];
        for (place, &id) in ids.iter().enumerate().filter(|(_, id)| **id > 0.0) {
            match places.get_mut(id as usize - 1) {
                Some(free) if *free < 0 => *free = place as i64,
                _ => return Ok(Layout::Unknown),
            }
        }
        if places.contains(&-1) || axes.is_empty() {
            return Ok(Layout::Unknown);
        }
        let in_order = ids.len() == sites && places.iter().enumerate().all(|(site, &place)| site as i64 == place);
        // Rows of one sample: the axis of rows does not vary, and the value is a plane all the same.
        let axes: Vec<i64> = axes.iter().map(|&a| a as i64 - shape.len() as i64).collect();
        let planar = shape.len() == 4
            && in_order
            && shape[2..] == [grid.rows.samples as i64, grid.columns.samples as i64]
            && axes.iter().all(|&a| a >= -2);
        if planar {
            return Ok(Layout::planar(grid));
        }
        Ok(Layout::Map(SiteMap { grid, axes, places: (!in_order).then(|| Arc::new(places)) }))
    }
}

/// Whether labels differ along an axis.
fn varies(ids: &Tensor, axis: i64) -> Torch<bool> {
    if ids.size()[axis as usize] < 2 {
        return Ok(false);
    }
    Ok(ids.f_ne_tensor(&ids.f_narrow(axis, 0, 1)?)?.f_any()?.f_int64_value(&[])? != 0)
}

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
    let Some((axis, matrix)) = op.along_axis() else { return Ok(None) };
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
        (Operator::Linear(op), _) if op.selects() => {
            let Some(ids) = inputs.iter().map(Known::labels).collect::<Torch<Option<Vec<Labels>>>>()? else {
                return Ok(nothing(shapes));
            };
            let Some((grid, relation)) = common(&ids) else { return Ok(nothing(shapes)) };
            let lanes = ids.iter().map(|l| l.ids.f_unsqueeze(0)).collect::<Torch<Vec<_>>>()?;
            let moved = op.apply(&lanes.iter().collect::<Vec<_>>())?;
            let moved = moved.into_iter().map(|y| y.f_squeeze_dim(0)?.f_to_kind(Kind::Double));
            moved.map(|ids| Ok(Some(Labels { grid, ids: ids?, relation }))).collect::<Torch<_>>()?
        }
        (_, Flow::Pointwise) => shapes.iter().map(|shape| merged(inputs, shape)).collect::<Torch<_>>()?,
        (_, Flow::Mixed { axis }) => {
            shapes.iter().map(|shape| mixed(&inputs[0], *axis, shape)).collect::<Torch<_>>()?
        }
        // Within windows that lie on the batch axis: every output has its window about the input of the same place.
        (_, Flow::Resampled { rows, columns }) if stays(rows, columns) => {
            shapes.iter().map(|shape| in_place(&inputs[0], shape)).collect::<Torch<_>>()?
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

/// Where the last axis holds disjoint blocks of sites, as a patch merging has it: the grid of the blocks' centres.
fn blocks(of: &Labels) -> Torch<Option<Labels>> {
    let (Some(grid), false) = (of.grid, of.relation) else { return Ok(None) };
    let mut size = of.ids.size();
    let length = size.pop().unwrap_or(1) as usize;
    let ids: Vec<f64> = Vec::try_from(&of.ids.f_contiguous()?.f_view([-1])?)?;
    let (rows, columns) = (grid.rows.samples, grid.columns.samples);
    let mut seen = HashSet::new();
    let device = of.ids.device();
    let (mut centres, mut block) = (Vec::new(), None);
    for entries in ids.chunks_exact(length) {
        let sites: BTreeSet<usize> = entries.iter().map(|&id| id as usize).collect();
        if sites.contains(&0)
            || *block.get_or_insert(sites.len()) != sites.len()
            || !sites.iter().all(|s| seen.insert(*s))
        {
            return Ok(None);
        }
        let mean = |f: &dyn Fn(usize) -> usize| sites.iter().map(|s| f(s - 1) as f64).sum::<f64>() / sites.len() as f64;
        centres.push([mean(&|s| s / columns), mean(&|s| s % columns)]);
    }
    if seen.len() != rows * columns {
        return Ok(None);
    }
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
    Ok(Some(Labels { grid: Some(Grid { rows: row_axis, columns: column_axis }), ids, relation: false }))
}

/// The grid of the centres of the blocks of sites that `axes`, counted from the end, hold together, which stay as axes of
/// one entry; none where they are not disjoint and alike.
fn blocks_along(of: &Labels, axes: &[i64]) -> Torch<Option<Labels>> {
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
    let Some(blocks) = blocks(&of.with(last))? else { return Ok(None) };
    let mut size = one.size();
    axes.iter().for_each(|&axis| size[axis as usize] = 1);
    let ids = blocks.ids.f_reshape(size)?;
    Ok(Some(Labels { ids, ..blocks }))
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
    let Some(blocks) = blocks_along(&labels, axes)? else { return Ok(None) };
    let mut kept = labels.ids.size();
    axes.iter().for_each(|axis| kept[(rank + axis) as usize] = 1);
    let ids = blocks.ids.f_expand(kept, false)?.f_reshape(shape)?;
    Ok(Some(blocks.with(ids)))
}
