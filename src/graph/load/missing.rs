//! The operators of a model that are not supported, all at once.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::graph::custom::CUSTOM_DOMAIN;
use crate::graph::onnx::OnnxFile;
use crate::graph::onnx::proto::{FunctionProto, GraphProto, NodeProto};
use crate::graph::ops;

use super::functions::{FunctionKey, function_key, key_of};

/// An operator that a model uses and that is not supported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingOperator {
    /// Its name.
    pub operator: String,
    /// Its domain; empty for ONNX's own.
    pub domain: String,
    /// How many nodes use it, in the graph, its branches, and the functions that it calls (each counted once).
    pub count: usize,
    /// The name of the first of them.
    pub node: String,
    /// Why, and what to do; or which supported operators have the nearest names.
    pub reason: String,
}

/// Every operator of the model that is not supported, by domain and name. An operator that is supported may still be
/// refused for an attribute or an input: that only loading tells.
pub fn missing_operators(file: &OnnxFile) -> Vec<MissingOperator> {
    let functions: HashMap<FunctionKey<'_>, &FunctionProto> =
        file.model.functions.iter().map(|function| (key_of(function), function)).collect();
    let mut found: BTreeMap<(String, String), MissingOperator> = BTreeMap::new();
    let mut seen = HashSet::new();
    let mut waiting: Vec<&[NodeProto]> = file.model.graph.iter().map(|graph| graph.node.as_slice()).collect();
    while let Some(nodes) = waiting.pop() {
        for node in nodes {
            let subgraphs = node.attribute.iter().flat_map(|a| a.g.iter().map(|g| &**g).chain(&a.graphs));
            waiting.extend(subgraphs.map(|graph: &GraphProto| graph.node.as_slice()));
            let domain = node.domain.as_deref().unwrap_or("");
            let operator = node.op_type.as_deref().unwrap_or("");
            let overload = node.overload.as_deref().unwrap_or("");
            if let Some((key, function)) = functions.get_key_value(&function_key(domain, operator, overload)) {
                if seen.insert(*key) {
                    waiting.push(&function.node);
                }
            } else if domain != CUSTOM_DOMAIN && ops::find(domain, operator).is_none() {
                let reason = || match ops::refusal(domain, operator) {
                    Some(reason) => reason.to_owned(),
                    None => format!("the nearest supported are {}", ops::nearest(domain, operator)),
                };
                let name = node.name.clone().filter(|name| !name.is_empty());
                let name = name.or_else(|| node.output.first().cloned()).unwrap_or_default();
                let key = (domain.to_owned(), operator.to_owned());
                let entry = found.entry(key).or_insert_with(|| MissingOperator {
                    operator: operator.to_owned(),
                    domain: domain.to_owned(),
                    count: 0,
                    node: name,
                    reason: reason(),
                });
                entry.count += 1;
            }
        }
    }
    found.into_values().collect()
}
