//! Results as JSON, CSV, safetensors and terminal tables, written whole or not at all.

#[cfg(feature = "torch")]
mod antialias_table;
mod departures_table;
mod finite;
#[cfg(feature = "torch")]
mod inspect_table;
mod json;
mod layer_metrics_csv;
mod layers_csv;
mod layers_html;
mod layers_table;
mod lee_csv;
mod lee_table;
mod metrics_csv;
mod metrics_table;
mod node_theorem_csv;
mod node_theorem_table;
#[cfg(feature = "torch")]
mod operator_table;
mod output;
mod spectrum_table;
#[cfg(feature = "torch")]
mod surgery_csv;
#[cfg(feature = "torch")]
mod surgery_table;
mod text;
mod vectors;

#[cfg(feature = "torch")]
pub use antialias_table::{antialias_list, antialias_table};
pub use departures_table::departures_table;
#[cfg(feature = "torch")]
pub use inspect_table::inspect_table;
pub use json::{JsonError, json_bytes};
pub use layer_metrics_csv::layer_metrics_csv;
pub use layers_csv::layers_csv;
pub use layers_html::{LayersPage, layers_html};
pub use layers_table::layers_table;
pub use lee_csv::lee_csv;
pub use lee_table::lee_table;
pub use metrics_csv::metrics_csv;
pub use metrics_table::metrics_table;
pub use node_theorem_csv::node_theorem_csv;
pub use node_theorem_table::node_theorem_table;
#[cfg(feature = "torch")]
pub use operator_table::{operator_page, operator_table};
pub use output::{OutputError, OutputFile, Sink, wait_for_writers};
pub use spectrum_table::{harmonics_table, image_spectrum_table, theorem_table};
#[cfg(feature = "torch")]
pub use surgery_csv::surgery_csv;
#[cfg(feature = "torch")]
pub use surgery_table::surgery_table;
pub use vectors::{Number, Vectors, VectorsError, vectors_bytes};
