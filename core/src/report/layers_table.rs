//! An attribution as text for a terminal.

use crate::figure::style::printable;
use crate::measure::layers_report::{DefectPart, LayerReport, LayerResults, LayersReport, NodeSpectrum, Part};
use crate::measure::run::Images;
use crate::number::{self, compact, milliseconds};
use crate::spectrum::differentiation::Scheme;

use super::lee_table::reason;
use super::sample_size::sample_size;
use super::table::blocks;
use super::text::{GAP, bar, pad_left, pad_right, tail, wrapped};

/// The least width that holds the numbers.
const LEAST_WIDTH: usize = 80;
/// What is left of a layer's name at least; where it has less room, columns go below.
const LEAST_NAME: usize = 12;
/// Bars do without the room that names up to this length need.
const LONG_NAME: usize = 24;
/// The least room of a bar.
const LEAST_BAR: usize = 8;

/// The report as lines of at most `width` columns (taken as 80 where it is less): for each generator and derivative
/// the `top` worst layers, the sums by class of layer, and the proof that the parts add up to the whole.
pub fn layers_table(report: &LayersReport, top: usize, width: usize) -> String {
    let width = width.max(LEAST_WIDTH);
    let images = report.run.images.in_words();
    let mut lines = vec![format!(
        "{}: layer contributions to the equivariance error of {}, mean over {images}; a layer is a {}",
        report.run.model.path,
        report.run.what(),
        report.group.in_words(),
    )];
    lines.push(reason(&report.run));
    for results in report.results.all() {
        lines.push(String::new());
        lines.extend(attribution(results, &report.run.images, top, width));
    }
    lines.extend(agreement(report, width));
    if let Some(spectrum) = &report.spectrum {
        lines.push(String::new());
        lines.extend(resolved(spectrum));
    }
    lines.push(String::new());
    lines.push(format!(
        "contribution is E‖J δ‖²/dim of a layer's own defect δ pushed to the output (squares need not add up); signed is its \
         share of L itself, which adds up to 100 %; gain is what LEE would fall by if the layer alone were exact. Boundary {}, grid {}, t in {}s; preprocessing {}; {}; estimator {}.",
        report.run.lie().boundary, report.run.lie().grid, report.run.lie().units, report.run.images.preprocess, report.run.arithmetic(), report.estimator
    ));
    let times =
        if report.forward_ms > 0.0 { compact(report.attribution_ms / report.forward_ms) } else { "–".to_owned() };
    lines.push(format!(
        "One image and generator took {}, {times} × one forward pass of {}.",
        milliseconds(report.attribution_ms),
        milliseconds(report.forward_ms)
    ));
    let mut text = String::new();
    for line in lines.iter().flat_map(|line| wrapped(&printable(line), width)) {
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// The harmonics that make one node's defect.
fn resolved(spectrum: &NodeSpectrum) -> Vec<String> {
    let node = &spectrum.node;
    let above = node.input_above_nyquist.map_or_else(
        || "its input is 0".to_owned(),
        |share| format!("{:.1} % of its input's energy lies at or above the new Nyquist frequency", 100.0 * share),
    );
    let mut lines = vec![format!(
        "{} on the torus, first image: mean square defect {} predicted from harmonics, {} measured; {}. Harmonics that make most of it, each with its conjugate:",
        node.name,
        compact(node.predicted),
        compact(node.measured),
        above
    )];
    for fold in &node.worst {
        let [from, to] = [fold.from, fold.to].map(|[x, y]| format!("({x}, {y})").replace('-', "−"));
        lines.push(format!(
            "{GAP}{}{GAP}lands on {}{GAP}{:.1} %",
            pad_left(&from, 12),
            pad_left(&to, 12),
            100.0 * fold.share
        ));
    }
    lines
}

fn attribution(results: &LayerResults, images: &Images, top: usize, width: usize) -> Vec<String> {
    let sem = results.sem.map_or_else(String::new, |sem| format!(" ± {}", compact(sem)));
    let mut lines = vec![format!(
        "{} ({} derivative): LEE {}{sem} (E‖L‖²/dim, dim = {}); the layers add up to L with a residual of {}",
        results.generator,
        results.derivative,
        compact(results.lee),
        results.dim,
        compact(results.conservation_residual)
    )];
    if results.is_rounding {
        lines.push(
            "This is rounding alone: the network is equivariant on these images, or nothing changes them; no layer has a \
             share in it."
                .to_owned(),
        );
    }
    let mut worst: Vec<&LayerReport> = results.layers.iter().collect();
    worst.sort_by(|a, b| b.contribution.total_cmp(&a.contribution));
    let shown = worst.len().min(top);
    let shown_layers = &worst[..shown];
    let bars: Vec<f64> = shown_layers.iter().map(|l| l.contribution).collect();
    let largest = worst.first().map_or(0.0, |l| l.contribution);
    let errors = error_cells(shown_layers, results.rounding);
    let parts = part_cells(shown_layers, results.rounding);
    let joined: Vec<Vec<String>> =
        errors.iter().zip(&parts).map(|(errors, parts)| errors.iter().chain(&parts[1..]).cloned().collect()).collect();
    if room_of_names(&joined, width) >= LEAST_NAME || parts[0].len() == 1 {
        lines.extend(columns(&joined, &bars, largest, width));
    } else {
        lines.extend(columns(&errors, &bars, largest, width));
        lines.push(String::new());
        lines.extend(columns(&parts, &vec![0.0; bars.len()], 0.0, width));
    }
    if worst.len() > shown {
        let rest: f64 = worst[shown..].iter().map(|l| l.contribution).sum();
        lines.push(format!("and {} more with {} together", worst.len() - shown, above(rest, results.rounding)));
    }
    if let Some(worth) = sample_size(&results.lee_by_image, images).filter(|_| !results.is_rounding) {
        lines.push(format!("LEE: {worth}. share_by_image in the JSON gives every image the same weight."));
    }
    lines.push(String::new());
    let mut rows = vec![["class of layer", "layers", "contribution", "share", "signed"].map(str::to_owned).to_vec()];
    let mut values = Vec::new();
    for (name, class) in &results.by_type {
        values.push(class.contribution);
        rows.push(vec![
            name.clone(),
            class.layers.to_string(),
            if class.contribution < results.rounding {
                above(class.contribution, results.rounding)
            } else {
                with_error(compact(class.contribution), class.sem.map(compact))
            },
            with_error(percent(class.share), class.share_sem.map(|sem| percent(Some(sem)))),
            percent(class.signed_share),
        ]);
    }
    let largest = values.iter().copied().fold(0.0, f64::max);
    lines.extend(columns(&rows, &values, largest, width));
    lines
}

/// What layers make, under a heading.
fn error_cells(layers: &[&LayerReport], rounding: f64) -> Vec<Vec<String>> {
    let head = ["layer", "class", "contribution", "signed", "gain"].map(str::to_owned).to_vec();
    let row = |layer: &&LayerReport| {
        vec![
            layer.name.clone(),
            layer.class.name().to_owned(),
            above(layer.contribution, rounding),
            percent(layer.signed_share),
            gain(layer.removal_gain, rounding),
        ]
    };
    std::iter::once(head).chain(layers.iter().map(row)).collect()
}

/// The parts that some of the layers have and that are not zero in all, under a heading.
fn part_cells(layers: &[&LayerReport], rounding: f64) -> Vec<Vec<String>> {
    let sizes = |part: DefectPart| layers.iter().filter_map(move |layer| Some(layer.part(part)?.contribution));
    let split: Vec<DefectPart> =
        DefectPart::ALL.into_iter().filter(|part| sizes(*part).any(|size| size > 0.0)).collect();
    let mut head = vec!["layer".to_owned()];
    head.extend(split.iter().map(|part| match part {
        DefectPart::Discretisation => "discret.".to_owned(),
        part => part.name().to_owned(),
    }));
    let row = |layer: &&LayerReport| {
        let size = |part: Part| above(part.contribution, rounding);
        let parts = split.iter().map(|&part| layer.part(part).map_or_else(|| "–".to_owned(), size));
        std::iter::once(layer.name.clone()).chain(parts).collect()
    };
    std::iter::once(head).chain(layers.iter().map(row)).collect()
}

/// The columns that a table of these rows leaves to the names in its first one.
fn room_of_names(rows: &[Vec<String>], width: usize) -> usize {
    width.saturating_sub(widths(rows)[1..].iter().map(|w| w + GAP.len()).sum())
}

/// The widest cell of each column.
fn widths(rows: &[Vec<String>]) -> Vec<usize> {
    let mut widths = vec![0; rows.first().map_or(0, Vec::len)];
    for row in rows {
        for (column, cell) in widths.iter_mut().zip(row) {
            *column = (*column).max(cell.chars().count());
        }
    }
    widths
}

/// A squared size, or, where it is not above what rounding leaves, that it is below that.
fn above(value: f64, rounding: f64) -> String {
    if value > 0.0 && value < rounding { format!("< {}", compact(rounding)) } else { compact(value) }
}

/// As [`above`], of either sign.
fn gain(value: f64, rounding: f64) -> String {
    let size = above(value.abs(), rounding);
    if value < 0.0 && !size.starts_with('<') { format!("−{size}") } else { size }
}

fn with_error(value: String, error: Option<String>) -> String {
    error.map_or(value.clone(), |error| format!("{value} ± {error}"))
}

/// Spearman's correlations: a line per generator, a column for each that follows it.
fn agreement(report: &LayersReport, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut derivatives: Vec<Scheme> = report.agreement.iter().map(|a| a.derivative).collect();
    derivatives.dedup();
    for derivative in derivatives {
        let pairs: Vec<_> = report.agreement.iter().filter(|a| a.derivative == derivative).collect();
        lines.push(String::new());
        lines.push(format!(
            "Do generators blame the same layers ({derivative} derivative)? Spearman's rank correlation of contributions:"
        ));
        let mut names: Vec<&str> = pairs.iter().flat_map(|a| a.generators.iter().map(String::as_str)).collect();
        names.sort_by_key(|name| report.results.all().iter().position(|r| r.generator == *name));
        names.dedup();
        let (Some((_, rows)), Some((_, columns))) = (names.split_last(), names.split_first()) else { continue };
        let first = rows.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let width =
            columns.iter().map(|name| name.chars().count()).max().unwrap_or(0).max("0.00 ± 0.00".chars().count());
        // A narrow terminal gets the numbers without their errors.
        let wide = first + columns.len() * (GAP.len() + width) <= room;
        let width = if wide { width } else { room.saturating_sub(first) / columns.len() - GAP.len() };
        let head: String = columns.iter().map(|name| GAP.to_owned() + &pad_left(&tail(name, width), width)).collect();
        lines.push(pad_right("", first) + &head);
        for row in rows {
            let cells = columns.iter().map(|column| {
                let pair = pairs.iter().find(|a| a.generators[0] == *row && a.generators[1] == *column);
                let cell = pair.map_or_else(String::new, |a| {
                    with_error(
                        format!("{:.2}", a.rank_correlation),
                        a.sem.filter(|_| wide).map(|sem| format!("{sem:.2}")),
                    )
                });
                GAP.to_owned() + &pad_left(&cell, width)
            });
            lines.push(pad_right(row, first) + &cells.collect::<String>());
        }
    }
    lines
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| number::percent(share, 1))
}

/// Rows under a heading, numbers to the right, with a bar per row.
fn columns(rows: &[Vec<String>], values: &[f64], largest: f64, width: usize) -> Vec<String> {
    let mut widths = widths(rows);
    let others: usize = widths[1..].iter().map(|w| w + GAP.len()).sum();
    let free = width.saturating_sub(others);
    if free < widths[0].min(LEAST_NAME) {
        return blocks(rows, width);
    }
    // A name that can be told apart goes before a bar, and a short bar says nothing.
    widths[0] = widths[0].min(free.saturating_sub(GAP.len() + LEAST_BAR).max(LONG_NAME)).min(free);
    let room = free.saturating_sub(widths[0] + GAP.len());
    let room = if room < LEAST_BAR { 0 } else { room.min(24) };
    let bars = std::iter::once(String::new()).chain(values.iter().map(|&v| bar(v, largest, room)));
    rows.iter()
        .zip(bars)
        .map(|(row, bar)| {
            let mut line = String::new();
            for (i, (cell, &column)) in row.iter().zip(&widths).enumerate() {
                let words = i == 0 || cell.chars().next().is_some_and(char::is_alphabetic) && rows[0][i] == "class";
                if i > 0 {
                    line += GAP;
                }
                line += &if words { pad_right(&tail(cell, column), column) } else { pad_left(cell, column) };
            }
            if bar.is_empty() { line } else { line + GAP + &bar }
        })
        .collect()
}
