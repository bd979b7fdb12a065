//! The list of operators: the command, and the page of the documentation that it writes.

use std::path::Path;

use aliascope::graph::ops::{OperatorList, operator_list};
use aliascope::report::operator_page;
use assert_cmd::Command;

fn ops() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aliascope"));
    command.arg("ops");
    command
}

#[test]
fn the_page_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operators.md");
    let page = operator_page(&operator_list());
    if std::env::var_os("ALIASCOPE_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let current = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(current == page, "docs/operators.md is out of date: run `aliascope ops --markdown > docs/operators.md`");
}

#[test]
fn the_command_lists_what_the_library_has() {
    let list = operator_list();
    let table = String::from_utf8(ops().assert().success().get_output().stdout.clone()).unwrap();
    for row in &list.operators {
        assert!(table.lines().any(|line| line.starts_with(&format!("{} ", row.name))), "{} is not listed", row.name);
    }
    assert!(table.contains("QuantizeLinear") && table.contains("before its quantisation"));
    assert!(table.lines().all(|line| line.chars().count() <= 120), "a line is longer than 120 characters");
    let json = ops().args(["--json", "-"]).assert().success().get_output().stdout.clone();
    assert_eq!(serde_json::from_slice::<OperatorList>(&json).unwrap(), list);
    let page = ops().arg("--markdown").assert().success().get_output().stdout.clone();
    assert_eq!(String::from_utf8(page).unwrap(), operator_page(&list));
}

#[test]
fn every_operator_is_there_once_and_in_order() {
    let list = operator_list();
    let keys: Vec<_> = list.operators.iter().map(|row| (&row.domain, &row.name)).collect();
    assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "{keys:?}");
    // Operators of ONNX's own domain are not both supported and refused.
    for row in &list.refused {
        for name in &row.names {
            assert!(!list.operators.iter().any(|operator| operator.name == *name), "{name}");
        }
    }
}
