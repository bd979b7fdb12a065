//! A value with its interval.

use serde::{Deserialize, Serialize};

/// The probability with which every interval of this crate is meant to cover what is estimated.
pub const LEVEL: f64 = 0.95;

/// An interval of the level [`LEVEL`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Interval {
    /// The image of the interval under an increasing function.
    #[must_use]
    pub fn map(self, increasing: impl Fn(f64) -> f64) -> Self {
        Self { low: increasing(self.low), high: increasing(self.high) }
    }

    /// Whether it covers a value.
    pub fn covers(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// What is estimated from a sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Its interval; null where the sample is too small for one, or does not vary and so does not show its spread.
    pub interval: Option<Interval>,
}

impl Estimate {
    /// The image of both under an increasing function.
    #[must_use]
    pub fn map(self, increasing: impl Fn(f64) -> f64) -> Self {
        Self { value: increasing(self.value), interval: self.interval.map(|interval| interval.map(&increasing)) }
    }
}

/// Why a statistic of a sample is not defined.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Undefined {
    /// No values.
    #[error("there are no values")]
    Empty,
    /// A logarithm of 0.
    #[error("{zeros} of {count} values {} 0, which has no logarithm", if *.zeros == 1 { "is" } else { "are" })]
    Zero {
        /// How many are 0.
        zeros: usize,
        /// Of how many.
        count: usize,
    },
    /// A logarithm of something negative.
    #[error("the value {0} is negative and has no logarithm")]
    Negative(f64),
    /// NaN or infinity.
    #[error("a value is NaN or infinite")]
    NotFinite,
    /// Lists of different lengths are no pairs.
    #[error("lists of {0} and of {1} values make no pairs")]
    Unpaired(usize, usize),
}
