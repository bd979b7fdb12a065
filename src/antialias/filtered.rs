//! Nonlinearities between an upsampling and a low-pass filter: StyleGAN3's (Karras et al., NeurIPS 2021, arXiv
//! 2106.12423) with FIR filters, and with ideal ones AFC's (Michaeli et al., CVPR 2023, arXiv 2303.08085).

use ndarray::{Array2, Array3, s};
use tch::Tensor;

use super::design::{Cost, Design, DesignError, Resampling};
use super::onnx_form::{Chain, NotOnnx, OnnxForm, OnnxSite};
use super::plane::{Cache, Taps, check_padding, filter, matrices, spectral_matrix, tensor_of};
use super::pointwise::{Pointwise, derivative, onnx_activation, value};
use super::prediction::{Prediction, PredictionError, PredictionInput, oversampled_prediction};
use super::upsample::{edge, onnx_transposed, transposed};
use super::{Guarantee, Kind, Padding};
use crate::graph::operator::Torch;
use crate::graph::window::{fold_stack, unfold_stack};
use crate::spectrum::activation::Activation;
use crate::spectrum::filter::Filter;
use crate::spectrum::{GridSize, HalfSpectrum};

/// Which filters stand before and after σ.
#[derive(Clone, Debug, PartialEq)]
enum Filters {
    /// A sinc under Kaiser's window, 6 taps per sample and one more so that it has a middle: no sample moves.
    Fir(Taps),
    /// Ideal ones; the Nyquist bin of the result is zero.
    Ideal,
}

/// Up to this side, filters are matrices per axis: a product of matrices is quicker than libtorch's depthwise and
/// transposed convolutions of so many taps, and its work grows with the side.
const MATRIX_SIDE: i64 = 192;

/// ↑factor, σ, low-pass, ↓factor.
#[derive(Debug)]
pub struct Filtered {
    name: String,
    about: String,
    activation: Activation,
    factor: usize,
    filters: Filters,
    cache: Cache,
}

impl Filtered {
    /// With Kaiser filters.
    pub fn fir(activation: Activation, factor: usize) -> Self {
        let taps = Filter::Kaiser(Some(6 * factor + 1)).taps(factor as f64);
        Self {
            name: format!("filtered:{activation}:{factor}x"),
            about: format!(
                "up x{factor} (Kaiser), {activation}, low-pass (Kaiser), down (StyleGAN3, arXiv 2106.12423)"
            ),
            activation,
            factor,
            filters: Filters::Fir(Taps::centred(taps)),
            cache: Cache::default(),
        }
    }

    /// With ideal filters.
    pub fn ideal(activation: Activation, factor: usize) -> Self {
        Self {
            name: format!("filtered:{activation}:{factor}x:ideal"),
            about: format!("up x{factor} (ideal), {activation}, low-pass (ideal), down"),
            activation,
            factor,
            filters: Filters::Ideal,
            cache: Cache::default(),
        }
    }

    /// AFC's: s·p(x/s) with p = c₀ + c₁x + c₂x² between ideal filters; at first c = (0.0169, 0.5, 0.3078) and s = 7. A
    /// quadratic has twice the band, which ↑2 holds: exact for what the grid's band holds.
    pub fn afc(coefficients: [f64; 3], scale: f64) -> Self {
        let [c0, c1, c2] = coefficients;
        Self {
            name: "afc".to_owned(),
            about: "up x2 (ideal), 7 p(x/7) with p = 0.0169 + 0.5 x + 0.3078 x^2, low-pass (ideal), down (AFC, arXiv 2303.08085)"
                .to_owned(),
            activation: Activation::Polynomial(vec![scale * c0, c1, c2 / scale]),
            factor: 2,
            filters: Filters::Ideal,
            cache: Cache::default(),
        }
    }

    /// The coefficients and the scale that AFC begins with.
    pub const AFC: ([f64; 3], f64) = ([0.0169, 0.5, 0.3078], 7.0);

    /// Zero-stuffing and this filter: gain `factor` per axis makes up for the zeros.
    fn up_taps(taps: &Taps, factor: usize) -> Taps {
        Taps { weights: taps.weights.iter().map(|w| w * factor as f64).collect(), anchor: taps.anchor }
    }

