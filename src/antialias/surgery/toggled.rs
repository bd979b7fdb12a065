//! A network whose designs are switched on and off one by one, without loading it again.
//!
//! A run goes through the nodes of the network with every design in its place; where a design is off, the target model's own
//! nodes run instead. Operators know their shapes, so a function between a stride and its design needs a third network,
//! with every stride replaced and no function. Half-way, a run can be forked: what lies before a place is computed once for
//! all that is tried behind it.

use std::collections::HashMap;

use super::SurgeryError;
use super::cost::{insertion_cost, step_cost};
use super::insertion::Insertion;
use super::rewrite::{Form, Rewritten};
use super::sites::SiteKind;
use super::target_model::TargetModel;
use crate::graph::{GraphError, Network, Sweep, Value};

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
    /// Insertion .0's design; else the target model's nodes .1, or, while insertion .2 is on, those nodes of the network of strides.
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
    values: Vec<Option<Value>>,
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
        let mut values: Vec<Option<Value>> = self.all.values().iter().map(|_| None).collect();
        values[0] = Some(Value { stack, tangents });
        Ok(Run { values, images, at: 0, cost: 0.0 })
    }

    /// Runs up to what an insertion changes.
    pub fn reach(&self, run: &mut Run, on: &[bool], insertion: usize) -> Result<(), SurgeryError> {
        self.until(run, on, self.first[insertion])
    }

    /// The rest of a run.
    pub fn finish(&self, mut run: Run, on: &[bool]) -> Result<(Sweep, f64), SurgeryError> {
        self.until(&mut run, on, self.roles.len())?;
        let output = run.values[self.all.output_id()].take().ok_or_else(|| freed("the output"))?;
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
        let values = run.values.iter().map(|value| value.as_ref().map(copy)).collect();
        Run { values, images: run.images, at: run.at, cost: run.cost }
    }

    fn until(&self, run: &mut Run, on: &[bool], end: usize) -> Result<(), SurgeryError> {
        tch::no_grad(|| {
            while run.at < end {
                self.step(run, on)?;
                run.at += 1;
            }
            Ok(())
        })
    }

    fn step(&self, run: &mut Run, on: &[bool]) -> Result<(), SurgeryError> {
        let step = &self.all.steps()[run.at];
        let images = run.images;
        let outputs = match &self.roles[run.at] {
            Role::Downsampling(insertion) if !on[*insertion] => {
                let value = step.inputs.first().and_then(|&id| run.values[id].take());
                vec![value.ok_or_else(|| freed(&step.name))?]
            }
            role => {
                let inputs: Vec<&Value> = step
                    .inputs
                    .iter()
                    .map(|&id| run.values[id].as_ref())
                    .collect::<Option<_>>()
                    .ok_or_else(|| freed(&step.name))?;
                let shape = |value: &Value| value.stack.size()[1..].to_vec();
                let from = inputs.first().map_or_else(Vec::new, |value| shape(value));
                match role {
                    Role::Function(insertion, nodes, around) if !on[*insertion] => {
                        let (network, nodes) = match (around, &self.strides) {
                            (Some((stride, nodes)), Some(strides)) if on[*stride] => (strides, nodes),
                            _ => (self.target, nodes),
                        };
                        let (value, cost) = own_function(network, nodes, inputs.first().copied(), images)?;
                        run.cost += cost;
                        vec![value]
                    }
                    Role::Strided(insertion, own) | Role::Between(insertion, own) if !on[*insertion] => {
                        let own = &self.target.steps()[*own];
                        let outputs = self.target.apply(own, &inputs, images, 0)?;
                        run.cost += outputs.first().map_or(0.0, |value| step_cost(own, &from, &shape(value)));
                        outputs
                    }
                    role => {
                        let outputs = self.all.apply(step, &inputs, images, 0)?;
                        let to = outputs.first().map_or_else(Vec::new, shape);
                        run.cost += match role {
                            Role::Function(insertion, ..) | Role::Downsampling(insertion) => {
                                insertion_cost(&self.insertions[*insertion], &from, &to)
                            }
                            _ => step_cost(step, &from, &to),
                        };
                        outputs
                    }
                }
            }
        };
        for &id in &step.frees {
            run.values[id] = None;
        }
        for (id, value) in step.outputs.iter().zip(outputs) {
            if let Some(id) = id {
                run.values[*id] = Some(value);
            }
        }
        Ok(())
    }
}

/// The nodes of a function as a network has them.
fn own_function(
    network: &Network,
    nodes: &[usize],
    input: Option<&Value>,
    images: i64,
) -> Result<(Value, f64), SurgeryError> {
    let input = input.ok_or_else(|| freed("a function's input"))?;
    let mut made: HashMap<usize, Value> = HashMap::new();
    let mut cost = 0.0;
    let mut last = None;
    for &at in nodes {
        let step = &network.steps()[at];
        let inputs: Vec<&Value> = step.inputs.iter().map(|id| made.get(id).unwrap_or(input)).collect();
        let outputs = network.apply(step, &inputs, images, 0)?;
        let from = inputs.first().map_or_else(Vec::new, |value| value.stack.size()[1..].to_vec());
        for (id, value) in step.outputs.iter().zip(outputs) {
            if let Some(id) = id {
                cost += step_cost(step, &from, &value.stack.size()[1..]);
                made.insert(*id, value);
                last = Some(*id);
            }
        }
    }
    let value = last.and_then(|id| made.remove(&id)).ok_or_else(|| freed("a function's value"))?;
    Ok((value, cost))
}

/// The node that writes each value.
fn places(network: &Network) -> HashMap<String, usize> {
    let name = |id: usize| network.values()[id].name.clone();
    let steps = network.steps().iter().enumerate();
    steps.flat_map(|(at, step)| step.outputs.iter().flatten().map(move |&id| (name(id), at))).collect()
}

fn freed(what: &str) -> SurgeryError {
    SurgeryError::Graph(GraphError::Graph { path: what.to_owned(), problem: "a value was freed too early".to_owned() })
}
