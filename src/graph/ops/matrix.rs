//! MatMul, Gemm and Einsum.

use tch::{TchError, Tensor};

use crate::graph::builder::{Build, Builder, Built, Operand};
use crate::graph::layout::Flow;
use crate::graph::operator::{
    AttentionPart, Differentiable, Forward, Linear, Operator, Pattern, Point, Torch, with_rank,
};
use crate::graph::parameter::{Held, ParameterRole};

fn built(operator: Operator, flow: Flow) -> Build {
    Ok(Built { operator, flow })
}

/// How the operands of a matrix product are seen.
#[derive(Clone, Copy, Debug)]
struct Sides {
    ranks: [usize; 2],
    /// The axes after the stack axis of the product: those of the larger operand, two at least.
    wanted: usize,
    transposed: [bool; 2],
    /// Whether the first axis of a stack stands where the rows belong.
    rows_first: [bool; 2],
    factor: f64,
}

impl Sides {
    /// Whether the product is one of the operands as they are.
    fn is_plain(&self) -> bool {
        self.transposed == [false; 2] && self.rows_first == [false; 2] && self.factor == 1.0
    }

    /// Operand `side` of [`ranks`](Self::ranks) with all axes of the product; a vector becomes a row on the left and a
    /// column on the right.
    fn view(&self, x: &Tensor, side: usize) -> Torch<Tensor> {
        let x = if self.ranks[side] == 1 { x.f_unsqueeze(if side == 0 { -2 } else { -1 })? } else { x.shallow_clone() };
        let x = if self.rows_first[side] { x.f_movedim_int(-(self.ranks[side] as i64), -2)? } else { x };
        let x = if self.transposed[side] { x.f_transpose(-1, -2)? } else { x };
        with_rank(&x, self.ranks[side].max(2), self.wanted)
    }

    /// A product without the axes that vectors were given.
    fn result(&self, product: Tensor) -> Torch<Tensor> {
        let product = if self.factor == 1.0 { product } else { product.f_mul_scalar(self.factor)? };
        match self.ranks.map(|rank| rank == 1) {
            [false, false] => Ok(product),
            [true, false] => product.f_squeeze_dim(-2),
            [false, true] => product.f_squeeze_dim(-1),
            [true, true] => product.f_squeeze_dim(-1)?.f_squeeze_dim(-1),
        }
    }
}

/// One side of a matrix product is constant.
#[derive(Debug)]
struct MatrixMap {
    sides: Sides,
    /// As [`Sides::view`] has it.
    constant: Tensor,
    /// The side that varies.
    side: usize,
}

impl Linear for MatrixMap {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let x = self.sides.view(x[0], self.side)?;
        let product = if self.side == 0 { x.f_matmul(&self.constant)? } else { self.constant.f_matmul(&x)? };
        Ok(vec![self.sides.result(product)?])
    }

    fn is_fresh(&self) -> bool {
        true
    }

    fn parameters(&mut self) -> Vec<Held<'_>> {
        let input = 1 - self.side;
        // Stacks of matrices are no layer's weights.
        if self.sides.ranks[input] != 2 || !self.sides.is_plain() {
            return Vec::new();
        }
        let size = self.constant.size();
        let shape = size[size.len() - 2..].to_vec();
        let role = ParameterRole::Weight { outputs: input };
        vec![Held { input, role, tensor: &mut self.constant, shape, transposed: false }]
    }

    fn pattern(&self) -> Pattern<'_> {
        let s = &self.sides;
        let size = self.constant.size();
        if s.ranks[1 - self.side] != 2 || s.ranks[self.side] < 2 || !s.is_plain() {
            return Pattern::Any;
        }
        let constant = self.constant.f_view(&size[size.len() - 2..]);
        let matrix = match self.side {
            0 => constant.and_then(|constant| constant.f_transpose(0, 1)).map(|matrix| (-1, matrix)),
            _ => constant.map(|matrix| (-2, matrix)),
        };
        matrix.map_or(Pattern::Any, |(axis, matrix)| Pattern::Matrix { axis, matrix })
    }
}

/// Both sides vary.
#[derive(Debug)]
struct MatrixProduct {
    sides: Sides,
}

