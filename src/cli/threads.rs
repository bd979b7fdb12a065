//! How libtorch's threads wait for each other.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// What GNU OpenMP reads when it is loaded, which is before `main`.
const SETTINGS: [&str; 2] = ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"];

/// Turns of the loop in which a thread waits before it sleeps: tens of microseconds, the time between two operators.
const TURNS: &str = "10000";

/// Starts the program again with threads that sleep after a short wait, unless the user has chosen how they wait.
///
/// libtorch's threads wait for each other in a busy loop of milliseconds. Where another program has a core, the thread
/// that all others wait for does not run until the loops have used up their time: a sweep then takes 30 times as long,
/// with the same numbers. With the shorter wait it takes 3 times as long, and no longer where all cores are idle.
pub(super) fn wait_briefly() {
    if SETTINGS.iter().any(|name| std::env::var_os(name).is_some()) {
        return;
    }
    if let Ok(program) = std::env::current_exe() {
        // Comes back only where the system refuses; the run is then as correct, and maybe slower.
        let _refused = Command::new(program).args(std::env::args_os().skip(1)).env(SETTINGS[1], TURNS).exec();
    }
}
