//! Loops over lanes for which libtorch has no operator of one pass; lanes.cpp has them.

use std::ffi::c_void;

use tch::{Device, Kind, TchError, Tensor};

use super::operator::Torch;

unsafe extern "C" {
    fn aliascope_layer_norm_tangent_f32(
        out: *mut c_void,
        dx: *const c_void,
        x: *const c_void,
        mean: *const c_void,
        inverse: *const c_void,
        scale: *const c_void,
        tangents: i64,
        rows: i64,
        n: i64,
    );
    fn aliascope_layer_norm_tangent_f64(
        out: *mut c_void,
        dx: *const c_void,
        x: *const c_void,
        mean: *const c_void,
        inverse: *const c_void,
        scale: *const c_void,
        tangents: i64,
        rows: i64,
        n: i64,
    );
}

/// Whether the loops can run on tensors like this one.
pub fn can_loop_over(x: &Tensor) -> bool {
    x.device() == Device::Cpu && matches!(x.kind(), Kind::Float | Kind::Double)
}

/// The tangents of layer norm over the last `n` entries, with x̂ = (x − mean)·inverse:
/// out = scale·inverse·(dx − mean(dx) − x̂·mean(x̂·dx)).
///
/// `out` and `dx` are `[tangents, …]` in front of the shape of `x`, `mean` and `inverse` have one entry per row, `scale`
/// has n; all lie in one piece of memory, in order, but `dx` and `x`, which are copied where they do not.
///
/// # Errors
/// When sizes or kinds do not fit, or memory is not in one piece.
pub fn layer_norm_tangent(
    out: &Tensor,
    dx: &Tensor,
    x: &Tensor,
    (mean, inverse): (&Tensor, &Tensor),
    scale: Option<&Tensor>,
    n: i64,
) -> Torch<()> {
    let (dx, x) = (dx.f_contiguous()?, x.f_contiguous()?);
    let kind = x.kind();
    let rows = x.numel() as i64 / n.max(1);
    let tangents = dx.size()[0];
    let entries = |t: &Tensor| t.numel() as i64;
    let plain = |t: &Tensor| t.kind() == kind && t.device() == Device::Cpu && t.is_contiguous();
    let fits = [out, &dx, &x, mean, inverse].into_iter().chain(scale).all(plain)
        && n > 0
        && rows * n == entries(&x)
        && entries(&dx) == tangents * rows * n
        && entries(out) == entries(&dx)
        && entries(mean) == rows
        && entries(inverse) == rows
        && scale.is_none_or(|scale| entries(scale) == n);
    let run = match kind {
        Kind::Float if fits => aliascope_layer_norm_tangent_f32,
        Kind::Double if fits => aliascope_layer_norm_tangent_f64,
        _ => return Err(TchError::Torch("the tangent of layer norm was given sizes that do not fit".to_owned())),
    };
    let scale = scale.map_or(std::ptr::null(), |scale| scale.data_ptr().cast_const());
    // SAFETY: all tensors are of this kind, on the CPU, in one piece, and have as many entries as the loop touches;
    // `out` is no input's memory, as its caller has just allocated it.
    unsafe {
        run(
            out.data_ptr(),
            dx.data_ptr().cast_const(),
            x.data_ptr().cast_const(),
            mean.data_ptr().cast_const(),
            inverse.data_ptr().cast_const(),
            scale,
            tangents,
            rows,
            n,
        );
    }
    Ok(())
}
