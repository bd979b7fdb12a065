//! Activations before the sampling: their harmonics by oversampling, and their defect on samples.

use ndarray::{Array3, ArrayView3};

use super::forms::from_spectrum;
use super::measured::subtract_on_coarse;
use super::{Setup, TheoremError, TheoremReport, Truncation, interpolated};
use crate::spectrum::activation::Activation;
use crate::spectrum::alias::GridSize;
use crate::spectrum::half_spectrum::HalfSpectrum;
use crate::spectrum::series::FourierSeries;
use crate::spectrum::strided::{StridedDefect, StridedError, mean_square, strided_defect};
use crate::spectrum::transform::TransformError;
use crate::spectrum::velocity::Velocity;

/// The defect of a pointwise nonlinearity on samples, σ′(h)·(v·∇h) − v·∇σ(h) with the periodic spectral ∇:
/// `[channels, rows, columns]` of the samples of real fields of that shape.
///
/// # Errors
/// Fields without samples.
pub fn measured_activation_defect(
    fields: ArrayView3<'_, f64>,
    activation: &Activation,
    velocity: Velocity,
) -> Result<Array3<f64>, TransformError> {
    let slope = HalfSpectrum::from_samples(fields)?.differentiate(velocity).into_samples()?;
    let value = fields.mapv(|h| activation.value(h));
    let pushed = ndarray::Zip::from(fields).and(&slope).map_collect(|h, dh| activation.derivative(*h) * dh);
    Ok(pushed - HalfSpectrum::from_samples(value.view())?.differentiate(velocity).into_samples()?)
}

/// The defect that an operator commuting with every translation has on samples, predicted by oversampling.
///
/// The fields' interpolant is sampled `factor` times finer; `operator` acts there (a pointwise function, or a window of
/// taps `factor` fine samples apart, such as a max pooling of stride 1); then keeping every `factor`·`stride`-th sample
/// is a strided sampling of a field whose harmonics are followed up to the fine grid's band. Exact where that band
/// holds them all; otherwise converges as `factor` grows.
///
/// From `[channels, rows, columns]` to the forms per channel and the spectrum of δ on the grid of the kept samples.
///
/// # Errors
/// A stride that does not divide the fields' grid.
pub fn oversampled_defect(
    fields: ArrayView3<'_, f64>,
    factor: usize,
    stride: GridSize,
    velocity: Velocity,
    operator: impl Fn(Array3<f64>) -> Array3<f64>,
) -> Result<StridedDefect, StridedError> {
    let spectrum = HalfSpectrum::from_samples(fields)?;
    let grid = spectrum.grid();
    let refused = StridedError::Indivisible { stride, grid };
    let fine = spectrum.oversample(GridSize::square(factor)).ok_or(refused)?.into_samples()?;
    let spectrum = HalfSpectrum::from_samples(operator(fine).view())?;
    strided_defect(&spectrum, GridSize::new(factor * stride.x, factor * stride.y), velocity)
}

pub(super) fn check_activation(
    series: &FourierSeries,
    setup: &Setup,
    activation: &Activation,
) -> Result<TheoremReport, TheoremError> {
    /// Coefficients may come from a file of few digits.
    const REAL_TO: f64 = 1e-9;
    if !series.is_real(REAL_TO) {
        return Err(TheoremError::Complex);
    }
    let response = setup.prefilter.design(setup.samples, setup.grid)?;
    if !response.is_identity() && setup.stride().is_none() {
        return Err(TheoremError::FilterNeedsStride);
    }
    let field = interpolated(series, setup.samples);
    let slope = field.differentiate(setup.velocity);

    // Measured where the layer has its samples: on the first grid if a stride follows, else on the last one.
    let (seen, stride) = match (setup.samples, setup.stride()) {
        (Some(samples), Some(stride)) => (samples, stride),
        _ => (setup.grid, GridSize::square(1)),
    };
    let values = field.sample(seen).mapv(|h| activation.value(h.re));
    let pushed = ndarray::Zip::from(&field.sample(seen))
        .and(&slope.sample(seen))
        .map_collect(|h, dh| activation.derivative(h.re) * dh.re);
    let measured =
        subtract_on_coarse(response.apply(pushed.view())?, response.apply(values.view())?, stride, setup.velocity)?;
    let measured = mean_square(measured.view()).iter().sum();

    let mut fine = oversampled_start(setup.grid, field.band());
    let mut last: Option<(f64, f64)> = None;
    loop {
        let over = GridSize::new(fine.x / setup.grid.x, fine.y / setup.grid.y);
        let values = field.sample(fine).mapv(|h| activation.value(h.re));
        let mut spectrum = HalfSpectrum::from_samples(values.view())?;
        spectrum.par_multiply(|wave| response.gain(wave));
        let exact = strided_defect(&spectrum, over, setup.velocity)?.forms.first().map_or(0.0, |forms| forms.exact);
        let change = last.map(|(before, _)| if exact > 0.0 { (exact - before).abs() / exact } else { 0.0 });
        let slopes = spectrum.clone().differentiate(setup.velocity).energy()[0];
        // Without aliasing what is left is rounding, and relative changes of that mean nothing.
        let nothing = exact <= 1e-26 * slopes;
        let converged = change.is_some_and(|change| change <= setup.tolerance || nothing);
        let next = GridSize::new(2 * fine.x, 2 * fine.y);
        if converged || (last.is_some() && next.len() > MAX_OVERSAMPLED) {
            let change = change.unwrap_or(0.0);
            let ratio =
                last.map_or(0.5, |(_, before)| if before > 0.0 { change / before } else { 0.0 }).clamp(0.0, 0.95);
            let estimate = if nothing { 0.0 } else { change * ratio / (1.0 - ratio) };
            let mut report = from_spectrum(&spectrum, setup, over)?;
            report.measured = measured;
            report.truncation =
                Some(Truncation { oversampled: fine, change, tolerance: setup.tolerance, estimate, converged });
            return Ok(report);
        }
        last = Some((exact, change.unwrap_or(0.0)));
        fine = next;
    }
}

/// The most samples of an oversampled field: 2048².
const MAX_OVERSAMPLED: usize = 1 << 22;

/// The smallest multiple of the grid, by a power of two, that holds four times the band.
fn oversampled_start(grid: GridSize, band: u64) -> GridSize {
    let mut fine = GridSize::new(2 * grid.x, 2 * grid.y);
    while (fine.x.min(fine.y) as u64) < 8 * band && 4 * fine.len() <= MAX_OVERSAMPLED {
        fine = GridSize::new(2 * fine.x, 2 * fine.y);
    }
    fine
}
