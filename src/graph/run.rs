//! Running a network: values and tangents side by side, in lanes.

use tch::{Kind, TchError, Tensor};

use super::caught::caught;
use super::error::GraphError;
use super::forward_ad;
use super::lanes;
use super::memory_order::MemoryOrder;
use super::network::{Network, Step, Task, Work};
use super::operator::{Operator, Point, Torch};
use super::plan;
use super::refusal;

/// A value while the network runs.
#[derive(Debug)]
pub struct Value {
    /// `[lanes, shape…]`: first the images, then tangent by tangent the images' tangents.
    pub stack: Tensor,
    /// How many tangents each image has; tangents that other values have beyond these are zero here.
    pub tangents: i64,
}

impl Value {
    /// The primals, `[images, shape…]`: a view.
    ///
    /// # Errors
    /// When libtorch refuses; so for the next.
    pub fn primal(&self, images: i64) -> Torch<Tensor> {
        self.stack.f_narrow(0, 0, images)
    }

    /// The tangents, `[tangents, images, shape…]`: a view; none where the value does not move.
    pub fn tangent(&self, images: i64) -> Torch<Option<Tensor>> {
        if self.tangents == 0 {
            return Ok(None);
        }
        let rest = self.stack.f_narrow(0, images, images * self.tangents)?;
        let mut size = vec![self.tangents, images];
        size.extend(&self.stack.size()[1..]);
        Ok(Some(rest.f_view(size.as_slice())?))
    }

    /// Tangents `from`, and `count` of them in all, as lanes `[count·images, shape…]`: a view.
    ///
    /// # Errors
    /// When there are not so many.
    pub fn lanes(&self, images: i64, from: i64, count: i64) -> Torch<Tensor> {
        self.stack.f_narrow(0, images * (1 + from), images * count)
    }

    /// The stack with lanes for `tangents` tangents: zeros where there were none.
    ///
    /// # Errors
    /// When libtorch cannot allocate it.
    pub fn widened(&self, images: i64, tangents: i64) -> Torch<Tensor> {
        if self.tangents >= tangents {
            return Ok(self.stack.shallow_clone());
        }
        let had = self.stack.size()[0];
        let wide = self.room(images, tangents)?;
        wide.f_narrow(0, 0, had)?.f_copy_(&self.stack)?;
        Ok(wide)
    }

    /// A stack like this one for `tangents` tangents: lanes that this one has are not filled, others are zero.
    fn room(&self, images: i64, tangents: i64) -> Torch<Tensor> {
        let (mut size, strides) = (self.stack.size(), self.stack.stride());
        let (had, lane) = (size[0], size[1..].iter().product::<i64>());
        size[0] = images * (1 + tangents);
        let options = (self.stack.kind(), self.stack.device());
        // Lanes in the order of memory that they have, channels last or not, where each lane lies in one piece.
        let wide = if strides[0] == lane && self.stack.numel() > 0 {
            Tensor::f_empty_strided(size.as_slice(), strides.as_slice(), options)?
        } else {
            Tensor::f_empty(size.as_slice(), options)?
        };
        if size[0] > had {
            let _ = wide.f_narrow(0, had, size[0] - had)?.f_zero_()?;
        }
        Ok(wide)
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
        let value = Value { stack: self.prepared(x)?, tangents: 0 };
        Ok(self.run(&self.tasks, value, x.size()[0], &mut Unwatched)?.stack)
    }

    /// As [`forward`](Self::forward), node by node; `observe` sees every value, by its place in
    /// [`values`](Self::values), as it is made.
    ///
    /// # Errors
    /// As `forward`, and whatever `observe` returns.
    pub fn forward_observed(
        &self,
        x: &Tensor,
        observe: &mut dyn FnMut(usize, &Value) -> Result<(), GraphError>,
    ) -> Result<Tensor, GraphError> {
        let value = Value { stack: self.prepared(x)?, tangents: 0 };
        Ok(self.run(&plan::plain(&self.steps), value, x.size()[0], &mut Values(observe))?.stack)
    }

    /// f(x) and Df\[ẋ\] for `x` of shape `[images, input shape…]` and `dx` of shape `[tangents, images, input shape…]`.
    ///
    /// # Errors
    /// When an operator fails, which the message names.
    pub fn sweep(&self, x: &Tensor, dx: &Tensor) -> Result<Sweep, GraphError> {
        self.sweep_by(&self.tasks, x, dx, &mut Unwatched)
    }

