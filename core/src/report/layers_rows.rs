//! An attribution as tidy rows.

use super::octaves_table;
use super::rows::{Cell, Rows};
use crate::measure::layers_report::{DefectPart, LayersReport, Part};
use crate::statistics::Interval;

/// One row per layer, generator and derivative; with `per_image` one per image, layer, generator and derivative.
pub fn layers_rows(report: &LayersReport, per_image: bool) -> Rows {
    if per_image {
        return by_image(report);
    }
    let mut columns = vec![
        "generator",
        "derivative",
        "name",
        "op",
        "module",
        "class",
        "sources",
        "contribution",
        "sem",
        "geometric_mean",
        "geometric_mean_low",
        "geometric_mean_high",
        "signed_share",
        "removal_gain",
        "removal_gain_sem",
        "aliasing",
        "aliasing_signed_share",
        "kernel",
        "kernel_signed_share",
        "boundary",
        "boundary_signed_share",
        "discretisation",
        "discretisation_signed_share",
        "cumulative",
        "local_error",
        "relative_local_error",
    ];
    if report.results.all().iter().flat_map(|results| &results.layers).any(|layer| layer.octaves.is_some()) {
        columns.extend(octaves_table::COLUMNS);
    }
    let mut rows = Rows::new(columns);
    for results in report.results.all() {
        for layer in &results.layers {
            let part = |part: Option<Part>| {
                [part.map(|part| part.contribution).into(), part.and_then(|part| part.signed_share).into()]
            };
            let interval = layer.geometric_mean.and_then(|mean| mean.interval);
            let end = |of: fn(Interval) -> f64| Cell::from(interval.map(of));
            let mut cells: Vec<Cell> = vec![
                (&results.generator).into(),
                results.derivative.name().into(),
                (&layer.name).into(),
                (&layer.op).into(),
                (&layer.module).into(),
                layer.class.name().into(),
                layer.sources.into(),
                layer.contribution.into(),
                layer.sem.into(),
                layer.geometric_mean.map(|mean| mean.value).into(),
                end(|interval| interval.low),
                end(|interval| interval.high),
                layer.signed_share.into(),
                layer.removal_gain.into(),
                layer.removal_gain_sem.into(),
            ];
            cells.extend(DefectPart::ALL.into_iter().flat_map(|of| part(layer.part(of))));
            cells.extend([layer.cumulative.into(), layer.local_error.into(), layer.relative_local_error.into()]);
            cells.extend(octaves_table::cells(layer));
            rows.push(cells);
        }
    }
    rows
}

fn by_image(report: &LayersReport) -> Rows {
    let mut rows = Rows::new([
        "image",
        "generator",
        "derivative",
        "name",
        "class",
        "contribution",
        "lee",
        "mean_abs",
        "input_energy",
        "predicted",
    ]);
    let predicted = |at: usize| report.predicted.as_ref().and_then(|classes| classes.get(at).copied());
    for (at, image) in report.run.images.names.iter().enumerate() {
        for results in report.results.all() {
            for layer in &results.layers {
                rows.push([
                    image.into(),
                    (&results.generator).into(),
                    results.derivative.name().into(),
                    (&layer.name).into(),
                    layer.class.name().into(),
                    layer.by_image.get(at).copied().into(),
                    results.lee_by_image.get(at).copied().into(),
                    results.mean_abs_by_image.get(at).copied().into(),
                    results.input_energy_by_image.get(at).copied().into(),
                    predicted(at).into(),
                ]);
            }
        }
    }
    rows
}
