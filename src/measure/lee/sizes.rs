//! The numbers of one image: Gram matrices of its Lie derivatives and tangents, and what of them is rounding.

use tch::{Kind, Tensor};

use crate::graph::operator::Torch;
use crate::symmetry::{Combination, Generator};

use super::{LeeError, LeeMeter};

/// How many roundings of entries of its size a derivative may be off by.
const ROUNDINGS: f64 = 64.0;

/// An image's Gram matrices, of L and of A x, and mean |L|.
pub(super) struct Sizes {
    pub gram: [[f64; 7]; 7],
    pub input_gram: [[f64; 7]; 7],
    pub mean_abs: Vec<f64>,
}

impl LeeMeter<'_> {
    /// Of one image, its tangents and Lie derivatives, one in front of the other, in double precision.
    pub(super) fn sizes(&self, x: &Tensor, dx: &Tensor, lie: &Tensor) -> Result<Sizes, LeeError> {
        let swept = self.swept.len() as i64;
        let rows = |t: &Tensor| t.f_reshape([swept, -1])?.f_to_kind(Kind::Double);
        let in_pixels = |t: &Tensor| match &self.pixel_scale {
            Some(scale) => t.f_to_kind(Kind::Double)?.f_mul(scale),
            None => Ok(t.shallow_clone()),
        };
        let (dx, lie) = (rows(&in_pixels(dx)?)?, rows(lie)?);
        let gram = self.placed_in_all(&mean_products(&lie)?);
        let input_gram = self.placed_in_all(&mean_products(&dx)?);
        // Saturation's tangent is the image itself.
        let size = match input_gram[Generator::Saturate.index()][Generator::Saturate.index()] {
            size if self.swept.contains(&Generator::Saturate) => size,
            _ => in_pixels(x)?.f_to_kind(Kind::Double)?.f_square()?.f_mean(None::<Kind>)?.f_double_value(&[])?,
        };
        let input_gram = self.without_rounding(input_gram, size.sqrt());
        let coefficients: Vec<f64> =
            self.generators.iter().flat_map(|c| self.swept.iter().map(|g| c.coefficient(*g))).collect();
        let mixing = Tensor::f_from_slice(&coefficients)?.f_view([-1, swept])?.f_to_device(lie.device())?;
        let mean_abs = mixing.f_matmul(&lie)?.f_abs()?.f_mean_dim([-1].as_slice(), false, None::<Kind>)?;
        Ok(Sizes { gram, input_gram, mean_abs: Vec::try_from(&mean_abs.f_to_device(tch::Device::Cpu)?)? })
    }

    /// Products of the swept generators in their places among all measured ones, zeros elsewhere.
    fn placed_in_all(&self, products: &[Vec<f64>]) -> [[f64; 7]; 7] {
        let mut all = [[0.0; 7]; 7];
        for (i, row) in self.swept.iter().zip(products) {
            for (j, product) in self.swept.iter().zip(row) {
                all[i.index()][j.index()] = *product;
            }
        }
        all
    }

    /// The input's Gram matrix with zeros for generators under which an image of this root mean square changes by rounding
    /// alone, as one of one colour does under those of the plane.
    fn without_rounding(&self, mut gram: [[f64; 7]; 7], size: f64) -> [[f64; 7]; 7] {
        let placed = self.placed(&self.input_grid);
        let epsilon = if self.network.kind() == Kind::Double { f64::EPSILON } else { f64::from(f32::EPSILON) };
        for generator in Generator::AFFINE {
            let i = generator.index();
            let rounding = ROUNDINGS * epsilon * size * placed.steepness(&Combination::single(generator));
            if gram[i][i].sqrt() <= rounding {
                gram[i] = [0.0; 7];
                gram.iter_mut().for_each(|row| row[i] = 0.0);
            }
        }
        gram
    }

    /// ‖f(x)‖²/dim and the largest ‖Df\[A_i x\]‖²/dim with t in half-widths, of one image's value and its tangents, one in front of the
    /// other.
    pub(super) fn change(&self, value: &Tensor, tangents: &Tensor) -> Result<[f64; 2], LeeError> {
        let mean = |t: &Tensor| t.f_square()?.f_mean_dim([-1].as_slice(), false, Kind::Double);
        let size = mean(&value.f_reshape([-1])?)?.f_double_value(&[])?;
        let squares: Vec<f64> =
            Vec::try_from(&mean(&tangents.f_reshape([self.swept.len() as i64, -1])?)?.f_to_device(tch::Device::Cpu)?)?;
        let placed = self.placed(&self.input_grid);
        let half_width =
            [placed.columns.pitch / self.input_grid.columns.pitch, placed.rows.pitch / self.input_grid.rows.pitch];
        let change = self.swept.iter().zip(squares).map(|(generator, square)| match generator {
            Generator::TranslateX => square * half_width[0].powi(2),
            Generator::TranslateY => square * half_width[1].powi(2),
            _ => square,
        });
        Ok([size, change.fold(0.0, f64::max)])
    }
}

/// aᵀ G a.
pub(super) fn quadratic(combination: &Combination, gram: &[[f64; 7]; 7]) -> f64 {
    let a = combination.coefficients();
    (0..7).map(|i| a[i] * (0..7).map(|j| a[j] * gram[i][j]).sum::<f64>()).sum()
}

/// ⟨v_i, v_j⟩/dim of the rows of a `[rows, dim]` tensor in double precision.
fn mean_products(rows: &Tensor) -> Torch<Vec<Vec<f64>>> {
    let products = rows.f_matmul(&rows.f_transpose(0, 1)?)?.f_div_scalar(rows.size()[1] as f64)?;
    let flat: Vec<f64> = Vec::try_from(&products.f_reshape([-1])?.f_to_device(tch::Device::Cpu)?)?;
    Ok(flat.chunks_exact(rows.size()[0].max(1) as usize).map(<[f64]>::to_vec).collect())
}
