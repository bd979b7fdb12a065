//! Metrics of a whole network as CSV.

use std::fmt::Write;

use crate::measure::metrics_report::{Measure, MetricsReport, Psnr};

/// One row per measure that there is: `measure,value,sem,images`; PSNRs in decibels, empty where the error is 0.
///
/// Numbers have as many digits as it takes to read the same `f64` back.
pub fn metrics_csv(report: &MetricsReport) -> String {
    let m = &report.metrics;
    let optional = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
    let count = |by_image: &[Option<f64>]| by_image.iter().flatten().count();
    let psnr = |psnr: &Psnr| (psnr.value, psnr.sem, count(&psnr.mse.by_image));
    let mean = |measure: &Measure| (Some(measure.value), measure.sem, count(&measure.by_image));
    let rows = [
        ("eq_t", m.eq_t.as_ref().map(psnr)),
        ("eq_t_frac", m.eq_t_frac.as_ref().map(psnr)),
        ("eq_r", m.eq_r.as_ref().map(psnr)),
        ("mse_eq_t", m.mse_eq_t.as_ref().map(mean)),
        ("mse_eq_t_frac", m.mse_eq_t_frac.as_ref().map(mean)),
        ("mse_eq_r", m.mse_eq_r.as_ref().map(mean)),
        ("consistency_integer_circular", m.consistency_integer_circular.as_ref().map(mean)),
        ("consistency_half_pixel_circular", m.consistency_half_pixel_circular.as_ref().map(mean)),
        ("consistency_integer_cropped", m.consistency_integer_cropped.as_ref().map(mean)),
        ("consistency_half_pixel_cropped", m.consistency_half_pixel_cropped.as_ref().map(mean)),
        ("sample_invariance_translate_x", m.sample_invariance_translate_x.as_ref().map(mean)),
        ("sample_invariance_rotate", m.sample_invariance_rotate.as_ref().map(mean)),
        ("consistency_authors_columns", m.consistency_authors_columns.as_ref().map(mean)),
        ("consistency_authors_rows", m.consistency_authors_rows.as_ref().map(mean)),
        ("sample_invariance_authors_x", m.sample_invariance_authors_x.as_ref().map(mean)),
        ("sample_invariance_authors_y", m.sample_invariance_authors_y.as_ref().map(mean)),
    ];
    let mut text = String::from("measure,value,sem,images\n");
    for (name, row) in rows {
        if let Some((value, sem, images)) = row {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name},{},{},{images}", optional(value), optional(sem));
        }
    }
    text
}
