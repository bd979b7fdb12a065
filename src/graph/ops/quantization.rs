//! QuantizeLinear and DequantizeLinear.
//!
//! Of constants they are exact. What depends on the network's input is rounded only where the run was told to pass
//! derivatives straight through: the value is the rounded one, the slope that of what was rounded, and zero where the
//! range of the whole numbers has cut it off, as PyTorch's fake quantisation has it.

use tch::{Kind, Tensor};

use crate::graph::builder::{Build, Builder, Built};
use crate::graph::error::GraphError;
use crate::graph::layout::Flow;
use crate::graph::onnx::ElementType;
use crate::graph::operator::{Elementwise, Forward, Linear, Operator, Torch};
use crate::graph::tensors::held_kind;

use super::activation::is_integer;

/// Scale and zero point, with the axes of the value that they belong to, in double precision.
#[derive(Debug)]
struct Levels {
    scale: Tensor,
    zero: Tensor,
    /// The kind in which the file has the scale.
    kind: Kind,
}

impl Levels {
    /// One for all, one per entry of an axis, or one per block along it.
    fn read(b: &mut Builder<'_>) -> Result<Self, GraphError> {
        let (shape, scale) = (b.shape(0)?, b.parameter(1, "scale")?);
        let zero = if b.has(2) { Some(b.parameter(2, "zero point")?) } else { None };
        let axis = b.int("axis")?.unwrap_or(1);
        let block = b.int("block_size")?.unwrap_or(0);
        let single = |tensor: &Tensor| tensor.numel() == 1;
        let fits = |zero: &Tensor| zero.size() == scale.size() || single(zero) && single(&scale);
        if zero.as_ref().is_some_and(|zero| !fits(zero)) {
            return Err(b.invalid("its zero point and its scale have different shapes"));
        }
        let spread = |parameter: &Tensor| spread(b, &parameter.f_to_kind(Kind::Double)?, &shape, axis, block);
        Ok(Self { zero: spread(&zero.unwrap_or(scale.f_zeros_like()?))?, kind: scale.kind(), scale: spread(&scale)? })
    }

    /// (q − z)·s, rounded once.
    fn value(&self, q: &Tensor) -> Torch<Tensor> {
        // Whole numbers of 32 bits fit double precision exactly.
        q.f_to_kind(Kind::Double)?.f_sub(&self.zero)?.f_mul(&self.scale)?.f_to_kind(self.kind)
    }
}

/// A parameter as it broadcasts against a value of the given shape.
fn spread(b: &Builder<'_>, parameter: &Tensor, shape: &[i64], axis: i64, block: i64) -> Result<Tensor, GraphError> {
    if parameter.numel() == 1 && block == 0 {
        return Ok(parameter.f_reshape([0i64; 0])?);
    }
    let (rank, size) = (shape.len(), parameter.size());
    let unfit = || b.invalid(format!("its scale {size:?} does not fit its value {shape:?}"));
    let at = (b.axis_from_end(axis, rank)? + rank as i64) as usize;
    if block > 0 {
        let fits = |a: usize| size[a] == if a == at { (shape[a] + block - 1) / block } else { shape[a] };
        if size.len() != rank || !(0..rank).all(fits) {
            return Err(unfit());
        }
        let repeated = parameter.f_repeat_interleave_self_int(block.min(shape[at].max(1)), at as i64, None)?;
        return Ok(repeated.f_narrow(at as i64, 0, shape[at])?);
    }
    if size != [shape[at]] {
        return Err(unfit());
    }
    let mut view = vec![1; rank];
    view[at] = shape[at];
    Ok(parameter.f_reshape(view)?)
}

/// (q − z)·s of constants.
#[derive(Debug)]
struct Constants(Levels);

impl Forward for Constants {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![self.0.value(x[0])?])
    }
}

/// (q − z)·s of levels that depend on the network's input: the tangent is multiplied by s.
#[derive(Debug)]
struct FromLevels {
    levels: Levels,
    scale: Tensor,
    offset: Tensor,
}

impl Linear for FromLevels {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![x[0].f_mul(&self.scale)?])
    }

    fn value(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![self.levels.value(x[0])?.f_to_kind(x[0].kind())?])
    }

    fn offset(&self) -> Option<&Tensor> {
        Some(&self.offset)
    }

    fn constants(&self) -> Vec<&Tensor> {
        vec![&self.scale, &self.offset]
    }
}

