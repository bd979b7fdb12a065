//! Results as JSON, CSV, safetensors and terminal tables, written whole or not at all.

mod output;

pub use output::{OutputError, OutputFile, Sink};
