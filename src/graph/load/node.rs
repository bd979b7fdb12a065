//! A node on its way into the network: folded into a constant, built and run on the zero image, or written out as the
//! nodes that it stands for.

use std::rc::Rc;

use tch::{Kind, Tensor};

use crate::graph::builder::{Builder, Slot};
use crate::graph::caught::caught;
use crate::graph::custom::CUSTOM_DOMAIN;
use crate::graph::error::GraphError;
use crate::graph::network::Step;
use crate::graph::onnx::proto::{FunctionProto, NodeProto};
use crate::graph::onnx::{Attributes, is_own};
use crate::graph::ops::{self, Make};
use crate::graph::positions::{self, Known as KnownPositions};
use crate::graph::{inline, refusal};

use super::functions::function_key;
use super::padding::{self, Padding};
use super::{Known, Loader, needed, wrong};

/// Functions in functions, or branches in branches.
const MAX_DEPTH: usize = 64;

/// Nodes that stand in other nodes' places.
pub(super) const MAX_WRITTEN: usize = 250_000;

impl<'a> Loader<'a> {
    /// Visits nodes that stand in the place of `node`.
    pub(super) fn write_out(&mut self, node: &NodeProto, name: &str, nodes: &[NodeProto]) -> Result<(), GraphError> {
        self.written += nodes.len();
        if self.depth >= MAX_DEPTH || self.written > MAX_WRITTEN {
            return Err(wrong(
                self.file,
                format!("node '{name}': its functions or branches are nested without end; export the model again"),
            ));
        }
        let outputs: Vec<&str> = node.output.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
        for inner in nodes {
            let own: Vec<String> = inner.output.iter().filter(|o| !outputs.contains(&o.as_str())).cloned().collect();
            self.claim(&own)?;
        }
        let nodes = needed(nodes, &outputs);
        self.pooled.extend(padding::read_by_maxima(nodes.iter().copied(), &outputs));
        nodes.iter().for_each(|inner| self.count_reads(inner));
        self.depth += 1;
        nodes.iter().try_for_each(|inner| self.visit(inner))?;
        self.depth -= 1;
        self.release(node);
        Ok(())
    }

    pub(super) fn visit(&mut self, node: &NodeProto) -> Result<(), GraphError> {
        if let Some(padding) = node.input.first().and_then(|input| self.paddings.get(input)) {
            return self.visit(&padding.taken_over(node));
        }
        let operator = node.op_type.as_deref().unwrap_or("");
        let name = match node.name.as_deref() {
            Some(name) if !name.is_empty() => name.to_owned(),
            // Nodes need no name; their first output has one.
            _ => node.output.first().cloned().unwrap_or_default(),
        };
        caught(|| self.visit_named(node, &name)).map_err(|error| match error {
            // Whatever step of the node libtorch refuses.
            GraphError::Torch(error) => {
                let slots = node.input.iter().map(|input| self.slot(&name, operator, input).ok().flatten());
                let given = |slot: Option<Slot>| slot.map(|slot| (slot.shape(), slot.kind()));
                refusal::of_node(&name, operator, &slots.map(given).collect::<Vec<_>>(), &error)
            }
            other => other,
        })
    }

