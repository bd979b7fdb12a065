//! A dense layer along the last axis.

use aliascope::antialias::onnx_form::Chain;
use tch::{Tensor, nn};

use super::{Layer, constant};

/// y = x W + b along the last axis.
#[derive(Debug)]
pub struct Dense {
    weight: Tensor,
    bias: Tensor,
}

impl Dense {
    /// Of so many inputs and outputs.
    pub fn new(path: &nn::Path<'_>, [inputs, outputs]: [i64; 2]) -> Self {
        let init = nn::Init::Randn { mean: 0.0, stdev: (1.0 / inputs as f64).sqrt() };
        Self { weight: path.var("weight", &[inputs, outputs], init), bias: path.zeros("bias", &[outputs]) }
    }
}

impl Layer for Dense {
    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        x.matmul(&self.weight) + &self.bias
    }

    fn write(&self, chain: &mut Chain<'_>, shape: &mut Vec<i64>) {
        let weight = constant(chain, "weight", &self.weight);
        chain.then("MatMul", &[&weight], Vec::new());
        let bias = constant(chain, "bias", &self.bias);
        chain.then("Add", &[&bias], Vec::new());
        if let Some(last) = shape.last_mut() {
            *last = self.bias.size()[0];
        }
    }
}
