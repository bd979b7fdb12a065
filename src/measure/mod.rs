//! Measurements, and the plain structs they return.

#[cfg(feature = "torch")]
pub mod action;
#[cfg(feature = "torch")]
mod composite;
mod direction;
#[cfg(feature = "torch")]
pub mod inspect;
#[cfg(feature = "torch")]
pub mod layers;
pub mod layers_report;
#[cfg(feature = "torch")]
pub mod lee;
pub mod lee_report;
#[cfg(feature = "torch")]
pub mod node_theorem;
pub mod node_theorem_report;
#[cfg(feature = "linalg")]
pub mod symmetry_spectrum;
