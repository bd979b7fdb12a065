//! A study's status and report as tidy rows.

use super::comparison_rows::three;
use super::rows::{Cell, Rows};
use super::study_layers;
use crate::study::report::StudyReport;
use crate::study::status::StudyStatus;

/// One row per network.
pub fn study_status_rows(status: &StudyStatus) -> Rows {
    let mut rows = Rows::new(["network", "family", "measured", "images", "failures", "milliseconds"]);
    for network in &status.networks {
        rows.push([
            (&network.name).into(),
            (&network.family).into(),
            network.measured.into(),
            status.images.into(),
            network.failures.into(),
            network.milliseconds.into(),
        ]);
    }
    rows
}

/// One row per network, set of images, output, derivative and generator.
pub fn study_rows(report: &StudyReport) -> Rows {
    let (_, classes) = report.attributed();
    let mut columns = vec![
        "network",
        "family",
        "set",
        "role",
        "output",
        "derivative",
        "generator",
        "images",
        "lee",
        "lee_low",
        "lee_high",
        "sem",
        "median",
        "geometric_mean",
        "geometric_mean_low",
        "geometric_mean_high",
        "relative",
        "images_effective",
        "labelled",
        "top1",
        "top1_low",
        "top1_high",
        "parameters",
        "milliseconds",
    ];
    columns.extend(study_layers::columns(&classes));
    let mut rows = Rows::new(columns);
    for network in &report.networks {
        for (set, on) in &network.sets {
            let role = report.sets.iter().find(|one| one.name == *set).map(|one| one.role.as_str());
            for error in &on.errors {
                let mut cells: Vec<Cell> = vec![
                    (&network.about.name).into(),
                    (&network.about.family).into(),
                    set.into(),
                    role.into(),
                    (&error.output).into(),
                    (&error.derivative).into(),
                    (&error.generator).into(),
                    on.images.into(),
                ];
                cells.extend(three(Some(&error.lee)));
                cells.extend([error.sem.into(), error.median.into()]);
                cells.extend(three(error.geometric_mean.as_ref()));
                cells.extend([error.relative.into(), error.images_effective.into(), on.labelled.into()]);
                cells.extend(three(on.accuracy.as_ref()));
                cells.extend([network.about.parameters.map(|count| count as i64).into(), on.milliseconds.into()]);
                let layers = on.by_layers(&error.output, &error.derivative, &error.generator);
                cells.extend(study_layers::cells(layers, &classes));
                rows.push(cells);
            }
        }
    }
    rows
}
