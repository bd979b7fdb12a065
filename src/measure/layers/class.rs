//! What kind of layer a node belongs to.

use tch::Tensor;

use crate::graph::layout::{Flow, Layout};
use crate::graph::operator::{Linear, Operator};
use crate::graph::{Network, Step, ops};
use crate::measure::layers_report::LayerClass;
use crate::symmetry::Grid;

/// A stride from which a convolution without overlap is taken to cut an image into patches.
const PATCH: i64 = 4;

/// The class of the layer that a node closes; `pending` are nodes without a layout whose error shows at this one.
pub(super) fn class_of(network: &Network, step: &Step, pending: &[usize]) -> LayerClass {
    let steps = network.steps();
    let before = pending.iter().map(|&at| &steps[at]);
    if before.clone().any(|s| is_attention(network, s)) {
        return LayerClass::Attention;
    }
    if before.clone().any(|s| matches!(s.flow, Flow::Mixed { .. })) {
        let behind_maps = step.outputs.iter().flatten().all(|&id| network.values()[id].shape.len() < 3);
        return if behind_maps { LayerClass::Head } else { LayerClass::TokenMixing };
    }
    let own = own_class(network, step);
    match before.rev().map(|s| own_class(network, s)).find(|class| *class != LayerClass::Other) {
        // What a sum shows is what its terms made.
        Some(earlier) if own == LayerClass::Other => earlier,
        _ => own,
    }
}

/// Steps that a softmax's weights may pass through before they are multiplied with what they weigh.
const KEEPS_WEIGHTS: [&str; 12] = [
    "Cast",
    "Concat",
    "Dropout",
    "Expand",
    "Flatten",
    "Identity",
    "Mul",
    "Reshape",
    "Slice",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
];

/// Whether a step is part of attention: values that vary are multiplied and summed there, or it is a softmax whose
/// weights go into such a product. A softmax over classes, or over the bins of a detection head, does not.
fn is_attention(network: &Network, step: &Step) -> bool {
    if step.flow.is_product() {
        return true;
    }
    if step.op_type != "Softmax" {
        return false;
    }
    let mut weights: Vec<usize> = step.outputs.iter().flatten().copied().collect();
    for later in network.steps() {
        if later.inputs.iter().any(|id| weights.contains(id)) {
            if later.flow.is_product() {
                return true;
            }
            if KEEPS_WEIGHTS.contains(&later.op_type.as_str()) {
                weights.extend(later.outputs.iter().flatten());
            }
        }
    }
    false
}

/// Operators that no normalisation is written with.
const ACTIVATIONS: [&str; 16] = [
    "Celu",
    "Elu",
    "Erf",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "LeakyRelu",
    "Mish",
    "PRelu",
    "Relu",
    "Selu",
    "Sigmoid",
    "Softplus",
    "Swish",
    "Tanh",
    "ThresholdedRelu",
];

