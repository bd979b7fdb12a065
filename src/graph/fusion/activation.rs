//! Activations that are written out in several nodes.

use super::{Group, Links, single};
use crate::graph::operator::{Operator, Torch};
use crate::graph::ops::Function;
use crate::spectrum::activation::Activation;
use crate::spectrum::activation::recognise::{Graph, Node, Operand, Size, recognise};

impl Links<'_> {
    /// x·½·(1 + erf(x/√2)), x·σ(βx) with the logistic function, x·hard sigmoid, x·tanh(softplus), their last node at
    /// `root`.
    pub(super) fn activation(&self, root: usize) -> Torch<Option<Group>> {
        Ok(self.find_activation(root))
    }

    fn find_activation(&self, root: usize) -> Option<Group> {
        let found = recognise(self, root, Size::Composite)?;
        // What is computed must be what the nodes say, in the run's own precision.
        if found.deviation > self.rounding() {
            return None;
        }
        let clips = |&at: &usize| matches!(self.function(at), Some(Function::Clip(..)));
        let (function, name) = match found.activation {
            Activation::Gelu => (Function::Gelu, "Gelu"),
            Activation::Silu => (Function::Swish(1.0), "Swish"),
            Activation::QuickGelu(_) => (Function::Swish(found.parameter?), "Swish"),
            // By way of a clip it stays as it is: libtorch's hard swish rounds otherwise than those nodes do.
            Activation::HardSwish if !found.nodes.iter().any(clips) => (Function::HardSwish, "HardSwish"),
            Activation::Mish => (Function::Mish, "Mish"),
            _ => return None,
        };
        let operator = Operator::Elementwise(Box::new(function));
        Some(Group { members: found.nodes, inputs: vec![found.input], name, operator })
    }
}

impl Graph for Links<'_> {
    type Value = usize;

    fn producer(&self, value: usize) -> Option<usize> {
        self.writer[value]
    }

    fn node(&self, at: usize) -> Option<Node<'_, usize>> {
        let step = &self.steps[at];
        self.output(at)?;
        let &first = step.inputs.first()?;
        let with = |operator, second| Some(Node { operator, operands: vec![Operand::Value(first), second] });
        if let Some(c) = self.factor(at) {
            return with("Mul", Operand::Constant(c));
        }
        if let Some(c) = self.addend(at) {
            return with("Add", Operand::Constant(single(c)?));
        }
        if step.inputs.len() == 2 {
            return with("Mul", Operand::Value(self.times(at, first)?));
        }
        let mut operands = vec![Operand::Value(first)];
        if let Function::Clip(low, high) = self.function(at)? {
            operands.extend([Operand::Constant(low), Operand::Constant(high)]);
        }
        Some(Node { operator: &step.op_type, operands })
    }

    fn number(&self, at: usize, name: &str) -> Option<f64> {
        match (self.function(at)?, name) {
            (Function::HardSigmoid(alpha, _), "alpha") => Some(alpha),
            (Function::HardSigmoid(_, beta), "beta") => Some(beta),
            _ => None,
        }
    }

    /// None of the nodes that a form of several has says anything in words.
    fn text(&self, _: usize, _: &str) -> Option<String> {
        None
    }

    fn is_read_only_by(&self, at: usize, nodes: &[usize]) -> bool {
        let outputs = self.steps[at].outputs.iter().flatten();
        outputs.flat_map(|&id| &self.readers[id]).all(|reader| nodes.contains(reader))
    }
}
