//! A LEE report as text for a terminal.

use crate::figure::number::compact;
use crate::figure::style::printable;
use crate::measure::lee_report::{Accuracy, GeneratorLee, InputUnits, LeeReport};
use crate::measure::run::{Run, counted};
use crate::symmetry::Units;

use super::sample_size::sample_size;
use super::text::{GAP, bar, pad_left, pad_right, shortened, wrapped};

/// The least width that holds the numbers.
const LEAST_WIDTH: usize = 60;
/// The bars end here even on a wide terminal: longer ones say no more.
const LONGEST_BAR: usize = 30;

/// The report as lines of at most `width` columns (taken as 60 where it is less), without colours.
///
/// Generators with LEE ± standard error, E|L|, relative LEE and a bar; the symmetry spectrum in words; what was
/// assumed; what it cost.
pub fn lee_table(report: &LeeReport, width: usize) -> String {
    let width = width.max(LEAST_WIDTH);
    let mut lines = vec![heading(report), reason(&report.run), String::new()];
    lines.extend(generators(report, width));
    lines.extend(worth(report));
    lines.extend(spectrum(report));
    lines.push(String::new());
    lines.extend(report.accuracy.as_ref().map(accuracy));
    lines.extend(assumptions(report));
    lines.push(cost(report));
    let mut text = String::new();
    for line in lines.iter().flat_map(|line| wrapped(&printable(line), width)) {
        text += line.trim_end();
        text.push('\n');
    }
    text
}

fn heading(report: &LeeReport) -> String {
    let images = report.run.images.in_words();
    let shape = report.run.model.output_shape_in_words();
    let what = report.run.what();
    format!("{}: Lie derivatives of {what} ({shape}), mean over {images}", report.run.model.path)
}

/// Why that is measured, and why it moves as it does.
pub(super) fn reason(run: &Run) -> String {
    run.output.as_ref().map(|output| output.reason.clone()).unwrap_or_default()
}

fn generators(report: &LeeReport, width: usize) -> Vec<String> {
    let mut rows = vec![["generator", "LEE", "± s.e.m.", "mean |L|", "relative"].map(str::to_owned)];
    rows.extend(report.generators.iter().map(|(name, lee)| cells(name, lee)));
    let mut columns = [0; 5];
    for row in &rows {
        for (column, cell) in columns.iter_mut().zip(row) {
            *column = (*column).max(cell.chars().count());
        }
    }
    // A combination may be named at any length; numbers may not be pushed off the screen.
    let numbers: usize = columns[1..].iter().map(|column| column + GAP.len()).sum();
    columns[0] = columns[0].min(width.saturating_sub(numbers).max(11));
    let room = width.saturating_sub(columns[0] + numbers + GAP.len()).min(LONGEST_BAR);
    let largest = report.generators.values().map(|lee| lee.lee).fold(0.0, f64::max);
    let bars = std::iter::once(String::new()).chain(report.generators.values().map(|lee| bar(lee.lee, largest, room)));
    rows.iter()
        .zip(bars)
        .map(|(row, bar)| {
            let mut line = pad_right(&shortened(&row[0], columns[0]), columns[0]);
            for (cell, column) in row.iter().zip(columns).skip(1) {
                line += GAP;
                line += &pad_left(cell, column);
            }
            line + GAP + &bar
        })
        .collect()
}

/// What the mean is worth of the generator of which it is worth least.
fn worth(report: &LeeReport) -> Option<String> {
    let least = |(_, a): &(&String, &GeneratorLee), (_, b): &(&String, &GeneratorLee)| {
        let effective = |of: &GeneratorLee| of.images_effective.unwrap_or(f64::INFINITY);
        effective(a).total_cmp(&effective(b))
    };
    let (name, lee) = report.generators.iter().min_by(least)?;
    Some(format!(
        "LEE of {name}: {}; the other generators have more.",
        sample_size(&lee.by_image.lee, &report.run.images)?
    ))
}

fn cells(name: &str, lee: &GeneratorLee) -> [String; 5] {
    let optional = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), compact);
    let sem = lee.sem.map_or_else(|| "–".to_owned(), |sem| format!("± {}", compact(sem)));
    [name.to_owned(), compact(lee.lee), sem, compact(lee.mean_abs), optional(lee.relative)]
}

fn spectrum(report: &LeeReport) -> Vec<String> {
    if report.symmetry_spectrum.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![
        String::new(),
        format!(
            "Symmetry spectrum of the affine algebra, least equivariant first (relative LEE, generators scaled to \
             E‖A x‖² = 1; sizes of x in {}):",
            if report.input_units == InputUnits::Photo { "pixel values of 0 to 1" } else { "units of the input" }
        ),
    ];
    let values: Vec<String> = report.symmetry_spectrum.iter().map(|d| compact(d.eigenvalue.max(0.0))).collect();
    let column = values.iter().map(|value| value.chars().count()).max().unwrap_or(0);
    for (value, direction) in values.iter().zip(&report.symmetry_spectrum) {
        lines.push(format!("{GAP}{}{GAP}{}", pad_left(value, column), direction.words()));
    }
    lines
}

fn accuracy(of: &Accuracy) -> String {
    let images = counted(of.images, "image");
    format!("Top-1 accuracy {:.1} %: {} of {images} with a known class.", 100.0 * of.top1, of.right)
}

fn assumptions(report: &LeeReport) -> [String; 2] {
    let unit = if report.run.lie().units == Units::Pixel { "pixels" } else { "half-widths of the image" };
    [
        format!("t is in {unit}."),
        format!(
            "Derivative {}, boundary {}, grid {}; preprocessing {}; {} on {}.",
            report.run.lie().derivative,
            report.run.lie().boundary,
            report.run.lie().grid,
            report.run.images.preprocess,
            report.run.arithmetic(),
            report.run.device
        ),
    ]
}

fn cost(report: &LeeReport) -> String {
    let timing = &report.timing;
    let times = |forward: f64| if forward > 0.0 { compact(timing.sweep_ms / forward) } else { "–".to_owned() };
    let mut line = format!(
        "One sweep (value and {}) took {} ms",
        counted(report.gram.order.len(), "tangent"),
        compact(timing.sweep_ms)
    );
    if let Some(forward) = timing.forward_ms {
        line += &format!(", {} × one forward of {} ms", times(forward), compact(forward));
    }
    if let Some(batch) = timing.forward_batch8_ms {
        line += &format!(", {} × a forward of 8 images of {} ms", times(batch), compact(batch));
    }
    line + "."
}
