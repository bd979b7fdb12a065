//! Comparisons, boolean and bitwise operators, and Hardmax: locally constant.

use tch::{Kind, Tensor};

use crate::graph::builder::{Build, Builder, Built, Operand};
use crate::graph::layout::Flow;
use crate::graph::operator::{Forward, Operator, Torch};

use super::activation::is_integer;

#[derive(Debug)]
struct Predicate {
    name: String,
    operands: Vec<Operand>,
    ranks: Vec<usize>,
    /// Which infinities count: −∞, +∞.
    signs: [bool; 2],
}

impl Forward for Predicate {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let rank = self.ranks.iter().copied().max().unwrap_or(0);
        let a = self.operands[0].at(x, self.ranks[0], rank)?;
        let b = match self.operands.get(1) {
            Some(operand) => operand.at(x, self.ranks[1], rank)?,
            None => a.shallow_clone(),
        };
        Ok(vec![
            match self.name.as_str() {
                "Equal" => a.f_eq_tensor(&b)?,
                "Greater" => a.f_gt_tensor(&b)?,
                "GreaterOrEqual" => a.f_ge_tensor(&b)?,
                "Less" => a.f_lt_tensor(&b)?,
                "LessOrEqual" => a.f_le_tensor(&b)?,
                "And" => a.f_logical_and(&b)?,
                "Or" => a.f_logical_or(&b)?,
                "Xor" => a.f_logical_xor(&b)?,
                "IsNaN" => a.f_isnan()?,
                "IsInf" => match self.signs {
                    [true, true] => a.f_isinf()?,
                    [true, false] => a.f_isneginf()?,
                    [false, true] => a.f_isposinf()?,
                    [false, false] => a.f_zeros_like()?,
                },
                _ => a.f_logical_not()?,
            }
            .f_to_kind(Kind::Bool)?,
        ])
    }
}

/// Equal, Greater, Less (and their OrEqual forms), And, Or, Xor, Not, IsNaN, IsInf.
pub fn predicate(b: &mut Builder<'_>) -> Build {
    let wanted = if matches!(b.operator, "Not" | "IsNaN" | "IsInf") { 1 } else { 2 };
    if b.inputs() != wanted {
        return Err(b.invalid(format!("it has {} inputs, not {wanted}", b.inputs())));
    }
    let ranks = (0..b.inputs()).map(|i| Ok(b.shape(i)?.len())).collect::<Result<Vec<_>, crate::graph::GraphError>>()?;
    let shapes = (0..b.inputs()).map(|i| b.shape(i)).collect::<Result<Vec<_>, _>>()?;
    let shape = super::arithmetic::broadcast_shape(&shapes);
    b.check_size(&shape.ok_or_else(|| b.invalid("its inputs' shapes do not broadcast"))?)?;
    let operands = (0..b.inputs()).map(|i| b.operand(i)).collect::<Result<Vec<_>, _>>()?;
    let signs = match b.operator {
        "IsInf" => [b.int("detect_negative")?.unwrap_or(1) != 0, b.int("detect_positive")?.unwrap_or(1) != 0],
        _ => [true; 2],
    };
    let op = Predicate { name: b.operator.to_owned(), operands, ranks, signs };
    Ok(Built { operator: Operator::LocallyConstant(Box::new(op)), flow: Flow::Pointwise })
}

/// Operators on the bits of whole numbers.
#[derive(Clone, Copy, Debug)]
enum Bits {
    And,
    Or,
    Xor,
    Not,
    Left,
    Right,
}

#[derive(Debug)]
struct Bitwise {
    bits: Bits,
    operands: Vec<Operand>,
    ranks: Vec<usize>,
}

impl Forward for Bitwise {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let rank = self.ranks.iter().copied().max().unwrap_or(0);
        let at = |i: usize| self.operands[i].at(x, self.ranks[i], rank);
        let a = at(0)?;
        Ok(vec![match self.bits {
            Bits::Not => a.f_bitwise_not()?,
            Bits::And => a.f_bitwise_and_tensor(&at(1)?)?,
            Bits::Or => a.f_bitwise_or_tensor(&at(1)?)?,
            Bits::Xor => a.f_bitwise_xor_tensor(&at(1)?)?,
            Bits::Left => a.f_bitwise_left_shift(&at(1)?)?,
            Bits::Right => a.f_bitwise_right_shift(&at(1)?)?,
        }])
    }
}

/// BitwiseAnd, BitwiseOr, BitwiseXor, BitwiseNot and BitShift.
pub fn bitwise(b: &mut Builder<'_>) -> Build {
    let bits = match b.operator {
        "BitwiseAnd" => Bits::And,
        "BitwiseOr" => Bits::Or,
        "BitwiseXor" => Bits::Xor,
        "BitwiseNot" => Bits::Not,
        _ => match b.string("direction")?.as_deref() {
            Some("LEFT") => Bits::Left,
            Some("RIGHT") => Bits::Right,
            other => return Err(b.invalid(format!("its direction is {other:?}, not LEFT or RIGHT"))),
        },
    };
    let wanted = if matches!(bits, Bits::Not) { 1 } else { 2 };
    let shapes = (0..wanted).map(|i| b.shape(i)).collect::<Result<Vec<_>, _>>()?;
    for i in 0..wanted {
        if !is_integer(b.kind(i)?) || b.kind(i)? != b.kind(0)? {
            return Err(b.invalid("its inputs are not whole numbers of one type"));
        }
    }
    let shape = super::arithmetic::broadcast_shape(&shapes);
    b.check_size(&shape.ok_or_else(|| b.invalid("its inputs' shapes do not broadcast"))?)?;
    let operands = (0..wanted).map(|i| b.operand(i)).collect::<Result<Vec<_>, _>>()?;
    let op = Bitwise { bits, operands, ranks: shapes.iter().map(Vec::len).collect() };
    Ok(Built { operator: Operator::LocallyConstant(Box::new(op)), flow: Flow::Pointwise })
}

/// 1 at the first of the largest entries along an axis, 0 elsewhere.
#[derive(Debug)]
struct Hardmax {
    axis: i64,
    /// How many of the last axes are one.
    flattened: usize,
}

impl Forward for Hardmax {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let view =
            if self.flattened > 1 { x[0].f_flatten(-(self.flattened as i64), -1)? } else { x[0].shallow_clone() };
        let axis = if self.flattened > 1 { -1 } else { self.axis };
        let largest = view.f_eq_tensor(&view.f_amax([axis].as_slice(), true)?)?;
        let first = largest.f_cumsum(axis, Kind::Int64)?.f_eq(1)?.f_logical_and(&largest)?;
        Ok(vec![first.f_to_kind(x[0].kind())?.f_reshape(x[0].size())?])
    }
}

/// Hardmax; before opset 13 all axes from `axis` on are one.
pub fn hardmax(b: &mut Builder<'_>) -> Build {
    let shape = b.shape(0)?;
    let rank = shape.len();
    let old = b.opset < 13;
    let axis = b.int("axis")?.unwrap_or(if old { 1 } else { -1 });
    let axis = b.axis_from_end(axis, rank)?;
    if shape.contains(&0) {
        return Err(b.invalid("its input has no entries"));
    }
    b.varying_input(0)?;
    let op = Hardmax { axis, flattened: if old { -axis as usize } else { 1 } };
    Ok(Built { operator: Operator::LocallyConstant(Box::new(op)), flow: Flow::Pointwise })
}
