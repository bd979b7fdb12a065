//! Reports with the proportions of real ones, for the tests of tables, rows and figures.

pub mod bench;
pub mod comparison;
pub mod layers;
pub mod lee;
pub mod metrics;
pub mod motions;
pub mod nodes;
pub mod repair;
pub mod spectral;
pub mod study;
pub mod surgery;

use aliascope_core::measure::inspection::{INSPECT_SCHEMA_VERSION, Inspection, NodeInfo};
use aliascope_core::measure::output::Output;
use aliascope_core::measure::run::{Images, Lie, Measured, Model, Run};
use aliascope_core::symmetry::{Axis, Grid, GridKind};

/// A layer's name of 120 characters, different for every `at`.
pub fn long_name(at: usize) -> String {
    let end = format!("/branch.{at}/mixer.{at}/activation");
    let mut name = "/backbone/stage.3/very_long_module_name".repeat(4);
    name.truncate(120 - end.len());
    name + &end
}

/// What every report says of a classifier under so many images.
pub fn run(images: usize) -> Run {
    Run {
        model: Model {
            path: "models/efficientnet_lite0.onnx".to_owned(),
            output_shape: vec![1000],
            ..Model::default()
        },
        images: Images {
            names: (0..images).map(|i| format!("photos/photo_{i}.png")).collect(),
            preprocess: "metadata (centre crop 0.875, bicubic)".to_owned(),
            ..Images::default()
        },
        lie: Some(Lie::default()),
        output: Some(Measured {
            name: "y".to_owned(),
            function: Output::Softmax,
            reason:
                "Softmax over 1000 class scores is assumed, which no generator moves; give --output identity for a \
                     regression."
                    .to_owned(),
            ..Measured::default()
        }),
        ..Run::default()
    }
}

/// A classifier's nodes: planes, what is non-spatial, what relates positions, and a layout that is not known.
pub fn inspection() -> Inspection {
    let node = |name: &str, op: &str, shape: &[i64], layout: &str, samples: Option<usize>, aliases: Option<&str>| {
        let axis = |samples: usize| {
            let step = 224.0 / samples as f64;
            Axis::image(224, GridKind::Tracked).resampled((step - 1.0) / 2.0, step, samples)
        };
        NodeInfo {
            name: name.to_owned(),
            op: op.to_owned(),
            module: "blocks.0".to_owned(),
            rule: op.to_lowercase(),
            shape: shape.to_vec(),
            layout: layout.to_owned(),
            relates: op == "Softmax",
            grid: samples.map(|samples| Grid { rows: axis(samples), columns: axis(samples) }),
            aliases: aliases.map(str::to_owned),
        }
    };
    let mut skewed =
        node("/blocks/blocks.1/pool/MaxPool", "MaxPool", &[1, 32, 56, 28], "plane 56×28", Some(56), Some("stride 2"));
    if let Some(grid) = &mut skewed.grid {
        grid.columns = grid.columns.resampled(0.5, 2.0, 28);
    }
    Inspection {
        schema_version: INSPECT_SCHEMA_VERSION,
        run: Run {
            model: Model {
                path: "models/efficientnet_lite0.onnx".to_owned(),
                input_shape: vec![1, 3, 224, 224],
                output_shape: vec![1, 1000],
                ..Model::default()
            },
            ..Run::default()
        },
        nodes: vec![
            node("/conv_stem/Conv", "Conv", &[1, 32, 112, 112], "plane 112×112", Some(112), Some("stride 2")),
            node("/bn1/act/Clip", "Clip", &[1, 32, 112, 112], "plane 112×112", Some(112), Some("clip")),
            skewed,
            node("/blocks/blocks.2/attention/MatMul", "MatMul", &[1, 4, 1568, 1568], "–", None, None),
            node("/blocks/blocks.2/attention/Softmax", "Softmax", &[1, 4, 1568, 1568], "–", None, Some("softmax")),
            node(&long_name(1), "Add", &[1, 32, 56, 28], "plane 56×28", Some(56), None),
            node("/classifier/Gemm", "Gemm", &[1, 1000], "non-spatial", None, None),
        ],
    }
}
