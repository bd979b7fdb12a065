//! What `aliascope layers` returns: plain data, read by the reports and figures.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::grouping::{Estimator, Grouping};
use super::lee_report::InputUnits;
use super::node_theorem_report::{FoldMap, NodeTheorem};
use super::run::Run;
use crate::spectrum::differentiation::Scheme;
use crate::spectrum::octave;
use crate::statistics::{Estimate, Interval};

/// The version of [`LayersReport`]'s JSON; it grows when a field changes its meaning or goes away.
pub const LAYERS_SCHEMA_VERSION: u32 = 4;

/// The equivariance error of a network, attributed to its layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayersReport {
    /// [`LAYERS_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What computed it, of what, and how.
    pub run: Run,
    /// What a layer is.
    pub group: Grouping,
    /// How contributions were found.
    pub estimator: Estimator,
    /// What one forward pass of one image takes, in milliseconds.
    pub forward_ms: f64,
    /// What the attribution of one image took, in milliseconds, for one generator and derivative.
    pub attribution_ms: f64,
    /// What `input_energy_by_image` is taken in.
    pub input_units: InputUnits,
    /// The class with the largest score, image by image, counted from 0; null where the output is no vector of classes.
    pub predicted: Option<Vec<usize>>,
    /// Where it was asked for: one node's defect resolved by frequency, on the first image.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub spectrum: Option<NodeSpectrum>,
    /// With several generators, whether they blame the same layers: each pair under each derivative, where both make errors.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub agreement: Vec<Agreement>,
    /// What was found.
    #[serde(flatten)]
    pub results: Attributions,
}

/// How alike the layers' contributions are under two generators.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// How ∇ was taken.
    pub derivative: Scheme,
    /// The two generators.
    pub generators: [String; 2],
    /// How many layers make errors under both.
    pub layers: usize,
    /// Spearman's rank correlation of their contributions.
    pub rank_correlation: f64,
    /// Its standard error over images, by the jackknife; null for a single image.
    pub sem: Option<f64>,
}

/// Which harmonics of its input make a node's defect, on the torus: the aliasing theorem at that node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeSpectrum {
    /// Predicted and measured defect, and the harmonics that do most of the damage.
    pub node: NodeTheorem,
    /// What each harmonic does.
    pub map: FoldMap,
}

/// One attribution, its fields beside the others of the report, or several in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Attributions {
    /// One generator under one derivative.
    One(Box<LayerResults>),
    /// Several generators or derivatives.
    Several {
        /// One entry for each.
        attributions: Vec<LayerResults>,
    },
}

impl Attributions {
    /// From a list of one or more.
    pub fn new(mut list: Vec<LayerResults>) -> Self {
        match list.pop() {
            Some(one) if list.is_empty() => Self::One(Box::new(one)),
            Some(last) => {
                list.push(last);
                Self::Several { attributions: list }
            }
            None => Self::Several { attributions: list },
        }
    }

    /// All of them, in order.
    pub fn all(&self) -> &[LayerResults] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several { attributions } => attributions,
        }
    }

    /// Those of the first derivative: one for each generator.
    pub fn generators(&self) -> Vec<&LayerResults> {
        let first = self.all().first().map(|r| &r.derivative);
        self.all().iter().filter(|r| Some(&r.derivative) == first).collect()
    }

    /// Those of the first generator: one for each derivative.
    pub fn derivatives(&self) -> Vec<&LayerResults> {
        let first = self.all().first().map(|r| &r.generator);
        self.all().iter().filter(|r| Some(&r.generator) == first).collect()
    }
}

/// The attribution of the error under one generator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerResults {
    /// The generator's name.
    pub generator: String,
    /// How ∇ was taken.
    pub derivative: Scheme,
    /// ‖Σ_v J δ_v − L‖ over all images, over the size of what cancels in it: Df\[A x\], A f, the layers' contributions, and
    /// rounding inside of the network.
    pub conservation_residual: f64,
    /// E‖Σ_v J δ_v − L‖²/dim, which exact arithmetic would leave at 0: a contribution below it may be rounding alone, and
    /// differ between numbers of threads by all of its size.
    #[serde(default)]
    pub rounding: f64,
    /// Whether L is no more than rounding, as on an equivariant network or on images of one colour: then nothing has a share.
    pub is_rounding: bool,
    /// How many entries the output has: what `lee` and all contributions are divided by.
    pub dim: usize,
    /// E‖L‖²/dim, the mean over images: what `aliascope lee` states for this generator.
    pub lee: f64,
    /// Its standard error over images; null for a single image.
    pub sem: Option<f64>,
    /// E‖L‖², summed over the output's entries.
    pub norm_squared: f64,
    /// (Σ ‖L‖²)²/Σ ‖L‖⁴ over images: the effective sample size: how many images of equal weight the mean is worth; null without
    /// any error.
    pub images_effective: Option<f64>,
    /// ‖L‖²/dim image by image, in the order of `run.images.names`.
    pub lee_by_image: Vec<f64>,
    /// Mean |L| over the output's entries, image by image.
    pub mean_abs_by_image: Vec<f64>,
    /// ‖A x‖²/dim(x), image by image, in `input_units`; 0 where it is rounding.
    pub input_energy_by_image: Vec<f64>,
    /// The layers that make errors, in graph order.
    pub layers: Vec<LayerReport>,
    /// The same summed by class of layer.
    pub by_type: IndexMap<String, ClassSum>,
}

