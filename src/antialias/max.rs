//! Max-pooling, plain and with BlurPool after it.

use ndarray::Array3;
use tch::Tensor;

use super::design::{Cost, Design, DesignError, Resampling};
use super::onnx_form::{Chain, NotOnnx, OnnxForm, OnnxSite, ints};
use super::plane::{Cache, Taps, check_padding, check_stride, filter, pad};
use super::prediction::{Prediction, PredictionError, PredictionInput, oversampled_prediction};
use super::{Guarantee, Kind, Padding};
use crate::graph::operator::Torch;
use crate::spectrum::filter::Filter;
use crate::spectrum::{GridSize, HalfSpectrum, Wave};

/// The largest of `window` × `window` samples at stride 1, a binomial filter of `blur` taps (1: none), every s-th
/// sample.
#[derive(Debug)]
pub struct MaxPool {
    window: usize,
    blur: Taps,
    stride: usize,
    cache: Cache,
}

impl MaxPool {
    /// The pooling with this window, and a binomial filter of `blur` taps between it and the stride.
    pub fn new(window: usize, blur: usize, stride: usize) -> Self {
        Self { window, blur: Taps::centred(Filter::Binomial(blur).taps(1.0)), stride, cache: Cache::default() }
    }

    fn anchor(&self) -> usize {
        if self.window <= self.stride { 0 } else { (self.window - 1) / 2 }
    }

    fn is_plain(&self) -> bool {
        self.blur.weights.len() == 1
    }
}

impl Design for MaxPool {
    fn name(&self) -> String {
        let window = if self.window == self.stride { String::new() } else { format!(":{}", self.window) };
        match self.blur.weights.len() {
            1 => format!("max{window}"),
            taps => format!("max-blurpool:{taps}"),
        }
    }

    fn about(&self) -> String {
        if self.is_plain() {
            "the largest sample of a window".to_owned()
        } else {
            "the largest sample of a window at stride 1, then BlurPool (Zhang 2019, arXiv 1904.11486)".to_owned()
        }
    }

    fn kind(&self) -> Kind {
        Kind::Downsampling
    }

    fn guarantee(&self) -> Guarantee {
        if self.is_plain() { Guarantee::None } else { Guarantee::Approximate }
    }

    fn resampling(&self) -> Resampling {
        let window = (self.window as f64 - 1.0) / 2.0 - self.anchor() as f64;
        Resampling::Down { stride: self.stride, first: window + self.blur.centre() }
    }

    fn check(&self, shape: [usize; 3], padding: Padding) -> Result<(), DesignError> {
        let window = [self.anchor(), self.window - self.anchor() - 1];
        check_padding(&self.name(), window, shape, padding)?;
        check_padding(&self.name(), self.blur.reach(), shape, padding)?;
        check_stride(&self.name(), self.stride, shape, padding)
    }

    fn forward(&self, x: &Tensor, padding: Padding) -> Torch<Tensor> {
        let (w, anchor) = (self.window as i64, self.anchor());
        let padded = pad(x, anchor, self.window - anchor - 1, padding)?;
        if self.is_plain() {
            let s = self.stride as i64;
            return padded.f_max_pool2d([w, w], [s, s], [0, 0], [1, 1], false);
        }
        let largest = padded.f_max_pool2d([w, w], [1, 1], [0, 0], [1, 1], false)?;
        filter(&largest, &self.blur, self.stride, padding, &self.cache)
    }

    /// The maximum over a window commutes with every translation of the field: its harmonics, followed by oversampling,
    /// go through the filter and fold.
    fn predict(&self, input: &PredictionInput<'_>) -> Result<Option<Prediction>, PredictionError> {
        let (_, rows, columns) = input.fields.dim();
        let grid = GridSize::new(columns, rows);
        let anchor = self.anchor();
        let gain = |wave: Wave| {
            self.blur.response(wave.x as f64 / grid.x as f64) * self.blur.response(wave.y as f64 / grid.y as f64)
        };
        let prediction = oversampled_prediction(input, 1, self.stride, &|_| true, &|fine, factor| {
            let largest = window_maximum(&fine, self.window, anchor, factor);
            if self.is_plain() {
                return largest;
            }
            match HalfSpectrum::from_samples(largest.view()) {
                Ok(mut spectrum) => {
                    spectrum.multiply(gain);
                    spectrum.into_samples().unwrap_or(largest)
                }
                Err(_) => largest,
            }
        })?;
        Ok(Some(prediction))
    }

    fn cost(&self, [images, channels, rows, columns]: [usize; 4]) -> Option<Cost> {
        let [out_rows, out_columns] = self.resampling().output([rows, columns]);
        let planes = (images * channels) as f64;
        let (output, input) = (planes * (out_rows * out_columns) as f64, planes * (rows * columns) as f64);
        let window = (self.window * self.window) as f64;
        Some(if self.is_plain() {
            Cost { operations: output * window, numbers: output }
        } else {
            let taps = (self.blur.weights.len() * self.blur.weights.len()) as f64;
            Cost { operations: input * window + output * taps, numbers: 2.0 * input + output }
        })
    }

    fn onnx(&self, site: &OnnxSite) -> Result<OnnxForm, NotOnnx> {
        let mut chain = Chain::new(site);
        let side = [site.shape[2], site.shape[3]];
        chain.pad(side, self.anchor(), self.window - self.anchor() - 1);
        let (w, s) = (self.window as i64, if self.is_plain() { self.stride as i64 } else { 1 });
        chain.then("MaxPool", &[], vec![ints("kernel_shape", &[w, w]), ints("strides", &[s, s])]);
        if !self.is_plain() {
            chain.filter(side, &self.blur, self.stride);
        }
        Ok(chain.finish())
    }
}

/// The maximum over a window of `window` samples `step` apart, on the torus.
fn window_maximum(fields: &Array3<f64>, window: usize, anchor: usize, step: usize) -> Array3<f64> {
    let along = |fields: &Array3<f64>, axis: usize| {
        let n = fields.dim();
        let side = [n.1, n.2][axis];
        Array3::from_shape_fn(n, |(c, j, i)| {
            (0..window)
                .map(|t| {
                    let at = [j, i][axis] + t * step + side * (anchor * step).div_ceil(side) - anchor * step;
                    let at = at % side;
                    if axis == 0 { fields[[c, at, i]] } else { fields[[c, j, at]] }
                })
                .fold(f64::NEG_INFINITY, f64::max)
        })
    };
    along(&along(fields, 0), 1)
}
