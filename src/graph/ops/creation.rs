//! Operators whose outputs are constants once shapes are known: Constant, ConstantOfShape, Shape, Size, Range, EyeLike.

use tch::{Device, Kind, Tensor};

use crate::graph::builder::Builder;
use crate::graph::error::GraphError;
use crate::graph::tensors::{kind_of, tensor_from_onnx};

/// The operators of this family.
pub const NAMES: &[&str] = &["Constant", "ConstantOfShape", "EyeLike", "Range", "Shape", "Size"];

/// A constant of more bytes than this is a damaged file.
const MAX_ENTRIES: i64 = 1 << 28;

/// The constant that a node of this family stands for; none for an operator outside it.
pub fn create(b: &mut Builder<'_>) -> Result<Option<Tensor>, GraphError> {
    Ok(Some(match b.operator {
        "Constant" => constant(b)?,
        "ConstantOfShape" => constant_of_shape(b)?,
        "EyeLike" => eye_like(b)?,
        "Range" => range(b)?,
        "Shape" => shape(b)?,
        "Size" => Tensor::f_from_slice(&[b.shape(0)?.iter().product::<i64>()])?.f_reshape([0i64; 0])?,
        _ => return Ok(None),
    }))
}

fn constant(b: &mut Builder<'_>) -> Result<Tensor, GraphError> {
    if let Some(tensor) = b.attributes().tensor("value")? {
        return tensor_from_onnx(&tensor);
    }
    if let Some(value) = b.float("value_float")? {
        return Ok(Tensor::f_from_slice(&[value as f32])?.f_reshape([0i64; 0])?);
    }
    if let Some(value) = b.int("value_int")? {
        return Ok(Tensor::f_from_slice(&[value])?.f_reshape([0i64; 0])?);
    }
    if let Some(values) = b.attributes().floats("value_floats")? {
        return Ok(Tensor::f_from_slice(&values)?);
    }
    if let Some(values) = b.ints("value_ints")? {
        return Ok(Tensor::f_from_slice(&values)?);
    }
    Err(b.unsupported("a constant of this type", "tensors, floats and integers are"))
}

fn constant_of_shape(b: &mut Builder<'_>) -> Result<Tensor, GraphError> {
    let shape = b.parameter_ints(0, "shape")?.unwrap_or_default();
    let entries = shape.iter().try_fold(1i64, |product, &n| product.checked_mul(n));
    if shape.iter().any(|&n| n < 0) || entries.is_none_or(|n| n > MAX_ENTRIES) {
        return Err(b.invalid(format!("a constant of shape {shape:?} is too large")));
    }
    let value = match b.attributes().tensor("value")? {
        Some(tensor) => tensor_from_onnx(&tensor)?.f_reshape([-1])?,
        None => Tensor::f_zeros([1], (Kind::Float, Device::Cpu))?,
    };
    if value.numel() != 1 {
        return Err(b.invalid("its value is not one entry"));
    }
    Ok(value.f_expand(shape, false)?.f_contiguous()?)
}

fn eye_like(b: &mut Builder<'_>) -> Result<Tensor, GraphError> {
    let shape = b.shape(0)?;
    let diagonal = b.int("k")?.unwrap_or(0);
    let kind = match b.int("dtype")? {
        Some(code) => kind_of(code as i32).ok_or_else(|| b.unsupported(format!("dtype = {code}"), String::new()))?,
        None => b.kind(0)?,
    };
    let [rows, columns] = shape[..] else { return Err(b.invalid("its input is not a matrix")) };
    if rows.saturating_mul(columns) > MAX_ENTRIES {
        return Err(b.invalid(format!("a constant of shape {shape:?} is too large")));
    }
    let row = Tensor::f_arange(rows, (Kind::Int64, Device::Cpu))?.f_reshape([rows, 1])?;
    let column = Tensor::f_arange(columns, (Kind::Int64, Device::Cpu))?;
    Ok(column.f_sub(&row)?.f_eq(diagonal)?.f_to_kind(kind)?)
}

fn range(b: &mut Builder<'_>) -> Result<Tensor, GraphError> {
    let kind = b.kind(0)?;
    let mut bounds = [0.0; 3];
    for (i, (bound, what)) in bounds.iter_mut().zip(["start", "limit", "step"]).enumerate() {
        *bound = b.parameter_float(i, what)?.ok_or_else(|| b.invalid(format!("it has no {what}")))?;
    }
    let [start, limit, step] = bounds;
    let count = ((limit - start) / step).ceil();
    if !count.is_finite() || count > MAX_ENTRIES as f64 {
        return Err(b.invalid(format!("a range from {start} to {limit} by {step} is too large")));
    }
    let values: Vec<f64> = (0..count.max(0.0) as i64).map(|i| start + i as f64 * step).collect();
    Ok(Tensor::f_from_slice(&values)?.f_to_kind(kind)?)
}

fn shape(b: &mut Builder<'_>) -> Result<Tensor, GraphError> {
    let shape = b.shape(0)?;
    let rank = shape.len() as i64;
    let wrap = |v: i64| if v < 0 { v.saturating_add(rank) } else { v }.clamp(0, rank);
    let start = wrap(b.int("start")?.unwrap_or(0));
    let end = wrap(b.int("end")?.unwrap_or(rank)).max(start);
    Ok(Tensor::f_from_slice(&shape[start as usize..end as usize])?)
}
