//! A LEE report as tidy rows.

use super::rows::{Cell, Rows};
use crate::measure::lee_report::LeeReport;

/// One row per generator; with `per_image` one per image and generator, with the image's own values and predicted class.
pub fn lee_rows(report: &LeeReport, per_image: bool) -> Rows {
    if per_image {
        return by_image(report);
    }
    let mut rows = Rows::new(["name", "lee", "sem", "mean_abs", "relative", "images_effective"]);
    for (name, lee) in &report.generators {
        rows.push([
            name.into(),
            lee.lee.into(),
            lee.sem.into(),
            lee.mean_abs.into(),
            lee.relative.into(),
            lee.images_effective.into(),
        ]);
    }
    rows
}

fn by_image(report: &LeeReport) -> Rows {
    let mut rows = Rows::new(["image", "name", "lee", "mean_abs", "input_energy", "predicted"]);
    for (at, image) in report.run.images.names.iter().enumerate() {
        for (name, lee) in &report.generators {
            let value = |of: &[f64]| Cell::from(of.get(at).copied());
            rows.push([
                image.into(),
                name.into(),
                value(&lee.by_image.lee),
                value(&lee.by_image.mean_abs),
                value(&lee.by_image.input_energy),
                report.predicted.as_ref().and_then(|classes| classes.get(at).copied()).into(),
            ]);
        }
    }
    rows
}
