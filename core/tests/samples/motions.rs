//! Fields of motion, orbits and representations.

use aliascope_core::figure::FieldPicture;
use aliascope_core::measure::field_report::{Deformations, FieldFound, FieldImage, FieldReport, Furthest, Warped};
use aliascope_core::measure::layers_report::LayerClass;
use aliascope_core::measure::orbit_report::{OrbitImage, OrbitPath, OrbitReport};
use aliascope_core::measure::representation_report::{
    Halves, REPRESENTATION_SCHEMA_VERSION, Representation, RepresentationReport,
};
use aliascope_core::measure::scalar::Scalar;
use aliascope_core::spectrum::smooth::{Edge, Sobolev};
use aliascope_core::symmetry::{Motion, Units};
use ndarray::{Array2, Array3};

use super::run;

/// The margin of a classifier under the named motions, or the energy of a map.
pub fn field(images: usize, scalar: Scalar) -> FieldReport {
    let is_margin = scalar == Scalar::Margin;
    let motions: Vec<(String, Option<f64>)> = Motion::all()
        .iter()
        .enumerate()
        .map(|(at, motion)| (motion.name().to_owned(), Some(112.0 / (1.0 + at as f64))))
        .chain([("saturate".to_owned(), None)])
        .collect();
    let found = |at: usize| {
        let value = 3.2 - 0.9 * at as f64;
        let smooth = 8.0 / (1.0 + at as f64);
        let warped = |size: f64| Warped { size, value: value - 3.0 * size, top: is_margin.then_some(280 + at % 2) };
        FieldFound {
            image: FieldImage {
                value,
                class: is_margin.then_some(285),
                other: is_margin.then_some(282),
                smooth,
                affine: 0.1 * smooth,
                distance: is_margin.then_some(value.abs() / smooth),
                furthest: Some(Furthest { column: 12, row: 3, displacement: 1.4 }),
                half_area: 0.039,
                stability: [0.3, 1.0 + at as f64],
                residual: 2e-6,
                warps: [0.1, 1.0].map(warped).to_vec(),
            },
            derivatives: (0..motions.len()).map(|i| 48.0 / (1.0 + i as f64) - at as f64).collect(),
            top: is_margin.then_some(280),
            gradient_ms: 160.0,
        }
    };
    let all: Vec<FieldFound> = (0..images).map(found).collect();
    let deformations = Deformations { smoothness: 16.0, norm: Sobolev::H1, edge: Edge::Free, cutoff: 3 };
    FieldReport::of(run(images), scalar, deformations, &motions, &all, 51.0)
}

/// A small picture with fields, as wide as it is high or not.
pub fn picture(rows: usize, columns: usize) -> FieldPicture {
    let wave = |(i, j): (usize, usize)| ((i as f64 / 5.0).sin() + (j as f64 / 7.0).cos()) / 100.0;
    let part = |turn: usize| Array2::from_shape_fn((rows, columns), |(i, j)| wave((i + turn, j + 3 * turn)));
    FieldPicture {
        image: Array3::from_shape_fn((3, rows, columns), |(c, i, j)| ((c + i * j) % 17) as f32),
        field: [part(0), part(5)],
        worst: Some([part(2) * 40.0, part(9) * 40.0]),
    }
}

