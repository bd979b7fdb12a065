//! `aliascope completions` and `aliascope man`: what an installation puts beside the command.

use std::path::PathBuf;

use aliascope_core::report::Sink;
use clap::{Args, CommandFactory, ValueHint};
use clap_complete::Shell;

use super::{Cli, Failure, Status};

/// Write the completions of a shell to standard output.
///
/// For bash: aliascope completions bash > ~/.local/share/bash-completion/completions/aliascope
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Write the man pages, one for each subcommand, into a folder.
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// The folder, such as ~/.local/share/man/man1; it is made where it is missing, and pages that are there are replaced.
    #[arg(value_hint = ValueHint::DirPath)]
    folder: PathBuf,
}

pub(super) fn completions(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "aliascope", &mut text);
    Ok(Sink::Standard.write_bytes(&text)?)
}

pub(super) fn pages(args: &ManArgs) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Status::Output, format!("{}: no man pages can be written there: {error}", args.folder.display()))
    };
    std::fs::create_dir_all(&args.folder).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), &args.folder).map_err(failed)
}
