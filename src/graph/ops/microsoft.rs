//! Fusions that ONNX Runtime's optimiser writes, as the operators of ONNX's own that they stand for.

use crate::graph::builder::Builder;
use crate::graph::error::GraphError;
use crate::graph::onnx::proto::{AttributeProto, NodeProto};

use super::expansion::{Writer, float, int, ints, only_outputs, string};

type Nodes = Result<Vec<NodeProto>, GraphError>;

/// BiasGelu: Gelu(x + b). FastGelu: the same with tanh, and b may be missing.
pub fn bias_gelu(b: &mut Builder<'_>, node: &NodeProto) -> Nodes {
    let mut w = Writer::new(node);
    let mut x = w.input(0);
    if b.has(1) {
        x = w.add("Add", &[&x, &w.input(1)], Vec::new());
    }
    let approximate = if b.operator == "FastGelu" { "tanh" } else { "none" };
    let y = w.add("Gelu", &[&x], vec![string("approximate", approximate)]);
    Ok(w.finish(&[(0, &y)]))
}

/// An activation that another operator was fused with, after `x`; `parameter` gives its numbers by place and name.
fn activated(
    b: &Builder<'_>,
    w: &mut Writer<'_>,
    x: String,
    activation: Option<&str>,
    parameter: impl Fn(usize, &str) -> Result<AttributeProto, GraphError>,
) -> Result<String, GraphError> {
    let attributes = match activation {
        None | Some("") => return Ok(x),
        Some("Relu" | "Tanh" | "Sigmoid" | "Softsign" | "Softplus") => Vec::new(),
        Some("LeakyRelu" | "Elu" | "ThresholdedRelu") => vec![parameter(0, "alpha")?],
        Some("Clip") => {
            // Bounds as inputs, as today's opsets have them.
            let mut bound =
                |i, name| Ok::<_, GraphError>(w.number(f64::from(parameter(i, name)?.f.unwrap_or_default()))?);
            let (low, high) = (bound(0, "min")?, bound(1, "max")?);
            return Ok(w.add("Clip", &[&x, &low, &high], Vec::new()));
        }
        Some("HardSigmoid") => vec![parameter(0, "alpha")?, parameter(1, "beta")?],
        Some("Selu") => vec![parameter(0, "alpha")?, parameter(1, "gamma")?],
        Some(other) => {
            let hint = "Relu, Tanh, Sigmoid, Softsign, Softplus, LeakyRelu, Elu, ThresholdedRelu, Clip, HardSigmoid and \
                        Selu are";
            return Err(b.unsupported(format!("activation = '{other}'"), hint));
        }
    };
    Ok(w.add(activation.unwrap_or(""), &[&x], attributes))
}

/// FusedConv: an activation of Conv(x, w, b) + z, where z may be missing.
pub fn fused_conv(b: &mut Builder<'_>, node: &NodeProto) -> Nodes {
    let activation = b.string("activation")?;
    let parameters: Vec<f64> =
        b.attributes().floats("activation_params")?.unwrap_or_default().into_iter().map(f64::from).collect();
    // All other attributes are Conv's, which refuses what it does not know.
    let own = |a: &&AttributeProto| !matches!(a.name.as_deref(), Some("activation" | "activation_params"));
    let attributes: Vec<AttributeProto> = node.attribute.iter().filter(own).cloned().collect();
    b.attributes().pass_on();
    let mut w = Writer::new(node);
    let mut y = w.add("Conv", &[&w.input(0), &w.input(1), &w.input(2)], attributes);
    if b.has(3) {
        y = w.add("Add", &[&y, &w.input(3)], Vec::new());
    }
    let y = activated(b, &mut w, y, activation.as_deref(), |i, name| {
        let value = parameters.get(i).copied();
        let value = value.ok_or_else(|| b.invalid(format!("its activation_params lack {name}")))?;
        Ok(float(name, value))
    })?;
    Ok(w.finish(&[(0, &y)]))
}

