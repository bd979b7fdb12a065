//! The choices of a repair, as the command line and results name them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is lowered by steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// The divergence KL of the network's probabilities from those of the network before; of an output that is no
    /// vector of classes, as `logits`.
    Kl,
    /// The squared error of the output over its variance; of probabilities, that of their logarithms.
    #[default]
    Logits,
    /// As `kl`, and inner values too: at the end of each stretch between replacements, the squared error over the
    /// square.
    Features,
}

/// Which weights are adapted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Trained {
    /// All weights and biases.
    #[default]
    All,
    /// A scale for each output channel of a weight, and the biases.
    Affine,
    /// The layers that read what a replacement writes.
    After,
}

/// What recalibration solves for, layer by layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum RecalibrationKind {
    /// A scale and a shift of each output channel, by least squares.
    Channels,
    /// A scale and a shift of each output channel, so that its mean and spread are what they were.
    Moments,
    /// The weights and the bias, by ridge regression towards the old ones.
    Weights,
}

/// Why training ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// All steps were done.
    #[default]
    Steps,
    /// The time was up.
    Minutes,
    /// It was interrupted.
    Interrupted,
}

/// A stage of a repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StageKind {
    /// With designs in place, and weights as they were.
    Surgery,
    /// After recalibration.
    Recalibration,
    /// After the steps.
    Repair,
}

/// The name of a unit variant, as it is serialised.
fn name(kind: &impl Serialize) -> String {
    serde_json::to_value(kind).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

macro_rules! named {
    ($($kind:ty),*) => {
        $(impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&name(self))
            }
        })*
    };
}

named!(Loss, Trained, RecalibrationKind, Ended, StageKind);
