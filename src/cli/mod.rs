//! The command line. One file per subcommand; no numerics here.

#[cfg(feature = "torch")]
mod antialias;
#[cfg(feature = "torch")]
mod antialias_surgery;
mod arguments;
mod doctor;
mod failure;
mod harmonics;
#[cfg(feature = "torch")]
mod inspect;
#[cfg(feature = "torch")]
mod labels;
#[cfg(feature = "torch")]
mod layers;
#[cfg(feature = "torch")]
mod layers_outputs;
#[cfg(feature = "torch")]
mod lee;
#[cfg(feature = "torch")]
mod measuring;
#[cfg(feature = "torch")]
mod memory;
#[cfg(feature = "torch")]
mod memory_order;
#[cfg(feature = "torch")]
mod metrics;
#[cfg(feature = "torch")]
mod network;
#[cfg(feature = "torch")]
mod ops;
mod outputs;
mod run;
mod theorem;
#[cfg(feature = "torch")]
mod theorem_model;
#[cfg(all(feature = "torch", target_os = "linux"))]
mod threads;

use clap::{Parser, Subcommand};

pub use failure::{Failure, Status};
pub use run::main;

/// How equivariant is a vision network, which layer breaks it, why, and what would mend it?
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, after_help = failure::STATUS_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(feature = "torch")]
    Lee(Box<lee::LeeArgs>),
    #[cfg(feature = "torch")]
    Layers(Box<layers::LayersArgs>),
    #[cfg(feature = "torch")]
    Inspect(inspect::InspectArgs),
    Theorem(Box<theorem::TheoremArgs>),
    Harmonics(Box<harmonics::HarmonicsArgs>),
    #[cfg(feature = "torch")]
    Metrics(Box<metrics::MetricsArgs>),
    #[cfg(feature = "torch")]
    Ops(ops::OpsArgs),
    #[cfg(feature = "torch")]
    Antialias(Box<antialias::AntialiasArgs>),
    Doctor(doctor::DoctorArgs),
}

impl Command {
    /// Whether libtorch does most of the work.
    #[cfg(all(feature = "torch", target_os = "linux"))]
    fn runs_a_network(&self) -> bool {
        match self {
            Self::Lee(_) | Self::Layers(_) | Self::Inspect(_) | Self::Antialias(_) | Self::Metrics(_) => true,
            Self::Theorem(args) => args.is_for_a_network(),
            Self::Harmonics(_) | Self::Ops(_) | Self::Doctor(_) => false,
        }
    }

    fn run(&self) -> Result<(), Failure> {
        match self {
            #[cfg(feature = "torch")]
            Self::Lee(args) => lee::run(args),
            #[cfg(feature = "torch")]
            Self::Layers(args) => layers::run(args),
            #[cfg(feature = "torch")]
            Self::Inspect(args) => inspect::run(args),
            Self::Theorem(args) => theorem::run(args),
            Self::Harmonics(args) => harmonics::run(args),
            #[cfg(feature = "torch")]
            Self::Metrics(args) => metrics::run(args),
            #[cfg(feature = "torch")]
            Self::Ops(args) => ops::run(args),
            #[cfg(feature = "torch")]
            Self::Antialias(args) => antialias::run(args),
            Self::Doctor(args) => doctor::run(args),
        }
    }
}