    /// Ideal ↑ and ↓ along an axis: `[factor·N, N]` and `[N, factor·N]`.
    fn ideal_matrices(&self, samples: usize, padding: Padding) -> [Array2<f64>; 2] {
        let f = self.factor;
        let up = |n: usize| spectral_matrix(n, n * f, 1, f, |_| 1.0);
        let down = |n: usize| spectral_matrix(n * f, n, f, 1, |k| if 2 * k < n { 1.0 } else { 0.0 });
        if padding == Padding::Circular {
            return [up(samples), down(samples)];
        }
        // Twice the axis has a period: with its mirror image (x₋₁ = x₀), or with zeros. σ acts on all of it.
        let wide = up(2 * samples);
        let mut extended = wide.slice(s![.., ..samples]).to_owned();
        if padding == Padding::Reflect {
            extended += &wide.slice(s![.., samples..;1]).slice_move(s![.., ..;-1]);
        }
        [extended, down(2 * samples).slice(s![..samples, ..]).to_owned()]
    }

    /// ↑ and ↓ with taps along an axis, padding included: `[factor·N, N]` and `[N, factor·N]`.
    fn fir_matrices(&self, taps: &Taps, samples: usize, padding: Padding) -> [Array2<f64>; 2] {
        let (n, f) = (samples as i64, self.factor as i64);
        // The sample that stands at a place beyond the edge.
        let source = |at: i64, n: i64| match padding {
            Padding::Zero => (0..n).contains(&at).then_some(at as usize),
            Padding::Circular => Some(at.rem_euclid(n) as usize),
            Padding::Reflect => Some(if at < 0 {
                -at
            } else if at >= n {
                2 * (n - 1) - at
            } else {
                at
            } as usize),
        };
        let (mut up, mut down) =
            (Array2::zeros((samples * self.factor, samples)), Array2::zeros((samples, samples * self.factor)));
        for (t, weight) in taps.weights.iter().enumerate() {
            let offset = t as i64 - taps.anchor as i64;
            for i in 0..n * f {
                // w_{i − f·j + anchor} with i − f·j = offset.
                if (i - offset).rem_euclid(f) == 0
                    && let Some(j) = source((i - offset).div_euclid(f), n)
                {
                    up[[i as usize, j]] += f as f64 * weight;
                }
            }
            for j in 0..n {
                if let Some(i) = source(f * j + offset, n * f) {
                    down[[j as usize, i]] += weight;
                }
            }
        }
        [up, down]
    }

    /// Whether taps are applied as matrices.
    fn as_matrices(&self, rows: i64, columns: i64) -> bool {
        rows.max(columns) <= MATRIX_SIDE || self.filters == Filters::Ideal
    }

    /// `factor` times as many samples along rows and columns.
    fn up(&self, x: &Tensor, padding: Padding) -> Torch<Tensor> {
        let size = x.size();
        match &self.filters {
            Filters::Fir(taps) if !self.as_matrices(size[2], size[3]) => {
                transposed(x, &Self::up_taps(taps, self.factor), self.factor, padding, &self.cache, 1)
            }
            _ => matrices(x, &self.tensors(size[2], x, padding)?[0], &self.tensors(size[3], x, padding)?[0]),
        }
    }

    /// Back from there to a map of these rows and columns. Between ideal filters that reflect or see zeros, the finer
    /// map is that of the whole extended period.
    fn down(&self, fine: &Tensor, [rows, columns]: [i64; 2], padding: Padding) -> Torch<Tensor> {
        match &self.filters {
            Filters::Fir(taps) if !self.as_matrices(rows, columns) => {
                filter(fine, taps, self.factor, padding, &self.cache)
            }
            _ => matrices(fine, &self.tensors(rows, fine, padding)?[1], &self.tensors(columns, fine, padding)?[1]),
        }
    }

    fn tensors(&self, samples: i64, like: &Tensor, padding: Padding) -> Torch<[Tensor; 2]> {
        let which = 2 * padding as u8;
        let make = |at: usize| {
            move || {
                let n = samples as usize;
                tensor_of(
                    &match &self.filters {
                        Filters::Fir(taps) => self.fir_matrices(taps, n, padding),
                        Filters::Ideal => self.ideal_matrices(n, padding),
                    }[at],
                )
            }
        };
        Ok([self.cache.get(samples, which + 10, like, make(0))?, self.cache.get(samples, which + 11, like, make(1))?])
    }
}

impl Design for Filtered {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn about(&self) -> String {
        self.about.clone()
    }

    fn kind(&self) -> Kind {
        Kind::Nonlinearity
    }

