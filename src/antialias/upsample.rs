//! Upsampling: nearest, bilinear, transposed convolution, zero-stuffing and FIR, ideal.

use std::f64::consts::TAU;

use ndarray::{Array2, s};
use num_complex::Complex64;
use tch::Tensor;

use super::design::{Cost, Design, DesignError, Resampling};
use super::onnx_form::{Chain, NotOnnx, OnnxForm, OnnxSite, int, ints};
use super::plane::{Cache, Taps, check_padding, matrices, pad, spectral_matrix, tensor_of};
use super::{Guarantee, Kind, Padding};
use crate::graph::operator::Torch;
use crate::spectrum::filter::Filter;
use crate::spectrum::{GridSize, Wave};

/// y_i = Σ_j x_j w_{i − f·j + anchor} along rows and along columns: zeros put between samples, then a filter.
#[derive(Debug)]
pub struct Interpolation {
    name: String,
    about: String,
    taps: Taps,
    factor: usize,
    cache: Cache,
}

impl Interpolation {
    fn new(name: &str, about: &str, weights: Vec<f64>, anchor: usize, factor: usize) -> Self {
        Self {
            name: name.to_owned(),
            about: about.to_owned(),
            taps: Taps { weights, anchor },
            factor,
            cache: Cache::default(),
        }
    }

    /// Every sample repeated.
    pub fn nearest(factor: usize) -> Self {
        Self::new("upsample:nearest", "every sample repeated", vec![1.0; factor], 0, factor)
    }

    /// Straight lines between samples that are centres of cells (`align_corners = false`).
    pub fn bilinear(factor: usize) -> Self {
        let f = factor as f64;
        // Output i lies (i − (f − 1)/2)/f input samples after sample 0.
        let centre = (f - 1.0) / 2.0;
        let first = (centre - f).floor() as i64 + 1;
        let last = (centre + f).ceil() as i64 - 1;
        let weights = (first..=last).map(|t| 1.0 - (t as f64 - centre).abs() / f).collect();
        let about = "straight lines between samples, which are centres of cells";
        Self::new("upsample:bilinear", about, weights, usize::try_from(-first).unwrap_or(0), factor)
    }

    /// A transposed convolution of `factor` + 1 equal taps: windows overlap unevenly, which makes a chequerboard.
    pub fn transposed(factor: usize) -> Self {
        let weights = vec![factor as f64 / (factor + 1) as f64; factor + 1];
        let about = "a transposed convolution of stride + 1 equal taps, whose windows overlap unevenly";
        Self::new("upsample:transposed", about, weights, factor / 2, factor)
    }

    /// Zero-stuffing and a sinc under Kaiser's window, 6 taps per input sample and one more.
    pub fn fir(factor: usize) -> Self {
        let taps = Filter::Kaiser(Some(6 * factor + 1)).taps(factor as f64);
        let weights: Vec<f64> = taps.iter().map(|w| w * factor as f64).collect();
        let about = "zeros between samples, then a sinc under Kaiser's window (StyleGAN3, arXiv 2106.12423)";
        Self::new("upsample:fir", about, weights, 3 * factor, factor)
    }
}

/// y_i = Σ_j x_j w_{i − f·j + anchor}, every channel by itself; `slot` tells filters of one design apart.
pub(super) fn transposed(
    x: &Tensor,
    taps: &Taps,
    factor: usize,
    padding: Padding,
    cache: &Cache,
    slot: u8,
) -> Torch<Tensor> {
    let size = x.size();
    let (n, f, channels) = (taps.weights.len() as i64, factor as i64, size[1]);
    let kernel = cache.get(n, slot, x, || {
        let w = Tensor::f_from_slice(&taps.weights)?;
        w.f_view([n, 1])?.f_mul(&w.f_view([1, n])?)
    })?;
    let weight = kernel.f_view([1, 1, n, n])?.f_expand([channels, 1, n, n], false)?;
    let beyond = edge(taps, factor);
    let wide = pad(x, beyond, beyond, padding)?.f_conv_transpose2d(
        &weight,
        None::<&Tensor>,
        [f, f],
        [0, 0],
        [0, 0],
        channels,
        [1, 1],
    )?;
    let start = f * beyond as i64 + taps.anchor as i64;
    wide.f_narrow(2, start, f * size[2])?.f_narrow(3, start, f * size[3])?.f_contiguous()
}

