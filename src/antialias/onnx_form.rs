//! A design as ONNX nodes, so that a saved model says what was put into it.

use super::Padding;
use super::plane::Taps;
use crate::graph::onnx::proto::{AttributeProto, NodeProto, TensorProto};

/// Where the nodes go: between two values, on maps of a known shape.
#[derive(Clone, Debug)]
pub struct OnnxSite {
    /// The value that is read.
    pub input: String,
    /// The value that is written.
    pub output: String,
    /// What names of nodes and constants begin with.
    pub prefix: String,
    /// The input's shape, `[batch, channels, rows, columns]`.
    pub shape: [usize; 4],
    /// What lies beyond the edge.
    pub padding: Padding,
    /// Whether constants are of double precision; single otherwise.
    pub double: bool,
}

/// Nodes in order, and the constants that they read. They mean the same in every opset from 13.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OnnxForm {
    /// The nodes.
    pub nodes: Vec<NodeProto>,
    /// The constants.
    pub constants: Vec<TensorProto>,
}

/// ONNX cannot say a design.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the design '{design}' has no exact ONNX form: {reason}")]
pub struct NotOnnx {
    /// The design.
    pub design: String,
    /// Why.
    pub reason: String,
}

/// A chain of nodes under construction, each reading what the one before wrote.
pub struct Chain<'a> {
    site: &'a OnnxSite,
    form: OnnxForm,
    at: String,
}

/// An attribute of integers.
pub fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { name: Some(name.to_owned()), r#type: Some(7), ints: values.to_vec(), ..Default::default() }
}

/// An attribute of one integer.
pub fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: Some(name.to_owned()), r#type: Some(2), i: Some(value), ..Default::default() }
}

/// An attribute of one float.
pub fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { name: Some(name.to_owned()), r#type: Some(1), f: Some(value), ..Default::default() }
}

/// An attribute of text.
pub fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_owned()),
        r#type: Some(3),
        s: Some(value.as_bytes().to_vec()),
        ..Default::default()
    }
}

impl<'a> Chain<'a> {
    /// An empty chain.
    pub fn new(site: &'a OnnxSite) -> Self {
        Self { site, form: OnnxForm::default(), at: site.input.clone() }
    }

    /// The value that the last node wrote.
    pub fn at(&self) -> String {
        self.at.clone()
    }

    /// Goes on from another value of the chain.
    pub fn from(&mut self, value: String) {
        self.at = value;
    }

    /// Nodes made elsewhere, which read what the last one wrote; they write `output`.
    pub fn append(&mut self, form: OnnxForm, output: String) {
        self.form.nodes.extend(form.nodes);
        self.form.constants.extend(form.constants);
        self.at = output;
    }

    /// A constant of floats in the site's precision; its name.
    pub fn constant(&mut self, name: &str, shape: &[usize], values: &[f64]) -> String {
        let name = format!("{}/{name}{}", self.site.prefix, self.form.constants.len());
        let mut tensor = TensorProto {
            name: Some(name.clone()),
            dims: shape.iter().map(|&n| n as i64).collect(),
            data_type: Some(if self.site.double { 11 } else { 1 }),
            ..Default::default()
        };
        if self.site.double {
            tensor.double_data = values.to_vec();
        } else {
            tensor.float_data = values.iter().map(|&v| v as f32).collect();
        }
        self.form.constants.push(tensor);
        name
    }

    /// A constant of integers along one axis; its name.
    pub fn integers(&mut self, name: &str, values: &[i64]) -> String {
        let name = format!("{}/{name}{}", self.site.prefix, self.form.constants.len());
        self.form.constants.push(TensorProto {
            name: Some(name.clone()),
            dims: vec![values.len() as i64],
            data_type: Some(7),
            int64_data: values.to_vec(),
            ..Default::default()
        });
        name
    }

