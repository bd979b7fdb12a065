//! A network as a graph of operations.

pub mod onnx;
