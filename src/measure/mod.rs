//! Measurements, and the plain structs they return.

pub use aliascope_core::measure::*;
pub use function::{LieTerm, measure_function};
pub use images::{Images, MeasureError, Stated, header, input, larger_photo, measure_layers, measure_lee, pixel_scale};

pub mod action;
mod composite;
pub mod field;
mod function;
mod images;
pub mod inspect;
pub mod layers;
pub mod lee;
mod lee_error;
pub mod metrics;
pub mod node_theorem;
pub mod orbit;
pub mod output_action;
mod precision;
pub mod representation;
mod subject;
pub mod symmetry_spectrum;
pub mod torus;
pub mod transport;
