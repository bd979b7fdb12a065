//! Circular convolution as a transfer function: what a convolution or average pooling of a network does to harmonics.

use std::f64::consts::TAU;

use ndarray::{Array2, Array3, Array4, ArrayView4};
use num_complex::Complex64;
use rayon::prelude::*;
use thiserror::Error;

use super::half_spectrum::HalfSpectrum;
use super::transform::TransformError;

/// The geometry of a convolution before its stride, in samples of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvolutionShape {
    /// Groups of channels; input channels of one group feed its output channels only.
    pub groups: usize,
    /// The distance of neighbouring taps along x and y.
    pub dilation: [usize; 2],
    /// p: how far left of and above its position a window starts. Padding at the end does not matter on a torus.
    pub padding: [usize; 2],
}

impl Default for ConvolutionShape {
    fn default() -> Self {
        Self { groups: 1, dilation: [1, 1], padding: [0, 0] }
    }
}

/// Why a convolution does not go with its input.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConvolutionError {
    /// Channels and groups that contradict each other.
    #[error(
        "weights of {outputs} outputs and {inputs} inputs per group, in {groups} groups, do not go with {channels} \
         channels"
    )]
    Channels {
        /// Output channels.
        outputs: usize,
        /// Input channels per group.
        inputs: usize,
        /// Groups.
        groups: usize,
        /// Channels of the input.
        channels: usize,
    },
    /// The transform failed.
    #[error(transparent)]
    Transform(#[from] TransformError),
}

/// The spectrum of the circular convolution (cross-correlation, as networks define it) of stride 1: per output channel
///
/// Σ_c G^{oc}_n H^c_n, G_n = Σ_t w_t e^{2πi n·(d·t − p)/N}
///
/// with dilation d and padding p, so that output j of a stride s sits at sample s·j. `weights` are
/// `[outputs, inputs per group, rows, columns]`; fold the result with a stride, or hand it to
/// [`strided_defect`](super::strided::strided_defect).
///
/// # Errors
/// Weights whose channels do not go with the spectrum's.
pub fn convolve(
    input: &HalfSpectrum,
    weights: ArrayView4<'_, f64>,
    shape: ConvolutionShape,
) -> Result<HalfSpectrum, ConvolutionError> {
    let (outputs, inputs, kernel_rows, kernel_columns) = weights.dim();
    let groups = shape.groups;
    let fits = groups > 0 && outputs.is_multiple_of(groups) && inputs * groups == input.channels();
    if !fits {
        return Err(ConvolutionError::Channels { outputs, inputs, groups, channels: input.channels() });
    }
    let grid = input.grid();
    let half = grid.x / 2 + 1;
    let [dilation_x, dilation_y] = shape.dilation;
    let [padding_x, padding_y] = shape.padding;
    let phases_x = phases(half, kernel_columns, grid.x, dilation_x, padding_x);
    let phases_y = phases(grid.y, kernel_rows, grid.y, dilation_y, padding_y);
    let source = input.bins();

    let mut bins = Array3::zeros((outputs, grid.y, half));
    let channels: Vec<_> = bins.outer_iter_mut().enumerate().collect();
    channels.into_par_iter().for_each(|(output, mut sums)| {
        let group = output / (outputs / groups);
        for c in 0..inputs {
            let taps = weights.slice(ndarray::s![output, c, .., ..]);
            let channel = source.index_axis(ndarray::Axis(0), group * inputs + c);
            for row in 0..grid.y {
                let mut along_x = vec![Complex64::ZERO; kernel_columns];
                for (t, line) in taps.outer_iter().enumerate() {
                    along_x.iter_mut().zip(line).for_each(|(sum, tap)| *sum += phases_y[[row, t]] * *tap);
                }
                for column in 0..half {
                    let phases = phases_x.row(column);
                    let gain: Complex64 = along_x.iter().zip(phases).map(|(tap, phase)| tap * phase).sum();
                    sums[[row, column]] += gain * channel[[row, column]];
                }
            }
        }
    });
    Ok(HalfSpectrum::from_bins(grid, bins)?)
}

/// The weights of average pooling over a window, one group per channel: `[channels, 1, rows, columns]`, all 1/window.
pub fn average_pool_weights(channels: usize, window: [usize; 2]) -> Array4<f64> {
    let [columns, rows] = window;
    Array4::from_elem((channels, 1, rows, columns), 1.0 / (rows * columns).max(1) as f64)
}

/// e^{2πi n (d·t − p)/N} for bin n of the first `bins` and tap t.
fn phases(bins: usize, taps: usize, samples: usize, dilation: usize, padding: usize) -> Array2<Complex64> {
    Array2::from_shape_fn((bins, taps), |(n, t)| {
        // Whole turns are dropped in integers, before they cost digits.
        let offset = (dilation * t) as i64 - padding as i64;
        let turns = (n as i64 * offset.rem_euclid(samples as i64)) % samples as i64;
        Complex64::cis(TAU * turns as f64 / samples as f64)
    })
}
