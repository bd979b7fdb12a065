//! The action of the generators on sampled images.

use std::collections::HashMap;

use tch::{Device, Kind, Tensor};

use crate::graph::MemoryFormat;
use crate::graph::kernels::{self, Along, Term};
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
        self.each(&MEASURED, h)
    }

    /// A_i h for these generators, stacked in front.
    ///
    /// # Errors
    /// As [`all`](Self::all).
    pub fn each(&self, generators: &[Generator], h: &Tensor) -> Torch<Tensor> {
        let (hx, hy) = self.derivatives(h)?;
        self.terms(generators, [h, &hx, &hy])
    }

    /// h and after it A_i h for these generators, in that memory format: `[images, …, channels, rows, columns]`
    /// becomes `[(1 + generators)·images, …, channels, rows, columns]`.
    ///
    /// # Errors
    /// As [`all`](Self::all).
    pub fn stack(&self, generators: &[Generator], h: &Tensor, order: MemoryFormat) -> Torch<Tensor> {
        let h = h.f_contiguous()?;
        let (hx, hy) = self.derivatives(&h)?;
        let fields = [&h, &hx, &hy];
        let terms: Vec<Term> = generators.iter().copied().map(term).collect();
        match kernels::stack_of_terms(fields, [&self.x, &self.y], &terms, order)? {
            Some(stack) => Ok(stack),
            None => Tensor::f_cat(&[&h, &self.terms(generators, fields)?.f_flatten(0, 1)?], 0),
        }
    }

    /// ∂x h and ∂y h.
    ///
    /// # Errors
    /// As [`all`](Self::all).
    pub fn derivatives(&self, h: &Tensor) -> Torch<(Tensor, Tensor)> {
        Ok((h.f_matmul(&self.dx)?, self.dy.f_matmul(h)?))
    }

    /// A_i h for these generators, stacked in front, of h, ∂x h and ∂y h.
    fn terms(&self, generators: &[Generator], fields: [&Tensor; 3]) -> Torch<Tensor> {
        let mut size = vec![generators.len() as i64];
        size.extend(fields[0].size());
        let all = Tensor::f_empty(size, (fields[0].kind(), fields[0].device()))?;
        for (i, term) in generators.iter().copied().map(term).enumerate() {
            let (field, mut out) = (fields[term.field], all.f_select(0, i as i64)?);
            match term.factor {
                None => out.f_copy_(field)?,
                Some(Along::X) => drop(field.f_mul_out(&out, &self.x)?),
                Some(Along::Y) => drop(field.f_mul_out(&out, &self.y)?),
            }
        }
        Ok(all)
    }
}

/// What A_i h is for a generator: h, ∂x h or ∂y h, times positions.
fn term(generator: Generator) -> Term {
    let (field, factor) = match generator {
        Generator::TranslateX => (1, None),
        Generator::TranslateY => (2, None),
        Generator::StretchX => (1, Some(Along::X)),
        Generator::StretchY => (2, Some(Along::Y)),
        Generator::ShearX => (1, Some(Along::Y)),
        Generator::ShearY => (2, Some(Along::X)),
        Generator::Saturate => (0, None),
    };
    Term { field, factor }
}

/// Why there is no action on a grid.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    /// The derivative is not defined.
    #[error(transparent)]
    Derivative(#[from] DifferentiationError),
    /// Boxes are in another unit than was said.
    #[error(
        "the largest number of a box is {largest:.3}, and --action {format} takes them for {said}: give --action {other}"
    )]
    BoxUnit {
        /// The format that was said.
        format: &'static str,
        /// Its unit.
        said: &'static str,
        /// The largest number.
        largest: f64,
        /// The format with the other unit.
        other: &'static str,
    },
    /// libtorch refused.
    #[error("{}", crate::graph::in_words(.0))]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_the_map_and_its_tangents_in_either_order_of_memory() {
        tch::manual_seed(0);
        let axis = |samples| Axis { samples, origin: -1.0, pitch: 2.0 / samples as f64 };
        // In one piece of work and in many; one channel and several; more axes in front.
        for (kind, size) in [
            (Kind::Float, vec![2, 1, 3, 6, 10]),
            (Kind::Double, vec![1, 1, 1, 5, 4]),
            (Kind::Double, vec![3, 2, 80, 90]),
            (Kind::Float, vec![2, 2, 2, 3, 40, 50]),
        ] {
            let [.., rows, columns] = size[..] else { unreachable!() };
            let grid = Grid { rows: axis(rows as usize), columns: axis(columns as usize) };
            let action = Action::new(&grid, Scheme::Spectral, Boundary::Reflect, kind, Device::Cpu).unwrap();
            let h = Tensor::randn(size.as_slice(), (kind, Device::Cpu));
            let wanted = Tensor::cat(&[h.shallow_clone(), action.all(&h).unwrap().flatten(0, 1)], 0);
            for format in MemoryFormat::ALL {
                let stack = action.stack(&MEASURED, &h, format).unwrap();
                assert_eq!(stack.size(), wanted.size());
                let some = action.stack(&[Generator::ShearY], &h, format).unwrap();
                let part = |stack: &Tensor, at: i64| stack.narrow(0, at * size[0], size[0]);
                let place = 1 + Generator::ShearY.index() as i64;
                assert!(part(&some, 0).equal(&h) && part(&some, 1).equal(&part(&wanted, place)));
                assert_eq!((&stack - &wanted).abs().max().double_value(&[]), 0.0, "{kind:?} {size:?} {format}");
                let last = if format == MemoryFormat::ChannelsLast { stack.movedim_int(-3, -1) } else { stack };
                assert!(last.is_contiguous());
            }
        }
    }
}
