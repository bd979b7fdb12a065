//! A network as it was understood, as text for a terminal.

use crate::figure::style::printable;
use crate::measure::inspection::{Inspection, NodeInfo};
use crate::symmetry::Axis;

use super::text::{GAP, pad_right, shortened, tail, wrapped};

/// One row per node, `width` columns at least 80.
pub fn inspect_table(inspection: &Inspection, width: usize) -> String {
    let width = width.max(80);
    let shape = |shape: &[i64]| shape.iter().map(i64::to_string).collect::<Vec<_>>().join("×");
    let [placed, spatial] = inspection.placed();
    let count = |of: fn(&NodeInfo) -> bool| inspection.nodes.iter().filter(|node| of(node)).count();
    // A layout that is missing is never rounded away.
    let share = (100 * placed).checked_div(spatial).unwrap_or(100);
    let layouts = format!(
        "layouts: {placed} of {spatial} nodes that have rows and columns ({share} %); {} still, {} relating spatial positions",
        count(|node| node.layout == "still"),
        count(|node| node.relates),
    );
    let mut lines = vec![
        format!(
            "{}: {} nodes, input {}, output {}",
            inspection.model,
            inspection.nodes.len(),
            shape(&inspection.input_shape),
            shape(&inspection.output_shape)
        ),
        layouts,
    ];
    lines = lines.iter().flat_map(|line| wrapped(line, width)).collect();
    lines.push(String::new());
    let mut rows = vec![["node", "operator", "shape", "layout", "can alias", "pitch", "origin"].map(str::to_owned)];
    for node in &inspection.nodes {
        let (pitch, origin) = match &node.grid {
            Some(grid) => (pair(grid.rows, grid.columns, |a| a.pitch), pair(grid.rows, grid.columns, |a| a.origin)),
            None => (String::new(), String::new()),
        };
        rows.push([
            node.name.clone(),
            node.op.clone(),
            shape(&node.shape),
            node.layout.clone(),
            node.aliases.clone().unwrap_or_default(),
            pitch,
            origin,
        ]);
    }
    let mut widths = [0; 7];
    for row in &rows {
        for (column, cell) in widths.iter_mut().zip(row) {
            *column = (*column).max(cell.chars().count());
        }
    }
    // On a narrow terminal the last columns are left out rather than all cut.
    let others = |count: usize| widths[1..count].iter().map(|w| w + GAP.len()).sum::<usize>();
    let kept = (5..=7).rev().find(|count| widths[0].min(24) + others(*count) <= width).unwrap_or(5);
    let dropped = rows[0][kept..].join(" and ");
    let others = others(kept);
    let mut widths = widths[..kept].to_vec();
    widths[0] = widths[0].min(width.saturating_sub(others).max(24));
    // Where even that is too wide, the longest of the other columns gives way.
    let total = |widths: &[usize]| widths.iter().map(|w| w + GAP.len()).sum::<usize>() - GAP.len();
    while total(&widths) > width {
        let Some(longest) = (1..widths.len()).max_by_key(|&at| widths[at]) else { break };
        if widths[longest] <= 6 {
            break;
        }
        widths[longest] -= 1;
    }
    for row in &rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(at, (cell, &width))| {
            // Of names the end tells them apart, of all else the beginning.
            pad_right(&if at == 0 { tail(cell, width) } else { shortened(cell, width) }, width)
        });
        lines.push(cells.collect::<Vec<_>>().join(GAP));
    }
    lines.push(String::new());
    lines.extend(wrapped(
        "pitch and origin: the distance between samples and the place of the first one, in half-widths of the input \
         (rows, columns where they differ). A dash: which axes are rows and columns is not certain, so the value counts \
         as having none, or it relates spatial positions to each other (weights of an attention); still: no transform of the plane moves it.",
        width,
    ));
    if !dropped.is_empty() {
        lines.push(format!("A wider terminal also shows {dropped}; --csv and --json have everything."));
    }
    let mut text = String::new();
    for line in lines {
        text += printable(&line).trim_end();
        text.push('\n');
    }
    text
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
