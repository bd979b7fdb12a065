//! Lie derivatives.

use aliascope_core::measure::lee_report::{
    GeneratorLee, Gram, Horizon, InputUnits, LEE_SCHEMA_VERSION, LeeByImage, LeeReport, Logits, MarginRate, Margins,
    SymmetryDirection, Timing,
};
use aliascope_core::measure::run::{Images, Run};
use aliascope_core::statistics::{Estimate, Interval, Summary};
use aliascope_core::symmetry::{Generator, MEASURED};

use super::run;

/// A value with an interval from `below` to `above` times it.
fn estimate(value: f64, below: f64, above: f64) -> Estimate {
    Estimate { value, interval: Some(Interval { low: below * value, high: above * value }) }
}

/// Twenty values of this mean.
fn summary(mean: f64) -> Summary {
    Summary {
        geometric_mean: Some(estimate(0.55 * mean, 0.58, 1.73)),
        geometric_count: 20,
        undefined: None,
        mean: estimate(mean, 0.71, 1.62),
        effective_count: Some(9.6),
        deciding: Vec::new(),
    }
}

/// Twenty photos through a classifier.
pub fn classifier() -> LeeReport {
    let lee = [
        ("translate_x", 0.0412, 0.0061, 0.31),
        ("translate_y", 0.0367, 0.0049, 0.29),
        ("stretch_x", 0.0124, 0.0022, 0.11),
        ("stretch_y", 0.0107, 0.0019, 0.098),
        ("shear_x", 0.0114, 0.0021, 0.102),
        ("shear_y", 0.0131, 0.0024, 0.108),
        ("saturate", 0.000_214, 0.000_053, 0.0041),
        ("rotate", 0.0271, 0.0041, 0.21),
        ("hyperbolic", 0.0219, 0.0034, 0.18),
        ("scale", 0.0302, 0.0052, 0.24),
    ];
    let energy = [53.1, 48.8, 15.2, 17.9, 16.1, 15.7, 1.21];
    let relative = |name: &str, lee: f64| {
        let measured = MEASURED.iter().find(|generator| generator.name() == name)?;
        Some(lee / energy[measured.index()])
    };
    let spectrum = [
        (1.94e-3, [0.21, 0.12, 0.71, 0.62, 0.08, -0.22]),
        (1.21e-3, [0.05, -0.13, 0.16, 0.13, 0.74, -0.62]),
        (7.8e-4, [0.89, 0.31, -0.21, -0.11, 0.08, 0.24]),
        (6.9e-4, [-0.31, 0.92, 0.02, -0.11, 0.16, 0.12]),
        (2.1e-4, [0.14, 0.08, 0.12, 0.02, 0.63, 0.75]),
        (3.3e-5, [0.03, 0.01, 0.68, -0.73, 0.02, 0.01]),
    ];
    LeeReport {
        schema_version: LEE_SCHEMA_VERSION,
        run: Run {
            images: Images {
                names: (0..20).map(|i| format!("photo_{i}.png")).collect(),
                preprocess: "imagenet".to_owned(),
                ..Images::default()
            },
            ..run(20)
        },
        images_constant: 0,
        images_flat: 0,
        input_units: InputUnits::Photo,
        accuracy: None,
        predicted: None,
        margins: Some(Margins { logits: Logits::Output, by_image: vec![Some(2.0); 20] }),
        horizon: Some(Horizon {
            generator: "translate_x".to_owned(),
            images: 4,
            forward_passes: 28,
            shifts: vec![0.05, 0.1, 0.25, 0.5, 1.0, 2.0],
            ratios: [0.97, 1.04, 1.54, 0.8, 0.43, 0.3].map(Some).to_vec(),
            by_image: vec![[0.97, 1.04, 1.54, 0.8, 0.43, 0.3].map(Some).to_vec(); 4],
            pixels: Some(0.5),
        }),
        horizon_missing: None,
        generators: lee
            .into_iter()
            .map(|(name, lee, sem, mean_abs)| {
                let relative = relative(name, lee);
                (
                    name.to_owned(),
                    GeneratorLee {
                        lee,
                        sem: Some(sem),
                        mean_abs,
                        summary: summary(lee),
                        relative,
                        relative_interval: relative.and_then(|relative| estimate(relative, 0.8, 1.4).interval),
                        relative_geometric_mean: relative.map(|relative| estimate(0.6 * relative, 0.7, 1.43)),
                        fisher: Some(summary(170.0 * lee)),
                        margin_rate: Some(MarginRate { median: estimate(30.0 * lee, 0.5, 2.4), images: 20 }),
                        by_image: LeeByImage::default(),
                    },
                )
            })
            .collect(),
        gram: Gram {
            order: MEASURED.iter().map(|generator| generator.name().to_owned()).collect(),
            matrix: (0..7).map(|i| (0..7).map(|j| if i == j { lee[i].1 } else { 0.0 }).collect()).collect(),
            input_gram: (0..7).map(|i| (0..7).map(|j| if i == j { energy[i] } else { 0.0 }).collect()).collect(),
        },
        symmetry_spectrum: spectrum
            .into_iter()
            .map(|(eigenvalue, direction)| SymmetryDirection {
                eigenvalue,
                direction: Generator::AFFINE
                    .iter()
                    .zip(direction)
                    .map(|(g, part)| (g.name().to_owned(), part / energy[g.index()].sqrt()))
                    .collect(),
            })
            .collect(),
        timing: Timing { forward_ms: Some(41.0), forward_batch8_ms: Some(236.0), sweep_ms: 402.0 },
    }
}

/// One constant image through a network that ignores it, on a machine without LAPACK.
pub fn degenerate() -> LeeReport {
    let mut report = classifier();
    report.run.images.names.truncate(1);
    for lee in report.generators.values_mut() {
        *lee = GeneratorLee {
            lee: 0.0,
            sem: None,
            summary: Summary::of(&[0.0], |_| false),
            mean_abs: 0.0,
            relative: None,
            relative_interval: None,
            relative_geometric_mean: None,
            fisher: None,
            margin_rate: None,
            by_image: LeeByImage::default(),
        };
    }
    report.gram.matrix = vec![vec![0.0; 7]; 7];
    report.gram.input_gram = vec![vec![0.0; 7]; 7];
    (report.margins, report.horizon) = (None, None);
    report.horizon_missing = Some("no translation is among the generators".to_owned());
    report.symmetry_spectrum.clear();
    report.timing = Timing { forward_ms: None, forward_batch8_ms: None, sweep_ms: 0.0 };
    report
}
