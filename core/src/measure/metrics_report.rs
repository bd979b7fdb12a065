//! What `aliascope metrics` returns: plain data.

use serde::{Deserialize, Serialize};

use super::layer_metrics::LayerMetrics;
use super::run::Run;
use crate::statistics::{Estimate, Interval};

/// The version of [`MetricsReport`]'s JSON; it grows when a field changes its meaning or goes away.
pub const METRICS_SCHEMA_VERSION: u32 = 3;

/// Discrete equivariance and invariance metrics of a network over a set of images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricsReport {
    /// [`METRICS_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What computed it, of what, and how.
    pub run: Run,
    /// Random transforms per image and metric.
    pub draws: usize,
    /// The seed that they are drawn from.
    pub seed: u64,
    /// The width of the output's range in PSNRs: 2, as for outputs from −1 to 1.
    pub range: f64,
    /// Whose consistency and sample invariance.
    pub protocol: Protocol,
    /// The figures.
    pub metrics: Metrics,
    /// The shift protocol of each figure, in words.
    pub protocols: MetricProtocols,
    /// Metrics that this network or these images do not allow, and why.
    pub missing: Vec<Missing>,
    /// LEE beside metrics under finite translations for each layer, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub layers: Option<LayerMetrics>,
}

/// Whose consistency and sample invariance are measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Random shifts of both axes by up to 7½ pixels, over a torus and in a window; small shifts and rotations.
    #[default]
    Aliascope,
    /// As the code released with the paper: each axis alone rolled by 0 to 7 pixels; shifts by up to two half-widths.
    // Its rotations are by ±(π // 16), which in Python is 0; a measure that is 0 for every network is left out.
    Authors,
}

impl Protocol {
    /// The name used on the command line and in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aliascope => "aliascope",
            Self::Authors => "authors",
        }
    }
}

/// A mean over images, and what it is the mean of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// The mean over all draws of all images.
    pub value: f64,
    /// Its standard error over images (the jackknife's); null for a single image.
    pub sem: Option<f64>,
    /// Its BCa interval of 95 % over images; null for fewer than three, and where it is the same in every resample.
    pub interval: Option<Interval>,
    /// The geometric mean over images of their own means, with Student's interval on the logarithms; null where one of them
    /// is 0.
    #[serde(default)]
    pub geometric_mean: Option<Estimate>,
    /// Each image's own mean, in the order of `image_names`; null for an image that does not allow it.
    pub by_image: Vec<Option<f64>>,
}

/// A pooled mean square error as PSNR.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Psnr {
    /// 20 log₁₀(range) − 10 log₁₀(mse), in decibels; null where the error is 0.
    pub value: Option<f64>,
    /// Its standard error over images (the jackknife's); null for a single image, and where the error is 0.
    pub sem: Option<f64>,
    /// Its BCa interval of 95 % over images; null as that of a mean, and where some resample has an error of 0.
    pub interval: Option<Interval>,
    /// Each image's own PSNR; null where its error is 0.
    pub by_image: Vec<Option<f64>>,
    /// Σ mask·(ref − img)²/Σ mask, both summed over all images, draws and channels first.
    pub mse: Measure,
    /// Σ mask.
    pub pixels: f64,
}

