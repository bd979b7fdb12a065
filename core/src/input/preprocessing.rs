//! From pixels to a network's input: crop, resize, normalise.

use serde::{Deserialize, Serialize};

use super::error::InputError;

/// The key of a model's metadata that holds a [`Preprocessing`] as JSON:
/// `{"mean": [127, 127, 127], "std": [128, 128, 128], "scale": 255, "crop": 1.0, "interpolation": "bicubic"}`; in place
/// of `crop` there may be `"resize": 256` or `"letterbox": true`, and `"bgr": true` beside each.
pub const METADATA_KEY: &str = "aliascope.preprocessing";

/// How a photo is resized; all but the nearest pixel average over the source pixels when they shrink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// The pixel that the new one's centre lies in.
    Nearest,
    /// A triangle.
    Bilinear,
    /// Catmull–Rom, the cubic with a = −½.
    #[default]
    Bicubic,
    /// Lanczos's windowed sinc, three lobes.
    Lanczos,
}

impl Interpolation {
    /// All, by name.
    pub(super) const NAMES: [(&'static str, Self); 4] = [
        ("nearest", Self::Nearest),
        ("bilinear", Self::Bilinear),
        ("bicubic", Self::Bicubic),
        ("lanczos", Self::Lanczos),
    ];

    /// That of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|&(_, this)| this)
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nearest => "nearest",
            Self::Bilinear => "bilinear",
            Self::Bicubic => "bicubic",
            Self::Lanczos => "lanczos",
        }
    }
}

/// x = (scale·v − mean)/std per channel, of the photo brought to the input's size, with v in 0..1. The size is that of
/// a resized centre crop (`crop`), of a centre crop of the resized photo (`resize`), or of the whole photo
/// (`letterbox`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// Subtracted, per channel, of red, green and blue in this order whatever the network's.
    pub mean: Vec<f64>,
    /// Divided by, per channel, in the order of `mean`.
    pub std: Vec<f64>,
    /// What the value of a white pixel is before that: 1 or 255.
    #[serde(default = "one")]
    pub scale: f64,
    /// The share of the largest centred crop of the input's aspect ratio that is kept.
    #[serde(default = "one")]
    pub crop: f64,
    /// The photo's shorter side is resized to so many pixels, and a centre crop of the input's size is taken of that,
    /// as torchvision does; `crop` is then 1.
    #[serde(default)]
    pub resize: Option<u32>,
    /// The whole photo is scaled into the input, keeping its aspect ratio, in the middle of grey of 114/255, as
    /// ultralytics does; `crop` is then 1.
    #[serde(default)]
    pub letterbox: bool,
    /// The network takes blue, green, red.
    #[serde(default)]
    pub bgr: bool,
    /// How a photo is resized.
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
            resize: None,
            letterbox: false,
            bgr: false,
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
        this.check().map_err(|problem| wrong(problem.to_owned()))?;
        Ok(this)
    }

    /// Whether the numbers make sense.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let lists = [&self.mean, &self.std];
        let finite = lists.iter().all(|list| list.iter().all(|v| v.is_finite()));
        if !finite || self.std.contains(&0.0) || lists.iter().any(|list| !matches!(list.len(), 1 | 3)) {
            return Err("mean and std need one or three numbers, and std none that is 0");
        }
        let crops = self.crop > 0.0 && self.crop <= 1.0;
        let scales = self.scale.is_finite() && self.scale > 0.0;
        if !crops || !scales {
            return Err("crop must lie in 0 to 1 and scale above 0");
        }
        if self.resize == Some(0) {
            return Err("resize must be a number of pixels above 0");
        }
        if [self.crop != 1.0, self.resize.is_some(), self.letterbox].iter().filter(|&&set| set).count() > 1 {
            return Err("only one of crop, resize and letterbox can be");
        }
        Ok(())
    }

    /// Whether an input of `[channels, rows, columns]` fits into the resized photo.
    ///
    /// # Errors
    /// When `resize` is less than a side of the input.
    pub fn fits(&self, [_, rows, columns]: [usize; 3]) -> Result<(), InputError> {
        match self.resize {
            Some(resize) if (resize as usize) < rows.max(columns) => Err(InputError::Resize { resize, rows, columns }),
            _ => Ok(()),
        }
    }

    /// For an input of `larger` instead of `size` pixels on its longer side, of the same part of the photo.
    pub fn for_larger(&self, size: usize, larger: usize) -> Self {
        let scaled = |n: u32| (f64::from(n) * larger as f64 / size.max(1) as f64).ceil() as u32;
        Self { resize: self.resize.map(scaled), ..self.clone() }
    }

    /// In words, for results.
    pub fn describe(&self) -> String {
        let list = |values: &[f64]| values.iter().map(f64::to_string).collect::<Vec<_>>().join(", ");
        let framing = match self.resize {
            Some(resize) => format!("shorter side resized to {resize}, then centre crop"),
            None if self.letterbox => "whole photo, padded with grey 114/255".to_owned(),
            None => format!("centre crop {}", self.crop),
        };
        // One number stands for all channels, so that their order says nothing.
        let order = match self.bgr {
            true if self.mean.len().max(self.std.len()) > 1 => {
                ", channels blue green red, mean and std in red green blue"
            }
            true => ", channels blue green red",
            false => "",
        };
        format!(
            "{framing}, {}, pixels 0 to {}, mean [{}], std [{}]{order}",
            self.interpolation.name(),
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

    /// Which of red, green and blue channel `c`, of three, holds.
    pub(super) fn color(&self, c: usize) -> usize {
        if self.bgr { 2 - c.min(2) } else { c }
    }

    /// The value of channel `c`, of `channels`, for a pixel value v in 0..1.
    pub(super) fn normalized(&self, v: f64, c: usize, channels: usize) -> f64 {
        // One channel stands for all; a grey network takes the mean of three.
        let pick = |values: &[f64]| match (values.len(), channels) {
            (3, 1) => values.iter().sum::<f64>() / 3.0,
            (1, _) => values[0],
            _ => values[self.color(c)],
        };
        (self.scale * v - pick(&self.mean)) / pick(&self.std)
    }
}
