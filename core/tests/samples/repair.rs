//! Networks whose weights were adapted after designs were put in, and what chose those.

use aliascope_core::antialias::surgery_report::{Mean, OutputChange, Paired};
use aliascope_core::antialias::{Padding, Place};
use aliascope_core::measure::lee_report::Accuracy;
use aliascope_core::repair::{
    Conclusion, CurvePoint, Ended, FIX_SCHEMA_VERSION, FixReport, HoldOut, Loss, REPAIR_SCHEMA_VERSION,
    RecalibratedLayer, Recalibration, RecalibrationKind, RepairReport, Stage, StageKind, Trained, Training, WorstLayer,
    lee_ratios,
};

use super::{layers, run, surgery};

/// Images, more than the least for a verdict.
const IMAGES: usize = 24;

/// Values that differ from image to image around `middle`.
fn around(middle: f64) -> Vec<f64> {
    (0..IMAGES).map(|at| middle * (0.4 + 0.05 * ((7 * at) % IMAGES) as f64)).collect()
}

fn stage(stage: StageKind, lee: f64, kl: f64, right: usize) -> Stage {
    let paired = |before: f64, after: f64| {
        let after = around(after).into_iter().enumerate().map(|(at, value)| value * (1.0 + 0.1 * (at % 3) as f64));
        Paired::of(&around(before), &after.collect::<Vec<_>>())
    };
    let generators =
        [("translate_x", 0.311), ("translate_y", 0.274)].map(|(name, before)| (name.to_owned(), paired(before, lee)));
    let generators = generators.into_iter().collect();
    let share = |part: usize| (0..IMAGES).map(|at| f64::from(u8::from(at >= part))).collect::<Vec<f64>>();
    let shifts = [
        ("consistency_integer_cropped", Paired::of(&share(2), &share(1))),
        ("consistency_half_pixel_cropped", Paired::of(&share(5), &share(2))),
    ];
    Stage {
        stage,
        lee_ratios: lee_ratios(&generators),
        generators,
        shifts: shifts.map(|(name, paired)| (name.to_owned(), paired)).into_iter().collect(),
        change: OutputChange {
            top1_unchanged: Some(Mean::of(&share(IMAGES - right))),
            kl: Some(Mean::of(&around(kl))),
            confidence: Some(Paired::of(&around(0.7), &around(0.6))),
            relative: Mean::of(&around(0.3)),
            ..OutputChange::default()
        },
        accuracy: Some(Accuracy { images: IMAGES, right, top1: right as f64 / IMAGES as f64 }),
    }
}

/// A repair of designs at places of these names: recalibrated, and a hundred steps.
pub fn report(names: &[String]) -> RepairReport {
    let surgery = surgery::report(names);
    let report = RepairReport {
        schema_version: REPAIR_SCHEMA_VERSION,
        run: run(IMAGES),
        conclusion: Conclusion::default(),
        saved: Some("repaired.onnx".to_owned()),
        saved_difference: 4.2e-7,
        replace: vec!["stride=blurpool:3".to_owned()],
        pattern: None,
        padding: Padding::Reflect,
        place: Place::Paper,
        insertions: surgery.insertions,
        training: Training {
            images: 800,
            parameters: 4_631_000,
            train: Trained::All,
            loss: Loss::Kl,
            lee_weight: 1.0,
            generators: vec!["translate_x".to_owned(), "translate_y".to_owned()],
            steps_asked: 100,
            steps: 100,
            best_step: 75,
            batch: 16,
            rate: 2e-4,
            clip: 1.0,
            minutes: 31.4,
            ended: Ended::Steps,
            ..Training::default()
        },
        recalibration: Some(Recalibration {
            kind: RecalibrationKind::Channels,
            images: 32,
            layers: names
                .iter()
                .enumerate()
                .map(|(at, name)| RecalibratedLayer {
                    name: name.clone(),
                    before: 0.2 / (at + 1) as f64,
                    after: 0.15 / (at + 1) as f64,
                })
                .collect(),
            seconds: 7.0,
        }),
        lee_images: (0..IMAGES).map(|i| format!("photos/photo_{i}.png")).collect(),
        draws: 4,
        stages: vec![
            stage(StageKind::Surgery, 0.06, 2.31, 9),
            stage(StageKind::Recalibration, 0.07, 0.32, 19),
            stage(StageKind::Repair, 0.12, 0.11, 22),
        ],
        accuracy_before: Some(Accuracy { images: IMAGES, right: 22, top1: 22.0 / IMAGES as f64 }),
        curve: (0..5)
            .map(|at| CurvePoint {
                step: 25 * at,
                loss: (at > 0).then_some(0.5 / at as f64),
                validation: 0.32 / (at + 1) as f64,
                lee: 0.07 + 0.01 * at as f64,
                top1_unchanged: Some(0.8 + 0.02 * at as f64),
                minutes: 7.5 * at as f64,
            })
            .collect(),
        cost: surgery.cost,
    };
    concluded(report)
}