/// The figures; null where the network, the images or the protocol do not have them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// EQ-T of StyleGAN3.
    pub eq_t: Option<Psnr>,
    /// EQ-T_frac.
    pub eq_t_frac: Option<Psnr>,
    /// EQ-R.
    pub eq_r: Option<Psnr>,
    /// Mean square change of the output under shifts by whole pixels, without a mask: what Gruver et al.'s code calls
    /// EQ-T.
    pub mse_eq_t: Option<Measure>,
    /// The same under fractional shifts.
    pub mse_eq_t_frac: Option<Measure>,
    /// The same under rotations.
    pub mse_eq_r: Option<Measure>,
    /// The share of unchanged top-1 classes under circular shifts by 0 to 7 whole pixels per axis.
    pub consistency_integer_circular: Option<Measure>,
    /// The same by half a pixel more.
    pub consistency_half_pixel_circular: Option<Measure>,
    /// Under shifts of the window that is cut from a larger image.
    pub consistency_integer_cropped: Option<Measure>,
    /// The same by half a pixel more.
    pub consistency_half_pixel_cropped: Option<Measure>,
    /// Mean ‖f(g x) − f(x)‖² for shifts to the right by up to ±2 pixels.
    pub sample_invariance_translate_x: Option<Measure>,
    /// The same for rotations by up to ±π/16.
    pub sample_invariance_rotate: Option<Measure>,
    /// As the code released with the paper has it: the share of unchanged top-1 classes under rolls of the columns by
    /// 0, 1, …, 7 pixels, the rows left alone.
    pub consistency_authors_columns: Option<Measure>,
    /// The same of the rows.
    pub consistency_authors_rows: Option<Measure>,
    /// As the code released with the paper has it: mean square change of the output's entries under shifts along x by
    /// up to ±2 half-widths.
    pub sample_invariance_authors_x: Option<Measure>,
    /// The same along y.
    pub sample_invariance_authors_y: Option<Measure>,
}

/// How each figure's transforms are made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricProtocols {
    /// Of `eq_t`.
    pub eq_t: String,
    /// Of `eq_t_frac`.
    pub eq_t_frac: String,
    /// Of `eq_r`.
    pub eq_r: String,
    /// Of all `mse_*`.
    pub mse: String,
    /// Of both consistencies on the torus.
    pub consistency_circular: String,
    /// Of both consistencies of windows.
    pub consistency_cropped: String,
    /// Of both sample invariances.
    pub sample_invariance: String,
    /// Of both `consistency_authors_*`.
    pub consistency_authors: String,
    /// Of both `sample_invariance_authors_*`.
    pub sample_invariance_authors: String,
}

/// A metric that could not be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The metric's field.
    pub metric: String,
    /// Why.
    pub reason: String,
}

impl Default for MetricProtocols {
    fn default() -> Self {
        let own = str::to_owned;
        Self {
            eq_t: own(
                "shift, zero fill: both axes by U[-1/8, 1/8] of the image, rounded to whole pixels; compared where the \
                 shifted output overlaps the old one",
            ),
            eq_t_frac: own(
                "shift, zero fill: both axes by U[-1/8, 1/8] of the image with Lanczos's kernel of 3 lobes (6 taps); compared \
                 where all taps lie inside",
            ),
            eq_r: own(
                "rotation about the centre by U[-pi, pi], zero fill: input and reference by 4x upsampling with an oriented \
                 Lanczos filter and bilinear look-up, the output band-limited by the same filter; compared in both interiors",
            ),
            mse: own(
                "the transforms of eq_t, eq_t_frac and eq_r with zero fill; plain mean square change of the output, which \
                 is not moved, over all entries, no mask",
            ),
            consistency_circular: own(
                "circular: rolls by 0 to 7 whole pixels per axis; with half a pixel more, the trigonometric interpolant \
                 around the torus; share of top-1 classes that stay those of the unshifted image",
            ),
            consistency_cropped: own(
                "crop: a window moved by 0 to 7 pixels per axis over a photo resized 16 pixels larger; with half a pixel \
                 more, by Lanczos's kernel of 3 lobes; share of top-1 classes that stay those of the window at its start",
            ),
            sample_invariance: own(
                "circular shift to the right by U[-2, 2] pixels (trigonometric); rotation by U[-pi/16, pi/16] as in eq_r, \
                 zero fill; mean of the squared length of the output's change",
            ),
            consistency_authors: own(
                "circular, as the released code: columns (rows) rolled by 0, 1, ..., 7 whole pixels, each once, the other axis \
                 left alone; the roll by 0, which changes nothing, counts as one of the eight",
            ),
            sample_invariance_authors: own(
                "as the released code: shift along x (y) by U[-2, 2] half-widths between the outer pixels' centres, bilinear, \
                 mirrored at those centres; mean of the squared change of the output's entries",
            ),
        }
    }
}
