//! Many networks on the same images: compared, surveyed, and what can be said of them together.

pub mod associations;
pub mod attributions;
pub mod batch;
pub mod claim;
pub mod claims;
pub mod class_offset;
pub mod comparison;
pub mod data;
pub mod failure;
pub mod layers;
pub mod measure;
mod merge;
pub mod models;
pub mod report;
pub mod settings;
pub mod shard;
pub mod size;
pub mod status;
pub mod store;
pub mod store_error;
