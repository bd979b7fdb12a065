//! A forward pass that libtorch records for reverse mode.

use tch::Tensor;

use crate::graph::{GraphError, Network, Step, Visitor};

/// f(x) for `x` of shape `[images, input shape…]`, node by node, recorded where libtorch records, and the values at
/// some places of [`Network::values`], in the order of `places`.
///
/// The stack is put into the network's memory format first, and stays in it backwards: in channels-first memory
/// libtorch's depthwise convolutions take fifty times as long backwards.
///
/// # Errors
/// When an operator fails, which the message names.
pub fn recorded(network: &Network, x: &Tensor, places: &[usize]) -> Result<(Tensor, Vec<Tensor>), GraphError> {
    let mut record = Record { network, places, seen: places.iter().map(|_| None).collect() };
    let output = network.walk(network.prepared(x)?, &mut record)?;
    Ok((output, record.seen.into_iter().flatten().collect()))
}

struct Record<'a> {
    network: &'a Network,
    places: &'a [usize],
    seen: Vec<Option<Tensor>>,
}

impl Visitor for Record<'_> {
    type Value = Tensor;
    type Error = GraphError;

    fn outputs(&mut self, step: &Step, inputs: &[&Tensor]) -> Result<Vec<Tensor>, GraphError> {
        self.network.forward_step(step, inputs)
    }

    fn made(&mut self, _step: &Step, id: usize, value: Tensor) -> Result<Tensor, GraphError> {
        if let Some(at) = self.places.iter().position(|&place| place == id) {
            self.seen[at] = Some(value.shallow_clone());
        }
        Ok(value)
    }
}