/// FusedGemm: an activation of Gemm.
pub fn fused_gemm(b: &mut Builder<'_>, node: &NodeProto) -> Nodes {
    let activation = b.string("activation")?;
    let mut given = Vec::new();
    for name in ["alpha", "beta", "gamma"] {
        given.push((name, b.float(&format!("activation_{name}"))?));
    }
    let own = |a: &&AttributeProto| !a.name.as_deref().is_some_and(|name| name.starts_with("activation"));
    let attributes: Vec<AttributeProto> = node.attribute.iter().filter(own).cloned().collect();
    b.attributes().pass_on();
    let mut w = Writer::new(node);
    let y = w.add("Gemm", &[&w.input(0), &w.input(1), &w.input(2)], attributes);
    let y = activated(b, &mut w, y, activation.as_deref(), |_, name| {
        let value = given.iter().find(|(known, _)| *known == name).and_then(|(_, value)| *value);
        let value = value.ok_or_else(|| b.invalid(format!("it has no activation_{name}")))?;
        Ok(float(name, value))
    })?;
    Ok(w.finish(&[(0, &y)]))
}

/// Conv of an image with channels last and a weight `[outputs, rows, columns, inputs]`.
pub fn nhwc_conv(b: &mut Builder<'_>, node: &NodeProto) -> Nodes {
    let (shape, weight) = (b.shape(0)?, b.shape(1)?);
    let groups = b.int("group")?.unwrap_or(1);
    let kernel = b.ints("kernel_shape")?;
    let fits = matches!((&shape[..], &weight[..]), ([_, _, _, channels], [_, rows, columns, inputs])
        if groups.checked_mul(*inputs) == Some(*channels) && kernel.is_none_or(|k| k == [*rows, *columns]));
    if !fits {
        return Err(b.invalid(format!(
            "its weight {weight:?} is not one of [outputs, rows, columns, inputs] for {shape:?} in {groups} groups"
        )));
    }
    b.attributes().pass_on();
    b.has(2);
    let mut w = Writer::new(node);
    let x = w.add("Transpose", &[&w.input(0)], vec![ints("perm", &[0, 3, 1, 2])]);
    let weight = w.add("Transpose", &[&w.input(1)], vec![ints("perm", &[0, 3, 1, 2])]);
    let y = w.add("Conv", &[&x, &weight, &w.input(2)], node.attribute.clone());
    let y = w.add("Transpose", &[&y], vec![ints("perm", &[0, 2, 3, 1])]);
    Ok(w.finish(&[(0, &y)]))
}

/// SkipLayerNormalization: LayerNormalization(x + skip + bias), where the bias may be missing; the simplified one is
/// RMSNormalization, and has no shift.
pub fn skip_layer_normalization(b: &mut Builder<'_>, node: &NodeProto) -> Nodes {
    let simplified = b.operator == "SkipSimplifiedLayerNormalization";
    let epsilon = b.float("epsilon")?.unwrap_or(1e-12);
    if (1..3).any(|i| node.output.get(i).is_some_and(|name| !name.is_empty())) {
        return Err(b.unsupported("mean or inv_std_var as an output", "the normalised value and the sum are"));
    }
    let mut w = Writer::new(node);
    let mut sum = w.add("Add", &[&w.input(0), &w.input(1)], Vec::new());
    let bias = if simplified { 3 } else { 4 };
    if b.has(bias) {
        sum = w.add("Add", &[&sum, &w.input(bias)], Vec::new());
    }
    let (operator, shift) = match simplified {
        true => ("RMSNormalization", String::new()),
        false => ("LayerNormalization", w.input(3)),
    };
    let y = w.add(operator, &[&sum, &w.input(2), &shift], vec![float("epsilon", epsilon)]);
    Ok(w.finish(&[(0, &y), (3, &sum)]))
}

