//! Windowed sincs: Kaiser's and Lanczos's, as StyleGAN3 (Karras et al., NeurIPS 2021, arXiv 2106.12423) and image
//! resamplers use them; and the radial form of the former.

use std::f64::consts::TAU;

use ndarray::{Array2, Array3};
use num_complex::Complex64;
use tch::Tensor;

use super::design::{Cost, Design, DesignError, Resampling};
use super::fir::Fir;
use super::onnx_form::{Chain, NotOnnx, OnnxForm, OnnxSite};
use super::plane::{Cache, Taps, check_padding, check_stride, filter_plane};
use super::{Guarantee, Kind, Padding};
use crate::graph::operator::Torch;
use crate::spectrum::filter::Filter;
use crate::spectrum::{GridSize, Wave};

/// A sinc with its cut-off at the coarse Nyquist frequency under Kaiser's window; `taps` per axis, or 6 per coarse
/// sample.
pub fn kaiser(taps: Option<usize>, stride: usize) -> Fir {
    let filter = Filter::Kaiser(taps);
    let about = "a sinc under Kaiser's window, cut off at the coarse Nyquist frequency (StyleGAN3, arXiv 2106.12423)";
    Fir::new(filter.to_string(), about, Taps::centred(filter.taps(stride as f64)), stride)
}

/// sinc(x) sinc(x/a), x in coarse samples.
pub fn lanczos(lobes: usize, stride: usize) -> Fir {
    let filter = Filter::Lanczos(lobes);
    Fir::new(filter.to_string(), "Lanczos's windowed sinc", Taps::centred(filter.taps(stride as f64)), stride)
}

/// A jinc J₁(2πf_c r)/(πr) under Kaiser's window per axis: it passes all directions alike.
#[derive(Debug)]
pub struct KaiserRadial {
    filter: Filter,
    taps: Array2<f64>,
    stride: usize,
    cache: Cache,
}

impl KaiserRadial {
    /// The filter with this many taps per axis, or 6 per coarse sample.
    ///
    /// # Errors
    /// When the filter has no plane of taps, which it has for every stride.
    pub fn new(taps: Option<usize>, stride: usize) -> Result<Self, DesignError> {
        let filter = Filter::KaiserRadial(taps);
        let refuse = |reason: String| DesignError::Arguments { given: filter.to_string(), reason };
        let count = taps.unwrap_or(6 * stride);
        // Taps depend on the ratio of the grids alone: a grid that holds them answers an impulse with them, backwards.
        let side = stride * count.div_ceil(stride);
        let response = filter
            .design(Some(GridSize::square(side)), GridSize::square(side / stride))
            .map_err(|error| refuse(error.to_string()))?;
        let mut impulse = Array3::zeros((1, side, side));
        impulse[[0, 0, 0]] = 1.0;
        let answer = response.apply(impulse.view()).map_err(|error| refuse(error.to_string()))?;
        let anchor = (count - 1) / 2;
        let taps = Array2::from_shape_fn((count, count), |(j, i)| {
            answer[[0, (side + anchor - j) % side, (side + anchor - i) % side]]
        });
        Ok(Self { filter, taps, stride, cache: Cache::default() })
    }

    fn anchor(&self) -> usize {
        (self.taps.nrows() - 1) / 2
    }
}

impl Design for KaiserRadial {
    fn name(&self) -> String {
        self.filter.to_string()
    }

    fn about(&self) -> String {
        "a jinc under Kaiser's window: alike in all directions (StyleGAN3-R, arXiv 2106.12423)".to_owned()
    }

    fn kind(&self) -> Kind {
        Kind::Downsampling
    }

    fn guarantee(&self) -> Guarantee {
        Guarantee::Approximate
    }

    fn resampling(&self) -> Resampling {
        let first = (self.taps.nrows() as f64 - 1.0) / 2.0 - self.anchor() as f64;
        Resampling::Down { stride: self.stride, first }
    }

    fn is_linear(&self) -> bool {
        true
    }

    fn check(&self, shape: [usize; 3], padding: Padding) -> Result<(), DesignError> {
        let after = self.taps.nrows() - self.anchor() - 1;
        check_padding(&self.name(), [self.anchor(), after], shape, padding)?;
        check_stride(&self.name(), self.stride, shape, padding)
    }

    fn forward(&self, x: &Tensor, padding: Padding) -> Torch<Tensor> {
        let kernel = self.cache.get(0, 0, x, || super::plane::tensor_of(&self.taps))?;
        filter_plane(x, &kernel, [self.anchor(); 2], self.stride, padding)
    }

    fn gain(&self, fine: GridSize, wave: Wave) -> Option<Complex64> {
        let anchor = self.anchor() as f64;
        let phase =
            |t: usize, n: i64, samples: usize| Complex64::cis(TAU * (t as f64 - anchor) * n as f64 / samples as f64);
        let along_x: Vec<Complex64> = (0..self.taps.ncols()).map(|i| phase(i, wave.x, fine.x)).collect();
        let rows = self.taps.outer_iter().enumerate();
        Some(
            rows.map(|(j, row)| {
                phase(j, wave.y, fine.y) * row.iter().zip(&along_x).map(|(w, p)| w * p).sum::<Complex64>()
            })
            .sum(),
        )
    }

    fn cost(&self, [images, channels, rows, columns]: [usize; 4]) -> Option<Cost> {
        let [out_rows, out_columns] = self.resampling().output([rows, columns]);
        let (planes, n) = ((images * channels) as f64, self.taps.nrows());
        let output = planes * (out_rows * out_columns) as f64;
        let padded = planes * ((rows + n - 1) * (columns + n - 1)) as f64;
        Some(Cost { operations: output * (n * n) as f64, numbers: output + padded })
    }

    fn onnx(&self, site: &OnnxSite) -> Result<OnnxForm, NotOnnx> {
        let plane: Vec<f64> = self.taps.iter().copied().collect();
        let mut chain = Chain::new(site);
        chain.filter_plane([site.shape[2], site.shape[3]], &plane, self.taps.nrows(), self.anchor(), self.stride);
        Ok(chain.finish())
    }
}