    fn visit_named(&mut self, node: &NodeProto, name: &str) -> Result<(), GraphError> {
        let operator = node.op_type.as_deref().unwrap_or("");
        let domain = node.domain.as_deref().unwrap_or("");
        let overload = node.overload.as_deref().unwrap_or("");
        if let Some(function) = self.functions.get(&function_key(domain, operator, overload)).copied() {
            return self.call(node, name, function);
        }
        let opset = self.opset(domain).unwrap_or(1);
        let custom = if domain == CUSTOM_DOMAIN { self.custom.get(operator) } else { None };
        let unknown = || match ops::refusal(domain, operator) {
            Some(reason) => GraphError::Unsupported {
                node: name.to_owned(),
                operator: operator.to_owned(),
                opset,
                problem: match domain {
                    "" | "ai.onnx" | ops::MICROSOFT => format!("the operator {operator}"),
                    _ => format!("the operator {domain}.{operator}"),
                },
                hint: reason.to_owned(),
            },
            None => GraphError::Operator {
                node: name.to_owned(),
                operator: operator.to_owned(),
                domain: domain.to_owned(),
                opset,
                nearest: ops::nearest(domain, operator),
            },
        };
        let entry = match custom {
            Some(_) => None,
            None => Some(ops::find(domain, operator).ok_or_else(unknown)?),
        };
        if entry.is_some_and(|entry| matches!(entry.make, Make::List)) {
            return self.visit_sequence(node, name);
        }
        if is_own(domain) && self.opset("").is_none() {
            return Err(wrong(
                self.file,
                format!(
                    "node '{name}' ({operator}): no opset of ONNX's own domain is imported; export the model again"
                ),
            ));
        }
        let slots =
            node.input.iter().map(|input| self.slot(name, operator, input)).collect::<Result<Vec<_>, GraphError>>()?;
        if let Some(output) = node.output.first().filter(|output| self.pooled.contains(*output))
            && is_own(domain)
            && let Some(padding) = Padding::of(node, &slots)
        {
            let readers = self.readers.get(output).copied().unwrap_or(0);
            *self.readers.entry(padding.source().to_owned()).or_default() += readers;
            self.paddings.insert(output.clone(), padding);
            self.release(node);
            return Ok(());
        }
        let folding = slots.iter().flatten().all(|slot| matches!(slot, Slot::Constant(_)));
        if !folding && !matches!(entry.map(|entry| entry.make), Some(Make::Nodes(_) | Make::Branch)) {
            self.check_infinite(node, name, operator)?;
        }
        self.check_held_wider(node, name, operator)?;
        let mut attributes = Attributes::new(node, name, &self.file.folder())?;
        if is_own(domain) {
            attributes.check_opset(opset)?;
        }
        let device = self.options.device;
        let read: Vec<bool> = node.output.iter().map(|output| self.readers.contains_key(output)).collect();
        let mut builder = Builder::new(name, operator, opset, &mut attributes, &slots, &read, folding, device);
        builder.straight_through = self.options.straight_through;
        builder.zero_type = node.input.get(2).and_then(|name| self.stored_type(name));
        let build = match entry.map(|entry| entry.make) {
            None | Some(Make::List) => None,
            Some(Make::Operator(build)) => Some(build),
            Some(Make::Constant) => {
                let tensor = ops::create(&mut builder)?;
                if let Some(i) = builder.unread() {
                    return Err(builder.invalid(format!("the operator has no input {i}")));
                }
                attributes.finish(opset)?;
                if let Some(output) = node.output.first() {
                    self.define_constant(name, operator, output, tensor)?;
                    let held = node.attribute.iter().find_map(|attribute| attribute.t.as_ref()?.data_type);
                    if let (Some(held), "Constant") = (held, operator) {
                        self.constant_types.insert(output.clone(), held);
                    }
                }
                self.release(node);
                return Ok(());
            }
            Some(Make::Nodes(expand)) => {
                let nodes = expand(&mut builder, node)?;
                attributes.finish(opset)?;
                return self.write_out(node, name, &nodes);
            }
            Some(Make::Branch) => {
                let holds = builder.parameter(0, "condition")?;
                let holds =
                    holds.numel() == 1 && holds.f_to_kind(Kind::Int64)?.f_reshape([-1])?.f_int64_value(&[0])? != 0;
                let (chosen, other) =
                    if holds { ("then_branch", "else_branch") } else { ("else_branch", "then_branch") };
                let graph = builder.attributes().graph(chosen)?;
                let _ = builder.attributes().graph(other)?;
                let graph = graph.ok_or_else(|| builder.invalid(format!("it has no {chosen}")))?;
                let nodes = inline::branch(node, name, &graph).map_err(|problem| builder.invalid(problem))?;
                attributes.finish(opset)?;
                return self.write_out(node, name, &nodes);
            }
        };
        let built = match (build, custom) {
            (Some(build), _) => build(&mut builder)?,
            (None, Some(make)) => {
                builder.varying_input(0)?;
                let shape = builder.shape(0)?;
                make(&shape).map_err(|problem| builder.invalid(problem))?
            }
            (None, None) => return Err(builder.invalid("it has no operator")),
        };
        if let Some(i) = builder.unread() {
            return Err(builder.invalid(format!("the operator has no input {i}")));
        }
        let varying: Vec<usize> = builder.varying().to_vec();
        attributes.finish(opset)?;

        if folding {
            let stacks = varying
                .iter()
                .map(|&i| match &slots[i] {
                    Some(Slot::Constant(tensor)) => Ok(tensor.f_unsqueeze(0)?),
                    _ => Err(wrong(self.file, "a folded node reads a varying value")),
                })
                .collect::<Result<Vec<_>, GraphError>>()?;
            let stacks: Vec<&Tensor> = stacks.iter().collect();
            let outputs = built.operator.forward(&stacks)?;
            // What is quantised has the zero point's type, what is moved the value's.
            let alike = if operator == "QuantizeLinear" { 2 } else { 0 };
            if (ops::moves_entries(operator) || operator == "QuantizeLinear")
                && let Some(held) = node.input.get(alike).and_then(|input| self.stored_type(input))
            {
                self.constant_types.extend(node.output.iter().map(|output| (output.clone(), held)));
            }
            for (output, tensor) in node.output.iter().zip(outputs).filter(|(output, _)| !output.is_empty()) {
                self.define_constant(name, operator, output, tensor.f_squeeze_dim(0)?)?;
            }
            self.release(node);
            return Ok(());
        }

        let inputs = varying
            .iter()
            .map(|&i| match self.known.get(&node.input[i]) {
                Some(Known::Varying(id)) => Ok(*id),
                _ => Err(wrong(self.file, format!("node '{name}' ({operator}) reads a constant as a varying value"))),
            })
            .collect::<Result<Vec<_>, GraphError>>()?;
        let outputs = {
            let stacks = inputs
                .iter()
                .map(|&id| self.trace[id].as_ref().ok_or_else(|| wrong(self.file, "a value was freed too early")))
                .collect::<Result<Vec<_>, GraphError>>()?;
            built.operator.forward(&stacks)?
        };
        let shapes: Vec<Vec<i64>> = outputs.iter().map(|stack| stack.size()[1..].to_vec()).collect();
        let known: Vec<KnownPositions<'_>> = inputs
            .iter()
            .map(|&id| {
                let value = &self.values[id];
                KnownPositions { shape: &value.shape, layout: &value.layout, labels: self.labels[id].as_ref(), device }
            })
            .collect();
        let flow = positions::along_plane(&built.operator, &known)?.unwrap_or(built.flow);
        let found = positions::outputs(&built.operator, &flow, &known, &shapes)?;
        let mut ids = Vec::with_capacity(node.output.len());
        for (((output, stack), shape), positions) in node.output.iter().zip(outputs).zip(shapes).zip(found) {
            let read = !output.is_empty() && self.readers.contains_key(output);
            ids.push(read.then_some(self.values.len()));
            if read {
                self.define(output.clone(), stack, shape, positions);
            }
        }
        self.steps.push(Step {
            module: self.modules.of_node(node, name),
            name: name.to_owned(),
            op_type: operator.to_owned(),
            operator: Rc::new(built.operator),
            nodes: 1,
            flow,
            inputs,
            outputs: ids,
            frees: Vec::new(),
            may_overwrite: false,
        });
        self.release(node);
        Ok(())
    }

    /// The nodes of a function in the place of its call.
    fn call(&mut self, node: &NodeProto, name: &str, function: &'a FunctionProto) -> Result<(), GraphError> {
        let operator = node.op_type.as_deref().unwrap_or("");
        let failed = |problem: String| GraphError::Node {
            node: name.to_owned(),
            operator: operator.to_owned(),
            shapes: node.input.join(", "),
            problem,
        };
        let nodes = inline::call(node, name, function).map_err(failed)?;
        // The function's own imports say which opset its nodes are of.
        self.imports.push(&function.opset_import);
        self.write_out(node, name, &nodes)?;
        self.imports.pop();
        Ok(())
    }
}
