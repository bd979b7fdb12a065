//! Comparisons and boolean operators: locally constant.

use tch::{Kind, Tensor};

use crate::graph::builder::{Build, Builder, Built, Operand};
use crate::graph::layout::Flow;
use crate::graph::operator::{Forward, Operator, Torch};

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
