//! Lists of values: known by their elements' names when a model is loaded, so that nothing of them is left in the
//! network.

use tch::{Kind, Tensor};

use crate::graph::builder::Slot;
use crate::graph::error::GraphError;
use crate::graph::onnx::Attributes;
use crate::graph::onnx::proto::{AttributeProto, NodeProto};
use crate::graph::ops::expansion::{int, ints};

use super::node::MAX_WRITTEN;
use super::{Known, Loader};

/// More elements than any network has.
const MOST: i64 = 1 << 16;

impl Loader<'_> {
    /// Visits a node that makes a list of values, or takes from one.
    pub(super) fn visit_sequence(&mut self, node: &NodeProto, name: &str) -> Result<(), GraphError> {
        let mut attributes = Attributes::new(node, name, &self.file.folder())?;
        let made = match node.op_type.as_deref().unwrap_or("") {
            "SequenceEmpty" => {
                let _ = attributes.int("dtype")?;
                Some(Vec::new())
            }
            "SequenceConstruct" => Some(node.input.clone()),
            "SequenceInsert" => {
                let mut list = self.list(node, name, 0)?;
                let at = self.place(node, name, 2, list.len() as i64, true)?;
                list.insert(at, node.input.get(1).cloned().unwrap_or_default());
                Some(list)
            }
            "SequenceErase" => {
                let mut list = self.list(node, name, 0)?;
                let at = self.place(node, name, 1, list.len() as i64, false)?;
                list.remove(at);
                Some(list)
            }
            "SplitToSequence" => {
                let axis = attributes.int("axis")?.unwrap_or(0);
                let keep = attributes.int("keepdims")?.unwrap_or(1) != 0;
                attributes.finish(self.file.opset(""))?;
                return self.split(node, name, axis, keep);
            }
            "SequenceLength" => {
                let count = self.list(node, name, 0)?.len() as i64;
                let count = Tensor::f_from_slice(&[count])?.f_reshape([0i64; 0])?.f_to_device(self.options.device)?;
                if let Some(output) = node.output.first() {
                    self.known.insert(output.clone(), Known::Constant(count));
                }
                None
            }
            "SequenceAt" => {
                let list = self.list(node, name, 0)?;
                let at = self.place(node, name, 1, list.len() as i64, false)?;
                let taken = replacement(node, "Identity", &list[at..=at], Vec::new());
                attributes.finish(self.file.opset(""))?;
                return self.write_out(node, name, &[taken]);
            }
            _ => {
                let list = self.list(node, name, 0)?;
                let axis = attributes.int("axis")?.unwrap_or(0);
                let stacked = attributes.int("new_axis")?.unwrap_or(0) != 0;
                attributes.finish(self.file.opset(""))?;
                let nodes = self.joined(node, &list, axis, stacked);
                return self.write_out(node, name, &nodes);
            }
        };
        attributes.finish(self.file.opset(""))?;
        if let Some(list) = made {
            for element in &list {
                // Refused here where nothing makes it.
                self.slot(name, node.op_type.as_deref().unwrap_or(""), element)?;
            }
            self.remember(node, name, list)?;
        }
        self.release(node);
        Ok(())
    }

    /// A list under the node's first output; its elements are kept, as any later node may ask for them.
    fn remember(&mut self, node: &NodeProto, name: &str, list: Vec<String>) -> Result<(), GraphError> {
        self.written += list.len();
        if self.written > MAX_WRITTEN {
            return Err(invalid(node, name, "the model's lists of values are too long; export the model again"));
        }
        for element in &list {
            *self.readers.entry(element.clone()).or_default() += 1;
        }
        if let Some(output) = node.output.first() {
            self.sequences.insert(output.clone(), list);
        }
        Ok(())
    }

    /// The list that is input `i`.
    fn list(&self, node: &NodeProto, name: &str, i: usize) -> Result<Vec<String>, GraphError> {
        let input = node.input.get(i).map_or("", String::as_str);
        let known = self.sequences.get(input).cloned();
        known.ok_or_else(|| invalid(node, name, format!("its input '{input}' is not a list of values")))
    }

    /// The constant place that is input `i`, counted from the front, in a list of `count`; the last where it is absent.
    fn place(&mut self, node: &NodeProto, name: &str, i: usize, count: i64, after: bool) -> Result<usize, GraphError> {
        let input = node.input.get(i).cloned().unwrap_or_default();
        let last = if after { count } else { count - 1 };
        let at = match self.slot(name, node.op_type.as_deref().unwrap_or(""), &input)? {
            None => last,
            Some(Slot::Constant(at)) if at.numel() == 1 => {
                let at = at.f_to_kind(Kind::Int64)?.f_reshape([-1])?.f_int64_value(&[0])?;
                if at < 0 { at.saturating_add(count) } else { at }
            }
            Some(_) => return Err(invalid(node, name, "its place in the list is not one constant number")),
        };
        match (0..=last).contains(&at) {
            true => Ok(at as usize),
            false => Err(invalid(node, name, format!("its place lies outside a list of {count} values"))),
        }
    }

    /// SplitToSequence as a Split whose outputs are the list's elements.
    fn split(&mut self, node: &NodeProto, name: &str, axis: i64, keep: bool) -> Result<(), GraphError> {
        let operator = node.op_type.as_deref().unwrap_or("");
        let input = node.input.first().cloned().unwrap_or_default();
        let shape = match self.slot(name, operator, &input)? {
            Some(slot) => slot.shape(),
            None => return Err(invalid(node, name, "input 0 is missing")),
        };
        let rank = shape.len() as i64;
        let at = if axis < 0 { axis.saturating_add(rank) } else { axis };
        let length = usize::try_from(at).ok().and_then(|at| shape.get(at).copied());
        let length =
            length.ok_or_else(|| invalid(node, name, format!("axis {axis} is outside a value of {rank} axes")))?;
        let sizes = match self.slot(name, operator, node.input.get(1).map_or("", String::as_str))? {
            None if length > MOST => {
                return Err(invalid(node, name, format!("an axis of {length} makes too long a list of values")));
            }
            None => vec![1; length.max(0) as usize],
            Some(Slot::Constant(sizes)) if sizes.dim() == 0 => {
                let each = sizes.f_to_kind(Kind::Int64)?.f_int64_value(&[])?;
                if each < 1 || length / each > MOST {
                    return Err(invalid(node, name, format!("parts of {each} do not make an axis of {length}")));
                }
                (0..length).step_by(each as usize).map(|start| each.min(length - start)).collect()
            }
            Some(Slot::Constant(sizes)) => {
                Vec::try_from(&sizes.f_to_kind(Kind::Int64)?.f_reshape([-1])?.f_to_device(tch::Device::Cpu)?)?
            }
            Some(Slot::Varying { .. }) => {
                return Err(invalid(
                    node,
                    name,
                    "the sizes of its parts depend on the network's input; constants are supported",
                ));
            }
        };
        if sizes.is_empty() {
            return Err(invalid(node, name, format!("an axis of {length} makes no list of values")));
        }
        let output = node.output.first().cloned().unwrap_or_default();
        let elements: Vec<String> = (0..sizes.len()).map(|i| format!("{output}/{i}")).collect();
        // Without a given split, and only then, the axis may go.
        let squeeze = !keep && node.input.get(1).is_none_or(String::is_empty);
        let parts: Vec<String> =
            if squeeze { elements.iter().map(|e| format!("{e}/part")).collect() } else { elements.clone() };
        let inputs = self.file.opset("") >= 13;
        let mut nodes = Vec::new();
        let with_list = |nodes: &mut Vec<NodeProto>, mut one: NodeProto, what: &str, values: &[i64]| {
            if inputs {
                let list = format!("{output}/{what}");
                if nodes.iter().all(|n| n.output.first() != Some(&list)) {
                    nodes.push(named(
                        node,
                        "Constant",
                        &[],
                        std::slice::from_ref(&list),
                        vec![ints("value_ints", values)],
                    ));
                }
                one.input.push(list);
            } else {
                one.attribute.push(ints(what, values));
            }
            nodes.push(one);
        };
        let split = named(node, "Split", &[input], &parts, vec![int("axis", axis)]);
        with_list(&mut nodes, split, "split", &sizes);
        if squeeze {
            for (part, element) in parts.iter().zip(&elements) {
                let one = named(node, "Squeeze", std::slice::from_ref(part), std::slice::from_ref(element), Vec::new());
                with_list(&mut nodes, one, "axes", &[axis]);
            }
        }
        self.claim(&elements)?;
        self.remember(node, name, elements.clone())?;
        let stands = NodeProto { output: elements, ..node.clone() };
        self.write_out(&stands, name, &nodes)
    }

    /// ConcatFromSequence as Concat, after an Unsqueeze of each where a new axis is made.
    fn joined(&self, node: &NodeProto, list: &[String], axis: i64, stacked: bool) -> Vec<NodeProto> {
        if !stacked {
            return vec![replacement(node, "Concat", list, vec![int("axis", axis)])];
        }
        let output = node.output.first().cloned().unwrap_or_default();
        let axes = format!("{output}/axes");
        let inputs = self.file.opset("") >= 13;
        let mut nodes = Vec::new();
        if inputs {
            nodes.push(named(node, "Constant", &[], std::slice::from_ref(&axes), vec![ints("value_ints", &[axis])]));
        }
        let mut raised = Vec::with_capacity(list.len());
        for (i, element) in list.iter().enumerate() {
            let mut one =
                named(node, "Unsqueeze", std::slice::from_ref(element), &[format!("{output}/{i}")], Vec::new());
            if inputs {
                one.input.push(axes.clone());
            } else {
                one.attribute.push(ints("axes", &[axis]));
            }
            raised.extend(one.output.clone());
            nodes.push(one);
        }
        nodes.push(replacement(node, "Concat", &raised, vec![int("axis", axis)]));
        nodes
    }
}

/// A node in the place of another, named after it.
fn named(
    node: &NodeProto,
    operator: &str,
    inputs: &[String],
    outputs: &[String],
    attribute: Vec<AttributeProto>,
) -> NodeProto {
    let base = node.name.as_deref().filter(|name| !name.is_empty()).or(node.output.first().map(String::as_str));
    NodeProto {
        name: Some(format!("{}/{operator}", base.unwrap_or(""))),
        op_type: Some(operator.to_owned()),
        input: inputs.to_vec(),
        output: outputs.to_vec(),
        attribute,
        ..Default::default()
    }
}

/// A node that makes the other's first output.
fn replacement(node: &NodeProto, operator: &str, inputs: &[String], attribute: Vec<AttributeProto>) -> NodeProto {
    named(node, operator, inputs, &node.output[..node.output.len().min(1)], attribute)
}

fn invalid(node: &NodeProto, name: &str, problem: impl Into<String>) -> GraphError {
    GraphError::Node {
        node: name.to_owned(),
        operator: node.op_type.clone().unwrap_or_default(),
        shapes: node.input.join(", "),
        problem: problem.into(),
    }
}
