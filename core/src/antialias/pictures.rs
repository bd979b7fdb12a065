//! What figures show of designs: their responses, and what they make of a field.

use ndarray::Array2;

/// |G| along the rows' axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// The design.
    pub name: String,
    /// |G| at `POINTS` + 1 frequencies from 0 to half a cycle per input sample.
    pub gain: Vec<f64>,
}

/// One less than the points of a curve.
pub const POINTS: usize = 480;

/// A field downsampled by a design.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// The design.
    pub name: String,
    /// The output.
    pub output: Array2<f32>,
    /// What of the output is due to harmonics that the output's grid cannot hold: f(x) − f(P x), P the ideal low-pass
    /// filter.
    pub aliased: Array2<f32>,
    /// The mean square of `aliased` over that of the output about its mean.
    pub share: f64,
}
