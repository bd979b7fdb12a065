//! Add, Sub, Mul, Div, Pow, Neg, Min, Max, Sum, Mean and Mod.

use tch::{Kind, Tensor};

use crate::graph::builder::{Build, Builder, Built, Operand};
use crate::graph::error::GraphError;
use crate::graph::layout::Flow;
use crate::graph::operator::{Differentiable, Forward, Linear, Operator, Point, Stack, Torch, with_rank};
use crate::graph::parameter::{Held, ParameterRole};

use super::activation::{Function, is_integer};

/// Two or more operands that broadcast against each other.
#[derive(Debug)]
struct Operands {
    operands: Vec<Operand>,
    ranks: Vec<usize>,
    rank: usize,
}

impl Operands {
    /// Reads the two operands of a binary operator.
    fn pair(b: &mut Builder<'_>) -> Result<Self, GraphError> {
        if b.inputs() != 2 {
            return Err(b.invalid(format!("it has {} inputs, not two", b.inputs())));
        }
        Self::read(b)
    }

    fn read(b: &mut Builder<'_>) -> Result<Self, GraphError> {
        let count = b.inputs();
        if count == 0 {
            return Err(b.invalid("it has no inputs"));
        }
        let ranks = (0..count).map(|i| Ok(b.shape(i)?.len())).collect::<Result<Vec<_>, GraphError>>()?;
        let shapes = (0..count).map(|i| b.shape(i)).collect::<Result<Vec<_>, GraphError>>()?;
        let shape = broadcast_shape(&shapes);
        b.check_size(&shape.ok_or_else(|| b.invalid("its inputs' shapes do not broadcast"))?)?;
        let operands = (0..count).map(|i| b.operand(i)).collect::<Result<Vec<_>, GraphError>>()?;
        let rank = ranks.iter().copied().max().unwrap_or(0);
        Ok(Self { operands, ranks, rank })
    }

    /// Operand `i` at primals.
    fn at(&self, i: usize, x: &[&Tensor]) -> Torch<Tensor> {
        self.operands[i].at(x, self.ranks[i], self.rank)
    }

    /// The tangent of operand `i`, if it moves.
    fn tangent(&self, i: usize, dx: &[Option<Tensor>]) -> Torch<Option<Tensor>> {
        match &self.operands[i] {
            Operand::Varying(place) => {
                dx[*place].as_ref().map(|dx| with_rank(dx, self.ranks[i], self.rank)).transpose()
            }
            Operand::Constant(_) => Ok(None),
        }
    }

    fn len(&self) -> usize {
        self.operands.len()
    }
}

/// The shape that NumPy's broadcasting gives, if the shapes agree.
pub fn broadcast_shape(shapes: &[Vec<i64>]) -> Option<Vec<i64>> {
    let rank = shapes.iter().map(Vec::len).max()?;
    let mut out = vec![1; rank];
    for shape in shapes {
        for (o, &n) in out.iter_mut().rev().zip(shape.iter().rev()) {
            match (*o, n) {
                (a, b) if a == b => {}
                (1, n) => *o = n,
                (_, 1) => {}
                _ => return None,
            }
        }
    }
    Some(out)
}

fn built(operator: Operator) -> Build {
    Ok(Built { operator, flow: Flow::Pointwise })
}

/// A tangent of the output's shape: broadcast operands move every entry that they reach.
fn spread(term: &Tensor, y: &Tensor) -> Torch<Tensor> {
    let mut size = vec![term.size()[0]];
    size.extend(y.size());
    if term.size() == size { Ok(term.shallow_clone()) } else { term.f_expand(size, false)?.f_contiguous() }
}

/// Σ ±x_i over the varying operands, plus constants.
#[derive(Debug)]
struct SignedSum {
    operands: Operands,
    signs: Vec<f64>,
    offset: Option<Tensor>,
    shape: Vec<i64>,
}