/// One layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerReport {
    /// The node's name, the module's path or the class.
    pub name: String,
    /// The operators of its nodes.
    pub op: String,
    /// The module's path; empty where nodes' names hold none.
    pub module: String,
    /// The class of layer.
    pub class: LayerClass,
    /// How many nodes make errors in it.
    pub sources: usize,
    /// E‖J δ‖²/dim.
    pub contribution: f64,
    /// Its standard error over images; null for a single image.
    pub sem: Option<f64>,
    /// The geometric mean of ‖J δ‖²/dim over images, with Student's interval on the logarithms: it covers where a few images
    /// have most of the error. Null where an image has none.
    pub geometric_mean: Option<Estimate>,
    /// ‖J δ‖²/dim image by image, in the order of `run.images.names`.
    pub by_image: Vec<f64>,
    /// E⟨J δ, L⟩/E‖L‖²: over all layers it adds up to 1; null where L = 0.
    pub signed_share: Option<f64>,
    /// (2 E⟨J δ, L⟩ − E‖J δ‖²)/dim: what `lee` would fall by if this layer alone were exact.
    pub removal_gain: f64,
    /// Its standard error over images; null for a single image.
    pub removal_gain_sem: Option<f64>,
    /// The part that sampling makes, away from the edge; null where it was not asked for, or where one of the layer's nodes
    /// mixes positions in a way that leaves no part to be told. So for the next two.
    pub aliasing: Option<Part>,
    /// The part that the operator makes of the motion on a continuous plane.
    pub kernel: Option<Part>,
    /// The part that the edge and the padding add.
    pub boundary: Option<Part>,
    /// The part that a derivative other than the spectral one adds; null under the spectral one.
    pub discretisation: Option<Part>,
    /// Where it was asked for, in the place of these parts: the contribution by the octaves of what the layer's nodes read,
    /// highest first. Their vectors add up to the layer's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub octaves: Option<Vec<OctavePart>>,
    /// Contributions of this layer and all before it.
    pub cumulative: f64,
    /// E‖e‖²/dim where the layer ends: the equivariance error at that depth.
    pub local_error: f64,
    /// The same over E‖A x‖²/dim there; null where nothing moves.
    pub relative_local_error: Option<f64>,
}

impl LayerReport {
    /// One of the parts.
    pub fn part(&self, part: DefectPart) -> Option<Part> {
        match part {
            DefectPart::Aliasing => self.aliasing,
            DefectPart::Kernel => self.kernel,
            DefectPart::Boundary => self.boundary,
            DefectPart::Discretisation => self.discretisation,
        }
    }
}

/// The parts that add up to a layer's defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DefectPart {
    /// What sampling makes.
    Aliasing,
    /// What the operator makes on a continuous plane.
    Kernel,
    /// What the edge and the padding add.
    Boundary,
    /// What a derivative other than the spectral one adds.
    Discretisation,
}

impl DefectPart {
    /// Every part, in the order of results.
    pub const ALL: [Self; 4] = [Self::Aliasing, Self::Kernel, Self::Boundary, Self::Discretisation];

    /// The name used in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aliasing => "aliasing",
            Self::Kernel => "kernel",
            Self::Boundary => "boundary",
            Self::Discretisation => "discretisation",
        }
    }

    /// The parts that some of the layers have.
    pub fn among(layers: &[LayerReport]) -> Vec<Self> {
        Self::ALL.into_iter().filter(|part| layers.iter().any(|layer| layer.part(*part).is_some())).collect()
    }
}

/// A part of a layer's error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// E‖J δ_part‖²/dim.
    pub contribution: f64,
    /// E⟨J δ_part, L⟩/E‖L‖².
    pub signed_share: Option<f64>,
}

