//! The command `aliascope`. What needs no network runs here, in a program that does not link libtorch and starts in
//! milliseconds; the rest is done by `aliascope-networks` beside it, which takes this program's place.

mod libtorch;
mod networks;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use aliascope_core::cli::doctor::{self, DoctorArgs};
use aliascope_core::cli::harmonics::{self, HarmonicsArgs};
use aliascope_core::cli::theorem::{self, FormulaArgs};
use aliascope_core::cli::{Failure, process};
use aliascope_core::report::Sink;
use clap::Parser;

/// The subcommands that need no network, as far as their arguments are right.
#[derive(Debug, Parser)]
#[command(name = "aliascope", disable_help_subcommand = true)]
enum Own {
    Doctor(DoctorArgs),
    Harmonics(Box<HarmonicsArgs>),
    Theorem(Box<FormulaArgs>),
}

/// Memory that is not there ends the program with a sentence.
#[global_allocator]
static MEMORY: aliascope_core::memory::Refusing = aliascope_core::memory::Refusing;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let [only] = &arguments[..]
        && (only == "--version" || only == "-V")
    {
        let text = if only == "-V" { short_version() } else { version() };
        return process::run(move || Ok(Sink::Standard.write_bytes(text.as_bytes())?)).into();
    }
    match own(&arguments) {
        Some(command) => process::run(move || run(&command)),
        None => networks::take_over(&arguments).report(),
    }
    .into()
}

fn short_version() -> String {
    format!("aliascope {}\n", env!("CARGO_PKG_VERSION"))
}

/// The version, and what it was built from and with.
fn version() -> String {
    let commit = option_env!("ALIASCOPE_COMMIT").map_or_else(String::new, |commit| format!(", commit {commit}"));
    let build = if cfg!(debug_assertions) { "development build" } else { "release build" };
    let libtorch = networks::libtorch();
    format!("{}{build}{commit}\nlibtorch {libtorch}\n", short_version())
}

/// What is to be done here; nothing where it needs a network, where help is wanted, or where arguments are wrong: the
/// other program knows all that can be typed, and says so.
fn own(arguments: &[OsString]) -> Option<Own> {
    let first = arguments.first()?;
    if !["doctor", "harmonics", "theorem"].iter().any(|name| first == name) {
        return None;
    }
    Own::try_parse_from(std::iter::once(&OsString::from("aliascope")).chain(arguments)).ok()
}

fn run(command: &Own) -> Result<(), Failure> {
    match command {
        Own::Doctor(args) => {
            doctor::run(args, &networks::libraries(), Path::new(env!("CARGO_MANIFEST_DIR")), env!("CARGO_PKG_VERSION"))
        }
        Own::Harmonics(args) => harmonics::run(args),
        Own::Theorem(args) => theorem::run(args),
    }
}
