//! The table of operators as plain data.

pub use aliascope_core::operators::{OPERATORS_SCHEMA_VERSION, OperatorList, OperatorRow, RefusedRow};

use super::{NEWEST_OPSET, OLDEST_OPSET, OPERATORS, REFUSED};

/// The last opset that has an operator.
fn last_opset(name: &str) -> i64 {
    match name {
        "Upsample" => 9,
        "Scatter" => 10,
        _ => NEWEST_OPSET,
    }
}

/// The operators of this version.
pub fn operator_list() -> OperatorList {
    let row = |entry: &super::Entry| OperatorRow {
        name: entry.name.to_owned(),
        domain: entry.domain.to_owned(),
        since: if entry.domain.is_empty() { entry.since.max(OLDEST_OPSET) } else { entry.since },
        until: if entry.domain.is_empty() { last_opset(entry.name) } else { entry.since },
        rules: entry.rules.iter().map(|rule| rule.name().to_owned()).collect(),
        notes: entry.notes.to_owned(),
    };
    let refused = |refusal: &super::Refusal| RefusedRow {
        names: refusal.names.iter().map(|name| (*name).to_owned()).collect(),
        reason: refusal.reason.to_owned(),
    };
    OperatorList {
        schema_version: OPERATORS_SCHEMA_VERSION,
        oldest_opset: OLDEST_OPSET,
        newest_opset: NEWEST_OPSET,
        operators: OPERATORS.iter().map(row).collect(),
        refused: REFUSED.iter().map(refused).collect(),
    }
}
