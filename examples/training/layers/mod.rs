//! Layers that tch trains and that ONNX can say: each one is written once, both ways.

mod attention;
mod convolution;
mod dense;
mod designed;
mod group;
mod norm;
mod pooling;
mod tokens;

use std::fmt::Debug;

use aliascope::antialias::onnx_form::Chain;
use tch::Tensor;

pub use attention::Attention;
pub use convolution::Convolution;
pub use dense::Dense;
pub use designed::Designed;
pub use group::{Bases, GroupConvolution, GroupPool};
pub use norm::{BatchNorm, LayerNorm};
pub use pooling::{GlobalMean, MaxPool};
pub use tokens::{Gelu, Position, Relu, Swap, TokenMean, Tokens};

/// One layer.
pub trait Layer: Debug {
    /// Its output for `[images, …]`.
    fn forward(&self, x: &Tensor, training: bool) -> Tensor;

    /// The same as ONNX nodes after those that are there, for one image; `shape` is the input's and becomes the output's.
    fn write(&self, chain: &mut Chain<'_>, shape: &mut Vec<i64>);
}

/// Layers one after the other.
#[derive(Debug, Default)]
pub struct Sequence(pub Vec<Box<dyn Layer>>);

impl Sequence {
    /// One more layer at the end.
    pub fn then(mut self, layer: impl Layer + 'static) -> Self {
        self.0.push(Box::new(layer));
        self
    }
}

impl Layer for Sequence {
    fn forward(&self, x: &Tensor, training: bool) -> Tensor {
        self.0.iter().fold(x.shallow_clone(), |x, layer| layer.forward(&x, training))
    }

    fn write(&self, chain: &mut Chain<'_>, shape: &mut Vec<i64>) {
        self.0.iter().for_each(|layer| layer.write(chain, shape));
    }
}

/// x + f(x).
#[derive(Debug)]
pub struct Residual(pub Sequence);

impl Layer for Residual {
    fn forward(&self, x: &Tensor, training: bool) -> Tensor {
        x + self.0.forward(x, training)
    }

    fn write(&self, chain: &mut Chain<'_>, shape: &mut Vec<i64>) {
        let before = chain.at();
        self.0.write(chain, shape);
        let after = chain.at();
        chain.node("Add", &[&before, &after], Vec::new());
    }
}

/// A tensor as a constant of the file; its name.
fn constant(chain: &mut Chain<'_>, name: &str, tensor: &Tensor) -> String {
    let shape: Vec<usize> = tensor.size().iter().map(|&n| n as usize).collect();
    let values = Vec::<f64>::try_from(tensor.detach().to_kind(tch::Kind::Double).contiguous().view([-1]));
    chain.constant(name, &shape, &values.unwrap_or_default())
}

/// A view of another shape.
fn reshape(chain: &mut Chain<'_>, to: &[i64]) {
    let shape = chain.integers("shape", to);
    chain.then("Reshape", &[&shape], Vec::new());
}
