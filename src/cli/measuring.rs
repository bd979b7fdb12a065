//! How a Lie derivative is taken: the options that `lee` and `layers` share.

use clap::Args;

use crate::measure::output::{ActionChoice, Output};
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
    /// The function of the network's output that is measured [default: softmax for class scores, else identity].
    #[arg(long, value_enum)]
    pub(super) output: Option<Output>,
    /// How the output moves [default: by its shape]: none, image, tokens, boxes:xywh or boxes:xyxy (in pixels of the
    /// input), boxes:xywh01 or boxes:xyxy01 (as shares of its sides), or flow (vectors in pixels).
    #[arg(long, value_name = "none|image|tokens|boxes:FORMAT|flow")]
    pub(super) action: Option<ActionChoice>,
}
