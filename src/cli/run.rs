//! From `main` to a subcommand and back to an exit status.

use aliascope_core::cli::process;
use clap::Parser;

/// Parses the command line, runs the subcommand, prints a failure as one message on standard error, and ends the program
/// without taking libtorch apart.
pub fn main() -> ! {
    let status = match super::Cli::try_parse_from(super::arguments::in_order(std::env::args_os())) {
        Ok(cli) => process::run(move || cli.command.run().map_err(Into::into)),
        Err(said) => {
            // Help and version go to standard output; where nobody reads it there is nobody to tell.
            let _ = said.print();
            u8::try_from(said.exit_code()).unwrap_or(super::Status::Usage as u8)
        }
    };
    process::leave(status)
}
