//! Convolutions of tensors, with any padding.

use tch::Tensor;

use super::pad;
use crate::graph::operator::Torch;
use crate::graph::window::Window;

/// The convolution of `[any, channels, …]` with a weight, its padding included.
pub fn convolve(window: &Window, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, groups: i64) -> Torch<Tensor> {
    let (strides, dilations) = (&window.strides, &window.dilations);
    let mut x = x.shallow_clone();
    let padding: Vec<i64> = if window.is_symmetric() {
        window.begin.clone()
    } else {
        x = pad::zeros(&x, &window.begin, &window.end)?;
        vec![0; window.begin.len()]
    };
    match window.kernel.len() {
        1 => x.f_conv1d(weight, bias, strides, &padding, dilations, groups),
        2 => x.f_conv2d(weight, bias, strides, &padding, dilations, groups),
        _ => x.f_conv3d(weight, bias, strides, &padding, dilations, groups),
    }
}

/// The adjoint of the convolution without padding, cropped along each axis to a start and a length, or filled up with
/// zeros to them.
pub fn convolve_transposed(
    window: &Window,
    crop: &[(i64, i64)],
    x: &Tensor,
    weight: &Tensor,
    groups: i64,
) -> Torch<Tensor> {
    let zeros = vec![0; window.kernel.len()];
    let (none, strides, dilations) = (None::<&Tensor>, &window.strides, &window.dilations);
    let mut y = x.f_convolution(weight, none, strides, &zeros, dilations, true, &zeros, groups)?;
    let axes = crop.len() as i64;
    let missing: Vec<i64> =
        crop.iter().enumerate().map(|(a, (start, length))| start + length - y.size()[2 + a]).collect();
    if missing.iter().any(|&m| m > 0) {
        let end: Vec<i64> = missing.iter().map(|&m| m.max(0)).collect();
        y = pad::zeros(&y, &zeros, &end)?;
    }
    for (axis, (start, length)) in crop.iter().enumerate() {
        if y.size()[2 + axis] != *length {
            y = y.f_narrow(axis as i64 - axes, *start, *length)?;
        }
    }
    y.f_contiguous()
}
