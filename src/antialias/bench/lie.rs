//! The Lie derivatives of a design.

use indexmap::IndexMap;
use tch::{Kind as Element, Tensor};

use crate::antialias::report::GeneratorResult;
use crate::graph::operator::Torch;
use crate::spectrum::Velocity;
use crate::symmetry::{Combination, MEASURED, Named};

/// Lie derivatives of the seven measured generators, as rows.
pub(super) struct Lie {
    pub(super) defects: Tensor,
    pub(super) moved: Tensor,
}

impl Lie {
    /// The mean square of (a combination of rows), in the rows' units.
    fn mean_square(rows: &Tensor, coefficients: &[f64; 7]) -> Torch<f64> {
        let mixed = Tensor::f_from_slice(coefficients)?.f_view([1, 7])?.f_matmul(rows)?;
        mixed.f_square()?.f_mean(None::<Element>)?.f_double_value(&[])
    }

    /// Along a velocity in lengths of the torus: a length is two half-widths.
    pub(super) fn along(&self, velocity: Velocity) -> Torch<f64> {
        Self::mean_square(&self.defects, &[2.0 * velocity.x, 2.0 * velocity.y, 0.0, 0.0, 0.0, 0.0, 0.0])
    }

    pub(super) fn generators(&self) -> Torch<IndexMap<String, GeneratorResult>> {
        let all =
            MEASURED.iter().map(|g| Combination::single(*g)).chain(Named::ALL.into_iter().map(Combination::named));
        all.map(|combination| {
            let lee = Self::mean_square(&self.defects, combination.coefficients())?;
            let moved = Self::mean_square(&self.moved, combination.coefficients())?;
            let relative = (moved > 0.0).then(|| lee / moved);
            Ok((combination.name().to_owned(), GeneratorResult { lee, relative }))
        })
        .collect()
    }
}
