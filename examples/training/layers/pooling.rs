//! Pooling over rows and columns.

use aliascope::antialias::onnx_form::{Chain, int, ints};
use tch::{Kind, Tensor};

use super::Layer;

/// The largest of 2 × 2 samples.
#[derive(Debug)]
pub struct MaxPool;

impl Layer for MaxPool {
    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        x.max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false)
    }

    fn write(&self, chain: &mut Chain<'_>, shape: &mut Vec<i64>) {
        chain.then("MaxPool", &[], vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])]);
        shape[2] /= 2;
        shape[3] /= 2;
    }
}

/// The mean of each map: `[images, channels]`.
#[derive(Debug)]
pub struct GlobalMean;

impl Layer for GlobalMean {
    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        x.mean_dim([2, 3].as_slice(), false, None::<Kind>)
    }

    fn write(&self, chain: &mut Chain<'_>, shape: &mut Vec<i64>) {
        chain.then("GlobalAveragePool", &[], Vec::new());
        chain.then("Flatten", &[], vec![int("axis", 1)]);
        shape.truncate(2);
    }
}
