//! A field of motion as tidy rows.

use super::rows::{Cell, Rows};
use crate::measure::field_report::FieldReport;

/// One row per motion, the steepest motions of size 1 last; with `per_image` one per image and motion, with the image's
/// values.
pub fn field_rows(report: &FieldReport, per_image: bool) -> Rows {
    if per_image {
        return by_image(report);
    }
    let mut rows = Rows::new(["name", "rms_derivative", "gain"]);
    for (name, motion) in &report.motions {
        rows.push([name.into(), motion.rms.into(), motion.gain.into()]);
    }
    rows.push(["best affine".into(), Cell::Empty, report.steepest.affine.into()]);
    rows.push(["worst smooth".into(), Cell::Empty, report.steepest.smooth.into()]);
    rows
}

fn by_image(report: &FieldReport) -> Rows {
    let mut rows = Rows::new([
        "image",
        "name",
        "derivative",
        "scalar",
        "class",
        "other",
        "smooth",
        "affine",
        "distance",
        "stability",
    ]);
    for (at, (image, found)) in report.run.images.names.iter().zip(&report.by_image).enumerate() {
        let [above, below] = found.stability;
        for (name, motion) in &report.motions {
            rows.push([
                image.into(),
                name.into(),
                motion.by_image.get(at).copied().into(),
                found.value.into(),
                found.class.into(),
                found.other.into(),
                found.smooth.into(),
                found.affine.into(),
                found.distance.into(),
                (below > 0.0).then(|| above / below).into(),
            ]);
        }
    }
    rows
}
