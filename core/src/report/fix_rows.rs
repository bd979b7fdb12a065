//! A fix as tidy rows.

use super::repair_rows::repair_rows;
use super::rows::{Cell, Rows};
use crate::repair::FixReport;

/// One row per layer and quantity, per trial and quantity, and those of the repair; with `per_image` the repair's image
/// by image alone.
pub fn fix_rows(report: &FixReport, per_image: bool) -> Rows {
    if let (true, Some(repair)) = (per_image, &report.repair) {
        return repair_rows(repair, true);
    }
    let mut rows = Rows::new(["stage", "quantity", "name", "before", "value", "sem", "difference", "difference_sem"]);
    for layer in &report.worst {
        let values = [
            ("contribution", Some(layer.contribution), layer.sem),
            ("signed_share", layer.signed_share, None),
            ("removal_gain", Some(layer.removal_gain), None),
            ("design_gain", layer.design_gain, None),
        ];
        for (quantity, value, sem) in values {
            if let Some(value) = value {
                rows.push([
                    "layer".into(),
                    quantity.into(),
                    (&layer.name).into(),
                    Cell::Empty,
                    value.into(),
                    sem.into(),
                ]);
            }
        }
    }
    for (at, step) in report.advice.steps.iter().enumerate() {
        for trial in &step.tried {
            let chosen = if trial.name == step.chosen { "chosen" } else { "trial" };
            let stage = format!("{chosen} {}", at + 1);
            let values = [
                ("lee", Some(trial.lee), None),
                ("gain", Some(trial.gain.mean), trial.gain.sem),
                ("cost", Some(trial.cost), None),
                ("top1_unchanged", trial.top1_unchanged, None),
                ("kl", trial.kl, None),
                ("relative", Some(trial.relative), None),
            ];
            for (quantity, value, sem) in values {
                if let Some(value) = value {
                    rows.push([
                        (&stage).into(),
                        quantity.into(),
                        (&trial.name).into(),
                        Cell::Empty,
                        value.into(),
                        sem.into(),
                    ]);
                }
            }
        }
    }
    if let Some(repair) = &report.repair {
        rows.extend(repair_rows(repair, false));
    }
    rows
}
