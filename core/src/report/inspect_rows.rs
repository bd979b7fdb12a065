//! A network as it was understood, and the operators, as tidy rows.

use super::rows::{Cell, Rows};
use crate::measure::inspection::Inspection;
use crate::operators::OperatorList;

/// One row per node.
pub fn inspect_rows(inspection: &Inspection) -> Rows {
    let mut rows = Rows::new([
        "name",
        "op",
        "module",
        "rule",
        "shape",
        "layout",
        "rows",
        "columns",
        "row_origin",
        "row_pitch",
        "column_origin",
        "column_pitch",
        "aliases",
    ]);
    for node in &inspection.nodes {
        let shape = node.shape.iter().map(i64::to_string).collect::<Vec<_>>().join("x");
        let mut cells: Vec<Cell> = vec![
            (&node.name).into(),
            (&node.op).into(),
            (&node.module).into(),
            (&node.rule).into(),
            shape.into(),
            (&node.layout).into(),
        ];
        let axes = node.grid.map(|grid| [grid.rows, grid.columns]);
        cells.extend([0, 1].map(|axis: usize| axes.map(|axes| axes[axis].samples).into()));
        for axis in [0, 1] {
            cells.extend([axes.map(|axes| axes[axis].origin).into(), axes.map(|axes| axes[axis].pitch).into()]);
        }
        cells.push(node.aliases.as_ref().into());
        rows.push(cells);
    }
    rows
}

/// One row per supported operator.
pub fn operator_rows(list: &OperatorList) -> Rows {
    let mut rows = Rows::new(["name", "domain", "since", "until", "rules", "notes"]);
    for operator in &list.operators {
        rows.push([
            (&operator.name).into(),
            (&operator.domain).into(),
            operator.since.into(),
            operator.until.into(),
            operator.rules.join(" ").into(),
            (&operator.notes).into(),
        ]);
    }
    rows
}