    /// As [`sweep`](Self::sweep), node by node; `observe` sees every value, by its place in [`values`](Self::values),
    /// as it is made.
    ///
    /// # Errors
    /// As `sweep`, and whatever `observe` returns.
    pub fn sweep_observed(
        &self,
        x: &Tensor,
        dx: &Tensor,
        observe: &mut dyn FnMut(usize, &Value) -> Result<(), GraphError>,
    ) -> Result<Sweep, GraphError> {
        self.sweep_by(&plan::plain(&self.steps), x, dx, &mut Values(observe))
    }

    /// A forward, or where tangents are given a sweep, as `forward` and `sweep` run it; `done` is called behind
    /// everything that a run does, with its operator: to find out where the time goes.
    ///
    /// # Errors
    /// As `sweep`.
    pub fn profile(&self, x: &Tensor, dx: Option<&Tensor>, done: &mut dyn FnMut(&str)) -> Result<(), GraphError> {
        match dx {
            Some(dx) => self.sweep_by(&self.tasks, x, dx, &mut Done(done)).map(drop),
            None => {
                let value = Value { stack: self.prepared(x)?, tangents: 0 };
                self.run(&self.tasks, value, x.size()[0], &mut Done(done)).map(drop)
            }
        }
    }

    /// As [`sweep`](Self::sweep), of values and tangents that are one stack already, `[images·(1 + tangents), input
    /// shape…]`, best in the network's [`memory_order`](Self::memory_order): another is copied.
    ///
    /// # Errors
    /// As `sweep`.
    pub fn sweep_stack(&self, input: &Value, images: i64) -> Result<Sweep, GraphError> {
        let input = Value { stack: self.prepared(&input.stack)?, tangents: input.tangents };
        self.swept(&self.tasks, input, images, &mut Unwatched)
    }

    fn sweep_by(&self, tasks: &[Task], x: &Tensor, dx: &Tensor, watch: &mut dyn Watch) -> Result<Sweep, GraphError> {
        let (images, tangents) = (x.size()[0], dx.size()[0]);
        self.swept(tasks, Value { stack: self.joined(x, dx)?, tangents }, images, watch)
    }

    fn swept(&self, tasks: &[Task], input: Value, images: i64, watch: &mut dyn Watch) -> Result<Sweep, GraphError> {
        let tangents = input.tangents;
        let output = self.run(tasks, input, images, watch)?;
        let value = output.primal(images)?;
        let tangent = match output.tangent(images)? {
            Some(tangent) => tangent,
            None => {
                let mut size = vec![tangents, images];
                size.extend(&value.size()[1..]);
                Tensor::f_zeros(size, (value.kind(), value.device()))?
            }
        };
        Ok(Sweep { value, tangent })
    }

    /// Values and tangents as one stack, as [`prepared`](Self::prepared) has it, in one copy.
    fn joined(&self, x: &Tensor, dx: &Tensor) -> Torch<Tensor> {
        let (images, tangents) = (x.size()[0], dx.size()[0]);
        let behind = |x: &Tensor| x.f_permute([0, 1, 3, 4, 2]);
        if x.dim() != 5 || self.order != MemoryOrder::ChannelsLast {
            return self.prepared(&Tensor::f_cat(&[x, &dx.f_flatten(0, 1)?], 0)?);
        }
        let mut size = behind(x)?.size();
        size[0] = images * (1 + tangents);
        let stack = Tensor::f_empty(size, (x.kind(), x.device()))?;
        stack.f_narrow(0, 0, images)?.f_copy_(&behind(x)?)?;
        stack.f_narrow(0, images, images * tangents)?.f_copy_(&behind(&dx.f_flatten(0, 1)?)?)?;
        stack.f_permute([0, 1, 4, 2, 3])
    }

    /// The stack in the network's order of memory.
    pub(crate) fn prepared(&self, stack: &Tensor) -> Torch<Tensor> {
        if stack.dim() == 5 { self.order.arranged(stack) } else { Ok(stack.shallow_clone()) }
    }

