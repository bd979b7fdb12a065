//! From `main` to a subcommand and back to an exit status.

use std::panic;
use std::path::Path;

use aliascope_core::cli::process;
use clap::Parser;
use clap::error::ErrorKind;

use crate::graph::caught::{caught, is_refusal};

/// Parses the command line, runs the subcommand, prints a failure as one message on standard error, and ends the
/// program without taking libtorch apart.
pub fn main() -> ! {
    let arguments = super::arguments::in_order(std::env::args_os());
    let status = match super::Cli::try_parse_from(&arguments) {
        Ok(cli) => process::run(move || {
            leave_refusals();
            caught(|| cli.command.run()).map_err(Into::into)
        }),
        Err(said) => {
            // Help and version go to standard output; where nobody reads it there is nobody to tell.
            let _ = said.print();
            // Whoever tries a name in the place of a file has to have a file first.
            let named = arguments.get(2).map(Path::new).map(super::missing_model::refuse_names);
            if let (ErrorKind::MissingRequiredArgument, Some(Err(failure))) = (said.kind(), named) {
                aliascope_core::cli::Failure::from(failure).report();
            }
            u8::try_from(said.exit_code()).unwrap_or(super::Status::Usage as u8)
        }
    };
    process::leave(status)
}

/// Refusals of libtorch that are panics are told by those who catch them.
fn leave_refusals() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !is_refusal(info) {
            report(info);
        }
    }));
}
