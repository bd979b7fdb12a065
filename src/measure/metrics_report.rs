//! What `aliascope metrics` returns: plain data.

use serde::{Deserialize, Serialize};

use super::layer_metrics::LayerMetrics;

/// The version of [`MetricsReport`]'s JSON; it grows when a field changes its meaning or goes away.
pub const METRICS_SCHEMA_VERSION: u32 = 1;

/// Discrete equivariance and invariance metrics of a network over a set of images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricsReport {
    /// [`METRICS_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The model's path as it was given.
    pub model: String,
    /// How many images.
    pub images: usize,
    /// The images' names.
    pub image_names: Vec<String>,
    /// How images became input.
    pub preprocess: String,
    /// What is measured behind the network's output: `softmax`, `logits` or `identity`.
    pub output: String,
    /// The output's shape.
    pub output_shape: Vec<i64>,
    /// `f32` or `f64`.
    pub precision: String,
    /// Random transforms per image and metric.
    pub draws: usize,
    /// The seed that they are drawn from.
    pub seed: u64,
    /// The width of the output's range in PSNRs: 2, as for outputs from −1 to 1.
    pub range: f64,
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

/// A pooled mean square error as PSNR.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Psnr {
    /// 20 log₁₀(range) − 10 log₁₀(mse); null where the error is 0.
    pub db: Option<f64>,
    /// Σ mask·(ref − img)²/Σ mask, both summed over all images, draws and channels first.
    pub mse: f64,
    /// Σ mask.
    pub pixels: f64,
}

/// The figures; null where the network or the images do not allow them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// EQ-T of StyleGAN3.
    pub eq_t: Option<Psnr>,
    /// EQ-T_frac.
    pub eq_t_frac: Option<Psnr>,
    /// EQ-R.
    pub eq_r: Option<Psnr>,
    /// Mean square change of the output under shifts by whole pixels, without a mask: what Gruver et al.'s code calls EQ-T.
    pub mse_eq_t: Option<f64>,
    /// The same under fractional shifts.
    pub mse_eq_t_frac: Option<f64>,
    /// The same under rotations.
    pub mse_eq_r: Option<f64>,
    /// The share of unchanged top-1 classes under circular shifts by 0 to 7 whole pixels per axis.
    pub consistency_integer_circular: Option<f64>,
    /// The same by half a pixel more.
    pub consistency_half_pixel_circular: Option<f64>,
    /// Under shifts of the window that is cut from a larger image.
    pub consistency_integer_cropped: Option<f64>,
    /// The same by half a pixel more.
    pub consistency_half_pixel_cropped: Option<f64>,
    /// Mean ‖f(g x) − f(x)‖² for shifts to the right by up to ±2 pixels.
    pub sample_invariance_translate_x: Option<f64>,
    /// The same for rotations by up to ±π/16.
    pub sample_invariance_rotate: Option<f64>,
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
        }
    }
}
