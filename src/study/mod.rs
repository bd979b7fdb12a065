//! Many networks on the same images: what runs a study. Its settings, its store and its statistics are of the core.

pub use aliascope_core::study::*;

mod layers_meter;
mod loaded;
mod photos;
pub mod survey;
