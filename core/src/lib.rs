//! The part of **aliascope** that needs no network library: spectra, symmetries, files, results, and what is made of
//! results. Pure Rust: no libtorch, no LAPACK.
//!
//! Data flows one way, down this list; nothing imports from below itself.
//!
//! - [`origin`], [`pixels`], [`spectrum`], [`symmetry`], [`statistics`]: numbers, of the crate `aliascope-numerics`.
//! - [`number`]: numbers as people read them.
//! - [`memory`]: what this process may still take of memory.
//! - [`onnx`]: ONNX files read and written, and the tensors in them.
//! - [`hash`]: SHA-256 of files and images.
//! - [`input`]: photos and tensors as network input, one at a time.
//! - [`measure`], [`antialias`], [`repair`], [`operators`]: the plain structs that measurements return.
//! - [`study`]: many networks on the same images: comparisons, surveys, and their statistics.
//! - [`printable`]: names from files made fit to be printed.
//! - [`figure`]: figures drawn from those structs.
//! - [`report`]: the same structs as JSON, CSV, safetensors and terminal tables, written whole or not at all.
//! - [`cli`]: what the command line does without networks.
//!
//! The crate `aliascope` adds networks, measurements and the command line, and re-exports all of this.

#![warn(missing_docs)]

pub use aliascope_numerics::{origin, pixels, spectrum, statistics, symmetry};

pub mod antialias;
pub mod cli;
pub mod figure;
pub mod hash;
pub mod input;
pub mod measure;
pub mod memory;
pub mod number;
pub mod onnx;
pub mod operators;
pub mod printable;
pub mod repair;
pub mod report;
pub mod study;
