//! Results as JSON, CSV, safetensors and terminal tables, written whole or not at all.

#[cfg(feature = "torch")]
mod antialias_table;
mod finite;
mod json;
mod lee_csv;
mod lee_table;
mod output;
mod spectrum_table;
mod vectors;

#[cfg(feature = "torch")]
pub use antialias_table::{antialias_list, antialias_table};
pub use json::{JsonError, json_bytes};
pub use lee_csv::lee_csv;
pub use lee_table::lee_table;
pub use output::{OutputError, OutputFile, Sink, wait_for_writers};
pub use spectrum_table::{harmonics_table, image_spectrum_table, theorem_table};
pub use vectors::{Vectors, VectorsError, vectors_bytes};
