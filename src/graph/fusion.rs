//! Fusion: nodes that become one operator in an unobserved run.
//!
//! Exporters write GELU as five nodes, a linear layer as two, a layer norm as seven to nine and an attention as four or
//! more, and each node passes its whole value through memory. An unobserved run fuses such nodes into one operator.
//! Only values that nothing else reads may disappear; the layers of an attribution, and a run that is observed, see
//! every node.

mod activation;
mod layer_norm;

use std::rc::Rc;

use tch::{Device, Kind, Tensor};

use super::layout::Flow;
use super::network::{Step, ValueInfo, wires};
use super::operator::{AttentionPart, Operator, Pattern, Torch};
use super::ops::{Function, activated_convolution, affine, head_attention};

/// Nodes that become one operator.
struct Group {
    /// Their places, in order; the last makes the output.
    members: Vec<usize>,
    inputs: Vec<usize>,
    /// What they are as one, in ONNX's words where it has one.
    name: &'static str,
    operator: Operator,
}

impl Group {
    /// The group as one step.
    fn step(self, steps: &[Step]) -> Step {
        let (first, last) = (&steps[self.members[0]], &steps[self.members[self.members.len() - 1]]);
        Step {
            name: format!("{}' to '{}", first.name, last.name),
            module: String::new(),
            op_type: self.name.to_owned(),
            operator: Rc::new(self.operator),
            nodes: self.members.len(),
            flow: Flow::Unknown,
            inputs: self.inputs,
            outputs: last.outputs.clone(),
            frees: Vec::new(),
            may_overwrite: false,
        }
    }
}

/// A graph with links in both directions.
struct Links<'a> {
    steps: &'a [Step],
    values: &'a [ValueInfo],
    /// Per value: the step that makes it.
    writer: Vec<Option<usize>>,
    /// Per value: the steps that read it, and the end of the steps where it is the network's output.
    readers: Vec<Vec<usize>>,
    kind: Kind,
    device: Device,
}

/// A run in which nodes are fused.
///
/// # Errors
/// When libtorch cannot compute a constant.
pub(super) fn fuse(
    steps: &[Step],
    values: &[ValueInfo],
    output: usize,
    (kind, device): (Kind, Device),
) -> Torch<Vec<Step>> {
    let links = Links::new(steps, values, output, (kind, device));
    let mut taken = vec![false; steps.len()];
    let mut groups: Vec<Option<Group>> = steps.iter().map(|_| None).collect();
    let rules = [Links::attention, Links::activation, Links::layer_norm, Links::linear, Links::activated_convolution];
    for rule in rules {
        for at in 0..steps.len() {
            if taken[at] {
                continue;
            }
            if let Some(group) = rule(&links, at)?
                && group.members.iter().all(|&m| !taken[m])
                && links.may_disappear(&group)
            {
                group.members.iter().for_each(|&m| taken[m] = true);
                let last = group.members[group.members.len() - 1];
                groups[last] = Some(group);
            }
        }
    }
    let mut fused = Vec::new();
    for (at, group) in groups.into_iter().enumerate() {
        match group {
            Some(group) => fused.push(group.step(steps)),
            None if taken[at] => {}
            None => fused.push(steps[at].clone()),
        }
    }
    set_lifetimes(&mut fused, values.len(), output);
    Ok(fused)
}

/// Says of each step, in the order of a run, which values nothing reads afterwards, and whether it may overwrite its
/// first input.
pub(super) fn set_lifetimes(steps: &mut [Step], values: usize, output: usize) {
    let mut fresh = vec![false; values];
    let mut readers = vec![0usize; values];
    let mut last = vec![None; values];
    readers[output] += 1;
    for (at, step) in steps.iter().enumerate() {
        step.outputs.iter().flatten().for_each(|&id| fresh[id] = step.operator.is_fresh());
        for &id in &step.inputs {
            readers[id] += 1;
            last[id] = Some(at);
        }
    }
    for (at, step) in steps.iter_mut().enumerate() {
        step.may_overwrite = step.inputs.first().is_some_and(|&first| fresh[first] && readers[first] == 1);
        step.frees = step.inputs.iter().copied().filter(|&id| last[id] == Some(at) && id != output).collect();
        step.frees.sort_unstable();
        step.frees.dedup();
    }
}

