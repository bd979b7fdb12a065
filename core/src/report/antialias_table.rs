//! `aliascope antialias` as tables for a terminal.

use super::table::{Side, Table};
use super::text::{GAP, NONE, page};
use crate::antialias::report::{BenchReport, DesignResult};
use crate::antialias::{Entry, Listed};
use crate::number::{compact, percent};

/// The designs side by side, and what the columns mean.
///
/// In lines of at most `width` columns (taken as 80 where it is less).
pub fn antialias_table(report: &BenchReport, width: usize) -> String {
    let width = width.max(80);
    let mut lines = vec![format!(
        "{}: {n} x {n} samples, stride {}, velocity ({}, {}), {} padding",
        report.input,
        report.stride,
        report.velocity[0],
        report.velocity[1],
        report.protocol,
        n = report.samples
    )];
    for kind in report.designs.chunk_by(|a, b| a.kind == b.kind) {
        lines.push(String::new());
        lines.extend(designs(kind, report.slope_energy).lines(width));
    }
    lines.push(String::new());
    let slope = format!(
        "mean square of the Lie derivative along the velocity, in lengths of the torus; of the slope itself it is {}",
        compact(report.slope_energy)
    );
    let legend = Table::of_terms([
        ("predicted, measured", slope.as_str()),
        ("integer, fraction", "worst relative error of the output under circular shifts; exact: below 1e-12"),
        ("cropped", "fractions again, on a window that the layer pads by reflection"),
        ("passes, aliased", "energy kept in the coarser grid's band; share of energy that folds"),
        ("time, multiplies", report.protocols.time.as_str()),
        ("ratio, memory", "over the plainest design of its kind"),
    ]);
    lines.extend(legend.lines(width));
    page(&lines, width)
}

/// Every design with its guarantee and source, and what may be put in the names of `catalogue`, in lines of at most
/// `width` columns (taken as 80 where it is less).
pub fn antialias_list(listed: &[Listed], catalogue: &[Entry], width: usize) -> String {
    let width = width.max(80);
    let mut lines = Vec::new();
    let mut table = Table::new([("design", Side::Words), ("guarantee", Side::Words), ("", Side::Prose)]);
    for kind in listed.chunk_by(|a, b| a.kind == b.kind) {
        table.push([kind[0].kind.to_string()]);
        for design in kind {
            table.push([format!("{GAP}{}", design.name), design.guarantee.to_string(), design.about.clone()]);
        }
    }
    lines.extend(table.lines(width));
    lines.extend([String::new(), "Names take arguments, which each has a default for:".to_owned()]);
    let noted = catalogue.iter().filter(|entry| !entry.note.is_empty());
    for entry in noted {
        lines.push(format!("{GAP}{}", entry.form));
        lines.extend(Table::of_terms([(GAP, entry.note.as_str())]).lines(width));
    }
    lines.extend([
        String::new(),
        "guarantee: integer and fractional are exact under circular shifts by whole samples or by any fraction, of input that \
         the coarser grid's band holds; approximate is less aliasing and no exactness"
            .to_owned(),
    ]);
    page(&lines, width)
}

/// Designs of one kind.
fn designs(designs: &[DesignResult], slope_energy: f64) -> Table {
    // Below this a mean square is what rounding leaves of the slope's.
    let rounding = 1e-24 * slope_energy;
    let optional = |value: Option<f64>| value.map_or(NONE.to_owned(), compact);
    let error = |value: Option<f64>| match value {
        Some(value) if value < 1e-12 => "exact".to_owned(),
        Some(value) => compact(value),
        None => NONE.to_owned(),
    };
    let energy = |value: f64| if value <= rounding { "0".to_owned() } else { compact(value) };
    let share = |value: Option<f64>| match value {
        None => NONE.to_owned(),
        Some(value) if value < 1e-20 => "0".to_owned(),
        Some(value) if value < 0.0005 => format!("{} %", compact(100.0 * value)),
        Some(value) => percent(value, 1),
    };
    let kind = designs.first().map_or_else(String::new, |design| design.kind.to_string());
    let mut table = Table::new([
        (kind.as_str(), Side::Words),
        ("predicted", Side::Numbers),
        ("measured", Side::Numbers),
        ("off by", Side::Numbers),
        ("integer", Side::Numbers),
        ("fraction", Side::Numbers),
        ("cropped", Side::Numbers),
        ("passes", Side::Numbers),
        ("aliased", Side::Numbers),
        ("time, ms", Side::Numbers),
        ("ratio", Side::Numbers),
        ("multiplies", Side::Numbers),
        ("memory", Side::Numbers),
        ("guarantee", Side::Words),
    ]);
    for design in designs {
        table.push([
            design.name.clone(),
            design.predicted.map_or(NONE.to_owned(), energy),
            energy(design.measured),
            optional(design.relative_difference),
            error(design.integer_shift_error),
            error(design.fractional_shift_error),
            error(design.fractional_shift_error_cropped),
            share(design.passband_energy),
            share(design.aliased_energy),
            compact(design.time_ms),
            format!("{}x", compact(design.time_ratio)),
            design.time_multiplications.map_or(NONE.to_owned(), millions),
            design.memory_ratio.map_or(NONE.to_owned(), |ratio| format!("{}x", compact(ratio))),
            design.guarantee.to_string(),
        ]);
    }
    table
}

/// A count of multiplications, such as `1.8 M`.
fn millions(count: f64) -> String {
    format!("{} M", compact(count / 1e6))
}
