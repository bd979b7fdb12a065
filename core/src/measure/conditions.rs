//! Under which conditions a result was computed: plain data that all results on networks carry.

use serde::{Deserialize, Serialize};

use crate::input::{Frame, InputError};

/// What computed a result, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conditions {
    /// The version of aliascope.
    pub aliascope: String,
    /// Threads that libtorch computes with.
    pub threads: usize,
    /// How images lie in memory: `channels-last` or `channels-first`.
    pub memory_format: String,
    /// Images that could not be read and were left out of the result.
    #[serde(default)]
    pub skipped: Vec<Skipped>,
}

/// An image that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Its name.
    pub image: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Skipped {
    /// An image and what is wrong with it.
    pub fn new(frame: &Frame, error: &InputError) -> Self {
        let (image, message) = (frame.name(), error.to_string());
        let reason = message.strip_prefix(&format!("{image}: ")).unwrap_or(&message).to_owned();
        Self { image, reason }
    }

    /// The sentence that says so.
    pub fn note(&self) -> String {
        format!("{} is left out: {}", self.image, self.reason)
    }
}
