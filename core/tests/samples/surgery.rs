//! Networks before and after designs were put into them.

use aliascope_core::antialias::surgery_report::{
    Advice, AdviceStep, Cost, Forecast, ForecastPlace, InsertionReport, LayerPair, Mean, OutputChange, Paired,
    SURGERY_SCHEMA_VERSION, SurgeryReport, Trial,
};
use aliascope_core::antialias::{Padding, Place};
use aliascope_core::measure::lee_report::Accuracy;

use super::run;

/// Designs at places of these names, over three images.
pub fn report(names: &[String]) -> SurgeryReport {
    let paired = |lee: f64| Paired::of(&[0.5 * lee, lee, 1.5 * lee], &[0.3 * lee, 0.45 * lee, 0.6 * lee]);
    let lee = [("translate_x", 0.0412), ("translate_y", 0.0367), ("rotate", 0.0271), ("saturate", 0.0)];
    let shifts = [
        "consistency_integer_circular",
        "consistency_half_pixel_circular",
        "consistency_integer_cropped",
        "consistency_half_pixel_cropped",
    ];
    let mut shifts: indexmap::IndexMap<_, _> =
        shifts.map(|name| (name.to_owned(), Paired::of(&[0.75, 1.0, 0.5], &[1.0, 1.0, 0.75]))).into_iter().collect();
    shifts.insert("integer_mse".to_owned(), Paired::of(&[2e-3, 3e-3, 1e-3], &[1e-3, 5e-4, 6e-4]));
    SurgeryReport {
        schema_version: SURGERY_SCHEMA_VERSION,
        run: run(3),
        saved: Some("repaired.onnx".to_owned()),
        saved_difference: Some(4.2e-7),
        replace: vec!["stride=blur-3".to_owned(), "relu=up-down".to_owned()],
        pattern: Some("blocks".to_owned()),
        padding: Padding::Reflect,
        place: Place::Paper,
        insertions: names
            .iter()
            .enumerate()
            .map(|(at, name)| InsertionReport {
                name: name.clone(),
                op: "Conv".to_owned(),
                design: if at % 2 == 0 { "blur-3" } else { "up-down" }.to_owned(),
                follows: if at % 2 == 0 { format!("{name}/act") } else { name.clone() },
                stride: 2 - at % 2,
                reads: [112, 112],
                writes: if at % 2 == 0 { [56, 56] } else { [112, 112] },
            })
            .collect(),
        generators: lee.map(|(name, lee)| (name.to_owned(), paired(lee))).into_iter().collect(),
        layers_generator: "translate_x".to_owned(),
        layers: names
            .iter()
            .enumerate()
            .map(|(at, name)| {
                let mean = |value: f64| Some(Mean::of(&[0.8 * value, value, 1.2 * value]));
                let size = 0.02 / (at + 1) as f64;
                // An inserted layer has nothing before it, a replaced one nothing after.
                let (before, after) =
                    if at % 4 == 3 { (None, mean(size)) } else { (mean(size), mean(0.4 * size).filter(|_| at != 1)) };
                LayerPair { name: name.clone(), before, after }
            })
            .collect(),
        layers_lee: paired(0.0412),
        conservation_residual: [2e-7, 3e-7],
        shifts,
        draws: 8,
        seed: 0,
        change: OutputChange {
            top1_unchanged: Some(Mean::of(&[1.0, 1.0, 0.0])),
            predicted: Some([vec![281, 504, 7], vec![281, 504, 8]]),
            top1_changed: vec!["photos/photo_2.png".to_owned()],
            kl: Some(Mean::of(&[0.02, 0.01, 0.4])),
            confidence: Some(Paired::of(&[0.8, 0.9, 0.4], &[0.75, 0.85, 0.35])),
            relative: Mean::of(&[0.1, 0.12, 0.3]),
        },
        accuracy: Some([
            Accuracy { images: 3, right: 3, top1: 1.0 },
            Accuracy { images: 3, right: 2, top1: 2.0 / 3.0 },
        ]),
        cost: Cost {
            multiplications_before: 4.0e8,
            multiplications_after: 4.6e8,
            forward_passes: 1.15,
            forward_ms_before: 41.0,
            forward_ms_after: 52.0,
            time_ratio: 1.27,
        },
        advice: None,
    }
}

