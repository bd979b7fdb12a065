//! Where images come in: the graph's one input, its shape, and what a file states of shapes.

use crate::graph::error::GraphError;
use crate::graph::onnx::OnnxFile;
use crate::graph::onnx::proto::{DimensionValue, GraphProto, TensorType, TypeValue, ValueInfoProto};
use crate::input::stated_size;

use super::wrong;

/// The graph's input; constants that old files list among the inputs are none.
pub(super) fn only_input<'a>(
    file: &OnnxFile,
    graph: &'a GraphProto,
    is_constant: impl Fn(&str) -> bool,
) -> Result<&'a ValueInfoProto, GraphError> {
    let inputs: Vec<_> = graph.input.iter().filter(|v| !is_constant(v.name.as_deref().unwrap_or(""))).collect();
    match inputs[..] {
        [input] => Ok(input),
        [] => Err(wrong(file, "the model has no input; export it again")),
        _ => {
            let names: Vec<_> = inputs.iter().map(|v| v.name.as_deref().unwrap_or("")).collect();
            Err(wrong(
                file,
                format!(
                    "the model has {} inputs ({}); networks with one image input are supported",
                    names.len(),
                    names.join(", ")
                ),
            ))
        }
    }
}

/// Rows and columns where the input is one image that leaves both open and the model's metadata states them, with the
/// program whose words these are.
pub(super) fn size_by_metadata(file: &OnnxFile, input: &ValueInfoProto) -> Option<(Vec<i64>, &'static str)> {
    let ([rows, columns], program) = stated_size(|key| file.metadata(key))?;
    match stated(input)?[..] {
        [None | Some(1), Some(channels @ (1 | 3)), None, None] => Some((vec![1, channels, rows, columns], program)),
        [None | Some(1), None, None, Some(channels @ (1 | 3))] => Some((vec![1, rows, columns, channels], program)),
        _ => None,
    }
}

/// The input's shape: as the model states it, with one image, and open sizes from the options.
pub(super) fn input_shape(
    file: &OnnxFile,
    input: &ValueInfoProto,
    given: Option<&[i64]>,
) -> Result<Vec<i64>, GraphError> {
    let name = input.name.as_deref().unwrap_or("");
    let tensor = match input.r#type.as_ref().and_then(|t| t.value.as_ref()) {
        Some(TypeValue::Tensor(tensor)) => tensor,
        _ => return Err(wrong(file, format!("the input '{name}' is not a tensor"))),
    };
    let stated = sizes(tensor);
    let shape = match given {
        Some(given) => {
            let fits = stated.is_empty()
                || given.len() == stated.len() && given.iter().zip(&stated).all(|(g, s)| s.is_none_or(|s| s == *g));
            if !fits || given.iter().any(|&n| n < 1) {
                return Err(GraphError::InputShape {
                    path: file.path.display().to_string(),
                    given: list(given, ","),
                    problem: format!("does not fit the input '{name}' of shape [{}]", open(&stated)),
                });
            }
            given.to_vec()
        }
        None => {
            let mut shape = stated.clone();
            if let Some(batch) = shape.first_mut() {
                *batch = batch.or(Some(1));
            }
            match shape.iter().copied().collect::<Option<Vec<i64>>>() {
                Some(shape) if !shape.is_empty() => shape,
                _ => {
                    let usual = match stated[..] {
                        [_, first, _, Some(1 | 3)] if !matches!(first, Some(1 | 3)) => [1, 224, 224, 3],
                        _ => [1, 3, 224, 224],
                    };
                    let example: Vec<i64> =
                        usual.iter().enumerate().map(|(i, &n)| stated.get(i).copied().flatten().unwrap_or(n)).collect();
                    return Err(GraphError::DynamicInput {
                        path: file.path.display().to_string(),
                        input: name.to_owned(),
                        shape: open(&stated),
                        example: list(&example, ","),
                    });
                }
            }
        }
    };
    if let Some(given) = given.filter(|given| given.first() != Some(&1)) {
        return Err(GraphError::InputShape {
            path: file.path.display().to_string(),
            given: list(given, ","),
            problem: format!("is not a batch of one, such as {}", list(&[&[1], &given[1..]].concat(), ",")),
        });
    }
    if shape.first() != Some(&1) {
        let batch = shape.first().copied().unwrap_or(0);
        return Err(wrong(
            file,
            format!("the input '{name}' takes batches of {batch}; export the model for a batch of one"),
        ));
    }
    let entries = shape.iter().try_fold(1i64, |product, &n| product.checked_mul(n));
    if entries.is_none_or(|n| n > 1 << 30) {
        return Err(wrong(file, format!("an input of shape [{}] is too large", list(&shape, ","))));
    }
    Ok(shape)
}

/// The sizes that a file states of a value, none where it leaves one open; nothing where it states no tensor's shape,
/// or one without axes, as tools write that do not know it.
pub(super) fn stated(value: &ValueInfoProto) -> Option<Vec<Option<i64>>> {
    match value.r#type.as_ref()?.value.as_ref()? {
        TypeValue::Tensor(tensor) => Some(sizes(tensor)).filter(|sizes| !sizes.is_empty()),
        _ => None,
    }
}

fn sizes(tensor: &TensorType) -> Vec<Option<i64>> {
    let dimensions = tensor.shape.iter().flat_map(|shape| &shape.dim);
    dimensions
        .map(|dim| match dim.value {
            Some(DimensionValue::Value(n)) if n > 0 => Some(n),
            _ => None,
        })
        .collect()
}

/// A shape in words.
pub(super) fn list(shape: &[i64], separator: &str) -> String {
    shape.iter().map(i64::to_string).collect::<Vec<_>>().join(separator)
}

/// As [`list`], of a shape with open sizes.
pub(super) fn open(shape: &[Option<i64>]) -> String {
    shape.iter().map(|n| n.map_or("?".to_owned(), |n| n.to_string())).collect::<Vec<_>>().join(", ")
}
