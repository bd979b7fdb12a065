//! The theorem on a network's nodes.

use aliascope_core::measure::node_theorem_report::{
    Fold, NODE_THEOREM_SCHEMA_VERSION, NodeTheorem, NodeTheoremReport, Skipped, Truncation,
};
use aliascope_core::measure::run::{Images, Model, Run};

/// A node of this kind, with a square of `side` samples and the predicted defect.
pub fn node(name: &str, kind: &str, side: usize, stride: usize, predicted: f64) -> NodeTheorem {
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

/// Two photos.
pub fn report(nodes: Vec<NodeTheorem>) -> NodeTheoremReport {
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

/// Nodes of all kinds, and one at which nothing happens.
pub fn all_kinds() -> NodeTheoremReport {
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
