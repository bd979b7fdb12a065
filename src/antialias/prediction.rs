//! What the aliasing theorem predicts for a design, from Fourier coefficients alone.

use std::f64::consts::TAU;

use ndarray::{Array3, ArrayView3};
use num_complex::Complex64;
use tch::{TchError, Tensor};

use super::resampling::Resampling;
use crate::spectrum::strided::{StridedError, strided_defect};
use crate::spectrum::transform::TransformError;
use crate::spectrum::{GridSize, HalfSpectrum, Velocity, Wave};

/// What a design acts on.
pub struct PredictionInput<'a> {
    /// The samples, `[channels, rows, columns]`, of a field on the torus.
    pub fields: ArrayView3<'a, f64>,
    /// The same as a layer's input, `[1, channels, rows, columns]`.
    pub x: &'a Tensor,
    /// The translation.
    pub velocity: Velocity,
}

/// What the theorem predicts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// The mean square of the defect over channels and output samples: the theorem's `exact`.
    pub exact: f64,
    /// Σ|G_n H_n|²/Σ|H_n|² over the harmonics that the coarser grid holds; nothing where there is no transfer function.
    pub passband: Option<f64>,
    /// The share of energy (of G_n H_n, or of the nonlinearity's output) in harmonics that the output's grid does not
    /// hold: they fold. After an upsampling: in those that the input's grid did not hold.
    pub aliased: f64,
    /// For nonlinear designs: the last oversampling, and the relative change of `exact` that doubling to it made.
    pub truncation: Option<(usize, f64)>,
}

