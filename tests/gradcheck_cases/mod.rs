//! The cases: operator, opset, inputs, attributes.

mod arrays;
mod images;
mod microsoft;
mod pointwise;
mod rare;

use std::fmt;

use aliascope::graph::onnx::proto::{AttributeProto, NodeProto};

use crate::common::model::{Value, attribute};

/// Random sizes.
#[derive(Clone, Copy, Debug)]
pub struct Dims {
    pub n: i64,
    /// Even.
    pub c: i64,
    /// Four at least.
    pub h: i64,
    /// Four at least.
    pub w: i64,
}

impl Dims {
    /// `[batch, channels, rows, columns]`
    pub fn image(&self) -> Vec<i64> {
        vec![self.n, self.c, self.h, self.w]
    }

    /// `[batch, channels, depth, rows, columns]`
    pub fn volume(&self) -> Vec<i64> {
        vec![self.n, self.c, 3, self.h, self.w]
    }
}

/// An input of a case's node.
#[derive(Clone, Debug)]
pub enum In {
    /// Depends on the network's input; shape and range.
    Varying(Vec<i64>, f64, f64),
    /// Depends on the network's input, and is this.
    Values(Vec<i64>, Vec<f64>),
    /// Constant; shape and range.
    Constant(Vec<i64>, f64, f64),
    /// Constants as they are.
    Constants(Vec<f64>),
    Ints(Vec<i64>, Vec<i64>),
    Bools(Vec<i64>, Vec<bool>),
    /// Another input once more.
    Same(usize),
    Absent,
}

/// One node.
#[derive(Clone)]
pub struct Case {
    pub operator: &'static str,
    pub domain: &'static str,
    pub opset: i64,
    pub inputs: Vec<In>,
    pub attributes: Vec<AttributeProto>,
    pub outputs: usize,
    /// Nodes before it, which read in0, in1, …
    pub before: Vec<NodeProto>,
    /// A value that those nodes make, and the node reads first.
    pub first: Option<&'static str>,
    /// So many of the inputs only those nodes read.
    pub hidden: usize,
    /// Whether libtorch has a forward-mode derivative for it.
    pub peer: bool,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attributes: Vec<String> = self
            .attributes
            .iter()
            .map(|a| {
                format!("{}: i {:?} f {:?} s {:?} ints {:?}", a.name.as_deref().unwrap_or(""), a.i, a.f, a.s, a.ints)
            })
            .collect();
        write!(f, "{} (opset {}, {:?}, [{}])", self.operator, self.opset, self.inputs, attributes.join("; "))
    }
}

impl Case {
    pub fn outputs(mut self, outputs: usize) -> Self {
        self.outputs = outputs;
        self
    }

    pub fn without_peer(mut self) -> Self {
        self.peer = false;
        self
    }

    pub fn microsoft(mut self) -> Self {
        self.domain = "com.microsoft";
        // Of ONNX's own domain, which the model imports as well.
        self.opset = 17;
        self
    }

    /// The node reads `first`, which `nodes` make of its inputs, in front of them.
    pub fn after(mut self, first: &'static str, nodes: Vec<NodeProto>) -> Self {
        (self.first, self.before) = (Some(first), nodes);
        self
    }
}

impl Case {
    /// The node reads `first`, which `nodes` make of its first input, in its place.
    pub fn instead(mut self, first: &'static str, nodes: Vec<NodeProto>) -> Self {
        self.hidden = 1;
        self.after(first, nodes)
    }
}

pub fn case(operator: &'static str, opset: i64, inputs: Vec<In>, attributes: Vec<AttributeProto>) -> Case {
    Case {
        operator,
        domain: "",
        opset,
        inputs,
        attributes,
        outputs: 1,
        before: Vec::new(),
        first: None,
        hidden: 0,
        peer: true,
    }
}

/// Varying between −2 and 2.
pub fn v(shape: &[i64]) -> In {
    In::Varying(shape.to_vec(), -2.0, 2.0)
}

/// Varying in a range.
pub fn vr(shape: &[i64], low: f64, high: f64) -> In {
    In::Varying(shape.to_vec(), low, high)
}

/// Constant between −2 and 2.
pub fn c(shape: &[i64]) -> In {
    In::Constant(shape.to_vec(), -2.0, 2.0)
}

/// Constant in a range.
pub fn cr(shape: &[i64], low: f64, high: f64) -> In {
    In::Constant(shape.to_vec(), low, high)
}

/// A list of integers.
pub fn list(values: &[i64]) -> In {
    In::Ints(vec![values.len() as i64], values.to_vec())
}

/// Integers of a shape.
pub fn table(shape: &[i64], values: &[i64]) -> In {
    In::Ints(shape.to_vec(), values.to_vec())
}

pub fn i(name: &str, value: i64) -> AttributeProto {
    attribute(name, Value::Int(value))
}

pub fn f(name: &str, value: f32) -> AttributeProto {
    attribute(name, Value::Float(value))
}

pub fn s(name: &str, value: &'static str) -> AttributeProto {
    attribute(name, Value::Text(value))
}

pub fn is(name: &str, values: &[i64]) -> AttributeProto {
    attribute(name, Value::Ints(values.to_vec()))
}

/// All cases.
pub fn cases(d: &Dims) -> Vec<Case> {
    [pointwise::cases(d), images::cases(d), arrays::cases(d), microsoft::cases(d), rare::cases(d)].concat()
}
