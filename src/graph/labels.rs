//! The position that every entry of a value belongs to.

use std::sync::Arc;

use tch::{Device, Kind, Tensor};

use crate::symmetry::Grid;

use super::kept::Kept;
use super::layout::{Layout, Part, PositionMap};
use super::operator::Torch;

/// The labels of a value.
#[derive(Debug)]
pub struct Labels {
    /// What the labels number.
    pub(super) positions: Positions,
    /// Of the value's shape; axes along which labels do not differ are expanded from one entry, so that they take no
    /// memory.
    pub(super) ids: Tensor,
    /// Entries relate two positions, of which the label is one (the weights of an attention), or are sums over all
    /// positions (the weights of an attention among channels): no layout.
    pub(super) relation: bool,
}

/// What labels number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Positions {
    /// Nothing: no entry has a position.
    None,
    /// The samples of a grid, row by row.
    On(Grid),
    /// Sets of samples that lie on no grid, such as sums over every second row, or over 16 samples in a row of a map of
    /// 12 columns: it is known which entries belong together, and that they have no rows and columns.
    Scattered,
}

impl Labels {
    pub(super) fn copy(&self) -> Self {
        self.with(self.ids.shallow_clone())
    }

    /// Whether entries relate two positions, or none, or belong to sets of positions that lie on no grid: there is no
    /// map in them.
    pub fn relate(&self) -> bool {
        self.relation || self.positions == Positions::Scattered
    }

    pub(super) fn with(&self, ids: Tensor) -> Self {
        Self { ids, ..*self }
    }

    /// The grid of the positions.
    pub(super) fn grid(&self) -> Option<Grid> {
        match self.positions {
            Positions::On(grid) => Some(grid),
            Positions::None | Positions::Scattered => None,
        }
    }

    /// Whether entries may belong somewhere.
    pub(super) fn placed(&self) -> bool {
        self.positions != Positions::None
    }

    /// The same, in as little memory as labels differ in.
    pub(super) fn condensed(&self) -> Torch<Self> {
        let size = self.ids.size();
        let mut one = self.ids.shallow_clone();
        // Channels are last, or axes of windows and heads first; what does not vary makes the rest cheaper to look at.
        for axis in (0..size.len() as i64).rev() {
            if !varies(&one, axis)? {
                one = one.f_narrow(axis, 0, 1)?;
            }
        }
        // No view of what it was condensed from.
        let one = if one.numel() == self.ids.numel() { one } else { one.f_add_scalar(0.0)? };
        Ok(self.with(one.f_expand(size, false)?))
    }

    /// The labels of a value of the given layout; none where it has none.
    pub fn of(layout: &Layout, shape: &[i64], device: Device) -> Torch<Option<Self>> {
        let none = (Kind::Double, device);
        Ok(match layout {
            Layout::Unknown => None,
            Layout::NonSpatial => Some(Self::nowhere(shape, device)?),
            Layout::Map(map) | Layout::Part(Part { map, .. }) => {
                let (rows, columns) = (map.grid.rows.samples as i64, map.grid.columns.samples as i64);
                let ids = Tensor::f_arange_start(1, rows * columns + 1, none)?.f_view([rows, columns])?;
                let mut size = vec![1; shape.len().saturating_sub(map.axes.len())];
                size.extend(map.channels.as_ref().map(|_| 1));
                size.extend([rows, columns]);
                let mut all = size.clone();
                if let Some(channels) = &map.channels {
                    all[size.len() - 3] = channels.len() as i64;
                }
                // One channel's labels, put where the value keeps them, then the same for all channels.
                let mut one = vec![1; shape.len()];
                for &axis in &map.axes {
                    let at = (shape.len() as i64 + axis) as usize;
                    one[at] = shape[at];
                }
                let ids =
                    map.scatter(&ids.f_view(size.as_slice())?.f_expand(all, false)?, &one)?.f_expand(shape, false)?;
                Some(Self { positions: Positions::On(map.grid), ids, relation: false })
            }
        })
    }

    /// The labels of entries without a position.
    pub(super) fn nowhere(shape: &[i64], device: Device) -> Torch<Self> {
        let ids = Tensor::f_zeros([1], (Kind::Double, device))?.f_expand(shape, false)?;
        Ok(Self { positions: Positions::None, ids, relation: false })
    }

    /// The labels of entries that are sums over all positions.
    pub(super) fn sums(shape: &[i64], device: Device) -> Torch<Self> {
        Ok(Self { relation: true, ..Self::nowhere(shape, device)? })
    }

    /// One entry of each axis along which labels do not differ, of `ids` of condensed labels.
    fn distinct(&self) -> Torch<Tensor> {
        let mut one = self.ids.shallow_clone();
        for axis in (0..one.dim() as i64).filter(|&axis| self.ids.stride()[axis as usize] == 0) {
            one = one.f_narrow(axis, 0, 1)?;
        }
        Ok(one)
    }

