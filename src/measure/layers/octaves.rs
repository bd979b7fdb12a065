//! What the octaves of what a node reads make of its defect.
//!
//! With h_f what a node reads without its harmonics at and above f, and δ(h) = Dop(h)\[A h\] − A op(h) the node's defect
//! on h, the octave from f to 2f makes δ(h_2f) − δ(h_f); these add up to δ. So no part is left over where the node is
//! nonlinear, and where it is linear a band's part is the defect of that band alone. Nodes without a layout of their own
//! are run with those that read them, up to where an action is known.

use std::collections::HashMap;

use tch::{Kind, Tensor};

use crate::graph::layout::{Layout, PositionMap};
use crate::graph::operator::Torch;
use crate::graph::{Network, Step, Value};
use crate::spectrum::differentiation::Boundary;
use crate::spectrum::octave::{EDGES, low_pass};

use super::LayersError;
use super::actor::Actor;

/// How many cut-offs.
const CUTS: i64 = EDGES.len() as i64;

/// The tangents that the inputs and outputs of one node take beside those of a sweep.
pub(super) const BESIDE: u64 = 4 * EDGES.len() as u64;

/// A sweep's values at every cut-off, where a node without a layout made them and others have yet to read them.
pub(super) struct Octaves {
    boundary: Boundary,
    /// Per step: whether a layer of the sweep asks for it.
    wanted: Vec<bool>,
    /// By samples of an axis: the projections below each of `EDGES`.
    projections: HashMap<usize, Vec<Tensor>>,
    /// By the values' places: `[cut-offs·images, shape…]`, and as many tangents.
    made: HashMap<usize, Value>,
}

impl Octaves {
    /// For a sweep that asks for the defects of these steps, and of those before them that have no layout.
    pub fn new(network: &Network, boundary: Boundary, steps: impl Iterator<Item = usize>) -> Self {
        let mut wanted = vec![false; network.steps().len()];
        steps.for_each(|step| wanted[step] = true);
        Self { boundary, wanted, projections: HashMap::new(), made: HashMap::new() }
    }

    /// Runs a step on what it reads below each cut-off; it takes its turn before the step itself, which may write over its
    /// inputs. `inputs` carry the asked action as their first tangent.
    pub fn run(
        &mut self,
        network: &Network,
        (at, step): (usize, &Step),
        inputs: &[&Value],
        images: i64,
        actor: &mut Actor,
    ) -> Result<(), LayersError> {
        if !self.wanted[at] {
            return Ok(());
        }
        let mut below = Vec::new();
        for (&id, value) in step.inputs.iter().zip(inputs) {
            below.push(match self.made.get(&id) {
                Some(made) => Value { stack: made.stack.shallow_clone(), tangents: made.tangents },
                None => self.below(network, id, value, images, actor)?,
            });
        }
        let outputs = network.apply(step, &below.iter().collect::<Vec<_>>(), CUTS * images, 0)?;
        for (id, value) in step.outputs.iter().zip(outputs) {
            if let Some(id) = id {
                self.made.insert(*id, value);
            }
        }
        Ok(())
    }

    /// The defects at a value that a step has just made, `[images, shape…]` per cut-off, highest first.
    pub fn defects(
        &self,
        id: usize,
        images: i64,
        action: impl FnOnce(&Tensor) -> Result<Tensor, LayersError>,
    ) -> Result<Vec<Tensor>, LayersError> {
        let Some(made) = self.made.get(&id) else { return Ok(Vec::new()) };
        let action = action(&made.primal(CUTS * images)?)?;
        let defects = match made.tangents {
            0 => action.f_neg()?,
            _ => made.tangents_from(CUTS * images, 0, 1)?.f_sub(&action)?,
        };
        Ok((0..CUTS).map(|cut| defects.f_narrow(0, cut * images, images)).collect::<Torch<_>>()?)
    }

    /// Forgets what nothing reads any more, and what has an action: that is made anew for each reader.
    pub fn forget(&mut self, step: &Step, is_pushed: impl Fn(usize) -> bool) {
        step.frees.iter().for_each(|id| drop(self.made.remove(id)));
        step.outputs.iter().flatten().filter(|id| !is_pushed(**id)).for_each(|id| drop(self.made.remove(id)));
    }

    /// A value below each cut-off, with the action on it; where its entries have no place it stays as it is.
    fn below(
        &mut self,
        network: &Network,
        id: usize,
        value: &Value,
        images: i64,
        actor: &mut Actor,
    ) -> Result<Value, LayersError> {
        let x = value.primal(images)?;
        let repeated = |x: &Tensor| -> Torch<Tensor> { Tensor::f_cat(&vec![x; EDGES.len()], 0) };
        if value.tangents == 0 {
            return Ok(Value { stack: repeated(&x)?, tangents: 0 });
        }
        let layout = &network.values()[id].layout;
        let (x, dx) = match layout {
            Layout::Map(map) => {
                let x = self.low_passed(map, &x)?;
                let dx = actor.on(layout, &x)?;
                (x, dx)
            }
            _ => (repeated(&x)?, repeated(&value.tangents_from(images, 0, 1)?)?),
        };
        Ok(Value { stack: network.prepared(&Tensor::f_cat(&[x, dx], 0)?)?, tangents: 1 })
    }

    /// A value below each cut-off, one behind the other; entries that have no place stay as they are.
    fn low_passed(&mut self, map: &PositionMap, x: &Tensor) -> Torch<Tensor> {
        let h = map.gather(x)?;
        let [rows, columns] = [map.grid.rows.samples, map.grid.columns.samples];
        for samples in [rows, columns] {
            if !self.projections.contains_key(&samples) {
                self.projections.insert(samples, projections(samples, self.boundary, &h)?);
            }
        }
        let mut below = Vec::new();
        for (by_row, by_column) in self.projections[&rows].iter().zip(&self.projections[&columns]) {
            let low = by_row.f_matmul(&h)?.f_matmul(by_column)?;
            let shape = &x.size()[1..];
            below.push(match (&map.places, &map.channels) {
                (None, None) => map.scatter(&low, shape)?,
                _ => x.f_add(&map.scatter(&low.f_sub(&h)?, shape)?)?,
            });
        }
        Tensor::f_cat(&below, 0)
    }
}

/// Symmetric, so that they act on rows and on columns alike.
fn projections(samples: usize, boundary: Boundary, like: &Tensor) -> Torch<Vec<Tensor>> {
    let n = samples as i64;
    let tensor = |cut_off: f64| {
        let entries: Vec<f64> = low_pass(samples, cut_off, boundary).iter().copied().collect();
        let matrix = Tensor::f_from_slice(&entries)?.f_view([n, n])?;
        let kind = if like.kind() == Kind::Double { Kind::Double } else { Kind::Float };
        matrix.f_to_kind(kind)?.f_to_device(like.device())
    };
    EDGES.into_iter().map(tensor).collect()
}
