//! Running a network: values and their batched tangents, side by side.

use std::time::Instant;

use tch::{TchError, Tensor};

use super::apply::apply;
use super::caught::caught;
use super::error::GraphError;
use super::memory_format::{MemoryFormat, arranged};
use super::network::{Network, Step};
use super::operator::Torch;
use super::refusal;
use super::value::Value;
use super::walk::{Values, Visitor};
use crate::statistics::median;

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
        self.values_alone(x, Observer::Nothing)
    }

    /// How many milliseconds [`forward`](Self::forward) of `x` takes, once it lies where the network computes.
    ///
    /// # Errors
    /// As `forward`.
    pub fn forward_ms(&self, x: &Tensor) -> Result<f64, GraphError> {
        let x = self.place(x)?;
        let begun = Instant::now();
        let _ = self.forward(&x)?;
        Ok(begun.elapsed().as_secs_f64() * 1e3)
    }

    /// The median of five of them, behind one that finds memory and kernels: what a measurement's cost is counted in. Taken
    /// when nothing else runs, since images that are decoded beside it can make it take thrice as long.
    ///
    /// # Errors
    /// As `forward`.
    pub fn typical_forward_ms(&self, x: &Tensor) -> Result<f64, GraphError> {
        self.forward_ms(x)?;
        let times = (0..5).map(|_| self.forward_ms(x)).collect::<Result<_, _>>()?;
        Ok(median(times))
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
        self.values_alone(x, Observer::Values(observe))
    }

    /// f(x) and Df\[ẋ\] for `x` of shape `[images, input shape…]` and `dx` of shape `[tangents, images, input shape…]`.
    ///
    /// # Errors
    /// When an operator fails, which the message names.
    pub fn sweep(&self, x: &Tensor, dx: &Tensor) -> Result<Sweep, GraphError> {
        self.sweep_by(x, dx, Observer::Nothing)
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
        self.sweep_by(x, dx, Observer::Values(observe))
    }

    /// A forward, or where tangents are given a sweep, as `forward` and `sweep` run it; `done` is called after
    /// everything that a run does, with its operator: to find out where the time goes.
    ///
    /// # Errors
    /// As `sweep`.
    pub fn profile(&self, x: &Tensor, dx: Option<&Tensor>, done: &mut dyn FnMut(&str)) -> Result<(), GraphError> {
        match dx {
            Some(dx) => self.sweep_by(x, dx, Observer::Steps(done)).map(drop),
            None => self.values_alone(x, Observer::Steps(done)).map(drop),
        }
    }

    /// As [`sweep`](Self::sweep), of values and tangents that are one stack already, `[images·(1 + tangents), input
    /// shape…]`, best in the network's [`memory_format`](Self::memory_format): another is copied.
    ///
    /// # Errors
    /// As `sweep`.
    pub fn sweep_stack(&self, input: &Value, images: i64) -> Result<Sweep, GraphError> {
        let input = Value { stack: self.prepared(&input.stack)?, tangents: input.tangents };
        self.swept(input, images, Observer::Nothing)
    }

    fn values_alone(&self, x: &Tensor, observer: Observer<'_>) -> Result<Tensor, GraphError> {
        let value = Value { stack: self.prepared(x)?, tangents: 0 };
        Ok(self.run(value, x.size()[0], observer)?.stack)
    }

    fn sweep_by(&self, x: &Tensor, dx: &Tensor, observer: Observer<'_>) -> Result<Sweep, GraphError> {
        let (images, tangents) = (x.size()[0], dx.size()[0]);
        self.swept(Value { stack: self.joined(x, dx)?, tangents }, images, observer)
    }

    fn swept(&self, input: Value, images: i64, observer: Observer<'_>) -> Result<Sweep, GraphError> {
        let tangents = input.tangents;
        let output = self.run(input, images, observer)?;
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

    fn run(&self, input: Value, images: i64, mut observer: Observer<'_>) -> Result<Value, GraphError> {
        tch::no_grad(|| {
            let observed = matches!(observer, Observer::Values(_));
            observer.value(0, &input)?;
            let mut run = Run { network: self, images, observer };
            if observed { self.walk(input, &mut run) } else { self.walk_fused(input, &mut run) }
        })
    }

    /// The values of the places `outputs` that some of the nodes, in order, make of the given inputs, which are those
    /// of so many images; values that no node of them makes are left out.
    ///
    /// # Errors
    /// When an operator fails, or reads what is neither given nor made; the message names it.
    pub(crate) fn run_part<'s>(
        &self,
        steps: impl IntoIterator<Item = &'s Step>,
        inputs: impl IntoIterator<Item = (usize, Value)>,
        images: i64,
        outputs: &[usize],
    ) -> Result<Vec<(usize, Value)>, GraphError> {
        let mut values = Values::none(self);
        inputs.into_iter().for_each(|(id, value)| values.insert(id, value));
        self.walk_through(steps, &mut values, &mut Part { network: self, images, outputs })?;
        Ok(outputs.iter().filter_map(|&id| Some((id, values.take(id)?))).collect())
    }

    /// Values and tangents as one stack, as [`prepared`](Self::prepared) has it, in one copy.
    fn joined(&self, x: &Tensor, dx: &Tensor) -> Torch<Tensor> {
        let (images, tangents) = (x.size()[0], dx.size()[0]);
        let after = |x: &Tensor| x.f_permute([0, 1, 3, 4, 2]);
        if x.dim() != 5 || self.format != MemoryFormat::ChannelsLast {
            return self.prepared(&Tensor::f_cat(&[x, &dx.f_flatten(0, 1)?], 0)?);
        }
        let mut size = after(x)?.size();
        size[0] = images * (1 + tangents);
        let stack = Tensor::f_empty(size, (x.kind(), x.device()))?;
        stack.f_narrow(0, 0, images)?.f_copy_(&after(x)?)?;
        stack.f_narrow(0, images, images * tangents)?.f_copy_(&after(&dx.f_flatten(0, 1)?)?)?;
        stack.f_permute([0, 1, 4, 2, 3])
    }

    /// The stack in the network's memory format.
    pub(crate) fn prepared(&self, stack: &Tensor) -> Torch<Tensor> {
        if stack.dim() == 5 { arranged(stack, self.format) } else { Ok(stack.shallow_clone()) }
    }

    /// One step, for values and tangents at once. Where that saves a copy, the outputs have room for `room` tangents at
    /// least.
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
        caught(|| apply(&step.operator, step.may_overwrite, inputs, images, room))
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

