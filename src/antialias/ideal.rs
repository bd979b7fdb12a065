//! Ideal low-pass filters before a stride: FLC (Grabinski et al., ECCV 2022, arXiv 2204.00491), AFC's pooling (Michaeli
//! et al., CVPR 2023, arXiv 2303.08085), and ASAP's window (arXiv 2307.09804).
//!
//! Written as one matrix per axis, which is exact, quicker than a transform at the sizes of feature maps, and something
//! that ONNX can say.

use std::f64::consts::TAU;

use ndarray::{Array2, s};
use num_complex::Complex64;
use tch::Tensor;

use super::design::{Cost, Design, DesignError, Resampling};
use super::onnx_form::{Chain, NotOnnx, OnnxForm, OnnxSite};
use super::plane::{Cache, matrices, spectral_matrix, tensor_of};
use super::{Guarantee, Kind, Padding};
use crate::graph::operator::Torch;
use crate::spectrum::filter::Nyquist;
use crate::spectrum::{GridSize, Wave};

/// The shape of the pass band.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Band {
    /// 1 below the coarse Nyquist frequency, 0 above.
    Flat(Nyquist),
    /// The same under √w, w Hamming's window 0.54 + 0.46 cos(2πn/N) over the fine spectrum, centred on n = 0: √(w ⊗ w).
    Hamming,
}

/// An ideal low-pass filter, then every s-th sample.
#[derive(Debug)]
pub struct Ideal {
    band: Band,
    stride: usize,
    cache: Cache,
}

impl Ideal {
    /// The filter with this pass band.
    pub fn new(band: Band, stride: usize) -> Self {
        Self { band, stride, cache: Cache::default() }
    }

    /// The gain of harmonic n of `fine` samples, for a coarse grid of `coarse`.
    fn axis(&self, n: usize, fine: usize, coarse: usize) -> f64 {
        let nyquist = match self.band {
            Band::Flat(Nyquist::Kept) => 1.0,
            Band::Flat(Nyquist::Split) => 0.5,
            Band::Flat(Nyquist::Zeroed) | Band::Hamming => 0.0,
        };
        let pass = match (2 * n).cmp(&coarse) {
            std::cmp::Ordering::Less => 1.0,
            std::cmp::Ordering::Equal => nyquist,
            std::cmp::Ordering::Greater => 0.0,
        };
        match self.band {
            Band::Flat(_) => pass,
            Band::Hamming => pass * (0.54 + 0.46 * (TAU * n as f64 / fine as f64).cos()).sqrt(),
        }
    }

    /// The operator along an axis of `samples`, `[samples/stride, samples]`.
    ///
    /// Reflected, the axis is extended evenly to twice its length (x₋₁ = x₀), which has a period; with zeros, likewise.
    fn matrix(&self, samples: usize, padding: Padding) -> Array2<f64> {
        let outputs = samples.div_ceil(self.stride);
        let whole = |period: usize| {
            spectral_matrix(period, outputs, self.stride, 1, |n| self.axis(n, period, period / self.stride))
        };
        match padding {
            Padding::Circular => whole(samples),
            Padding::Reflect => {
                let extended = whole(2 * samples);
                let mirrored = extended.slice(s![.., samples..;1]).slice_move(s![.., ..;-1]).to_owned();
                extended.slice(s![.., ..samples]).to_owned() + mirrored
            }
            Padding::Zero => whole(2 * samples).slice(s![.., ..samples]).to_owned(),
        }
    }
}

impl Design for Ideal {
    fn name(&self) -> String {
        match self.band {
            Band::Flat(Nyquist::Zeroed) => "ideal",
            Band::Flat(Nyquist::Kept) => "ideal:kept",
            Band::Flat(Nyquist::Split) => "ideal:split",
            Band::Hamming => "asap",
        }
        .to_owned()
    }

    fn about(&self) -> String {
        match self.band {
            Band::Flat(Nyquist::Zeroed) => {
                "ideal low-pass, the coarse Nyquist harmonics zeroed (FLC, arXiv 2204.00491; AFC's pooling, 2303.08085)"
            }
            Band::Flat(Nyquist::Kept) => "ideal low-pass, both Nyquist harmonics kept, which fold onto each other",
            Band::Flat(Nyquist::Split) => {
                "ideal low-pass, half of each Nyquist harmonic: released FLC, which keeps -M/2 and takes the real part"
            }
            Band::Hamming => "ideal low-pass under sqrt(Hamming x Hamming), centred (ASAP, arXiv 2307.09804)",
        }
        .to_owned()
    }

    fn kind(&self) -> Kind {
        Kind::Downsampling
    }

    fn guarantee(&self) -> Guarantee {
        Guarantee::Fractional
    }

    fn resampling(&self) -> Resampling {
        Resampling::Down { stride: self.stride, first: 0.0 }
    }

    fn is_linear(&self) -> bool {
        true
    }

    fn check(&self, [_, rows, columns]: [usize; 3], _padding: Padding) -> Result<(), DesignError> {
        if rows.is_multiple_of(self.stride) && columns.is_multiple_of(self.stride) {
            return Ok(());
        }
        Err(DesignError::Indivisible { design: self.name(), stride: self.stride, rows, columns })
    }

    fn forward(&self, x: &Tensor, padding: Padding) -> Torch<Tensor> {
        let size = x.size();
        let axis = |samples: i64| {
            self.cache.get(samples, padding as u8, x, || tensor_of(&self.matrix(samples as usize, padding)))
        };
        matrices(x, &axis(size[2])?, &axis(size[3])?)
    }

    fn gain(&self, fine: GridSize, wave: Wave) -> Option<Complex64> {
        let wave = fine.alias(wave);
        let axis = |n: i64, samples: usize| self.axis(n.unsigned_abs() as usize, samples, samples / self.stride);
        Some(Complex64::from(axis(wave.x, fine.x) * axis(wave.y, fine.y)))
    }

    fn cost(&self, [images, channels, rows, columns]: [usize; 4]) -> Option<Cost> {
        let [out_rows, out_columns] = self.resampling().output([rows, columns]);
        let planes = (images * channels) as f64;
        let between = planes * (rows * out_columns) as f64;
        let output = planes * (out_rows * out_columns) as f64;
        let operations = between * columns as f64 + output * rows as f64;
        Some(Cost { operations, numbers: between + output })
    }

    fn onnx(&self, site: &OnnxSite) -> Result<OnnxForm, NotOnnx> {
        let mut chain = Chain::new(site);
        chain.matrices(&self.matrix(site.shape[2], site.padding), &self.matrix(site.shape[3], site.padding));
        Ok(chain.finish())
    }
}