/// A constant of one entry.
fn single(tensor: &Tensor) -> Option<f64> {
    let number = || tensor.f_to_kind(Kind::Double)?.f_reshape([-1])?.f_double_value(&[0]);
    if tensor.numel() == 1 { number().ok() } else { None }
}

impl<'a> Links<'a> {
    fn new(steps: &'a [Step], values: &'a [ValueInfo], output: usize, (kind, device): (Kind, Device)) -> Self {
        let (writer, mut readers) = wires(steps, values.len());
        readers[output].push(steps.len());
        Self { steps, values, writer, readers, kind, device }
    }

    /// Whether no value but the last is seen outside the group.
    fn may_disappear(&self, group: &Group) -> bool {
        let Some((_, inner)) = group.members.split_last() else { return false };
        inner.iter().all(|&m| {
            let read = |id: &usize| self.readers[*id].iter().all(|reader| group.members.contains(reader));
            self.steps[m].outputs.iter().flatten().all(read)
        })
    }

    /// The only output of a step.
    fn output(&self, at: usize) -> Option<usize> {
        match self.steps[at].outputs[..] {
            [Some(id)] => Some(id),
            _ => None,
        }
    }

    /// The only reader of a step's only output.
    fn reader(&self, at: usize) -> Option<usize> {
        match self.readers[self.output(at)?][..] {
            [reader] if reader < self.steps.len() => Some(reader),
            _ => None,
        }
    }

    /// The step that makes the value, and its only input, where it has one.
    fn before(&self, id: usize) -> Option<(usize, usize)> {
        let at = self.writer[id]?;
        match self.steps[at].inputs[..] {
            [input] => Some((at, input)),
            _ => None,
        }
    }

    fn function(&self, at: usize) -> Option<Function> {
        match &*self.steps[at].operator {
            Operator::Elementwise(op) => op.function(),
            _ => None,
        }
    }

    /// c, where the step is x ↦ c·x with one number c.
    fn factor(&self, at: usize) -> Option<f64> {
        let step = &self.steps[at];
        let (Operator::Linear(op), [_]) = (&*step.operator, &step.inputs[..]) else { return None };
        let (None, [constant]) = (op.offset(), &op.constants()[..]) else { return None };
        match step.op_type.as_str() {
            "Mul" => single(constant),
            "Div" => single(constant).map(|c| 1.0 / c),
            _ => None,
        }
    }

    /// c, where the step is x ↦ x + c.
    fn addend(&self, at: usize) -> Option<&Tensor> {
        let step = &self.steps[at];
        match (&*step.operator, &step.inputs[..], step.op_type.as_str()) {
            (Operator::Linear(op), [_], "Add") => op.offset(),
            _ => None,
        }
    }

    /// The other factor, where the step multiplies two varying values of one shape.
    fn times(&self, at: usize, one: usize) -> Option<usize> {
        let step = &self.steps[at];
        let same = |a: usize, b: usize| self.values[a].shape == self.values[b].shape;
        match (&*step.operator, &step.inputs[..], step.op_type.as_str()) {
            (Operator::Differentiable(_), &[a, b], "Mul") if same(a, b) && a == one => Some(b),
            (Operator::Differentiable(_), &[a, b], "Mul") if same(a, b) && b == one => Some(a),
            _ => None,
        }
    }

    /// How far apart two numbers may be, as a share of them, that are the same in the run's precision.
    fn rounding(&self) -> f64 {
        2.0 * if self.kind == Kind::Double { f64::EPSILON } else { f64::from(f32::EPSILON) }
    }

