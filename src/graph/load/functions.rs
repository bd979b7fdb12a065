//! The functions of a model.

use std::collections::HashMap;

use super::{opsets, wrong};
use crate::graph::error::GraphError;
use crate::graph::onnx::proto::FunctionProto;
use crate::graph::onnx::{OnnxFile, is_own};

/// What tells a function from another: domain, name and overload.
pub(super) type FunctionKey<'f> = (&'f str, &'f str, &'f str);

/// The model's functions.
pub(super) fn functions(file: &OnnxFile) -> Result<HashMap<FunctionKey<'_>, &FunctionProto>, GraphError> {
    let mut functions = HashMap::new();
    for function in &file.model.functions {
        let key = key_of(function);
        let named = |problem: &str| {
            let overload = if key.2.is_empty() { String::new() } else { format!(" (overload '{}')", key.2) };
            wrong(file, format!("the function '{}'{overload} of the domain '{}' {problem}", key.1, key.0))
        };
        if functions.insert(key, function).is_some() {
            return Err(named("is there twice; export the model again"));
        }
        opsets::check(&function.opset_import).map_err(|problem| named(&problem))?;
    }
    Ok(functions)
}

pub(super) fn key_of(function: &FunctionProto) -> FunctionKey<'_> {
    let domain = function.domain.as_deref().unwrap_or("");
    function_key(domain, function.name.as_deref().unwrap_or(""), function.overload.as_deref().unwrap_or(""))
}

/// ONNX's own domain has two names.
pub(super) fn function_key<'f>(domain: &'f str, name: &'f str, overload: &'f str) -> FunctionKey<'f> {
    (if is_own(domain) { "" } else { domain }, name, overload)
}
