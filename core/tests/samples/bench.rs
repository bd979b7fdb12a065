//! Designs side by side.

use aliascope_core::antialias::pictures::{Curve, POINTS, Picture};
use aliascope_core::antialias::report::{
    ANTIALIAS_SCHEMA_VERSION, BenchReport, DesignResult, GeneratorResult, Protocols, ShiftSweep, Truncation,
};
use aliascope_core::antialias::{Guarantee, Kind, Padding};
use aliascope_core::origin::Origin;
use aliascope_core::report::BenchBeside;
use ndarray::Array2;

fn design(name: &str, kind: Kind, guarantee: Guarantee) -> DesignResult {
    let linear = kind == Kind::Downsampling;
    let is_exact = guarantee == Guarantee::Fractional;
    let lee = if is_exact { 0.0 } else { 0.012 };
    DesignResult {
        name: name.to_owned(),
        kind,
        guarantee,
        about: "a definition and its source".to_owned(),
        channels: 1,
        predicted: linear.then_some(if is_exact { 3e-28 } else { 27.4 }),
        truncation: (!linear).then_some(Truncation { oversampled: 8, change: 3e-4 }),
        measured: if is_exact { 2e-28 } else { 27.4 },
        relative_difference: (linear && !is_exact).then_some(3.1e-14),
        generators: ["translate_x", "rotate"]
            .map(|generator| (generator.to_owned(), GeneratorResult { lee, relative: Some(0.1 * lee) }))
            .into_iter()
            .collect(),
        integer_shift_error: Some(if is_exact || guarantee == Guarantee::Integer { 2e-16 } else { 0.213 }),
        fractional_shift_error: Some(if is_exact { 4e-15 } else { 0.108 }),
        integer_shift_error_cropped: Some(0.3),
        fractional_shift_error_cropped: linear.then_some(0.31),
        passband_energy: linear.then_some(0.913),
        aliased_energy: linear.then_some(if is_exact { 0.0 } else { 0.0871 }),
        time_ms: 0.213,
        time_ratio: 1.74,
        time_multiplications: linear.then_some(1.8e6),
        memory_ratio: Some(1.25),
        operations: Some(1.2e6),
        cost_reference: "subsample".to_owned(),
    }
}

/// Designs of two kinds on one field.
pub fn report() -> BenchReport {
    use Guarantee::{Approximate, Fractional, Integer};
    let designs = vec![
        design("subsample", Kind::Downsampling, Guarantee::None),
        design("blur-3", Kind::Downsampling, Approximate),
        design("adaptive-polyphase", Kind::Downsampling, Integer),
        design("ideal", Kind::Downsampling, Fractional),
        design("relu", Kind::Nonlinearity, Guarantee::None),
        design("up-down:relu,kaiser-radial,oversample=4", Kind::Nonlinearity, Approximate),
    ];
    let sweep: Vec<f64> = (0..9).map(|at| f64::from(at) / 4.0).collect();
    let words = |what: &str| format!("{what}, in words");
    BenchReport {
        schema_version: ANTIALIAS_SCHEMA_VERSION,
        run: Origin::default(),
        input: "random:band=24,decay=1,seed=0".to_owned(),
        samples: 64,
        stride: 2,
        velocity: [0.8, -0.6],
        protocol: Padding::Circular,
        protocols: Protocols {
            predicted: words("predicted"),
            measured: words("measured"),
            integer_shift_error: words("integer"),
            fractional_shift_error: words("fractional"),
            cropped: words("cropped"),
            energy: words("energy"),
            cost: words("cost"),
            time: "the least time of 20 calls on 8 channels of 224 x 224 samples, and what such a call multiplies"
                .to_owned(),
        },
        band: 24,
        slope_energy: 1210.0,
        shift_sweep: Some(ShiftSweep {
            positions: designs
                .iter()
                .filter(|design| design.kind == Kind::Downsampling)
                .map(|design| (design.name.clone(), sweep.iter().map(|shift| shift.round() * 0.9).collect()))
                .collect(),
            shifts: sweep,
        }),
        designs,
    }
}

/// One design, of a long name, of which little is known.
pub fn single() -> BenchReport {
    let mut report = report();
    report.designs.truncate(1);
    report.shift_sweep = None;
    let design = &mut report.designs[0];
    design.name = format!("taps:{}", ["0.125"; 20].join(","));
    (design.predicted, design.measured, design.relative_difference) = (None, 0.0, None);
    (design.passband_energy, design.aliased_energy, design.memory_ratio) = (None, None, None);
    (design.integer_shift_error, design.fractional_shift_error) = (None, None);
    design.fractional_shift_error_cropped = None;
    report.slope_energy = 0.0;
    report
}

/// Responses and pictures of a report's downsamplings.
pub fn beside(report: &BenchReport) -> BenchBeside {
    let all = report.designs.iter().filter(|design| design.kind == Kind::Downsampling);
    let gain = |at: usize| (1.0 - at as f64 / POINTS as f64).powi(2);
    let field = Array2::from_shape_fn((32, 32), |(i, j)| ((i * i + 3 * j) as f32 / 40.0).sin());
    BenchBeside {
        curves: all.clone().map(|d| Curve { name: d.name.clone(), gain: (0..=POINTS).map(gain).collect() }).collect(),
        pictures: all
            .map(|design| Picture {
                name: design.name.clone(),
                output: field.clone(),
                aliased: 0.1 * &field,
                share: 0.0123,
            })
            .collect(),
    }
}
