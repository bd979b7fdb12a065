//! The actions on values, and the defect of a node on the torus.

use tch::{Device, Kind, Tensor};

use crate::graph::layout::{Flow, Layout};
use crate::graph::operator::{Differentiable, Operator, Point, Torch};
use crate::graph::ops::MaxPool;
use crate::graph::window::{Taps, Window};
use crate::graph::{Step, Value, is_finite};
use crate::spectrum::differentiation::{Boundary, Scheme};
use crate::symmetry::{Combination, Generator, Grid, GridKind, Units};

use super::super::action::{ActionError, Actions};
use super::super::output_action::{OutputAction, Place};
use super::plan::Padded;

/// One generator acting on values of any layout, under one derivative.
pub(super) struct Actor {
    actions: Actions,
    generator: Combination,
    /// The part that moves sites.
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

/// What a node with a window over rows and columns is.
pub(super) enum Windowed<'a> {
    Convolution(Taps<'a>),
    Maximum(&'a Window),
}

impl<'a> Windowed<'a> {
    /// The window of a step, if it has one.
    pub fn of(step: &'a Step) -> Option<Self> {
        match &*step.operator {
            Operator::Linear(op) => op.pattern().taps().map(Self::Convolution),
            Operator::Differentiable(op) => op.max_window().map(Self::Maximum),
            _ => None,
        }
    }

    fn window(&self) -> &Window {
        match self {
            Self::Convolution(taps) => taps.window,
            Self::Maximum(window) => window,
        }
    }

    /// The defect on the torus, at the places that the node's own output of shape `shape` has: none where the output's
    /// samples do not close on the torus.
    ///
    /// `torus` is the action under the periodic spectral derivative, `at` the place of its tangent in `x`.
    pub fn torus_defect(
        &self,
        torus: &mut Actor,
        (x, images, at): (&Value, i64, i64),
        (input, padded): (&Layout, Option<Padded>),
        shape: &[i64],
    ) -> Result<Option<Tensor>, ActionError> {
        let (Some(mut grid), [_, _, rows, columns]) = (input.plane(), shape) else { return Ok(None) };
        let mut window = self.window().clone();
        if let Some(Padded { begin, inside }) = padded {
            // The padding is a node of its own before this one: on the torus there is none, inside of it the value.
            grid.rows = grid.rows.resampled(begin[0] as f64, 1.0, inside[0] as usize);
            grid.columns = grid.columns.resampled(begin[1] as f64, 1.0, inside[1] as usize);
            window.begin = vec![window.begin[0] + begin[0], window.begin[1] + begin[1]];
        }
        let inner = |x: Tensor| match padded {
            Some(Padded { begin, inside }) => x.f_narrow(-2, begin[0], inside[0])?.f_narrow(-1, begin[1], inside[1]),
            None => Ok(x),
        };
        let Flow::Resampled { rows: r, columns: c } = window.flow() else { return Ok(None) };
        let strides = &window.strides;
        let places = [grid.rows.samples as i64, grid.columns.samples as i64];
        let closes = (0..2).all(|a| places[a] % strides[a] == 0 && [rows, columns][a] <= &(places[a] / strides[a]));
        if !closes {
            return Ok(None);
        }
        let (h, moved) = (inner(x.primal(images)?)?, inner(x.tangents_from(images, at, 1)?)?);
        let (y, dy) = match self {
            Self::Convolution(taps) => {
                let taps = Taps { window: &window, ..*taps };
                let both = taps.circular(&Tensor::f_cat(&[&h, &moved], 0)?)?;
                (both.f_narrow(0, 0, images)?, both.f_narrow(0, images, images)?)
            }
            Self::Maximum(_) => circular_maximum(&window, &h, &moved)?,
        };
        let around = Grid {
            rows: grid.rows.resampled(r.first, r.step, (places[0] / strides[0]) as usize),
            columns: grid.columns.resampled(c.first, c.step, (places[1] / strides[1]) as usize),
        };
        let defect = dy.f_sub(&torus.on(&Layout::planar(around), &y)?)?;
        Ok(Some(defect.f_narrow(-2, 0, *rows)?.f_narrow(-1, 0, *columns)?))
    }
}

fn circular_maximum(window: &Window, h: &Tensor, moved: &Tensor) -> Torch<(Tensor, Tensor)> {
    let pool = MaxPool::unpadded(window);
    let (h, moved) = (window.wrapped(h)?, window.wrapped(moved)?);
    let mut y = pool.forward(&[&h])?;
    let mut dy = pool.tangent(&Point { x: &[&h], y: &y, dx: &[Some(moved.f_unsqueeze(0)?)] })?;
    Ok((y.swap_remove(0), dy.swap_remove(0).f_squeeze_dim(0)?))
}
