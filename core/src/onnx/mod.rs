//! ONNX files, read and written with prost; pure Rust.

mod attributes;
mod error;
mod foreign;
mod module_path;
pub mod proto;
mod read;
mod tensor;
mod write;

pub use attributes::Attributes;
pub use error::OnnxError;
pub use foreign::recognise;
pub use module_path::{Modules, module_of};
pub use read::{OnnxFile, is_own, opset_of, read_model};
pub use tensor::{ElementType, OnnxTensor};