/// The input samples beyond the edge that outputs inside it see: output 0 those from −⌈(n − 1 − anchor)/f⌉ on, the last
/// one those up to ⌈anchor/f⌉ after the last sample.
pub(super) fn edge(taps: &Taps, factor: usize) -> usize {
    let [before, after] = taps.reach();
    after.div_ceil(factor).max(before.div_ceil(factor))
}

/// The same as ONNX nodes: padding, ConvTranspose, Slice.
pub(super) fn onnx_transposed(chain: &mut Chain<'_>, site: &OnnxSite, taps: &Taps, factor: usize) {
    let [rows, columns] = [site.shape[2], site.shape[3]];
    let (n, channels, beyond) = (taps.weights.len(), site.shape[1], edge(taps, factor));
    chain.pad([rows, columns], beyond, beyond);
    let plane: Vec<f64> = (0..n * n).map(|at| taps.weights[at / n] * taps.weights[at % n]).collect();
    let weight: Vec<f64> = std::iter::repeat_n(plane, channels).flatten().collect();
    let weight = chain.constant("taps", &[channels, 1, n, n], &weight);
    chain.then("ConvTranspose", &[&weight], transposed_attributes(n as i64, factor as i64, channels as i64));
    let start = (factor * beyond + taps.anchor) as i64;
    let starts = chain.integers("starts", &[start, start]);
    let ends = chain.integers("ends", &[start + (factor * rows) as i64, start + (factor * columns) as i64]);
    let axes = chain.integers("axes", &[2, 3]);
    chain.then("Slice", &[&starts, &ends, &axes], Vec::new());
}

impl Design for Interpolation {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn about(&self) -> String {
        self.about.clone()
    }

    fn kind(&self) -> Kind {
        Kind::Upsampling
    }

    fn guarantee(&self) -> Guarantee {
        // Shifts by whole input samples always move the output by whole output samples.
        Guarantee::Integer
    }

    fn resampling(&self) -> Resampling {
        // A sample's answer has its centre of gravity `centre` outputs after f·j: output 0 lies as far before sample 0.
        Resampling::Up { factor: self.factor, first: -self.taps.centre() / self.factor as f64 }
    }

    fn is_linear(&self) -> bool {
        true
    }

    fn check(&self, shape: [usize; 3], padding: Padding) -> Result<(), DesignError> {
        check_padding(&self.name, [edge(&self.taps, self.factor); 2], shape, padding)
    }

    fn forward(&self, x: &Tensor, padding: Padding) -> Torch<Tensor> {
        transposed(x, &self.taps, self.factor, padding, &self.cache, 1)
    }

    fn gain(&self, fine: GridSize, wave: Wave) -> Option<Complex64> {
        // (1/f) Σ_t w_t e^{−2πi m(t − anchor)/(N·f)} per axis: a sample is answered by the taps, forwards.
        let axis = |n: i64, samples: usize| {
            let sum: Complex64 = self
                .taps
                .weights
                .iter()
                .enumerate()
                .map(|(t, w)| {
                    w * Complex64::cis(-TAU * n as f64 * (t as f64 - self.taps.anchor as f64) / samples as f64)
                })
                .sum();
            sum / self.factor as f64
        };
        Some(axis(wave.x, fine.x) * axis(wave.y, fine.y))
    }

    fn cost(&self, [images, channels, rows, columns]: [usize; 4]) -> Option<Cost> {
        let (input, f) = ((images * channels * rows * columns) as f64, self.factor as f64);
        let taps = self.taps.weights.len() as f64;
        Some(Cost { operations: input * taps * taps, numbers: 2.0 * input * f * f + input })
    }