impl Linear for SignedSum {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let mut total: Option<Tensor> = None;
        for i in 0..self.operands.len() {
            if !matches!(self.operands.operands[i], Operand::Varying(_)) {
                continue;
            }
            let term = self.operands.at(i, x)?;
            let negative = self.signs[i] < 0.0;
            total = Some(match total {
                None if negative => term.f_neg()?,
                None => term,
                Some(sum) if negative => sum.f_sub(&term)?,
                Some(sum) => sum.f_add(&term)?,
            });
        }
        let total = total.ok_or_else(|| tch::TchError::Torch("a sum of constants alone".into()))?;
        let mut size = vec![total.size()[0]];
        size.extend(&self.shape);
        // A lone operand is still the input's own memory; an offset is added in place, so it needs a copy.
        let total = if total.size() == size { total } else { total.f_expand(size, false)? };
        Ok(vec![if self.offset.is_some() { total.copy() } else { total }])
    }

    fn apply_onto(&self, first: &mut Tensor, rest: &[&Tensor]) -> Torch<bool> {
        if first.size()[1..] != self.shape {
            return Ok(false);
        }
        // Each varying operand is one of the inputs, the first is the first with a plus, and all are of one kind.
        let mut terms = Vec::with_capacity(rest.len());
        for (i, operand) in self.operands.operands.iter().enumerate() {
            let Operand::Varying(place) = operand else { continue };
            match place.checked_sub(1) {
                None if self.signs[i] > 0.0 && terms.is_empty() => {}
                Some(place) if place == terms.len() && rest[place].kind() == first.kind() => {
                    terms.push((with_rank(rest[place], self.operands.ranks[i], self.operands.rank)?, self.signs[i]));
                }
                _ => return Ok(false),
            }
        }
        let varying = self.operands.operands.iter().filter(|o| matches!(o, Operand::Varying(_))).count();
        if varying != terms.len() + 1 {
            return Ok(false);
        }
        for (term, sign) in terms {
            let _ = if sign < 0.0 { first.f_sub_(&term)? } else { first.f_add_(&term)? };
        }
        Ok(true)
    }

    fn offset(&self) -> Option<&Tensor> {
        self.offset.as_ref()
    }

    fn is_fresh(&self) -> bool {
        self.offset.is_some() || self.operands.operands.iter().filter(|o| matches!(o, Operand::Varying(_))).count() > 1
    }

    fn parameters(&mut self) -> Vec<Held<'_>> {
        let constant = |operand: &Operand| matches!(operand, Operand::Constant(_));
        let mut places = self.operands.operands.iter().enumerate().filter(|(_, operand)| constant(operand));
        // With one constant, the offset is that constant.
        let (Some((input, _)), None, Some(offset)) = (places.next(), places.next(), self.offset.as_mut()) else {
            return Vec::new();
        };
        let wanted = self.signs[input] > 0.0 && is_per_channel(offset);
        let shape = offset.size();
        let held = Held { input, role: ParameterRole::Bias, tensor: offset, shape, transposed: false };
        if wanted { vec![held] } else { Vec::new() }
    }
}

/// Whether a constant has an entry for each channel: along one axis, and in floats. A single number belongs to a function.
fn is_per_channel(constant: &Tensor) -> bool {
    let size = constant.size();
    size.iter().filter(|&&n| n > 1).count() == 1 && matches!(constant.kind(), Kind::Float | Kind::Double)
}

/// Add, Sub and Sum.
pub fn sum(b: &mut Builder<'_>) -> Build {
    let shapes = (0..b.inputs()).map(|i| b.shape(i)).collect::<Result<Vec<_>, _>>()?;
    let shape = broadcast_shape(&shapes).ok_or_else(|| b.invalid("its inputs' shapes do not broadcast"))?;
    let binary = matches!(b.operator, "Add" | "Sub");
    let operands = if binary { Operands::pair(b)? } else { Operands::read(b)? };
    let signs: Vec<f64> = (0..operands.len()).map(|i| if b.operator == "Sub" && i == 1 { -1.0 } else { 1.0 }).collect();
    let mut offset: Option<Tensor> = None;
    for (operand, &sign) in operands.operands.iter().zip(&signs) {
        if let Operand::Constant(constant) = operand {
            let term = if sign < 0.0 { constant.f_neg()? } else { constant.shallow_clone() };
            offset = Some(match offset {
                Some(sum) => sum.f_add(&term)?,
                None => term,
            });
        }
    }
    built(Operator::Linear(Box::new(SignedSum { operands, signs, offset, shape })))
}

