//! `aliascope antialias` as tables for a terminal.

use std::fmt::Write;

use crate::antialias::Listed;
use crate::antialias::report::BenchReport;
use crate::figure::number::compact;

/// The designs side by side, and what the columns mean.
pub fn antialias_table(report: &BenchReport) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_bench(&mut text, report);
    text
}

/// Every design with its guarantee and source.
pub fn antialias_list(listed: &[Listed]) -> String {
    let mut text = String::new();
    let _ = write_list(&mut text, listed);
    text
}

fn write_bench(text: &mut String, report: &BenchReport) -> std::fmt::Result {
    writeln!(
        text,
        "{}: {n} x {n} samples, stride {}, velocity ({}, {}), {} padding",
        report.input,
        report.stride,
        report.velocity[0],
        report.velocity[1],
        report.protocol,
        n = report.samples
    )?;
    let width = report.designs.iter().map(|design| design.name.chars().count()).max().unwrap_or(0).max(6);
    let mut kind = None;
    // Below this a mean square is what rounding leaves of the slope's.
    let rounding = 1e-24 * report.slope_energy;
    let number = |value: f64| compact(value);
    let optional = |value: Option<f64>| value.map_or("-".to_owned(), compact);
    let error = |value: Option<f64>| match value {
        Some(value) if value < 1e-12 => "exact".to_owned(),
        Some(value) => compact(value),
        None => "-".to_owned(),
    };
    let energy = |value: f64| if value <= rounding { "0".to_owned() } else { number(value) };
    let share = |value: Option<f64>| match value {
        None => "-".to_owned(),
        Some(value) if value < 1e-20 => "0".to_owned(),
        Some(value) if value < 0.0005 => format!("{} %", compact(100.0 * value)),
        Some(value) => format!("{:.1} %", 100.0 * value),
    };
    for design in &report.designs {
        if kind != Some(design.kind) {
            kind = Some(design.kind);
            writeln!(
                text,
                "\n{:<width$} {:>10} {:>10} {:>9} {:>10} {:>10} {:>10} {:>8} {:>9} {:>7} {:>7}  guarantee",
                design.kind.to_string(),
                "predicted",
                "measured",
                "off by",
                "integer",
                "fraction",
                "cropped",
                "passes",
                "aliased",
                "time",
                "memory",
            )?;
        }
        writeln!(
            text,
            "{:<width$} {:>10} {:>10} {:>9} {:>10} {:>10} {:>10} {:>8} {:>9} {:>7} {:>7}  {}",
            design.name,
            design.predicted.map_or("-".to_owned(), energy),
            energy(design.measured),
            optional(design.relative_difference),
            error(design.integer_shift_error),
            error(design.fractional_shift_error),
            error(design.fractional_shift_error_cropped),
            share(design.passband_energy),
            share(design.aliased_energy),
            format!("{}x", compact(design.time_ratio)),
            design.memory_ratio.map_or("-".to_owned(), |ratio| format!("{}x", compact(ratio))),
            design.guarantee
        )?;
    }
    writeln!(
        text,
        "\npredicted, measured  mean square of the Lie derivative along the velocity, in lengths of the torus; of the slope\n\
         \x20                    itself it is {}\n\
         integer, fraction    worst relative error of the output under circular shifts; exact: below 1e-12\n\
         cropped              fractions again, on a window that the layer pads by reflection\n\
         passes, aliased      energy kept in the coarser grid's band; share of energy that folds\n\
         time, memory         over the plainest design of its kind",
        compact(report.slope_energy)
    )
}

fn write_list(text: &mut String, listed: &[Listed]) -> std::fmt::Result {
    let width = listed.iter().map(|design| design.name.chars().count()).max().unwrap_or(0);
    let mut kind = None;
    for design in listed {
        if kind != Some(design.kind) {
            let line = if kind.is_some() { "\n" } else { "" };
            kind = Some(design.kind);
            writeln!(text, "{line}{}", design.kind)?;
        }
        writeln!(text, "  {:<width$}  {:<11}  {}", design.name, design.guarantee, design.about)?;
    }
    writeln!(text, "\nNames take arguments, which each has a default for:")?;
    for entry in crate::antialias::CATALOGUE.iter().filter(|entry| !entry.note.is_empty()) {
        writeln!(text, "  {:<44}  {}", entry.form, entry.note)?;
    }
    writeln!(
        text,
        "\nguarantee: integer and fractional are exact under circular shifts by whole samples or by any fraction, of\n\
         input that the coarser grid's band holds; approximate is less aliasing and no exactness"
    )
}
