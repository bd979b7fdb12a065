//! The operators, one file per family: forward and tangent side by side.

mod activation;
mod arithmetic;
mod attention;
mod col2im;
mod convolution;
mod convolve;
mod creation;
mod cumulative;
mod dynamic_convolution;
mod entry;
pub mod expansion;
mod fused;
mod grid_sample;
mod listing;
mod local_response;
mod logic;
mod matrix;
mod mean_variance;
mod microsoft;
mod microsoft_attention;
mod normalization;
mod pad;
mod pooling;
mod power_pooling;
mod quantization;
mod rearrangement;
mod recurrent;
mod reduction;
mod refused;
mod reshape;
mod resize;
mod scatter;
mod selection;
mod softmax;
mod table;

pub use activation::Function;
pub use convolution::activated_convolution;
pub use creation::create;
pub use entry::{Entry, MICROSOFT, Make};
pub use expansion::Expand;
pub use fused::head_attention;
pub use listing::{OPERATORS_SCHEMA_VERSION, OperatorList, OperatorRow, RefusedRow, operator_list};
pub use matrix::affine;
pub use normalization::standardized;
pub use pooling::MaxPool;
pub use refused::{REFUSED, Refusal, refusal};
pub use softmax::Softmax;
pub use table::OPERATORS;

use crate::similar::similarity;

/// The newest opset whose operators are the ones that the table describes; ONNX Runtime's domain has no numbers.
pub const NEWEST_OPSET: i64 = 25;

/// The oldest: before it, operators had no broadcasting as NumPy has it.
pub const OLDEST_OPSET: i64 = 7;

/// The entry of an operator, if it is supported.
pub fn find(domain: &str, operator: &str) -> Option<&'static Entry> {
    let domain = if domain == "ai.onnx" { "" } else { domain };
    OPERATORS.iter().find(|entry| entry.name == operator && entry.domain == domain)
}

/// Whether an operator only moves entries of its first input.
pub fn moves_entries(operator: &str) -> bool {
    const MOVES: [&str; 11] = [
        "Concat",
        "Expand",
        "Flatten",
        "Gather",
        "Identity",
        "Reshape",
        "Slice",
        "Squeeze",
        "Tile",
        "Transpose",
        "Unsqueeze",
    ];
    MOVES.contains(&operator)
}

/// Whether an operator takes constants of element types that are held in wider ones.
pub fn takes_any_element_type(operator: &str) -> bool {
    matches!(operator, "Cast" | "DequantizeLinear" | "QuantizeLinear" | "Shape" | "Size") || moves_entries(operator)
}

/// Whether an operator does with an infinite constant what is meant beside values that are finite: masks that are added
/// in front of a softmax, bounds, padding in front of a maximum. All others would multiply by it.
pub fn takes_infinity(operator: &str) -> bool {
    const OPERATORS: [&str; 22] = [
        "Add",
        "And",
        "Attention",
        "CastLike",
        "Clip",
        "Concat",
        "Equal",
        "Greater",
        "GreaterOrEqual",
        "IsInf",
        "IsNaN",
        "Less",
        "LessOrEqual",
        "Max",
        "Min",
        "Or",
        "Pad",
        "Scatter",
        "ScatterElements",
        "ScatterND",
        "Sub",
        "Where",
    ];
    OPERATORS.contains(&operator)
}

/// The three supported operators whose names are nearest to `operator`, those of its domain first among equals, in
/// words.
pub fn nearest(domain: &str, operator: &str) -> String {
    let wanted = operator.to_lowercase();
    let mut named: Vec<(f64, bool, &str)> = OPERATORS
        .iter()
        .map(|entry| (-similarity(&wanted, &entry.name.to_lowercase()), entry.domain != domain, entry.name))
        .collect();
    named.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut names: Vec<&str> = Vec::with_capacity(3);
    for (_, _, name) in named {
        if names.len() < 3 && !names.contains(&name) {
            names.push(name);
        }
    }
    match &names[..] {
        [first, second, third] => format!("{first}, {second} and {third}"),
        _ => names.join(", "),
    }
}
