//! A network whose designs are switched on and off one by one, without loading it again.
//!
//! A run goes through the nodes of the network with every design in its place; where a design is off, the target
//! model's own nodes run instead. Operators know their shapes, so a function between a stride and its design needs a
//! third network, with every stride replaced and no function. Half-way, a run can be forked: what lies before a place
//! is computed once for all that is tried after it.

use std::collections::HashMap;

use super::SurgeryError;
use super::cost::{insertion_cost, step_cost};
use super::insertion::Insertion;
use super::rewrite::{Form, Rewritten};
use super::sites::SiteKind;
use super::target_model::TargetModel;
use crate::graph::{GraphError, Network, Step, Sweep, Value, Values, Visitor};

use tch::Tensor;

/// What a node of the network with every design is.
#[derive(Clone, Debug)]
enum Role {
    /// The same in both networks.
    Common,
    /// At stride 1 while insertion .0 is on; else the target model's node .1.
    Strided(usize, usize),
    /// Insertion .0's design after a stride; else nothing.
    Downsampling(usize),
    /// Between a stride and insertion .0's design: on the finer map while that is on; else the target model's node .1.
    Between(usize, usize),
    /// Insertion .0's design; else the target model's nodes .1, or, while insertion .2 is on, those nodes of the
    /// network of strides.
    Function(usize, Vec<usize>, Option<(usize, Vec<usize>)>),
}

/// Both networks, node by node.
pub(super) struct Toggled<'a> {
    target: &'a Network,
    all: &'a Network,
    strides: Option<Network>,
    insertions: &'a [Insertion],
    roles: Vec<Role>,
    /// Per insertion: the first node that it changes.
    first: Vec<usize>,
}

/// A run on its way.
pub(super) struct Run {
    values: Values<Value>,
    images: i64,
    /// Nodes done.
    at: usize,
    /// Multiplications so far.
    pub cost: f64,
}

impl<'a> Toggled<'a> {
    /// From the target model and `all`, its network with every insertion.
    pub fn new(
        target: &TargetModel<'a>,
        all: &'a Network,
        insertions: &'a [Insertion],
        rewritten: &Rewritten,
    ) -> Result<Self, SurgeryError> {
        let strided: Vec<&Insertion> = insertions.iter().filter(|insertion| insertion.stride() > 1).collect();
        let strides = if strided.is_empty() || strided.len() == insertions.len() {
            None
        } else {
            Some(target.load(&target.rewrite(&strided, Form::Memory)?)?)
        };
        let none = HashMap::new();
        let (old, new) = (places(target.network()), places(all));
        let fine = strides.as_ref().map_or(none, places);
        let find = |places: &HashMap<String, usize>, name: &String| {
            let missing = || SurgeryError::NotSaved(format!("the value '{name}' is not made"));
            places.get(name).copied().ok_or_else(missing)
        };
        let mut roles = vec![Role::Common; all.steps().len()];
        let mut first = Vec::new();
        for (at, (insertion, swap)) in insertions.iter().zip(&rewritten.swaps).enumerate() {
            let after = swap.after.iter().map(|name| find(&new, name)).collect::<Result<Vec<_>, _>>()?;
            let before = swap.before.iter().map(|name| find(&old, name)).collect::<Result<Vec<_>, _>>()?;
            match (&insertion.site.kind, &after[..], &before[..]) {
                (SiteKind::Strided(_), &[conv, design], &[own]) => {
                    roles[conv] = Role::Strided(at, own);
                    roles[design] = Role::Downsampling(at);
                    first.push(conv);
                }
                (SiteKind::Function(_), &[design], _) => {
                    // A stride in front of which it lies.
                    let around = rewritten.swaps.iter().enumerate().find_map(|(other, around)| {
                        let now = |name: &String| {
                            around.between.iter().find(|(old, _)| old == name).map(|(_, now)| now.clone())
                        };
                        Some((other, swap.before.iter().map(now).collect::<Option<Vec<String>>>()?))
                    });
                    let around = match around {
                        Some((other, names)) => {
                            Some((other, names.iter().map(|name| find(&fine, name)).collect::<Result<Vec<_>, _>>()?))
                        }
                        None => None,
                    };
                    roles[design] = Role::Function(at, before, around);
                    first.push(design);
                }
                _ => return Err(SurgeryError::NotSaved(format!("'{}' was not replaced", insertion.site.name))),
            }
        }
        for (at, swap) in rewritten.swaps.iter().enumerate() {
            for (was, now) in &swap.between {
                // A function that was replaced has no node of this name.
                if let (Some(&own), Some(&place)) = (old.get(was), new.get(now))
                    && matches!(roles[place], Role::Common)
                {
                    roles[place] = Role::Between(at, own);
                }
            }
        }
        Ok(Self { target: target.network(), all, strides, insertions, roles, first })
    }

