//! The program that runs networks: where it is, what it needs to run fast, and what it finds.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use aliascope_core::cli::doctor::Libraries;
use aliascope_core::cli::{Failure, Status};

use crate::libtorch;

/// Names by which the user has chosen how threads wait for each other.
const WAITING: [&str; 2] = ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"];

/// Turns of the loop in which a thread waits before it sleeps: tens of microseconds, the time between two operators.
/// libtorch's threads wait for each other in a busy loop of milliseconds. Where another program has a core, the thread
/// that all others wait for does not run until the loops have used up their time: a sweep then takes 30 times as long,
/// with the same numbers. With the shorter wait it takes 3 times as long, and no longer where all cores are idle.
const TURNS: &str = "10000";

/// What GNU's allocator reads when a program starts: large blocks are taken from the heap, and the heap is not given
/// back to the system before the end. Otherwise every operator's output is fresh pages, which the system clears first.
const MEMORY: [(&str, &str); 2] = [("MALLOC_MMAP_MAX_", "0"), ("MALLOC_TRIM_THRESHOLD_", "1099511627776")];

/// Runs the other program in the place of this one; comes back only where it cannot be run.
pub fn take_over(arguments: &[OsString]) -> Failure {
    let program = match program() {
        Ok(program) => program,
        Err(failure) => return failure,
    };
    let libtorch = match libtorch::find(&program) {
        Ok(libtorch) => libtorch,
        Err(failure) => return failure,
    };
    let mut command = Command::new(&program);
    command.args(arguments).envs(settings()).envs(libtorch.setting());
    let error = replace_this_program(&mut command);
    Failure::new(Status::Machine, format!("{} cannot be run: {error}; build aliascope again", program.display()))
}

#[cfg(unix)]
fn replace_this_program(command: &mut Command) -> std::io::Error {
    std::os::unix::process::CommandExt::exec(command)
}

#[cfg(not(unix))]
fn replace_this_program(command: &mut Command) -> std::io::Error {
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(i32::from(Status::Defect as u8))),
        Err(error) => error,
    }
}

/// The version of libtorch, and its place where the system has to be told; or that it is not found.
pub fn libtorch() -> String {
    match program().and_then(|program| libtorch::find(&program)) {
        Ok(found) => found.in_words(),
        Err(_) => "is not found: `aliascope doctor` says more".to_owned(),
    }
}

/// What the other program says of the libraries that it is linked with, or why it cannot.
pub fn libraries() -> Result<Libraries, String> {
    let program = program().map_err(|failure| failure.message)?;
    let libtorch = libtorch::find(&program).map_err(|failure| failure.message)?;
    let mut command = Command::new(&program);
    let said = command.args(["doctor", "--libraries"]).envs(settings()).envs(libtorch.setting()).output();
    let said = said.map_err(|error| format!("{} cannot be run: {error}", program.display()))?;
    serde_json::from_slice(&said.stdout).map_err(|_| {
        let words = String::from_utf8_lossy(&said.stderr);
        words.lines().next().unwrap_or("the program that runs networks ended without a word").to_owned()
    })
}

/// The other program, which lies beside this one.
fn program() -> Result<PathBuf, Failure> {
    let here = env::current_exe().unwrap_or_else(|_| PathBuf::from("aliascope"));
    let program = here.with_file_name(format!("aliascope-networks{}", env::consts::EXE_SUFFIX));
    if !program.exists() {
        return Err(Failure::new(
            Status::Machine,
            format!("{} is not there, which runs networks; install or build aliascope whole", program.display()),
        ));
    }
    Ok(program)
}

/// The variables of the environment that make it fast, but for those that the user has set.
fn settings() -> Vec<(&'static str, &'static str)> {
    if !cfg!(target_os = "linux") {
        return Vec::new();
    }
    let chosen = |name: &str| env::var_os(name).is_some();
    let mut settings: Vec<(&str, &str)> = MEMORY.into_iter().filter(|(name, _)| !chosen(name)).collect();
    if !WAITING.iter().any(|name| chosen(name)) {
        settings.push((WAITING[1], TURNS));
    }
    settings
}
