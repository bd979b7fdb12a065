//! Normalisations: which of them a translation by a fraction passes through (Scanvic et al. 2025, arXiv 2505.19805).

use ndarray::{Array3, Axis, s};
use tch::{Kind as Element, Tensor};

use super::design::{Cost, Design, DesignError, Resampling};
use super::prediction::{Prediction, PredictionError, PredictionInput, oversampled_prediction};
use super::{Guarantee, Kind, Padding};
use crate::graph::operator::Torch;

/// Which statistics are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistics {
    /// Mean and deviation over channels, pixel by pixel: layer norm as ConvNeXt has it.
    Pixel,
    /// Mean over channels pixel by pixel, one deviation over channels, rows and columns: AFC's (arXiv 2303.08085).
    Afc,
    /// Fixed ones: batch norm at test time.
    Batch,
    /// Over rows and columns of each channel.
    Instance,
    /// Over rows, columns and the channels of each of so many groups.
    Group(
        /// Groups.
        usize,
    ),
}

/// (x − mean)/√(variance + ε), without a scale and bias of its own.
#[derive(Debug)]
pub struct Norm {
    statistics: Statistics,
}

const EPSILON: f64 = 1e-5;

impl Norm {
    /// The normalisation by these statistics.
    pub fn new(statistics: Statistics) -> Self {
        Self { statistics }
    }

    /// The fixed mean and standard deviation of channel `c`: those of batch norm here.
    fn fixed(c: usize) -> [f64; 2] {
        [0.1 * c as f64 - 0.2, 0.5 + 0.25 * c as f64]
    }

    /// The same on arrays, statistics by plain sums: what the prediction uses.
    fn on_array(&self, mut x: Array3<f64>) -> Array3<f64> {
        let (channels, rows, columns) = x.dim();
        let standardise = |mut part: ndarray::ArrayViewMut3<'_, f64>| {
            let n = part.len() as f64;
            let mean = part.sum() / n;
            let variance = part.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n;
            let scale = 1.0 / (variance + EPSILON).sqrt();
            part.mapv_inplace(|v| (v - mean) * scale);
        };
        match self.statistics {
            Statistics::Pixel => {
                for (row, column) in (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))) {
                    standardise(x.slice_mut(s![.., row..=row, column..=column]));
                }
            }
            Statistics::Afc => {
                if let Some(mean) = x.mean_axis(Axis(0)) {
                    x -= &mean;
                }
                let variance = x.iter().map(|v| v * v).sum::<f64>() / x.len() as f64;
                x /= (variance + EPSILON).sqrt();
            }
            Statistics::Batch => {
                for (c, mut channel) in x.outer_iter_mut().enumerate() {
                    let [mean, deviation] = Self::fixed(c);
                    channel.mapv_inplace(|v| (v - mean) / deviation);
                }
            }
            Statistics::Instance => (0..channels).for_each(|c| standardise(x.slice_mut(s![c..=c, .., ..]))),
            Statistics::Group(groups) => {
                let size = channels / groups.max(1);
                (0..groups).for_each(|g| standardise(x.slice_mut(s![g * size..(g + 1) * size, .., ..])));
            }
        }
        x
    }
}

/// (x − mean)/√(variance + ε) over these axes.
fn standardised(x: &Tensor, axes: &[i64]) -> Torch<Tensor> {
    let centred = x.f_sub(&x.f_mean_dim(axes, true, None::<Element>)?)?;
    let variance = centred.f_square()?.f_mean_dim(axes, true, None::<Element>)?;
    centred.f_mul(&variance.f_add_scalar(EPSILON)?.f_rsqrt()?)
}

impl Design for Norm {
    fn name(&self) -> String {
        match self.statistics {
            Statistics::Pixel => "layernorm".to_owned(),
            Statistics::Afc => "layernorm:afc".to_owned(),
            Statistics::Batch => "batchnorm".to_owned(),
            Statistics::Instance => "instancenorm".to_owned(),
            Statistics::Group(groups) => format!("groupnorm:{groups}"),
        }
    }

    fn about(&self) -> String {
        match self.statistics {
            Statistics::Pixel => "mean and deviation over channels, pixel by pixel",
            Statistics::Afc => "mean over channels per pixel, one deviation over the whole map (AFC, arXiv 2303.08085)",
            Statistics::Batch => "fixed mean and deviation per channel: batch norm at test time",
            Statistics::Instance => "mean and deviation over the pixels of each channel",
            Statistics::Group(_) => "mean and deviation over the pixels and channels of each group",
        }
        .to_owned()
    }

    fn kind(&self) -> Kind {
        Kind::Normalisation
    }

    fn guarantee(&self) -> Guarantee {
        if self.statistics == Statistics::Pixel { Guarantee::None } else { Guarantee::Fractional }
    }

    fn resampling(&self) -> Resampling {
        Resampling::Same { first: 0.0 }
    }

    fn channels(&self) -> usize {
        4
    }

    fn check(&self, [channels, _, _]: [usize; 3], _: Padding) -> Result<(), DesignError> {
        match self.statistics {
            Statistics::Group(groups) if !channels.is_multiple_of(groups.max(1)) => Err(DesignError::Channels {
                design: self.name(),
                needs: format!("channels that {groups} groups divide"),
                channels,
            }),
            _ => Ok(()),
        }
    }

    fn forward(&self, x: &Tensor, _: Padding) -> Torch<Tensor> {
        match self.statistics {
            Statistics::Pixel => standardised(x, &[1]),
            Statistics::Afc => {
                let centred = x.f_sub(&x.f_mean_dim([1].as_slice(), true, None::<Element>)?)?;
                let variance = centred.f_square()?.f_mean_dim([1, 2, 3].as_slice(), true, None::<Element>)?;
                centred.f_mul(&variance.f_add_scalar(EPSILON)?.f_rsqrt()?)
            }
            Statistics::Batch => {
                let channels = x.size()[1];
                let part = |at: usize| -> Torch<Tensor> {
                    let values: Vec<f64> = (0..channels as usize).map(|c| Self::fixed(c)[at]).collect();
                    let values = Tensor::f_from_slice(&values)?.f_view([1, channels, 1, 1])?;
                    values.f_to_kind(x.kind())?.f_to_device(x.device())
                };
                x.f_sub(&part(0)?)?.f_div(&part(1)?)
            }
            Statistics::Instance => standardised(x, &[2, 3]),
            Statistics::Group(groups) => {
                let size = x.size();
                let groups = groups as i64;
                let view = x.f_reshape([size[0], groups, size[1] / groups, size[2], size[3]])?;
                standardised(&view, &[2, 3, 4])?.f_reshape(size)
            }
        }
    }

    /// Every statistic here is one of the continuous field, over points or over the torus: the normalised field's
    /// harmonics are followed by oversampling.
    fn predict(&self, input: &PredictionInput<'_>) -> Result<Option<Prediction>, PredictionError> {
        Ok(Some(oversampled_prediction(input, 1, 1, &|_| true, &|fine, _| self.on_array(fine))?))
    }

    fn cost(&self, shape: [usize; 4]) -> Option<Cost> {
        let numbers = shape.iter().product::<usize>() as f64;
        let passes = if self.statistics == Statistics::Batch { 1.0 } else { 3.0 };
        Some(Cost { operations: passes * numbers, numbers: 2.0 * numbers })
    }
}
