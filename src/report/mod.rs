//! Results as JSON, CSV, safetensors and terminal tables, written whole or not at all.

mod finite;
mod json;
mod output;

pub use json::{JsonError, json_bytes};
pub use output::{OutputError, OutputFile, Sink, wait_for_writers};
