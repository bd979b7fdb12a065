//! Maps as rows of tokens, and what is done to them entry by entry.

use aliascope::antialias::onnx_form::{Chain, int, ints, text};
use tch::{Kind, Tensor, nn};

use super::{Layer, constant, reshape};

/// `[images, channels, rows, columns]` as `[images, rows · columns, channels]`.
#[derive(Debug)]
pub struct Tokens;

impl Layer for Tokens {
    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        x.flatten(2, 3).transpose(1, 2)
    }

    fn write(&self, chain: &mut Chain<'_>, shape: &mut Vec<i64>) {
        *shape = vec![1, shape[1], shape[2] * shape[3]];
        reshape(chain, shape);
        chain.then("Transpose", &[], vec![ints("perm", &[0, 2, 1])]);
        shape.swap(1, 2);
    }
}

/// The last two axes in the other order.
#[derive(Debug)]
pub struct Swap;

impl Layer for Swap {
    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        x.transpose(1, 2)
    }

    fn write(&self, chain: &mut Chain<'_>, shape: &mut Vec<i64>) {
        chain.then("Transpose", &[], vec![ints("perm", &[0, 2, 1])]);
        shape.swap(1, 2);
    }
}

/// A learned vector for each place, added.
#[derive(Debug)]
pub struct Position(Tensor);

impl Position {
    /// Of so many tokens and channels.
    pub fn new(path: &nn::Path<'_>, [tokens, channels]: [i64; 2]) -> Self {
        Self(path.var("position", &[tokens, channels], nn::Init::Randn { mean: 0.0, stdev: 0.1 }))
    }
}

impl Layer for Position {
    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        x + &self.0
    }

    fn write(&self, chain: &mut Chain<'_>, _shape: &mut Vec<i64>) {
        let position = constant(chain, "position", &self.0);
        chain.then("Add", &[&position], Vec::new());
    }
}

/// The mean over tokens.
#[derive(Debug)]
pub struct TokenMean;

impl Layer for TokenMean {
    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        x.mean_dim([1].as_slice(), false, None::<Kind>)
    }

    fn write(&self, chain: &mut Chain<'_>, shape: &mut Vec<i64>) {
        let axes = chain.integers("axes", &[1]);
        chain.then("ReduceMean", &[&axes], vec![int("keepdims", 0)]);
        shape.remove(1);
    }
}

/// x Φ(x).
#[derive(Debug)]
pub struct Gelu;

impl Layer for Gelu {
    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        x.gelu("none")
    }

    fn write(&self, chain: &mut Chain<'_>, _shape: &mut Vec<i64>) {
        chain.then("Gelu", &[], vec![text("approximate", "none")]);
    }
}

/// max(x, 0).
#[derive(Debug)]
pub struct Relu;

impl Layer for Relu {
    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        x.relu()
    }

    fn write(&self, chain: &mut Chain<'_>, _shape: &mut Vec<i64>) {
        chain.then("Relu", &[], Vec::new());
    }
}