    /// The insertions in the order in which a run meets them.
    pub fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.insertions.len()).collect();
        order.sort_by_key(|insertion| self.first[*insertion]);
        order
    }

    /// A run on images `[images, …]` with tangents `[tangents, images, …]`.
    pub fn start(&self, x: &Tensor, dx: &Tensor) -> Result<Run, SurgeryError> {
        let (images, tangents) = (x.size()[0], dx.size()[0]);
        let stack = self.all.prepared(&Tensor::f_cat(&[x, &dx.f_flatten(0, 1)?], 0)?)?;
        let mut values = Values::none(self.all);
        values.insert(0, Value { stack, tangents });
        Ok(Run { values, images, at: 0, cost: 0.0 })
    }

    /// Runs up to what an insertion changes.
    pub fn reach(&self, run: &mut Run, on: &[bool], insertion: usize) -> Result<(), SurgeryError> {
        self.until(run, on, self.first[insertion])
    }

    /// The rest of a run.
    pub fn finish(&self, mut run: Run, on: &[bool]) -> Result<(Sweep, f64), SurgeryError> {
        self.until(&mut run, on, self.roles.len())?;
        let output = self.all.take_output(&mut run.values)?;
        let value = output.primal(run.images)?;
        let tangent = match output.tangent(run.images)? {
            Some(tangent) => tangent,
            None => value.f_zeros_like()?.f_unsqueeze(0)?,
        };
        Ok((Sweep { value, tangent }, run.cost))
    }

    /// Another run that goes on from here. Its values are copies: a run may write over its own.
    pub fn fork(&self, run: &Run) -> Run {
        let copy = |value: &Value| Value { stack: value.stack.copy(), tangents: value.tangents };
        Run { values: run.values.map(copy), images: run.images, at: run.at, cost: run.cost }
    }

    fn until(&self, run: &mut Run, on: &[bool], end: usize) -> Result<(), SurgeryError> {
        let steps = self.all.steps().get(run.at..end).unwrap_or_default();
        let mut switched = Switched { toggled: self, on, images: run.images, at: &mut run.at, cost: &mut run.cost };
        tch::no_grad(|| self.all.walk_through(steps, &mut run.values, &mut switched))
    }
}

/// A run through the network with every design, some of which are off.
struct Switched<'r, 'a> {
    toggled: &'r Toggled<'a>,
    on: &'r [bool],
    images: i64,
    at: &'r mut usize,
    cost: &'r mut f64,
}

impl Visitor for Switched<'_, '_> {
    type Value = Value;
    type Error = SurgeryError;

    fn outputs(&mut self, step: &Step, inputs: &[&Value]) -> Result<Vec<Value>, SurgeryError> {
        let Toggled { target, all, strides, insertions, roles, .. } = self.toggled;
        let (on, images) = (self.on, self.images);
        let from = inputs.first().map_or_else(Vec::new, |value| shape(value));
        let (outputs, cost) = match (&roles[*self.at], inputs) {
            (Role::Downsampling(insertion), &[input, ..]) if !on[*insertion] => {
                (vec![Value { stack: input.stack.shallow_clone(), tangents: input.tangents }], 0.0)
            }
            (Role::Function(insertion, nodes, around), &[input, ..]) if !on[*insertion] => {
                let (network, nodes) = match (around, strides) {
                    (Some((stride, nodes)), Some(strides)) if on[*stride] => (strides, nodes),
                    _ => (*target, nodes),
                };
                let (value, cost) = own_function(network, nodes, input, images)?;
                (vec![value], cost)
            }
            (Role::Strided(insertion, own) | Role::Between(insertion, own), _) if !on[*insertion] => {
                let own = &target.steps()[*own];
                let outputs = target.apply(own, inputs, images, 0)?;
                let cost = outputs.first().map_or(0.0, |value| step_cost(own, &from, &shape(value)));
                (outputs, cost)
            }
            (role, _) => {
                let outputs = all.apply(step, inputs, images, 0)?;
                let to = outputs.first().map_or_else(Vec::new, shape);
                let cost = match role {
                    Role::Function(insertion, ..) | Role::Downsampling(insertion) => {
                        insertion_cost(&insertions[*insertion], &from, &to)
                    }
                    _ => step_cost(step, &from, &to),
                };
                (outputs, cost)
            }
        };
        *self.cost += cost;
        Ok(outputs)
    }

    fn done(&mut self, _step: &Step) {
        *self.at += 1;
    }
}

/// A value's own shape.
fn shape(value: &Value) -> Vec<i64> {
    value.stack.size()[1..].to_vec()
}

/// The value of a function as a network has it, and its multiplications.
fn own_function(network: &Network, nodes: &[usize], input: &Value, images: i64) -> Result<(Value, f64), SurgeryError> {
    let steps = || nodes.iter().map(|&at| &network.steps()[at]);
    let made: Vec<usize> = steps().flat_map(|step| step.outputs.iter().flatten().copied()).collect();
    let mut values = Values::none(network);
    for &id in steps().flat_map(|step| &step.inputs).filter(|id| !made.contains(id)) {
        values.insert(id, Value { stack: input.stack.shallow_clone(), tangents: input.tangents });
    }
    let mut own = OwnFunction { network, images, cost: 0.0 };
    network.walk_through(steps(), &mut values, &mut own)?;
    let missing = || GraphError::Graph {
        path: network.path().display().to_string(),
        problem: "a function's value was not made".to_owned(),
    };
    let value = made.last().and_then(|&id| values.take(id)).ok_or_else(missing)?;
    Ok((value, own.cost))
}

/// The nodes of a function, whose order need not be the network's.
struct OwnFunction<'a> {
    network: &'a Network,
    images: i64,
    cost: f64,
}

impl Visitor for OwnFunction<'_> {
    type Value = Value;
    type Error = SurgeryError;

    fn outputs(&mut self, step: &Step, inputs: &[&Value]) -> Result<Vec<Value>, SurgeryError> {
        let outputs = self.network.apply(step, inputs, self.images, 0)?;
        let from = inputs.first().map_or_else(Vec::new, |value| shape(value));
        self.cost += outputs.iter().map(|value| step_cost(step, &from, &shape(value))).sum::<f64>();
        Ok(outputs)
    }

    fn keeps(&self, _id: usize) -> bool {
        true
    }
}

/// The node that writes each value.
fn places(network: &Network) -> HashMap<String, usize> {
    let name = |id: usize| network.values()[id].name.clone();
    let steps = network.steps().iter().enumerate();
    steps.flat_map(|(at, step)| step.outputs.iter().flatten().map(move |&id| (name(id), at))).collect()
}
