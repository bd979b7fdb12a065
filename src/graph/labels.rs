//! The site that every entry of a value belongs to.

use std::sync::Arc;

use tch::{Device, Kind, Tensor};

use crate::symmetry::Grid;

use super::layout::{Layout, SiteMap};
use super::operator::Torch;

/// The labels of a value.
#[derive(Debug)]
pub struct Labels {
    /// What the labels number; none where no entry has a site.
    pub(super) grid: Option<Grid>,
    /// Of the value's shape.
    pub(super) ids: Tensor,
    /// Entries relate two sites, of which the label is one (the weights of an attention), or are sums over all sites
    /// (the weights of an attention among channels): no layout.
    pub(super) relation: bool,
}

impl Labels {
    pub(super) fn copy(&self) -> Self {
        Self { grid: self.grid, ids: self.ids.shallow_clone(), relation: self.relation }
    }

    /// Whether entries relate two sites, or none: there is no map in them.
    pub fn relate(&self) -> bool {
        self.relation
    }

    pub(super) fn with(&self, ids: Tensor) -> Self {
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
                Some(Self { grid: Some(map.grid), ids, relation: false })
            }
        })
    }

    /// The layout, where every site is there once in every channel, whatever axes the channels share with the sites.
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
        let Some((places, channels)) = places_of(&ids, sites).filter(|_| !axes.is_empty()) else {
            return Ok(Layout::Unknown);
        };
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
        let places = (!in_order).then(|| Arc::new(places));
        Ok(Layout::Map(SiteMap { grid, axes, places, channels: channels.map(Arc::new) }))
    }
}

/// The place of every site among entries with these labels, and, where each is there more than once, how far behind the
/// first place the others are: as far for every site, so that they are channels, and not sites that were repeated.
fn places_of(ids: &[f64], sites: usize) -> Option<(Vec<i64>, Option<Vec<i64>>)> {
    let mut places = vec![-1; sites];
    let mut behind: Vec<Vec<i64>> = vec![Vec::new(); sites];
    for (place, &id) in ids.iter().enumerate().filter(|(_, id)| **id > 0.0) {
        let site = id as usize - 1;
        let first = places.get_mut(site)?;
        if *first < 0 {
            *first = place as i64;
        }
        behind[site].push(place as i64 - *first);
    }
    let channels = behind.first()?;
    if channels.is_empty() || behind.iter().any(|others| others != channels) {
        return None;
    }
    let several = (channels.len() > 1).then(|| channels.clone());
    Some((places, several))
}

/// Whether labels differ along an axis.
pub(super) fn varies(ids: &Tensor, axis: i64) -> Torch<bool> {
    if ids.size()[axis as usize] < 2 {
        return Ok(false);
    }
    Ok(ids.f_ne_tensor(&ids.f_narrow(axis, 0, 1)?)?.f_any()?.f_int64_value(&[])? != 0)
}
