//! A build without networks says what it lacks.
#![cfg(not(feature = "torch"))]

use assert_cmd::Command;
use predicates::prelude::*;

#[test]
fn doctor_fails_where_the_main_job_cannot_run() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aliascope"));
    let missing = predicate::str::contains("FAIL  libtorch").and(predicate::str::contains("--no-default-features"));
    let sentence = predicate::str::starts_with("aliascope: networks cannot be measured: libtorch");
    command.arg("doctor").assert().code(1).stdout(missing).stderr(sentence);
}
