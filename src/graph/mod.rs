//! A network as a graph of operations.
//!
//! [`onnx`] reads and writes files in pure Rust. [`Network`] is a loaded model: its
//! operators carry tangents beside values, as *batched tangents* ([`operator`]), and its values know where their
//! samples lie.

pub use aliascope_core::onnx;

mod apply;
mod axis_map;
mod blocks;
pub(crate) mod branches;
mod builder;
pub(crate) mod caught;
pub mod custom;
mod error;
mod format_choice;
pub mod forward_ad;
mod function;
mod fused_activation;
mod fusion;
mod gradient;
pub(crate) mod guard;
pub(crate) mod inline;
mod kept;
pub(crate) mod kernels;
mod labels;
pub mod layout;
mod load;
pub mod memory;
mod memory_format;
mod network;
pub mod operator;
pub mod ops;
mod parameter;
mod parameters;
mod parts;
mod positions;
mod refusal;
mod run;
mod target;
mod tensor_function;
mod tensors;
mod torch;
mod value;
mod walk;
pub mod window;

pub use aliascope_core::onnx::module_of;
pub use builder::Built;
pub use error::{GraphError, in_words, is_of_machine};
pub use gradient::Gradient;
pub use load::{InputLayout, Integers, LoadOptions, MissingOperator, evaluate, missing_operators};
pub use memory_format::MemoryFormat;
pub(crate) use network::wires;
pub use network::{Bound, Network, Step, ValueInfo};
pub use parameter::{Parameter, ParameterRole};

pub use run::Sweep;
pub use target::Target;
pub use tensor_function::FunctionOptions;
pub use tensors::{is_finite, tensor_from_onnx};
pub use value::Value;
pub(crate) use walk::{Values, Visitor};
