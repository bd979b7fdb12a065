//! `aliascope ops`: which operators are supported, and how each carries tangents.

use std::path::PathBuf;

use clap::Args;

use crate::graph::ops::operator_list;
use crate::report::{Sink, json_bytes, operator_page, operator_table};

use super::Failure;

/// List the operators that are supported, and how each carries tangents.
#[derive(Debug, Args)]
pub struct OpsArgs {
    /// Write the list as JSON; - is standard output, which then carries nothing else.
    #[arg(long, value_name = "FILE|-")]
    json: Option<PathBuf>,
    /// Print the page of the documentation instead of the table.
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// Replace an output file that exists.
    #[arg(long)]
    force: bool,
    /// No table.
    #[arg(long, conflicts_with = "markdown")]
    quiet: bool,
}

/// Runs the subcommand.
pub fn run(args: &OpsArgs) -> Result<(), Failure> {
    let list = operator_list();
    if let Some(path) = &args.json {
        let sink = Sink::claim(path, args.force)?;
        let alone = matches!(sink, Sink::Standard);
        sink.write_bytes(&json_bytes(&list)?)?;
        if alone {
            return Ok(());
        }
    }
    if args.quiet {
        return Ok(());
    }
    let text = if args.markdown {
        operator_page(&list)
    } else {
        let width = console::Term::stdout().size_checked().map_or(120, |(_, columns)| usize::from(columns));
        operator_table(&list, width.clamp(80, 160))
    };
    Ok(Sink::Standard.write_bytes(text.as_bytes())?)
}
