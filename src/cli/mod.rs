//! The command line. One file per subcommand; no numerics here.
mod antialias;
mod antialias_surgery;
mod arguments;
mod batch;
mod compare;
mod doctor;
mod examples;
mod failure;
mod field;
mod fix;
mod generators;
mod inspect;
mod labels;
mod layers;
mod layers_outputs;
mod lee;
mod manual;
mod measuring;
mod memory;
mod memory_format;
mod metrics;
mod missing_model;
mod network;
mod ops;
mod repair;
mod representation;
mod resume;
mod run;
mod survey;
mod theorem;
mod theorem_model;

use aliascope_core::cli::doctor::DoctorArgs;
use aliascope_core::cli::harmonics;
use clap::{Parser, Subcommand};

pub use aliascope_core::cli::Status;
pub use failure::Failure;
pub use run::main;

/// How equivariant is a vision network, which layer breaks it, why, and what would fix it?
#[derive(Debug, Parser)]
#[command(name = "aliascope", bin_name = "aliascope", version, arg_required_else_help = true, after_help = aliascope_core::cli::failure::STATUS_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(after_help = examples::LEE)]
    Lee(Box<lee::LeeArgs>),
    #[command(after_help = examples::COMPARE)]
    Compare(Box<compare::CompareArgs>),
    #[command(after_help = examples::LAYERS)]
    Layers(Box<layers::LayersArgs>),
    #[command(after_help = examples::FIELD)]
    Field(Box<field::FieldArgs>),
    #[command(after_help = examples::SURVEY)]
    Survey(survey::SurveyArgs),
    #[command(after_help = examples::INSPECT)]
    Inspect(inspect::InspectArgs),
    #[command(override_usage = examples::THEOREM_USAGE, after_help = examples::THEOREM)]
    Theorem(Box<theorem::TheoremArgs>),
    #[command(after_help = examples::HARMONICS)]
    Harmonics(Box<harmonics::HarmonicsArgs>),
    #[command(after_help = examples::REPRESENTATION)]
    Representation(Box<representation::RepresentationArgs>),
    #[command(after_help = examples::METRICS)]
    Metrics(Box<metrics::MetricsArgs>),
    Ops(ops::OpsArgs),
    #[command(after_help = examples::ANTIALIAS)]
    Antialias(Box<antialias::AntialiasArgs>),
    #[command(override_usage = examples::REPAIR_USAGE, after_help = examples::REPAIR)]
    Repair(Box<repair::RepairArgs>),
    #[command(after_help = examples::FIX)]
    Fix(Box<fix::FixArgs>),
    Doctor(DoctorArgs),
    Completions(manual::CompletionsArgs),
    Man(manual::ManArgs),
}

impl Command {
    fn run(&self) -> Result<(), Failure> {
        match self {
            Self::Lee(args) => lee::run(args),
            Self::Compare(args) => compare::run(args),
            Self::Layers(args) => layers::run(args),
            Self::Field(args) => field::run(args),
            Self::Survey(args) => survey::run(args),
            Self::Inspect(args) => inspect::run(args),
            Self::Theorem(args) => theorem::run(args),
            Self::Harmonics(args) => Ok(harmonics::run(args)?),
            Self::Representation(args) => representation::run(args),
            Self::Metrics(args) => metrics::run(args),
            Self::Ops(args) => ops::run(args),
            Self::Antialias(args) => antialias::run(args),
            Self::Completions(args) => manual::completions(args),
            Self::Man(args) => manual::pages(args),
            Self::Repair(args) => repair::run(args),
            Self::Fix(args) => fix::run(args),
            Self::Doctor(args) => Ok(aliascope_core::cli::doctor::run(
                args,
                &Ok(doctor::libraries()),
                std::path::Path::new(env!("CARGO_MANIFEST_DIR")),
                env!("CARGO_PKG_VERSION"),
            )?),
        }
    }
}
