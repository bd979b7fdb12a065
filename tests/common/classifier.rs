//! A small network with every kind of weight, and images for it.

use aliascope::graph::onnx::OnnxFile;
use aliascope::graph::onnx::proto::{GraphProto, NodeProto, TensorProto};
use tch::Tensor;

use super::model::{Value, attribute, floats, ints, model, node};

/// Rows and columns of its images.
pub const SIDE: i64 = 12;

/// Numbers that look random, the same on every machine.
pub struct Noise(pub u64);

impl Noise {
    /// Uniform in ±1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as f64 / f64::from(1u32 << 30) - 1.0
    }

    pub fn list(&mut self, count: i64, scale: f64) -> Vec<f64> {
        (0..count).map(|_| scale * self.next()).collect()
    }

    /// `[images, 1, 3, SIDE, SIDE]`: smooth fields, so that networks of random weights see something.
    pub fn images(&mut self, images: i64) -> Tensor {
        let coarse = Tensor::from_slice(&self.list(images * 3 * 16, 1.5)).view([images, 3, 4, 4]);
        coarse.upsample_bicubic2d([SIDE, SIDE], false, None, None).unsqueeze(1)
    }
}

struct Draft {
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
    noise: Noise,
    constant: fn(&str, &[i64], &[f64]) -> TensorProto,
}

impl Draft {
    fn add(&mut self, operator: &str, inputs: &[&str], output: &str, attributes: Vec<(&str, Value)>) {
        let mut made = node(operator, inputs, &[output]);
        made.name = Some(format!("/{output}/{operator}"));
        made.attribute = attributes.into_iter().map(|(name, value)| attribute(name, value)).collect();
        self.nodes.push(made);
    }

    fn weights(&mut self, name: &str, shape: &[i64], scale: f64) {
        let values = self.noise.list(shape.iter().product(), scale);
        self.constants.push((self.constant)(name, shape, &values));
    }

    fn convolution(&mut self, [from, to]: [&str; 2], [outputs, inputs, kernel]: [i64; 3], stride: i64, group: i64) {
        let (weight, bias) = (format!("{to}.weight"), format!("{to}.bias"));
        self.weights(&weight, &[outputs, inputs, kernel, kernel], 1.5 / ((inputs * kernel * kernel) as f64).sqrt());
        self.weights(&bias, &[outputs], 0.2);
        let pad = kernel / 2;
        let attributes = vec![
            ("strides", Value::Ints(vec![stride; 2])),
            ("pads", Value::Ints(vec![pad; 4])),
            ("group", Value::Int(group)),
        ];
        self.add("Conv", &[from, &weight, &bias], to, attributes);
    }
}

/// Two strided convolutions, one depthwise, a 1×1, a transposed one, a pool, a Gemm with its weight transposed, a
/// MatMul, a sum and a product with a constant per channel; `constant` makes its weights.
pub fn classifier(constant: fn(&str, &[i64], &[f64]) -> TensorProto) -> OnnxFile {
    let mut d = Draft { nodes: Vec::new(), constants: Vec::new(), noise: Noise(11), constant };
    d.convolution(["x", "stem"], [6, 3, 3], 2, 1);
    d.add("Relu", &["stem"], "stem/act", vec![]);
    d.convolution(["stem/act", "depthwise"], [6, 1, 3], 1, 6);
    d.add("Relu", &["depthwise"], "depthwise/act", vec![]);
    d.convolution(["depthwise/act", "down"], [8, 6, 3], 2, 1);
    d.add("Relu", &["down"], "down/act", vec![]);
    d.convolution(["down/act", "mix"], [8, 8, 1], 1, 1);
    d.weights("gain", &[8, 1, 1], 1.0);
    d.add("Mul", &["mix", "gain"], "gained", vec![]);
    d.weights("up.weight", &[8, 5, 2, 2], 0.4);
    d.weights("up.bias", &[5], 0.2);
    d.add("ConvTranspose", &["gained", "up.weight", "up.bias"], "up", vec![("strides", Value::Ints(vec![2, 2]))]);
    d.add("GlobalAveragePool", &["up"], "pooled", vec![]);
    d.constants.push(ints("flat", &[2], &[1, 5]));
    d.add("Reshape", &["pooled", "flat"], "vector", vec![]);
    d.weights("dense.weight", &[7, 5], 1.2);
    d.weights("dense.bias", &[7], 0.2);
    d.add("Gemm", &["vector", "dense.weight", "dense.bias"], "dense", vec![("transB", Value::Int(1))]);
    d.weights("head.weight", &[7, 4], 1.5);
    d.weights("head.bias", &[4], 0.2);
    d.add("MatMul", &["dense", "head.weight"], "product", vec![]);
    d.add("Add", &["head.bias", "product"], "y", vec![]);
    let graph = GraphProto {
        node: d.nodes,
        initializer: d.constants,
        input: vec![floats("x", &[1, 3, SIDE, SIDE])],
        output: vec![floats("y", &[])],
        ..Default::default()
    };
    let mut file = model(graph, 17);
    // What designs add is of the input's type.
    file.path = "memory.onnx".into();
    file
}
