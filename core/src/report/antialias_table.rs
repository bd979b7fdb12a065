//! `aliascope antialias` as tables for a terminal.

use std::fmt::Write;

use super::text::{blocks, pad_right, wrapped};
use crate::antialias::report::{BenchReport, DesignResult};
use crate::antialias::{Entry, Listed};
use crate::figure::number::compact;

/// The designs side by side, and what the columns mean.
///
/// In lines of at most `width` columns (taken as 80 where it is less).
pub fn antialias_table(report: &BenchReport, width: usize) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_bench(&mut text, report, width.max(80));
    text
}

/// Every design with its guarantee and source, and what may be put in the names of `catalogue`, in lines of at most
/// `width` columns (taken as 80 where it is less).
pub fn antialias_list(listed: &[Listed], catalogue: &[Entry], width: usize) -> String {
    let mut text = String::new();
    let _ = write_list(&mut text, listed, catalogue, width.max(80));
    text
}

fn lines(text: &mut String, line: &str, width: usize) -> std::fmt::Result {
    wrapped(line, width).iter().try_for_each(|line| writeln!(text, "{}", line.trim_end()))
}

/// A term and what it means, the meaning in lines beside it.
fn explained(text: &mut String, term: &str, indent: usize, meaning: &str, width: usize) -> std::fmt::Result {
    // Lines behind the first one begin with a gap of their own.
    for (at, line) in wrapped(meaning, width.saturating_sub(indent)).iter().enumerate() {
        match at {
            0 => writeln!(text, "{}{line}", pad_right(term, indent))?,
            _ => writeln!(text, "{}{}", " ".repeat(indent), line.trim_start())?,
        }
    }
    Ok(())
}

fn write_bench(text: &mut String, report: &BenchReport, width: usize) -> std::fmt::Result {
    lines(
        text,
        &format!(
            "{}: {n} x {n} samples, stride {}, velocity ({}, {}), {} padding",
            report.input,
            report.stride,
            report.velocity[0],
            report.velocity[1],
            report.protocol,
            n = report.samples
        ),
        width,
    )?;
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
    for kind in report.designs.chunk_by(|a, b| a.kind == b.kind) {
        let head = [
            kind[0].kind.to_string().as_str(),
            "predicted",
            "measured",
            "off by",
            "integer",
            "fraction",
            "cropped",
            "passes",
            "aliased",
            "time, ms",
            "ratio",
            "multiplies",
            "memory",
            "guarantee",
        ]
        .map(str::to_owned)
        .to_vec();
        let row = |design: &DesignResult| {
            vec![
                design.name.clone(),
                design.predicted.map_or("-".to_owned(), energy),
                energy(design.measured),
                optional(design.relative_difference),
                error(design.integer_shift_error),
                error(design.fractional_shift_error),
                error(design.fractional_shift_error_cropped),
                share(design.passband_energy),
                share(design.aliased_energy),
                compact(design.time_ms),
                format!("{}x", compact(design.time_ratio)),
                design.time_multiplications.map_or("-".to_owned(), millions),
                design.memory_ratio.map_or("-".to_owned(), |ratio| format!("{}x", compact(ratio))),
                design.guarantee.to_string(),
            ]
        };
        let rows: Vec<Vec<String>> = std::iter::once(head).chain(kind.iter().map(row)).collect();
        writeln!(text)?;
        for line in blocks(&rows, width) {
            writeln!(text, "{line}")?;
        }
    }
    writeln!(text)?;
    let slope = format!(
        "mean square of the Lie derivative along the velocity, in lengths of the torus; of the slope itself it is {}",
        compact(report.slope_energy)
    );
    for (term, meaning) in [
        ("predicted, measured", slope.as_str()),
        ("integer, fraction", "worst relative error of the output under circular shifts; exact: below 1e-12"),
        ("cropped", "fractions again, on a window that the layer pads by reflection"),
        ("passes, aliased", "energy kept in the coarser grid's band; share of energy that folds"),
        ("time, multiplies", report.protocols.time.as_str()),
        ("ratio, memory", "over the plainest design of its kind"),
    ] {
        explained(text, term, 21, meaning, width)?;
    }
    Ok(())
}

/// A count of multiplications, such as `1.8 M`.
fn millions(count: f64) -> String {
    format!("{} M", compact(count / 1e6))
}

fn write_list(text: &mut String, listed: &[Listed], catalogue: &[Entry], width: usize) -> std::fmt::Result {
    let name = listed.iter().map(|design| design.name.chars().count()).max().unwrap_or(0);
    for (at, kind) in listed.chunk_by(|a, b| a.kind == b.kind).enumerate() {
        writeln!(text, "{}{}", if at > 0 { "\n" } else { "" }, kind[0].kind)?;
        for design in kind {
            let term = format!("  {}  {:<11}", pad_right(&design.name, name), design.guarantee.to_string());
            explained(text, &term, name + 17, &design.about, width)?;
        }
    }
    writeln!(text, "\nNames take arguments, which each has a default for:")?;
    let entries = || catalogue.iter().filter(|entry| !entry.note.is_empty());
    let form = entries().map(|entry| entry.form.chars().count()).max().unwrap_or(0) + 4;
    for entry in entries() {
        if form <= width / 2 {
            explained(text, &format!("  {}", entry.form), form, &entry.note, width)?;
        } else {
            writeln!(text, "  {}", entry.form)?;
            explained(text, "", 6, &entry.note, width)?;
        }
    }
    writeln!(text)?;
    lines(
        text,
        "guarantee: integer and fractional are exact under circular shifts by whole samples or by any fraction, of input that \
         the coarser grid's band holds; approximate is less aliasing and no exactness",
        width,
    )
}
