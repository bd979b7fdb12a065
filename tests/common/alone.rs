//! Tests that look at what belongs to the whole process, which other tests would disturb.

use std::process::Command;

/// Says to the program of tests that it was started for one test alone.
const ALONE: &str = "ALIASCOPE_TEST_ALONE";
/// The status of a process whose test has come to its end. No other end has it, nor a name that no test has.
const DONE: i32 = 87;

/// Runs the body of a test in a process where no other test runs; `name` is the test's, as it is listed.
///
/// What it prints is seen where the test fails, and at once with `--nocapture`.
pub fn alone(name: &str, body: impl FnOnce()) {
    if std::env::var_os(ALONE).is_some() {
        body();
        std::process::exit(DONE);
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--include-ignored"]).env(ALONE, "1");
    let (status, told) = if std::env::args().any(|argument| argument == "--nocapture") {
        (command.arg("--nocapture").status().unwrap(), String::new())
    } else {
        let output = command.output().unwrap();
        let told = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        (output.status, told.concat())
    };
    assert_eq!(status.code(), Some(DONE), "{name}, in a process of its own: {status}\n{told}");
}
