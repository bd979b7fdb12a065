//! MatMul, Gemm and Einsum.

use tch::{TchError, Tensor};

use crate::graph::builder::{Build, Builder, Built, Operand};
use crate::graph::layout::Flow;
use crate::graph::operator::{Differentiable, Forward, Linear, Operator, Point, Torch, with_rank};

fn built(operator: Operator, flow: Flow) -> Build {
    Ok(Built { operator, flow })
}

/// One side of a matrix product is constant.
#[derive(Debug)]
struct MatrixMap {
    constant: Tensor,
    constant_on_right: bool,
    rank: usize,
    wanted: usize,
}

impl Linear for MatrixMap {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let x = with_rank(x[0], self.rank, self.wanted)?;
        Ok(vec![if self.constant_on_right { x.f_matmul(&self.constant)? } else { self.constant.f_matmul(&x)? }])
    }

    fn is_fresh(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct MatrixProduct {
    ranks: [usize; 2],
    wanted: usize,
}

impl Differentiable for MatrixProduct {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let (a, b) = (self.operand(x, 0)?, self.operand(x, x.len() - 1)?);
        Ok(vec![a.f_matmul(&b)?])
    }

    fn tangent(&self, at: &Point<'_>) -> Torch<Vec<Tensor>> {
        let last = at.x.len() - 1;
        let (a, b) = (self.operand(at.x, 0)?, self.operand(at.x, last)?);
        let left = at.dx[0].as_ref().map(|da| with_rank(da, self.ranks[0], self.wanted)?.f_matmul(&b)).transpose()?;
        let right =
            at.dx[last].as_ref().map(|db| a.f_matmul(&with_rank(db, self.ranks[1], self.wanted)?)).transpose()?;
        Ok(vec![match (left, right) {
            (Some(left), Some(right)) => left.f_add(&right)?,
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => return Err(TchError::Torch("a tangent was asked for, and no input moves".into())),
        }])
    }
}

impl MatrixProduct {
    fn operand(&self, x: &[&Tensor], i: usize) -> Torch<Tensor> {
        // A matrix times itself is one varying input seen twice.
        let side = usize::from(i > 0);
        with_rank(x[i], self.ranks[side], self.wanted)
    }
}

/// MatMul: as NumPy's matmul, for operands of two axes or more.
pub fn matmul(b: &mut Builder<'_>) -> Build {
    let (left, right) = (b.shape(0)?, b.shape(1)?);
    if left.len() < 2 || right.len() < 2 {
        return Err(b.unsupported("a vector as an operand", "matrices are"));
    }
    if left[left.len() - 1] != right[right.len() - 2] {
        return Err(b.invalid("the inner sizes of its operands differ"));
    }
    let wanted = left.len().max(right.len());
    let operands = (b.operand(0)?, b.operand(1)?);
    match operands {
        (Operand::Varying(_), Operand::Constant(constant)) => {
            let op = MatrixMap { constant, constant_on_right: true, rank: left.len(), wanted };
            built(Operator::Linear(Box::new(op)), Flow::Mixed { axis: -1 })
        }
        (Operand::Constant(constant), Operand::Varying(_)) => {
            let op = MatrixMap { constant, constant_on_right: false, rank: right.len(), wanted };
            built(Operator::Linear(Box::new(op)), Flow::Mixed { axis: -2 })
        }
        _ => {
            let op = MatrixProduct { ranks: [left.len(), right.len()], wanted };
            built(Operator::Differentiable(Box::new(op)), Flow::Product)
        }
    }
}

/// y = α·x'·W + β·c with x' = x or xᵀ.
#[derive(Debug)]
struct Dense {
    weight: Tensor,
    transposed: bool,
    offset: Option<Tensor>,
}