/// What one octave of what a layer's nodes read makes of the layer's error.
///
/// With h_f what a node reads without its harmonics at and above f, and δ(h) the node's defect on h, an octave from f to 2f
/// makes δ(h_2f) − δ(h_f).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OctavePart {
    /// Its lowest frequency, as part of the Nyquist frequency of what the node reads: the band is \[from, to).
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// E‖J δ_octave‖²/dim.
    pub contribution: f64,
    /// E⟨J δ_octave, L⟩/E‖L‖²: over the octaves it adds up to the layer's.
    pub signed_share: Option<f64>,
    /// E‖J δ(h_to)‖²/dim: what the layer would contribute if what its nodes read ended at `to`.
    pub up_to: f64,
}

impl OctavePart {
    /// `½–1`, and `below 1/16` for the last.
    pub fn band(&self) -> String {
        match self.from > 0.0 {
            true => format!("{}–{}", octave::fraction(self.from), octave::fraction(self.to)),
            false => format!("below {}", octave::fraction(self.to)),
        }
    }
}

impl LayerReport {
    /// Cut-offs at the octaves' edges, highest first, as parts of the Nyquist frequency, each with the share of the
    /// contribution that would be left if what the layer's nodes read ended there; none where octaves were not asked for.
    pub fn left_below(&self) -> Option<Vec<[f64; 2]>> {
        let octaves = self.octaves.as_ref()?;
        let left = |of: &OctavePart| [of.to, if self.contribution > 0.0 { of.up_to / self.contribution } else { 0.0 }];
        Some(octaves.iter().skip(1).map(left).collect())
    }
}

/// All layers of one class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassSum {
    /// How many layers.
    pub layers: usize,
    /// The sum of their contributions.
    pub contribution: f64,
    /// Its standard error over images; null for a single image.
    pub sem: Option<f64>,
    /// That sum over the sum of all layers.
    pub share: Option<f64>,
    /// Its standard error over images, by the jackknife.
    pub share_sem: Option<f64>,
    /// Its interval: Student's, of that standard error.
    pub share_interval: Option<Interval>,
    /// The mean over images of the class's share in each image's own sum, so that images whose errors are large do not
    /// count for more; null where an image has no error.
    pub share_by_image: Option<f64>,
    /// Its standard error over images.
    pub share_by_image_sem: Option<f64>,
    /// E‖Σ J δ‖²/dim: their errors added up as vectors first.
    pub joint: f64,
    /// The sum of their signed shares.
    pub signed_share: Option<f64>,
}

/// The kinds of layers that results are summed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayerClass {
    /// A convolution of stride 1.
    Convolution,
    /// A convolution that keeps every s-th sample.
    StridedConvolution,
    /// Maxima and means over windows, or over everything.
    Pooling,
    /// Pointwise functions and products.
    Nonlinearity,
    /// Attention, and its softmax.
    Attention,
    /// A dense layer across positions, as Mixers have it.
    TokenMixing,
    /// Layer, group and instance normalisation.
    Normalisation,
    /// The convolution or reshape that turns an image into tokens, and the merging of patches.
    PatchEmbedding,
    /// A constant that differs from position to position, added or multiplied.
    PositionalEmbedding,
    /// Padding, cropping, resizing, transposed convolutions.
    Resampling,
    /// Branches put together whose samples lie a part of a sample apart.
    Misalignment,
    /// Dense layers after the last map.
    Head,
    /// The softmax after the network's output.
    Softmax,
    /// Anything else.
    Other,
}

impl LayerClass {
    /// Every class, in the order of results.
    pub const ALL: [Self; 14] = [
        Self::Convolution,
        Self::StridedConvolution,
        Self::Pooling,
        Self::Nonlinearity,
        Self::Attention,
        Self::TokenMixing,
        Self::Normalisation,
        Self::PatchEmbedding,
        Self::PositionalEmbedding,
        Self::Resampling,
        Self::Misalignment,
        Self::Head,
        Self::Softmax,
        Self::Other,
    ];

    /// The name used in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Convolution => "convolution",
            Self::StridedConvolution => "strided-convolution",
            Self::Pooling => "pooling",
            Self::Nonlinearity => "nonlinearity",
            Self::Attention => "attention",
            Self::TokenMixing => "token-mixing",
            Self::Normalisation => "normalisation",
            Self::PatchEmbedding => "patch-embedding",
            Self::PositionalEmbedding => "positional-embedding",
            Self::Resampling => "resampling",
            Self::Misalignment => "misalignment",
            Self::Head => "head",
            Self::Softmax => "softmax",
            Self::Other => "other",
        }
    }
}