    fn run(&self, tasks: &[Task], input: Value, images: i64, watch: &mut dyn Watch) -> Result<Value, GraphError> {
        tch::no_grad(|| {
            watch.value(0, &input)?;
            let mut values: Vec<Option<Value>> = self.values.iter().map(|_| None).collect();
            // What is to be added to a value's primals yet.
            let mut owed: Vec<Option<Tensor>> = self.values.iter().map(|_| None).collect();
            values[0] = Some(input);
            for task in tasks {
                let (name, op_type, operator) = self.work(task);
                let failed = |problem: &str| self.failed(name, op_type, &task.inputs, problem);
                let inputs = task.inputs.iter().map(|&id| values[id].as_ref()).collect::<Option<Vec<&Value>>>();
                let inputs = inputs.ok_or_else(|| failed("it reads a value that was freed"))?;
                let refused = |error| self.refused(name, op_type, &task.inputs, &error);
                let mut debt = Debt { may_owe: task.may_owe, owed: None };
                debt.owed = task.inputs.first().and_then(|&id| owed[id].take());
                let outputs = caught(|| apply(operator, task.may_overwrite, &inputs, images, 0, &mut debt));
                let outputs = outputs.map_err(refused)?;
                match (debt.owed, &task.outputs[..]) {
                    (None, _) => {}
                    (offset, &[Some(id)]) if task.may_owe => owed[id] = offset,
                    _ => return Err(failed("it was left an offset that it does not add")),
                }
                for &id in &task.frees {
                    values[id] = None;
                }
                for (id, value) in task.outputs.iter().zip(outputs) {
                    if let Some(id) = id {
                        watch.value(*id, &value)?;
                        values[*id] = Some(value);
                    }
                }
                watch.done(op_type);
            }
            values[self.output].take().ok_or_else(|| GraphError::Graph {
                path: self.path.display().to_string(),
                problem: "its output was not made".to_owned(),
            })
        })
    }

    /// A task's name, operator in words, and operator.
    fn work<'a>(&'a self, task: &'a Task) -> (&'a str, &'a str, &'a Operator) {
        let operator = task.operator(&self.steps);
        match &task.work {
            Work::Node(at) => (&self.steps[*at].name, &self.steps[*at].op_type, operator),
            Work::Together { name, op_type, .. } => (name, op_type, operator),
        }
    }

    /// One step, for all lanes at once. Where that saves a copy, the outputs have room for `room` tangents at least.
    ///
    /// # Errors
    /// When libtorch refuses; the message names the node.
    pub(crate) fn apply(
        &self,
        step: &Step,
        inputs: &[&Value],
        images: i64,
        room: i64,
    ) -> Result<Vec<Value>, GraphError> {
        caught(|| apply(&step.operator, step.may_overwrite, inputs, images, room, &mut Debt::default()))
            .map_err(|error| self.refused(&step.name, &step.op_type, &step.inputs, &error))
    }

    /// One step's values alone, as libtorch records them for reverse mode.
    ///
    /// # Errors
    /// As for [`apply`](Self::apply).
    pub(crate) fn forward_step(&self, step: &Step, inputs: &[&Tensor]) -> Result<Vec<Tensor>, GraphError> {
        caught(|| step.operator.forward(inputs))
            .map_err(|error| self.refused(&step.name, &step.op_type, &step.inputs, &error))
    }

    /// What is told of a node that libtorch refuses on values of these places.
    fn refused(&self, name: &str, op_type: &str, inputs: &[usize], error: &TchError) -> GraphError {
        let given = |&id: &usize| Some((self.values[id].shape.clone(), self.values[id].kind));
        refusal::of_node(name, op_type, &inputs.iter().map(given).collect::<Vec<_>>(), error)
    }

    /// What is told of a node that fails on values of these places.
    pub(super) fn failed(&self, name: &str, op_type: &str, inputs: &[usize], problem: &str) -> GraphError {
        let shapes: Vec<String> = inputs.iter().map(|&id| format!("{:?}", self.values[id].shape)).collect();
        GraphError::Node {
            node: name.to_owned(),
            operator: op_type.to_owned(),
            shapes: shapes.join(", "),
            problem: problem.to_owned(),
        }
    }
}

