//! Measurements, and the plain structs they return.

#[cfg(feature = "torch")]
pub mod action;
#[cfg(feature = "torch")]
mod composite;
pub mod defect_map;
mod direction;
#[cfg(feature = "torch")]
pub mod inspect;
pub mod layer_graph;
pub mod layer_metrics;
#[cfg(feature = "torch")]
pub mod layers;
pub mod layers_report;
#[cfg(feature = "torch")]
pub mod lee;
pub mod lee_report;
#[cfg(feature = "torch")]
pub mod metrics;
pub mod metrics_report;
#[cfg(feature = "torch")]
pub mod node_theorem;
pub mod node_theorem_report;
#[cfg(feature = "torch")]
pub mod output_action;
#[cfg(feature = "torch")]
pub(crate) mod statistics;
#[cfg(feature = "linalg")]
pub mod symmetry_spectrum;
#[cfg(feature = "torch")]
mod tally;
#[cfg(feature = "torch")]
pub mod torus;
#[cfg(feature = "torch")]
pub mod transport;
