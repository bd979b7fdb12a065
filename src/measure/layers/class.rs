//! What kind of layer a node belongs to.

use crate::graph::layout::Flow;
use crate::graph::operator::Operator;
use crate::graph::{Network, Step, ops};
use crate::measure::layers_report::LayerClass;

/// A stride from which a convolution without overlap is taken to cut an image into patches.
const PATCH: i64 = 4;

/// The class of the layer that a node closes; `pending` are nodes without a layout whose error shows at this one.
pub(super) fn class_of(network: &Network, step: &Step, pending: &[usize]) -> LayerClass {
    let steps = network.steps();
    let before = pending.iter().map(|&at| &steps[at]);
    if before.clone().any(|s| s.op_type == "Softmax" || matches!(s.flow, Flow::Product)) {
        return LayerClass::Attention;
    }
    if before.clone().any(|s| matches!(s.flow, Flow::Mixed { .. })) {
        let behind_maps = step.outputs.iter().flatten().all(|&id| network.values()[id].shape.len() < 3);
        return if behind_maps { LayerClass::Head } else { LayerClass::TokenMixing };
    }
    own_class(network, step)
}

fn own_class(network: &Network, step: &Step) -> LayerClass {
    if let Operator::Linear(op) = &step.operator
        && let Some(taps) = op.taps()
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
    let path = step.name.to_ascii_lowercase();
    match (step.op_type.as_str(), &step.operator, &step.flow) {
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
        _ if path.contains("norm") => LayerClass::Normalisation,
        (_, _, Flow::Product) | ("Softmax", _, _) => LayerClass::Attention,
        (_, Operator::Elementwise(_), _) => LayerClass::Nonlinearity,
        (_, Operator::Linear(op), _) if op.selects() => LayerClass::Resampling,
        ("Add" | "Sub" | "Sum", Operator::Linear(_), _) => LayerClass::PositionalEmbedding,
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