/// GroupNorm and SkipGroupNorm: GroupNormalization, of a sum in the second, with SiLU after it where asked for.
pub fn group_norm(b: &mut Builder<'_>, node: &NodeProto) -> Nodes {
    let skips = b.operator == "SkipGroupNorm";
    let epsilon = b.float("epsilon")?.unwrap_or(1e-5);
    let groups = b.int("groups")?.ok_or_else(|| b.invalid("it has no groups"))?;
    let activates = match b.int("activation")? {
        Some(0) => false,
        Some(1) => true,
        other => {
            let problem = other.map_or_else(|| "no activation".to_owned(), |code| format!("activation = {code}"));
            return Err(b.unsupported(problem, "0 (none) and 1 (SiLU) are"));
        }
    };
    let last = b.int("channels_last")?.unwrap_or(1) != 0;
    only_outputs(b, node, if skips { &[0, 1] } else { &[0] })?;
    let mut w = Writer::new(node);
    let (mut x, mut sum) = (w.input(0), None);
    if skips {
        let (shape, skip_shape) = (b.shape(0)?, b.shape(3)?);
        let mut skip = w.input(3);
        // One entry per image and channel.
        if let ([images, channels], true) = (&skip_shape[..], shape.len() == 4) {
            let spread = if last { [*images, 1, 1, *channels] } else { [*images, *channels, 1, 1] };
            let to = w.ints(&spread);
            skip = w.add("Reshape", &[&skip, &to], Vec::new());
        }
        x = w.add("Add", &[&x, &skip], Vec::new());
        if b.has(4) {
            let mut bias = w.input(4);
            if !last {
                let to = w.ints(&[-1, 1, 1]);
                bias = w.add("Reshape", &[&bias, &to], Vec::new());
            }
            x = w.add("Add", &[&x, &bias], Vec::new());
        }
        sum = Some(x.clone());
    }
    if last {
        x = w.add("Transpose", &[&x], vec![ints("perm", &[0, 3, 1, 2])]);
    }
    let attributes = vec![int("num_groups", groups), float("epsilon", epsilon)];
    let mut y = w.add("GroupNormalization", &[&x, &w.input(1), &w.input(2)], attributes);
    if activates {
        y = w.add("Swish", &[&y], Vec::new());
    }
    if last {
        y = w.add("Transpose", &[&y], vec![ints("perm", &[0, 2, 3, 1])]);
    }
    let mut outputs = vec![(0, y.as_str())];
    outputs.extend(sum.as_deref().map(|sum| (1, sum)));
    Ok(w.finish(&outputs))
}

/// BiasAdd: x + bias + skip.
pub fn bias_add(_: &mut Builder<'_>, node: &NodeProto) -> Nodes {
    let mut w = Writer::new(node);
    let sum = w.add("Add", &[&w.input(0), &w.input(1)], Vec::new());
    let y = w.add("Add", &[&sum, &w.input(2)], Vec::new());
    Ok(w.finish(&[(0, &y)]))
}

/// BiasSplitGelu: with x + b cut into two halves of channels, left · Gelu(right).
pub fn bias_split_gelu(b: &mut Builder<'_>, node: &NodeProto) -> Nodes {
    let width = b.shape(0)?.last().copied().unwrap_or(0);
    if width < 2 || width % 2 != 0 {
        return Err(b.invalid(format!("its {width} channels have no halves")));
    }
    b.check_size(&[width])?;
    let mut w = Writer::new(node);
    let sum = w.add("Add", &[&w.input(0), &w.input(1)], Vec::new());
    let halves = [0..width / 2, width / 2..width].map(|half| {
        let index = w.ints(&half.collect::<Vec<_>>());
        w.add("Gather", &[&sum, &index], vec![int("axis", -1)])
    });
    let gate = w.add("Gelu", &[&halves[1]], Vec::new());
    let y = w.add("Mul", &[&halves[0], &gate], Vec::new());
    Ok(w.finish(&[(0, &y)]))
}

/// BiasSoftmax: Softmax(x + bias) over the last axis.
pub fn bias_softmax(b: &mut Builder<'_>, node: &NodeProto) -> Nodes {
    let (shape, bias) = (b.shape(0)?, b.shape(1)?);
    let axis = b.int("axis")?.unwrap_or(1);
    // How the bias repeats; where shapes fit as they are, both ways are that of Add.
    let _ = b.int("is_inner_broadcast")?;
    if b.axis_from_end(axis, shape.len())? != -1 {
        return Err(b.unsupported(format!("axis = {axis}"), "the last one is"));
    }
    let fits = bias.len() == shape.len() && bias.iter().zip(&shape).all(|(bias, n)| bias == n || *bias == 1);
    if !fits {
        return Err(b.unsupported(format!("a bias of shape {bias:?}"), "one that broadcasts axis by axis is"));
    }
    let mut w = Writer::new(node);
    let sum = w.add("Add", &[&w.input(0), &w.input(1)], Vec::new());
    let y = w.add("Softmax", &[&sum], vec![int("axis", -1)]);
    Ok(w.finish(&[(0, &y)]))
}
