//! The command line. One file per subcommand; no numerics here.

mod failure;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use failure::{Failure, Status};

/// How equivariant is a vision network, which layer breaks it, why, and what would mend it?
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, after_help = failure::STATUS_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {}

/// Parses the command line, runs the subcommand, prints a failure as one message on standard error.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result: Result<(), Failure> = match cli.command {};
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
