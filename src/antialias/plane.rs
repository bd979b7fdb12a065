//! What layers share: padding, filters and matrices along rows and columns.

use std::cell::RefCell;
use std::collections::HashMap;
use std::f64::consts::TAU;

use tch::{Device, Tensor};

use super::Padding;
use super::design_error::DesignError;
use crate::graph::operator::Torch;

/// A separable filter: y_j = Σ_t w_t x_{s·j + t − anchor} along rows and along columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Taps {
    /// w.
    pub weights: Vec<f64>,
    /// Which tap lies on the output's sample.
    pub anchor: usize,
}

impl Taps {
    /// Taps about ⌊(n − 1)/2⌋.
    pub fn centred(weights: Vec<f64>) -> Self {
        let anchor = weights.len().saturating_sub(1) / 2;
        Self { weights, anchor }
    }

    /// Samples before and after the output's sample that the filter reaches.
    pub fn reach(&self) -> [usize; 2] {
        [self.anchor, self.weights.len().saturating_sub(self.anchor + 1)]
    }

    /// Σ_t w_t (t − anchor)/Σ_t w_t: where the filter's centre of gravity lies, in samples after the output's sample.
    pub fn centre(&self) -> f64 {
        let sum: f64 = self.weights.iter().sum();
        let moment: f64 = self.weights.iter().enumerate().map(|(t, w)| w * (t as f64 - self.anchor as f64)).sum();
        if sum == 0.0 { 0.0 } else { moment / sum }
    }

    /// Σ_t w_t e^{2πi f (t − anchor)} at f cycles per sample.
    pub fn response(&self, frequency: f64) -> num_complex::Complex64 {
        let usual = self.weights.len().saturating_sub(1) / 2;
        let moved = usual as f64 - self.anchor as f64;
        crate::spectrum::filter::response(&self.weights, frequency)
            * num_complex::Complex64::cis(TAU * frequency * moved)
    }
}

/// `x` with `before` and `after` samples beyond its edges along rows and columns.
pub fn pad(x: &Tensor, before: usize, after: usize, padding: Padding) -> Torch<Tensor> {
    if before + after == 0 {
        return Ok(x.shallow_clone());
    }
    let (before, after) = (before as i64, after as i64);
    let sides = [before, after, before, after];
    match padding {
        Padding::Circular => x.f_pad(sides, "circular", None),
        Padding::Reflect => x.f_pad(sides, "reflect", None),
        Padding::Zero => x.f_pad(sides, "constant", 0.0),
    }
}

/// Whether a map is large enough for padding of that width.
pub fn check_padding(design: &str, reach: [usize; 2], shape: [usize; 3], padding: Padding) -> Result<(), DesignError> {
    let [_, rows, columns] = shape;
    let needs = reach[0].max(reach[1]);
    let side = rows.min(columns);
    let fits = match padding {
        Padding::Circular => needs <= side,
        Padding::Reflect => needs < side || needs == 0,
        Padding::Zero => true,
    };
    if fits { Ok(()) } else { Err(DesignError::TooSmall { design: design.to_owned(), needs, padding, rows, columns }) }
}

/// Whether a stride fills both sides.
pub fn check_stride(design: &str, stride: usize, shape: [usize; 3], padding: Padding) -> Result<(), DesignError> {
    let [_, rows, columns] = shape;
    let divides = rows.is_multiple_of(stride) && columns.is_multiple_of(stride);
    if padding != Padding::Circular || divides {
        return Ok(());
    }
    Err(DesignError::Indivisible { design: design.to_owned(), stride, rows, columns })
}

/// Tensors that depend on the size and precision of what they act on, made once.
#[derive(Debug, Default)]
pub struct Cache(RefCell<HashMap<CacheKey, Tensor>>);

/// Size, which of the design's tensors, the kind's code, whether on the CPU.
type CacheKey = (i64, u8, i32, bool);

