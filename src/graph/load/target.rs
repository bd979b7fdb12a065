//! Which value of a model is measured: an output, or an inner value.

use crate::graph::error::GraphError;
use crate::graph::network::Step;
use crate::graph::network::ValueInfo;
use crate::graph::onnx::OnnxFile;
use crate::graph::onnx::proto::{GraphProto, NodeProto};
pub use crate::graph::target::Target;
use crate::spectrum::name::UnknownName;

use super::wrong;

/// Where a target was found.
pub(super) enum Found {
    /// A value that a node of the file's graph makes.
    Value(String),
    /// Not among the file's nodes: to be looked for among the steps that they become.
    Steps,
}

/// The target among the outputs and nodes of a file.
pub(super) fn in_file(file: &OnnxFile, graph: &GraphProto, target: &Target) -> Result<Found, GraphError> {
    match target {
        Target::First => match graph.output.first().and_then(|o| o.name.clone()) {
            Some(output) if !output.is_empty() => Ok(Found::Value(output)),
            _ => Err(wrong(file, "the model has no output; export it again")),
        },
        Target::Output(given) => {
            let names: Vec<&str> = graph.output.iter().filter_map(|o| o.name.as_deref()).collect();
            let pairs = names.iter().map(|&name| (name, name));
            match matching(pairs, given) {
                Ok(Some(name)) => Ok(Found::Value(name.to_owned())),
                Ok(None) => Err(missed(file, "--output-name", given, "output", &names)),
                Err(several) => Err(ambiguous(file, "--output-name", given, &several)),
            }
        }
        Target::At(given) => match matching(graph.node.iter().flat_map(names_of), given) {
            Ok(Some(name)) => Ok(Found::Value(name.to_owned())),
            Ok(None) => Ok(Found::Steps),
            Err(several) => Err(ambiguous(file, "--at", given, &several)),
        },
    }
}

/// The target among the steps that a file's nodes became: the place of its value.
pub(super) fn in_steps(
    file: &OnnxFile,
    steps: &[Step],
    values: &[ValueInfo],
    given: &str,
) -> Result<usize, GraphError> {
    let pairs = steps.iter().flat_map(|step| {
        let ids: Vec<usize> = step.outputs.iter().flatten().copied().collect();
        let node = ids.first().map(|&id| (step.name.as_str(), id));
        node.into_iter().chain(ids.into_iter().map(|id| (values[id].name.as_str(), id)))
    });
    // Tables of layers name modules: what a module gives is what its last node gives.
    let module = steps.iter().rev().find(|step| !given.is_empty() && step.module == given);
    let of_module = module.and_then(|step| step.outputs.iter().flatten().next().copied());
    match matching(pairs, given).map(|found| found.or(of_module)) {
        Ok(Some(id)) => Ok(id),
        Ok(None) => {
            let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
            Err(missed(file, "--at", given, "node", &names))
        }
        Err(several) => Err(ambiguous(file, "--at", given, &several)),
    }
}

/// A node's name and those of its outputs, each with the value that it stands for.
fn names_of(node: &NodeProto) -> impl Iterator<Item = (&str, &str)> {
    let outputs = || node.output.iter().map(String::as_str).filter(|name| !name.is_empty());
    let own = node.name.as_deref().filter(|name| !name.is_empty());
    own.zip(outputs().next()).into_iter().chain(outputs().map(|name| (name, name)))
}

/// What `given` names: a whole name, or else the end of one, also as tables cut it (`…end`); all names with that end
/// where they stand for different values.
fn matching<'n, V: PartialEq + Copy>(
    pairs: impl Iterator<Item = (&'n str, V)>,
    given: &str,
) -> Result<Option<V>, Vec<&'n str>> {
    let given = given.strip_prefix('…').unwrap_or(given);
    if given.is_empty() {
        return Ok(None);
    }
    let ends: Vec<(&str, V)> = pairs.filter(|(name, _)| name.ends_with(given)).collect();
    if let Some((_, value)) = ends.iter().find(|(name, _)| *name == given) {
        return Ok(Some(*value));
    }
    match ends.first() {
        Some((_, value)) if ends.iter().all(|(_, other)| other == value) => Ok(Some(*value)),
        None => Ok(None),
        Some(_) => Err(ends.into_iter().map(|(name, _)| name).collect()),
    }
}

/// That no node of a file has the name `given`.
pub(super) fn missed_in_file(file: &OnnxFile, graph: &GraphProto, given: &str) -> GraphError {
    let names: Vec<&str> = graph.node.iter().flat_map(names_of).map(|(name, _)| name).collect();
    missed(file, "--at", given, "node", &names)
}

fn missed(file: &OnnxFile, option: &'static str, given: &str, what: &'static str, names: &[&str]) -> GraphError {
    let unknown = UnknownName::new(what, given, names);
    let near = unknown.suggestions.iter().take(3).map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
    let problem = if unknown.near {
        format!("is not the name of a {what} or value; near it are {near}")
    } else {
        format!("is not the name of a {what} or value, of which the first are {near}; `aliascope inspect` lists nodes")
    };
    GraphError::Target { path: file.path.display().to_string(), option, given: unknown.given, problem }
}

fn ambiguous(file: &OnnxFile, option: &'static str, given: &str, names: &[&str]) -> GraphError {
    let first = names.iter().take(3).map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
    let more = if names.len() > 3 { format!(" and {} more", names.len() - 3) } else { String::new() };
    GraphError::Target {
        path: file.path.display().to_string(),
        option,
        given: given.to_owned(),
        problem: format!("fits several names, {first}{more}; give a whole one"),
    }
}

/// The steps on which a value depends, in order.
pub(super) fn steps_before(steps: Vec<Step>, values: usize, target: usize) -> Vec<Step> {
    let mut wanted = vec![false; values];
    wanted[target] = true;
    let mut kept: Vec<Step> = Vec::new();
    for mut step in steps.into_iter().rev() {
        for output in &mut step.outputs {
            *output = output.filter(|&id| wanted[id]);
        }
        if step.outputs.iter().any(Option::is_some) {
            step.inputs.iter().for_each(|&id| wanted[id] = true);
            kept.push(step);
        }
    }
    kept.reverse();
    kept
}
