//! A network as it was understood, as text for a terminal.

use crate::measure::inspection::{Inspection, NodeInfo};
use crate::symmetry::Axis;

use super::table::{Side, Table};
use super::text::page;

/// One row per node, `width` columns at least 80.
pub fn inspect_table(inspection: &Inspection, width: usize) -> String {
    let width = width.max(80);
    let shape = |shape: &[i64]| shape.iter().map(i64::to_string).collect::<Vec<_>>().join("×");
    let [placed, spatial] = inspection.placed();
    let count = |of: fn(&NodeInfo) -> bool| inspection.nodes.iter().filter(|node| of(node)).count();
    // A layout that is missing is never rounded away.
    let share = (100 * placed).checked_div(spatial).unwrap_or(100);
    let layouts = format!(
        "layouts: {placed} of {spatial} nodes that have rows and columns ({share} %); {} non-spatial, {} relating spatial positions",
        count(|node| node.layout == "non-spatial"),
        count(|node| node.relates),
    );
    let mut lines = vec![
        format!(
            "{}: {} nodes, input {}, output {}",
            inspection.run.model.path,
            inspection.nodes.len(),
            shape(&inspection.run.model.input_shape),
            shape(&inspection.run.model.output_shape)
        ),
        layouts,
        String::new(),
    ];
    let mut table = Table::new([
        ("node", Side::Names),
        ("operator", Side::Words),
        ("shape", Side::Words),
        ("layout", Side::Words),
        ("can alias", Side::Words),
        ("pitch", Side::Words),
        ("origin", Side::Words),
    ])
    .optional(2);
    for node in &inspection.nodes {
        let of_grid =
            |of: fn(&Axis) -> f64| node.grid.map_or_else(String::new, |grid| pair(grid.rows, grid.columns, of));
        table.push([
            node.name.clone(),
            node.op.clone(),
            shape(&node.shape),
            node.layout.clone(),
            node.aliases.clone().unwrap_or_default(),
            of_grid(|axis| axis.pitch),
            of_grid(|axis| axis.origin),
        ]);
    }
    let (rows, dropped) = table.narrowed(width);
    lines.extend(rows);
    lines.push(String::new());
    lines.push(
        "pitch and origin: the distance between samples and the place of the first one, in half-widths of the input \
         (rows, columns where they differ). A dash: which axes are rows and columns is not certain, so the value counts \
         as having none, or it relates spatial positions to each other (weights of an attention); non-spatial: no transform of \
         the plane moves it."
            .to_owned(),
    );
    if !dropped.is_empty() {
        lines.push(format!("A wider terminal also shows {}; --csv and --json have everything.", dropped.join(" and ")));
    }
    page(&lines, width)
}

/// One number where rows and columns agree, else both.
fn pair(rows: Axis, columns: Axis, of: impl Fn(&Axis) -> f64) -> String {
    let short = |v: f64| {
        let text = format!("{v:.4}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    let (rows, columns) = (short(of(&rows)), short(of(&columns)));
    if rows == columns { rows } else { format!("{rows}, {columns}") }
}
