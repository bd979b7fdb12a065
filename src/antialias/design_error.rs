//! Why a design cannot be applied.

use tch::TchError;

use super::Padding;

/// Why a design cannot be applied.
#[derive(Debug, thiserror::Error)]
pub enum DesignError {
    /// A name that is not known.
    #[error(transparent)]
    Unknown(#[from] crate::spectrum::name::UnknownName),
    /// Arguments that make no sense.
    #[error("cannot read the design '{given}': {reason}")]
    Arguments {
        /// What was given.
        given: String,
        /// What is wrong with it, and what to write.
        reason: String,
    },
    /// A map on which the filter's padding is not defined.
    #[error(
        "the design '{design}' pads by {needs} samples by {padding}, and the map has {rows} rows and {columns} columns; \
         use a filter of fewer taps, or a map of at least {least} × {least}",
        padding = match padding { Padding::Circular => "wrapping around", Padding::Reflect => "reflection", Padding::Zero => "zeros" },
        least = match padding { Padding::Reflect => needs + 1, _ => *needs },
    )]
    TooSmall {
        /// The design.
        design: String,
        /// The padding's width.
        needs: usize,
        /// The kind of padding.
        padding: Padding,
        /// The map's rows.
        rows: usize,
        /// The map's columns.
        columns: usize,
    },
    /// A stride that leaves samples over where a whole period is needed.
    #[error(
        "the design '{design}' with the stride {stride} needs sides that {stride} divides, and the map has {rows} rows \
         and {columns} columns; crop or pad the map"
    )]
    Indivisible {
        /// The design.
        design: String,
        /// Its stride.
        stride: usize,
        /// The map's rows.
        rows: usize,
        /// The map's columns.
        columns: usize,
    },
    /// A stride that the design is not made for.
    #[error("the design '{design}' does not support the stride {stride}; {remedy}")]
    Stride {
        /// The design.
        design: String,
        /// The stride.
        stride: usize,
        /// What it supports.
        remedy: String,
    },
    /// Channels that the design cannot divide.
    #[error("the design '{design}' needs {needs}, and the map has {channels} channels")]
    Channels {
        /// The design.
        design: String,
        /// What it needs of them.
        needs: String,
        /// The map's channels.
        channels: usize,
    },
    /// libtorch refused.
    #[error("{}", crate::graph::in_words(.0))]
    Torch(#[from] TchError),
}
