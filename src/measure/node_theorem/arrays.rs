//! Tensors as arrays.

use ndarray::{Array3, Array4};
use tch::{Kind, Tensor};

use super::error::NodeTheoremError;
use crate::graph::operator::Torch;
use crate::spectrum::transform::TransformError;

/// `[…, channels, rows, columns]` with ones in front, as an array.
pub(super) fn array3(x: &Tensor) -> Result<Array3<f64>, NodeTheoremError> {
    let size = x.size();
    let [c, h, w] = [size[size.len() - 3], size[size.len() - 2], size[size.len() - 1]].map(|n| n as usize);
    Array3::from_shape_vec((c, h, w), doubles(x)?).map_err(|_| TransformError::Empty { x: w, y: h }.into())
}

/// `[outputs, inputs, rows, columns]` as an array.
pub(super) fn array4(x: &Tensor) -> Result<Array4<f64>, NodeTheoremError> {
    let (o, i, h, w) = x.size4()?;
    let [o, i, h, w] = [o, i, h, w].map(|n| n as usize);
    Array4::from_shape_vec((o, i, h, w), doubles(x)?).map_err(|_| TransformError::Empty { x: w, y: h }.into())
}

fn doubles(x: &Tensor) -> Torch<Vec<f64>> {
    Vec::try_from(&x.f_to_kind(Kind::Double)?.f_to_device(tch::Device::Cpu)?.f_reshape([-1])?)
}
