//! The theorem on a network's nodes as table, CSV and figures.

use aliascope_core::figure::{Figure, FoldMapFigure, Format, NodeTheoremFigure, render};
use aliascope_core::measure::node_theorem_report::{Fold, FoldMap};
use aliascope_core::report::{node_theorem_rows, node_theorem_table};

use crate::samples::nodes::{all_kinds, node, report};

#[test]
fn the_table_of_all_kinds() {
    insta::assert_snapshot!(node_theorem_table(&all_kinds(), 120));
}

#[test]
fn no_line_is_wider_than_asked_and_what_is_left_out_is_named() {
    let mut report = all_kinds();
    for width in [60, 72, 80, 100, 120, 160] {
        let table = node_theorem_table(&report, width);
        for line in table.lines() {
            // A node's whole name stands where it was skipped.
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
        let words = table.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words.contains("A wider terminal also shows"), width < 120, "{width}");
        assert_eq!(words.contains("worst fold; --csv and --json have everything"), width < 120, "{width}");
    }
    assert_eq!(node_theorem_table(&report, 0), node_theorem_table(&report, 60));
    // The only node has its harmonics listed, at any width.
    report.nodes.truncate(1);
    let words = node_theorem_table(&report, 60).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("(60, 0) lands on (−52, 0)"), "{words}");
}

#[test]
fn names_are_cut_where_they_still_differ() {
    let name = |stage: usize| format!("/stages/stages.{stage}/downsample/downsample.1/Conv");
    let nodes = (1..4).map(|stage| node(&name(stage), "strided convolution", 56, 2, 3.0)).collect();
    let table = node_theorem_table(&report(nodes), 100);
    for stage in 1..4 {
        assert_eq!(table.matches(&format!(".{stage}/downsample/downsample.1/Conv ")).count(), 1, "{table}");
    }
}

#[test]
fn csv_has_a_row_per_node() {
    let report = all_kinds();
    let csv = String::from_utf8(node_theorem_rows(&report, false).csv()).unwrap();
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 1 + report.nodes.len());
    assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{csv}");
    let column = |name: &str| rows[0].iter().position(|heading| *heading == name).unwrap();
    for (row, node) in rows[1..].iter().zip(&report.nodes) {
        assert_eq!(row[column("name")], node.name);
        assert_eq!(row[column("predicted")].parse::<f64>().unwrap(), node.predicted);
        assert_eq!(row[column("relative_difference")].parse().ok(), node.relative_difference);
        assert_eq!(row[column("field_change")].parse().ok(), node.truncation.map(|t| t.field_change));
        assert_eq!(row[column("damage_at_90")].parse::<f64>().unwrap(), node.damage_at[2]);
    }
}

fn svg(figure: &impl Figure) -> String {
    String::from_utf8(render(figure, Format::Svg).unwrap()).unwrap()
}

#[test]
fn the_figure_has_a_mark_per_node() {
    let mut report = all_kinds();
    let text = svg(&NodeTheoremFigure(&report));
    for label in ["strided convolution (2)", "average pooling (1)", "max pooling (1)", "activation (2)", "equal"] {
        assert!(text.contains(label), "{label}");
    }
    assert!(text.contains("not drawn: 1 without a defect"));
    // Each convolution is a disc and its outline on both sides, and one in the legend.
    assert_eq!(text.matches("<circle").count(), 2 * (2 * 2 + 1));
    report.nodes.clear();
    assert!(svg(&NodeTheoremFigure(&report)).contains("no node has a defect"));
    report.nodes = vec![node("/n", "activation", 8, 1, f64::NAN)];
    assert!(render(&NodeTheoremFigure(&report), Format::Svg).is_err());
}

#[test]
fn the_map_shows_where_frequencies_land() {
    let side = 16;
    let field = |f: fn(usize, usize) -> f64| (0..side).map(|y| (0..side).map(|x| f(x, y)).collect()).collect();
    let map = FoldMap {
        node: "/conv_stem/Conv".to_owned(),
        fine: [side, side],
        coarse: [8, 8],
        power: field(|x, y| 1.0 / (1.0 + (x as f64 - 8.0).powi(2) + (y as f64 - 8.0).powi(2))),
        damage: field(|x, y| if (4..12).contains(&x) && (4..12).contains(&y) { 0.0 } else { 1.0 + (x * y) as f64 }),
    };
    let mut only = node("/conv_stem/Conv", "strided convolution", side, 2, 3.0);
    only.worst = vec![Fold { from: [6, 1], to: [-2, 1], share: 0.2 }];
    let report = report(vec![only]);
    let figure = FoldMapFigure { report: &report, node: &report.nodes[0], map: &map };
    let text = svg(&figure);
    for label in ["/conv_stem/Conv", "damage, where it lands", "the 1 worst harmonics", "chelsea.png", "16×16", "8×8"]
    {
        assert!(text.contains(label), "{label}");
    }
    assert_eq!(text.matches("data:image/png").count(), 3, "three maps");
    // Nothing folds: an empty map is drawn, one with holes is not.
    let still = FoldMap { damage: field(|_, _| 0.0), ..map.clone() };
    assert!(svg(&FoldMapFigure { map: &still, ..figure }).contains("nothing"));
    let torn = FoldMap { power: vec![vec![1.0; 3]; 2], ..map.clone() };
    assert!(render(&FoldMapFigure { map: &torn, ..figure }, Format::Png).is_err());
}
