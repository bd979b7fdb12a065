//! Designs side by side as tidy rows.

use super::rows::{Cell, Rows};
use crate::antialias::Listed;
use crate::antialias::report::BenchReport;

/// One row per design.
pub fn antialias_rows(report: &BenchReport) -> Rows {
    let mut rows = Rows::new([
        "name",
        "kind",
        "guarantee",
        "channels",
        "predicted",
        "measured",
        "relative_difference",
        "integer_shift_error",
        "fractional_shift_error",
        "integer_shift_error_cropped",
        "fractional_shift_error_cropped",
        "passband_energy",
        "aliased_energy",
        "time_ms",
        "time_ratio",
        "time_multiplications",
        "memory_ratio",
        "operations",
        "cost_reference",
    ]);
    for design in &report.designs {
        let cells: [Cell; 19] = [
            (&design.name).into(),
            design.kind.to_string().into(),
            design.guarantee.to_string().into(),
            design.channels.into(),
            design.predicted.into(),
            design.measured.into(),
            design.relative_difference.into(),
            design.integer_shift_error.into(),
            design.fractional_shift_error.into(),
            design.integer_shift_error_cropped.into(),
            design.fractional_shift_error_cropped.into(),
            design.passband_energy.into(),
            design.aliased_energy.into(),
            design.time_ms.into(),
            design.time_ratio.into(),
            design.time_multiplications.into(),
            design.memory_ratio.into(),
            design.operations.into(),
            (&design.cost_reference).into(),
        ];
        rows.push(cells);
    }
    rows
}

/// One row per design that there is.
pub fn listed_rows(listed: &[Listed]) -> Rows {
    let mut rows = Rows::new(["name", "kind", "guarantee", "about"]);
    for design in listed {
        rows.push([
            (&design.name).into(),
            design.kind.to_string().into(),
            design.guarantee.to_string().into(),
            (&design.about).into(),
        ]);
    }
    rows
}