impl Cache {
    /// The tensor for `size` samples, made by `make` in double precision at its first use.
    pub fn get(&self, size: i64, which: u8, like: &Tensor, make: impl FnOnce() -> Torch<Tensor>) -> Torch<Tensor> {
        let key = (size, which, like.kind() as i32, like.device() == Device::Cpu);
        if let Some(found) = self.0.borrow().get(&key) {
            return Ok(found.shallow_clone());
        }
        let made = make()?.f_to_kind(like.kind())?.f_to_device(like.device())?;
        self.0.borrow_mut().insert(key, made.shallow_clone());
        Ok(made)
    }
}

/// y_j = Σ_t w_t x_{s·j + t − anchor} on every channel by itself.
pub fn filter(x: &Tensor, taps: &Taps, stride: usize, padding: Padding, cache: &Cache) -> Torch<Tensor> {
    let n = taps.weights.len() as i64;
    let kernel = cache.get(n, 0, x, || {
        let w = Tensor::f_from_slice(&taps.weights)?;
        w.f_view([n, 1])?.f_mul(&w.f_view([1, n])?)
    })?;
    filter_plane(x, &kernel, [taps.anchor; 2], stride, padding)
}

/// The same with a filter that does not separate, `[rows, columns]`.
pub fn filter_plane(x: &Tensor, kernel: &Tensor, anchor: [usize; 2], stride: usize, padding: Padding) -> Torch<Tensor> {
    let (size, taps) = (x.size(), kernel.size());
    let [before, after] = [anchor[0], taps[0] as usize - anchor[0] - 1];
    debug_assert!(taps[0] == taps[1] && anchor[0] == anchor[1], "filters are square");
    let channels = size[1];
    let weight = kernel.f_view([1, 1, taps[0], taps[1]])?.f_expand([channels, 1, taps[0], taps[1]], false)?;
    let s = stride as i64;
    pad(x, before, after, padding)?.f_conv2d(&weight, None::<&Tensor>, [s, s], [0, 0], [1, 1], channels)
}

/// R x Rᵀ with a matrix per axis, `[outputs, inputs]`.
pub fn matrices(x: &Tensor, rows: &Tensor, columns: &Tensor) -> Torch<Tensor> {
    rows.f_matmul(&x.f_matmul(&columns.f_transpose(0, 1)?)?)
}

/// The operator along one axis that multiplies each harmonic n of `samples` by g(|n|) and evaluates the interpolant at
/// sample positions i·step_up⁻¹·step_down, i < `outputs`; an even grid's Nyquist bin is a cosine.
///
/// R_{ij} = (1/N) Σ_{|n| ≤ N/2} g(|n|) cos(2πn(p_i − j)/N), with positions p_i = i·`down`/`up`.
pub fn spectral_matrix(
    samples: usize,
    outputs: usize,
    down: usize,
    up: usize,
    gain: impl Fn(usize) -> f64,
) -> ndarray::Array2<f64> {
    let period = samples * up;
    // One entry per difference p_i − j in units of 1/up.
    let kernel: Vec<f64> = (0..period)
        .map(|d| {
            let mut sum = 0.0;
            for n in 0..=samples / 2 {
                let weight = if n == 0 || 2 * n == samples { 1.0 } else { 2.0 };
                let g = gain(n);
                if g != 0.0 {
                    sum += weight * g * (TAU * ((n * d) % period) as f64 / period as f64).cos();
                }
            }
            sum / samples as f64
        })
        .collect();
    ndarray::Array2::from_shape_fn((outputs, samples), |(i, j)| {
        kernel[(i * down + period - (j * up) % period) % period]
    })
}

/// A matrix of numbers as a tensor, in double precision.
pub fn tensor_of(matrix: &ndarray::Array2<f64>) -> Torch<Tensor> {
    let (rows, columns) = matrix.dim();
    let values: Vec<f64> = matrix.iter().copied().collect();
    Tensor::f_from_slice(&values)?.f_view([rows as i64, columns as i64])
}