    /// (x·W + b)·g, with a transposition before g or without.
    fn linear(&self, product: usize) -> Torch<Option<Group>> {
        let Some((mut members, x, mut weight, mut bias)) = self.find_linear(product) else { return Ok(None) };
        let mut order = None;
        let next = members.last().and_then(|&sum| self.reader(sum));
        if let Some(next) = next {
            let (transposed, scaling) = match (self.permutation(next), self.reader(next)) {
                (Some(axes), Some(scaling)) => (Some((next, axes)), scaling),
                (Some(_), None) => (None, self.steps.len()),
                (None, _) => (None, next),
            };
            let axes = transposed.map(|(_, axes)| axes.to_vec());
            if let Some(gain) = self.gain(scaling, axes.as_deref(), bias.size()[0])? {
                weight = weight.f_mul(&gain)?;
                bias = bias.f_mul(&gain)?;
                members.extend(transposed.map(|(at, _)| at));
                members.push(scaling);
                order = axes;
            }
        }
        let operator = affine(&weight, &bias, order)?;
        Ok(Some(Group { members, inputs: vec![x], name: "Linear", operator }))
    }

    fn find_linear(&self, product: usize) -> Option<(Vec<usize>, usize, Tensor, Tensor)> {
        let step = &self.steps[product];
        let (Operator::Linear(op), &[x]) = (&*step.operator, &step.inputs[..]) else { return None };
        let (Pattern::Matrix { axis: -1, matrix }, None) = (op.pattern(), op.offset()) else { return None };
        let weight = matrix.f_transpose(0, 1).ok()?;
        let sum = self.reader(product)?;
        let bias = self.addend(sum)?;
        let fits = bias.dim() == 1 && bias.size()[0] == weight.size()[1];
        fits.then(|| (vec![product, sum], x, weight, bias.shallow_clone()))
    }

    /// A convolution of images with its bias, and the clip after it.
    fn activated_convolution(&self, convolution: usize) -> Torch<Option<Group>> {
        Ok(self.find_activated_convolution(convolution))
    }

    fn find_activated_convolution(&self, convolution: usize) -> Option<Group> {
        let step = &self.steps[convolution];
        let Operator::Linear(op) = &*step.operator else { return None };
        let (taps, offset) = (op.pattern().taps()?, op.offset()?);
        let clip = self.reader(convolution)?;
        let (function, name) = match self.function(clip)? {
            function @ Function::Relu => (function, "Conv+Relu"),
            function @ Function::Clip(..) => (function, "Conv+Clip"),
            _ => return None,
        };
        let operator = activated_convolution(taps, offset, function);
        Some(Group { members: vec![convolution, clip], inputs: step.inputs.clone(), name, operator })
    }

    fn permutation(&self, at: usize) -> Option<&[i64]> {
        let Operator::Linear(op) = &*self.steps[at].operator else { return None };
        match op.pattern() {
            Pattern::Transposition(axes) => Some(axes),
            _ => None,
        }
    }

    /// One factor for each of `count` features, where the step multiplies by such: features lie on the last axis,
    /// before the axes were put in the order `order`.
    fn gain(&self, at: usize, order: Option<&[i64]>, count: i64) -> Torch<Option<Tensor>> {
        let Some(step) = self.steps.get(at).filter(|step| step.op_type == "Mul") else { return Ok(None) };
        let (Operator::Linear(op), &[input]) = (&*step.operator, &step.inputs[..]) else { return Ok(None) };
        let (None, &[factor]) = (op.offset(), &op.constants()[..]) else { return Ok(None) };
        let rank = self.values[input].shape.len();
        let place = match order {
            Some(order) => order.iter().position(|&a| a == rank as i64 - 1),
            None => rank.checked_sub(1),
        };
        let size = factor.size();
        // From the end, as broadcasting counts.
        let Some(after) = place.map(|place| rank - place) else { return Ok(None) };
        let fits = size.len() >= after
            && size.len() <= rank
            && factor.kind() == self.kind
            && size.iter().enumerate().all(|(i, &n)| n == if size.len() - i == after { count } else { 1 });
        if fits { Ok(Some(factor.f_reshape([-1])?)) } else { Ok(None) }
    }

