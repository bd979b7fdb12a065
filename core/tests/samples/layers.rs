//! Attributions to layers.

use aliascope_core::measure::defect_map::DefectMap;
use aliascope_core::measure::grouping::{Estimator, Grouping};
use aliascope_core::measure::layer_graph::{GraphNode, LayerGraph, NodeRole};
use aliascope_core::measure::layers_report::{
    Agreement, Attributions, ClassSum, LAYERS_SCHEMA_VERSION, LayerClass, LayerReport, LayerResults, LayersReport,
    NodeSpectrum, OctavePart, Part,
};
use aliascope_core::measure::lee_report::InputUnits;
use aliascope_core::measure::node_theorem_report::FoldMap;
use aliascope_core::report::LayersBeside;
use aliascope_core::spectrum::differentiation::Scheme;
use aliascope_core::spectrum::octave;
use aliascope_core::statistics::{Interval, geometric_mean};
use aliascope_core::symmetry::{Axis, Grid, GridKind};
use ndarray::{Array2, Array3};

use super::{long_name, nodes, run};

/// An attribution to layers of these names, of all classes in turn; each a fraction of the one before, in an order that is
/// not sorted.
pub fn results(generator: &str, derivative: &str, names: &[String]) -> LayerResults {
    let count = names.len();
    let mut cumulative = 0.0;
    let mut layers = Vec::new();
    for (i, name) in names.iter().enumerate() {
        let contribution = 0.09 * 0.8f64.powi((i * 7 % count) as i32);
        cumulative += contribution;
        let part = |factor: f64| Some(Part { contribution: factor * contribution, signed_share: Some(0.01) });
        layers.push(LayerReport {
            name: name.clone(),
            op: "Clip".to_owned(),
            module: format!("blocks.{}", i / 5),
            class: LayerClass::ALL[i % LayerClass::ALL.len()],
            sources: 1 + i % 2,
            contribution,
            sem: Some(0.1 * contribution),
            geometric_mean: geometric_mean(&[0.9 * contribution, contribution, 1.1 * contribution]).ok(),
            by_image: vec![0.9 * contribution, contribution, 1.1 * contribution],
            signed_share: Some(if i % 3 == 0 { 2.0 } else { -0.5 } / count as f64),
            removal_gain: if i % 3 == 0 { 0.4 } else { -1.3 } * contribution,
            removal_gain_sem: Some(0.2 * contribution),
            aliasing: part(0.7),
            kernel: part(0.1),
            boundary: part(1.2),
            discretisation: if derivative == "spectral" { None } else { part(0.2) },
            octaves: None,
            cumulative,
            local_error: 0.5,
            relative_local_error: if i == 0 { None } else { Some(0.25) },
        });
    }
    let mut by_type = indexmap::IndexMap::new();
    for class in LayerClass::ALL {
        let of_class: Vec<&LayerReport> = layers.iter().filter(|layer| layer.class == class).collect();
        let contribution: f64 = of_class.iter().map(|layer| layer.contribution).sum();
        let share = Some(contribution / cumulative);
        let sum = ClassSum {
            layers: of_class.len(),
            contribution,
            sem: Some(0.1 * contribution),
            share,
            share_sem: share.map(|share| 0.05 * share),
            share_interval: share.map(|share| Interval { low: 0.8 * share, high: 1.2 * share }),
            share_by_image: share,
            share_by_image_sem: share.map(|share| 0.05 * share),
            joint: contribution,
            signed_share: share.map(|share| 0.8 * share),
        };
        if !of_class.is_empty() {
            by_type.insert(class.name().to_owned(), sum);
        }
    }
    LayerResults {
        generator: generator.to_owned(),
        derivative: derivative.parse().unwrap(),
        conservation_residual: 3e-7,
        rounding: 2e-11,
        is_rounding: false,
        dim: 1000,
        lee: 0.208,
        images_effective: Some(1.4),
        lee_by_image: vec![0.524, 0.04, 0.06],
        mean_abs_by_image: vec![0.3, 0.1, 0.2],
        input_energy_by_image: vec![9.0, 4.0, 5.0],
        sem: Some(0.012),
        norm_squared: 208.0,
        layers,
        by_type,
    }
}

/// Names as an exporter writes them.
pub fn names(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("blocks.{}.{}.act", i / 5, i % 5)).collect()
}

/// Nothing makes an error: shares do not exist, and the residual is that of nothing.
pub fn silent(names: &[String]) -> LayerResults {
    let mut silent = results("saturate", "spectral", names);
    (silent.lee, silent.norm_squared, silent.conservation_residual, silent.is_rounding) = (0.0, 0.0, 0.0, true);
    (silent.sem, silent.images_effective, silent.lee_by_image) = (Some(0.0), None, vec![0.0; 3]);
    for layer in &mut silent.layers {
        (layer.contribution, layer.sem, layer.signed_share, layer.cumulative) = (0.0, None, None, 0.0);
        (layer.aliasing, layer.kernel, layer.boundary) = (None, None, None);
        (layer.removal_gain, layer.removal_gain_sem, layer.relative_local_error) = (0.0, None, None);
        layer.geometric_mean = None;
    }
    for sum in silent.by_type.values_mut() {
        (sum.contribution, sum.sem, sum.joint) = (0.0, None, 0.0);
        (sum.share, sum.share_sem, sum.share_interval, sum.signed_share) = (None, None, None, None);
        (sum.share_by_image, sum.share_by_image_sem) = (None, None);
    }
    silent
}