    fn guarantee(&self) -> Guarantee {
        // A polynomial of degree d makes d bands; what folds at factor·N stays out of the band where d + 1 ≤ 2·factor.
        match (&self.filters, self.activation.degree()) {
            (Filters::Ideal, Some(degree)) if degree < 2 * self.factor => Guarantee::Fractional,
            _ => Guarantee::Approximate,
        }
    }

    fn resampling(&self) -> Resampling {
        Resampling::Same { first: 0.0 }
    }

    fn check(&self, shape: [usize; 3], padding: Padding) -> Result<(), DesignError> {
        let Filters::Fir(taps) = &self.filters else { return Ok(()) };
        // Up, then the filter on the finer map, of which a sample is `factor` of them.
        let needs = taps.reach().map(|reach| reach.div_ceil(self.factor).max(edge(taps, self.factor)));
        check_padding(&self.name, needs, shape, padding)
    }

    fn forward(&self, x: &Tensor, padding: Padding) -> Torch<Tensor> {
        self.down(&value(&self.activation, &self.up(x, padding)?)?, plane(x), padding)
    }

    /// ↓(σ′(↑x)·↑ẋ): filters are linear.
    fn tangent(&self, x: &Tensor, dx: &Tensor, padding: Padding) -> Torch<Tensor> {
        let fine = self.up(x, padding)?;
        let (folded, lead) = fold_stack(dx)?;
        let rises = self.up(&folded, padding)?;
        let Some(slope) = derivative(&self.activation, &fine)? else {
            // The function's own tangent by forward mode, between the same filters.
            let rises = unfold_stack(rises, lead)?;
            let rises = Pointwise::plain(self.activation.clone()).tangent(&fine, &rises, padding)?;
            let (folded, lead) = fold_stack(&rises)?;
            return unfold_stack(self.down(&folded, plane(x), padding)?, lead);
        };
        let rises = unfold_stack(rises, lead)?.f_mul(&slope)?;
        let (folded, lead) = fold_stack(&rises)?;
        unfold_stack(self.down(&folded, plane(x), padding)?, lead)
    }

    /// For ideal filters: σ of the field, folded on the finer grid, of which the band is kept.
    fn predict(&self, input: &PredictionInput<'_>) -> Result<Option<Prediction>, PredictionError> {
        if matches!(self.filters, Filters::Fir(_)) {
            return Ok(None);
        }
        let grid = HalfSpectrum::from_samples(input.fields)?.grid();
        let sigma = |fine: Array3<f64>, _| fine.mapv_into(|h| self.activation.value(h));
        let keeps = |wave| GridSize::resolves(grid, wave);
        Ok(Some(oversampled_prediction(input, self.factor, 1, &keeps, &sigma)?))
    }

    fn cost(&self, [images, channels, rows, columns]: [usize; 4]) -> Option<Cost> {
        let planes = (images * channels) as f64;
        let (input, f) = (planes * (rows * columns) as f64, self.factor as f64);
        let fine = input * f * f;
        let operations = match &self.filters {
            Filters::Fir(taps) => {
                let n = taps.weights.len() as f64;
                // Zeros are not multiplied with on the way up.
                fine * (n / f).powi(2) + fine + input * n * n
            }
            Filters::Ideal => {
                let (rows, columns) = (rows as f64, columns as f64);
                2.0 * (input * f * columns + fine * rows) + fine
            }
        };
        Some(Cost { operations, numbers: 2.0 * fine + input })
    }

    fn onnx(&self, site: &OnnxSite) -> Result<OnnxForm, NotOnnx> {
        let mut chain = Chain::new(site);
        let [rows, columns] = [site.shape[2], site.shape[3]];
        match &self.filters {
            Filters::Fir(taps) => {
                onnx_transposed(&mut chain, site, &Self::up_taps(taps, self.factor), self.factor);
                onnx_activation(&mut chain, &self.activation, &self.name)?;
                chain.filter([rows * self.factor, columns * self.factor], taps, self.factor);
            }
            Filters::Ideal => {
                let [up_y, down_y] = self.ideal_matrices(rows, site.padding);
                let [up_x, down_x] = self.ideal_matrices(columns, site.padding);
                chain.matrices(&up_y, &up_x);
                onnx_activation(&mut chain, &self.activation, &self.name)?;
                chain.matrices(&down_y, &down_x);
            }
        }
        Ok(chain.finish())
    }
}

/// Rows and columns.
fn plane(x: &Tensor) -> [i64; 2] {
    let size = x.size();
    [size[size.len() - 2], size[size.len() - 1]]
}
