//! The nodes of a network at which something can alias.

use super::error::NodeTheoremError;
use crate::graph::operator::{Elementwise, Operator};
use crate::graph::window::{Taps, Window};
use crate::graph::{Network, Step};
use crate::measure::composite::Composite;
use crate::similar::similarity_by_parts;

/// What can alias at a node.
pub(super) enum Source<'a> {
    Convolution(Taps<'a>),
    Maximum(&'a Window),
    /// One function of every entry.
    Pointwise(&'a dyn Elementwise),
    /// Nodes that are together a function of every entry, or one node with a function per channel.
    Composite(Composite<'a>),
}

/// A node to check.
pub(super) struct Candidate<'a> {
    /// Its place in the order of the network.
    pub(super) at: usize,
    /// The node, or the last of those that belong together.
    pub(super) step: &'a Step,
    /// The value that it reads.
    pub(super) input: usize,
    pub(super) source: Source<'a>,
}

impl<'a> Candidate<'a> {
    /// All of them, in the order of the network.
    pub(super) fn all(network: &'a Network) -> Vec<Self> {
        let mut found = Vec::new();
        let mut covered: Vec<*const Step> = Vec::new();
        for composite in Composite::all(network) {
            covered.extend(composite.steps.iter().map(|step| std::ptr::from_ref(*step)));
            let at = network
                .steps()
                .iter()
                .position(|step| composite.steps.last().is_some_and(|&end| std::ptr::eq(step, end)));
            if let Some(at) = at {
                let (step, input) = (&network.steps()[at], composite.root);
                found.push(Self { at, step, input, source: Source::Composite(composite) });
            }
        }
        for (at, step) in network.steps().iter().enumerate() {
            let Some(&input) = step.inputs.first() else { continue };
            if covered.contains(&std::ptr::from_ref(step)) {
                continue;
            }
            if let Some(source) = source_of(network, step) {
                found.push(Self { at, step, input, source });
            }
        }
        found.sort_by_key(|candidate| candidate.at);
        found
    }

    /// The nodes that belong to it.
    pub(super) fn steps(&self) -> &[&'a Step] {
        match &self.source {
            Source::Composite(composite) => &composite.steps,
            _ => std::slice::from_ref(&self.step),
        }
    }

    /// The operators of its nodes.
    pub(super) fn operators(&self) -> String {
        match &self.source {
            Source::Composite(composite) => composite.operators(),
            _ => self.step.op_type.clone(),
        }
    }
}

/// Those with this in their name.
///
/// # Errors
/// When there is none.
pub(super) fn named<'a>(network: &'a Network, pattern: Option<&str>) -> Result<Vec<Candidate<'a>>, NodeTheoremError> {
    // A whole name means that node alone, also where it is a part of others' names.
    let exact = network.steps().iter().any(|step| Some(step.name.as_str()) == pattern);
    // Tables of layers name modules, and cut names at their front.
    let wanted = |step: &Step| match (pattern, pattern.and_then(|pattern| pattern.strip_prefix('…'))) {
        (Some(pattern), _) if exact => step.name == pattern,
        (_, Some(end)) => step.name.ends_with(end) || step.module.ends_with(end),
        (Some(pattern), None) => step.name.contains(pattern) || step.module == pattern,
        (None, None) => true,
    };
    let mut candidates = Candidate::all(network);
    if let (Some(pattern), false) =
        (pattern, candidates.iter().any(|candidate| candidate.steps().iter().any(|step| wanted(step))))
    {
        return Err(NodeTheoremError::NoNode { pattern: pattern.to_owned(), near: nearest(&candidates, pattern) });
    }
    candidates.retain(|candidate| candidate.steps().iter().any(|step| wanted(step)));
    Ok(candidates)
}

fn source_of<'a>(network: &'a Network, step: &'a Step) -> Option<Source<'a>> {
    match &*step.operator {
        Operator::Linear(op) => {
            op.pattern().taps().filter(|taps| taps.window.strides.iter().any(|&s| s > 1)).map(Source::Convolution)
        }
        Operator::Differentiable(op) => op.max_window().map(Source::Maximum),
        // Its slopes belong to channels, so that channels cannot be taken one by one.
        Operator::Elementwise(_) if step.op_type == "PRelu" => Composite::of(network, step).map(Source::Composite),
        // Its slope is none of its own function, of which the theorem speaks.
        Operator::Elementwise(_) if step.op_type == "QuantizeLinear" => None,
        Operator::Elementwise(op) => Some(Source::Pointwise(op.as_ref())),
        _ => None,
    }
}

fn nearest(candidates: &[Candidate<'_>], pattern: &str) -> String {
    let mut names: Vec<(f64, &str)> = candidates
        .iter()
        .map(|candidate| candidate.step.name.as_str())
        .map(|name| (similarity_by_parts(name, pattern), name))
        .collect();
    names.sort_by(|a, b| b.0.total_cmp(&a.0));
    names.iter().take(3).map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
}
