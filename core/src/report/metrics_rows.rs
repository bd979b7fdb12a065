//! Metrics of a network as tidy rows.

use super::layer_metrics_rows::layer_metrics_rows;
use super::rows::Rows;
use crate::measure::metrics_report::{Measure, MetricsReport, Psnr};
use crate::statistics::Interval;

/// A measure's value, standard error, interval, and values by image.
type Of<'a> = (Option<f64>, Option<f64>, Option<Interval>, &'a [Option<f64>]);
type Measured<'a> = Option<Of<'a>>;

/// One row per measure that there is, PSNRs in decibels, empty where the error is 0; of a report on layers one row per layer
/// and measure. With `per_image` one for each image.
pub fn metrics_rows(report: &MetricsReport, per_image: bool) -> Rows {
    if let Some(layers) = &report.layers {
        return layer_metrics_rows(layers, per_image.then_some(&report.run.images));
    }
    if per_image {
        let mut rows = Rows::new(["image", "measure", "value"]);
        for (at, image) in report.run.images.names.iter().enumerate() {
            for (name, measured) in measures(report) {
                if let Some((_, _, _, by_image)) = measured {
                    rows.push([image.into(), name.into(), by_image.get(at).copied().flatten().into()]);
                }
            }
        }
        return rows;
    }
    let mut rows = Rows::new(["measure", "value", "sem", "low", "high", "images"]);
    for (name, measured) in measures(report) {
        if let Some((value, sem, interval, by_image)) = measured {
            rows.push([
                name.into(),
                value.into(),
                sem.into(),
                interval.map(|interval| interval.low).into(),
                interval.map(|interval| interval.high).into(),
                by_image.iter().flatten().count().into(),
            ]);
        }
    }
    rows
}

fn measures(report: &MetricsReport) -> [(&'static str, Measured<'_>); 16] {
    fn psnr(psnr: &Psnr) -> Of<'_> {
        // An error of 0 has no PSNR, and yet its image was measured.
        let by_image = if psnr.by_image.iter().any(Option::is_some) { &psnr.by_image } else { &psnr.mse.by_image };
        (psnr.value, psnr.sem, psnr.interval, by_image)
    }
    fn mean(measure: &Measure) -> Of<'_> {
        (Some(measure.value), measure.sem, measure.interval, &measure.by_image)
    }
    let m = &report.metrics;
    [
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
    ]
}