/// One image, a network whose output is no vector of classes, and nothing else that was asked for.
pub fn without_layers(names: &[String]) -> SurgeryReport {
    let mut report = report(names);
    report.run.images.names.truncate(1);
    report.layers.clear();
    report.shifts.clear();
    (report.saved, report.saved_difference, report.pattern, report.accuracy) = (None, None, None, None);
    report.change = OutputChange { relative: Mean::of(&[0.3]), ..OutputChange::default() };
    for (name, paired) in &mut report.generators {
        let lee = if name == "saturate" { 0.0 } else { 0.04 };
        *paired = Paired::of(&[lee], &[0.5 * lee]);
    }
    report
}

/// Where to begin among these places: two steps.
pub fn advised(names: &[String]) -> SurgeryReport {
    let mut report = report(names);
    let trial = |step: usize, at: usize, name: &String| {
        let lee = 0.02 + 0.002 * at as f64 - 0.008 * step as f64;
        let gain = if step == 0 { 0.0412 - lee } else { 0.02 - lee };
        Trial {
            name: name.clone(),
            design: "blur-3".to_owned(),
            lee,
            gain: Mean { mean: gain, sem: Some(0.1 * gain.abs()), by_image: vec![gain; 3] },
            cost: 1.02 + 0.01 * at as f64 + 0.03 * step as f64,
            gain_per_cost: gain / (0.02 + 0.01 * at as f64),
            top1_unchanged: Some(if at == 0 { 1.0 } else { 2.0 / 3.0 }),
            kl: Some(0.01 * (at + 1) as f64),
            relative: 0.1,
            pareto: at < 2,
        }
    };
    let step = |step: usize, tried: &[String], chosen: &String| AdviceStep {
        chosen: chosen.clone(),
        tried: tried.iter().enumerate().map(|(at, name)| trial(step, at, name)).collect(),
        seconds: 12.3,
    };
    let mut steps = vec![step(0, names, &names[0])];
    if names.len() > 1 {
        steps.push(step(1, &names[1..], &names[1]));
    }
    report.insertions.truncate(steps.len());
    report.advice = Some(Advice {
        generator: "translate_x".to_owned(),
        start: 0.0412,
        budget: 3,
        keep: 0.9,
        steps,
        ended: Some("no place that is left keeps 90 % of the images' classes".to_owned()),
        forecast: Forecast {
            places: names
                .iter()
                .enumerate()
                .map(|(at, name)| ForecastPlace {
                    name: name.clone(),
                    module: name.trim_end_matches("/act").to_owned(),
                    contribution: 0.02 / (at + 1) as f64,
                    removal_gain: 0.02 / (at + 1) as f64 - 0.006,
                    gain: 0.0212 - 0.002 * at as f64,
                    left_below: [0.5, 0.25, 0.125, 0.0625].map(|edge| [edge, edge * edge / (at + 1) as f64]).to_vec(),
                })
                .collect(),
            rank_correlation: (names.len() > 2).then_some(0.3),
            removal_gain_rank_correlation: (names.len() > 2).then_some(-0.42),
            octave_images: 3,
        },
    });
    report
}

/// Advice whose choices change neither LEE nor cost, so that they lie on each other.
pub fn advised_alike(names: &[String]) -> SurgeryReport {
    let mut report = advised(names);
    if let Some(advice) = &mut report.advice {
        advice.steps.iter_mut().flat_map(|step| &mut step.tried).for_each(|trial| {
            (trial.lee, trial.cost) = (0.0412, 1.0);
        });
    }
    report
}

/// Advice that chose nothing.
pub fn nothing_chosen(names: &[String]) -> SurgeryReport {
    let mut report = advised(names);
    report.insertions.clear();
    report.layers.clear();
    if let Some(advice) = &mut report.advice {
        advice.steps.truncate(1);
        advice.steps[0].chosen.clear();
    }
    report
}
