//! The defect at a node, predicted from Fourier coefficients: for convolutions and average pooling from the weights and
//! the transform of h, for activations and max-pooling from the harmonics of σ(h) on a finer grid.

use ndarray::Array3;
use tch::Tensor;

use super::NodeTheoremOptions;
use super::arrays::{array3, array4};
use super::error::NodeTheoremError;
use super::folds::HalfPower;
use crate::graph::operator::Torch;
use crate::graph::window::Taps;
use crate::measure::node_theorem_report::Truncation;
use crate::spectrum::alias::GridSize;
use crate::spectrum::convolution::{ConvolutionShape, convolve};
use crate::spectrum::half_spectrum::HalfSpectrum;
use crate::spectrum::strided::strided_defect;
use crate::spectrum::transform::TransformError;
use crate::spectrum::velocity::Velocity;

/// A predicted defect.
pub(super) struct Prediction {
    pub(super) spectrum: HalfSpectrum,
    /// Summed over channels.
    pub(super) exact: f64,
    pub(super) power: HalfPower,
}

/// The defect of a convolution with a stride, from its weights and its input's spectrum.
pub(super) fn predict_convolution(
    input: &HalfSpectrum,
    taps: &Taps<'_>,
    stride: GridSize,
    velocity: Velocity,
) -> Result<Prediction, NodeTheoremError> {
    let along = |values: &[i64]| [values[1] as usize, values[0] as usize];
    let shape = ConvolutionShape {
        groups: taps.groups as usize,
        dilation: along(&taps.window.dilations),
        padding: along(&taps.window.begin),
    };
    let filtered = convolve(input, array4(taps.weight)?.view(), shape)?;
    predict(&filtered, stride, velocity)
}

fn predict(spectrum: &HalfSpectrum, stride: GridSize, velocity: Velocity) -> Result<Prediction, NodeTheoremError> {
    let defect = strided_defect(spectrum, stride, velocity)?;
    let exact = defect.forms.iter().map(|forms| forms.exact).sum();
    Ok(Prediction { spectrum: defect.spectrum, exact, power: HalfPower::of(spectrum) })
}

