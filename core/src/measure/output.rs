//! What is measured of a network, what comes after it, and how it moves with the image.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::spectrum::name::UnknownName;

/// How the measured value of a network was chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChosenBy {
    /// It is the first output.
    #[default]
    FirstOutput,
    /// The output of a name.
    OutputName,
    /// An inner value.
    At,
}

/// What the measured function is: the network, and what comes after its output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Output {
    /// Class probabilities: softmax over the class axis.
    Softmax,
    /// Class scores as they are.
    Logits,
    /// The output as it is, whatever it is.
    #[default]
    Identity,
}

impl Output {
    /// The name used on the command line and in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Softmax => "softmax",
            Self::Logits => "logits",
            Self::Identity => "identity",
        }
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How four numbers say where a box is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoxFormat {
    /// Centre, width, height.
    Xywh,
    /// Left, top, right, bottom.
    Xyxy,
    /// Centre, width, height, as shares of the input's width and height.
    Xywh01,
    /// Left, top, right, bottom, as shares of the input's width and height.
    Xyxy01,
}

impl BoxFormat {
    const ALL: [Self; 4] = [Self::Xywh, Self::Xyxy, Self::Xywh01, Self::Xyxy01];

    /// The action's name on the command line and in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Xywh => "boxes:xywh",
            Self::Xyxy => "boxes:xyxy",
            Self::Xywh01 => "boxes:xywh01",
            Self::Xyxy01 => "boxes:xyxy01",
        }
    }

    /// Whether the numbers are those of two corners.
    pub const fn has_corners(self) -> bool {
        matches!(self, Self::Xyxy | Self::Xyxy01)
    }

    /// Whether numbers are shares of the input's sides, and not pixels.
    pub const fn is_of_one(self) -> bool {
        matches!(self, Self::Xywh01 | Self::Xyxy01)
    }

    /// The same numbers in the other unit.
    pub const fn in_the_other_unit(self) -> Self {
        match self {
            Self::Xywh => Self::Xywh01,
            Self::Xyxy => Self::Xyxy01,
            Self::Xywh01 => Self::Xywh,
            Self::Xyxy01 => Self::Xyxy,
        }
    }
}

/// What the group does to an output, by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ActionChoice {
    /// Nothing moves.
    #[default]
    None,
    /// Rows and columns are those of an image.
    Image,
    /// Tokens lie where the network's layouts say.
    Tokens,
    /// Boxes.
    Boxes(BoxFormat),
    /// Vectors at the pixels of an image.
    Flow,
}

impl ActionChoice {
    /// The name used on the command line and in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Image => "image",
            Self::Tokens => "tokens",
            Self::Boxes(format) => format.name(),
            Self::Flow => "flow",
        }
    }
}

impl fmt::Display for ActionChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for ActionChoice {
    type Err = UnknownName;

    fn from_str(given: &str) -> Result<Self, UnknownName> {
        let others = [Self::None, Self::Image, Self::Tokens, Self::Flow];
        let known: Vec<Self> = others.into_iter().chain(BoxFormat::ALL.map(Self::Boxes)).collect();
        let found = known.iter().find(|choice| choice.name() == given).copied();
        found.ok_or_else(|| UnknownName::new("action", given, &known.iter().map(|c| c.name()).collect::<Vec<_>>()))
    }
}

impl TryFrom<String> for ActionChoice {
    type Error = UnknownName;

    fn try_from(text: String) -> Result<Self, UnknownName> {
        text.parse()
    }
}

impl From<ActionChoice> for String {
    fn from(choice: ActionChoice) -> Self {
        choice.name().to_owned()
    }
}