impl Linear for Dense {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let x = if self.transposed { x[0].f_transpose(-1, -2)? } else { x[0].shallow_clone() };
        Ok(vec![x.f_matmul(&self.weight)?])
    }

    fn offset(&self) -> Option<&Tensor> {
        self.offset.as_ref()
    }

    fn is_fresh(&self) -> bool {
        true
    }
}

/// Gemm with a constant second operand.
pub fn gemm(b: &mut Builder<'_>) -> Build {
    let (alpha, beta) = (b.float("alpha")?.unwrap_or(1.0), b.float("beta")?.unwrap_or(1.0));
    let transposed = b.int("transA")?.unwrap_or(0) != 0;
    let weight_transposed = b.int("transB")?.unwrap_or(0) != 0;
    let shape = b.shape(0)?;
    let mut weight = b.parameter(1, "second matrix")?;
    if shape.len() != 2 || weight.dim() != 2 {
        return Err(b.invalid("its operands are not matrices"));
    }
    if weight_transposed {
        weight = weight.f_transpose(0, 1)?;
    }
    if alpha != 1.0 {
        weight = weight.f_mul_scalar(alpha)?;
    }
    let inner = if transposed { shape[0] } else { shape[1] };
    if weight.size()[0] != inner {
        return Err(b.invalid("the inner sizes of its operands differ"));
    }
    let offset = if b.has(2) {
        let c = b.parameter(2, "bias")?;
        let rows = if transposed { shape[1] } else { shape[0] };
        let fits = super::arithmetic::broadcast_shape(&[c.size(), vec![rows, weight.size()[1]]]);
        if fits != Some(vec![rows, weight.size()[1]]) {
            return Err(b.invalid(format!("its bias has the shape {:?}", c.size())));
        }
        Some(if beta == 1.0 { c } else { c.f_mul_scalar(beta)? })
    } else {
        None
    };
    b.varying_input(0)?;
    let flow = if transposed { Flow::Lost } else { Flow::Mixed { axis: -1 } };
    built(Operator::Linear(Box::new(Dense { weight, transposed, offset })), flow)
}

#[derive(Debug)]
struct Contraction {
    equation: String,
    operands: Vec<Operand>,
}

impl Forward for Contraction {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let tensors = self
            .operands
            .iter()
            .map(|operand| match operand {
                Operand::Varying(i) => x[*i].shallow_clone(),
                Operand::Constant(constant) => constant.shallow_clone(),
            })
            .collect::<Vec<_>>();
        Ok(vec![Tensor::f_einsum(&self.equation, &tensors, None::<&[i64]>)?])
    }
}

/// Einsum: the lanes become one more letter of every varying operand.
pub fn einsum(b: &mut Builder<'_>) -> Build {
    let written = b.string("equation")?.ok_or_else(|| b.invalid("it has no equation"))?;
    let equation: String = written.chars().filter(|c| !c.is_whitespace()).collect();
    let Some((inputs, output)) = equation.split_once("->") else {
        return Err(b.unsupported(format!("the implicit output of '{written}'"), "an explicit '->' is"));
    };
    let lane = ('A'..='Z').find(|letter| !equation.contains(*letter));
    let lane = lane.ok_or_else(|| b.unsupported(format!("the equation '{written}'"), String::new()))?;
    let terms: Vec<&str> = inputs.split(',').collect();
    if terms.len() != b.inputs() {
        return Err(b.invalid(format!("its equation '{written}' does not fit {} inputs", b.inputs())));
    }
    let operands = (0..terms.len()).map(|i| b.operand(i)).collect::<Result<Vec<_>, _>>()?;
    let laned: Vec<String> = terms
        .iter()
        .zip(&operands)
        .map(|(term, operand)| match operand {
            Operand::Varying(_) => format!("{lane}{term}"),
            Operand::Constant(_) => (*term).to_owned(),
        })
        .collect();
    let equation = format!("{}->{lane}{output}", laned.join(","));
    built(Operator::Automatic(Box::new(Contraction { equation, operands })), Flow::Lost)
}
