//! **aliascope** measures how equivariant a vision network is, says which layer breaks the symmetry and why,
//! and tests what would fix it.
//!
//! ```no_run
//! use aliascope::{Images, LayersOptions, LeeOptions, Network, Outcome, measure_layers, measure_lee};
//!
//! let network = Network::open("models/efficientnet-lite0.onnx")?;
//! let images = Images::open(&network, ["photos"])?;
//!
//! let lee = measure_lee(&images, LeeOptions::default())?;
//! println!("{}", lee.text(80)?);
//! lee.save("lee.json")?;
//! lee.save("lee.svg")?;
//!
//! let layers = measure_layers(&images, LayersOptions::new("rotate".parse()?))?;
//! layers.save("layers.csv")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A crate that depends on this one needs libtorch beside it: docs/guide.md, "From Rust", has the lines for that.
//!
//! Data flows one way, down this list; nothing imports from below itself. What is pure Rust is the crate
//! `aliascope-core`, which needs no libtorch and is shown here under the same paths.
//!
//! - [`origin`]: who computed a result, and when. Pure Rust.
//! - [`number`]: numbers as people read them. Pure Rust.
//! - [`memory`]: what this process may still take of memory. Pure Rust.
//! - [`spectrum`]: Fourier series on the torus, 2-D transforms, the alias map, the aliasing theorem in its three
//!   forms, the harmonics a nonlinearity makes, differentiation matrices, filters. Pure Rust.
//! - [`symmetry`]: the generators of the affine algebra and saturation, their linear combinations, and the grids
//!   they act on. Pure Rust.
//! - [`input`]: photos and tensors as network input, one at a time. Pure Rust.
//! - [`statistics`]: means and ratios over images, with intervals. Pure Rust.
//! - [`graph`]: a network as a graph of operations: ONNX files read and written (pure Rust), and the executor that
//!   carries tangents beside values.
//! - [`measure`]: the measurements and the plain structs they return.
//! - [`study`]: many networks on the same images: comparisons, surveys, and their statistics.
//! - [`antialias`]: anti-aliasing layers, what the theorem predicts for each, and what is measured.
//! - [`repair`]: weights adapted after designs were put into a network, by distillation from the network before.
//! - [`figure`]: figures drawn from those structs. Pure Rust.
//! - [`report`]: the same structs as JSON, CSV, safetensors and terminal tables, written whole or not at all. Pure
//!   Rust.
//! - [`cli`]: the command line: parses, calls, prints.

#![warn(missing_docs)]

pub use aliascope_core::{
    figure, hash, input, memory, number, origin, printable, report, spectrum, statistics, symmetry,
};

pub mod antialias;
pub mod cli;
pub mod graph;
pub mod measure;
pub mod repair;
mod similar;
pub mod study;

pub use graph::{FunctionOptions, LoadOptions, Network};
pub use measure::layers::{LayersOptions, SplitBy};
pub use measure::lee::LeeOptions;
pub use measure::{Images, MeasureError, measure_function, measure_layers, measure_lee};
pub use report::Outcome;
pub use symmetry::{Combination, Generator};
/// The tensors and devices of this crate's interface, of the version that it is linked with.
pub use tch;
