use std::process::ExitCode;

fn main() -> ExitCode {
    aliascope::cli::main()
}
