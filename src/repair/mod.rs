//! Repair of a network in which designs were put: its weights are adapted until it says again what it said before.
//!
//! The network before is the teacher, the rewritten one the student. [`recalibrate`] solves for weights layer by layer,
//! [`Trainer`] lowers a loss by steps; both change the student's [`parameters`](crate::graph::Network::parameters) in
//! place. [`with_parameters`] writes them into the model's file, and what is measured is the network of that file.

mod adam;
mod error;
mod loss;
mod options;
mod recalibrate;
mod recorded;
mod stages;
mod state;
mod train;
mod variables;
mod write;

pub use aliascope_core::repair::*;
pub use error::RepairError;
pub use loss::{Objective, TangentMeter};
pub use options::TrainOptions;
pub use recalibrate::recalibrate;
pub use recorded::recorded;
pub use stages::{StageMeter, StageOptions};
pub use state::State;
pub use train::{Judge, Trainer, batch};
pub use variables::adaptable;
pub use write::with_parameters;