    /// The layout of condensed labels, where every position of a grid, or of evenly spaced rows and columns of it, is
    /// there once in every channel, whatever axes the channels share with the positions.
    pub fn layout(&self) -> Torch<Layout> {
        if self.relation || self.positions == Positions::Scattered {
            return Ok(Layout::Unknown);
        }
        let one = self.distinct()?;
        let shape = self.ids.size();
        let axes: Vec<usize> = (0..shape.len()).filter(|&axis| one.size()[axis] > 1).collect();
        let mut ids = values(&one)?;
        let Some(grid) = self.grid().filter(|_| ids.iter().any(|&id| id > 0.0)) else {
            return Ok(Layout::NonSpatial);
        };
        if grid.is_point() {
            return Ok(Layout::NonSpatial);
        }
        let Some(kept) = Kept::of(&ids, &grid).filter(|kept| !kept.grid.is_point()) else {
            return Ok(Layout::Unknown);
        };
        kept.renumber(&mut ids);
        let whole = grid;
        let grid = kept.grid;
        let positions = grid.rows.samples * grid.columns.samples;
        let Some((places, channels)) = places_of(&ids, positions).filter(|_| !axes.is_empty()) else {
            return Ok(Layout::Unknown);
        };
        let in_order =
            ids.len() == positions && places.iter().enumerate().all(|(position, &place)| position as i64 == place);
        // Rows of one sample: the axis of rows does not vary, and the value is a plane all the same.
        let axes: Vec<i64> = axes.iter().map(|&a| a as i64 - shape.len() as i64).collect();
        let planar = shape.len() == 4
            && in_order
            && shape[2..] == [grid.rows.samples as i64, grid.columns.samples as i64]
            && axes.iter().all(|&a| a >= -2);
        let map = if planar {
            PositionMap { grid, axes: vec![-2, -1], places: None, channels: None }
        } else {
            PositionMap { grid, axes, places: (!in_order).then(|| Arc::new(places)), channels: channels.map(Arc::new) }
        };
        Ok(if kept.all { Layout::Map(map) } else { Layout::Part(Part { map, whole }) })
    }

    /// Labels that number the positions of a part on a grid of its own; none where they are those of a whole map, or of
    /// no evenly spaced rows and columns.
    pub(super) fn of_part(&self) -> Torch<Option<Self>> {
        let Some(grid) = self.grid() else { return Ok(None) };
        let one = self.condensed()?.distinct()?;
        let mut ids = values(&one)?;
        let Some(kept) = Kept::of(&ids, &grid).filter(|kept| !kept.all) else { return Ok(None) };
        kept.renumber(&mut ids);
        let ids = Tensor::f_from_slice(&ids)?.f_view(one.size().as_slice())?.f_to_device(one.device())?;
        Ok(Some(Self { positions: Positions::On(kept.grid), ids: ids.f_expand(self.ids.size(), false)?, ..*self }))
    }
}

/// All entries, in order.
pub(super) fn values(of: &Tensor) -> Torch<Vec<f64>> {
    Vec::try_from(&of.f_contiguous()?.f_view([-1])?)
}

/// The place of every position among entries with these labels, and, where each is there more than once, how far after
/// the first place the others are: as far for every position, so that they are channels, and not positions that were
/// repeated.
fn places_of(ids: &[f64], positions: usize) -> Option<(Vec<i64>, Option<Vec<i64>>)> {
    let mut places = vec![-1; positions];
    let mut after: Vec<Vec<i64>> = vec![Vec::new(); positions];
    for (place, &id) in ids.iter().enumerate().filter(|(_, id)| **id > 0.0) {
        let position = id as usize - 1;
        let first = places.get_mut(position)?;
        if *first < 0 {
            *first = place as i64;
        }
        after[position].push(place as i64 - *first);
    }
    let channels = after.first()?;
    if channels.is_empty() || after.iter().any(|others| others != channels) {
        return None;
    }
    let several = (channels.len() > 1).then(|| channels.clone());
    Some((places, several))
}

/// Whether labels differ along an axis.
pub(super) fn varies(ids: &Tensor, axis: i64) -> Torch<bool> {
    let (size, strides) = (ids.size(), ids.stride());
    if size[axis as usize] < 2 || strides[axis as usize] == 0 {
        return Ok(false);
    }
    // What is expanded says the same again.
    let mut one = ids.shallow_clone();
    for other in (0..size.len()).filter(|&other| strides[other] == 0) {
        one = one.f_narrow(other as i64, 0, 1)?;
    }
    Ok(!one.f_equal(&one.f_narrow(axis, 0, 1)?.f_expand_as(&one)?)?)
}

/// The one entry of a tensor as a truth value.
pub(super) fn is_true(of: &Tensor) -> Torch<bool> {
    Ok(of.f_int64_value(&[])? != 0)
}
