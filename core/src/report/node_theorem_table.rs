//! The theorem on a network's nodes as text for a terminal.

use super::text::{GAP, pad_left, pad_right, tail, wrapped};
use crate::figure::number::compact;
use crate::figure::style::printable;
use crate::measure::node_theorem_report::{Fold, NodeTheorem, NodeTheoremReport};

/// The least width that holds the numbers.
const LEAST_WIDTH: usize = 60;
/// The least room for a node's name, and the most that columns are left out for.
const LEAST_NAME: usize = 20;
const MOST_NAME: usize = 44;

/// Kinds in the order of the table: with a closed form first.
const KINDS: [(&str, &str); 4] = [
    ("strided convolution", "Strided convolutions: predicted from weights and spectrum"),
    ("average pooling", "Average pooling: predicted from the window and the spectrum"),
    ("max pooling", "Max pooling: predicted from a finer grid"),
    ("activation", "Activations: predicted from the harmonics of σ(h) on a finer grid"),
];

/// The report as lines of at most `width` columns (taken as 60 where it is less), without colours.
///
/// Nodes by kind, in graph order; what the columns mean; what was skipped and why. Where the width does not hold all
/// columns, the last ones are left out and named.
pub fn node_theorem_table(report: &NodeTheoremReport, width: usize) -> String {
    let width = width.max(LEAST_WIDTH);
    let mut lines = vec![heading(report)];
    let mut dropped = Vec::new();
    for (kind, title) in KINDS {
        let nodes: Vec<&NodeTheorem> = report.nodes.iter().filter(|node| node.kind == kind).collect();
        if nodes.is_empty() {
            continue;
        }
        lines.extend([String::new(), title.to_owned()]);
        let (table, left_out) = rows(&nodes, width);
        lines.extend(table);
        lines.push(summary(&nodes));
        // Sections drop from the same end: the longest list holds the others.
        if left_out.len() > dropped.len() {
            dropped = left_out;
        }
    }
    if let [node] = &report.nodes[..] {
        lines.extend(folds(node));
    }
    lines.extend(skipped(report));
    lines.push(String::new());
    lines.extend(legend(report, &dropped));
    let mut text = String::new();
    for line in lines.iter().flat_map(|line| wrapped(&printable(line), width)) {
        text += line.trim_end();
        text.push('\n');
    }
    text
}

fn heading(report: &NodeTheoremReport) -> String {
    let images = report.run.images.in_words();
    format!("{}: the aliasing theorem on its nodes, mean over {images}", report.run.model.path)
}

/// A column: its heading and cells, and whether it may go where there is no room.
struct Column {
    heading: &'static str,
    cells: Vec<String>,
    optional: bool,
}

impl Column {
    fn width(&self) -> usize {
        self.cells.iter().map(|cell| cell.chars().count()).fold(self.heading.chars().count(), usize::max)
    }
}

fn rows(nodes: &[&NodeTheorem], width: usize) -> (Vec<String>, Vec<&'static str>) {
    let column = |heading, optional, cell: &dyn Fn(&NodeTheorem) -> String| Column {
        heading,
        optional,
        cells: nodes.iter().map(|node| cell(node)).collect(),
    };
    let mut columns = vec![
        column("predicted", false, &|node| compact(node.predicted)),
        column("measured", false, &|node| compact(node.measured)),
        column("differ", false, &|node| node.relative_difference.map_or_else(|| "–".to_owned(), percent)),
    ];
    if nodes.iter().any(|node| node.truncation.is_some()) {
        columns
            .push(column("left", false, &|node| node.truncation.map_or_else(String::new, |t| percent(t.field_change))));
    }
    columns.push(column("above", true, &|node| node.input_above_nyquist.map_or_else(|| "–".to_owned(), percent)));
    columns.push(column("damage at", true, &|node| {
        let [low, _, high] = node.damage_at;
        format!("{low:.2}–{high:.2}")
    }));
    columns.push(column("grid", true, &grids));
    columns.push(column("worst fold", true, &|node| node.worst.first().map_or_else(String::new, |fold| arrow(*fold))));
    let room = |columns: &[Column]| {
        width.saturating_sub(columns.iter().map(|column| column.width() + GAP.len()).sum::<usize>())
    };
    let mut dropped = Vec::new();
    let names: Vec<String> = nodes.iter().map(|node| printable(&node.name)).collect();
    let needed = telling_width(&names);
    while room(&columns) < needed && columns.last().is_some_and(|column| column.optional) {
        dropped.extend(columns.pop().map(|column| column.heading));
    }
    dropped.reverse();
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let name_width = room(&columns).max(4).min(longest.max(4));
    let line = |name: &str, cells: &dyn Fn(&Column) -> String| {
        let mut line = pad_right(&tail(name, name_width), name_width);
        for column in &columns {
            line += GAP;
            line += &pad_left(&cells(column), column.width());
        }
        line
    };
    let mut lines = vec![line("node", &|column| column.heading.to_owned())];
    lines.extend(names.iter().enumerate().map(|(row, name)| line(name, &|column| column.cells[row].clone())));
    (lines, dropped)
}

