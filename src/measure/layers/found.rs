//! What sweeps and probes find of images, and what it adds up to.

use serde::{Deserialize, Serialize};

use crate::measure::defect_map::DefectMap;
use crate::measure::layers_report::{DefectPart, LayerClass};

use super::plan::{Carried, Layer};
use super::rounding::Gauge;

/// What a sweep found of a batch of images, or probes of one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LayersFound {
    pub(super) images: Vec<ImageFound>,
    /// Per layer: Σ over images of ‖e‖²/dim and ‖a‖²/dim where it ends.
    pub(super) local: Vec<[f64; 2]>,
    /// Per layer: sizes at its nodes.
    pub(super) gauges: Vec<Gauge>,
    /// What cancels beside the contributions, in front of them and behind.
    pub(super) cancelling: [f64; 2],
    /// Where the first image's defects sit, if that is asked for.
    pub(super) maps: Vec<DefectMap>,
}

/// What was found of one image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct ImageFound {
    /// Per layer: ‖J δ‖² and ⟨J δ, L⟩.
    pub contribution: Vec<f64>,
    pub signed: Vec<f64>,
    /// Per layer and tangent of it: ‖J δ_part‖² and ⟨J δ_part, L⟩; none of probes, which tell no parts apart.
    pub parts: Vec<Vec<[f64; 2]>>,
    /// Per layer that is split by octaves: ‖J δ‖² of each octave with all below it.
    pub up_to: Vec<Vec<f64>>,
    /// Per layer: the variance that probes leave in the contribution.
    pub variance: Vec<f64>,
    /// ‖Σ_{layers of the class} J δ‖².
    pub joint: Vec<(LayerClass, f64)>,
    /// ‖Σ_v J δ_v − L‖² and ‖L‖².
    pub residual: [f64; 2],
    /// What is known of it beside.
    pub facts: Facts,
}

/// What an image is to the network, beside its errors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Facts {
    /// Mean |L| over the output's entries.
    pub mean_abs: f64,
    /// ‖A x‖²/dim(x), 0 where it is rounding.
    pub input_energy: f64,
    /// The class with the largest score; none where the output is no vector of classes.
    pub top: Option<usize>,
}

/// Sums over images of one layer, and values image by image.
#[derive(Clone, Debug, Default)]
pub(super) struct LayerSums {
    /// Per image: ‖J δ‖².
    pub contribution: Vec<f64>,
    /// Per image: ⟨J δ, L⟩.
    pub signed: Vec<f64>,
    /// Per tangent of the layer: Σ ‖J δ_part‖² and Σ ⟨J δ_part, L⟩; none of probes.
    pub parts: Vec<[f64; 2]>,
    /// Per octave, where the layer is split by them: Σ ‖J δ‖² of it with all below it.
    pub up_to: Vec<f64>,
    /// Σ ‖e‖²/dim and Σ ‖a‖²/dim where the layer ends.
    pub local: [f64; 2],
    /// Sizes at the layer's nodes, over images.
    pub gauge: Gauge,
    /// Σ over images of the variance that probes leave in the contribution.
    pub probe_variance: f64,
}

impl LayerSums {
    /// Takes up the next image, in which the layer is at this place.
    pub fn take(&mut self, image: &ImageFound, layer: usize) {
        self.contribution.push(image.contribution[layer]);
        self.signed.push(image.signed[layer]);
        self.probe_variance += image.variance.get(layer).copied().unwrap_or(0.0);
        let parts = image.parts.get(layer).map_or(&[][..], Vec::as_slice);
        self.parts.resize(parts.len(), [0.0; 2]);
        for (sum, [square, signed]) in self.parts.iter_mut().zip(parts) {
            *sum = [sum[0] + square, sum[1] + signed];
        }
        let up_to = image.up_to.get(layer).map_or(&[][..], Vec::as_slice);
        self.up_to.resize(up_to.len(), 0.0);
        self.up_to.iter_mut().zip(up_to).for_each(|(sum, square)| *sum += square);
    }

    /// Per image: ‖L‖² − ‖L − J δ‖², what the error would fall by if the layer were exact.
    pub fn removal_gains(&self) -> Vec<f64> {
        self.signed.iter().zip(&self.contribution).map(|(signed, square)| 2.0 * signed - square).collect()
    }

    /// Σ ‖J δ_part‖² and Σ ⟨J δ_part, L⟩: zeros of a part that the layer has none of by construction, nothing of one that is
    /// not told.
    pub fn part(&self, layer: &Layer, part: DefectPart) -> Option<[f64; 2]> {
        let place = layer.carries.iter().position(|carried| *carried == Carried::Part(part));
        let known = !self.parts.is_empty() && layer.tells_parts() && part != DefectPart::Discretisation;
        place.and_then(|place| self.parts.get(place).copied()).or(known.then_some([0.0; 2]))
    }
}