/// DequantizeLinear.
///
/// # Errors
/// When its value is no whole number, or its scale does not fit it.
pub fn dequantize(b: &mut Builder<'_>) -> Build {
    let kind = b.kind(0)?;
    if let Some(code) = b.int("output_dtype")?.filter(|&code| !matches!(code, 0 | 1 | 10 | 11 | 16)) {
        return Err(b.unsupported(format!("output_dtype = {code}"), "floats are"));
    }
    let levels = Levels::read(b)?;
    b.varying_input(0)?;
    // 8-bit floats are kept in single precision.
    if b.folds() && (is_integer(kind) || kind == Kind::Float || kind == b.kind(1)?) {
        let operator = Operator::LocallyConstant(Box::new(Constants(levels)));
        return Ok(Built { operator, flow: Flow::Pointwise });
    }
    if kind != b.kind(1)? {
        return Err(b.unsupported(
            format!("that numbers of kind {kind:?} depend on the network's input"),
            "what QuantizeLinear makes is; a cast to whole numbers has the derivative zero",
        ));
    }
    let scale = levels.scale.f_to_kind(kind)?;
    let offset = levels.zero.f_mul(&levels.scale)?.f_neg()?.f_to_kind(kind)?;
    let operator = Operator::Linear(Box::new(FromLevels { levels, scale, offset }));
    Ok(Built { operator, flow: Flow::Pointwise })
}

/// The level of x: x/s rounded, halves to even, moved by z and cut off at the ends of the range.
#[derive(Debug)]
struct ToLevels {
    levels: Levels,
    range: (f64, f64),
}

impl ToLevels {
    /// As if the range had no end.
    fn unbounded(&self, x: &Tensor) -> Torch<Tensor> {
        x.f_div(&self.levels.scale.f_to_kind(x.kind())?)?.f_round()?.f_add(&self.levels.zero.f_to_kind(x.kind())?)
    }
}

impl Elementwise for ToLevels {
    fn value(&self, x: &Tensor) -> Torch<Tensor> {
        self.unbounded(x)?.f_clamp(self.range.0, self.range.1)
    }

    fn derivative(&self, x: &Tensor, _: &Tensor) -> Torch<Tensor> {
        let level = self.unbounded(x)?;
        let within = level.f_ge(self.range.0)?.f_logical_and(&level.f_le(self.range.1)?)?;
        within.f_to_kind(x.kind())?.f_div(&self.levels.scale.f_to_kind(x.kind())?)
    }
}

/// Levels of constants, as whole numbers.
#[derive(Debug)]
struct ConstantLevels(ToLevels, Kind);

impl Forward for ConstantLevels {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![self.0.value(x[0])?.f_to_kind(self.1)?])
    }
}

/// QuantizeLinear.
///
/// # Errors
/// When its value depends on the network's input and derivatives are not to be passed straight through, when its range
/// is not known, or its scale does not fit it.
pub fn quantize(b: &mut Builder<'_>) -> Build {
    let asked = b.int("output_dtype")?.filter(|&code| code != 0).map(|code| code as i32);
    // How values beyond an 8-bit float's range are rounded.
    let _ = b.int("saturate")?;
    // In which precision x is divided by its scale: the run has one.
    let _ = b.int("precision")?;
    if !b.folds() && !b.straight_through {
        return Err(b.unsupported(
            "the quantisation of values that depend on the network's input",
            "that of constants is: rounding has the derivative zero almost everywhere; --quantised straight-through passes \
             the derivative through the rounding, or measure the network from before its quantisation",
        ));
    }
    let code = match (asked, b.has(2)) {
        (Some(code), _) => Some(code),
        (None, false) => Some(ElementType::UInt8 as i32),
        (None, true) => b.zero_type,
    };
    let element_type = code.and_then(|code| ElementType::try_from(code).ok());
    let Some((element_type, (low, high))) = element_type.and_then(|found| Some((found, found.range()?))) else {
        return Err(match code {
            Some(code) => b.unsupported(format!("quantisation to the element type {code}"), "whole numbers are"),
            None => b.unsupported("a zero point that is computed", "a stored constant is, whose type tells the range"),
        });
    };
    let levels = Levels::read(b)?;
    b.varying_input(0)?;
    let op = ToLevels { levels, range: (low as f64, high as f64) };
    let operator = match b.folds() {
        true => Operator::LocallyConstant(Box::new(ConstantLevels(op, held_kind(element_type)))),
        false => Operator::Elementwise(Box::new(op)),
    };
    Ok(Built { operator, flow: Flow::Pointwise })
}
