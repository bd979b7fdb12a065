//! Operators whose outputs are constants once shapes and constants are known: Constant, ConstantOfShape, Shape, Size,
//! Range, EyeLike, NonZero and OneHot.

use tch::{Device, Kind, Tensor};

use crate::graph::builder::{Builder, MAX_ENTRIES};
use crate::graph::error::GraphError;
use crate::graph::tensors::{kind_of, tensor_from_onnx};

/// The constant that a node of this family stands for.
pub fn create(b: &mut Builder<'_>) -> Result<Tensor, GraphError> {
    Ok(match b.operator {
        "Constant" => constant(b)?,
        "ConstantOfShape" => constant_of_shape(b)?,
        "EyeLike" => eye_like(b)?,
        "NonZero" => non_zero(b)?,
        "OneHot" => one_hot(b)?,
        "Range" => range(b)?,
        "Shape" => shape(b)?,
        "Size" => Tensor::f_from_slice(&[b.shape(0)?.iter().product::<i64>()])?.f_reshape([0i64; 0])?,
        other => return Err(b.invalid(format!("{other} makes no constant"))),
    })
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
    let others = ["value_string", "value_strings", "sparse_value"];
    let given = others.into_iter().find(|name| b.attributes().has(name)).unwrap_or("no value at all");
    Err(b.unsupported(given, "value, value_float, value_floats, value_int and value_ints are"))
}

fn constant_of_shape(b: &mut Builder<'_>) -> Result<Tensor, GraphError> {
    let shape = b.parameter_ints(0, "shape")?.unwrap_or_default();
    b.check_size(&shape)?;
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
    b.check_size(&shape)?;
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
        return Err(b.invalid(format!("a range from {start} to {limit} by {step} is impossible or too large")));
    }
    // In double precision here and as a tensor, and then in its own type.
    b.check_bytes(&[count.max(0.0) as i64], count.max(0.0) as u64 * 24)?;
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

fn non_zero(b: &mut Builder<'_>) -> Result<Tensor, GraphError> {
    Ok(b.parameter(0, "value")?.f_nonzero()?.f_transpose(0, 1)?.f_contiguous()?)
}

fn one_hot(b: &mut Builder<'_>) -> Result<Tensor, GraphError> {
    let indices = b.parameter(0, "indices")?.f_to_kind(Kind::Int64)?;
    let depth = b.parameter_ints(1, "depth")?.and_then(|depth| depth.first().copied()).unwrap_or(0);
    let values = b.parameter(2, "values")?;
    if values.size() != [2] || depth < 1 {
        return Err(b.invalid("it needs a positive depth, and an off and an on value"));
    }
    let rank = indices.dim() + 1;
    let axis = b.int("axis")?.unwrap_or(-1);
    let axis = b.axis_from_end(axis, rank)?;
    let mut size = indices.size();
    let place = (axis + rank as i64) as usize;
    size.insert(place, depth);
    b.check_size(&size)?;
    if b.opset < 11 && indices.numel() > 0 && indices.f_min()?.f_int64_value(&[])? < 0 {
        let hint = "the specification switches them off and ONNX Runtime counts them from the end; convert the model to opset 11";
        return Err(b.unsupported("a negative index", hint));
    }
    // Indices wrap once, and those outside −depth ‥ depth − 1 are off everywhere.
    let wrapped = indices.f_where_self(&indices.f_ge(0)?, &indices.f_add_scalar(depth)?)?.f_unsqueeze(place as i64)?;
    let mut lined = vec![1; rank];
    lined[place] = depth;
    let places = Tensor::f_arange(depth, (Kind::Int64, indices.device()))?.f_reshape(lined)?;
    let is_on = wrapped.f_eq_tensor(&places)?;
    let (off, on) = (values.f_narrow(0, 0, 1)?, values.f_narrow(0, 1, 1)?);
    Ok(on.f_where_self(&is_on, &off)?)
}
