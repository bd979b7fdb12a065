//! How many samples a design makes of how many, and where they lie.

use crate::graph::layout::{Flow, Step};

/// How many samples come out, and where they lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Resampling {
    /// As many, where they were; or moved by `first` input samples.
    Same {
        /// The input index of output sample 0.
        first: f64,
    },
    /// Every `stride`-th: output j at the input's index `first` + j·`stride`.
    Down {
        /// The stride along rows and columns.
        stride: usize,
        /// The input index of output sample 0.
        first: f64,
    },
    /// `factor` times as many: output i at the input's index `first` + i/`factor`.
    Up {
        /// How many output samples to an input sample.
        factor: usize,
        /// The input index of output sample 0.
        first: f64,
    },
}

impl Resampling {
    /// Rows and columns of the output.
    pub fn output(self, [rows, columns]: [usize; 2]) -> [usize; 2] {
        match self {
            Self::Same { .. } => [rows, columns],
            Self::Down { stride, .. } => [rows.div_ceil(stride), columns.div_ceil(stride)],
            Self::Up { factor, .. } => [rows * factor, columns * factor],
        }
    }

    /// The input index of output sample 0.
    pub fn first(self) -> f64 {
        match self {
            Self::Same { first } | Self::Down { first, .. } | Self::Up { first, .. } => first,
        }
    }

    /// The input samples between two output samples.
    pub fn step(self) -> f64 {
        match self {
            Self::Same { .. } => 1.0,
            Self::Down { stride, .. } => stride as f64,
            Self::Up { factor, .. } => 1.0 / factor as f64,
        }
    }

    /// The same as the executor's layouts say it.
    pub fn flow(self) -> Flow {
        let step = Step { first: self.first(), step: self.step() };
        match self {
            Self::Same { first: 0.0 } => Flow::Pointwise,
            _ => Flow::Resampled { rows: step, columns: step },
        }
    }
}
