//! Metrics of a network as tidy rows.

use super::layer_metrics_rows::layer_metrics_rows;
use super::rows::Rows;
use crate::measure::metrics_report::MetricsReport;

/// One row per measure that there is, PSNRs in decibels, empty where the error is 0; of a report on layers one row per
/// layer and measure. With `per_image` one for each image.
pub fn metrics_rows(report: &MetricsReport, per_image: bool) -> Rows {
    if let Some(layers) = &report.layers {
        return layer_metrics_rows(layers, per_image.then_some(&report.run.images));
    }
    let list = report.list();
    if per_image {
        let mut rows = Rows::new(["image", "measure", "value"]);
        for (at, image) in report.run.images.names.iter().enumerate() {
            for metric in &list {
                let value = metric.by_image.get(at).copied().flatten();
                rows.push([image.into(), metric.field.into(), value.into()]);
            }
        }
        return rows;
    }
    let mut rows = Rows::new([
        "measure",
        "value",
        "sem",
        "low",
        "high",
        "geometric_mean",
        "geometric_mean_low",
        "geometric_mean_high",
        "images",
    ]);
    for metric in &list {
        rows.push([
            metric.field.into(),
            metric.value.into(),
            metric.sem.into(),
            metric.interval.map(|interval| interval.low).into(),
            metric.interval.map(|interval| interval.high).into(),
            metric.geometric_mean.map(|mean| mean.value).into(),
            metric.geometric_mean.and_then(|mean| mean.interval).map(|interval| interval.low).into(),
            metric.geometric_mean.and_then(|mean| mean.interval).map(|interval| interval.high).into(),
            metric.images.into(),
        ]);
    }
    rows
}
