//! The theorem on a network's nodes as text for a terminal.

use super::table::Table;
use super::text::{GAP, NONE, page};
use crate::figure::style::printable;
use crate::measure::node_theorem_report::{Fold, NodeTheorem, NodeTheoremReport};
use crate::measure::run::counted;
use crate::number::compact;

/// The least width that holds the numbers.
const LEAST_WIDTH: usize = 60;

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
        lines.extend(folds(node, width));
    }
    lines.extend(skipped(report));
    lines.push(String::new());
    lines.extend(legend(report, &dropped));
    page(&lines, width)
}

fn heading(report: &NodeTheoremReport) -> String {
    let images = report.run.images.in_words();
    format!("{}: the aliasing theorem on its nodes, mean over {images}", report.run.model.path)
}

fn rows(nodes: &[&NodeTheorem], width: usize) -> (Vec<String>, Vec<String>) {
    let is_followed = nodes.iter().any(|node| node.truncation.is_some());
    let headings = ["node", "predicted", "measured", "differ"].into_iter().chain(is_followed.then_some("left"));
    let mut table = Table::of_numbers(headings.chain(["above", "damage at", "grid", "worst fold"])).optional(4);
    for node in nodes {
        let mut row = vec![
            printable(&node.name),
            compact(node.predicted),
            compact(node.measured),
            node.relative_difference.map_or_else(|| NONE.to_owned(), percent),
        ];
        row.extend(is_followed.then(|| node.truncation.map_or_else(String::new, |t| percent(t.field_change))));
        let [low, _, high] = node.damage_at;
        row.extend([
            node.input_above_nyquist.map_or_else(|| NONE.to_owned(), percent),
            format!("{low:.2}–{high:.2}"),
            grids(node),
            node.worst.first().map_or_else(String::new, |fold| arrow(*fold)),
        ]);
        table.push(row);
    }
    let (lines, dropped) = table.narrowed(width);
    (lines, dropped.into_iter().map(str::to_owned).collect())
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
    format!("{}→{}", wave(fold.from), wave(fold.to))
}

/// `(−3, 12)`.
fn wave([x, y]: [i64; 2]) -> String {
    format!("({x}, {y})").replace('-', "−")
}

/// `13.5 %`, `3.60·10⁻⁵ %`.
fn percent(share: f64) -> String {
    format!("{} %", compact(100.0 * share))
}

fn summary(nodes: &[&NodeTheorem]) -> String {
    let differences = nodes.iter().filter_map(|node| node.relative_difference);
    let largest = differences.fold(0.0, f64::max);
    let count = counted(nodes.len(), "node");
    let mut line = format!("{count}; predicted and measured fields differ by at most {}", percent(largest));
    if let Some(truncation) = nodes.iter().find_map(|node| node.truncation) {
        line += &format!(" on a grid {} × finer", truncation.oversample);
    }
    line
}

/// The harmonics of the only node.
fn folds(node: &NodeTheorem, width: usize) -> Vec<String> {
    let mut lines = vec![String::new(), "Harmonics that do the damage, each with its conjugate:".to_owned()];
    lines.extend(worst_folds(node, width));
    if node.worst.is_empty() {
        lines.push(format!("{GAP}none: nothing folds"));
    }
    lines
}

/// A node's worst harmonics, where they land, and the shares of the damage that they do.
pub(super) fn worst_folds(node: &NodeTheorem, width: usize) -> Vec<String> {
    let mut table = Table::of_numbers([""; 4]);
    for fold in &node.worst {
        let [from, to] = [fold.from, fold.to].map(wave);
        table.push([String::new(), from, format!("lands on {to}"), percent(fold.share)]);
    }
    table.lines(width)
}

fn skipped(report: &NodeTheoremReport) -> Vec<String> {
    if report.skipped.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::new(), "Not checked:".to_owned()];
    lines.extend(report.skipped.iter().map(|node| format!("{GAP}{} ({}): {}", node.name, node.op, node.reason)));
    lines
}

fn legend(report: &NodeTheoremReport, dropped: &[String]) -> Vec<String> {
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
