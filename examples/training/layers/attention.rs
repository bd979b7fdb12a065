//! Attention among tokens.

use aliascope::antialias::onnx_form::{Chain, int, ints};
use tch::{Kind, Tensor, nn};

use super::{Dense, Layer, constant, reshape};

/// Softmax(q kᵀ/√d) v in so many heads, between dense layers.
#[derive(Debug)]
pub struct Attention {
    query: Dense,
    key: Dense,
    value: Dense,
    output: Dense,
    heads: i64,
}

impl Attention {
    /// Of tokens of so many channels, which the heads divide.
    pub fn new(path: &nn::Path<'_>, channels: i64, heads: i64) -> Self {
        let dense = |name: &str| Dense::new(&(path / name), [channels, channels]);
        Self { query: dense("query"), key: dense("key"), value: dense("value"), output: dense("output"), heads }
    }
}

impl Layer for Attention {
    fn forward(&self, x: &Tensor, training: bool) -> Tensor {
        let [images, tokens, channels] = x.size()[..] else { unreachable!("tokens have three axes") };
        let size = channels / self.heads;
        let split = |dense: &Dense| {
            dense.forward(x, training).view([images, tokens, self.heads, size]).transpose(1, 2).contiguous()
        };
        let (query, key, value) = (split(&self.query), split(&self.key), split(&self.value));
        // Written out: libtorch's fused kernels have no forward mode, and the tangent of its softmax no gradient.
        let scores = query.matmul(&key.transpose(-2, -1)) * (1.0 / (size as f64).sqrt());
        let weights = (&scores - scores.detach().amax([-1].as_slice(), true)).exp();
        let weights = &weights / weights.sum_dim_intlist([-1].as_slice(), true, None::<Kind>);
        let mixed = weights.matmul(&value);
        self.output.forward(&mixed.transpose(1, 2).reshape([images, tokens, channels]), training)
    }

    fn write(&self, chain: &mut Chain<'_>, shape: &mut Vec<i64>) {
        let (tokens, channels) = (shape[1], shape[2]);
        let size = channels / self.heads;
        let before = chain.at();
        let mut head = |dense: &Dense, order: &[i64]| {
            chain.from(before.clone());
            dense.write(chain, &mut shape.clone());
            reshape(chain, &[1, tokens, self.heads, size]);
            chain.then("Transpose", &[], vec![ints("perm", order)])
        };
        let query = head(&self.query, &[0, 2, 1, 3]);
        let key = head(&self.key, &[0, 2, 3, 1]);
        let value = head(&self.value, &[0, 2, 1, 3]);
        chain.node("MatMul", &[&query, &key], Vec::new());
        let scale = constant(chain, "scale", &Tensor::from((1.0 / (size as f64).sqrt()) as f32));
        chain.then("Mul", &[&scale], Vec::new());
        chain.then("Softmax", &[], vec![int("axis", -1)]);
        chain.then("MatMul", &[&value], Vec::new());
        chain.then("Transpose", &[], vec![ints("perm", &[0, 2, 1, 3])]);
        reshape(chain, &[1, tokens, channels]);
        self.output.write(chain, shape);
    }
}
