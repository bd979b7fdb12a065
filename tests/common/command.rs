//! The command, run in a folder of its own.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A command in a folder of its own; nothing of the user's cache is read or written.
pub fn aliascope(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aliascope"));
    command.env("OMP_WAIT_POLICY", "passive").env("ALIASCOPE_CACHE", folder.join("cache")).current_dir(folder);
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs it, which must end with this status; gives what it says on standard error.
pub fn run(folder: &Path, arguments: &[&str], status: i32) -> String {
    let Output { status: found, stderr, .. } = aliascope(folder, arguments).output().unwrap();
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    assert_eq!(found.code(), Some(status), "{arguments:?}\n{stderr}");
    stderr
}

/// A small photo of its own for each seed.
pub fn photo(path: &Path, seed: u32) {
    let pixel = |x: u32, y: u32| [x * (seed + 3), y * (2 * seed + 5), x * y + seed].map(|v| (v % 256) as u8);
    image::RgbImage::from_fn(48, 40, |x, y| image::Rgb(pixel(x, y))).save(path).unwrap();
}

/// Arguments and more of them.
pub fn with<'a>(arguments: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    arguments.iter().chain(more).copied().collect()
}
