//! A network whose designs are switched on and off one by one, without loading it again.
//!
//! A run goes through the nodes of the network with every design in its place; where a design is off, the patient's own
//! nodes run instead. Operators know their shapes, so a function between a stride and its design needs a third network,
//! with every stride replaced and no function. Half-way, a run can be forked: what lies before a place is computed once for
//! all that is tried behind it.

use std::collections::HashMap;

use super::SurgeryError;
use super::cost::{graft_cost, step_cost};
use super::graft::Graft;
use super::patient::Patient;
use super::rewrite::{Form, Operated};
use super::sites::SiteKind;
use crate::graph::{GraphError, Network, Sweep, Value};

use tch::Tensor;

/// What a node of the network with every design is.
#[derive(Clone, Debug)]
enum Role {
    /// The same in both networks.
    Common,
    /// At stride 1 while graft .0 is on; else the patient's node .1.
    Strided(usize, usize),
    /// Graft .0's design after a stride; else nothing.
    Downsampling(usize),
    /// Between a stride and graft .0's design: on the finer map while that is on; else the patient's node .1.
    Between(usize, usize),
    /// Graft .0's design; else the patient's nodes .1, or, while graft .2 is on, those nodes of the network of strides.
    Function(usize, Vec<usize>, Option<(usize, Vec<usize>)>),
}

/// Both networks, node by node.
pub(super) struct Toggled<'a> {
    patient: &'a Network,
    all: &'a Network,
    strides: Option<Network>,
    grafts: &'a [Graft],
    roles: Vec<Role>,
    /// Per graft: the first node that it changes.
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
    /// From the patient and `all`, its network with every graft.
    pub fn new(
        patient: &Patient<'a>,
        all: &'a Network,
        grafts: &'a [Graft],
        operated: &Operated,
    ) -> Result<Self, SurgeryError> {
        let strided: Vec<&Graft> = grafts.iter().filter(|graft| graft.stride() > 1).collect();
        let strides = if strided.is_empty() || strided.len() == grafts.len() {
            None
        } else {
            Some(patient.load(&patient.operate(&strided, Form::Memory)?)?)
        };
        let none = HashMap::new();
        let (old, new) = (places(patient.network()), places(all));
        let fine = strides.as_ref().map_or(none, places);
        let find = |places: &HashMap<String, usize>, name: &String| {
            let missing = || SurgeryError::NotSaved(format!("the value '{name}' is not made"));
            places.get(name).copied().ok_or_else(missing)
        };
        let mut roles = vec![Role::Common; all.steps().len()];
        let mut first = Vec::new();
        for (at, (graft, swap)) in grafts.iter().zip(&operated.swaps).enumerate() {
            let after = swap.after.iter().map(|name| find(&new, name)).collect::<Result<Vec<_>, _>>()?;
            let before = swap.before.iter().map(|name| find(&old, name)).collect::<Result<Vec<_>, _>>()?;
            match (&graft.site.kind, &after[..], &before[..]) {
                (SiteKind::Strided(_), &[conv, design], &[own]) => {
                    roles[conv] = Role::Strided(at, own);
                    roles[design] = Role::Downsampling(at);
                    first.push(conv);
                }
                (SiteKind::Function(_), &[design], _) => {
                    // A stride in front of which it lies.
                    let around = operated.swaps.iter().enumerate().find_map(|(other, around)| {
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
                _ => return Err(SurgeryError::NotSaved(format!("'{}' was not replaced", graft.site.name))),
            }
        }
        for (at, swap) in operated.swaps.iter().enumerate() {
            for (was, now) in &swap.between {
                // A function that was replaced has no node of this name.
                if let (Some(&own), Some(&place)) = (old.get(was), new.get(now))
                    && matches!(roles[place], Role::Common)
                {
                    roles[place] = Role::Between(at, own);
                }
            }
        }
        Ok(Self { patient: patient.network(), all, strides, grafts, roles, first })
    }

    /// The grafts in the order in which a run meets them.
    pub fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.grafts.len()).collect();
        order.sort_by_key(|graft| self.first[*graft]);
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

    /// Runs up to what a graft changes.
    pub fn reach(&self, run: &mut Run, on: &[bool], graft: usize) -> Result<(), SurgeryError> {
        self.until(run, on, self.first[graft])
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
            Role::Downsampling(graft) if !on[*graft] => {
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
                    Role::Function(graft, nodes, around) if !on[*graft] => {
                        let (network, nodes) = match (around, &self.strides) {
                            (Some((stride, nodes)), Some(strides)) if on[*stride] => (strides, nodes),
                            _ => (self.patient, nodes),
                        };
                        let (value, cost) = own_function(network, nodes, inputs.first().copied(), images)?;
                        run.cost += cost;
                        vec![value]
                    }
                    Role::Strided(graft, own) | Role::Between(graft, own) if !on[*graft] => {
                        let own = &self.patient.steps()[*own];
                        let outputs = self.patient.apply(own, &inputs, images, 0)?;
                        run.cost += outputs.first().map_or(0.0, |value| step_cost(own, &from, &shape(value)));
                        outputs
                    }
                    role => {
                        let outputs = self.all.apply(step, &inputs, images, 0)?;
                        let to = outputs.first().map_or_else(Vec::new, shape);
                        run.cost += match role {
                            Role::Function(graft, ..) | Role::Downsampling(graft) => {
                                graft_cost(&self.grafts[*graft], &from, &to)
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
