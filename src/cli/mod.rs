//! The command line. One file per subcommand; no numerics here.
mod antialias;
mod antialias_surgery;
mod arguments;
mod doctor;
mod failure;
mod harmonics;
mod inspect;
mod labels;
mod layers;
mod layers_outputs;
mod lee;
mod measuring;
mod memory;
mod memory_order;
mod metrics;
mod network;
mod ops;
mod outputs;
mod run;
mod theorem;
mod theorem_model;
#[cfg(target_os = "linux")]
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
    Lee(Box<lee::LeeArgs>),
    Layers(Box<layers::LayersArgs>),
    Inspect(inspect::InspectArgs),
    Theorem(Box<theorem::TheoremArgs>),
    Harmonics(Box<harmonics::HarmonicsArgs>),
    Metrics(Box<metrics::MetricsArgs>),
    Ops(ops::OpsArgs),
    Antialias(Box<antialias::AntialiasArgs>),
    Doctor(doctor::DoctorArgs),
}

impl Command {
    /// Whether libtorch does most of the work.
    #[cfg(target_os = "linux")]
    fn runs_a_network(&self) -> bool {
        match self {
            Self::Lee(_) | Self::Layers(_) | Self::Inspect(_) | Self::Antialias(_) | Self::Metrics(_) => true,
            Self::Theorem(args) => args.is_for_a_network(),
            Self::Harmonics(_) | Self::Ops(_) | Self::Doctor(_) => false,
        }
    }

    fn run(&self) -> Result<(), Failure> {
        match self {
            Self::Lee(args) => lee::run(args),
            Self::Layers(args) => layers::run(args),
            Self::Inspect(args) => inspect::run(args),
            Self::Theorem(args) => theorem::run(args),
            Self::Harmonics(args) => harmonics::run(args),
            Self::Metrics(args) => metrics::run(args),
            Self::Ops(args) => ops::run(args),
            Self::Antialias(args) => antialias::run(args),
            Self::Doctor(args) => doctor::run(args),
        }
    }
}
