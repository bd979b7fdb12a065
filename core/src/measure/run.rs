//! What computed a result on a network, of what, and how: the header of such results.

use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::output::{ActionChoice, ChosenBy, Output};
use crate::hash::hash_of_file;
use crate::input::{Frame, InputError};
pub use crate::origin::Origin;
use crate::spectrum::differentiation::{Boundary, Scheme};
use crate::symmetry::{GridKind, Units};

/// What computed a result on a network, of what, and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Who, and when.
    #[serde(flatten)]
    pub origin: Origin,
    /// The network.
    pub model: Model,
    /// What it was measured on.
    pub images: Images,
    /// How Lie derivatives were taken; null where none were.
    pub lie: Option<Lie>,
    /// What was measured of the network; null where it was measured node by node.
    pub output: Option<Measured>,
    /// The precision of the run.
    pub precision: Precision,
    /// How derivatives pass where values are quantised.
    pub quantised: Quantised,
    /// What computed.
    pub device: Device,
    /// Threads that libtorch computed with.
    pub threads: usize,
    /// How images lay in memory.
    pub memory_format: MemoryFormat,
}

impl Run {
    /// The precision, and how derivatives pass the rounding of quantised values where that was said.
    pub fn arithmetic(&self) -> String {
        match self.quantised {
            Quantised::Refuse => self.precision.to_string(),
            Quantised::StraightThrough => format!("{}, quantised values straight-through", self.precision),
        }
    }

    /// How Lie derivatives were taken; the defaults where none were.
    pub fn lie(&self) -> Lie {
        self.lie.unwrap_or_default()
    }

    /// What comes after the network's output.
    pub fn function(&self) -> Output {
        self.output.as_ref().map_or(Output::Identity, |output| output.function)
    }

    /// What was measured in words: `its softmax`, or of which other output or inner value it is the identity.
    pub fn what(&self) -> String {
        let Some(output) = &self.output else { return "its nodes".to_owned() };
        match output.chosen_by {
            ChosenBy::At => format!("the {} of its inner value '{}'", output.function, output.name),
            ChosenBy::OutputName => format!("the {} of its output '{}'", output.function, output.name),
            ChosenBy::FirstOutput => format!("its {}", output.function),
        }
    }
}

/// A network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// The file's path as it was given.
    pub path: String,
    /// The SHA-256 of the file's bytes.
    pub sha256: String,
    /// The SHA-256 of the files that its weights lie in beside it, in the order of their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weights_sha256: Vec<String>,
    /// The shape of the input, one image.
    pub input_shape: Vec<i64>,
    /// The shape of what is measured, of one image.
    pub output_shape: Vec<i64>,
}

impl Model {
    /// The network in the file that was given as `path`; of its `files` the first is that file.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn of_files<'a>(path: &Path, files: impl IntoIterator<Item = &'a Path>) -> io::Result<Self> {
        let mut hashes = files.into_iter().map(hash_of_file).collect::<io::Result<Vec<_>>>()?.into_iter();
        let sha256 = hashes.next().unwrap_or_default();
        Ok(Self { path: path.display().to_string(), sha256, weights_sha256: hashes.collect(), ..Self::default() })
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        file_name(&self.path)
    }

    /// `1×3×224×224`, of the output.
    pub fn output_shape_in_words(&self) -> String {
        self.output_shape.iter().map(i64::to_string).collect::<Vec<_>>().join("×")
    }
}

/// The name of a file, whichever system's path it is.
pub fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// The images of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Images {
    /// Their names, in the order of all values by image; frames of a tensor file are `file.safetensors[i]`.
    pub names: Vec<String>,
    /// How they became input: `imagenet`, `half`, `raw`, `tensor` (taken as it is), or `metadata`, and what that is.
    pub preprocess: String,
    /// Images that could not be read and were left out of the result.
    pub skipped: Vec<Skipped>,
}

impl Images {
    /// How many were measured.
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// `1 image`, `15 images`.
    pub fn in_words(&self) -> String {
        counted(self.count(), "image")
    }

