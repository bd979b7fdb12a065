//! What figures show of designs: their responses, and what they make of a field.

use ndarray::{Array2, Array3, s};
use tch::Tensor;

pub use aliascope_core::antialias::pictures::{Curve, POINTS, Picture};

use super::bench::tensor;
use super::design::{Design, DesignError, apply};
use super::{Kind, Padding};
use crate::spectrum::{GridSize, HalfSpectrum, Wave};

/// The responses of the downsamplings that have one, along the rows, with frequencies from 0 to ½ cycle per sample.
pub fn curves(designs: &[Box<dyn Design>], stride: usize) -> Vec<Curve> {
    let side = 2 * POINTS * stride;
    let fine = GridSize::square(side);
    designs
        .iter()
        .filter(|design| design.kind() == Kind::Downsampling)
        .filter_map(|design| {
            let gain = (0..=POINTS).map(|i| Some(design.gain(fine, Wave::new((i * stride) as i64, 0))?.norm()));
            Some(Curve { name: design.name(), gain: gain.collect::<Option<Vec<f64>>>()? })
        })
        .collect()
}

/// Every downsampling of one channel applied to a field, with what folds.
///
/// # Errors
/// When a design cannot take the field.
pub fn pictures(field: &Array2<f64>, designs: &[Box<dyn Design>]) -> Result<Vec<Picture>, DesignError> {
    let (rows, columns) = field.dim();
    let whole = field.clone().insert_axis(ndarray::Axis(0));
    let mut pictures = Vec::new();
    for design in designs.iter().filter(|design| design.kind() == Kind::Downsampling && design.channels() == 1) {
        let stride = design.resampling().step() as usize;
        let coarse = GridSize::new(columns / stride.max(1), rows / stride.max(1));
        let held = held(&whole, coarse);
        // The choice of a phase is the whole field's: another one would not be aliasing, but another picture.
        let frozen = design.frozen(&tensor(&whole)?, Padding::Circular)?;
        let layer = frozen.as_deref().unwrap_or(design.as_ref());
        let output = array(&apply(layer, &tensor(&whole)?, Padding::Circular)?)?;
        let without = array(&apply(layer, &tensor(&held)?, Padding::Circular)?)?;
        let aliased = &output - &without;
        let mean = output.mean().unwrap_or(0.0);
        let energy: f64 = output.iter().map(|v| (v - mean).powi(2)).sum();
        let folded: f64 = aliased.iter().map(|v| v * v).sum();
        pictures.push(Picture {
            name: design.name(),
            output: output.mapv(|v| v as f32),
            aliased: aliased.mapv(|v| v as f32),
            share: if energy > 0.0 { folded / energy } else { 0.0 },
        });
    }
    Ok(pictures)
}

/// The field without the harmonics that a coarse grid cannot hold.
fn held(field: &Array3<f64>, coarse: GridSize) -> Array3<f64> {
    let low = HalfSpectrum::from_samples(field.view()).and_then(|mut spectrum| {
        spectrum.multiply(|wave| if coarse.resolves(wave) { 1.0.into() } else { 0.0.into() });
        spectrum.into_samples()
    });
    low.unwrap_or_else(|_| field.clone())
}

fn array(y: &Tensor) -> Result<Array2<f64>, DesignError> {
    let size = y.size();
    let (rows, columns) = (size[2] as usize, size[3] as usize);
    let values: Vec<f64> = Vec::try_from(&y.f_reshape([-1])?)?;
    let stack = Array3::from_shape_vec((values.len() / (rows * columns).max(1), rows, columns), values);
    let stack = stack.map_err(|error| DesignError::Torch(tch::TchError::Torch(error.to_string())))?;
    Ok(stack.slice(s![0, .., ..]).to_owned())
}
