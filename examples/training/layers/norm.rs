//! Normalisations.

use aliascope::antialias::onnx_form::{Chain, float, int};
use tch::{Tensor, nn};

use super::{Layer, constant};

const EPSILON: f64 = 1e-5;
/// What a batch counts in the running statistics.
const MOMENTUM: f64 = 0.1;

/// Batch normalisation, channel by channel, where `group` maps in a row are one channel: the orientations of a group
/// convolution, which have to be treated alike.
#[derive(Debug)]
pub struct BatchNorm {
    scale: Tensor,
    shift: Tensor,
    mean: Tensor,
    variance: Tensor,
    group: i64,
}

impl BatchNorm {
    /// Of so many channels.
    pub fn new(path: &nn::Path<'_>, channels: i64, group: i64) -> Self {
        Self {
            scale: path.ones("scale", &[channels]),
            shift: path.zeros("shift", &[channels]),
            mean: path.zeros_no_train("mean", &[channels]),
            variance: path.ones_no_train("variance", &[channels]),
            group,
        }
    }
}

impl Layer for BatchNorm {
    fn forward(&self, x: &Tensor, training: bool) -> Tensor {
        let size = x.size();
        let channels = x.reshape([size[0], size[1] / self.group, self.group * size[2], size[3]]);
        let (scale, shift) = (Some(&self.scale), Some(&self.shift));
        let (mean, variance) = (Some(&self.mean), Some(&self.variance));
        channels.batch_norm(scale, shift, mean, variance, training, MOMENTUM, EPSILON, false).reshape(size)
    }

    fn write(&self, chain: &mut Chain<'_>, _shape: &mut Vec<i64>) {
        let each = |t: &Tensor| t.repeat_interleave_self_int(self.group, 0, None::<i64>);
        let all = [("scale", &self.scale), ("shift", &self.shift), ("mean", &self.mean), ("variance", &self.variance)];
        let names = all.map(|(name, tensor)| constant(chain, name, &each(tensor)));
        chain.then("BatchNormalization", &names.each_ref().map(String::as_str), vec![float("epsilon", EPSILON as f32)]);
    }
}

/// Layer normalisation of the last axis.
#[derive(Debug)]
pub struct LayerNorm {
    scale: Tensor,
    shift: Tensor,
}

impl LayerNorm {
    /// Of so many entries.
    pub fn new(path: &nn::Path<'_>, entries: i64) -> Self {
        Self { scale: path.ones("scale", &[entries]), shift: path.zeros("shift", &[entries]) }
    }
}

impl Layer for LayerNorm {
    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        x.layer_norm(self.scale.size(), Some(&self.scale), Some(&self.shift), EPSILON, false)
    }

    fn write(&self, chain: &mut Chain<'_>, _shape: &mut Vec<i64>) {
        let names = [constant(chain, "scale", &self.scale), constant(chain, "shift", &self.shift)];
        let attributes = vec![int("axis", -1), float("epsilon", EPSILON as f32)];
        chain.then("LayerNormalization", &names.each_ref().map(String::as_str), attributes);
    }
}
