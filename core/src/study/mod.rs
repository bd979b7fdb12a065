//! Many networks on the same images: compared, surveyed, and what can be said of them together.

pub mod associations;
pub mod claim;
pub mod claims;
pub mod comparison;
pub mod data;
pub mod measure;
pub mod report;
pub mod settings;
pub mod size;
pub mod status;
pub mod store;
