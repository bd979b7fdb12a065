//! The action of the generators on sampled images.

use std::collections::HashMap;

use tch::{Device, Kind, Tensor};

use crate::graph::operator::Torch;
use crate::spectrum::differentiation::{Boundary, DifferentiationError, Scheme, differentiation_matrix};
use crate::symmetry::{Axis, Combination, Generator, Grid, MEASURED};

/// A h = v·∇h for every measured generator, on one grid.
///
/// ∇ is D_N divided by the pitch, along rows and columns; v is evaluated at the samples' positions.
#[derive(Debug)]
pub struct Action {
    /// (D_columns)ᵀ / pitch: h·dx is ∂x h.
    dx: Tensor,
    /// D_rows / pitch: dy·h is ∂y h.
    dy: Tensor,
    /// Positions of the columns, `[columns]`.
    x: Tensor,
    /// Positions of the rows, `[rows, 1]`.
    y: Tensor,
}

impl Action {
    /// The action on maps sampled on `grid`.
    ///
    /// # Errors
    /// When the scheme is not defined with the boundary, or an axis is too long for a matrix.
    pub fn new(
        grid: &Grid,
        scheme: Scheme,
        boundary: Boundary,
        kind: Kind,
        device: Device,
    ) -> Result<Self, ActionError> {
        let derivative = |axis: &Axis| -> Result<Tensor, ActionError> {
            let matrix = differentiation_matrix(axis.samples, scheme, boundary)?;
            let n = axis.samples as i64;
            let entries: Vec<f64> = matrix.iter().map(|d| d / axis.pitch).collect();
            Ok(Tensor::f_from_slice(&entries)?.f_view([n, n])?.f_to_kind(kind)?.f_to_device(device)?)
        };
        let positions = |axis: &Axis| -> Torch<Tensor> {
            Tensor::f_from_slice(&axis.positions().collect::<Vec<_>>())?.f_to_kind(kind)?.f_to_device(device)
        };
        Ok(Self {
            dx: derivative(&grid.columns)?.f_transpose(0, 1)?.f_contiguous()?,
            dy: derivative(&grid.rows)?,
            x: positions(&grid.columns)?,
            y: positions(&grid.rows)?.f_unsqueeze(-1)?,
        })
    }

    /// Σ a_i A_i h for `h` of shape `[…, rows, columns]`.
    ///
    /// # Errors
    /// When `h` does not end in the grid's rows and columns.
    pub fn along(&self, combination: &Combination, h: &Tensor) -> Torch<Tensor> {
        let a = |generator: Generator| combination.coefficient(generator);
        let field = |constant: f64, along_x: f64, along_y: f64| -> Torch<Option<Tensor>> {
            if constant == 0.0 && along_x == 0.0 && along_y == 0.0 {
                return Ok(None);
            }
            let moved = self.x.f_mul_scalar(along_x)?.f_add(&self.y.f_mul_scalar(along_y)?)?;
            Ok(Some(moved.f_add_scalar(constant)?))
        };
        let vx = field(a(Generator::TranslateX), a(Generator::StretchX), a(Generator::ShearX))?;
        let vy = field(a(Generator::TranslateY), a(Generator::ShearY), a(Generator::StretchY))?;
        let saturation = a(Generator::Saturate);
        let mut terms = Vec::new();
        if let Some(vx) = vx {
            terms.push(h.f_matmul(&self.dx)?.f_mul(&vx)?);
        }
        if let Some(vy) = vy {
            terms.push(self.dy.f_matmul(h)?.f_mul(&vy)?);
        }
        if saturation != 0.0 {
            terms.push(h.f_mul_scalar(saturation)?);
        }
        let mut terms = terms.into_iter();
        match terms.next() {
            Some(first) => terms.try_fold(first, |sum, term| sum.f_add(&term)),
            None => h.f_zeros_like(),
        }
    }

    /// A_i h for all of [`MEASURED`], stacked in front: `[…, rows, columns]` becomes `[7, …, rows, columns]`.
    ///
    /// # Errors
    /// When `h` does not end in the grid's rows and columns.
    pub fn all(&self, h: &Tensor) -> Torch<Tensor> {
        let (hx, hy) = (h.f_matmul(&self.dx)?, self.dy.f_matmul(h)?);
        let mut size = vec![MEASURED.len() as i64];
        size.extend(h.size());
        let all = Tensor::f_empty(size, (h.kind(), h.device()))?;
        for (i, generator) in MEASURED.iter().enumerate() {
            let mut out = all.f_select(0, i as i64)?;
            match generator {
                Generator::TranslateX => out.f_copy_(&hx)?,
                Generator::TranslateY => out.f_copy_(&hy)?,
                Generator::StretchX => drop(hx.f_mul_out(&out, &self.x)?),
                Generator::StretchY => drop(hy.f_mul_out(&out, &self.y)?),
                Generator::ShearX => drop(hx.f_mul_out(&out, &self.y)?),
                Generator::ShearY => drop(hy.f_mul_out(&out, &self.x)?),
                Generator::Saturate => out.f_copy_(h)?,
            }
        }
        Ok(all)
    }
}

/// Why there is no action on a grid.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    /// The derivative is not defined.
    #[error(transparent)]
    Derivative(#[from] DifferentiationError),
    /// libtorch refused.
    #[error("libtorch: {}", crate::graph::first_line(.0))]
    Torch(#[from] tch::TchError),
}

/// Actions by grid: networks have few distinct ones.
#[derive(Debug)]
pub struct Actions {
    scheme: Scheme,
    boundary: Boundary,
    kind: Kind,
    device: Device,
    made: HashMap<[u64; 6], Action>,
}

impl Actions {
    /// No actions yet.
    pub fn new(scheme: Scheme, boundary: Boundary, kind: Kind, device: Device) -> Self {
        Self { scheme, boundary, kind, device, made: HashMap::new() }
    }

    /// The action on a grid, made at its first use.
    ///
    /// # Errors
    /// As [`Action::new`].
    pub fn on(&mut self, grid: &Grid) -> Result<&Action, ActionError> {
        let axis = |a: &Axis| [a.samples as u64, a.origin.to_bits(), a.pitch.to_bits()];
        let ([a, b, c], [d, e, f]) = (axis(&grid.rows), axis(&grid.columns));
        let key = [a, b, c, d, e, f];
        match self.made.entry(key) {
            std::collections::hash_map::Entry::Occupied(entry) => Ok(entry.into_mut()),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let action = Action::new(grid, self.scheme, self.boundary, self.kind, self.device)?;
                Ok(entry.insert(action))
            }
        }
    }
}
