//! What ends the process from outside: Ctrl-C, SIGTERM, SIGHUP.

use std::sync::atomic::{AtomicBool, Ordering};

use super::failure::Status;
use super::process::leave;
use crate::report::wait_for_writers;

/// Whether what was measured is kept for `--resume`.
static RESUMABLE: AtomicBool = AtomicBool::new(false);
/// Whether the same command goes on by itself.
static GOES_ON: AtomicBool = AtomicBool::new(false);

/// Whether an interruption is noted only, and whether there was one.
static NOTE_ONLY: AtomicBool = AtomicBool::new(false);
static NOTED: AtomicBool = AtomicBool::new(false);

/// From now on the first interruption is noted and ends nothing, so that a command can end in its own way; or no longer.
pub fn note_only(on: bool) {
    NOTE_ONLY.store(on, Ordering::Relaxed);
}

/// Whether an interruption was noted.
pub fn was_noted() -> bool {
    NOTED.load(Ordering::Relaxed)
}

/// From now on an interruption says how to go on.
pub fn say_resume() {
    RESUMABLE.store(true, Ordering::Relaxed);
}

/// From now on an interruption says that the same command goes on.
pub fn say_again() {
    GOES_ON.store(true, Ordering::Relaxed);
}

/// Ends the process with a sentence and its status when it is interrupted.
pub fn handle() {
    let ignored = hangups_are_ignored();
    // Without a handler Ctrl-C still ends the process, only without a sentence.
    let _ = ctrlc::set_handler(|| {
        if NOTE_ONLY.load(Ordering::Relaxed) && !NOTED.swap(true, Ordering::Relaxed) {
            eprintln!("\naliascope: ending after this step, with the best so far; another interruption ends at once");
            return;
        }
        // An output file is written whole or not at all: wait for one that is being renamed into place.
        let _written = wait_for_writers();
        let words = match (GOES_ON.load(Ordering::Relaxed), RESUMABLE.load(Ordering::Relaxed)) {
            (true, _) => "what was measured is kept, and the same command goes on from here",
            (_, true) => {
                "outputs that were not finished are not there; the same command with --resume goes on from here"
            }
            _ => "outputs that were not finished are not there",
        };
        eprintln!("\naliascope: interrupted; {words}");
        leave(Status::Interrupted as u8);
    });
    if ignored {
        ignore_hangups();
    }
    survive_size_limits();
}

/// A file that is as large as `ulimit -f` lets it be is an error of whoever writes it, not the end of the process.
#[cfg(unix)]
fn survive_size_limits() {
    // SAFETY: ignoring a signal installs no code of ours.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

#[cfg(not(unix))]
fn survive_size_limits() {}

/// Whether the process was started to outlive its terminal, as `nohup` starts it.
#[cfg(unix)]
fn hangups_are_ignored() -> bool {
    // SAFETY: with no new action sigaction only writes the old one into the memory that it is given, which is as large.
    unsafe {
        let mut old: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGHUP, std::ptr::null(), &mut old) == 0 && old.sa_sigaction == libc::SIG_IGN
    }
}

#[cfg(unix)]
fn ignore_hangups() {
    // SAFETY: ignoring a signal installs no code of ours.
    unsafe {
        libc::signal(libc::SIGHUP, libc::SIG_IGN);
    }
}

#[cfg(not(unix))]
fn hangups_are_ignored() -> bool {
    false
}

#[cfg(not(unix))]
fn ignore_hangups() {}
