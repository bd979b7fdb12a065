//! One operator on values and their tangents.

use tch::{Kind, Tensor};

use super::forward_ad;
use super::kernels;
use super::operator::{Differentiable, Elementwise, Forward, Linear, Operator, Point, Torch};
use super::value::Value;

/// The outputs of an operator for values and tangents at once. `may_overwrite` says whether the first input's memory
/// may be used; where that saves a copy, the outputs have room for `room` tangents at least.
pub(super) fn apply(
    operator: &Operator,
    may_overwrite: bool,
    inputs: &[&Value],
    images: i64,
    room: i64,
) -> Torch<Vec<Value>> {
    let tangents = inputs.iter().map(|value| value.tangents).max().unwrap_or(0);
    if let Some(stack) = in_place(operator, may_overwrite, inputs, images, tangents)? {
        return Ok(vec![Value { stack, tangents }]);
    }
    if tangents == 0 {
        let stacks: Vec<&Tensor> = inputs.iter().map(|value| &value.stack).collect();
        return Ok(still(operator.forward(&stacks)?));
    }
    match operator {
        Operator::LocallyConstant(op) => {
            let x = primals(inputs, images)?;
            Ok(still(op.forward(&x.iter().collect::<Vec<_>>())?))
        }
        Operator::Linear(op) => {
            let outputs = linear(op.as_ref(), inputs, images, tangents)?;
            if let (Some(offset), Some(first)) = (op.offset(), outputs.first()) {
                let _ = first.primal(images)?.f_add_(offset)?;
            }
            Ok(outputs)
        }
        Operator::Elementwise(op) => {
            let input = inputs[0];
            let width = tangents.max(room);
            let stack = if width == tangents && may_overwrite {
                input.stack.shallow_clone()
            } else {
                input.room(images, width)?
            };
            let output = Value { stack, tangents: width };
            elementwise(op.as_ref(), input, &output, images, None)?;
            Ok(vec![output])
        }
        Operator::Activated(op) => {
            let outputs = linear(op.linear.as_ref(), inputs, images, tangents)?;
            for output in &outputs {
                elementwise(op.activation.as_ref(), output, output, images, op.linear.offset())?;
            }
            Ok(outputs)
        }
        Operator::Differentiable(op) => differentiable(op.as_ref(), inputs, images, tangents),
        Operator::Automatic(op) => automatic(op.as_ref(), inputs, images, tangents),
    }
}

/// Λx, without c.
fn linear(op: &dyn Linear, inputs: &[&Value], images: i64, tangents: i64) -> Torch<Vec<Value>> {
    let stacks = inputs.iter().map(|value| value.widened(images, tangents)).collect::<Torch<Vec<_>>>()?;
    let outputs = op.apply(&stacks.iter().collect::<Vec<_>>())?;
    Ok(outputs.into_iter().map(|stack| Value { stack, tangents }).collect())
}

/// σ(x + c) and σ'(x + c)·ẋ, written into `output`, which may be the input and may have more tangents.
fn elementwise(op: &dyn Elementwise, input: &Value, output: &Value, images: i64, offset: Option<&Tensor>) -> Torch<()> {
    let tangents = input.tangents;
    if let Some(activation) = op.fused_activation()
        && kernels::apply_jvp(activation, [&output.stack, &input.stack], [images, tangents], offset, |x| op.value(x))?
    {
        return Ok(());
    }
    let mut x = input.primal(images)?;
    if let Some(offset) = offset {
        let _ = x.f_add_(offset)?;
    }
    let y = op.value(&x)?;
    let slope = op.derivative(&x, &y)?;
    let same = Value { stack: output.stack.f_narrow(0, 0, images * (1 + tangents))?, tangents };
    if let (Some(dx), Some(dy)) = (input.tangent(images)?, same.tangent(images)?) {
        if slope.kind() == Kind::Bool {
            // A choice, not a product: what a clip holds back may be infinite.
            let nothing = Tensor::f_zeros([1], (dx.kind(), dx.device()))?;
            let _ = dx.f_where_self_out(&dy, &slope, &nothing)?;
        } else {
            let _ = dx.f_mul_out(&dy, &slope)?;
        }
    }
    output.primal(images)?.f_copy_(&y)?;
    Ok(())
}

