//! A network before and after as tidy rows.

use super::rows::{Cell, Rows};
use crate::antialias::surgery_report::{Mean, Paired, SurgeryReport};

/// One row per figure: LEE of each generator, layers, shifts, then outputs and cost; with `per_image` one per image and
/// figure, with the difference on that image.
pub fn surgery_rows(report: &SurgeryReport, per_image: bool) -> Rows {
    if per_image {
        return by_image(report);
    }
    let mut rows =
        Rows::new(["quantity", "name", "before", "before_sem", "after", "after_sem", "difference", "difference_sem"]);
    for (quantity, name, paired) in pairs(report) {
        rows.push([
            quantity.into(),
            name.into(),
            paired.before.into(),
            paired.before_sem.into(),
            paired.after.into(),
            paired.after_sem.into(),
            paired.difference.into(),
            paired.difference_sem.into(),
        ]);
    }
    for layer in &report.layers {
        let [before, after] = [&layer.before, &layer.after].map(Option::as_ref);
        rows.push([
            "layer".into(),
            (&layer.name).into(),
            before.map(|mean| mean.mean).into(),
            before.and_then(|mean| mean.sem).into(),
            after.map(|mean| mean.mean).into(),
            after.and_then(|mean| mean.sem).into(),
        ]);
    }
    for (name, mean) in outputs(report) {
        rows.push(["output".into(), name.into(), Cell::Empty, Cell::Empty, mean.mean.into(), mean.sem.into()]);
    }
    let cost = &report.cost;
    for (name, before, after) in [
        ("multiplications", cost.multiplications_before, cost.multiplications_after),
        ("forward_ms", cost.forward_ms_before, cost.forward_ms_after),
    ] {
        rows.push([
            "cost".into(),
            name.into(),
            before.into(),
            Cell::Empty,
            after.into(),
            Cell::Empty,
            (after - before).into(),
        ]);
    }
    rows
}

/// What is measured on both sides.
fn pairs(report: &SurgeryReport) -> impl Iterator<Item = (&'static str, &str, &Paired)> {
    let lee = report.generators.iter().map(|(name, paired)| ("lee", name.as_str(), paired));
    let shifts = report.shifts.iter().map(|(name, paired)| ("shift", name.as_str(), paired));
    lee.chain(shifts).chain(report.change.confidence.iter().map(|paired| ("output", "confidence", paired)))
}

/// What is measured of the outputs after.
fn outputs(report: &SurgeryReport) -> impl Iterator<Item = (&'static str, &Mean)> {
    let change = &report.change;
    let named = [
        ("top1_unchanged", change.top1_unchanged.as_ref()),
        ("kl", change.kl.as_ref()),
        ("relative", Some(&change.relative)),
    ];
    named.into_iter().filter_map(|(name, mean)| Some((name, mean?)))
}

fn by_image(report: &SurgeryReport) -> Rows {
    let mut rows = Rows::new(["image", "quantity", "name", "before", "after", "difference"]);
    for (at, image) in report.run.images.names.iter().enumerate() {
        for (quantity, name, paired) in pairs(report) {
            if let Some([before, after]) = paired.by_image.get(at).copied() {
                rows.push([
                    image.into(),
                    quantity.into(),
                    name.into(),
                    before.into(),
                    after.into(),
                    (after - before).into(),
                ]);
            }
        }
        for layer in &report.layers {
            let of = |mean: &Option<Mean>| mean.as_ref().and_then(|mean| mean.by_image.get(at).copied());
            let (before, after) = (of(&layer.before), of(&layer.after));
            let difference = before.zip(after).map(|(before, after)| after - before);
            rows.push([
                image.into(),
                "layer".into(),
                (&layer.name).into(),
                before.into(),
                after.into(),
                difference.into(),
            ]);
        }
        if let Some([before, after]) = &report.change.predicted {
            let class = |of: &[usize]| Cell::from(of.get(at).copied());
            rows.push([image.into(), "output".into(), "predicted".into(), class(before), class(after)]);
        }
        for (name, mean) in outputs(report) {
            let value = mean.by_image.get(at).copied();
            rows.push([image.into(), "output".into(), name.into(), Cell::Empty, value.into()]);
        }
    }
    rows
}