    /// A node that reads these values.
    pub fn node(&mut self, operator: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> String {
        let name = format!("{}/{operator}{}", self.site.prefix, self.form.nodes.len());
        self.form.nodes.push(NodeProto {
            name: Some(name.clone()),
            op_type: Some(operator.to_owned()),
            input: inputs.iter().map(|input| (*input).to_owned()).collect(),
            output: vec![name.clone()],
            attribute: attributes,
            ..Default::default()
        });
        self.at.clone_from(&name);
        name
    }

    /// A node that reads what the last one wrote, and then these.
    pub fn then(&mut self, operator: &str, more: &[&str], attributes: Vec<AttributeProto>) -> String {
        let at = self.at();
        let inputs: Vec<&str> = std::iter::once(at.as_str()).chain(more.iter().copied()).collect();
        self.node(operator, &inputs, attributes)
    }

    /// Padding along rows and columns of a map of `side` samples: Pad by reflection or with zeros; circular, Gather.
    pub fn pad(&mut self, [rows, columns]: [usize; 2], before: usize, after: usize) {
        if before + after == 0 {
            return;
        }
        let (b, a) = (before as i64, after as i64);
        let mode = match self.site.padding {
            Padding::Circular => {
                for (axis, side) in [(2, rows), (3, columns)] {
                    let indices: Vec<i64> = (-b..side as i64 + a).map(|i| i.rem_euclid(side as i64)).collect();
                    let indices = self.integers("wrapped", &indices);
                    self.then("Gather", &[&indices], vec![int("axis", axis)]);
                }
                return;
            }
            Padding::Reflect => "reflect",
            Padding::Zero => "constant",
        };
        let pads = self.integers("pads", &[0, 0, b, b, 0, 0, a, a]);
        self.then("Pad", &[&pads], vec![text("mode", mode)]);
    }

    /// Padding and a depthwise convolution with constant taps: y_j = Σ_t w_t x_{s·j + t − anchor}.
    pub fn filter(&mut self, side: [usize; 2], taps: &Taps, stride: usize) {
        let n = taps.weights.len();
        let plane: Vec<f64> = (0..n * n).map(|at| taps.weights[at / n] * taps.weights[at % n]).collect();
        self.filter_plane(side, &plane, n, taps.anchor, stride);
    }

    /// The same with `n`×`n` taps that do not separate.
    pub fn filter_plane(&mut self, side: [usize; 2], plane: &[f64], n: usize, anchor: usize, stride: usize) {
        let channels = self.site.shape[1];
        self.pad(side, anchor, n - anchor - 1);
        let weight: Vec<f64> = std::iter::repeat_n(plane, channels).flatten().copied().collect();
        let weight = self.constant("taps", &[channels, 1, n, n], &weight);
        let (n, s) = (n as i64, stride as i64);
        self.then(
            "Conv",
            &[&weight],
            vec![
                ints("kernel_shape", &[n, n]),
                ints("strides", &[s, s]),
                ints("pads", &[0, 0, 0, 0]),
                int("group", channels as i64),
            ],
        );
    }

    /// R x Rᵀ with constant matrices, as two MatMul nodes.
    pub fn matrices(&mut self, rows: &ndarray::Array2<f64>, columns: &ndarray::Array2<f64>) {
        let transposed = columns.t();
        let values: Vec<f64> = transposed.iter().copied().collect();
        let right = self.constant("columns", &[transposed.nrows(), transposed.ncols()], &values);
        self.then("MatMul", &[&right], Vec::new());
        let values: Vec<f64> = rows.iter().copied().collect();
        let left = self.constant("rows", &[rows.nrows(), rows.ncols()], &values);
        let at = self.at();
        self.node("MatMul", &[&left, &at], Vec::new());
    }

    /// The whole, its last node writing the site's output; nothing in it is an Identity.
    pub fn finish(mut self) -> OnnxForm {
        match self.form.nodes.last_mut() {
            Some(node) => node.output = vec![self.site.output.clone()],
            None => {
                self.node("Identity", &[&self.site.input], Vec::new());
                if let Some(node) = self.form.nodes.last_mut() {
                    node.output = vec![self.site.output.clone()];
                }
            }
        }
        self.form
    }
}
