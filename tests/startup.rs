//! The command without the program that runs networks: what needs no network works, the rest says what is missing.

use std::path::PathBuf;

use assert_cmd::Command;
use predicates::prelude::*;
use tempfile::TempDir;

/// The command alone, in a folder that has nothing else.
fn alone() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("aliascope");
    // By another process: a program cannot be started while any child of this one, forked in between, holds it open to write.
    let copied = std::process::Command::new("cp").arg(env!("CARGO_BIN_EXE_aliascope")).arg(&program).status().unwrap();
    assert!(copied.success());
    (folder, program)
}

#[test]
fn what_needs_no_network_needs_no_libtorch() {
    let (_folder, program) = alone();
    for line in [
        "--version",
        "-V",
        "harmonics --activation relu",
        "theorem --random 1 --grid 7",
        "theorem --departures --velocity 0.8,0.6 --quiet",
    ] {
        Command::new(&program).args(line.split(' ')).assert().success();
    }
}

#[test]
fn what_needs_one_says_what_is_missing() {
    let (_folder, program) = alone();
    let missing = predicate::str::contains("aliascope-networks is not there, which runs networks");
    for line in ["lee m.onnx --images a.png", "inspect m.onnx", "theorem --model m.onnx --images a.png", "--help"] {
        Command::new(&program).args(line.split(' ')).assert().code(8).stderr(missing.clone());
    }
    let table = predicate::str::contains("FAIL  libtorch").and(missing.clone());
    let sentence = predicate::str::starts_with("aliascope: networks cannot be measured: libtorch");
    Command::new(&program).arg("doctor").assert().code(1).stdout(table).stderr(sentence);
}

#[test]
fn wrong_arguments_end_alike_with_and_without_a_network() {
    let command = || Command::new(env!("CARGO_BIN_EXE_aliascope"));
    for line in ["harmonics --activatio relu", "theorem", "lee", "theorem --model m.onnx", "nothing"] {
        command().args(line.split(' ')).assert().code(2).stderr(predicate::str::contains("Usage: aliascope"));
    }
    for line in ["--help", "harmonics --help", "theorem --help", "doctor --help", "help lee"] {
        command().args(line.split(' ')).assert().success().stdout(predicate::str::contains("Usage: aliascope"));
    }
}
