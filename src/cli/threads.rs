//! How libtorch's threads wait for each other, and how memory is kept for the next operator.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// Names by which the user has chosen how threads wait.
const WAITING: [&str; 2] = ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"];

/// Turns of the loop in which a thread waits before it sleeps: tens of microseconds, the time between two operators.
const TURNS: &str = "10000";

/// What GNU's allocator reads when the program starts: large blocks are taken from the heap, and the heap is not given
/// back to the system before the end. Otherwise every operator's output is fresh pages, which the system clears first.
const MEMORY: [(&str, &str); 2] = [("MALLOC_MMAP_MAX_", "0"), ("MALLOC_TRIM_THRESHOLD_", "1099511627776")];

/// Starts the program again with threads that sleep after a short wait and an allocator that keeps memory, unless the
/// user has chosen otherwise.
///
/// libtorch's threads wait for each other in a busy loop of milliseconds. Where another program has a core, the thread
/// that all others wait for does not run until the loops have used up their time: a sweep then takes 30 times as long,
/// with the same numbers. With the shorter wait it takes 3 times as long, and no longer where all cores are idle.
pub(super) fn wait_briefly() {
    let chosen = |name: &str| std::env::var_os(name).is_some();
    let mut settings: Vec<(&str, &str)> = MEMORY.into_iter().filter(|(name, _)| !chosen(name)).collect();
    if !WAITING.iter().any(|name| chosen(name)) {
        settings.push((WAITING[1], TURNS));
    }
    if settings.is_empty() {
        return;
    }
    if let Ok(program) = std::env::current_exe() {
        // Comes back only where the system refuses; the run is then as correct, and maybe slower.
        let _refused = Command::new(program).args(std::env::args_os().skip(1)).envs(settings).exec();
    }
}
