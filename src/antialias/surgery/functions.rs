//! Pointwise functions in a graph: one node, or the several that exporters write SiLU, GELU and hard swish as.

use super::graph_index::{GraphIndex, is_onnx};
use crate::graph::onnx::proto::NodeProto;
use crate::spectrum::activation::Activation;

/// A function, and the nodes that it is made of.
pub(super) struct Function {
    pub activation: Activation,
    /// The last one makes the function's value.
    pub nodes: Vec<usize>,
    pub input: String,
}

/// Every function of a graph; no node is in two of them.
pub(super) fn functions(index: &GraphIndex<'_>) -> Vec<Function> {
    let mut found: Vec<Function> = Vec::new();
    let taken = |found: &[Function], at: usize| found.iter().any(|f| f.nodes.contains(&at));
    for at in 0..index.graph.node.len() {
        if let Some(function) = product(index, at)
            && !function.nodes.iter().any(|at| taken(&found, *at))
        {
            found.push(function);
        }
    }
    for (at, node) in index.graph.node.iter().enumerate() {
        if taken(&found, at) || !is_onnx(node) {
            continue;
        }
        if let (Some(activation), Some(input)) = (single(index, node), node.input.first()) {
            found.push(Function { activation, nodes: vec![at], input: input.clone() });
        }
    }
    found.sort_by_key(|function| function.nodes.last().copied());
    found
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-4 * b.abs().max(1e-3)
}

/// A function that is one node.
fn single(index: &GraphIndex<'_>, node: &NodeProto) -> Option<Activation> {
    let parameter = |name: &str, usual: f64| index.float(node, name).unwrap_or(usual);
    match node.op_type.as_deref()? {
        "Relu" => Some(Activation::Relu),
        "LeakyRelu" => Some(Activation::LeakyRelu(decimal(parameter("alpha", 0.01)))),
        "Clip" => clips(index, node, 0.0, 6.0).then_some(Activation::Relu6),
        "HardSwish" => Some(Activation::HardSwish),
        "Sigmoid" => Some(Activation::Sigmoid),
        "Tanh" => Some(Activation::Tanh),
        "Softplus" => Some(Activation::Softplus),
        "Mish" => Some(Activation::Mish),
        "Elu" => near(parameter("alpha", 1.0), 1.0).then_some(Activation::Elu),
        "Gelu" => {
            let tanh = node
                .attribute
                .iter()
                .any(|a| a.name.as_deref() == Some("approximate") && a.s.as_deref().is_some_and(|s| s == b"tanh"));
            (!tanh).then_some(Activation::Gelu)
        }
        _ => None,
    }
}

/// The number that was meant where single precision was stored.
fn decimal(stored: f64) -> f64 {
    (stored as f32).to_string().parse().unwrap_or(stored)
}

fn clips(index: &GraphIndex<'_>, node: &NodeProto, low: f64, high: f64) -> bool {
    let bound = |at: usize, name: &str| match node.input.get(at).filter(|input| !input.is_empty()) {
        Some(input) => index.scalar(input),
        None => index.float(node, name),
    };
    bound(1, "min").is_some_and(|v| (v - low).abs() < 1e-6) && bound(2, "max").is_some_and(|v| (v - high).abs() < 1e-6)
}

/// Constant and varying operands of a node of two inputs.
fn operands<'a>(index: &GraphIndex<'a>, node: &'a NodeProto) -> Option<(f64, &'a str)> {
    let [a, b] = node.input.as_slice() else { return None };
    match (index.scalar(a), index.scalar(b)) {
        (None, Some(c)) => Some((c, a)),
        (Some(c), None) if node.op_type.as_deref() != Some("Div") => Some((c, b)),
        _ => None,
    }
}

