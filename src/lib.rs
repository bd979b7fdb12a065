//! **aliascope** measures how equivariant a vision network is, says which layer breaks the symmetry and why,
//! and tests what would fix it.
//!
//! Data flows one way, down this list; nothing imports from below itself.
//!
//! - [`memory`]: what this process may still take of memory. Pure Rust.
//! - [`spectrum`]: Fourier series on the torus, 2-D transforms, the alias map, the aliasing theorem in its three
//!   forms, the harmonics a nonlinearity makes, differentiation matrices, filters. Pure Rust.
//! - [`symmetry`]: the generators of the affine algebra and saturation, their linear combinations, and the grids
//!   they act on. Pure Rust.
//! - [`graph`]: a network as a graph of operations: ONNX files read and written (pure Rust) and, with the feature
//!   `torch`, the executor that carries tangents beside values.
//! - [`input`]: photos and tensors as network input, one at a time.
//! - [`measure`]: the measurements and the plain structs they return.
//! - `antialias` (with `torch`): anti-aliased layers, what the theorem predicts for each, and what is measured.
//! - [`figure`]: figures drawn from those structs.
//! - [`report`]: the same structs as JSON, CSV, safetensors and terminal tables, written whole or not at all.
//! - [`cli`]: the command line: parses, calls, prints.

#![warn(missing_docs)]

pub use aliascope_core::{figure, hash, input, memory, printable, report, spectrum, symmetry};

pub mod antialias;
pub mod cli;
pub mod graph;
pub mod measure;
