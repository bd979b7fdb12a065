//! How a Lie derivative is taken: the options that `lee` and `layers` share.

use clap::{Args, ValueEnum};

use crate::measure::lee::{ActionChoice, Output};
use crate::spectrum::differentiation::{Boundary, Scheme};
use crate::symmetry::{GridKind, Units};

/// How a Lie derivative is taken.
#[derive(Debug, Args)]
pub(super) struct MeasuringArgs {
    /// How ∇ is taken.
    #[arg(long, default_value_t = Scheme::Spectral, value_name = "spectral|forward|central|authors")]
    pub(super) derivative: Scheme,
    /// What lies beyond the edge of an image or inner value.
    #[arg(long, default_value_t = Boundary::Reflect, value_name = "reflect|periodic")]
    pub(super) boundary: Boundary,
    /// Where samples lie.
    #[arg(long, default_value_t = GridKind::Tracked, value_name = "tracked|align-corners")]
    pub(super) grid: GridKind,
    /// The unit of t.
    #[arg(long, default_value_t = Units::HalfWidth, value_name = "half-width|pixel")]
    pub(super) units: Units,
    /// What is measured behind the network's output [default: softmax for class scores, else identity].
    #[arg(long, value_enum)]
    output: Option<OutputChoice>,
    /// How the output moves [default: by its shape]: none, image, tokens, boxes:xywh or boxes:xyxy (in pixels of the
    /// input), boxes:xywh01 or boxes:xyxy01 (as shares of its sides), or flow (vectors in pixels).
    #[arg(long, value_name = "none|image|tokens|boxes:FORMAT|flow")]
    pub(super) action: Option<ActionChoice>,
}

/// What is measured behind a network's output.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum OutputChoice {
    /// Class probabilities.
    Softmax,
    /// Class scores.
    Logits,
    /// The output as it is.
    Identity,
}

impl MeasuringArgs {
    /// What is measured behind the network's output; none to choose by its shape.
    pub(super) fn output(&self) -> Option<Output> {
        self.output.map(OutputChoice::output)
    }
}

impl OutputChoice {
    /// The choice as measurements know it.
    pub(super) fn output(self) -> Output {
        match self {
            Self::Softmax => Output::Softmax,
            Self::Logits => Output::Logits,
            Self::Identity => Output::Identity,
        }
    }
}