/// Who observes a run.
enum Observer<'a> {
    Nothing,
    /// Sees every value, by its place; 0 is the input.
    Values(&'a mut dyn FnMut(usize, &Value) -> Result<(), GraphError>),
    /// Hears the operator of every step that is done.
    Steps(&'a mut dyn FnMut(&str)),
}

impl Observer<'_> {
    fn value(&mut self, id: usize, value: &Value) -> Result<(), GraphError> {
        match self {
            Self::Values(observe) => observe(id, value),
            _ => Ok(()),
        }
    }
}

/// Values and tangents of a number of images.
struct Run<'n, 'w> {
    network: &'n Network,
    images: i64,
    observer: Observer<'w>,
}

impl Visitor for Run<'_, '_> {
    type Value = Value;
    type Error = GraphError;

    fn outputs(&mut self, step: &Step, inputs: &[&Value]) -> Result<Vec<Value>, GraphError> {
        self.network.apply(step, inputs, self.images, 0)
    }

    fn made(&mut self, _step: &Step, id: usize, value: Value) -> Result<Value, GraphError> {
        self.observer.value(id, &value)?;
        Ok(value)
    }

    fn done(&mut self, step: &Step) {
        if let Observer::Steps(done) = &mut self.observer {
            done(&step.op_type);
        }
    }
}

/// Some nodes, whose outputs others of the network may read earlier than these do.
struct Part<'a> {
    network: &'a Network,
    images: i64,
    outputs: &'a [usize],
}

impl Visitor for Part<'_> {
    type Value = Value;
    type Error = GraphError;

    fn outputs(&mut self, step: &Step, inputs: &[&Value]) -> Result<Vec<Value>, GraphError> {
        self.network.apply(step, inputs, self.images, 0)
    }

    fn keeps(&self, id: usize) -> bool {
        self.outputs.contains(&id)
    }
}