/// A finite translation, layer by layer, of a classifier whose class changes, or of a map.
pub fn orbit(names: &[String], of_classes: bool) -> OrbitReport {
    let nodes: Vec<f64> = (0..8).map(|i| (i as f64 + 0.5) / 8.0).collect();
    let count = names.len() + 2;
    let names = names
        .iter()
        .enumerate()
        .map(|(at, name)| (name.clone(), Some(LayerClass::ALL[at % LayerClass::ALL.len()])))
        .chain(["edge of the image", "edge of the output"].map(|edge| (edge.to_owned(), None)))
        .collect();
    let image = |at: usize| {
        let part = |layer: usize| (1.0 / (1.0 + layer as f64)) * if layer.is_multiple_of(2) { -0.4 } else { 0.3 };
        let parts: Vec<f64> = (0..count).map(part).collect();
        let change: f64 = parts.iter().sum();
        OrbitImage {
            top: of_classes.then_some([285, 285 - at]),
            against: of_classes.then_some(284),
            scalar: [0.16, 0.16 + change],
            along: nodes.iter().map(|t| 0.16 + change * t + 0.05 * (9.0 * t).sin()).collect(),
            slopes: parts.iter().map(|part| nodes.iter().map(|t| part * (0.5 + t)).collect()).collect(),
            square: 2.0,
            products: parts.iter().map(|part| [part * part, 0.9 * part]).collect(),
            rest: 0.004,
            parts,
        }
    };
    let mut run = run(2);
    if let Some(lie) = &mut run.lie {
        lie.units = Units::Pixel;
    }
    let path =
        OrbitPath { generator: "translate_x".to_owned(), distance: 1.0, pixels: [1.0, 0.0], nodes: nodes.clone() };
    OrbitReport::of(run, path, &names, 1000, (0..2).map(image).collect(), [vec![51.0], vec![9100.0]])
}

/// Two channels that turn with the image, and one generator that explains nothing.
pub fn representation() -> RepresentationReport {
    let found = |lee: f64, held_out: f64, turns: f64| Representation {
        lee,
        held_out,
        fitted: 0.9 * held_out,
        explained: Some(1.0 - held_out / lee),
        still: 3.0 * lee,
        alone: 2.5 * lee,
        antisymmetric: Some(turns),
        eigenvalues: vec![[0.0, 1.0], [0.0, -1.0]],
        matrix: Some(vec![vec![0.001, -1.0], vec![1.0, 0.0]]),
    };
    RepresentationReport {
        schema_version: REPRESENTATION_SCHEMA_VERSION,
        run: run(15),
        channels: 2,
        samples: 15,
        halves: Halves::Images,
        generators: [("rotate".to_owned(), found(0.3, 1e-12, 0.999)), ("shear_x".to_owned(), found(0.21, 0.26, 0.2))]
            .into_iter()
            .collect(),
        timing: [51.0, 400.0],
    }
}

/// So many channels of which pairs turn with the image, under these generators: what M explains falls from all of it to
/// less than nothing. Of more than 256 channels there are no eigenvalues.
pub fn representation_of(generators: &[String], channels: usize) -> RepresentationReport {
    let wave = |at: usize| (at as f64 * 1.7).sin();
    let found = |at: usize| {
        let lee = 40.0 / (1.0 + 3.0 * at as f64);
        let held_out = if at == 0 { 1e-15 } else { lee * (0.2 + 0.25 * at as f64) };
        let pair = |i: usize| [0.4 * at as f64 * wave(i), (1.0 + at as f64) * (1.0 + 0.3 * wave(i + 3))];
        let both = |i: usize| [pair(i), [pair(i)[0], -pair(i)[1]]];
        Representation {
            lee,
            held_out,
            fitted: 0.8 * held_out,
            explained: Some(1.0 - held_out / lee),
            still: 30.0 * lee,
            alone: 17.0 * lee,
            antisymmetric: Some(1.0 / (1.0 + at as f64)),
            eigenvalues: if channels > 256 { Vec::new() } else { (0..channels / 2).flat_map(both).collect() },
            matrix: None,
        }
    };
    let generators = generators.iter().enumerate().map(|(at, name)| (name.clone(), found(at))).collect();
    RepresentationReport { channels, samples: 37_632, halves: Halves::Sides, generators, ..representation() }
}

/// One generator that changes nothing.
pub fn no_representation() -> RepresentationReport {
    let found = Representation {
        lee: 0.0,
        held_out: 0.0,
        fitted: 0.0,
        explained: None,
        still: 0.0,
        alone: 0.0,
        antisymmetric: None,
        eigenvalues: vec![[0.0; 2]; 2],
        matrix: Some(vec![vec![0.0; 2]; 2]),
    };
    let generators = [("saturate".to_owned(), found)].into_iter().collect();
    RepresentationReport { generators, ..representation() }
}
