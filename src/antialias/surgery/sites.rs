//! The places of a network where a design can go.

use std::collections::{HashMap, HashSet};

use super::SurgeryError;
use super::functions_in_file::{Function, functions};
use super::graph_index::{GraphIndex, is_onnx, name_of};
use super::rule::What;
use crate::graph::onnx::OnnxFile;
use crate::graph::onnx::proto::NodeProto;
use crate::graph::operator::Operator;
use crate::graph::window::Window;
use crate::graph::{Network, Step, ValueInfo};
use crate::spectrum::activation::Activation;
use crate::spectrum::activation::formula::Formula;

/// A place where a design can go.
#[derive(Clone, Debug)]
pub struct Site {
    /// The node's name.
    pub name: String,
    /// Its operator; of a function, the function.
    pub operator: String,
    /// The names of all its nodes.
    pub nodes: Vec<String>,
    /// What is there.
    pub kind: SiteKind,
}

/// What is at a place.
#[derive(Clone, Debug)]
pub enum SiteKind {
    /// A convolution or pooling with a stride.
    Strided(Strided),
    /// A pointwise function on maps.
    Function(FunctionSite),
}

/// A convolution or pooling with a stride.
#[derive(Clone, Debug)]
pub struct Strided {
    /// Its place among the graph's nodes.
    pub(super) node: usize,
    /// Convolution, max-pooling or average-pooling.
    pub(super) what: What,
    /// Its window, with strides.
    pub(super) window: Window,
    /// Rows and columns that it reads.
    pub(super) input: [i64; 2],
    /// What it writes, `[batch, channels, rows, columns]`.
    pub(super) output: [i64; 4],
    /// The pointwise nodes after it, to the end of its activation.
    pub(super) activation: Option<Region>,
}

impl Strided {
    /// Samples at stride 1 with this end padding.
    pub(super) fn length(&self, end: &[i64]) -> [i64; 2] {
        [0, 1].map(|axis| self.input[axis] + self.window.begin[axis] + end[axis] - self.window.reach(axis) + 1)
    }

    /// The end padding at stride 1: the node's own, or more where its last window (`ceil_mode`) or, if `whole`, a whole
    /// number of strides needs it.
    pub(super) fn fine(&self, whole: bool) -> Vec<i64> {
        let own = self.length(&self.window.end);
        (0..2)
            .map(|axis| {
                let (s, outputs) = (self.window.strides[axis], self.output[2 + axis]);
                let least = (outputs - 1) * s + 1;
                let wanted = if whole { outputs * s } else { own[axis].max(least).min(outputs * s) };
                self.window.end[axis] + wanted - own[axis]
            })
            .collect()
    }

    /// A last window that sees nothing of the map has no maximum and no mean.
    pub(super) fn lies_in_padding(&self, end: &[i64]) -> Option<String> {
        let length = self.length(end);
        let beyond = (0..2).any(|axis| length[axis] - 1 - self.window.begin[axis] >= self.input[axis]);
        (beyond && self.what != What::Convolution)
            .then(|| "at stride 1 its last windows would lie in its padding alone".to_owned())
    }
}

/// Pointwise nodes between a node's output and one value, beside which nothing leaves them.
#[derive(Clone, Debug)]
pub(super) struct Region {
    pub nodes: Vec<usize>,
    /// The value that leaves.
    pub exit: String,
    /// The node that makes it.
    pub last: String,
}

/// A pointwise function on maps.
#[derive(Clone, Debug)]
pub struct FunctionSite {
    /// The function.
    pub activation: Activation,
    /// Places among the graph's nodes; the last makes the value.
    pub(super) nodes: Vec<usize>,
    pub(super) input: String,
    pub(super) output: String,
    /// `[batch, channels, rows, columns]`.
    pub(super) shape: [i64; 4],
}

impl Site {
    /// Whether a rule for `what` is about this place.
    pub fn is(&self, what: &What) -> bool {
        match &self.kind {
            SiteKind::Strided(strided) => *what == What::Stride || *what == strided.what,
            SiteKind::Function(function) => what.is(&function.activation),
        }
    }
}

