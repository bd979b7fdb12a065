//! The one way through a network: step by step in order, each value given up after its last reader.
//!
//! What is computed at a step, and what becomes of it, is the visitor's.

use super::error::GraphError;
use super::network::{Network, Step};

/// What a walk does at the steps that it comes to.
pub(crate) trait Visitor {
    /// What stands for the network's values on this walk.
    type Value;
    /// Why the walk may end.
    type Error: From<GraphError>;

    /// The outputs of a step; [`Network::apply`] and [`Network::forward_step`] name the node that libtorch refuses.
    fn outputs(&mut self, step: &Step, inputs: &[&Self::Value]) -> Result<Vec<Self::Value>, Self::Error>;

    /// The value of this place that a step has just made, as its readers shall see it. What the step was the last to
    /// read is given up already.
    fn made(&mut self, _step: &Step, _id: usize, value: Self::Value) -> Result<Self::Value, Self::Error> {
        Ok(value)
    }

    /// Whether a value stays after its last reader.
    fn keeps(&self, _id: usize) -> bool {
        false
    }

    /// A step is done.
    fn done(&mut self, _step: &Step) {}
}

/// The values that a walk has at a time, by their places in [`Network::values`].
pub(crate) struct Values<V>(Vec<Option<V>>);

impl<V> Values<V> {
    /// None of a network's values.
    pub fn none(network: &Network) -> Self {
        Self(network.values().iter().map(|_| None).collect())
    }

    pub fn insert(&mut self, id: usize, value: V) {
        self.0[id] = Some(value);
    }

    pub fn take(&mut self, id: usize) -> Option<V> {
        self.0[id].take()
    }

    /// The same values, each as `copy` makes it.
    pub fn map(&self, copy: impl Fn(&V) -> V) -> Self {
        Self(self.0.iter().map(|value| value.as_ref().map(&copy)).collect())
    }
}

impl Network {
    /// From the input to the output, node by node.
    ///
    /// # Errors
    /// As the visitor, and when a value is not there, which the message names; so for the others.
    pub(crate) fn walk<W: Visitor>(&self, input: W::Value, visitor: &mut W) -> Result<W::Value, W::Error> {
        self.walk_whole(&self.steps, input, visitor)
    }

    /// From the input to the output, with nodes fused: inner values of fused nodes are not seen.
    pub(crate) fn walk_fused<W: Visitor>(&self, input: W::Value, visitor: &mut W) -> Result<W::Value, W::Error> {
        self.walk_whole(&self.fused, input, visitor)
    }

    fn walk_whole<W: Visitor>(&self, steps: &[Step], input: W::Value, visitor: &mut W) -> Result<W::Value, W::Error> {
        let mut values = Values::none(self);
        values.insert(0, input);
        self.walk_through(steps, &mut values, visitor)?;
        Ok(self.take_output(&mut values)?)
    }

    /// Through some of the network's steps, in order, whose inputs are there.
    pub(crate) fn walk_through<'s, W: Visitor>(
        &self,
        steps: impl IntoIterator<Item = &'s Step>,
        values: &mut Values<W::Value>,
        visitor: &mut W,
    ) -> Result<(), W::Error> {
        for step in steps {
            let inputs = step.inputs.iter().map(|&id| values.0[id].as_ref()).collect::<Option<Vec<_>>>();
            let missing = || self.failed(&step.name, &step.op_type, &step.inputs, "it reads a value that is not there");
            let outputs = visitor.outputs(step, &inputs.ok_or_else(missing)?)?;
            for &id in step.frees.iter().filter(|&&id| !visitor.keeps(id)) {
                values.0[id] = None;
            }
            for (&id, value) in step.outputs.iter().zip(outputs) {
                if let Some(id) = id {
                    values.0[id] = Some(visitor.made(step, id, value)?);
                }
            }
            visitor.done(step);
        }
        Ok(())
    }

    /// The output's value at the end of a walk.
    pub(crate) fn take_output<V>(&self, values: &mut Values<V>) -> Result<V, GraphError> {
        values.take(self.output).ok_or_else(|| GraphError::Graph {
            path: self.path.display().to_string(),
            problem: "its output was not made".to_owned(),
        })
    }
}