    fn onnx(&self, site: &OnnxSite) -> Result<OnnxForm, NotOnnx> {
        let mut chain = Chain::new(site);
        onnx_transposed(&mut chain, site, &self.taps, self.factor);
        Ok(chain.finish())
    }
}

/// The trigonometric interpolant, sampled `factor` times as densely.
#[derive(Debug)]
pub struct IdealUp {
    factor: usize,
    cache: Cache,
}

impl IdealUp {
    /// Upsampling by this factor.
    pub fn new(factor: usize) -> Self {
        Self { factor, cache: Cache::default() }
    }

    fn matrix(&self, samples: usize, padding: Padding) -> Array2<f64> {
        let (n, f) = (samples, self.factor);
        let whole = |n: usize| spectral_matrix(n, samples * f, 1, f, |_| 1.0);
        match padding {
            Padding::Circular => whole(n),
            Padding::Zero => whole(2 * n).slice(s![.., ..n]).to_owned(),
            Padding::Reflect => {
                let wide = whole(2 * n);
                wide.slice(s![.., ..n]).to_owned() + wide.slice(s![.., n..;1]).slice_move(s![.., ..;-1])
            }
        }
    }
}

impl Design for IdealUp {
    fn name(&self) -> String {
        "upsample:ideal".to_owned()
    }

    fn about(&self) -> String {
        "the trigonometric interpolant; an even grid's Nyquist harmonic is a cosine (AFC, arXiv 2303.08085)".to_owned()
    }

    fn kind(&self) -> Kind {
        Kind::Upsampling
    }

    fn guarantee(&self) -> Guarantee {
        Guarantee::Fractional
    }

    fn resampling(&self) -> Resampling {
        Resampling::Up { factor: self.factor, first: 0.0 }
    }

    fn is_linear(&self) -> bool {
        true
    }

    fn forward(&self, x: &Tensor, padding: Padding) -> Torch<Tensor> {
        let size = x.size();
        let axis = |n: i64| self.cache.get(n, padding as u8, x, || tensor_of(&self.matrix(n as usize, padding)));
        matrices(x, &axis(size[2])?, &axis(size[3])?)
    }

    fn gain(&self, fine: GridSize, wave: Wave) -> Option<Complex64> {
        let wave = fine.alias(wave);
        let axis = |n: i64, samples: usize| {
            let (n, source) = (2 * n.unsigned_abs() as usize, samples / self.factor);
            match n.cmp(&source) {
                std::cmp::Ordering::Less => 1.0,
                std::cmp::Ordering::Equal if self.factor > 1 => 0.5,
                std::cmp::Ordering::Equal => 1.0,
                std::cmp::Ordering::Greater => 0.0,
            }
        };
        Some(Complex64::from(axis(wave.x, fine.x) * axis(wave.y, fine.y)))
    }

    fn cost(&self, [images, channels, rows, columns]: [usize; 4]) -> Option<Cost> {
        let (planes, f) = ((images * channels) as f64, self.factor as f64);
        let (rows, columns) = (rows as f64, columns as f64);
        let between = planes * rows * columns * f;
        Some(Cost { operations: between * columns + between * f * rows, numbers: between + between * f })
    }

    fn onnx(&self, site: &OnnxSite) -> Result<OnnxForm, NotOnnx> {
        let mut chain = Chain::new(site);
        chain.matrices(&self.matrix(site.shape[2], site.padding), &self.matrix(site.shape[3], site.padding));
        Ok(chain.finish())
    }
}

/// Attributes of a depthwise transposed convolution.
pub(super) fn transposed_attributes(n: i64, s: i64, groups: i64) -> Vec<crate::graph::onnx::proto::AttributeProto> {
    vec![ints("kernel_shape", &[n, n]), ints("strides", &[s, s]), ints("pads", &[0, 0, 0, 0]), int("group", groups)]
}
