//! What `aliascope representation` returns: plain data, read by the reports.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::run::Run;

/// The version of [`RepresentationReport`]'s JSON; it grows when a field changes its meaning or goes away.
pub const REPRESENTATION_SCHEMA_VERSION: u32 = 1;

/// Whether the channels of an output carry a representation of the group: the matrices M over channels that make
/// Df\[A x\] ≈ A f + M f, with what is left on data that they were not fitted to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RepresentationReport {
    /// [`REPRESENTATION_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What computed it, of what, and how.
    pub run: Run,
    /// d, the channels that M mixes.
    pub channels: usize,
    /// Places of the output times images.
    pub samples: usize,
    /// What the two halves are, of which each is fitted and evaluated on the other.
    pub halves: Halves,
    /// Per generator.
    pub generators: IndexMap<String, Representation>,
    /// Milliseconds, medians: one forward, and one sweep with a tangent per generator.
    pub timing: [f64; 2],
}

/// How data are halved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Halves {
    /// Every other image.
    Images,
    /// The left and the right half of the output, of a single image.
    Sides,
}

impl Halves {
    /// In words.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Images => "every other image",
            Self::Sides => "the left and the right half of the output",
        }
    }
}

/// The best linear action on channels under one generator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Representation {
    /// E‖Df\[A x\] − A f‖²/dim: the LEE with the assumed action alone.
    pub lee: f64,
    /// E‖Df\[A x\] − A f − M f‖²/dim, M fitted to the other half of the data.
    pub held_out: f64,
    /// The same, M fitted to all data.
    pub fitted: f64,
    /// 1 − `held_out`/`lee`, the share of the error that a linear action explains; below 0 where M fits noise. Null where LEE
    /// is 0.
    pub explained: Option<f64>,
    /// E‖Df\[A x\]‖²/dim: the error of an output that stays as it is.
    pub still: f64,
    /// E‖Df\[A x\] − M f‖²/dim, M fitted to the other half: a linear action in place of the assumed one.
    pub alone: f64,
    /// ‖(M − Mᵀ)/2‖²/‖M‖² of the first M, fitted to all data: 1 of a rotation of channels, 0 of a scaling along axes. Null
    /// where M is 0.
    pub antisymmetric: Option<f64>,
    /// Eigenvalues of that M, real and imaginary part, the largest first: ±ik where channels turn k times as fast as the
    /// image. Empty of more than 256 channels.
    pub eigenvalues: Vec<[f64; 2]>,
    /// That M, row by row; null of more than 64 channels.
    pub matrix: Option<Vec<Vec<f64>>>,
}