/// Whether x keeps its size and kind when `constant` is broadcast against it.
fn keeps(x: &Tensor, constant: &Tensor) -> bool {
    let (size, other) = (x.size(), constant.size());
    let fits = size.iter().rev().zip(other.iter().rev()).all(|(n, m)| *m == 1 || m == n);
    fits && other.len() < size.len() && x.kind() == constant.kind()
}

/// x times (or over) a constant.
#[derive(Debug)]
struct Scaling {
    factor: Tensor,
    /// Which of the node's inputs the factor is.
    input: usize,
    rank: usize,
    wanted: usize,
}

impl Linear for Scaling {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![with_rank(x[0], self.rank, self.wanted)?.f_mul(&self.factor)?])
    }

    fn parameters(&mut self) -> Vec<Held<'_>> {
        if !is_per_channel(&self.factor) {
            return Vec::new();
        }
        let shape = self.factor.size();
        let role = ParameterRole::Factor;
        vec![Held { input: self.input, role, tensor: &mut self.factor, shape, transposed: false }]
    }

    fn apply_onto(&self, first: &mut Tensor, _: &[&Tensor]) -> Torch<bool> {
        let fits = self.rank == self.wanted && keeps(first, &self.factor);
        if fits {
            let _ = first.f_mul_(&self.factor)?;
        }
        Ok(fits)
    }

    fn constants(&self) -> Vec<&Tensor> {
        vec![&self.factor]
    }

    fn is_fresh(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct Product(Operands);

impl Differentiable for Product {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![self.0.at(0, x)?.f_mul(&self.0.at(1, x)?)?])
    }

    fn tangent(&self, at: &Point<'_>) -> Torch<Vec<Tensor>> {
        let (a, b) = (self.0.at(0, at.x)?, self.0.at(1, at.x)?);
        let (da, db) = (self.0.tangent(0, at.dx)?, self.0.tangent(1, at.dx)?);
        let left = da.map(|da| da.f_mul(&b)).transpose()?;
        let right = db.map(|db| db.f_mul(&a)).transpose()?;
        Ok(vec![spread(&added(left, right)?, &at.y[0])?])
    }

    fn value_and_jvp(&self, x: &[&Tensor], dx: &[Option<Tensor>]) -> Torch<Option<Vec<Tensor>>> {
        let (a, b) = (self.0.at(0, x)?, self.0.at(1, x)?);
        let (da, db) = (self.0.tangent(0, dx)?, self.0.tangent(1, dx)?);
        let Some(tangents) = da.as_ref().or(db.as_ref()).map(|moved| moved.size()[0]) else { return Ok(None) };
        let Some(size) = broadcast_shape(&[a.size(), b.size()]) else { return Ok(None) };
        // A constant operand has no stack axis, and integers no tangents.
        if a.dim() != size.len() || a.kind() != b.kind() {
            return Ok(None);
        }
        let like = if a.size() == size { &a } else { &b };
        let Stack { whole, y, mut dy } = Stack::new(&size, tangents, like)?;
        let _ = a.f_mul_out(&y, &b)?;
        match (da, db) {
            (Some(da), Some(db)) => {
                let _ = da.f_mul_out(&dy, &b)?;
                let _ = dy.f_addcmul_(&db, &a)?;
            }
            (Some(da), None) => drop(da.f_mul_out(&dy, &b)?),
            (None, Some(db)) => drop(db.f_mul_out(&dy, &a)?),
            (None, None) => {}
        }
        Ok(Some(vec![whole]))
    }
}

fn added(left: Option<Tensor>, right: Option<Tensor>) -> Torch<Tensor> {
    match (left, right) {
        (Some(left), Some(right)) => left.f_add(&right),
        (Some(one), None) | (None, Some(one)) => Ok(one),
        (None, None) => Err(tch::TchError::Torch("a tangent was asked for, and no input moves".into())),
    }
}

