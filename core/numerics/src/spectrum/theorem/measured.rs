//! The defect measured on samples: sampled, filtered as a sum over taps, differentiated, sampled again, subtracted;
//! never by the formula.

use ndarray::{Array3, ArrayView3, Axis, concatenate, s};
use num_complex::Complex64;

use super::TheoremError;
use crate::spectrum::alias::GridSize;
use crate::spectrum::filter::Response;
use crate::spectrum::half_spectrum::HalfSpectrum;
use crate::spectrum::strided::{mean_square, measured_strided_defect};
use crate::spectrum::transform::TransformError;
use crate::spectrum::velocity::Velocity;

/// The real and imaginary parts of one complex field as two real ones. Every step of the measured road is real-linear,
/// so that the mean squares of both add up.
pub(super) fn parts(field: &Array3<Complex64>) -> Array3<f64> {
    let (real, imaginary) = (field.mapv(|h| h.re), field.mapv(|h| h.im));
    // The shapes agree by construction.
    concatenate(Axis(0), &[real.view(), imaginary.view()]).unwrap_or(real)
}

pub(super) fn measured_on_samples(
    fields: ArrayView3<'_, f64>,
    response: &Response,
    stride: GridSize,
    velocity: Velocity,
) -> Result<f64, TheoremError> {
    if response.is_identity() {
        let defect = measured_strided_defect(fields, stride, velocity)?;
        return Ok(mean_square(defect.view()).iter().sum());
    }
    let spectrum = HalfSpectrum::from_samples(fields)?.differentiate(velocity);
    // What is filtered is kept on the coarse grid only, so that three fields' worth of memory is enough.
    let (slopes, kept) = if response.has_taps() {
        let slopes = spectrum.into_samples()?;
        (response.apply_strided(slopes.view(), stride)?, response.apply_strided(fields, stride)?)
    } else {
        let through = |mut spectrum: HalfSpectrum| -> Result<_, TransformError> {
            spectrum.par_multiply(|wave| response.gain(wave));
            Ok(spectrum.into_samples()?.slice(s![.., ..;stride.y as isize, ..;stride.x as isize]).to_owned())
        };
        (through(spectrum)?, through(HalfSpectrum::from_samples(fields)?)?)
    };
    let defect = subtract_on_coarse(slopes, kept, GridSize::square(1), velocity)?;
    Ok(mean_square(defect.view()).iter().sum())
}

/// Keeps every `stride`-th sample of both, and subtracts the derivative of the kept fields from the kept slopes.
pub(super) fn subtract_on_coarse(
    slopes: Array3<f64>,
    fields: Array3<f64>,
    stride: GridSize,
    velocity: Velocity,
) -> Result<Array3<f64>, TransformError> {
    let keep = s![.., ..;stride.y as isize, ..;stride.x as isize];
    let slope_of_kept = HalfSpectrum::from_samples(fields.slice(keep))?.differentiate(velocity).into_samples()?;
    Ok(&slopes.slice(keep) - &slope_of_kept)
}

pub(super) fn measured_continuous(
    fields: Array3<f64>,
    slopes: Array3<f64>,
    velocity: Velocity,
) -> Result<f64, TransformError> {
    let defect = subtract_on_coarse(slopes, fields, GridSize::square(1), velocity)?;
    Ok(mean_square(defect.view()).iter().sum())
}
