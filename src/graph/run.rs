//! Running a network: values and tangents side by side, in lanes.

use tch::{Kind, Tensor};

use super::error::{GraphError, first_line};
use super::forward_ad;
use super::network::{Network, Step};
use super::operator::{Operator, Point, Torch};

/// How many lanes a run has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lanes {
    /// Images.
    pub images: i64,
    /// Tangents of each image.
    pub tangents: i64,
}

impl Lanes {
    /// All lanes of a moving value.
    pub fn total(self) -> i64 {
        self.images * (1 + self.tangents)
    }
}

/// A value while the network runs.
#[derive(Debug)]
pub struct Value {
    /// `[lanes, shape…]`: first the images, then tangent by tangent the images' tangents.
    pub stack: Tensor,
    /// Whether it has tangents; without them only the images' lanes are there.
    pub moves: bool,
}

impl Value {
    /// The primals, `[images, shape…]`: a view.
    ///
    /// # Errors
    /// When libtorch refuses; so for the next.
    pub fn primal(&self, lanes: Lanes) -> Torch<Tensor> {
        self.stack.f_narrow(0, 0, lanes.images)
    }

    /// The tangents, `[tangents, images, shape…]`: a view; none where the value does not move.
    pub fn tangent(&self, lanes: Lanes) -> Torch<Option<Tensor>> {
        if !self.moves {
            return Ok(None);
        }
        let rest = self.stack.f_narrow(0, lanes.images, lanes.images * lanes.tangents)?;
        let mut size = vec![lanes.tangents, lanes.images];
        size.extend(&self.stack.size()[1..]);
        Ok(Some(rest.f_view(size.as_slice())?))
    }
}

/// The output of a run.
#[derive(Debug)]
pub struct Sweep {
    /// f(x), `[images, shape…]`.
    pub value: Tensor,
    /// Df\[ẋ\], `[tangents, images, shape…]`.
    pub tangent: Tensor,
}

impl Network {
    /// f(x) for `x` of shape `[images, input shape…]`.
    ///
    /// # Errors
    /// When an operator fails, which the message names.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, GraphError> {
        self.forward_observed(x, &mut |_, _| Ok(()))
    }

    /// As [`forward`](Self::forward); `observe` sees every value, by its place in [`values`](Self::values), as it is
    /// made.
    ///
    /// # Errors
    /// As `forward`, and whatever `observe` returns.
    pub fn forward_observed(
        &self,
        x: &Tensor,
        observe: &mut dyn FnMut(usize, &Value) -> Result<(), GraphError>,
    ) -> Result<Tensor, GraphError> {
        let lanes = Lanes { images: x.size()[0], tangents: 0 };
        let value = Value { stack: self.prepared(x)?, moves: false };
        Ok(self.run(value, lanes, observe)?.stack)
    }

    /// f(x) and Df\[ẋ\] for `x` of shape `[images, input shape…]` and `dx` of shape `[tangents, images, input shape…]`.
    ///
    /// # Errors
    /// When an operator fails, which the message names.
    pub fn sweep(&self, x: &Tensor, dx: &Tensor) -> Result<Sweep, GraphError> {
        self.sweep_observed(x, dx, &mut |_, _| Ok(()))
    }

    /// As [`sweep`](Self::sweep); `observe` sees every value, by its place in [`values`](Self::values), as it is made.
    ///
    /// # Errors
    /// As `sweep`, and whatever `observe` returns.
    pub fn sweep_observed(
        &self,
        x: &Tensor,
        dx: &Tensor,
        observe: &mut dyn FnMut(usize, &Value) -> Result<(), GraphError>,
    ) -> Result<Sweep, GraphError> {
        let lanes = Lanes { images: x.size()[0], tangents: dx.size()[0] };
        let stack = self.prepared(&Tensor::f_cat(&[x, &dx.f_flatten(0, 1)?], 0)?)?;
        let output = self.run(Value { stack, moves: true }, lanes, observe)?;
        let value = output.primal(lanes)?;
        let tangent = match output.tangent(lanes)? {
            Some(tangent) => tangent,
            None => {
                let mut size = vec![lanes.tangents, lanes.images];
                size.extend(&value.size()[1..]);
                Tensor::f_zeros(size, (value.kind(), value.device()))?
            }
        };
        Ok(Sweep { value, tangent })
    }

    /// The stack in channels-last memory, in which convolutions on a CPU run fastest.
    fn prepared(&self, stack: &Tensor) -> Torch<Tensor> {
        match stack.dim() {
            5 if self.kind == Kind::Float => {
                stack.f_permute([0, 1, 3, 4, 2])?.f_contiguous()?.f_permute([0, 1, 4, 2, 3])
            }
            _ => Ok(stack.shallow_clone()),
        }
    }

    fn run(
        &self,
        input: Value,
        lanes: Lanes,
        observe: &mut dyn FnMut(usize, &Value) -> Result<(), GraphError>,
    ) -> Result<Value, GraphError> {
        tch::no_grad(|| {
            observe(0, &input)?;
            let mut values: Vec<Option<Value>> = self.values.iter().map(|_| None).collect();
            values[0] = Some(input);
            for step in &self.steps {
                let inputs = step
                    .inputs
                    .iter()
                    .map(|&id| values[id].as_ref())
                    .collect::<Option<Vec<&Value>>>()
                    .ok_or_else(|| self.failed(step, "it reads a value that was freed"))?;
                let outputs = apply(step, &inputs, lanes).map_err(|error| self.failed(step, &first_line(&error)))?;
                for &id in &step.frees {
                    values[id] = None;
                }
                for (id, value) in step.outputs.iter().zip(outputs) {
                    if let Some(id) = id {
                        observe(*id, &value)?;
                        values[*id] = Some(value);
                    }
                }
            }
            values[self.output].take().ok_or_else(|| GraphError::Graph {
                path: self.path.display().to_string(),
                problem: "its output was not made".to_owned(),
            })
        })
    }

    fn failed(&self, step: &Step, problem: &str) -> GraphError {
        let shapes: Vec<String> = step.inputs.iter().map(|&id| format!("{:?}", self.values[id].shape)).collect();
        GraphError::Node {
            node: step.name.clone(),
            operator: step.op_type.clone(),
            shapes: shapes.join(", "),
            problem: format!("libtorch refuses it: {problem}"),
        }
    }
}

