//! A network as a graph of operations.
//!
//! [`onnx`] reads and writes files in pure Rust. With the feature `torch`, [`Network`] is a loaded model: its
//! operators carry tangents beside values, in *lanes* ([`operator`]), and its values know where their samples lie.

pub mod onnx;

#[cfg(feature = "torch")]
mod axis_map;
#[cfg(feature = "torch")]
mod builder;
#[cfg(feature = "torch")]
pub mod custom;
#[cfg(feature = "torch")]
mod error;
#[cfg(feature = "torch")]
pub mod forward_ad;
#[cfg(feature = "torch")]
pub(crate) mod inline;
#[cfg(feature = "torch")]
pub(crate) mod lanes;
#[cfg(feature = "torch")]
pub mod layout;
#[cfg(feature = "torch")]
mod load;
#[cfg(feature = "torch")]
pub mod memory;
#[cfg(feature = "torch")]
mod memory_order;
#[cfg(feature = "torch")]
mod module_path;
#[cfg(feature = "torch")]
mod network;
#[cfg(feature = "torch")]
pub mod operator;
#[cfg(feature = "torch")]
pub mod ops;
#[cfg(feature = "torch")]
mod plan;
#[cfg(feature = "torch")]
mod run;
#[cfg(feature = "torch")]
mod sites;
#[cfg(feature = "torch")]
mod tensors;
#[cfg(feature = "torch")]
pub mod window;

#[cfg(feature = "torch")]
pub use builder::Built;
#[cfg(feature = "torch")]
pub use error::{GraphError, first_line};
#[cfg(feature = "torch")]
pub use load::{InputLayout, Integers, LoadOptions, MissingOperator, Target, evaluate, missing_operators};
#[cfg(feature = "torch")]
pub use memory_order::MemoryOrder;
#[cfg(feature = "torch")]
pub use module_path::module_of;
#[cfg(feature = "torch")]
pub(crate) use network::wires;
#[cfg(feature = "torch")]
pub use network::{Bound, Network, Step, ValueInfo};
#[cfg(feature = "torch")]
pub use run::{Sweep, Value};
#[cfg(feature = "torch")]
pub use tensors::{is_finite, tensor_from_onnx};
