//! Surgery on a pretrained network: designs in the place of its strides and activations, without retraining.
//!
//! [`find_sites`] finds the places, [`TargetModel::rewrite`] puts designs there, and the result is a model like any
//! other, which is loaded, measured ([`compare`]) and saved. One rewriting serves both: in memory a design is one node
//! with the design itself as its operator; in a saved file it is written in ONNX's own operators. [`advise`] chooses
//! where to begin.
//!
//! A strided convolution or pooling becomes the same at stride 1, then the design with the stride. With the same
//! padding before its first window, sample s·j of the finer map lies where sample j lay, so the sampling grid keeps its
//! place; a filter of even length moves it by half a sample of the finer map, and the layout says so. The finer map is
//! what the network's own padding makes of it; where a design needs a whole number of strides (ideal filters), the end
//! padding grows by up to s − 1 samples.

pub mod advise;
pub mod compare;
pub mod cost;
mod error;
mod functions_in_file;
mod graph_index;
mod insertion;
pub(crate) mod outputs;
mod ranges;
mod rewrite;
mod rule;
mod saved;
mod sites;
mod target_model;
mod toggled;

pub use crate::graph::inline::functions as with_functions_written_out;
pub use aliascope_core::antialias::{Place, surgery_report as report};
pub use error::SurgeryError;
pub use insertion::{Insertion, InsertionOptions};
pub use ranges::Ranges;
pub use rewrite::{Form, Rewritten, SURGERY_KEY, Swap};
pub use rule::{Replacement, What, follows_activation, functions, places};
pub use saved::SavedModel;
pub use sites::{Site, SiteKind, find_sites};
pub use target_model::TargetModel;
