//! Parameters back into a model's file.

use std::collections::{HashMap, HashSet};

use tch::{Device, Kind, Tensor};

use super::error::RepairError;
use crate::graph::Parameter;
use crate::graph::inline::subgraph_reads;
use crate::graph::onnx::OnnxFile;
use crate::graph::onnx::proto::{NodeProto, TensorProto};
use crate::graph::operator::Torch;

/// The name by which a network knows a node of its file.
pub(super) fn name_of(node: &NodeProto) -> &str {
    match node.name.as_deref() {
        Some(name) if !name.is_empty() => name,
        _ => node.output.first().map_or("", String::as_str),
    }
}

/// libtorch's kind of an ONNX element type in which a parameter can be stored.
fn kind_of(data_type: i32) -> Option<Kind> {
    match data_type {
        1 => Some(Kind::Float),
        10 => Some(Kind::Half),
        11 => Some(Kind::Double),
        16 => Some(Kind::BFloat16),
        _ => None,
    }
}

/// The name of the constant that a parameter is in a file; none where the file has no such node, or no such constant:
/// then it cannot be written back.
pub(super) fn constant_of<'f>(file: &'f OnnxFile, parameter: &Parameter) -> Option<&'f TensorProto> {
    let graph = file.model.graph.as_ref()?;
    let node = graph.node.iter().find(|node| name_of(node) == parameter.node)?;
    let name = node.input.get(parameter.input)?;
    let constant = graph.initializer.iter().find(|tensor| tensor.name.as_ref() == Some(name))?;
    kind_of(constant.data_type?).map(|_| constant)
}

/// The file with these values in the place of parameters' constants, each of the stored shape and type. A constant that
/// other nodes read too stays for them. Constants that nothing reads any more are left out.
///
/// # Errors
/// When libtorch refuses, or the file has no graph.
pub fn with_parameters(file: &OnnxFile, values: &[(&Parameter, &Tensor)]) -> Result<OnnxFile, RepairError> {
    let mut written = file.clone();
    let readers = readers(file);
    let before: HashSet<String> = readers.keys().cloned().collect();
    let Some(graph) = &mut written.model.graph else { return Ok(written) };
    let taken: HashSet<String> = graph.initializer.iter().filter_map(|tensor| tensor.name.clone()).collect();
    let places: HashMap<String, usize> =
        graph.node.iter().enumerate().map(|(at, node)| (name_of(node).to_owned(), at)).collect();
    let constants: HashMap<String, usize> =
        graph.initializer.iter().enumerate().filter_map(|(at, tensor)| Some((tensor.name.clone()?, at))).collect();
    for (parameter, value) in values {
        let node = places.get(&parameter.node).map(|&at| &mut graph.node[at]);
        let Some(input) = node.and_then(|node| node.input.get_mut(parameter.input)) else { continue };
        let Some(&at) = constants.get(input.as_str()) else { continue };
        let stored = &graph.initializer[at];
        let kind = stored.data_type.and_then(kind_of).unwrap_or(Kind::Float);
        let mut tensor = TensorProto {
            name: stored.name.clone(),
            dims: stored.dims.clone(),
            data_type: stored.data_type,
            raw_data: Some(bytes(&parameter.as_stored(value)?, kind)?),
            ..Default::default()
        };
        if readers.get(input.as_str()).copied().unwrap_or(0) <= 1 {
            graph.initializer[at] = tensor;
            continue;
        }
        let own = format!("{input}/{}", parameter.node);
        let free = (1..).map(|n| if n == 1 { own.clone() } else { format!("{own}.{n}") });
        let name = free.take(10_000).find(|name| !taken.contains(name)).unwrap_or(own);
        tensor.name = Some(name.clone());
        *input = name;
        graph.initializer.push(tensor);
    }
    let after = self::readers(&written);
    if let Some(graph) = &mut written.model.graph {
        // What nothing read before may be there for a reason of its own.
        graph.initializer.retain(|tensor| {
            let name = tensor.name.as_deref().unwrap_or("");
            after.contains_key(name) || !before.contains(name)
        });
    }
    Ok(written)
}

/// How many places read each name, the graph's outputs among them.
fn readers(file: &OnnxFile) -> HashMap<String, usize> {
    let mut readers = HashMap::new();
    let Some(graph) = &file.model.graph else { return readers };
    let outputs = graph.output.iter().filter_map(|output| output.name.as_deref());
    let inputs = graph.node.iter().flat_map(|node| node.input.iter().map(String::as_str).chain(subgraph_reads(node)));
    for name in outputs.chain(inputs).filter(|name| !name.is_empty()) {
        *readers.entry(name.to_owned()).or_default() += 1;
    }
    readers
}

/// A tensor's entries in row-major order and this type, as bytes.
pub(super) fn bytes(tensor: &Tensor, kind: Kind) -> Torch<Vec<u8>> {
    let flat = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(kind)?.f_contiguous()?;
    let mut bytes = vec![0; flat.numel() * kind.elt_size_in_bytes()];
    flat.f_copy_data_u8(&mut bytes, flat.numel())?;
    Ok(bytes)
}
