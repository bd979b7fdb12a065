//! An attribution as CSV.

use std::fmt::Write;

use crate::measure::layers_report::{LayersReport, Part};

use super::text::quoted;

/// One row per layer, generator and derivative; a field that does not exist is empty.
///
/// Numbers have as many digits as it takes to read the same `f64` back.
pub fn layers_csv(report: &LayersReport) -> String {
    let mut text = String::from(
        "generator,derivative,name,op,module,class,sources,contribution,sem,signed_share,aliasing,aliasing_signed_share,\
         boundary,boundary_signed_share,discretisation,discretisation_signed_share,cumulative,local_error,\
         relative_local_error\n",
    );
    let optional = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
    let part = |part: Option<Part>| match part {
        Some(part) => format!("{},{}", part.contribution, optional(part.signed_share)),
        None => ",".to_owned(),
    };
    for results in report.results.all() {
        for layer in &results.layers {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}",
                quoted(&results.generator),
                results.derivative,
                quoted(&layer.name),
                quoted(&layer.op),
                quoted(&layer.module),
                layer.class.name(),
                layer.sources,
                layer.contribution,
                optional(layer.sem),
                optional(layer.signed_share),
                part(layer.aliasing),
                part(layer.boundary),
                part(layer.discretisation),
                layer.cumulative,
                layer.local_error,
                optional(layer.relative_local_error),
            );
        }
    }
    text
}