impl Differentiable for MatrixProduct {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        // A matrix times itself is one varying input seen twice.
        let (a, b) = (self.sides.view(x[0], 0)?, self.sides.view(x[x.len() - 1], 1)?);
        Ok(vec![self.sides.result(a.f_matmul(&b)?)?])
    }

    fn tangent(&self, at: &Point<'_>) -> Torch<Vec<Tensor>> {
        let last = at.x.len() - 1;
        let (a, b) = (self.sides.view(at.x[0], 0)?, self.sides.view(at.x[last], 1)?);
        let left = at.dx[0].as_ref().map(|da| self.sides.view(da, 0)?.f_matmul(&b)).transpose()?;
        let right = at.dx[last].as_ref().map(|db| a.f_matmul(&self.sides.view(db, 1)?)).transpose()?;
        let product = match (left, right) {
            (Some(left), Some(right)) => left.f_add(&right)?,
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => return Err(TchError::Torch("a tangent was asked for, and no input moves".into())),
        };
        Ok(vec![self.sides.result(product)?])
    }

    fn attention_part(&self) -> Option<AttentionPart> {
        let s = &self.sides;
        let plain = s.ranks[0] == s.ranks[1] && s.ranks[0] >= 3 && s.is_plain();
        plain.then_some(AttentionPart::Product)
    }
}

/// MatMul: as NumPy's matmul. FusedMatMul: with transposed operands and a factor.
pub fn matmul(b: &mut Builder<'_>) -> Build {
    let mut shapes = [b.shape(0)?, b.shape(1)?];
    let (mut transposed, mut rows_first, mut factor) = ([false; 2], [false; 2], 1.0);
    if matches!(b.operator, "FusedMatMul" | "TransposeMatMul") {
        transposed = [b.int("transA")?.unwrap_or(0) != 0, b.int("transB")?.unwrap_or(0) != 0];
        factor = b.float("alpha")?.unwrap_or(1.0);
        rows_first = [b.int("transBatchA")?.unwrap_or(0) != 0, b.int("transBatchB")?.unwrap_or(0) != 0];
        for (shape, rows_first) in shapes.iter_mut().zip(&mut rows_first) {
            *rows_first &= shape.len() > 2;
            if *rows_first {
                let place = shape.len() - 1;
                shape[..place].rotate_left(1);
            }
        }
    }
    let ranks = [shapes[0].len(), shapes[1].len()];
    let sides = Sides { ranks, wanted: ranks[0].max(ranks[1]).max(2), transposed, rows_first, factor };
    // Rows and columns of each operand as the product sees them.
    let matrix = |side: usize| match (&shapes[side][..], side) {
        ([], _) => None,
        ([n], 0) => Some([1, *n]),
        ([n], _) => Some([*n, 1]),
        ([.., rows, columns], _) if transposed[side] => Some([*columns, *rows]),
        ([.., rows, columns], _) => Some([*rows, *columns]),
    };
    let (Some([rows, inner]), Some([other, columns])) = (matrix(0), matrix(1)) else {
        return Err(b.invalid("one of its operands is a single number"));
    };
    let stacked = |side: usize| shapes[side][..ranks[side].saturating_sub(2)].to_vec();
    let mut out = super::arithmetic::broadcast_shape(&[stacked(0), stacked(1)])
        .filter(|_| inner == other)
        .ok_or_else(|| b.invalid("the inner sizes, or the stacks, of its operands do not fit each other"))?;
    out.extend([rows, columns]);
    b.check_size(&out)?;
    // Positions are followed through plain products of matrices.
    let plain = |side: usize| ranks[side] >= 2 && !transposed[side] && !rows_first[side];
    let flow = |sides: &[usize], flow: Flow| if sides.iter().all(|&side| plain(side)) { flow } else { Flow::Unknown };
    match (b.operand(0)?, b.operand(1)?) {
        (Operand::Varying(_), Operand::Constant(constant)) => {
            let op = MatrixMap { constant: sides.view(&constant, 1)?, side: 0, sides };
            built(Operator::Linear(Box::new(op)), flow(&[0], Flow::Mixed { axis: -1 }))
        }
        (Operand::Constant(constant), Operand::Varying(_)) => {
            let op = MatrixMap { constant: sides.view(&constant, 0)?, side: 1, sides };
            built(Operator::Linear(Box::new(op)), flow(&[1], Flow::Mixed { axis: -2 }))
        }
        _ => built(Operator::Differentiable(Box::new(MatrixProduct { sides })), flow(&[0, 1], Flow::Product)),
    }
}

/// y = α·x'·W + β·c with x' = x or xᵀ.
#[derive(Debug)]
struct Dense {
    weight: Tensor,
    transposed: bool,
    offset: Option<Tensor>,
    /// Whether the file has the weight transposed.
    stored_transposed: bool,
    /// α and β.
    factors: [f64; 2],
}