/// Mul.
pub fn mul(b: &mut Builder<'_>) -> Build {
    let operands = Operands::pair(b)?;
    match &operands.operands[..] {
        [Operand::Varying(_), Operand::Constant(factor)] => scaling(&operands, 0, factor.shallow_clone()),
        [Operand::Constant(factor), Operand::Varying(_)] => scaling(&operands, 1, factor.shallow_clone()),
        [_, _] => built(Operator::Differentiable(Box::new(Product(operands)))),
        _ => Err(b.invalid("it needs two inputs")),
    }
}

fn scaling(operands: &Operands, varying: usize, factor: Tensor) -> Build {
    let rank = operands.ranks[varying];
    let input = 1 - varying;
    built(Operator::Linear(Box::new(Scaling { factor, input, rank, wanted: operands.rank })))
}

#[derive(Debug)]
struct Quotient(Operands);

impl Differentiable for Quotient {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let (a, b) = (self.0.at(0, x)?, self.0.at(1, x)?);
        // ONNX divides integers towards zero.
        Ok(vec![if is_integer(a.kind()) && is_integer(b.kind()) {
            a.f_div_tensor_mode(&b, "trunc")?
        } else {
            a.f_div(&b)?
        }])
    }

    fn tangent(&self, at: &Point<'_>) -> Torch<Vec<Tensor>> {
        let b = self.0.at(1, at.x)?;
        let (da, db) = (self.0.tangent(0, at.dx)?, self.0.tangent(1, at.dx)?);
        let left = da.map(|da| da.f_div(&b)).transpose()?;
        let slope = at.y[0].f_div(&b)?.f_neg()?;
        let right = db.map(|db| db.f_mul(&slope)).transpose()?;
        Ok(vec![spread(&added(left, right)?, &at.y[0])?])
    }
}

/// Div.
pub fn div(b: &mut Builder<'_>) -> Build {
    let operands = Operands::pair(b)?;
    match &operands.operands[..] {
        [Operand::Varying(_), Operand::Constant(divisor)] => {
            // Divided, not multiplied by a rounded reciprocal: the value is then libtorch's own.
            let divisor = divisor.shallow_clone();
            let (rank, wanted) = (operands.ranks[0], operands.rank);
            built(Operator::Linear(Box::new(Division { divisor, rank, wanted })))
        }
        [_, _] => built(Operator::Differentiable(Box::new(Quotient(operands)))),
        _ => Err(b.invalid("it needs two inputs")),
    }
}

#[derive(Debug)]
struct Division {
    divisor: Tensor,
    rank: usize,
    wanted: usize,
}

impl Linear for Division {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![with_rank(x[0], self.rank, self.wanted)?.f_div(&self.divisor)?])
    }

    fn apply_onto(&self, first: &mut Tensor, _: &[&Tensor]) -> Torch<bool> {
        let fits = self.rank == self.wanted && keeps(first, &self.divisor);
        if fits {
            let _ = first.f_div_(&self.divisor)?;
        }
        Ok(fits)
    }

    fn constants(&self) -> Vec<&Tensor> {
        vec![&self.divisor]
    }

    fn is_fresh(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct Negation;

impl Linear for Negation {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![x[0].f_neg()?])
    }

    fn is_fresh(&self) -> bool {
        true
    }
}

/// Neg.
pub fn neg(b: &mut Builder<'_>) -> Build {
    b.varying_input(0)?;
    built(Operator::Linear(Box::new(Negation)))
}

/// x^p with an exponent per entry, constant.
#[derive(Debug)]
struct TensorPower(Operands);

impl Forward for TensorPower {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let base = self.0.at(0, x)?;
        Ok(vec![base.f_pow(&self.0.at(1, x)?)?.f_to_kind(base.kind())?])
    }
}

/// Pow.
pub fn pow(b: &mut Builder<'_>) -> Build {
    let operands = Operands::pair(b)?;
    if let [Operand::Varying(_), Operand::Constant(exponent)] = &operands.operands[..]
        && exponent.numel() == 1
        && exponent.dim() <= operands.ranks[0]
    {
        let p = exponent.f_to_kind(Kind::Double)?.f_reshape([-1])?.f_double_value(&[0])?;
        return built(Operator::Elementwise(Box::new(Function::Power(p))));
    }
    built(Operator::Automatic(Box::new(TensorPower(operands))))
}