/// Every place of a network, in graph order.
///
/// # Errors
/// When the file has no graph.
pub fn find_sites(file: &OnnxFile, network: &Network) -> Result<Vec<Site>, SurgeryError> {
    let index = GraphIndex::new(file)?;
    let values: HashMap<&str, &ValueInfo> = network.values().iter().map(|value| (value.name.as_str(), value)).collect();
    let mut steps: HashMap<&str, &Step> = HashMap::new();
    for step in network.steps() {
        if let Some(Some(id)) = step.outputs.first() {
            steps.insert(network.values()[*id].name.as_str(), step);
        }
    }
    let planar = |name: &str| -> Option<[i64; 4]> {
        let value = values.get(name)?;
        value.layout.plane()?;
        value.shape.as_slice().try_into().ok()
    };
    let functions = functions(&index);
    let mut sites: Vec<(usize, Site)> = Vec::new();
    for (at, node) in index.graph.node.iter().enumerate() {
        let Some(output) = node.output.first() else { continue };
        let Some(step) = steps.get(output.as_str()).filter(|_| is_onnx(node)) else { continue };
        let (Some(window), Some(what)) = (window(&step.operator), strided_operator(node)) else { continue };
        let input = node.input.first().and_then(|input| values.get(input.as_str()));
        let (Some(input), Some(shape)) = (input, planar(output)) else { continue };
        if window.strides.iter().all(|&s| s == 1) || input.shape.len() != 4 {
            continue;
        }
        let strided = Strided {
            node: at,
            what,
            window: window.clone(),
            input: [input.shape[2], input.shape[3]],
            output: shape,
            activation: region(&index, &values, &functions, at, output),
        };
        let name = name_of(node);
        let operator = node.op_type.clone().unwrap_or_default();
        sites.push((at, Site { nodes: vec![name.clone()], name, operator, kind: SiteKind::Strided(strided) }));
    }
    for function in functions {
        let Some(&last) = function.nodes.last() else { continue };
        let Some(output) = index.node(last).output.first() else { continue };
        let (Some(shape), Some(_)) = (planar(output), planar(&function.input)) else { continue };
        let site = Site {
            name: name_of(index.node(last)),
            operator: function.activation.to_string(),
            nodes: function.nodes.iter().map(|&at| name_of(index.node(at))).collect(),
            kind: SiteKind::Function(FunctionSite {
                activation: function.activation,
                nodes: function.nodes,
                input: function.input,
                output: output.clone(),
                shape,
            }),
        };
        sites.push((last, site));
    }
    sites.sort_by_key(|(at, _)| *at);
    Ok(sites.into_iter().map(|(_, site)| site).collect())
}

fn strided_operator(node: &NodeProto) -> Option<What> {
    match node.op_type.as_deref()? {
        "Conv" => Some(What::Convolution),
        "MaxPool" => Some(What::MaxPool),
        "AveragePool" => Some(What::AveragePool),
        _ => None,
    }
}

fn window(operator: &Operator) -> Option<&Window> {
    match operator {
        Operator::Linear(op) => op.pattern().taps().map(|taps| taps.window),
        Operator::Differentiable(op) => op.max_window(),
        _ => None,
    }
}

/// Pointwise nodes after `output`, up to the first value after a nonlinearity beside which nothing leaves them.
fn region(
    index: &GraphIndex<'_>,
    values: &HashMap<&str, &ValueInfo>,
    functions: &[Function],
    node: usize,
    output: &str,
) -> Option<Region> {
    let mut inside: HashSet<&str> = HashSet::from([output]);
    let mut nodes: Vec<usize> = Vec::new();
    let mut curved = false;
    for at in node + 1..index.graph.node.len() {
        let next = index.node(at);
        if !next.input.iter().any(|input| inside.contains(input.as_str())) {
            continue;
        }
        let is_nonlinear = pointwise(index, values, next, &inside)?;
        curved |= is_nonlinear;
        nodes.push(at);
        inside.extend(next.output.iter().filter(|output| !output.is_empty()).map(String::as_str));
        let mut leaving = inside.iter().filter(|value| !index.read_only_by(value, &nodes));
        if let (Some(exit), None, true) = (leaving.next(), leaving.next(), curved)
            && next.output.first().map(String::as_str) == Some(*exit)
            // Not in the middle of a function of several nodes.
            && functions.iter().all(|f| !f.nodes.contains(&at) || f.nodes.last() == Some(&at))
        {
            return Some(Region { nodes, exit: (*exit).to_owned(), last: name_of(next) });
        }
    }
    None
}

/// Whether a node is pointwise on a map: none where it is not, or reads values from elsewhere; inside, whether it is
/// nonlinear.
fn pointwise(
    index: &GraphIndex<'_>,
    values: &HashMap<&str, &ValueInfo>,
    node: &NodeProto,
    inside: &HashSet<&str>,
) -> Option<bool> {
    /// Beside the activations that are one node.
    const CURVED: [&str; 8] = ["Clip", "HardSigmoid", "Selu", "Celu", "Softsign", "Erf", "Exp", "PRelu"];
    if !is_onnx(node) {
        return None;
    }
    let operator = node.op_type.as_deref()?;
    for input in node.input.iter().map(String::as_str).filter(|input| !input.is_empty()) {
        if inside.contains(input) {
            continue;
        }
        // A value from elsewhere would have to be on the finer map too.
        if values.contains_key(input) || (operator != "BatchNormalization" && !is_uniform(index.constant_shape(input)?))
        {
            return None;
        }
    }
    let varying = node.input.iter().filter(|input| inside.contains(input.as_str())).count();
    match operator {
        "Identity" | "BatchNormalization" => Some(false),
        "Add" | "Sub" => Some(false),
        "Mul" | "Div" => Some(varying > 1),
        "Min" | "Max" | "Pow" => Some(true),
        _ if CURVED.contains(&operator) || is_activation(operator) => Some(true),
        _ => None,
    }
}

/// Whether an operator is one of the activations' own.
fn is_activation(operator: &str) -> bool {
    let forms = Activation::examples().into_iter().flat_map(|activation| activation.forms());
    forms
        .into_iter()
        .any(|form| matches!(&form, Formula::Node { operator: own, .. } if form.nodes() == 1 && *own == operator))
}

/// Whether a constant of this shape is the same at every row and column.
fn is_uniform(shape: &[i64]) -> bool {
    shape.iter().rev().take(2).all(|&n| n == 1)
}
