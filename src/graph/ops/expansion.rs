//! Operators of ONNX Runtime's optimiser that stand for several of ONNX's own: written out as those.

use crate::graph::builder::Builder;
use crate::graph::error::GraphError;
use crate::graph::onnx::proto::{AttributeProto, NodeProto};

/// The nodes that stand in a node's place. They may name values of their own, whose names nothing else has.
pub type Expand = fn(&mut Builder<'_>, &NodeProto) -> Result<Vec<NodeProto>, GraphError>;

/// Nodes in a row, with names of values between them.
struct Chain<'a> {
    node: &'a NodeProto,
    nodes: Vec<NodeProto>,
    /// The value made last.
    last: String,
}

impl<'a> Chain<'a> {
    fn from(node: &'a NodeProto) -> Self {
        Self { node, nodes: Vec::new(), last: input(node, 0) }
    }

    /// One more node, which reads the last value and then `others`.
    fn then(mut self, operator: &str, others: &[String], attributes: Vec<AttributeProto>) -> Self {
        let output = self.node.output.first().map_or("", String::as_str);
        let base = self.node.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(output);
        let name = format!("{base}/{operator}");
        let value = format!("{output}/{operator}/{}", self.nodes.len());
        let mut inputs = vec![self.last];
        inputs.extend_from_slice(others);
        self.nodes.push(NodeProto {
            name: Some(name),
            op_type: Some(operator.to_owned()),
            input: inputs,
            output: vec![value.clone()],
            attribute: attributes,
            ..Default::default()
        });
        self.last = value;
        self
    }

    /// The nodes, of which the last makes the first output of the node that they stand for.
    fn finish(mut self) -> Vec<NodeProto> {
        if let (Some(last), Some(output)) = (self.nodes.last_mut(), self.node.output.first()) {
            last.output[0].clone_from(output);
        }
        self.nodes
    }
}

fn input(node: &NodeProto, i: usize) -> String {
    node.input.get(i).cloned().unwrap_or_default()
}

fn named(name: &str) -> AttributeProto {
    AttributeProto { name: Some(name.to_owned()), ..Default::default() }
}

fn float(name: &str, value: f64) -> AttributeProto {
    AttributeProto { r#type: Some(1), f: Some(value as f32), ..named(name) }
}

fn string(name: &str, value: &str) -> AttributeProto {
    AttributeProto { r#type: Some(3), s: Some(value.as_bytes().to_vec()), ..named(name) }
}

/// BiasGelu: Gelu(x + b). FastGelu: the same with tanh, and b may be missing.
pub fn bias_gelu(b: &mut Builder<'_>, node: &NodeProto) -> Result<Vec<NodeProto>, GraphError> {
    let mut chain = Chain::from(node);
    if b.has(1) {
        chain = chain.then("Add", &[input(node, 1)], Vec::new());
    }
    let approximate = if b.operator == "FastGelu" { "tanh" } else { "none" };
    Ok(chain.then("Gelu", &[], vec![string("approximate", approximate)]).finish())
}

/// FusedConv: an activation of Conv(x, w, b) + z, where z may be missing.
pub fn fused_conv(b: &mut Builder<'_>, node: &NodeProto) -> Result<Vec<NodeProto>, GraphError> {
    let activation = b.string("activation")?;
    let parameters: Vec<f64> =
        b.attributes().floats("activation_params")?.unwrap_or_default().into_iter().map(f64::from).collect();
    // All other attributes are Conv's, which refuses what it does not know.
    let own = |a: &&AttributeProto| !matches!(a.name.as_deref(), Some("activation" | "activation_params"));
    let attributes: Vec<AttributeProto> = node.attribute.iter().filter(own).cloned().collect();
    b.attributes().pass_on();
    let mut chain = Chain::from(node).then("Conv", &[input(node, 1), input(node, 2)], attributes);
    if b.has(3) {
        chain = chain.then("Add", &[input(node, 3)], Vec::new());
    }
    let parameter = |b: &Builder<'_>, i: usize, name: &str| {
        let value = parameters.get(i).copied();
        let value = value.ok_or_else(|| b.invalid(format!("its activation_params lack {name}")))?;
        Ok::<_, GraphError>(float(name, value))
    };
    let attributes = match activation.as_deref() {
        None | Some("") => return Ok(chain.finish()),
        Some("Relu" | "Tanh" | "Sigmoid") => Vec::new(),
        Some("LeakyRelu") => vec![parameter(b, 0, "alpha")?],
        Some("Clip") => vec![parameter(b, 0, "min")?, parameter(b, 1, "max")?],
        Some("HardSigmoid") => vec![parameter(b, 0, "alpha")?, parameter(b, 1, "beta")?],
        Some(other) => {
            let mend = "Relu, Tanh, Sigmoid, LeakyRelu, Clip and HardSigmoid are";
            return Err(b.unsupported(format!("activation = '{other}'"), mend));
        }
    };
    Ok(chain.then(activation.as_deref().unwrap_or(""), &[], attributes).finish())
}

/// SkipLayerNormalization: LayerNormalization(x + skip + bias), where the bias may be missing.
pub fn skip_layer_normalization(b: &mut Builder<'_>, node: &NodeProto) -> Result<Vec<NodeProto>, GraphError> {
    let epsilon = b.float("epsilon")?.unwrap_or(1e-12);
    if (1..3).any(|i| node.output.get(i).is_some_and(|name| !name.is_empty())) {
        return Err(b.unsupported("mean or inv_std_var as an output", "the normalised value and the sum are"));
    }
    let mut chain = Chain::from(node).then("Add", &[input(node, 1)], Vec::new());
    if b.has(4) {
        chain = chain.then("Add", &[input(node, 4)], Vec::new());
    }
    // The sum is an output too.
    if let Some(name) = node.output.get(3).filter(|name| !name.is_empty()) {
        if let Some(last) = chain.nodes.last_mut() {
            last.output[0].clone_from(name);
        }
        chain.last.clone_from(name);
    }
    let parameters = [input(node, 2), input(node, 3)];
    Ok(chain.then("LayerNormalization", &parameters, vec![float("epsilon", epsilon)]).finish())
}