/// What is told of a run while it goes on.
trait Watch {
    /// A value is made; 0 is the input.
    fn value(&mut self, _id: usize, _value: &Value) -> Result<(), GraphError> {
        Ok(())
    }

    /// A task is done.
    fn done(&mut self, _op_type: &str) {}
}

struct Unwatched;

impl Watch for Unwatched {}

struct Values<'a>(&'a mut dyn FnMut(usize, &Value) -> Result<(), GraphError>);

impl Watch for Values<'_> {
    fn value(&mut self, id: usize, value: &Value) -> Result<(), GraphError> {
        (self.0)(id, value)
    }
}

struct Done<'a>(&'a mut dyn FnMut(&str));

impl Watch for Done<'_> {
    fn done(&mut self, op_type: &str) {
        (self.0)(op_type);
    }
}

/// What is to be added to the primals of a step's first input yet, and then to those of its output.
#[derive(Default)]
struct Debt {
    /// Whether the step may leave its own offset to who reads the output.
    may_owe: bool,
    owed: Option<Tensor>,
}

/// Clips pay what is owed; nothing else is owed anything.
fn apply(
    operator: &Operator,
    may_overwrite: bool,
    inputs: &[&Value],
    images: i64,
    room: i64,
    debt: &mut Debt,
) -> Torch<Vec<Value>> {
    let tangents = inputs.iter().map(|value| value.tangents).max().unwrap_or(0);
    let still = |outputs: Vec<Tensor>| outputs.into_iter().map(|stack| Value { stack, tangents: 0 }).collect();
    let primals = || inputs.iter().map(|value| value.primal(images)).collect::<Torch<Vec<_>>>();
    if let Some(stack) = in_place(operator, may_overwrite, inputs, images, tangents)? {
        return Ok(vec![Value { stack, tangents }]);
    }
    if tangents == 0 {
        let stacks: Vec<&Tensor> = inputs.iter().map(|value| &value.stack).collect();
        return Ok(still(operator.forward(&stacks)?));
    }
    match operator {
        Operator::LocallyConstant(op) => {
            let x = primals()?;
            Ok(still(op.forward(&x.iter().collect::<Vec<_>>())?))
        }
        Operator::Linear(op) => {
            let stacks = inputs.iter().map(|value| value.widened(images, tangents)).collect::<Torch<Vec<_>>>()?;
            let outputs = op.apply(&stacks.iter().collect::<Vec<_>>())?;
            match (op.offset(), outputs.first()) {
                (Some(offset), _) if debt.may_owe => debt.owed = Some(offset.shallow_clone()),
                (Some(offset), Some(first)) => drop(first.f_narrow(0, 0, images)?.f_add_(offset)?),
                _ => {}
            }
            Ok(outputs.into_iter().map(|stack| Value { stack, tangents }).collect())
        }
        Operator::Elementwise(op) => {
            let input = inputs[0];
            let width = tangents.max(room);
            let stack = if width == tangents && may_overwrite {
                input.stack.shallow_clone()
            } else {
                input.room(images, width)?
            };
            if let Some(curve) = op.curve()
                && lanes::through(curve, [&stack, &input.stack], [images, tangents], debt.owed.as_ref(), |x| {
                    op.value(x)
                })?
            {
                debt.owed = None;
                return Ok(vec![Value { stack, tangents: width }]);
            }
            let mut x = input.primal(images)?;
            if let Some(offset) = debt.owed.take() {
                let _ = x.f_add_(&offset)?;
            }
            let y = op.value(&x)?;
            let slope = op.derivative(&x, &y)?;
            let output = Value { stack, tangents: width };
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
            Ok(vec![output])
        }
        Operator::Differentiable(op) => {
            let (x, dx) = (primals()?, moving(inputs, images, tangents)?);
            let x: Vec<&Tensor> = x.iter().collect();
            if let Some(stacks) = op.stacked(&x, &dx)? {
                return Ok(stacks.into_iter().map(|stack| Value { stack, tangents }).collect());
            }
            let y = op.forward(&x)?;
            let dy = op.tangent(&Point { x: &x, y: &y, dx: &dx })?;
            y.iter().zip(&dy).map(|(y, dy)| joined(y, dy)).collect()
        }
        Operator::Automatic(op) => {
            let (x, dx) = (primals()?, moving(inputs, images, tangents)?);
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
    }
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
