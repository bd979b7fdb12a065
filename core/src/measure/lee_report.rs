//! What `aliascope lee` returns: plain data, read by the reports and figures.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::run::Run;
use crate::statistics::{Estimate, Interval, Summary};

/// The version of [`LeeReport`]'s JSON; it grows when a field changes its meaning or goes away.
pub const LEE_SCHEMA_VERSION: u32 = 4;

/// The Lie derivatives of one network over a set of images, under the affine algebra and saturation.
///
/// L = Df\[A x\] − A f(x) with (A h)(u) = v(u)·∇h(u); `lee` of a generator is E‖L‖²/dim(output).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeeReport {
    /// [`LEE_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What computed it, of what, and how.
    pub run: Run,
    /// On how many images the output hardly changes under any generator, so that a small LEE says nothing of a symmetry.
    pub images_constant: usize,
    /// How many of them change under no generator of the plane, as those of one colour.
    pub images_flat: usize,
    /// What `relative`, `gram.input_gram` and the symmetry spectrum take the input's size in.
    pub input_units: InputUnits,
    /// How many images the network classifies rightly; null where no classes are known.
    pub accuracy: Option<Accuracy>,
    /// The class with the largest score, image by image, counted from 0; null where the output is no vector of classes.
    pub predicted: Option<Vec<usize>>,
    /// The margins of a classifier's decisions; null where the output is not taken as class scores.
    pub margins: Option<Margins>,
    /// One entry per generator that was asked for: without a choice the measured seven, then `rotate`, `hyperbolic`, `scale`.
    pub generators: IndexMap<String, GeneratorLee>,
    /// The Gram matrix of the measured generators.
    pub gram: Gram,
    /// The affine algebra's directions, least equivariant first; fewer than six where some do nothing to the images, and
    /// none unless all of the algebra was swept.
    pub symmetry_spectrum: Vec<SymmetryDirection>,
    /// Up to what shift the linear answer holds; null where it was not asked for or cannot be measured.
    pub horizon: Option<Horizon>,
    /// Why there is no horizon; null where there is one, and where it was not asked for.
    pub horizon_missing: Option<String>,
    /// What the run cost; the forward passes are null where they were not timed.
    pub timing: Timing,
}

/// What an input's size is taken in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputUnits {
    /// Pixel values of 0 to 1.
    #[default]
    Photo,
    /// The units of the network's input, where the images are tensors.
    Input,
}

/// Agreement of the class with the largest score with the image's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// The images whose class is known.
    pub images: usize,
    /// How many of them the network gives that class.
    pub right: usize,
    /// Their share.
    pub top1: f64,
}

/// The equivariance error under one generator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GeneratorLee {
    /// E‖L‖²/dim(output), the mean over images.
    pub lee: f64,
    /// Its standard error over images; null for a single image. Of values as skewed as these it makes no interval.
    pub sem: Option<f64>,
    /// ‖L‖²/dim(output) over images: the geometric mean over those that change under the generator, the mean, which is
    /// `lee`, both with intervals, and what the mean is worth.
    pub summary: Summary,
    /// E|L|, mean over output entries and images: what the paper's released script reports.
    pub mean_abs: f64,
    /// `lee` over E‖A x‖²/dim(x), in `input_units`; null where A x is no more than rounding, as on images of one colour.
    pub relative: Option<f64>,
    /// Its BCa interval, of images drawn with both values.
    pub relative_interval: Option<Interval>,
    /// The geometric mean over images of ‖L‖²/dim(output) over ‖A x‖²/dim(x), with Student's interval on the logarithms; null
    /// where it is not defined.
    pub relative_geometric_mean: Option<Estimate>,
    /// Fisher LEE in nats, LᵀFL with L of the logits and F = diag p − ppᵀ: ½t² times it is the Kullback–Leibler divergence
    /// that a motion by t causes; null where the output is not taken as class scores.
    pub fisher: Option<Summary>,
    /// The relative derivative of the margin, |dm/dt|/m, over images; null where there is no margin.
    pub margin_rate: Option<MarginRate>,
    /// The values that the means are of.
    pub by_image: LeeByImage,
}