/// Why there is no prediction.
#[derive(Debug, thiserror::Error)]
pub enum PredictionError {
    /// A stride that does not divide the grid.
    #[error(transparent)]
    Strided(#[from] StridedError),
    /// A transform failed.
    #[error(transparent)]
    Transform(#[from] TransformError),
    /// libtorch refused.
    #[error("{}", crate::graph::in_words(.0))]
    Torch(#[from] TchError),
}

/// The prediction for a filter followed by keeping every s-th sample, or for zeros put between samples followed by a
/// filter; nothing where there is no transfer function.
///
/// Downsampling: [`strided_defect`] of G_n H_n. Upsampling from N to N·f: output harmonic m carries G_m H_{Alias_N(m)},
/// which moves as Alias_N(m) does, so that δ_m = 2πi v·(s_N(Alias_N(m)) − s_{Nf}(m)) G_m H_{Alias_N(m)}.
///
/// # Errors
/// A stride that does not divide the grid.
pub fn linear_prediction(
    resampling: Resampling,
    gain: &dyn Fn(GridSize, Wave) -> Option<Complex64>,
    input: &PredictionInput<'_>,
) -> Result<Option<Prediction>, PredictionError> {
    let spectrum = HalfSpectrum::from_samples(input.fields)?;
    let grid = spectrum.grid();
    if let Resampling::Up { factor, .. } = resampling {
        return Ok(upsampled(&spectrum, factor, gain, input.velocity));
    }
    if gain(grid, Wave::new(0, 0)).is_none() {
        return Ok(None);
    }
    let stride = match resampling {
        Resampling::Down { stride, .. } => GridSize::square(stride),
        _ => GridSize::square(1),
    };
    let coarse = grid.strided(stride).ok_or(StridedError::Indivisible { stride, grid })?;
    let before = spectrum.energy_where(|wave| coarse.resolves(wave)).sum();
    let mut filtered = spectrum;
    filtered.multiply(|wave| gain(grid, wave).unwrap_or_default());
    let (kept, total) = (filtered.energy_where(|wave| coarse.resolves(wave)).sum(), filtered.energy().sum());
    let forms = strided_defect(&filtered, stride, input.velocity)?.forms;
    Ok(Some(Prediction {
        exact: forms.iter().map(|forms| forms.exact).sum::<f64>() / forms.len().max(1) as f64,
        passband: Some(ratio(kept, before)),
        aliased: ratio(filtered.energy_above(coarse).sum(), total),
        truncation: None,
    }))
}

fn ratio(part: f64, of: f64) -> f64 {
    if of > 0.0 { part / of } else { 0.0 }
}

fn upsampled(
    spectrum: &HalfSpectrum,
    factor: usize,
    gain: &dyn Fn(GridSize, Wave) -> Option<Complex64>,
    velocity: Velocity,
) -> Option<Prediction> {
    let grid = spectrum.grid();
    let fine = GridSize::new(grid.x * factor, grid.y * factor);
    let (mut exact, mut kept, mut total, mut before) = (0.0, 0.0, 0.0, 0.0);
    for channel in 0..spectrum.channels() {
        for y in 0..fine.y as i64 {
            for x in 0..fine.x as i64 {
                let wave = fine.alias(Wave::new(x, y));
                let source = spectrum.coefficient(channel, wave);
                let energy = (gain(fine, wave)? * source).norm_sqr();
                let (moves, should) = (grid.derivative_symbol(wave), fine.derivative_symbol(wave));
                let rate = TAU * (velocity.x * (moves.x - should.x) as f64 + velocity.y * (moves.y - should.y) as f64);
                exact += energy * rate * rate;
                total += energy;
                if grid.resolves(wave) {
                    kept += energy;
                    before += source.norm_sqr();
                }
            }
        }
    }
    Some(Prediction {
        exact: exact / spectrum.channels().max(1) as f64,
        passband: Some(ratio(kept, before)),
        aliased: ratio(total - kept, total),
        truncation: None,
    })
}

/// The most samples of an oversampled field.
const MAX_OVERSAMPLED: usize = 1 << 21;
/// The relative change at which doubling the oversampling stops.
const TOLERANCE: f64 = 1e-7;

/// The prediction for an operator that commutes with every translation (a pointwise function; a window that takes a
/// maximum), followed by keeping every `stride`-th sample, of which the output keeps the harmonics that `keeps` names.
///
/// The field is oversampled by 2, 4, 8, …; `operator` gets the oversampled samples and the factor. Exact where the
/// finest grid holds all harmonics that the operator makes; its last change is reported otherwise.
///
/// # Errors
/// A stride that does not divide the grid.
pub fn oversampled_prediction(
    input: &PredictionInput<'_>,
    base: usize,
    stride: usize,
    keeps: &dyn Fn(Wave) -> bool,
    operator: &dyn Fn(Array3<f64>, usize) -> Array3<f64>,
) -> Result<Prediction, PredictionError> {
    let spectrum = HalfSpectrum::from_samples(input.fields)?;
    let grid = spectrum.grid();
    let coarse = GridSize::new(grid.x * base / stride.max(1), grid.y * base / stride.max(1));
    let mut last: Option<Prediction> = None;
    let mut factor = 2 * base;
    loop {
        let refused = StridedError::Indivisible { stride: GridSize::square(stride), grid };
        let fine = spectrum.oversample(GridSize::square(factor)).ok_or(refused)?;
        let made = HalfSpectrum::from_samples(operator(fine.into_samples()?, factor).view())?;
        let slopes = made.clone().differentiate(input.velocity).energy().sum();
        let total = made.energy().sum();
        let aliased = ratio(made.energy_where(|wave| !coarse.resolves(wave)).sum(), total);
        let defect = strided_defect(&made, GridSize::square(factor * stride / base), input.velocity)?;
        let exact = defect.spectrum.energy_where(keeps).sum() / defect.spectrum.channels().max(1) as f64;
        // Where nothing aliases what is left is rounding, and relative changes of that mean nothing.
        let floor = 1e-26 * slopes;
        let change = last.map(|last| {
            let difference = (exact - last.exact).abs();
            if exact.max(last.exact) <= floor { 0.0 } else { difference / exact.max(floor) }
        });
        let prediction = Prediction {
            exact,
            passband: None,
            aliased,
            truncation: Some((factor / base, change.unwrap_or(f64::MAX))),
        };
        let next = 4 * factor * factor * grid.len() * spectrum.channels();
        if change.is_some_and(|change| change <= TOLERANCE) || (change.is_some() && next > MAX_OVERSAMPLED) {
            return Ok(prediction);
        }
        last = Some(prediction);
        factor *= 2;
    }
}
