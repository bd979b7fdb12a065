//! What `aliascope antialias` returns: plain data, read by the table and the figures.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::kind::{Guarantee, Kind, Padding};
use crate::origin::Origin;

/// The version of [`BenchReport`]'s JSON; it grows when a field changes its meaning or goes away.
pub const ANTIALIAS_SCHEMA_VERSION: u32 = 1;

/// Designs side by side on one field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BenchReport {
    /// [`ANTIALIAS_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Who computed it, and when.
    pub run: Origin,
    /// What the field is, in words.
    pub input: String,
    /// Rows and columns of the input: a square of this side.
    pub samples: usize,
    /// The stride of downsamplings and the factor of upsamplings.
    pub stride: usize,
    /// v, in lengths of the torus per unit of t, \[x, y\].
    pub velocity: [f64; 2],
    /// The padding of the layers, and how inputs are shifted: `circular`, or `reflect` or `zero` beside circular
    /// shifts.
    pub protocol: Padding,
    /// The protocol of every figure, in words.
    pub protocols: Protocols,
    /// The largest |n| of the field's occupied harmonics.
    pub band: u64,
    /// The mean square of v·∇h, with lengths of the torus: what `measured` is small or large against.
    pub slope_energy: f64,
    /// One result per design, in the order asked for.
    pub designs: Vec<DesignResult>,
    /// Where a small bright spot seems to be after downsampling, against where it was moved to.
    pub shift_sweep: Option<ShiftSweep>,
}

/// How each figure is taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Protocols {
    /// Of `predicted`.
    pub predicted: String,
    /// Of `measured` and `generators`.
    pub measured: String,
    /// Of `integer_shift_error`.
    pub integer_shift_error: String,
    /// Of `fractional_shift_error`.
    pub fractional_shift_error: String,
    /// Of both errors with `_cropped`.
    pub cropped: String,
    /// Of `passband_energy` and `aliased_energy`.
    pub energy: String,
    /// Of `time_ratio` and `memory_ratio`.
    pub cost: String,
    /// Of `time_ms`, `time_ratio` and `time_multiplications`.
    pub time: String,
}

/// LEE of one generator.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GeneratorResult {
    /// ‖L‖²/dim(output), t in half-widths.
    pub lee: f64,
    /// `lee` over ‖A f‖²/dim(output), the mean square of the moved output; none where that is 0.
    pub relative: Option<f64>,
}

/// One design's figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DesignResult {
    /// The name.
    pub name: String,
    /// What it takes the place of.
    pub kind: Kind,
    /// What it promises.
    pub guarantee: Guarantee,
    /// Its definition and source.
    pub about: String,
    /// Channels of its input here: 1, or 4 (the field and itself rolled) where channels act on each other.
    pub channels: usize,
    /// The theorem's `exact` for this velocity; null where it says nothing, or the padding is not circular.
    pub predicted: Option<f64>,
    /// For nonlinear designs: how far the oversampling behind `predicted` went.
    pub truncation: Option<Truncation>,
    /// The mean square of the Lie derivative along the velocity, measured on tensors.
    pub measured: f64,
    /// |predicted − measured|/measured, where `measured` is above rounding.
    pub relative_difference: Option<f64>,
    /// Per generator.
    pub generators: IndexMap<String, GeneratorResult>,
    /// The worst relative error of the output under shifts by whole samples.
    pub integer_shift_error: Option<f64>,
    /// The same under shifts by fractions.
    pub fractional_shift_error: Option<f64>,
    /// Whole samples, on a window of the field.
    pub integer_shift_error_cropped: Option<f64>,
    /// Fractions, on a window of the field.
    pub fractional_shift_error_cropped: Option<f64>,
    /// Σ|G_n H_n|²/Σ|H_n|² over the coarser grid's band; null for designs without a transfer function.
    pub passband_energy: Option<f64>,
    /// The share of energy in harmonics that fold.
    pub aliased_energy: Option<f64>,
    /// The least time of a call in milliseconds.
    pub time_ms: f64,
    /// The ratio of least times, design over `cost_reference`.
    pub time_ratio: f64,
    /// Multiplications (or comparisons) of the call that was timed; null where they are not counted.
    pub time_multiplications: Option<f64>,
    /// The ratio of numbers held at once beside the input.
    pub memory_ratio: Option<f64>,
    /// Multiplications (or comparisons) of a call on the field.
    pub operations: Option<f64>,
    /// What costs are compared with: the plainest of its kind.
    pub cost_reference: String,
}

/// How far oversampling went.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Truncation {
    /// The finest grid over the layer's own.
    pub oversampled: usize,
    /// The relative change of `predicted` in the last doubling.
    pub change: f64,
}

/// Where a spot seems to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShiftSweep {
    /// How far the spot was moved to the right, in input samples.
    pub shifts: Vec<f64>,
    /// By design: how far the first harmonic of the output's square says that it moved, in input samples.
    pub positions: IndexMap<String, Vec<f64>>,
}
