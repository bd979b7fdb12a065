//! Activations that a network spells out in several nodes, such as x·sigmoid(x) and GELU by way of erf.

use std::collections::HashMap;

use tch::Tensor;

use crate::graph::layout::PositionMap;
use crate::graph::operator::Operator;
use crate::graph::{GraphError, Network, Step, Value};

/// Operators that combine entries of equal places, where their operands have one shape.
const COMBINING: [&str; 11] = ["Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum", "Mean", "Neg", "Identity"];
/// Those of them that make harmonics of two operands.
const NONLINEAR: [&str; 5] = ["Mul", "Div", "Pow", "Max", "Min"];

/// Nodes that are, together, one function of one value, entry by entry.
#[derive(Debug)]
pub(super) struct Composite<'a> {
    network: &'a Network,
    /// The value that it is a function of.
    pub(super) root: usize,
    /// Its nodes, in order; the last gives its value.
    pub(super) steps: Vec<&'a Step>,
}

impl<'a> Composite<'a> {
    /// All that `network` has: those with an operator of two moving operands, which no node's own function covers.
    pub(super) fn all(network: &'a Network) -> Vec<Self> {
        // The value that each value is a function of, entry by entry: itself, if of no earlier one.
        let mut origin: Vec<usize> = (0..network.values().len()).collect();
        let mut regions: HashMap<usize, Vec<&Step>> = HashMap::new();
        for step in network.steps() {
            let (Some(&first), [Some(output)]) = (step.inputs.first(), &step.outputs[..]) else { continue };
            let root = origin[first];
            if is_entrywise(network, step) && step.inputs.iter().all(|&input| origin[input] == root) {
                origin[*output] = root;
                regions.entry(root).or_default().push(step);
            }
        }
        let mut found: Vec<Self> =
            regions.into_iter().filter_map(|(root, steps)| composite(network, root, &steps)).collect();
        found.sort_by_key(|composite| composite.root);
        found
    }

    /// One node as a function of its input.
    pub(super) fn of(network: &'a Network, step: &'a Step) -> Option<Self> {
        Some(Self { network, root: *step.inputs.first()?, steps: vec![step] })
    }

    /// The operators, as in `Sigmoid+Mul`.
    pub(super) fn operators(&self) -> String {
        self.steps.iter().map(|step| step.op_type.as_str()).collect::<Vec<_>>().join("+")
    }

    /// The function of `h` and its derivative along `dh` where that is given: maps `[1, 1, channels, rows, columns]`
    /// to the same, with the places of `positions`.
    pub(super) fn apply(
        &self,
        positions: &PositionMap,
        h: &Tensor,
        dh: Option<&Tensor>,
    ) -> Result<(Tensor, Option<Tensor>), GraphError> {
        let shape = &self.network.values()[self.root].shape;
        let native = |map: &Tensor| -> Result<Tensor, GraphError> {
            // What gathering an empty map would give tells the axes that lead.
            let blank = Tensor::f_empty([&[1], shape.as_slice()].concat(), (map.kind(), map.device()))?;
            let placed = positions.scatter(&map.f_reshape(positions.gather(&blank)?.size())?, shape)?;
            // Steps may overwrite what they read.
            Ok(placed.f_contiguous()?.f_clone(&placed)?)
        };
        let stack = match dh {
            Some(dh) => Tensor::f_cat(&[native(h)?, native(dh)?], 0)?,
            None => native(h)?,
        };
        let tangents = i64::from(dh.is_some());
        let missing = || GraphError::Graph { path: self.operators(), problem: "nothing reads its value".to_owned() };
        let last = self.steps.last().and_then(|step| step.outputs.first().copied().flatten()).ok_or_else(missing)?;
        let input = [(self.root, Value { stack, tangents })];
        let made = self.network.run_part(self.steps.iter().copied(), input, 1, &[last])?;
        let (_, value) = made.into_iter().next().ok_or_else(missing)?;
        let map = |x: &Tensor| -> Result<Tensor, GraphError> { Ok(positions.gather(x)?.f_reshape(h.size())?) };
        let y = map(&value.primal(1)?)?;
        let dy = match (value.tangent(1)?, dh) {
            (Some(dy), Some(_)) => Some(map(&dy.f_select(0, 0)?)?),
            (None, Some(_)) => Some(y.f_zeros_like()?),
            (_, None) => None,
        };
        Ok((y, dy))
    }
}

fn is_entrywise(network: &Network, step: &Step) -> bool {
    let shape = |id: usize| &network.values()[id].shape;
    let [Some(output)] = step.outputs[..] else { return false };
    let combines = matches!(*step.operator, Operator::Elementwise(_)) || COMBINING.contains(&step.op_type.as_str());
    combines && step.inputs.iter().all(|&input| shape(input) == shape(output))
}

/// Whether it multiplies, divides or compares two values that both move.
fn couples(step: &Step) -> bool {
    step.inputs.len() > 1 && NONLINEAR.contains(&step.op_type.as_str())
}

/// The region's part that its last nonlinear node depends on, where two moving operands meet in it.
fn composite<'a>(network: &'a Network, root: usize, region: &[&'a Step]) -> Option<Composite<'a>> {
    let is_nonlinear = |step: &Step| couples(step) || matches!(*step.operator, Operator::Elementwise(_));
    let end = region.iter().rposition(|step| is_nonlinear(step))?;
    let mut needed: Vec<usize> = Vec::new();
    let mut steps = Vec::new();
    for (at, step) in region[..=end].iter().enumerate().rev() {
        if at == end || step.outputs.iter().flatten().any(|output| needed.contains(output)) {
            needed.extend(&step.inputs);
            steps.push(*step);
        }
    }
    steps.reverse();
    steps.iter().any(|step| couples(step)).then_some(Composite { network, root, steps })
}
