//! The command line without networks: how a subcommand fails, where its results go, what is installed,
//! and the two subcommands on formulas.

pub mod doctor;
pub mod failure;
pub mod field;
pub mod harmonics;
pub mod outputs;
pub mod process;
pub mod signals;
pub mod theorem;

pub use failure::{Failure, Status};