impl Linear for Dense {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let x = if self.transposed { x[0].f_transpose(-1, -2)? } else { x[0].shallow_clone() };
        Ok(vec![x.f_matmul(&self.weight)?])
    }

    fn parameters(&mut self) -> Vec<Held<'_>> {
        let mut found = Vec::new();
        if self.factors[0] == 1.0 {
            let transposed = self.stored_transposed;
            let mut shape = self.weight.size();
            if transposed {
                shape.reverse();
            }
            let role = ParameterRole::Weight { outputs: if transposed { 0 } else { 1 } };
            found.push(Held { input: 1, role, tensor: &mut self.weight, shape, transposed });
        }
        if let Some(offset) = self.offset.as_mut().filter(|_| self.factors[1] == 1.0) {
            let shape = offset.size();
            found.push(Held { input: 2, role: ParameterRole::Bias, tensor: offset, shape, transposed: false });
        }
        found
    }

    fn offset(&self) -> Option<&Tensor> {
        self.offset.as_ref()
    }

    fn is_fresh(&self) -> bool {
        true
    }
}

/// x·W + c along the last axis, then a transposition.
#[derive(Debug)]
struct Affine {
    weight: Tensor,
    /// The bias as it broadcasts against the output.
    offset: Tensor,
    /// The order of the axes after the stack axis; none where they stay.
    axes: Option<Vec<i64>>,
}

impl Affine {
    fn transposed_output(&self, y: Tensor) -> Torch<Tensor> {
        let Some(axes) = &self.axes else { return Ok(y) };
        let lead = (y.dim() - axes.len()) as i64;
        let order: Vec<i64> = (0..lead).chain(axes.iter().map(|a| a + lead)).collect();
        y.f_permute(order)
    }
}

impl Linear for Affine {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        // The bias is added in place after it: one call for both is slower, as it first writes the bias everywhere.
        Ok(vec![self.transposed_output(x[0].f_matmul(&self.weight)?)?])
    }

    fn offset(&self) -> Option<&Tensor> {
        Some(&self.offset)
    }

    fn is_fresh(&self) -> bool {
        true
    }
}

/// The operator x·W + c along the last axis, for W of shape `[inputs, outputs]` and c of shape `[outputs]`; then, with
/// `axes`, the axes after the stack axis in that order.
///
/// # Errors
/// When sizes do not fit.
pub fn affine(weight: &Tensor, bias: &Tensor, axes: Option<Vec<i64>>) -> Torch<Operator> {
    let offset = match &axes {
        Some(axes) => {
            let last = axes.len() as i64 - 1;
            let shape: Vec<i64> = axes.iter().map(|&a| if a == last { bias.size()[0] } else { 1 }).collect();
            bias.f_view(shape.as_slice())?
        }
        None => bias.shallow_clone(),
    };
    Ok(Operator::Linear(Box::new(Affine { weight: weight.shallow_clone(), offset, axes })))
}

/// α·A'·B' + β·C where more than A varies.
#[derive(Debug)]
struct GeneralProduct {
    operands: [Option<Operand>; 3],
    ranks: [usize; 3],
    transposed: [bool; 2],
    factors: [f64; 2],
}

impl Forward for GeneralProduct {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let matrix = |i: usize| -> Torch<Tensor> {
            let operand = self.operands[i].as_ref().ok_or_else(|| TchError::Torch("Gemm lacks a matrix".into()))?;
            let matrix = operand.at(x, 2, 2)?;
            if self.transposed[i] { matrix.f_transpose(-1, -2) } else { Ok(matrix) }
        };
        let product = matrix(0)?.f_matmul(&matrix(1)?)?.f_mul_scalar(self.factors[0])?;
        Ok(vec![match &self.operands[2] {
            None => product,
            Some(c) => product.f_add(&c.at(x, self.ranks[2], 2)?.f_mul_scalar(self.factors[1])?)?,
        }])
    }
}

