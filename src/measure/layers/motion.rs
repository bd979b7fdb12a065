//! The motion whose errors are attributed: a vector field that is affine in the position, beside saturation.

use tch::Tensor;

use crate::graph::operator::Torch;
use crate::symmetry::{Combination, Generator, Grid, GridKind, MEASURED, Units};

/// v(u) = b + V u, its components and positions in the order of axes: rows (y), then columns (x).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Affine {
    constant: [f64; 2],
    linear: [[f64; 2]; 2],
}

impl Affine {
    fn of(generator: &Combination) -> Self {
        use Generator::{ShearX, ShearY, StretchX, StretchY, TranslateX, TranslateY};
        let a = |of| generator.coefficient(of);
        Self {
            constant: [TranslateY, TranslateX].map(a),
            linear: [[StretchY, ShearY], [ShearX, StretchX]].map(|row| row.map(a)),
        }
    }

    /// Whether anything moves along an axis.
    pub fn moves(&self, axis: usize) -> bool {
        self.constant[axis] != 0.0 || self.linear[axis] != [0.0; 2]
    }

    /// Whether everything moves by the same.
    pub fn is_translation(&self) -> bool {
        self.linear == [[0.0; 2]; 2]
    }

    /// div v = tr V.
    pub fn divergence(&self) -> f64 {
        self.linear[0][0] + self.linear[1][1]
    }

    /// One component of v at positions of rows, `[rows, 1]`, and columns, `[columns]`.
    pub fn along(&self, axis: usize, [y, x]: [&Tensor; 2]) -> Torch<Tensor> {
        let [by_y, by_x] = self.linear[axis];
        y.f_mul_scalar(by_y)?.f_add(&x.f_mul_scalar(by_x)?)?.f_add_scalar(self.constant[axis])
    }
}

/// A generator, and where it finds the samples of a value.
#[derive(Clone, Debug)]
pub(super) struct Motion {
    /// The part that moves positions.
    pub field: Option<Affine>,
    /// The coefficient of saturation.
    pub saturation: f64,
    /// Whether the mirror image lies beyond a value's edge; else its other end does.
    pub mirrors: bool,
    /// How positions are chosen.
    pub grid: GridKind,
    /// The unit of t.
    pub units: Units,
    /// The grid of the network's input.
    pub input: Grid,
}

impl Motion {
    pub fn new(generator: &Combination, mirrors: bool, (grid, units, input): (GridKind, Units, Grid)) -> Self {
        let field = generator.without(Generator::Saturate).as_ref().map(Affine::of);
        let saturation = generator.coefficient(Generator::Saturate);
        Self { field, saturation, mirrors, grid, units, input }
    }

    /// Where the action finds the samples of a grid.
    pub fn placed(&self, grid: &Grid) -> Grid {
        grid.placed(self.grid, self.units, &self.input)
    }

    /// Whether positions move and values are scaled as well.
    pub fn is_mixed(&self) -> bool {
        self.field.is_some() && self.saturation != 0.0
    }
}

/// The part of a generator that scales values.
pub(super) fn saturating(generator: &Combination) -> Option<Combination> {
    let mut moving = MEASURED.into_iter().filter(|g| *g != Generator::Saturate);
    moving.try_fold(generator.clone(), |rest, g| rest.without(g))
}
