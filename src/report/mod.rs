//! Results as JSON, CSV, safetensors and terminal tables, written whole or not at all.

mod finite;
mod json;
mod output;
mod spectrum_table;

pub use json::{JsonError, json_bytes};
pub use output::{OutputError, OutputFile, Sink, wait_for_writers};
pub use spectrum_table::{harmonics_table, image_spectrum_table, theorem_table};