/// One attribution, split by octaves.
pub fn octaves(names: &[String]) -> LayersReport {
    let mut results = results("translate_x", "spectral", names);
    for (at, layer) in results.layers.iter_mut().enumerate() {
        (layer.aliasing, layer.kernel, layer.boundary) = (None, None, None);
        let octave = |band: usize| {
            let ([from, to], left) = (octave::edges(band), 0.2_f64.powi((band + at % 2) as i32));
            let contribution = left * layer.contribution;
            OctavePart {
                from,
                to,
                contribution,
                signed_share: Some(0.01),
                up_to: if band == 0 { layer.contribution } else { contribution },
            }
        };
        layer.octaves = Some((0..octave::BANDS).map(octave).collect());
    }
    report(vec![results])
}

/// A report of these attributions.
pub fn report(list: Vec<LayerResults>) -> LayersReport {
    LayersReport {
        schema_version: LAYERS_SCHEMA_VERSION,
        run: run(3),
        group: Grouping::Module(None),
        estimator: Estimator::Exact,
        forward_ms: 80.0,
        attribution_ms: 6800.0,
        input_units: InputUnits::Photo,
        predicted: Some(vec![285, 281, 1]),
        spectrum: None,
        agreement: Vec::new(),
        results: Attributions::new(list),
    }
}

/// Three generators, and how well they agree.
pub fn generators(names: &[String]) -> LayersReport {
    let of = ["translate_x", "rotate", "scale"];
    let mut report = report(of.map(|generator| results(generator, "spectral", names)).to_vec());
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        report.agreement.push(Agreement {
            derivative: Scheme::Spectral,
            generators: [of[one].to_owned(), of[other].to_owned()],
            layers: names.len(),
            rank_correlation: 0.9 - 0.65 * other as f64,
            sem: Some(0.07),
        });
    }
    report
}

/// One attribution, with the first of its layers resolved by frequency.
pub fn with_spectrum(names: &[String]) -> LayersReport {
    let node = nodes::node(&names[0], "strided convolution", 112, 2, 2.7e4);
    let map = FoldMap {
        node: names[0].clone(),
        fine: [4, 4],
        coarse: [2, 2],
        power: vec![vec![1.0; 4]; 4],
        damage: vec![vec![0.5; 4]; 4],
    };
    let spectrum = Some(NodeSpectrum { node, map });
    LayersReport { spectrum, ..report(vec![results("translate_x", "spectral", names)]) }
}

/// The same generator by three schemes.
pub fn derivatives(names: &[String]) -> LayersReport {
    report(["spectral", "forward", "central"].map(|scheme| results("translate_x", scheme, names)).to_vec())
}

/// A chain with a node per layer, residual edges and nodes without an error.
pub fn graph(results: &LayerResults) -> LayerGraph {
    let node = |name: String, op: &str, role| GraphNode {
        name,
        op: op.to_owned(),
        shape: vec![1, 8, 4, 4],
        layout: "plane 4×4".to_owned(),
        role,
    };
    let mut graph = LayerGraph { nodes: vec![node("x".to_owned(), "input", NodeRole::Input)], edges: vec![] };
    for (i, layer) in results.layers.iter().enumerate() {
        graph.nodes.push(node(format!("/{}/Clip", layer.name), "Clip", NodeRole::Source(i)));
        let role = if i % 4 == 0 { NodeRole::Later } else { NodeRole::Exact };
        graph.nodes.push(node(format!("/{}/Add", layer.name), "Add", role));
        let at = graph.nodes.len() - 1;
        graph.edges.extend([[at - 2, at - 1], [at - 1, at], [at - 2, at]]);
    }
    graph
}

/// Where a layer's defect sits on an image of 32 samples a side.
pub fn map(layer: usize, samples: usize, values: impl Fn(usize, usize) -> f64) -> DefectMap {
    let step = 32.0 / samples as f64;
    let axis = Axis::image(32, GridKind::Tracked).resampled((step - 1.0) / 2.0, step, samples);
    let squares = Array2::from_shape_fn((samples, samples), |(i, j)| values(i, j));
    DefectMap { layer, node: long_name(layer), grid: Grid { rows: axis, columns: axis }, squares }
}

/// A picture of 32 pixels a side.
pub fn image() -> Array3<f32> {
    Array3::from_shape_fn((3, 32, 32), |(c, i, j)| ((i + 2 * j + 5 * c) as f32 / 9.0).sin())
}

/// What the figures need beside it: graph, picture and maps of three layers' defects.
pub fn beside(report: &LayersReport) -> LayersBeside {
    let results = &report.results.all()[0];
    let maps = (0..results.layers.len().min(3)).map(|layer| map(layer, 8, |i, j| (i * j) as f64)).collect();
    LayersBeside { top: 10, graphs: vec![graph(results)], maps, image: Some(image()) }
}