/// Gemm.
pub fn gemm(b: &mut Builder<'_>) -> Build {
    let factors = [b.float("alpha")?.unwrap_or(1.0), b.float("beta")?.unwrap_or(1.0)];
    let transposed = [b.int("transA")?.unwrap_or(0) != 0, b.int("transB")?.unwrap_or(0) != 0];
    let (left, right) = (b.shape(0)?, b.shape(1)?);
    let ([a0, a1], [b0, b1]) = (&left[..], &right[..]) else {
        return Err(b.invalid("its operands are not matrices"));
    };
    let (rows, inner) = if transposed[0] { (*a1, *a0) } else { (*a0, *a1) };
    let (other, columns) = if transposed[1] { (*b1, *b0) } else { (*b0, *b1) };
    if inner != other {
        return Err(b.invalid("the inner sizes of its operands differ"));
    }
    let out = vec![rows, columns];
    if b.has(2) && super::arithmetic::broadcast_shape(&[b.shape(2)?, out.clone()]) != Some(out.clone()) {
        return Err(b.invalid(format!("its bias has the shape {:?}", b.shape(2)?)));
    }
    b.check_size(&out)?;
    let bias = if b.has(2) { Some(b.operand(2)?) } else { None };
    let bias_rank = if b.has(2) { b.shape(2)?.len() } else { 0 };
    // Numbered anew: the operator sees its varying inputs in the order in which they were asked for.
    let (a, w) = (b.operand(0)?, b.operand(1)?);
    match (a, w, bias) {
        (Operand::Varying(0), Operand::Constant(weight), None | Some(Operand::Constant(_))) => {
            let weight = if transposed[1] { weight.f_transpose(0, 1)? } else { weight };
            let weight = if factors[0] == 1.0 { weight } else { weight.f_mul_scalar(factors[0])? };
            let offset = if b.has(2) { Some(b.parameter(2, "bias")?) } else { None };
            let offset =
                offset.map(|c| if factors[1] == 1.0 { Ok(c) } else { c.f_mul_scalar(factors[1]) }).transpose()?;
            let flow = if transposed[0] { Flow::Unknown } else { Flow::Mixed { axis: -1 } };
            let [transposed, stored_transposed] = transposed;
            let dense = Dense { weight, transposed, offset, stored_transposed, factors };
            built(Operator::Linear(Box::new(dense)), flow)
        }
        (a, w, bias) => {
            let op =
                GeneralProduct { operands: [Some(a), Some(w), bias], ranks: [2, 2, bias_rank], transposed, factors };
            built(Operator::Automatic(Box::new(op)), Flow::Unknown)
        }
    }
}

/// A sum over letters: Σ Π x_i.
#[derive(Debug)]
struct Contraction {
    operands: Vec<Operand>,
    terms: Vec<String>,
    output: String,
    /// A letter for the stack axis, and one for tangents.
    letters: [char; 2],
}

impl Contraction {
    /// The sum with operand `moved` replaced by its tangents; with none replaced, the value.
    fn sum(&self, x: &[&Tensor], moved: Option<(usize, &Tensor)>) -> Torch<Tensor> {
        let [stack, tangent] = self.letters;
        let mut terms = Vec::with_capacity(self.terms.len());
        let mut tensors = Vec::with_capacity(self.terms.len());
        for (i, (operand, term)) in self.operands.iter().zip(&self.terms).enumerate() {
            match (operand, moved) {
                (Operand::Varying(_), Some((place, dx))) if place == i => {
                    terms.push(format!("{tangent}{stack}{term}"));
                    tensors.push(dx.shallow_clone());
                }
                (Operand::Varying(place), _) => {
                    terms.push(format!("{stack}{term}"));
                    tensors.push(x[*place].shallow_clone());
                }
                (Operand::Constant(constant), _) => {
                    terms.push(term.clone());
                    tensors.push(constant.shallow_clone());
                }
            }
        }
        let lead = if moved.is_some() { format!("{tangent}{stack}") } else { stack.to_string() };
        let equation = format!("{}->{lead}{}", terms.join(","), self.output);
        Tensor::f_einsum(&equation, &tensors, None::<&[i64]>)
    }
}

impl Linear for Contraction {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![self.sum(x, None)?])
    }
}

impl Differentiable for Contraction {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        // einsum may return a view of a lone operand.
        Ok(vec![self.sum(x, None)?.copy()])
    }

    fn tangent(&self, at: &Point<'_>) -> Torch<Vec<Tensor>> {
        let mut total: Option<Tensor> = None;
        for (i, operand) in self.operands.iter().enumerate() {
            if let Operand::Varying(place) = operand
                && let Some(dx) = &at.dx[*place]
            {
                let term = self.sum(at.x, Some((i, dx)))?;
                total = Some(match total {
                    Some(sum) => sum.f_add(&term)?,
                    None => term,
                });
            }
        }
        Ok(vec![total.ok_or_else(|| TchError::Torch("a tangent was asked for, and no input moves".into()))?])
    }
}

