//! Filters that depend on place and content: DDAC (Zou et al., BMVC 2020, arXiv 2008.09604).

use tch::{Kind as Element, Tensor};

use super::design::{Cost, Design, DesignError, Resampling};
use super::phase::gaussian;
use super::plane::{check_padding, check_stride, pad};
use super::{Guarantee, Kind, Padding};
use crate::graph::operator::Torch;

/// Per output pixel and group of channels a k × k kernel: the softmax, over its k² entries, of a convolution of the
/// input.
///
/// The released code takes the softmax over all groups' entries together, so that one group's kernel does not sum to 1;
/// this follows the paper.
#[derive(Debug)]
pub struct Ddac {
    window: usize,
    groups: usize,
    stride: usize,
    /// `[groups·k², channels, k, k]`, batch norm folded in; none for seeded ones.
    weight: Option<Tensor>,
}

impl Ddac {
    /// The layer with a window of `window` and as many kernels as `groups`. `weight` is `[groups·window², channels,
    /// window, window]` with the batch norm folded in; without one, weights come from a seed.
    pub fn new(window: usize, groups: usize, stride: usize, weight: Option<Tensor>) -> Self {
        Self { window, groups, stride, weight }
    }

    fn anchor(&self) -> usize {
        (self.window - 1) / 2
    }
}

impl Design for Ddac {
    fn name(&self) -> String {
        "ddac".to_owned()
    }

    fn about(&self) -> String {
        "a kernel per pixel and group, the softmax of a convolution, here with seeded weights (DDAC, arXiv 2008.09604)"
            .to_owned()
    }

    fn kind(&self) -> Kind {
        Kind::Downsampling
    }

    fn guarantee(&self) -> Guarantee {
        Guarantee::Approximate
    }

    fn resampling(&self) -> Resampling {
        Resampling::Down { stride: self.stride, first: (self.window as f64 - 1.0) / 2.0 - self.anchor() as f64 }
    }

    fn check(&self, shape: [usize; 3], padding: Padding) -> Result<(), DesignError> {
        if !shape[0].is_multiple_of(self.groups) {
            let needs = format!("channels that {} groups divide", self.groups);
            return Err(DesignError::Channels { design: self.name(), needs, channels: shape[0] });
        }
        if let Some(weight) = &self.weight {
            let wanted = weight.size()[1] as usize;
            if wanted != shape[0] {
                let needs = format!("the {wanted} channels of its weights");
                return Err(DesignError::Channels { design: self.name(), needs, channels: shape[0] });
            }
        }
        check_padding(&self.name(), [self.anchor(), self.window - self.anchor() - 1], shape, padding)?;
        check_stride(&self.name(), self.stride, shape, padding)
    }

    fn forward(&self, x: &Tensor, padding: Padding) -> Torch<Tensor> {
        let (k, g, s) = (self.window as i64, self.groups as i64, self.stride as i64);
        let size = x.size();
        let (images, channels) = (size[0], size[1]);
        let padded = pad(x, self.anchor(), self.window - self.anchor() - 1, padding)?;
        let weight = match &self.weight {
            Some(weight) => weight.shallow_clone(),
            None => gaussian(7, &[g * k * k, channels, k, k])?,
        };
        let weight = weight.f_to_kind(x.kind())?.f_to_device(x.device())?;
        let logits = padded.f_conv2d(&weight, None::<&Tensor>, [s, s], [0, 0], [1, 1], 1)?;
        let (rows, columns) = (logits.size()[2], logits.size()[3]);
        let kernels = logits.f_view([images, g, 1, k * k, rows, columns])?.f_softmax(3, None::<Element>)?;
        let patches = padded.f_unfold(2, k, s)?.f_unfold(3, k, s)?;
        let patches =
            patches.f_permute([0, 1, 4, 5, 2, 3])?.f_reshape([images, g, channels / g, k * k, rows, columns])?;
        let sum = patches.f_mul(&kernels)?.f_sum_dim_intlist([3].as_slice(), false, None::<Element>)?;
        sum.f_reshape([images, channels, rows, columns])
    }

    fn cost(&self, [images, channels, rows, columns]: [usize; 4]) -> Option<Cost> {
        let [out_rows, out_columns] = self.resampling().output([rows, columns]);
        let places = (images * out_rows * out_columns) as f64;
        let k2 = (self.window * self.window) as f64;
        let kernels = places * self.groups as f64 * k2;
        let output = places * channels as f64;
        Some(Cost { operations: kernels * k2 * channels as f64 + output * k2, numbers: kernels + output * k2 + output })
    }
}
