//! A node's attributes by name and type, with an account of what was asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::error::OnnxError;
use super::history::other_opsets;
use super::proto::{AttributeProto, GraphProto, NodeProto};
use super::tensor::OnnxTensor;

/// Attributes that are values, or places that stand for an axis's end.
const WIDE: [&str; 6] = ["value_int", "value_ints", "start", "starts", "end", "ends"];

/// The attributes of one node.
///
/// An attribute that is in the file but that nothing asks for is an error ([`finish`](Self::finish)): dropping it in
/// silence would compute something else than the model says.
#[derive(Debug)]
pub struct Attributes {
    node: String,
    operator: String,
    folder: std::path::PathBuf,
    values: BTreeMap<String, AttributeProto>,
    asked: BTreeSet<String>,
}

impl Attributes {
    /// The attributes of `node`, called `name` in messages; external tensors lie in `folder`.
    ///
    /// # Errors
    /// When a name is missing or used twice.
    pub fn new(node: &NodeProto, name: &str, folder: &Path) -> Result<Self, OnnxError> {
        let operator = node.op_type.clone().unwrap_or_default();
        let mut values = BTreeMap::new();
        for attribute in &node.attribute {
            let key = attribute.name.clone().unwrap_or_default();
            if key.is_empty() || values.insert(key.clone(), attribute.clone()).is_some() {
                return Err(OnnxError::Attribute {
                    node: name.to_owned(),
                    operator,
                    attribute: key,
                    wanted: "named once; the file is damaged, export it again",
                });
            }
        }
        Ok(Self { node: name.to_owned(), operator, folder: folder.to_owned(), values, asked: BTreeSet::new() })
    }

    /// Refuses attributes that an operator of ONNX's own domain has in other opsets than `opset`: what they mean in
    /// this one nobody has said.
    ///
    /// # Errors
    /// Names the first.
    pub fn check_opset(&self, opset: i64) -> Result<(), OnnxError> {
        match self.values.keys().find_map(|key| other_opsets(&self.operator, key, opset)) {
            None => Ok(()),
            Some(span) => Err(OnnxError::AttributeOpset {
                node: self.node.clone(),
                operator: self.operator.clone(),
                opset,
                attribute: span.attribute.to_owned(),
                opsets: format!("opsets {} to {}", span.first, span.last),
            }),
        }
    }

    /// The attribute, if it is there with the type `code` of ONNX's AttributeType.
    fn typed(&mut self, name: &str, code: i32, wanted: &'static str) -> Result<Option<&AttributeProto>, OnnxError> {
        self.asked.insert(name.to_owned());
        match self.values.get(name) {
            None => Ok(None),
            Some(value) if value.ref_attr_name.as_deref().is_some_and(|name| !name.is_empty()) => {
                Err(OnnxError::Attribute {
                    node: self.node.clone(),
                    operator: self.operator.clone(),
                    attribute: name.to_owned(),
                    wanted: "a value but refers to a function's attribute, outside of a function",
                })
            }
            // Files of the first IR versions leave the type out.
            Some(value) if matches!(value.r#type, None | Some(0)) || value.r#type == Some(code) => Ok(Some(value)),
            Some(_) => Err(OnnxError::Attribute {
                node: self.node.clone(),
                operator: self.operator.clone(),
                attribute: name.to_owned(),
                wanted,
            }),
        }
    }

    /// A float.
    ///
    /// # Errors
    /// When it has another type; so for all that follow.
    pub fn float(&mut self, name: &str) -> Result<Option<f32>, OnnxError> {
        Ok(self.typed(name, 1, "a float")?.map(|a| a.f.unwrap_or_default()))
    }

    /// An integer. One that counts or names something is of 32 bits, so that products of two do not overflow.
    pub fn int(&mut self, name: &str) -> Result<Option<i64>, OnnxError> {
        let value = self.typed(name, 2, "an integer")?.map(|a| a.i.unwrap_or_default());
        self.in_range(name, value.as_slice())?;
        Ok(value)
    }

    fn in_range(&self, name: &str, values: &[i64]) -> Result<(), OnnxError> {
        if WIDE.contains(&name) || values.iter().all(|&value| i32::try_from(value).is_ok()) {
            return Ok(());
        }
        Err(OnnxError::Attribute {
            node: self.node.clone(),
            operator: self.operator.clone(),
            attribute: name.to_owned(),
            wanted: "within ±2³¹, and nothing that it counts is larger; export the model again",
        })
    }

    /// A string.
    pub fn string(&mut self, name: &str) -> Result<Option<String>, OnnxError> {
        let bytes = self.typed(name, 3, "a string")?.map(|a| a.s.clone().unwrap_or_default());
        bytes
            .map(|bytes| {
                String::from_utf8(bytes).map_err(|_| OnnxError::Attribute {
                    node: self.node.clone(),
                    operator: self.operator.clone(),
                    attribute: name.to_owned(),
                    wanted: "a string in UTF-8",
                })
            })
            .transpose()
    }

    /// A list of strings.
    pub fn strings(&mut self, name: &str) -> Result<Option<Vec<String>>, OnnxError> {
        let lists = self.typed(name, 8, "a list of strings")?.map(|a| a.strings.clone());
        Ok(lists.map(|list| list.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect()))
    }

    /// A tensor.
    pub fn tensor(&mut self, name: &str) -> Result<Option<OnnxTensor>, OnnxError> {
        let folder = self.folder.clone();
        let place = format!("{}/{name}", self.node);
        match self.typed(name, 4, "a tensor")?.and_then(|a| a.t.clone()) {
            Some(tensor) => Ok(Some(OnnxTensor::from_proto(&tensor, &folder, &place)?)),
            None => Ok(None),
        }
    }

    /// A list of floats.
    pub fn floats(&mut self, name: &str) -> Result<Option<Vec<f32>>, OnnxError> {
        Ok(self.typed(name, 6, "a list of floats")?.map(|a| a.floats.clone()))
    }

    /// A list of integers, as for [`int`](Self::int).
    pub fn ints(&mut self, name: &str) -> Result<Option<Vec<i64>>, OnnxError> {
        let values = self.typed(name, 7, "a list of integers")?.map(|a| a.ints.clone());
        self.in_range(name, values.as_deref().unwrap_or_default())?;
        Ok(values)
    }

    /// Whether there is an attribute of this name, of any type.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// A subgraph.
    pub fn graph(&mut self, name: &str) -> Result<Option<GraphProto>, OnnxError> {
        Ok(self.typed(name, 5, "a graph")?.and_then(|a| a.g.as_deref().cloned()))
    }

    /// Counts all attributes as asked for: another node takes them.
    pub fn pass_on(&mut self) {
        self.asked.extend(self.values.keys().cloned());
    }

    /// Checks that every attribute in the file was asked for.
    ///
    /// # Errors
    /// Names the first that was not.
    pub fn finish(&self, opset: i64) -> Result<(), OnnxError> {
        match self.values.keys().find(|key| !self.asked.contains(*key)) {
            None => Ok(()),
            Some(unknown) => Err(OnnxError::UnknownAttribute {
                node: self.node.clone(),
                operator: self.operator.clone(),
                opset,
                attribute: unknown.clone(),
                known: self.asked.iter().cloned().collect::<Vec<_>>().join(", "),
            }),
        }
    }
}