/// The largest or smallest operand of each entry.
#[derive(Debug)]
struct Extremum {
    operands: Operands,
    largest: bool,
}

impl Differentiable for Extremum {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let mut best = self.operands.at(0, x)?;
        for i in 1..self.operands.len() {
            let next = self.operands.at(i, x)?;
            best = if self.largest { best.f_maximum(&next)? } else { best.f_minimum(&next)? };
        }
        Ok(vec![if self.operands.len() == 1 { best.copy() } else { best }])
    }

    fn tangent(&self, at: &Point<'_>) -> Torch<Vec<Tensor>> {
        // Operands that tie share the tangent equally, pairwise from the left, as libtorch has it.
        let (mut best, mut moved) = (self.operands.at(0, at.x)?, self.operands.tangent(0, at.dx)?);
        for i in 1..self.operands.len() {
            let (next, dnext) = (self.operands.at(i, at.x)?, self.operands.tangent(i, at.dx)?);
            let wins = if self.largest { best.f_gt_tensor(&next)? } else { best.f_lt_tensor(&next)? };
            let ties = best.f_eq_tensor(&next)?;
            // Chosen, not multiplied: the tangent of an operand that loses may be infinite.
            moved = match (moved, dnext) {
                (None, None) => None,
                (left, right) => {
                    let nothing = Tensor::f_zeros([1], (next.kind(), next.device()))?;
                    let left = left.unwrap_or_else(|| nothing.shallow_clone());
                    let right = right.unwrap_or(nothing);
                    let both = left.f_mul_scalar(0.5)?.f_add(&right.f_mul_scalar(0.5)?)?;
                    Some(left.f_where_self(&wins, &both.f_where_self(&ties, &right)?)?)
                }
            };
            best = if self.largest { best.f_maximum(&next)? } else { best.f_minimum(&next)? };
        }
        let moved = moved.ok_or_else(|| tch::TchError::Torch("no operand moves".into()))?;
        Ok(vec![spread(&moved, &at.y[0])?])
    }
}

/// Max and Min.
pub fn extremum(b: &mut Builder<'_>) -> Build {
    let largest = b.operator == "Max";
    let operands = Operands::read(b)?;
    built(Operator::Differentiable(Box::new(Extremum { operands, largest })))
}

#[derive(Debug)]
struct Remainder {
    operands: Operands,
    truncated: bool,
}

impl Forward for Remainder {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let (a, b) = (self.operands.at(0, x)?, self.operands.at(1, x)?);
        Ok(vec![if self.truncated { a.f_fmod_tensor(&b)? } else { a.f_remainder_tensor(&b)? }])
    }
}

/// Mod: the sign of the divisor, or with fmod = 1 of the dividend.
pub fn modulo(b: &mut Builder<'_>) -> Build {
    let truncated = b.int("fmod")?.unwrap_or(0) != 0;
    let operands = Operands::pair(b)?;
    built(Operator::Automatic(Box::new(Remainder { operands, truncated })))
}

/// Mean of several operands.
pub fn mean(b: &mut Builder<'_>) -> Build {
    let count = b.inputs() as f64;
    let Built { operator, .. } = sum(b)?;
    match operator {
        Operator::Linear(sum) => {
            let factor = 1.0 / count;
            let offset = sum.offset().map(|offset| offset.f_mul_scalar(factor)).transpose()?;
            built(Operator::Linear(Box::new(ScaledSum { sum, factor, offset })))
        }
        other => built(other),
    }
}

#[derive(Debug)]
struct ScaledSum {
    sum: Box<dyn Linear>,
    factor: f64,
    offset: Option<Tensor>,
}

impl Linear for ScaledSum {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        self.sum.apply(x)?.into_iter().map(|y| y.f_mul_scalar(self.factor)).collect()
    }

    fn offset(&self) -> Option<&Tensor> {
        self.offset.as_ref()
    }

    fn is_fresh(&self) -> bool {
        true
    }
}
