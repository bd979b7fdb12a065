//! The theorem on a network's nodes as table, CSV and figures.

use aliascope::figure::{Figure, FoldMapFigure, Format, NodeTheoremFigure, render};
use aliascope::measure::node_theorem_report::{
    Fold, FoldMap, NODE_THEOREM_SCHEMA_VERSION, NodeTheorem, NodeTheoremReport, Skipped, Truncation,
};
use aliascope::measure::run::{Images, Model, Run};
use aliascope::report::{node_theorem_rows, node_theorem_table};

fn node(name: &str, kind: &str, side: usize, stride: usize, predicted: f64) -> NodeTheorem {
    let nonlinear = matches!(kind, "activation" | "max pooling");
    NodeTheorem {
        name: name.to_owned(),
        op: "Conv".to_owned(),
        kind: kind.to_owned(),
        channels: 32,
        samples: [side, side],
        stride: [stride, stride],
        predicted,
        measured: if nonlinear { predicted * 1.08 } else { predicted },
        by_image: vec![[predicted; 2]; 2],
        relative_difference: Some(if nonlinear { 0.38 } else { 3.1e-7 }),
        truncation: nonlinear.then_some(Truncation { oversample: 4, last_change: 0.07, field_change: 0.53 }),
        input_above_nyquist: Some(0.0135),
        worst: vec![
            Fold { from: [64, 11], to: [-48, 11], share: 0.0015 },
            Fold { from: [60, 0], to: [-52, 0], share: 0.0014 },
        ],
        damage_at: [1.05, 1.3, 1.77],
    }
}

fn report(nodes: Vec<NodeTheorem>) -> NodeTheoremReport {
    NodeTheoremReport {
        schema_version: NODE_THEOREM_SCHEMA_VERSION,
        run: Run {
            model: Model { path: "models/efficientnet-lite0.onnx".to_owned(), ..Model::default() },
            images: Images {
                names: vec!["photos/chelsea.png".to_owned(), "photos/coffee.png".to_owned()],
                preprocess: "metadata (centre crop 1, bicubic)".to_owned(),
                ..Images::default()
            },
            ..Run::default()
        },
        velocity: [0.8, -0.6],
        nodes,
        skipped: vec![Skipped {
            name: "/blocks/blocks.5/blocks.5.0/conv_dw/Conv".to_owned(),
            op: "Conv".to_owned(),
            reason: "its stride of 2 by 2 does not divide 15 columns and 15 rows".to_owned(),
        }],
        map: None,
    }
}

fn all_kinds() -> NodeTheoremReport {
    let mut nodes = vec![
        node("/conv_stem/Conv", "strided convolution", 224, 2, 1.06e5),
        node("/bn1/act/Clip", "activation", 112, 1, 8.7e3),
        node("/pool/MaxPool", "max pooling", 112, 2, 5.2e3),
        node("/transition/AveragePool", "average pooling", 56, 2, 310.0),
        node("/blocks/blocks.1/blocks.1.0/conv_dw/Conv", "strided convolution", 112, 2, 2.7e4),
    ];
    // Where nothing is measured there is nothing to compare.
    nodes.push(NodeTheorem {
        measured: 0.0,
        relative_difference: None,
        worst: vec![],
        ..node("/flat", "activation", 7, 1, 0.0)
    });
    report(nodes)
}

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
    assert!(node_theorem_table(&report, 60).contains("(60, 0)→(−52, 0)"));
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
