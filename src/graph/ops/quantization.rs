//! DequantizeLinear of constants.

use tch::{Kind, Tensor};

use crate::graph::builder::Builder;
use crate::graph::error::GraphError;

use super::activation::is_integer;

/// (x − zero point)·scale of a constant x: one scale for all, one per entry of an axis, or one per block along it.
///
/// # Errors
/// When x depends on the network's input, or its scale does not fit it.
pub fn dequantize(b: &mut Builder<'_>) -> Result<Tensor, GraphError> {
    if b.varies(0) {
        return Err(b.unsupported(
            "the quantisation of values that depend on the network's input",
            "that of constants is: rounding has the derivative zero almost everywhere, so no tangent passes; measure the \
             network from before its quantisation",
        ));
    }
    let x = b.parameter(0, "value")?;
    if !is_integer(x.kind()) {
        return Err(b.invalid(format!("its value is of kind {:?}, not a whole number", x.kind())));
    }
    let scale = b.parameter(1, "scale")?;
    let zero = if b.has(2) { Some(b.parameter(2, "zero point")?) } else { None };
    if let Some(code) = b.int("output_dtype")?.filter(|&code| !matches!(code, 0 | 1 | 10 | 11 | 16)) {
        return Err(b.unsupported(format!("output_dtype = {code}"), "floats are"));
    }
    let (shape, rank) = (x.size(), x.dim());
    let axis = b.int("axis")?.unwrap_or(1);
    let block = b.int("block_size")?.unwrap_or(0);
    let unfit = |b: &Builder<'_>| b.invalid(format!("its scale {:?} does not fit its value {shape:?}", scale.size()));
    if zero.as_ref().is_some_and(|zero| zero.size() != scale.size()) {
        return Err(b.invalid("its zero point and its scale have different shapes"));
    }
    let spread = |parameter: &Tensor| -> Result<Tensor, GraphError> {
        if parameter.numel() == 1 && block == 0 {
            return Ok(parameter.f_reshape([0i64; 0])?);
        }
        let at = (b.axis_from_end(axis, rank)? + rank as i64) as usize;
        let size = parameter.size();
        if block > 0 {
            let whole = size.len() == rank
                && (0..rank)
                    .all(|a| if a == at { size[a] == (shape[a] + block - 1) / block } else { size[a] == shape[a] });
            if !whole {
                return Err(unfit(b));
            }
            let repeated = parameter.f_repeat_interleave_self_int(block.min(shape[at].max(1)), at as i64, None)?;
            return Ok(repeated.f_narrow(at as i64, 0, shape[at])?);
        }
        if size != [shape[at]] {
            return Err(unfit(b));
        }
        let mut view = vec![1; rank];
        view[at] = shape[at];
        Ok(parameter.f_reshape(view)?)
    };
    // Whole numbers of 32 bits fit double precision exactly.
    let mut value = x.f_to_kind(Kind::Double)?;
    if let Some(zero) = &zero {
        value = value.f_sub(&spread(&zero.f_to_kind(Kind::Double)?)?)?;
    }
    let scale = spread(&scale)?;
    Ok(value.f_mul(&scale.f_to_kind(Kind::Double)?)?.f_to_kind(scale.kind())?)
}
