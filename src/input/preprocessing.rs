//! From pixels to a network's input: crop, resize, normalise.

use serde::{Deserialize, Serialize};

use super::error::InputError;

/// The key of a model's metadata that holds a [`Preprocessing`] as JSON:
/// `{"mean": [127, 127, 127], "std": [128, 128, 128], "scale": 255, "crop": 1.0, "interpolation": "bicubic"}`.
pub const METADATA_KEY: &str = "aliascope.preprocessing";

/// How a photo is resized; both average over the source pixels when they shrink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// A triangle.
    Bilinear,
    /// Catmull–Rom, the cubic with a = −½.
    #[default]
    Bicubic,
}

/// x = (scale·v − mean)/std per channel, of the resized centre crop, with v in 0..1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// Subtracted, per channel.
    pub mean: Vec<f64>,
    /// Divided by, per channel.
    pub std: Vec<f64>,
    /// What the value of a white pixel is before that: 1 or 255.
    #[serde(default = "one")]
    pub scale: f64,
    /// The share of the largest centred crop of the input's aspect ratio that is kept.
    #[serde(default = "one")]
    pub crop: f64,
    /// How the crop becomes the input's size.
    #[serde(default)]
    pub interpolation: Interpolation,
}

fn one() -> f64 {
    1.0
}

impl Preprocessing {
    /// ImageNet's statistics, the centre 87.5 %, bicubic: what most classifiers were tested with.
    pub fn imagenet() -> Self {
        Self {
            mean: vec![0.485, 0.456, 0.406],
            std: vec![0.229, 0.224, 0.225],
            scale: 1.0,
            crop: 0.875,
            interpolation: Interpolation::Bicubic,
        }
    }

    /// −1 to 1, the whole centre crop.
    pub fn half() -> Self {
        Self { mean: vec![0.5], std: vec![0.5], crop: 1.0, ..Self::imagenet() }
    }

    /// 0 to 1, the whole centre crop.
    pub fn raw() -> Self {
        Self { mean: vec![0.0], std: vec![1.0], crop: 1.0, ..Self::imagenet() }
    }

    /// Pixels of 8 bits less `mean`, the whole centre crop: what networks take whose inputs are integers.
    pub fn bytes(mean: f64) -> Self {
        Self { mean: vec![mean], scale: 255.0, ..Self::raw() }
    }

    /// What a model's metadata says.
    ///
    /// # Errors
    /// When it is not the JSON that [`METADATA_KEY`] describes, or a number in it makes no sense.
    pub fn from_metadata(json: &str) -> Result<Self, InputError> {
        let wrong = |problem: String| InputError::Metadata { key: METADATA_KEY, problem };
        let this: Self = serde_json::from_str(json).map_err(|error| wrong(error.to_string()))?;
        let finite = this.mean.iter().chain(&this.std).all(|v| v.is_finite());
        if !finite || this.std.contains(&0.0) || !matches!(this.mean.len(), 1 | 3) || !matches!(this.std.len(), 1 | 3) {
            return Err(wrong("mean and std need one or three numbers, and std none that is 0".to_owned()));
        }
        let crops = this.crop > 0.0 && this.crop <= 1.0;
        let scales = this.scale.is_finite() && this.scale > 0.0;
        if !crops || !scales {
            return Err(wrong("crop must lie in 0 to 1 and scale above 0".to_owned()));
        }
        Ok(this)
    }

    /// In words, for results.
    pub fn describe(&self) -> String {
        let list = |values: &[f64]| values.iter().map(f64::to_string).collect::<Vec<_>>().join(", ");
        let interpolation = match self.interpolation {
            Interpolation::Bilinear => "bilinear",
            Interpolation::Bicubic => "bicubic",
        };
        format!(
            "centre crop {}, {interpolation}, pixels 0 to {}, mean [{}], std [{}]",
            self.crop,
            self.scale,
            list(&self.mean),
            list(&self.std)
        )
    }

    /// What one unit of the network's input is in pixel values of 0 to 1, channel by channel: std/scale.
    pub fn pixel_scale(&self, channels: usize) -> Vec<f64> {
        let unit = |c| 1.0 / (self.normalized(1.0, c, channels) - self.normalized(0.0, c, channels));
        (0..channels).map(unit).collect()
    }

    /// The value of channel `c`, of `channels`, for a pixel value v in 0..1.
    pub(super) fn normalized(&self, v: f64, c: usize, channels: usize) -> f64 {
        // One channel stands for all; a grey network takes the mean of three.
        let pick = |values: &[f64]| match (values.len(), channels) {
            (3, 1) => values.iter().sum::<f64>() / 3.0,
            (1, _) => values[0],
            _ => values[c],
        };
        (self.scale * v - pick(&self.mean)) / pick(&self.std)
    }
}
