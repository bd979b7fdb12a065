//! How the file's input holds an image, and what it holds it in: channels first or last, floats or integers.
//!
//! A network whose input is channels last gets a transposition in front, so that all that is measured is measured on
//! `[1, channels, rows, columns]`, and the transposition is a step like any other.

use std::collections::HashSet;

use crate::graph::error::GraphError;
use crate::graph::onnx::OnnxFile;
use crate::graph::onnx::proto::{AttributeProto, GraphProto, NodeProto, TypeValue, ValueInfoProto};

use super::{inline, wrong};

/// The order of the axes of the file's input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InputLayout {
    /// `[1, channels, rows, columns]`, or no image.
    #[default]
    ChannelsFirst,
    /// `[1, rows, columns, channels]`.
    ChannelsLast,
}

/// The integers of an input that casts its entries to floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integers {
    /// From 0 up; photos are 0 to 255.
    Unsigned,
    /// From −128 to 127.
    Signed8,
}

/// Operators that take their inputs entry by entry, with constants of any shape.
const ENTRYWISE: [&str; 9] =
    ["Cast", "Identity", "Add", "Sub", "Mul", "Div", "Pad", "QuantizeLinear", "DequantizeLinear"];

/// Operators that read `[batch, channels, rows, columns]`.
const PLANAR: [&str; 12] = [
    "Conv",
    "ConvTranspose",
    "ConvInteger",
    "QLinearConv",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "LpPool",
    "BatchNormalization",
    "InstanceNormalization",
    "SpaceToDepth",
];

/// The order of the input's axes: what was given, what the first nodes say, or what the shape says.
///
/// # Errors
/// When it was given and the input has not four axes, or when nothing says which axis is the channels.
pub(super) fn of(
    file: &OnnxFile,
    name: &str,
    shape: &[i64],
    nodes: &[&NodeProto],
    given: Option<InputLayout>,
) -> Result<InputLayout, GraphError> {
    let &[_, first, _, last] = shape else {
        return match given {
            None | Some(InputLayout::ChannelsFirst) => Ok(InputLayout::ChannelsFirst),
            Some(InputLayout::ChannelsLast) => Err(GraphError::InputShape {
                path: file.path.display().to_string(),
                given: super::entry::list(shape, ","),
                problem: format!("has no rows and columns, so that --layout does not go with the input '{name}'"),
            }),
        };
    };
    let photo = |channels: i64| matches!(channels, 1 | 3);
    match given.or_else(|| by_nodes(name, nodes)) {
        Some(layout) => Ok(layout),
        None if photo(last) && !photo(first) => Ok(InputLayout::ChannelsLast),
        None if last == 3 && photo(first) => Err(wrong(
            file,
            format!(
                "the input '{name}' of shape {shape:?} has its channels first or last, and nothing says which; give --layout \
                 nchw or --layout nhwc"
            ),
        )),
        None => Ok(InputLayout::ChannelsFirst),
    }
}

/// What the first nodes that are not entry by entry say of the order of axes.
fn by_nodes(name: &str, nodes: &[&NodeProto]) -> Option<InputLayout> {
    let mut names = HashSet::from([name]);
    for node in nodes {
        if !node.input.first().is_some_and(|input| names.contains(input.as_str())) {
            continue;
        }
        match node.op_type.as_deref().unwrap_or("") {
            operator if ENTRYWISE.contains(&operator) => names.extend(node.output.iter().map(String::as_str)),
            operator if PLANAR.contains(&operator) => return Some(InputLayout::ChannelsFirst),
            "Transpose" => {
                let order =
                    node.attribute.iter().find(|a| a.name.as_deref() == Some("perm")).map(|a| a.ints.as_slice());
                match order {
                    Some([0, 3, 1, 2]) => return Some(InputLayout::ChannelsLast),
                    Some([0, 2, 3, 1]) => return Some(InputLayout::ChannelsFirst),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    None
}

/// The transposition in front of a network whose input is channels last, from `from` to `to`.
pub(super) fn transposition(from: &str, to: &str) -> NodeProto {
    let order = AttributeProto {
        name: Some("perm".to_owned()),
        r#type: Some(7),
        ints: vec![0, 2, 3, 1],
        ..AttributeProto::default()
    };
    NodeProto {
        name: Some(format!("{to} to channels last")),
        op_type: Some("Transpose".to_owned()),
        input: vec![from.to_owned()],
        output: vec![to.to_owned()],
        attribute: vec![order],
        ..NodeProto::default()
    }
}

/// Which integers the input holds; nothing where it holds floats.
///
/// Integers are accepted where every way from the input leads, through nodes that only move entries, to a cast to
/// floats: on real numbers that cast changes nothing, and the network is a function of real numbers.
///
/// # Errors
/// When something else reads the integers, or the entries are neither.
pub(super) fn integers(
    file: &OnnxFile,
    graph: &GraphProto,
    input: &ValueInfoProto,
) -> Result<Option<Integers>, GraphError> {
    let name = input.name.as_deref().unwrap_or("");
    let code = match input.r#type.as_ref().and_then(|t| t.value.as_ref()) {
        Some(TypeValue::Tensor(tensor)) => tensor.elem_type,
        _ => return Err(wrong(file, format!("the input '{name}' is not a tensor"))),
    };
    let kind = match code {
        Some(1 | 10 | 11 | 16) => return Ok(None),
        Some(3) => Integers::Signed8,
        Some(2 | 4..=7 | 12 | 13) => Integers::Unsigned,
        _ => {
            let problem =
                format!("the input '{name}' does not take numbers; export the network without its decoding of files");
            return Err(wrong(file, problem));
        }
    };
    let mut names = HashSet::from([name]);
    for node in &graph.node {
        let reads_first = node.input.first().is_some_and(|input| names.contains(input.as_str()));
        let reads = node.input.iter().any(|input| names.contains(input.as_str()));
        if !reads && !inline::subgraph_reads(node).iter().any(|read| names.contains(read)) {
            continue;
        }
        let to_floats = |attribute: &AttributeProto| {
            attribute.name.as_deref() == Some("to") && matches!(attribute.i, Some(1 | 10 | 11 | 16))
        };
        match node.op_type.as_deref().unwrap_or("") {
            "Cast" if node.attribute.iter().any(to_floats) => {}
            "Transpose" | "Identity" | "Reshape" | "Squeeze" | "Unsqueeze" if reads_first => {
                names.extend(node.output.iter().map(String::as_str));
            }
            operator => {
                let node =
                    node.name.as_deref().filter(|name| !name.is_empty()).or(node.output.first().map(String::as_str));
                return Err(wrong(
                    file,
                    format!(
                        "the input '{name}' takes integers, and node '{}' ({operator}) computes with them; only integers \
                         that are cast to floats at once have derivatives: export the network with a float input",
                        node.unwrap_or("")
                    ),
                ));
            }
        }
    }
    Ok(Some(kind))
}