    /// The file name of one of them.
    pub fn name(&self, at: usize) -> &str {
        self.names.get(at).map_or("", |name| file_name(name))
    }
}

/// `1 image`, `15 images`.
pub fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// An image that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Its name.
    pub image: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Skipped {
    /// An image and what is wrong with it.
    pub fn new(frame: &Frame, error: &InputError) -> Self {
        let (image, message) = (frame.name(), error.to_string());
        let reason = message.strip_prefix(&format!("{image}: ")).unwrap_or(&message).to_owned();
        Self { image, reason }
    }

    /// The sentence that says so.
    pub fn note(&self) -> String {
        format!("{} is left out: {}", self.image, self.reason)
    }
}

/// How Lie derivatives are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lie {
    /// How ∇ is taken; the first where several are compared.
    pub derivative: Scheme,
    /// What lies beyond the edge of an image or inner value.
    pub boundary: Boundary,
    /// Where samples lie.
    pub grid: GridKind,
    /// The unit of t.
    pub units: Units,
}

impl Default for Lie {
    fn default() -> Self {
        Self {
            derivative: Scheme::Spectral,
            boundary: Boundary::Reflect,
            grid: GridKind::Tracked,
            units: Units::HalfWidth,
        }
    }
}

/// What is measured of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// The name of the output or inner value.
    pub name: String,
    /// How it was chosen.
    pub chosen_by: ChosenBy,
    /// What comes after it.
    pub function: Output,
    /// What the group does to it.
    pub action: ActionChoice,
    /// Why both are as they are, in a sentence or two.
    pub reason: String,
}

/// The precision of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// Single precision.
    #[default]
    F32,
    /// Double precision.
    F64,
}

impl Precision {
    /// The largest residual that the sum of layers' errors may leave of the whole: more than rounding comes to.
    pub const fn residual_limit(self) -> f64 {
        match self {
            Self::F32 => 1e-4,
            Self::F64 => 1e-10,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(if *self == Self::F64 { "f64" } else { "f32" })
    }
}

/// What happens where values are quantised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Quantised {
    /// Such a network is refused: rounding has no derivative but zero.
    #[default]
    Refuse,
    /// Values are rounded, derivatives pass as if they were not (zero beyond the range), as fake quantisation has it.
    StraightThrough,
}

/// How images lie in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemoryFormat {
    /// All channels of a pixel side by side.
    #[default]
    ChannelsLast,
    /// All pixels of a channel side by side.
    ChannelsFirst,
}

impl MemoryFormat {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::ChannelsLast, Self::ChannelsFirst];
}

impl fmt::Display for MemoryFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ChannelsLast => "channels last",
            Self::ChannelsFirst => "channels first",
        })
    }
}

/// What computes: `cpu` or `cuda:N`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// A graphics processor, by its number.
    Cuda(usize),
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.pad("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let device = match text.split_once(':') {
            None if text == "cpu" => Some(Self::Cpu),
            None if text == "cuda" => Some(Self::Cuda(0)),
            Some(("cuda", number)) => number.parse().ok().map(Self::Cuda),
            _ => None,
        };
        device.ok_or_else(|| "known are cpu, cuda and cuda:N".to_owned())
    }
}

impl TryFrom<String> for Device {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Device> for String {
    fn from(device: Device) -> Self {
        device.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_comes_back_from_its_json() {
        let run = Run {
            origin: Origin { aliascope: "1.0.0".to_owned(), ..Origin::default() },
            lie: Some(Lie::default()),
            output: Some(Measured { action: "boxes:xyxy01".parse().unwrap(), ..Measured::default() }),
            device: Device::Cuda(1),
            ..Run::default()
        };
        let json = serde_json::to_value(&run).unwrap();
        assert_eq!((&json["aliascope"], &json["device"]), (&"1.0.0".into(), &"cuda:1".into()));
        assert_eq!((&json["output"]["action"], &json["lie"]["units"]), (&"boxes:xyxy01".into(), &"half-width".into()));
        assert_eq!(serde_json::from_value::<Run>(json).unwrap(), run);
    }
}
