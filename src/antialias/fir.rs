//! Separable filters followed by a stride: what most designs are.

use num_complex::Complex64;
use tch::Tensor;

use super::design::{Cost, Design, DesignError, Resampling};
use super::onnx_form::{Chain, NotOnnx, OnnxForm, OnnxSite};
use super::plane::{Cache, Taps, check_padding, check_stride, filter};
use super::{Guarantee, Kind, Padding};
use crate::graph::operator::Torch;
use crate::spectrum::{GridSize, Wave};

/// y_j = Σ_t w_t x_{s·j + t − anchor} along rows and along columns, every channel by itself.
#[derive(Debug)]
pub struct Fir {
    name: String,
    about: String,
    taps: Taps,
    stride: usize,
    cache: Cache,
}

impl Fir {
    /// The filter with this name and definition.
    pub fn new(name: impl Into<String>, about: impl Into<String>, taps: Taps, stride: usize) -> Self {
        Self { name: name.into(), about: about.into(), taps, stride, cache: Cache::default() }
    }

    /// Plain striding: nothing before every s-th sample.
    pub fn stride(stride: usize) -> Self {
        Self::new("stride", "keeps every s-th sample, with nothing before it", Taps::centred(vec![1.0]), stride)
    }
}

impl Design for Fir {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn about(&self) -> String {
        self.about.clone()
    }

    fn kind(&self) -> Kind {
        Kind::Downsampling
    }

    fn guarantee(&self) -> Guarantee {
        if self.taps.weights.len() == 1 { Guarantee::None } else { Guarantee::Approximate }
    }

    fn resampling(&self) -> Resampling {
        Resampling::Down { stride: self.stride, first: self.taps.centre() }
    }

    fn is_linear(&self) -> bool {
        true
    }

    fn check(&self, shape: [usize; 3], padding: Padding) -> Result<(), DesignError> {
        check_padding(&self.name, self.taps.reach(), shape, padding)?;
        check_stride(&self.name, self.stride, shape, padding)
    }

    fn forward(&self, x: &Tensor, padding: Padding) -> Torch<Tensor> {
        let s = self.stride as i64;
        if self.taps.weights == [1.0] {
            return x.f_slice(-2, None, None, s)?.f_slice(-1, None, None, s)?.f_contiguous();
        }
        filter(x, &self.taps, self.stride, padding, &self.cache)
    }

    fn gain(&self, fine: GridSize, wave: Wave) -> Option<Complex64> {
        let axis = |n: i64, samples: usize| self.taps.response(n as f64 / samples as f64);
        Some(axis(wave.x, fine.x) * axis(wave.y, fine.y))
    }

    fn cost(&self, [images, channels, rows, columns]: [usize; 4]) -> Option<Cost> {
        let [out_rows, out_columns] = self.resampling().output([rows, columns]);
        let planes = (images * channels) as f64;
        let n = self.taps.weights.len();
        let output = planes * (out_rows * out_columns) as f64;
        let padded = if n > 1 { planes * ((rows + n - 1) * (columns + n - 1)) as f64 } else { 0.0 };
        let operations = if n > 1 { output * (n * n) as f64 } else { 0.0 };
        Some(Cost { operations, numbers: output + padded })
    }

    fn onnx(&self, site: &OnnxSite) -> Result<OnnxForm, NotOnnx> {
        let mut chain = Chain::new(site);
        chain.filter([site.shape[2], site.shape[3]], &self.taps, self.stride);
        Ok(chain.finish())
    }
}
