//! What kinds of anti-aliasing designs there are, what they promise, and how they pad.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a design takes the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Fewer samples: a stride, a pooling.
    Downsampling,
    /// A pointwise function, or what stands in for one.
    Nonlinearity,
    /// A normalisation of features.
    Normalisation,
    /// More samples.
    Upsampling,
}

/// What a design promises, by its own construction and not by a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guarantee {
    /// Nothing.
    None,
    /// Less aliasing, and no exactness.
    Approximate,
    /// Exact under circular shifts by whole samples of the input, up to a shift of the output by whole samples.
    Integer,
    /// Exact under circular shifts by any fraction, of input that the theory's band holds; the coarse grid's Nyquist
    /// harmonics are outside that band.
    Fractional,
}

/// What a layer finds beyond the edge of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Padding {
    /// The other end: the plane is a torus.
    Circular,
    /// The mirror image, without the edge itself (x₋₁ = x₁); by ideal filters, which need a period, with it (x₋₁ = x₀).
    Reflect,
    /// Zeros.
    Zero,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Downsampling => "downsampling",
            Self::Nonlinearity => "nonlinearity",
            Self::Normalisation => "normalisation",
            Self::Upsampling => "upsampling",
        })
    }
}

impl fmt::Display for Guarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "none",
            Self::Approximate => "approximate",
            Self::Integer => "integer",
            Self::Fractional => "fractional",
        })
    }
}

impl fmt::Display for Padding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Circular => "circular",
            Self::Reflect => "reflect",
            Self::Zero => "zero",
        })
    }
}