/// Einsum: the stack axis becomes one more letter of every varying operand.
pub fn einsum(b: &mut Builder<'_>) -> Build {
    let written = b.string("equation")?.ok_or_else(|| b.invalid("it has no equation"))?;
    let equation: String = written.chars().filter(|c| !c.is_whitespace()).collect();
    let (inputs, output) = match equation.split_once("->") {
        Some((inputs, output)) => (inputs.to_owned(), output.to_owned()),
        None => (equation.clone(), implicit_output(&equation)),
    };
    let free: Vec<char> = ('A'..='Z').filter(|letter| !equation.contains(*letter)).take(2).collect();
    let &[stack, tangent] = &free[..] else {
        return Err(b.unsupported(format!("an equation of so many letters as '{written}'"), String::new()));
    };
    let terms: Vec<String> = inputs.split(',').map(str::to_owned).collect();
    if terms.len() != b.inputs() {
        return Err(b.invalid(format!("its equation '{written}' does not fit {} inputs", b.inputs())));
    }
    b.check_size(&contracted_shape(b, &terms, &output)?)?;
    let shapes = (0..terms.len()).map(|i| b.shape(i)).collect::<Result<Vec<_>, _>>()?;
    let operands = (0..terms.len()).map(|i| b.operand(i)).collect::<Result<Vec<_>, _>>()?;
    let flow = contraction_flow(&terms, &output, &shapes, &operands);
    let moving = operands.iter().filter(|operand| matches!(operand, Operand::Varying(_))).count();
    let op = Contraction { operands, terms, output, letters: [stack, tangent] };
    let operator = if moving == 1 { Operator::Linear(Box::new(op)) } else { Operator::Differentiable(Box::new(op)) };
    built(operator, flow)
}

/// Where the axes of the varying operands are in the output; lost where a letter stands twice in a term, or for several
/// axes.
fn contraction_flow(terms: &[String], output: &str, shapes: &[Vec<i64>], operands: &[Operand]) -> Flow {
    let repeats = |term: &str| {
        let term = term.replace("...", "");
        term.chars().enumerate().any(|(at, letter)| term.chars().skip(at + 1).any(|other| other == letter))
    };
    if output.contains("...") || terms.iter().any(|term| term.contains("...") || repeats(term)) {
        return Flow::Unknown;
    }
    // Operators see varying inputs in the order in which they were asked for, each once.
    let mut axes: Vec<Vec<Option<usize>>> = Vec::new();
    for ((term, shape), operand) in terms.iter().zip(shapes).zip(operands) {
        let Operand::Varying(place) = operand else { continue };
        if *place != axes.len() || term.len() != shape.len() {
            return Flow::Unknown;
        }
        axes.push(term.chars().map(|letter| output.find(letter)).collect());
    }
    Flow::Contracted { axes }
}

/// NumPy's rule for an equation without an arrow: the letters that come once, in order, after the ellipsis.
fn implicit_output(equation: &str) -> String {
    let mut letters: Vec<char> = equation.chars().filter(char::is_ascii_alphabetic).collect();
    letters.sort_unstable();
    let once = letters.iter().filter(|c| equation.matches(**c).count() == 1);
    let ellipsis = if equation.contains("...") { "..." } else { "" };
    format!("{ellipsis}{}", once.collect::<String>())
}

/// The shape of a contraction, the axes of an ellipsis as one.
fn contracted_shape(b: &Builder<'_>, terms: &[String], output: &str) -> Result<Vec<i64>, crate::graph::GraphError> {
    let mut sizes = std::collections::HashMap::new();
    for (i, term) in terms.iter().enumerate() {
        let shape = b.shape(i)?;
        let letters = term.replace("...", "").chars().count();
        let hidden = shape.len().checked_sub(letters).filter(|&n| n == 0 || term.contains("..."));
        let hidden = hidden.ok_or_else(|| b.invalid(format!("its term '{term}' does not fit {shape:?}")))?;
        let mut at = 0;
        for letter in term.replace("...", ".").chars() {
            let wide = if letter == '.' { hidden } else { 1 };
            let size: i64 = shape[at..at + wide].iter().product();
            let known = sizes.entry(letter).or_insert(size);
            if letter != '.' && *known != size && *known != 1 && size != 1 {
                return Err(b.invalid(format!("the letter {letter} of its equation has two sizes")));
            }
            *known = (*known).max(size);
            at += wide;
        }
    }
    let letters = output.replace("...", ".");
    Ok(letters.chars().map(|letter| sizes.get(&letter).copied().unwrap_or(1)).collect())
}

/// The determinants of a stack of matrices.
#[derive(Debug)]
struct Determinant;

impl Forward for Determinant {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![x[0].f_det()?])
    }
}

/// Det.
pub fn determinant(b: &mut Builder<'_>) -> Build {
    let shape = b.shape(0)?;
    if !matches!(shape[..], [.., rows, columns] if rows == columns) {
        return Err(b.invalid(format!("its input {shape:?} is no stack of square matrices")));
    }
    b.varying_input(0)?;
    built(Operator::Automatic(Box::new(Determinant)), Flow::Unknown)
}
