//! A repair as tidy rows.

use super::rows::{Cell, Rows};
use crate::antialias::surgery_report::{Mean, Paired};
use crate::repair::{RepairReport, Stage};

/// One row per stage and quantity, then the curve; with `per_image` one per stage, quantity and image.
pub fn repair_rows(report: &RepairReport, per_image: bool) -> Rows {
    if per_image {
        return by_image(report);
    }
    let mut rows = Rows::new(["stage", "quantity", "name", "before", "value", "sem", "difference", "difference_sem"]);
    for stage in &report.stages {
        let title = stage.stage.to_string();
        for (quantity, name, paired) in pairs(stage) {
            rows.push([
                (&title).into(),
                quantity.into(),
                name.into(),
                paired.before.into(),
                paired.after.into(),
                paired.after_sem.into(),
                paired.difference.into(),
                paired.difference_sem.into(),
            ]);
        }
        for (name, ratio) in &stage.lee_ratios {
            let [low, high] = [ratio.mean.interval.map(|i| i.low), ratio.mean.interval.map(|i| i.high)];
            for (quantity, value) in
                [("lee_ratio", Some(ratio.mean.value)), ("lee_ratio_low", low), ("lee_ratio_high", high)]
            {
                if let Some(value) = value {
                    rows.push([(&title).into(), quantity.into(), name.into(), Cell::Empty, value.into()]);
                }
            }
        }
        for (name, mean) in means(stage) {
            rows.push([(&title).into(), "output".into(), name.into(), Cell::Empty, mean.mean.into(), mean.sem.into()]);
        }
        if let Some(accuracy) = &stage.accuracy {
            let before = report.accuracy_before.as_ref().map(|before| before.top1);
            let difference = before.map(|before| accuracy.top1 - before);
            rows.push([
                (&title).into(),
                "output".into(),
                "accuracy".into(),
                before.into(),
                accuracy.top1.into(),
                Cell::Empty,
                difference.into(),
            ]);
        }
    }
    for point in &report.curve {
        let step = format!("step {}", point.step);
        let values = [
            ("loss", point.loss),
            ("validation", Some(point.validation)),
            ("lee", Some(point.lee)),
            ("top1_unchanged", point.top1_unchanged),
            ("minutes", Some(point.minutes)),
        ];
        for (name, value) in values.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            rows.push([(&step).into(), "curve".into(), name.into(), Cell::Empty, value.into()]);
        }
    }
    rows
}

/// What is measured before and at a stage.
fn pairs(stage: &Stage) -> impl Iterator<Item = (&'static str, &str, &Paired)> {
    let lee = stage.generators.iter().map(|(name, paired)| ("lee", name.as_str(), paired));
    let shifts = stage.shifts.iter().map(|(name, paired)| ("shift", name.as_str(), paired));
    lee.chain(shifts).chain(stage.change.confidence.iter().map(|paired| ("output", "confidence", paired)))
}

/// What is measured of a stage's outputs against those before.
fn means(stage: &Stage) -> impl Iterator<Item = (&'static str, &Mean)> {
    let change = &stage.change;
    let named = [
        ("top1_unchanged", change.top1_unchanged.as_ref()),
        ("kl", change.kl.as_ref()),
        ("relative", Some(&change.relative)),
    ];
    named.into_iter().filter_map(|(name, mean)| Some((name, mean?)))
}

fn by_image(report: &RepairReport) -> Rows {
    let mut rows = Rows::new(["image", "stage", "quantity", "name", "before", "value", "difference"]);
    let all = &report.run.images.names;
    for stage in &report.stages {
        let title = stage.stage.to_string();
        for (quantity, name, paired) in pairs(stage) {
            let images = if quantity == "output" { all } else { &report.lee_images };
            for (image, [before, after]) in images.iter().zip(&paired.by_image) {
                rows.push([
                    image.into(),
                    (&title).into(),
                    quantity.into(),
                    name.into(),
                    (*before).into(),
                    (*after).into(),
                    (after - before).into(),
                ]);
            }
        }
        for (name, mean) in means(stage) {
            for (image, value) in all.iter().zip(&mean.by_image) {
                rows.push([image.into(), (&title).into(), "output".into(), name.into(), Cell::Empty, (*value).into()]);
            }
        }
    }
    rows
}
