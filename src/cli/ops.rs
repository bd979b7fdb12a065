//! `aliascope ops`: which operators are supported, and how each carries tangents.

use clap::Args;

use crate::graph::ops::operator_list;
use crate::report::{Sink, operator_page};

use super::Failure;
use aliascope_core::cli::outputs::{OutputArgs, Outputs};

/// List the operators that are supported, and how each carries tangents.
#[derive(Debug, Args)]
pub struct OpsArgs {
    /// Print the page of the documentation instead of the table.
    #[arg(long, conflicts_with_all = ["json", "csv", "markdown_rows", "quiet"])]
    markdown: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the subcommand.
pub fn run(args: &OpsArgs) -> Result<(), Failure> {
    let list = operator_list();
    if args.markdown {
        return Ok(Sink::Standard.write_bytes(operator_page(&list).as_bytes())?);
    }
    let outputs = Outputs::claim(&args.output, &[])?;
    Ok(outputs.write(&list, &(), false)?)
}