/// By the operator's own rule.
fn differentiable(op: &dyn Differentiable, inputs: &[&Value], images: i64, tangents: i64) -> Torch<Vec<Value>> {
    let (x, dx) = (primals(inputs, images)?, moving(inputs, images, tangents)?);
    let x: Vec<&Tensor> = x.iter().collect();
    if let Some(stacks) = op.value_and_jvp(&x, &dx)? {
        return Ok(stacks.into_iter().map(|stack| Value { stack, tangents }).collect());
    }
    let y = op.forward(&x)?;
    let dy = op.tangent(&Point { x: &x, y: &y, dx: &dx })?;
    y.iter().zip(&dy).map(|(y, dy)| joined(y, dy)).collect()
}

/// By libtorch's forward-mode differentiation, tangent by tangent.
fn automatic(op: &dyn Forward, inputs: &[&Value], images: i64, tangents: i64) -> Torch<Vec<Value>> {
    let (x, dx) = (primals(inputs, images)?, moving(inputs, images, tangents)?);
    let x: Vec<&Tensor> = x.iter().collect();
    let mut stacks: Vec<Vec<Tensor>> = Vec::new();
    for t in 0..tangents {
        let now = dx.iter().map(|dx| dx.as_ref().map(|dx| dx.f_select(0, t)).transpose());
        let now = now.collect::<Torch<Vec<_>>>()?;
        let now: Vec<Option<&Tensor>> = now.iter().map(Option::as_ref).collect();
        let (y, dy) = forward_ad::jvp(|x| op.forward(x), &x, &now)?;
        if stacks.is_empty() {
            stacks = y.into_iter().map(|y| vec![y]).collect();
        }
        for (stack, dy) in stacks.iter_mut().zip(dy) {
            stack.push(dy);
        }
    }
    stacks.into_iter().map(|stack| Ok(Value { stack: Tensor::f_cat(&stack, 0)?, tangents })).collect()
}

/// A step in the memory of its first input, where nothing else reads that and the operator has a way to: linear ones,
/// and elementwise ones of values that do not move.
fn in_place(
    operator: &Operator,
    may_overwrite: bool,
    inputs: &[&Value],
    images: i64,
    tangents: i64,
) -> Torch<Option<Tensor>> {
    let Some((first, rest)) = inputs.split_first() else { return Ok(None) };
    if !may_overwrite || first.tangents != tangents {
        return Ok(None);
    }
    let op = match operator {
        Operator::Linear(op) => op,
        Operator::Elementwise(op) if tangents == 0 => {
            let mut stack = first.stack.shallow_clone();
            return Ok(op.value_onto(&mut stack)?.then_some(stack));
        }
        _ => return Ok(None),
    };
    let mut stack = first.stack.shallow_clone();
    let rest = rest.iter().map(|value| value.widened(images, tangents)).collect::<Torch<Vec<_>>>()?;
    if !op.apply_onto(&mut stack, &rest.iter().collect::<Vec<_>>())? {
        return Ok(None);
    }
    if let Some(offset) = op.offset() {
        let _ = stack.f_narrow(0, 0, images)?.f_add_(offset)?;
    }
    Ok(Some(stack))
}

/// Values that do not move.
fn still(outputs: Vec<Tensor>) -> Vec<Value> {
    outputs.into_iter().map(|stack| Value { stack, tangents: 0 }).collect()
}

fn primals(inputs: &[&Value], images: i64) -> Torch<Vec<Tensor>> {
    inputs.iter().map(|value| value.primal(images)).collect()
}

/// The tangents of the inputs that move, all of the same number.
fn moving(inputs: &[&Value], images: i64, tangents: i64) -> Torch<Vec<Option<Tensor>>> {
    let widened = |value: &&Value| match value.tangents {
        0 => Ok(None),
        _ => Value { stack: value.widened(images, tangents)?, tangents }.tangent(images),
    };
    inputs.iter().map(widened).collect()
}

fn joined(y: &Tensor, dy: &Tensor) -> Torch<Value> {
    Ok(Value { stack: Tensor::f_cat(&[y, &dy.f_flatten(0, 1)?], 0)?, tangents: dy.size()[0] })
}
