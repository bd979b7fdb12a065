//! Results as JSON, CSV, safetensors and terminal tables, written whole or not at all.

mod finite;
mod json;
mod lee_csv;
mod lee_table;
mod output;
mod spectrum_table;
mod vectors;

pub use json::{JsonError, json_bytes};
pub use lee_csv::lee_csv;
pub use lee_table::lee_table;
pub use output::{OutputError, OutputFile, Sink, wait_for_writers};
pub use spectrum_table::{harmonics_table, image_spectrum_table, theorem_table};
pub use vectors::{Number, Vectors, VectorsError, vectors_bytes};
