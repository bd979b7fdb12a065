//! ONNX files, read and written with prost; pure Rust.

mod attributes;
mod error;
mod foreign;
mod history;
mod module_path;
mod narrow;
pub mod proto;
mod read;
mod tensor;
mod write;

pub use attributes::Attributes;
pub use error::OnnxError;
pub use history::{AttributeSpan, attribute_spans};
pub use module_path::{Modules, module_of};
pub use read::{OnnxFile, is_own, opset_of, read_model};
pub use tensor::{ElementType, OnnxTensor};
