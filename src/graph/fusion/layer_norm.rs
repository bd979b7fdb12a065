//! Layer norms that are written out: seven nodes, or up to nine with their scale and offset.

use tch::Tensor;

use crate::graph::layout::Flow;
use crate::graph::operator::{Operator, Torch};
use crate::graph::ops::{Function, standardized};

use super::{Group, Links, single};

/// The nodes of x − μ and of √(σ² + ε).
struct Deviation {
    members: Vec<usize>,
    x: usize,
    centred: usize,
    epsilon: f64,
}

impl Links<'_> {
    /// (x − μ)/√(σ² + ε) along the last axis, or the same times 1/√(σ² + ε), with the scale and the offset of every
    /// feature where they follow.
    pub(super) fn layer_norm(&self, root: usize) -> Torch<Option<Group>> {
        let Some(Deviation { mut members, x, centred, epsilon }) = self.deviation(root) else { return Ok(None) };
        let count = self.values[x].shape.last().copied().unwrap_or(0);
        let Some(next) = self.reader(root) else { return Ok(None) };
        members.push(next);
        let (mut scale, mut end) = (None, next);
        if self.function(next) == Some(Function::Reciprocal) {
            let Some(mut product) = self.reader(next) else { return Ok(None) };
            scale = self.gain(product, None, count)?;
            if scale.is_some() {
                members.push(product);
                end = product;
                let Some(after) = self.reader(product) else { return Ok(None) };
                product = after;
            }
            if !self.joins(product, "Mul", [centred, self.steps[end].outputs[0].unwrap_or(centred)]) {
                return Ok(None);
            }
            members.push(product);
            end = product;
        } else if !self.joins(next, "Div", [centred, self.steps[root].outputs[0].unwrap_or(centred)]) {
            return Ok(None);
        }
        if scale.is_none()
            && let Some(after) = self.reader(end)
            && let Some(gain) = self.gain(after, None, count)?
        {
            scale = Some(gain);
            members.push(after);
            end = after;
        }
        let mut bias: Option<Tensor> = None;
        if let Some(after) = self.reader(end)
            && let Some(offset) = self.addend(after).filter(|offset| offset.size() == [count])
        {
            bias = Some(offset.shallow_clone());
            members.push(after);
        }
        members.sort_unstable();
        let operator = standardized(self.values[x].shape.len(), scale, bias, epsilon);
        Ok(Some(Group { members, inputs: vec![x], name: "LayerNormalization", operator }))
    }

    fn deviation(&self, root: usize) -> Option<Deviation> {
        if self.function(root)? != Function::Sqrt {
            return None;
        }
        let (sum, variance) = self.before(self.steps[root].inputs[0])?;
        let epsilon = single(self.addend(sum)?)?;
        let (mean_of_squares, squares) = self.before(variance)?;
        let square = self.writer[squares]?;
        let centred = match (self.function(square), &self.steps[square].inputs[..]) {
            (Some(Function::Power(2.0)), &[centred]) => centred,
            (None, &[centred, same]) if centred == same && self.joins(square, "Mul", [centred; 2]) => centred,
            _ => return None,
        };
        let difference = self.writer[centred]?;
        let (&[x, mean], "Sub") = (&self.steps[difference].inputs[..], self.steps[difference].op_type.as_str()) else {
            return None;
        };
        let (mean_of_all, all) = self.before(mean)?;
        let fits = all == x && self.values[x].kind == self.kind;
        (fits && self.is_mean_of_features(mean_of_all) && self.is_mean_of_features(mean_of_squares)).then(|| {
            Deviation {
                members: vec![mean_of_all, difference, square, mean_of_squares, sum, root],
                x,
                centred,
                epsilon,
            }
        })
    }

    /// Whether the step is the mean along the last axis, which stays as an axis of one entry.
    fn is_mean_of_features(&self, at: usize) -> bool {
        let step = &self.steps[at];
        let along = matches!(&step.flow, Flow::Reduced { axes, keep: true } if axes[..] == [-1]);
        along && step.op_type == "ReduceMean"
    }

    /// Whether the step is this operator of two varying values, in the given order where that counts.
    fn joins(&self, at: usize, operator: &str, [first, second]: [usize; 2]) -> bool {
        let step = &self.steps[at];
        let inputs = &step.inputs[..];
        matches!(*step.operator, Operator::Differentiable(_))
            && step.op_type == operator
            && (inputs == [first, second] || operator == "Mul" && inputs == [second, first])
    }
}