fn own_class(network: &Network, step: &Step) -> LayerClass {
    if let Operator::Linear(op) = &*step.operator
        && let Some(taps) = op.pattern().taps()
        && step.op_type.ends_with("Conv")
    {
        let window = taps.window;
        let strided = window.strides.iter().any(|&s| s > 1);
        let patches = window.strides.iter().all(|&s| s >= PATCH) && window.strides == window.kernel;
        return match (strided, patches) {
            (_, true) => LayerClass::PatchEmbedding,
            (true, _) => LayerClass::StridedConvolution,
            _ => LayerClass::Convolution,
        };
    }
    let path = format!("{}/{}", step.module, step.name).to_ascii_lowercase();
    match (step.op_type.as_str(), &*step.operator, &step.flow) {
        ("LayerNormalization" | "GroupNormalization" | "InstanceNormalization" | "BatchNormalization", _, _)
        | ("LpNormalization" | "LRN" | "RMSNormalization" | "SkipLayerNormalization", _, _) => {
            LayerClass::Normalisation
        }
        (op, _, _) if op.ends_with("Pool") => LayerClass::Pooling,
        ("ConvTranspose" | "Resize" | "Upsample" | "DepthToSpace" | "SpaceToDepth" | "Pad" | "GridSample", _, _) => {
            LayerClass::Resampling
        }
        ("Attention" | "RotaryEmbedding", _, _) => LayerClass::Attention,
        // A design that was put into the network.
        (op, operator, flow) if ops::find("", op).is_none() => match flow {
            Flow::Resampled { rows, columns } if rows.step != 1.0 || columns.step != 1.0 => LayerClass::Resampling,
            _ if matches!(operator, Operator::Linear(_)) => LayerClass::Resampling,
            _ => LayerClass::Nonlinearity,
        },
        // Modules of a norm and an activation are named after the norm, and so is what is put in behind one.
        _ if path.contains("norm") && !ACTIVATIONS.contains(&step.op_type.as_str()) => LayerClass::Normalisation,
        _ if is_attention(network, step) => LayerClass::Attention,
        ("Softmax", _, _) => LayerClass::Nonlinearity,
        (_, Operator::Elementwise(_), _) => LayerClass::Nonlinearity,
        (_, Operator::Linear(_), _) if meets_misaligned(network, step) => LayerClass::Misalignment,
        (_, Operator::Linear(op), _) if op.pattern().selects() => LayerClass::Resampling,
        ("Add" | "Sub" | "Sum" | "Mul" | "Div", Operator::Linear(op), _)
            if differs_by_position(network, step, op.as_ref()) =>
        {
            LayerClass::PositionalEmbedding
        }
        (_, Operator::Linear(_), Flow::Reduced { .. }) => LayerClass::Pooling,
        (_, Operator::Linear(_), Flow::Mixed { .. }) => {
            let vector = step.outputs.iter().flatten().all(|&id| network.values()[id].shape.len() < 3);
            if vector { LayerClass::Head } else { LayerClass::PatchEmbedding }
        }
        // A filter that is written as a matrix.
        (_, Operator::Linear(_), Flow::Resampled { .. }) => LayerClass::Resampling,
        ("Mul" | "Div" | "Max" | "Min" | "Where" | "Pow", _, _) => LayerClass::Nonlinearity,
        _ => LayerClass::Other,
    }
}

/// Whether the maps that a node puts together lie on different grids, and so none of them where the sum lies.
fn meets_misaligned(network: &Network, step: &Step) -> bool {
    let grid = |id: &usize| match &network.values()[*id].layout {
        Layout::Map(map) => Some(map.grid),
        Layout::NonSpatial | Layout::Part(_) | Layout::Unknown => None,
    };
    let outputs = step.outputs.iter().flatten().filter_map(grid);
    let apart = |output: Grid| step.inputs.iter().filter_map(grid).any(|input| !input.agrees_with(&output));
    step.inputs.len() > 1 && outputs.into_iter().any(apart)
}

/// Whether a node adds or multiplies constants that are not the same at every position.
fn differs_by_position(network: &Network, step: &Step, op: &dyn Linear) -> bool {
    step.outputs.iter().flatten().any(|&id| match &network.values()[id].layout {
        Layout::Map(map) => !is_constant_over(op, &map.axes),
        Layout::NonSpatial | Layout::Part(_) | Layout::Unknown => false,
    })
}

/// Whether an operator's constants are the same all along `axes`, counted from the end.
pub(super) fn is_constant_over(op: &dyn Linear, axes: &[i64]) -> bool {
    op.constants().iter().all(|c| is_constant_along(c, axes))
}

/// Whether a constant is the same all along `axes`, counted from the end.
pub(super) fn is_constant_along(c: &Tensor, axes: &[i64]) -> bool {
    let size = c.size();
    axes.iter().all(|a| size.len() < -*a as usize || size[(size.len() as i64 + a) as usize] == 1)
}
