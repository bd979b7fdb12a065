//! Tensors of ONNX files as libtorch tensors.

use tch::{Kind, Tensor};

use super::error::GraphError;
use super::onnx::{ElementType, OnnxTensor};
use super::operator::Torch;

/// libtorch's kind for an ONNX element type code that may be computed with; half precision is computed in single.
pub fn kind_of(code: i32) -> Option<Kind> {
    ElementType::try_from(code).ok().filter(|element_type| !element_type.is_held_wider()).map(held_kind)
}

/// libtorch's kind in which entries of an element type are held.
pub fn held_kind(element_type: ElementType) -> Kind {
    match element_type {
        ElementType::Float | ElementType::Float16 | ElementType::BFloat16 => Kind::Float,
        ElementType::Float8E4M3FN | ElementType::Float8E4M3FNUZ => Kind::Float,
        ElementType::Float8E5M2 | ElementType::Float8E5M2FNUZ => Kind::Float,
        ElementType::Double => Kind::Double,
        ElementType::Int64 | ElementType::UInt32 => Kind::Int64,
        ElementType::Int32 | ElementType::UInt16 => Kind::Int,
        ElementType::Int16 => Kind::Int16,
        ElementType::Int8 | ElementType::Int4 => Kind::Int8,
        ElementType::UInt8 | ElementType::UInt4 => Kind::Uint8,
        ElementType::Bool => Kind::Bool,
    }
}

/// A tensor of a file, on the CPU.
///
/// # Errors
/// When libtorch cannot allocate it.
pub fn tensor_from_onnx(tensor: &OnnxTensor) -> Result<Tensor, GraphError> {
    Ok(Tensor::f_from_data_size(&tensor.data, &tensor.shape, held_kind(tensor.element_type))?)
}

/// Whether an entry is not a number; integers are.
pub fn has_nan(tensor: &Tensor) -> Torch<bool> {
    Ok(tensor.f_isnan()?.f_any()?.f_int64_value(&[])? != 0)
}

/// Whether all entries are finite; integers are.
pub fn is_finite(tensor: &Tensor) -> Torch<bool> {
    match tensor.kind() {
        Kind::Float | Kind::Double | Kind::Half | Kind::BFloat16 => {
            // A finite sum has finite terms; one pass, nothing in memory. The sum of large ones may still overflow:
            // then that of x·0 is 0, or NaN where any entry is not finite.
            let finite = tensor.f_sum(None::<Kind>)?.f_double_value(&[])?.is_finite();
            Ok(finite || tensor.f_mul_scalar(0.0)?.f_sum(None::<Kind>)?.f_double_value(&[])? == 0.0)
        }
        _ => Ok(true),
    }
}
