//! The actions on values of any layout.

use tch::{Device, Kind, Tensor};

use crate::graph::is_finite;
use crate::graph::layout::Layout;
use crate::graph::operator::Torch;
use crate::spectrum::differentiation::{Boundary, Scheme};
use crate::symmetry::{Combination, Generator, Grid, GridKind, Units};

use super::super::action::{ActionError, Actions};
use super::super::output_action::{OutputAction, Place};

/// One generator acting on values of any layout, under one derivative.
pub(super) struct Actor {
    actions: Actions,
    generator: Combination,
    /// The part that moves positions.
    field: Option<Combination>,
    /// The coefficient of saturation, which scales every entry, with a place or without.
    saturation: f64,
    grid: GridKind,
    units: Units,
    input: Grid,
}

impl Actor {
    pub fn new(
        generator: &Combination,
        (scheme, boundary): (Scheme, Boundary),
        (grid, units, input): (GridKind, Units, Grid),
        (kind, device): (Kind, Device),
    ) -> Self {
        Self {
            actions: Actions::new(scheme, boundary, kind, device),
            generator: generator.clone(),
            field: generator.without(Generator::Saturate),
            saturation: generator.coefficient(Generator::Saturate),
            grid,
            units,
            input,
        }
    }

    /// A f for the output `y`, `[images, own shape…]`.
    pub fn on_output(&mut self, action: &OutputAction, y: &Tensor) -> Result<Tensor, ActionError> {
        let place = Place { grid: self.grid, units: self.units, input: self.input };
        action.along(&self.generator, y, &mut self.actions, &place)
    }

    /// max|v|/pitch on a value of the given layout; 0 where its entries have no place.
    pub fn steepness(&self, layout: &Layout) -> f64 {
        match (layout, &self.field) {
            (Layout::Map(map), Some(field)) => map.grid.placed(self.grid, self.units, &self.input).steepness(field),
            _ => 0.0,
        }
    }

    /// A h for `h` of shape `[images, own shape…]` with the given layout, which is known.
    pub fn on(&mut self, layout: &Layout, h: &Tensor) -> Result<Tensor, ActionError> {
        let moved = match (layout, &self.field) {
            (Layout::Map(map), Some(field)) => {
                let grid = map.grid.placed(self.grid, self.units, &self.input);
                let maps = self.actions.on(&grid)?.along(field, &map.gather(h)?)?;
                Some(map.scatter(&maps, &h.size()[1..])?)
            }
            _ => None,
        };
        Ok(match (moved, self.saturation) {
            (Some(moved), 0.0) => moved,
            (Some(moved), saturation) => moved.f_add(&h.f_mul_scalar(saturation)?)?,
            (None, saturation) => h.f_mul_scalar(saturation)?,
        })
    }
}

/// The images in which a value is not finite, such as scores behind a mask of −∞: it has no action there. As with a value
/// whose places are not known the pushed tangent takes its part, and the error shows where the value is finite again.
pub(super) struct Unbounded(Option<Tensor>);

impl Unbounded {
    /// Of the value `y`, `[images, own shape…]`.
    pub fn of(y: &Tensor) -> Torch<Self> {
        if is_finite(y)? {
            return Ok(Self(None));
        }
        let images = y.size().first().copied().unwrap_or(1);
        let finite = y.f_isfinite()?.f_reshape([images, -1])?.f_all_dim(1, false)?;
        let mut size = vec![1; y.dim()];
        size[0] = images;
        Ok(Self(Some(finite.f_logical_not()?.f_reshape(size)?)))
    }

    /// None, for a value that is refused where it is not finite.
    pub fn refused() -> Self {
        Self(None)
    }

    /// `x` with zeros in these images.
    pub fn zeroed(&self, x: &Tensor) -> Torch<Tensor> {
        self.0.as_ref().map_or_else(|| Ok(x.shallow_clone()), |at| x.f_masked_fill(at, 0.0))
    }

    /// The action, and in these images the pushed tangent.
    pub fn action(&self, pushed: &Tensor, action: &Tensor) -> Torch<Tensor> {
        self.0.as_ref().map_or_else(|| Ok(action.shallow_clone()), |at| pushed.f_where_self(at, action))
    }
}