/// A product c·x·g(x), its root at node `at`: SiLU, hard swish, GELU.
fn product(index: &GraphIndex<'_>, at: usize) -> Option<Function> {
    let mut nodes = Vec::new();
    let mut coefficient = 1.0;
    let mut factors: Vec<&str> = Vec::new();
    let mut open = vec![at];
    while let Some(at) = open.pop() {
        let node = index.node(at);
        if !is_onnx(node) || nodes.len() > 3 {
            return None;
        }
        nodes.push(at);
        let mut values: Vec<&str> = Vec::new();
        match (node.op_type.as_deref(), operands(index, node)) {
            (Some("Mul"), Some((c, value))) => {
                coefficient *= c;
                values.push(value);
            }
            (Some("Div"), Some((c, value))) if c != 0.0 => {
                coefficient /= c;
                values.push(value);
            }
            (Some("Mul"), None) => values.extend(node.input.iter().map(String::as_str)),
            _ => return None,
        }
        for value in values {
            let inner = ["Mul", "Div"].iter().find_map(|op| index.made_by(value, op)).map(|(at, _)| at);
            match inner {
                // A product behind which nothing else reads is a part of this one.
                Some(inner) if index.read_only_by(value, &nodes) && factors.len() + open.len() < 2 => open.push(inner),
                _ => factors.push(value),
            }
        }
    }
    let [a, b] = factors.as_slice() else { return None };
    [(a, b), (b, a)].into_iter().find_map(|(x, gate)| {
        let (activation, gate_nodes) = gated(index, x, gate, coefficient)?;
        let mut all = gate_nodes;
        all.extend(nodes.iter().rev());
        // Inner values must not be read elsewhere.
        let inner = all.iter().filter(|n| **n != at).flat_map(|n| &index.node(*n).output);
        let closed = inner.into_iter().all(|value| index.read_only_by(value, &all));
        closed.then(|| {
            all.sort_unstable();
            Function { activation, nodes: all, input: (*x).to_owned() }
        })
    })
}

/// Which function c·x·gate is, and the nodes from x to the gate.
fn gated(index: &GraphIndex<'_>, x: &str, gate: &str, coefficient: f64) -> Option<(Activation, Vec<usize>)> {
    let reads = |node: &NodeProto| node.input.first().map(String::as_str) == Some(x);
    if let Some((at, node)) = index.made_by(gate, "Sigmoid") {
        return (near(coefficient, 1.0) && reads(node)).then(|| (Activation::Silu, vec![at]));
    }
    if let Some((at, node)) = index.made_by(gate, "HardSigmoid") {
        let (a, b) = (index.float(node, "alpha").unwrap_or(0.2), index.float(node, "beta").unwrap_or(0.5));
        let fits = near(a, 1.0 / 6.0) && near(b, 0.5) && near(coefficient, 1.0) && reads(node);
        return fits.then(|| (Activation::HardSwish, vec![at]));
    }
    if let Some((at, node)) = index.made_by(gate, "Clip") {
        let (plus, add) = index.made_by(node.input.first()?, "Add")?;
        let (three, value) = operands(index, add)?;
        let fits = clips(index, node, 0.0, 6.0) && near(three, 3.0) && value == x && near(coefficient, 1.0 / 6.0);
        return fits.then(|| (Activation::HardSwish, vec![plus, at]));
    }
    let (plus, add) = index.made_by(gate, "Add")?;
    let (one, inner) = operands(index, add)?;
    let (at, erf) = index.made_by(inner, "Erf")?;
    let argument = erf.input.first()?;
    let scaled = |op: &str| {
        let (at, node) = index.made_by(argument, op)?;
        let (c, value) = operands(index, node)?;
        let factor = if op == "Div" { 1.0 / c } else { c };
        (value == x && near(factor, std::f64::consts::FRAC_1_SQRT_2)).then_some(at)
    };
    let scale = scaled("Div").or_else(|| scaled("Mul"))?;
    (near(one, 1.0) && near(coefficient, 0.5)).then(|| (Activation::Gelu, vec![scale, at, plus]))
}
