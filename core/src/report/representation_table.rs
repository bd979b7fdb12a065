//! Learned representations as text for a terminal, and as rows.

use crate::measure::representation_report::{Representation, RepresentationReport};
use crate::number::compact;
use crate::symmetry::Units;

use super::rows::Rows;
use super::table::blocks;
use super::text::page;

/// The least width that holds the numbers.
const LEAST_WIDTH: usize = 60;
/// Matrices of so many channels are printed.
const SMALL: usize = 4;

/// One row per generator.
pub fn representation_rows(report: &RepresentationReport) -> Rows {
    let mut rows = Rows::new(["name", "lee", "held_out", "fitted", "explained", "still", "alone", "antisymmetric"]);
    for (name, found) in &report.generators {
        rows.push([
            name.into(),
            found.lee.into(),
            found.held_out.into(),
            found.fitted.into(),
            found.explained.into(),
            found.still.into(),
            found.alone.into(),
            found.antisymmetric.into(),
        ]);
    }
    rows
}

/// The report as lines of at most `width` columns (taken as 60 where it is less).
pub fn representation_table(report: &RepresentationReport, width: usize) -> String {
    let width = width.max(LEAST_WIDTH);
    let unit = if report.run.lie().units == Units::Pixel { "pixels" } else { "half-widths of the image" };
    let mut lines = vec![
        format!(
            "{}: linear actions on the {} channels of {} ({}), {}",
            report.run.model.path,
            report.channels,
            report.run.what(),
            report.run.model.output_shape_in_words(),
            report.run.images.in_words()
        ),
        report.run.output.as_ref().map(|output| output.reason.clone()).unwrap_or_default(),
        String::new(),
    ];
    let percent = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), |share| format!("{:.1} %", 100.0 * share));
    let mut rows =
        vec![["generator", "LEE", "with M", "explained", "M alone", "still", "turns"].map(str::to_owned).to_vec()];
    for (name, found) in &report.generators {
        rows.push(vec![
            name.clone(),
            compact(found.lee),
            compact(found.held_out),
            percent(found.explained).replace('-', "−"),
            compact(found.alone),
            compact(found.still),
            percent(found.antisymmetric),
        ]);
    }
    lines.extend(blocks(&rows, width));
    lines.push(String::new());
    lines.push(format!(
        "LEE: E‖Df[A x] − A f‖²/dim. with M: what is left beside the matrix M over channels that explains most of it, fitted to \
         one half of the data and evaluated on the other ({}), both ways; explained: the share that it takes away, below 0 where \
         M fits noise. M alone: M f in place of A f. still: no action. turns: the antisymmetric share of M.",
        report.halves.in_words()
    ));
    if report.samples < 10 * report.channels {
        lines.push(format!(
            "There are {} places for {} channels: give more images before an M is read from this.",
            report.samples, report.channels
        ));
    }
    lines.extend(report.generators.iter().flat_map(|(name, found)| matrix(name, found)));
    lines.push(String::new());
    lines.push(format!("t is in {unit}."));
    let lie = report.run.lie();
    let [forward, sweep] = report.timing;
    lines.push(format!(
        "Derivative {}, boundary {}, grid {}; preprocessing {}; {} on {}. A sweep of {} took {} ms, {} × one forward pass of {} ms.",
        lie.derivative,
        lie.boundary,
        lie.grid,
        report.run.images.preprocess,
        report.run.arithmetic(),
        report.run.device,
        crate::measure::run::counted(report.generators.len(), "tangent"),
        compact(sweep),
        if forward > 0.0 { compact(sweep / forward) } else { "–".to_owned() },
        compact(forward)
    ));
    page(&lines, width)
}

/// A small M that explains at least half of the error.
fn matrix(name: &str, found: &Representation) -> Option<String> {
    let matrix = found.matrix.as_ref().filter(|matrix| matrix.len() <= SMALL && found.explained >= Some(0.5))?;
    let row =
        |row: &Vec<f64>| row.iter().map(|value| format!("{value:.3}").replace('-', "−")).collect::<Vec<_>>().join(", ");
    Some(format!("M under {name}: [{}]", matrix.iter().map(row).collect::<Vec<_>>().join("; ")))
}
