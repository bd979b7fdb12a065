//! A LEE report as tidy rows.

use super::rows::{Cell, Rows};
use crate::measure::lee_report::LeeReport;
use crate::statistics::{Estimate, Interval};

/// One row per generator, every measure with the ends of its interval of 95 %; with `per_image` one per image and generator,
/// with the image's own values and predicted class.
pub fn lee_rows(report: &LeeReport, per_image: bool) -> Rows {
    if per_image {
        return by_image(report);
    }
    let mut rows = Rows::new([
        "name",
        "geometric_mean",
        "geometric_mean_low",
        "geometric_mean_high",
        "lee",
        "lee_low",
        "lee_high",
        "sem",
        "images_effective",
        "mean_abs",
        "relative_geometric_mean",
        "relative_geometric_mean_low",
        "relative_geometric_mean_high",
        "relative",
        "relative_low",
        "relative_high",
        "fisher_geometric_mean",
        "fisher_geometric_mean_low",
        "fisher_geometric_mean_high",
        "margin_rate_median",
        "margin_rate_median_low",
        "margin_rate_median_high",
    ]);
    for (name, lee) in &report.generators {
        let mut cells: Vec<Cell> = vec![name.into()];
        cells.extend(estimate(lee.summary.geometric_mean));
        cells.extend(estimate(Some(Estimate { value: lee.lee, interval: lee.summary.mean.interval })));
        cells.extend([lee.sem.into(), lee.summary.effective_count.into(), lee.mean_abs.into()]);
        cells.extend(estimate(lee.relative_geometric_mean));
        cells.extend(estimate(lee.relative.map(|value| Estimate { value, interval: lee.relative_interval })));
        cells.extend(estimate(lee.fisher.as_ref().and_then(|fisher| fisher.geometric_mean)));
        cells.extend(estimate(lee.margin_rate.map(|rate| rate.median)));
        rows.push(cells);
    }
    rows
}

/// The value and the ends of its interval.
fn estimate(of: Option<Estimate>) -> [Cell; 3] {
    let interval = of.and_then(|estimate| estimate.interval);
    let end = |end: fn(Interval) -> f64| Cell::from(interval.map(end));
    [of.map(|estimate| estimate.value).into(), end(|interval| interval.low), end(|interval| interval.high)]
}

fn by_image(report: &LeeReport) -> Rows {
    let mut rows =
        Rows::new(["image", "name", "lee", "mean_abs", "input_energy", "fisher", "margin_rate", "predicted"]);
    for (at, image) in report.run.images.names.iter().enumerate() {
        for (name, lee) in &report.generators {
            let value = |of: &[f64]| Cell::from(of.get(at).copied());
            let by_image = &lee.by_image;
            let own = |of: Option<&Vec<Option<f64>>>| Cell::from(of.and_then(|of| of.get(at).copied()).flatten());
            rows.push([
                image.into(),
                name.into(),
                value(&by_image.lee),
                value(&by_image.mean_abs),
                value(&by_image.input_energy),
                value(by_image.fisher.as_deref().unwrap_or_default()),
                own(by_image.margin_rate.as_ref()),
                report.predicted.as_ref().and_then(|classes| classes.get(at).copied()).into(),
            ]);
        }
    }
    rows
}