/// A nonlinearity on a finer grid.
pub(super) enum Apply<'a> {
    /// To one channel of a grid so many times as fine.
    Alone(&'a dyn Fn(&Tensor, i64) -> Torch<Tensor>),
    /// Entry by entry, to all channels `[1, 1, channels, rows, columns]` of the node's own grid.
    Together(&'a dyn Fn(&Tensor) -> Result<Tensor, NodeTheoremError>),
}

/// σ(h) of all channels on the finer grid, `[channels, rows, columns]`: its samples are those of shifted copies of the
/// node's own grid, on which the network's nodes can run as they are.
fn together(
    input: &HalfSpectrum,
    finer: usize,
    apply: &dyn Fn(&Tensor) -> Result<Tensor, NodeTheoremError>,
) -> Result<Array3<f64>, NodeTheoremError> {
    let grid = input.grid();
    let empty = || TransformError::Empty { x: grid.x, y: grid.y };
    let mut fine = Array3::zeros((input.channels(), finer * grid.y, finer * grid.x));
    for (channel, mut field) in fine.outer_iter_mut().enumerate() {
        let one = input.channel(channel).ok_or_else(empty)?;
        let samples = one.oversample(GridSize::square(finer)).ok_or_else(empty)?.into_samples()?;
        field.assign(&samples.index_axis(ndarray::Axis(0), 0));
    }
    let step = finer as isize;
    for row in 0..finer as isize {
        for column in 0..step {
            let mut phase = fine.slice_mut(ndarray::s![.., row..;step, column..;step]);
            let values: Vec<f64> = phase.iter().copied().collect();
            let size = [1, 1, input.channels() as i64, grid.y as i64, grid.x as i64];
            let made = array3(&apply(&Tensor::f_from_slice(&values)?.f_view(size)?)?)?;
            if made.dim() != phase.dim() {
                return Err(NodeTheoremError::Channels { predicted: made.dim().0, measured: phase.dim().0 });
            }
            phase.assign(&made);
        }
    }
    Ok(fine)
}

/// The defect of sampling σ(h), with σ applied on a grid half as fine as the options allow and on the finest.
pub(super) fn predict_nonlinear(
    input: &HalfSpectrum,
    stride: GridSize,
    options: &NodeTheoremOptions,
    apply: &Apply<'_>,
) -> Result<(Prediction, Option<Truncation>), NodeTheoremError> {
    let finest = options.oversample.max(2);
    let before = predict_at(input, stride, options.velocity, finest / 2, apply)?;
    let prediction = predict_at(input, stride, options.velocity, finest, apply)?;
    let (energy, difference) = compare(&before.spectrum, &prediction.spectrum)?;
    let over = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
    let truncation = Truncation {
        oversample: finest,
        last_change: over((prediction.exact - before.exact).abs(), prediction.exact),
        field_change: over(difference, energy).sqrt(),
    };
    Ok((prediction, Some(truncation)))
}

fn predict_at(
    input: &HalfSpectrum,
    stride: GridSize,
    velocity: Velocity,
    finer: usize,
    apply: &Apply<'_>,
) -> Result<Prediction, NodeTheoremError> {
    let fine_stride = GridSize::new(stride.x * finer, stride.y * finer);
    let mut spectra = Vec::with_capacity(input.channels());
    let mut exact = 0.0;
    let mut power: Option<HalfPower> = None;
    let all = match apply {
        Apply::Together(apply) => Some(together(input, finer, apply)?),
        Apply::Alone(_) => None,
    };
    // Channel by channel: transforms of the finer grid of all channels at once would not fit into memory.
    for channel in 0..input.channels() {
        let empty = || TransformError::Empty { x: input.grid().x, y: input.grid().y };
        let made = match (apply, &all) {
            (Apply::Alone(apply), _) => {
                let one = input.channel(channel).ok_or_else(empty)?;
                let samples = one.oversample(GridSize::square(finer)).ok_or_else(empty)?.into_samples()?;
                let (_, rows, columns) = samples.dim();
                let flat: Vec<f64> = samples.iter().copied().collect();
                let h = Tensor::f_from_slice(&flat)?.f_view([1, 1, 1, rows as i64, columns as i64])?;
                HalfSpectrum::from_samples(array3(&apply(&h, finer as i64)?)?.view())?
            }
            (Apply::Together(_), Some(all)) => {
                HalfSpectrum::from_samples(all.slice(ndarray::s![channel..=channel, .., ..]))?
            }
            (Apply::Together(_), None) => return Err(empty().into()),
        };
        let one = predict(&made, fine_stride, velocity)?;
        exact += one.exact;
        match &mut power {
            Some(sum) => sum.bins += &one.power.bins,
            None => power = Some(one.power),
        }
        spectra.push(one.spectrum);
    }
    let power = power.ok_or(TransformError::Empty { x: input.grid().x, y: input.grid().y })?;
    Ok(Prediction { spectrum: stacked(&spectra)?, exact, power })
}

fn stacked(spectra: &[HalfSpectrum]) -> Result<HalfSpectrum, NodeTheoremError> {
    let grid = spectra.first().map_or(GridSize::square(1), HalfSpectrum::grid);
    let bins: Vec<_> = spectra.iter().map(HalfSpectrum::bins).collect();
    let bins =
        ndarray::concatenate(ndarray::Axis(0), &bins).map_err(|_| TransformError::Empty { x: grid.x, y: grid.y })?;
    Ok(HalfSpectrum::from_bins(grid, bins)?)
}

/// Σ|δ measured|² and Σ|δ predicted − δ measured|² over channels and bins: mean squares of the samples by Parseval.
pub(super) fn compare(predicted: &HalfSpectrum, measured: &HalfSpectrum) -> Result<(f64, f64), NodeTheoremError> {
    if predicted.bins().dim() != measured.bins().dim() {
        return Err(NodeTheoremError::Channels { predicted: predicted.channels(), measured: measured.channels() });
    }
    let (mut energy, mut difference) = (0.0, 0.0);
    for ((index, m), p) in measured.bins().indexed_iter().zip(predicted.bins().iter()) {
        let weight = measured.multiplicity(index.2);
        energy += weight * m.norm_sqr();
        difference += weight * (m - p).norm_sqr();
    }
    Ok((energy, difference))
}
