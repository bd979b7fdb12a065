//! A convolution of zero-padded maps.

use aliascope::antialias::onnx_form::{Chain, int, ints};
use tch::{Tensor, nn};

use super::{Layer, constant};

/// `kernel` × `kernel` taps, with as much padding as keeps every map's size, or of stride `kernel` without any: patches.
#[derive(Debug)]
pub struct Convolution {
    weight: Tensor,
    bias: Option<Tensor>,
    stride: i64,
    padding: i64,
}

impl Convolution {
    /// With padding and without a bias, for a normalisation after it.
    pub fn same(path: &nn::Path<'_>, [inputs, outputs, kernel]: [i64; 3]) -> Self {
        let deviation = (2.0 / (inputs * kernel * kernel) as f64).sqrt();
        let init = nn::Init::Randn { mean: 0.0, stdev: deviation };
        let weight = path.var("weight", &[outputs, inputs, kernel, kernel], init);
        Self { weight, bias: None, stride: 1, padding: kernel / 2 }
    }

    /// Of patches that do not overlap, with a bias.
    pub fn patches(path: &nn::Path<'_>, [inputs, outputs, patch]: [i64; 3]) -> Self {
        let deviation = (1.0 / (inputs * patch * patch) as f64).sqrt();
        let init = nn::Init::Randn { mean: 0.0, stdev: deviation };
        let weight = path.var("weight", &[outputs, inputs, patch, patch], init);
        Self { weight, bias: Some(path.zeros("bias", &[outputs])), stride: patch, padding: 0 }
    }
}

impl Layer for Convolution {
    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        let ([s, p], one) = ([self.stride, self.padding], [1, 1]);
        x.conv2d(&self.weight, self.bias.as_ref(), [s, s], [p, p], one, 1)
    }

    fn write(&self, chain: &mut Chain<'_>, shape: &mut Vec<i64>) {
        write(chain, shape, &self.weight, self.bias.as_ref(), [self.stride, self.padding]);
    }
}

/// A Conv node.
pub(super) fn write(
    chain: &mut Chain<'_>,
    shape: &mut [i64],
    weight: &Tensor,
    bias: Option<&Tensor>,
    [stride, padding]: [i64; 2],
) {
    let mut inputs = vec![constant(chain, "weight", weight)];
    inputs.extend(bias.map(|bias| constant(chain, "bias", bias)));
    let names: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let (size, p) = (weight.size(), padding);
    let attributes = vec![
        ints("kernel_shape", &size[2..]),
        ints("strides", &[stride, stride]),
        ints("pads", &[p, p, p, p]),
        int("group", 1),
    ];
    chain.then("Conv", &names, attributes);
    shape[1] = size[0];
    for axis in [2, 3] {
        shape[axis] = (shape[axis] + 2 * padding - size[axis]) / stride + 1;
    }
}
