//! What `aliascope metrics --layers` adds: LEE beside metrics under finite shifts, for each layer alone. Plain data.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::layers_report::LayerClass;

/// The measures that each layer is compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerMeasure {
    /// E‖J δ‖²/dim(output): the layer's error as it arrives at the network's output, the mean of both translations.
    Lee,
    /// E‖δ‖²/dim: the same of the layer alone, at its own output.
    LeeAlone,
    /// Squared error under whole shifts over the number N of entries compared.
    EqTByN,
    /// The same over √N.
    EqTByRootN,
    /// Input and output each rounded to whole steps of its own, over N.
    EqTRoundedByN,
    /// The same over √N.
    EqTRoundedByRootN,
    /// Under fractional shifts, over N.
    EqTFracByN,
    /// The same over √N.
    EqTFracByRootN,
}

impl LayerMeasure {
    /// All, in the order of results.
    pub const ALL: [Self; 8] = [
        Self::Lee,
        Self::LeeAlone,
        Self::EqTByN,
        Self::EqTByRootN,
        Self::EqTRoundedByN,
        Self::EqTRoundedByRootN,
        Self::EqTFracByN,
        Self::EqTFracByRootN,
    ];

    /// The name used in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lee => "lee",
            Self::LeeAlone => "lee_alone",
            Self::EqTByN => "eq_t_by_n",
            Self::EqTByRootN => "eq_t_by_root_n",
            Self::EqTRoundedByN => "eq_t_rounded_by_n",
            Self::EqTRoundedByRootN => "eq_t_rounded_by_root_n",
            Self::EqTFracByN => "eq_t_frac_by_n",
            Self::EqTFracByRootN => "eq_t_frac_by_root_n",
        }
    }

    /// The name used in tables and figures.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Lee => "LEE ‖J δ‖²/dim, at output",
            Self::LeeAlone => "LEE ‖δ‖²/dim, layer alone",
            Self::EqTByN => "EQ-T, whole steps, over N",
            Self::EqTByRootN => "EQ-T, whole steps, over √N",
            Self::EqTRoundedByN => "EQ-T, rounded apart, over N",
            Self::EqTRoundedByRootN => "EQ-T, rounded apart, over √N",
            Self::EqTFracByN => "EQ-T_frac, over N",
            Self::EqTFracByRootN => "EQ-T_frac, over √N",
        }
    }
}

/// LEE beside metrics under finite translations, layer by layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerMetrics {
    /// How each measure is taken, in words.
    pub protocols: LayerProtocols,
    /// The layers that make errors, in graph order.
    pub layers: Vec<LayerMetric>,
    /// Each measure's shares by class, over the layers that all measures are defined for.
    pub by_type: IndexMap<String, IndexMap<String, Share>>,
    /// How much of the sum of ‖J δ‖²/dim those layers have; null without any error.
    pub compared_share: Option<f64>,
    /// Spearman's rank correlation of each measure with `lee` over those layers; null for fewer than three.
    pub rank_correlation: IndexMap<String, Option<f64>>,
}

impl LayerMetrics {
    /// Whether some measure gives a class of layers a share that does not round to 0 %, or cannot tell.
    pub fn is_seen(&self, class: &str) -> bool {
        let share = |measure: LayerMeasure| self.by_type.get(class)?.get(measure.name())?.share;
        self.by_type.contains_key(class)
            && LayerMeasure::ALL.into_iter().any(|measure| share(measure).is_none_or(|share| share >= 0.005))
    }
}

/// One layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerMetric {
    /// The node's name or the module's path.
    pub name: String,
    /// The operators of its nodes.
    pub op: String,
    /// The class of layer.
    pub class: LayerClass,
    /// Every measure by name; null where it is not defined.
    pub measures: IndexMap<String, Option<Measured>>,
    /// Why some are null; such a layer counts in no share.
    pub missing: Option<String>,
}

impl LayerMetric {
    /// One of the measures.
    pub fn measured(&self, measure: LayerMeasure) -> Option<&Measured> {
        self.measures.get(measure.name())?.as_ref()
    }
}

/// One measure of one layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The mean over images.
    pub mean: f64,
    /// Its standard error over images; null for a single image.
    pub sem: Option<f64>,
    /// The mean over images of its share in the image's sum over all layers compared; null where an image has no error.
    pub share: Option<f64>,
    /// The values that the mean is of, in the order of `run.images.names`.
    pub by_image: Vec<f64>,
}

/// A share with its error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// The mean over images of the share in each image's own sum; null where an image has no error.
    pub share: Option<f64>,
    /// Its standard error over images.
    pub sem: Option<f64>,
}

/// How the measures are taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerProtocols {
    /// Of `lee` and `lee_alone`.
    pub lee: String,
    /// Of `eq_t`.
    pub eq_t: String,
    /// Of `eq_t_rounded`.
    pub eq_t_rounded: String,
    /// Of `eq_t_frac`.
    pub eq_t_frac: String,
    /// Of all `_by_n` and `_by_root_n`.
    pub normalisation: String,
}

impl Default for LayerProtocols {
    fn default() -> Self {
        let own = str::to_owned;
        Self {
            lee: own(
                "the defect of the layer under translate_x and translate_y, the mean of both; spectral derivative, reflect \
                 boundary, half-widths",
            ),
            eq_t: own(
                "shift, zero fill: the layer's input by U[-1/8, 1/8] of the image per axis, rounded to whole steps of the \
                 coarsest of its maps, so that all move by whole samples; compared where the shifted output overlaps the \
                 old one",
            ),
            eq_t_rounded: own(
                "as eq_t, but input and output each rounded to whole samples of its own, as the code released with the \
                 paper has it: after a stride they may differ by half a sample",
            ),
            eq_t_frac: own(
                "shift, zero fill: the same shifts unrounded, by Lanczos's kernel of 3 lobes (6 taps); compared where all \
                 taps lie inside",
            ),
            normalisation: own(
                "N entries are compared in a draw: _by_n is the squared error of all draws over all their entries, \
                 _by_root_n the mean over draws of squared error over root N, as the released code has it",
            ),
        }
    }
}