/// The least room in which the ends of names still tell them apart.
fn telling_width(names: &[String]) -> usize {
    let apart = |width: usize| {
        let mut ends: Vec<String> = names.iter().map(|name| tail(name, width)).collect();
        ends.sort();
        ends.windows(2).all(|pair| pair[0] != pair[1])
    };
    (LEAST_NAME..MOST_NAME).find(|&width| apart(width)).unwrap_or(MOST_NAME)
}

/// `224→112`, or `224×96→112×48`.
fn grids(node: &NodeTheorem) -> String {
    let [columns, rows] = node.samples;
    let [x, y] = node.stride;
    let grid = |columns: usize, rows: usize| {
        if node.samples[0] == node.samples[1] && x == y { columns.to_string() } else { format!("{columns}×{rows}") }
    };
    if x == 1 && y == 1 {
        return grid(columns, rows);
    }
    format!("{}→{}", grid(columns, rows), grid(columns / x.max(1), rows / y.max(1)))
}

fn arrow(fold: Fold) -> String {
    let wave = |[x, y]: [i64; 2]| format!("({x}, {y})").replace('-', "−");
    format!("{}→{}", wave(fold.from), wave(fold.to))
}

/// `13.5 %`, `3.60·10⁻⁵ %`.
fn percent(share: f64) -> String {
    format!("{} %", compact(100.0 * share))
}

fn summary(nodes: &[&NodeTheorem]) -> String {
    let differences = nodes.iter().filter_map(|node| node.relative_difference);
    let largest = differences.fold(0.0, f64::max);
    let count = if nodes.len() == 1 { "1 node".to_owned() } else { format!("{} nodes", nodes.len()) };
    let mut line = format!("{count}; predicted and measured fields differ by at most {}", percent(largest));
    if let Some(truncation) = nodes.iter().find_map(|node| node.truncation) {
        line += &format!(" on a grid {} × finer", truncation.oversample);
    }
    line
}

/// The harmonics of the only node.
fn folds(node: &NodeTheorem) -> Vec<String> {
    let mut lines = vec![String::new(), "Harmonics that do the damage, each with its conjugate:".to_owned()];
    lines.extend(node.worst.iter().map(|fold| format!("{GAP}{}{GAP}{}", arrow(*fold), percent(fold.share))));
    if node.worst.is_empty() {
        lines.push(format!("{GAP}none: nothing folds"));
    }
    lines
}

fn skipped(report: &NodeTheoremReport) -> Vec<String> {
    if report.skipped.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::new(), "Not checked:".to_owned()];
    lines.extend(report.skipped.iter().map(|node| format!("{GAP}{} ({}): {}", node.name, node.op, node.reason)));
    lines
}

fn legend(report: &NodeTheoremReport, dropped: &[&str]) -> Vec<String> {
    let has_truncation = report.nodes.iter().any(|node| node.truncation.is_some());
    let mut lines = vec![format!(
        "predicted, measured: mean square of the defect over channels and samples, v = ({}, {}) lengths of the torus. \
         differ: ‖predicted − measured‖/‖measured‖ as fields{}.",
        report.velocity[0].to_string().replace('-', "−"),
        report.velocity[1].to_string().replace('-', "−"),
        if report.run.images.count() == 1 { "" } else { ", the largest over images" }
    )];
    if has_truncation {
        lines.push(
            "left: how much the predicted field changed when the finer grid was last doubled, a guide to what is still \
             missing. A σ with kinks makes harmonics without end: what is missing falls as 1/√F with --oversample F."
                .to_owned(),
        );
    }
    lines.push(
        "above: share of the input's energy at or above the output grid's Nyquist frequency. damage at: where 80 % of \
         the damage lies, in multiples of that frequency."
            .to_owned(),
    );
    if !dropped.is_empty() {
        lines.push(format!("A wider terminal also shows {}; --csv and --json have everything.", dropped.join(", ")));
    }
    lines.push(format!(
        "The maps wrap around (a torus); preprocessing {}; {}.",
        report.run.images.preprocess,
        report.run.arithmetic()
    ));
    lines
}