    fn part(&self, at: usize) -> Option<AttentionPart> {
        match &*self.steps[at].operator {
            Operator::Differentiable(op) => op.attention_part(),
            _ => None,
        }
    }

    /// softmax(s·QKᵀ + c)·V.
    fn attention(&self, softmax: usize) -> Torch<Option<Group>> {
        let Some((mut members, [q, k, v], scale, between)) = self.find_attention(softmax) else { return Ok(None) };
        // c: what the nodes between product and softmax make of zeros.
        let offset = match between.split_first() {
            None => None,
            Some((&first, _)) => {
                let shape = &self.values[self.steps[first].inputs[0]].shape;
                let options = (self.kind, self.device);
                let mut c = Tensor::f_zeros([&[1], shape.as_slice()].concat(), options)?;
                for &at in &between {
                    c = self.steps[at].operator.forward(&[&c])?.swap_remove(0);
                }
                constant_axes_once(&c.f_select(0, 0)?)?
            }
        };
        members.sort_unstable();
        let operator = head_attention(scale, offset);
        Ok(Some(Group { members, inputs: vec![q, k, v], name: "Attention", operator }))
    }

    /// The nodes, Q, Kᵀ and V, s, and the nodes between product and softmax in order.
    #[allow(clippy::type_complexity)]
    fn find_attention(&self, softmax: usize) -> Option<(Vec<usize>, [usize; 3], f64, Vec<usize>)> {
        if self.part(softmax)? != AttentionPart::Softmax {
            return None;
        }
        let end = self.reader(softmax)?;
        let (Some(AttentionPart::Product), &[weights, v]) = (self.part(end), &self.steps[end].inputs[..]) else {
            return None;
        };
        if weights != self.output(softmax)? {
            return None;
        }
        let mut members = vec![softmax, end];
        let (mut scale, mut between) = (1.0, Vec::new());
        let mut id = self.steps[softmax].inputs[0];
        let product = loop {
            let at = self.writer[id]?;
            if self.part(at) == Some(AttentionPart::Product) {
                break at;
            }
            let is_view = matches!(self.steps[at].op_type.as_str(), "Reshape" | "Squeeze" | "Unsqueeze" | "Identity");
            match self.factor(at) {
                Some(factor) => scale *= factor,
                None if is_view || self.addend(at).is_some() => {}
                None => return None,
            }
            between.push(at);
            id = *self.steps[at].inputs.first()?;
        };
        between.reverse();
        members.push(product);
        members.extend(&between);
        let &[mut q, mut k] = &self.steps[product].inputs[..] else { return None };
        let scores = &self.values[self.output(product)?].shape;
        // Views between that end where they began move nothing.
        if *scores != self.values[self.steps[softmax].inputs[0]].shape {
            return None;
        }
        for operand in [&mut q, &mut k] {
            if let Some((at, input)) = self.before(*operand)
                && let Some(factor) = self.factor(at)
                && self.reader(at) == Some(product)
            {
                scale *= factor;
                members.push(at);
                *operand = input;
            }
        }
        // No operand is broadcast against another, nor is of another kind.
        let lead = |id: usize| {
            let shape = &self.values[id].shape;
            (&shape[..shape.len().saturating_sub(2)], shape.len(), self.values[id].kind)
        };
        let fits = lead(q) == lead(k) && lead(q) == lead(v) && lead(q).1 >= 3 && scale.is_finite();
        fits.then_some((members, [q, k, v], scale, between))
    }
}

/// Axes along which nothing changes as axes of one entry; none where all entries are zero.
fn constant_axes_once(c: &Tensor) -> Torch<Option<Tensor>> {
    if c.f_count_nonzero(None)?.f_int64_value(&[])? == 0 {
        return Ok(None);
    }
    let mut c = c.shallow_clone();
    for axis in 0..c.dim() as i64 - 2 {
        let first = c.f_narrow(axis, 0, 1)?;
        if c.f_eq_tensor(&first)?.f_all()?.f_int64_value(&[])? != 0 {
            c = first;
        }
    }
    Ok(Some(c.copy()))
}