/// Values image by image, in the order of `run.images.names`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LeeByImage {
    /// ‖L‖²/dim(output).
    pub lee: Vec<f64>,
    /// Mean |L| over the output's entries.
    pub mean_abs: Vec<f64>,
    /// ‖A x‖²/dim(x), in `input_units`; 0 where it is rounding.
    pub input_energy: Vec<f64>,
    /// LᵀFL; left out where the output is not taken as class scores.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fisher: Option<Vec<f64>>,
    /// (dm/dt)/m with its sign: below 0 the margin shrinks as t grows. Null where there is no margin;
    /// left out as `fisher`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub margin_rate: Option<Vec<Option<f64>>>,
}

/// How fast the margin of a decision changes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MarginRate {
    /// The median of |dm/dt|/m over images, with the interval of order statistics: of values that may be near 0, or large
    /// where the margin is small, a mean of either kind says little.
    pub median: Estimate,
    /// How many images have a margin.
    pub images: usize,
}

/// The margins of a classifier's decisions: the largest logit less the runner-up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Margins {
    /// What the logits are.
    pub logits: Logits,
    /// Image by image; null where both are the same, or the runner-up's probability is 0.
    pub by_image: Vec<Option<f64>>,
}

/// What a classifier's logits are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Logits {
    /// The output's entries.
    Output,
    /// The logarithms of its entries, which are probabilities: the input of the softmax at the network's end, up to a constant
    /// that changes nothing. LᵀFL is Σ (dp_k/dt)²/p_k; a class whose probability is 0 in this precision adds nothing.
    LogProbabilities,
}

/// Up to what shift the linear answer holds: actual over linear change of the output, ‖g₋ₜ f(g_t x) − f(x)‖/(t‖L‖), on the
/// first images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Horizon {
    /// The translation.
    pub generator: String,
    /// How many images, the first ones, it was measured on.
    pub images: usize,
    /// Forward passes of one image that it took.
    pub forward_passes: usize,
    /// The shifts t, in pixels.
    pub shifts: Vec<f64>,
    /// The median ratio over images, shift by shift; null without any error.
    pub ratios: Vec<Option<f64>>,
    /// The ratios of each image, shift by shift.
    pub by_image: Vec<Vec<Option<f64>>>,
    /// The largest shift up to which all median ratios lie within ½ and 2, in pixels; null where the smallest does not.
    pub pixels: Option<f64>,
}

/// Of the generators that were swept: G_ij = E⟨L_i, L_j⟩/dim(output), so that its diagonal is `lee` and the LEE of Σ a_i A_i is aᵀ G a.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gram {
    /// The generators' names in the order of rows and columns.
    pub order: Vec<String>,
    /// The raw matrix.
    pub matrix: Vec<Vec<f64>>,
    /// N_ij = E⟨A_i x, A_j x⟩/dim(x) in `input_units`, 0 where A_i x is rounding: the relative LEE of Σ a_i A_i is aᵀGa/aᵀNa.
    pub input_gram: Vec<Vec<f64>>,
}

/// One eigenvector of G a = λ N a over the affine algebra.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SymmetryDirection {
    /// λ: the relative LEE of Σ a_i A_i.
    pub eigenvalue: f64,
    /// The coefficients a_i of the generators, with aᵀNa = 1: along it the images change by 1 per unit of t.
    pub direction: IndexMap<String, f64>,
}

/// Milliseconds; medians over the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// One forward of one image.
    pub forward_ms: Option<f64>,
    /// One forward of eight images; none where a sweep takes so long that nothing is repeated.
    pub forward_batch8_ms: Option<f64>,
    /// One sweep: primal and seven tangents of one image.
    pub sweep_ms: f64,
}