fn concluded(report: RepairReport) -> RepairReport {
    RepairReport { conclusion: Conclusion::of(&report), ..report }
}

/// Recalibrated alone, of few images, some of them training images.
pub fn without_steps(names: &[String]) -> RepairReport {
    let mut report = report(names);
    report.stages.truncate(2);
    report.curve.clear();
    report.training = Training { images: 12, overlap: vec!["photos/photo_0.png".to_owned()], ..Training::default() };
    (report.saved, report.accuracy_before) = (None, None);
    report.stages.iter_mut().for_each(|stage| stage.accuracy = None);
    concluded(report)
}

/// No designs, an output that is no vector of classes, weights alone adapted, one image.
pub fn images() -> RepairReport {
    let mut report = report(&[]);
    report.run.images.names.truncate(1);
    report.lee_images.truncate(1);
    (report.replace, report.recalibration, report.accuracy_before) = (Vec::new(), None, None);
    report.stages = vec![stage(StageKind::Repair, 0.2, 0.0, 20)];
    let stage = &mut report.stages[0];
    let first = |paired: &mut Paired| *paired = Paired::of(&[paired.by_image[0][0]], &[paired.by_image[0][1]]);
    stage.generators.values_mut().for_each(first);
    stage.lee_ratios = lee_ratios(&stage.generators);
    stage.shifts.clear();
    stage.change = OutputChange { relative: Mean::of(&[0.3]), ..OutputChange::default() };
    stage.accuracy = None;
    report.curve.iter_mut().for_each(|point| point.top1_unchanged = None);
    concluded(report)
}

/// A fix that chose two of these places.
pub fn fix(names: &[String]) -> FixReport {
    let advised = surgery::advised(names);
    let advice = advised.advice.unwrap();
    let modules: Vec<String> = advice.forecast.places.iter().map(|place| place.module.clone()).collect();
    let worst = WorstLayer::of(&layers::results("translate_x", "spectral", &modules), &advice);
    let mut repair = without_steps(names);
    repair.training.overlap.clear();
    let repair = concluded(repair);
    FixReport {
        schema_version: FIX_SCHEMA_VERSION,
        run: run(8),
        conclusion: Conclusion::default(),
        hold_out: Some(HoldOut { seed: 0, of: 49, held: IMAGES, twice: 1 }),
        replace: repair.replace.clone(),
        generator: "translate_x".to_owned(),
        worst,
        advice,
        repair: Some(repair),
    }
    .concluded()
}

/// A fix that chose nothing.
pub fn nothing_fixed(names: &[String]) -> FixReport {
    let mut report = fix(names);
    report.advice = surgery::nothing_chosen(names).advice.unwrap();
    report.worst.iter_mut().for_each(|layer| layer.chosen = false);
    (report.repair, report.hold_out) = (None, None);
    report.concluded()
}