/// One step, for all lanes at once.
fn apply(step: &Step, inputs: &[&Value], lanes: Lanes) -> Torch<Vec<Value>> {
    let moves = inputs.iter().any(|value| value.moves);
    let still = |outputs: Vec<Tensor>| outputs.into_iter().map(|stack| Value { stack, moves: false }).collect();
    let primals = || inputs.iter().map(|value| value.primal(lanes)).collect::<Torch<Vec<_>>>();
    if !moves {
        let stacks: Vec<&Tensor> = inputs.iter().map(|value| &value.stack).collect();
        return Ok(still(step.operator.forward(&stacks)?));
    }
    match &step.operator {
        Operator::LocallyConstant(op) => {
            let x = primals()?;
            Ok(still(op.forward(&x.iter().collect::<Vec<_>>())?))
        }
        Operator::Linear(op) => {
            let stacks = inputs.iter().map(|value| with_tangents(value, lanes)).collect::<Torch<Vec<_>>>()?;
            let outputs = op.apply(&stacks.iter().collect::<Vec<_>>())?;
            if let (Some(offset), Some(first)) = (op.offset(), outputs.first()) {
                let _ = first.f_narrow(0, 0, lanes.images)?.f_add_(offset)?;
            }
            Ok(outputs.into_iter().map(|stack| Value { stack, moves: true }).collect())
        }
        Operator::Elementwise(op) => {
            let input = inputs[0];
            let x = input.primal(lanes)?;
            let y = op.value(&x)?;
            let slope = op.derivative(&x, &y)?;
            let output = Value {
                stack: if step.may_overwrite { input.stack.shallow_clone() } else { input.stack.f_empty_like()? },
                moves: true,
            };
            if let (Some(dx), Some(dy)) = (input.tangent(lanes)?, output.tangent(lanes)?) {
                let _ = dx.f_mul_out(&dy, &slope)?;
            }
            output.primal(lanes)?.f_copy_(&y)?;
            Ok(vec![output])
        }
        Operator::Differentiable(op) => {
            let (x, dx) = (primals()?, tangents(inputs, lanes)?);
            let x: Vec<&Tensor> = x.iter().collect();
            let y = op.forward(&x)?;
            let dy = op.tangent(&Point { x: &x, y: &y, dx: &dx })?;
            y.iter().zip(&dy).map(|(y, dy)| joined(y, dy)).collect()
        }
        Operator::Automatic(op) => {
            let (x, dx) = (primals()?, tangents(inputs, lanes)?);
            let x: Vec<&Tensor> = x.iter().collect();
            let mut stacks: Vec<Vec<Tensor>> = Vec::new();
            for t in 0..lanes.tangents {
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
            stacks.into_iter().map(|stack| Ok(Value { stack: Tensor::f_cat(&stack, 0)?, moves: true })).collect()
        }
    }
}

/// A value's stack with tangent lanes: zeros where it does not move.
fn with_tangents(value: &Value, lanes: Lanes) -> Torch<Tensor> {
    if value.moves {
        return Ok(value.stack.shallow_clone());
    }
    let mut size = value.stack.size();
    size[0] = lanes.images * lanes.tangents;
    let zeros = Tensor::f_zeros(size, (value.stack.kind(), value.stack.device()))?;
    Tensor::f_cat(&[&value.stack, &zeros], 0)
}

fn tangents(inputs: &[&Value], lanes: Lanes) -> Torch<Vec<Option<Tensor>>> {
    inputs.iter().map(|value| value.tangent(lanes)).collect()
}

fn joined(y: &Tensor, dy: &Tensor) -> Torch<Value> {
    Ok(Value { stack: Tensor::f_cat(&[y, &dy.f_flatten(0, 1)?], 0)?, moves: true })
}
