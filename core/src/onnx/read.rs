//! Reading a model file.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use prost::Message;

use super::error::OnnxError;
use super::foreign::{START, recognise};
use super::proto::{GraphProto, ModelProto, NodeProto, OperatorSetIdProto};
use super::tensor::external_location;
use crate::memory;

/// A model as its file states it.
#[derive(Clone, Debug)]
pub struct OnnxFile {
    /// Where it was read.
    pub path: PathBuf,
    /// The whole message.
    pub model: ModelProto,
}

/// Reads an ONNX file.
///
/// # Errors
/// When the file cannot be read, is empty, truncated, not protobuf, or protobuf of something else.
pub fn read_model(path: &Path) -> Result<OnnxFile, OnnxError> {
    let read = |source| OnnxError::Read { path: path.to_owned(), problem: "the model cannot be read", source };
    let wrong = |problem: &str| OnnxError::Format { path: path.to_owned(), problem: problem.to_owned() };
    let metadata = fs::metadata(path).map_err(read)?;
    if metadata.is_dir() {
        return Err(wrong("this is a folder; give the .onnx file in it"));
    }
    // A device may have no end, and a pipe may wait for ever.
    if !metadata.is_file() {
        return Err(wrong("this is not an ordinary file; give an .onnx file"));
    }
    let mut file = File::open(path).map_err(read)?;
    let mut bytes = Vec::new();
    file.by_ref().take(START).read_to_end(&mut bytes).map_err(read)?;
    if let Some(what) = recognise(&bytes, &mut file) {
        return Err(wrong(what));
    }
    // The bytes, and what is made of them.
    memory::check(metadata.len().saturating_mul(2))
        .map_err(|shortage| OnnxError::Memory { what: path.display().to_string(), shortage })?;
    file.read_to_end(&mut bytes).map_err(read)?;
    if bytes.is_empty() {
        return Err(wrong("the file is empty; fetch or export it again"));
    }
    OnnxFile::from_bytes(&bytes, path)
}

impl OnnxFile {
    /// A model from the bytes of its file; `path` is for messages and for data beside it.
    ///
    /// # Errors
    /// When the bytes are truncated, not protobuf, or protobuf of something else.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, OnnxError> {
        let wrong = |problem: &str| OnnxError::Format { path: path.to_owned(), problem: problem.to_owned() };
        let model = ModelProto::decode(bytes).map_err(|error| {
            wrong(&format!(
                "this is not an ONNX model, or it is damaged or cut off ({error}); fetch or export it again"
            ))
        })?;
        let file = Self { path: path.to_owned(), model };
        if file.graph()?.node.is_empty() {
            return Err(wrong("the model's graph has no nodes; export it again"));
        }
        if file.model.opset_import.is_empty() {
            return Err(wrong("the model names no opset, so it is not a complete ONNX file; export it again"));
        }
        Ok(file)
    }

    /// The graph.
    ///
    /// # Errors
    /// When the message has none, so is not a model.
    pub fn graph(&self) -> Result<&GraphProto, OnnxError> {
        self.model.graph.as_ref().ok_or_else(|| OnnxError::Format {
            path: self.path.clone(),
            problem: "this is not an ONNX model (it has no graph); give a file that an ONNX exporter wrote".to_owned(),
        })
    }

    /// The file and those beside it that hold its tensors' data, each once.
    pub fn files(&self) -> Vec<PathBuf> {
        let folder = self.folder();
        let mut locations = BTreeSet::new();
        if let Some(graph) = &self.model.graph {
            locations_of(graph, &mut locations);
        }
        for node in self.model.functions.iter().flat_map(|function| &function.node) {
            locations_of_node(node, &mut locations);
        }
        std::iter::once(self.path.clone()).chain(locations.into_iter().map(|location| folder.join(location))).collect()
    }

    /// The folder in which external data lie.
    pub fn folder(&self) -> PathBuf {
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        }
    }

    /// The opset of a domain; 1 where the model imports none.
    pub fn opset(&self, domain: &str) -> i64 {
        opset_of(&self.model.opset_import, domain).unwrap_or(1)
    }

    /// The value of a metadata key.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        let entry = self.model.metadata_props.iter().find(|entry| entry.key.as_deref() == Some(key))?;
        entry.value.as_deref()
    }
}

fn locations_of(graph: &GraphProto, locations: &mut BTreeSet<String>) {
    locations.extend(graph.initializer.iter().filter_map(external_location));
    graph.node.iter().for_each(|node| locations_of_node(node, locations));
}

fn locations_of_node(node: &NodeProto, locations: &mut BTreeSet<String>) {
    for attribute in &node.attribute {
        locations.extend(attribute.t.iter().map(Box::as_ref).chain(&attribute.tensors).filter_map(external_location));
        attribute.g.iter().map(Box::as_ref).chain(&attribute.graphs).for_each(|graph| locations_of(graph, locations));
    }
}

/// The opset that a model or a function imports for a domain; none where it imports none.
pub fn opset_of(imports: &[OperatorSetIdProto], domain: &str) -> Option<i64> {
    let is = |other: &str| other == domain || (is_own(domain) && is_own(other));
    imports.iter().find(|id| is(id.domain.as_deref().unwrap_or(""))).and_then(|id| id.version)
}

/// Whether a domain is ONNX's own, which has two names.
pub fn is_own(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}
