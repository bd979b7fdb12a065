//! A study's status and report as text for a terminal.

use crate::figure::style::printable;
use crate::measure::run::counted;
use crate::number::compact;
use crate::statistics::Estimate;
use crate::study::report::{StudyNetwork, StudyReport};
use crate::study::status::{NetworkStatus, StudyStatus};

use super::comparison_table::{count, estimate};
use super::study_layers::layers_lines;
use super::table::blocks;
use super::text::{GAP, wrapped};

/// The least width that holds the numbers.
const LEAST_WIDTH: usize = 60;
/// Networks that the report's table shows; the others are in CSV, JSON and HTML.
const MOST: usize = 60;

fn told(lines: &[String], width: usize) -> String {
    let mut text = String::new();
    for line in lines.iter().flat_map(|line| wrapped(&printable(line), width)) {
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// How far each network is, what is left, and what failed, in lines of at most `width` columns.
pub fn study_status_table(status: &StudyStatus, width: usize) -> String {
    let width = width.max(LEAST_WIDTH);
    let (measured, of) = status.measured();
    let layers = status.layers.as_ref().map_or_else(String::new, |layers| format!(", with layers under {layers}"));
    let mut lines = vec![
        format!(
            "{}: {measured} of {of} measurements ({} on {}{layers})",
            status.store,
            counted(status.networks.len(), "network"),
            counted(status.images, "image")
        ),
        String::new(),
    ];
    let head = ["network", "family", "measured", "failed", "an image"].map(str::to_owned).to_vec();
    let row = |network: &NetworkStatus| {
        vec![
            network.name.clone(),
            network.family.clone(),
            format!("{} of {}", network.measured, status.images),
            network.failures.to_string(),
            network.milliseconds.map_or_else(|| "–".to_owned(), |ms| format!("{} ms", compact(ms))),
        ]
    };
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(status.networks.iter().map(row)).collect();
    lines.extend(blocks(&rows, width));
    if let Some(seconds) = status.seconds_left().filter(|seconds| *seconds > 0.0) {
        lines.push(String::new());
        lines.push(format!("About {} left on one machine, at the speed so far.", duration(seconds)));
    }
    if !status.failures.is_empty() {
        lines.push(String::new());
        lines.extend(status.failures.iter().map(|failure| format!("{failure}.")));
    }
    told(&lines, width)
}

/// `3 h 20 min`, `12 min`, `40 s`.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes:02} min"),
    }
}

/// The conclusions, then the networks under what counts first, then correlations, models and sets of images, in lines of at
/// most `width` columns.
pub fn study_table(report: &StudyReport, width: usize) -> String {
    let width = width.max(LEAST_WIDTH);
    let mut lines = vec![heading(report), String::new()];
    for doubt in &report.doubts {
        lines.extend([format!("{doubt}."), String::new()]);
    }
    for claim in &report.claims {
        lines.push(format!("{}: {}.", claim.verdict.words().to_uppercase(), claim.claim));
        lines.push(format!("{GAP}{}.", claim.because));
    }
    let Some((set, output, derivative)) = report.primary() else {
        lines.push("Nothing has been measured yet.".to_owned());
        return told(&lines, width);
    };
    lines.push(String::new());
    lines.push(format!(
        "LEE on the set '{set}', {output}, {derivative} derivative: the mean with its {:.0} % interval",
        100.0 * report.level
    ));
    lines.push(String::new());
    lines.extend(blocks(&networks(report, set, output, derivative), width));
    if report.networks.len() > MOST {
        lines.push(format!("… and {} more, in --csv, --json and --html", report.networks.len() - MOST));
    }
    lines.extend(associations(report, (set, output, derivative), width));
    lines.extend(ratios(report, output, derivative, width));
    lines.extend(layers_lines(report, set, MOST, width));
    if !report.failures.is_empty() {
        lines.push(String::new());
        lines.extend(report.failures.iter().map(|failure| format!("{failure}.")));
    }
    told(&lines, width)
}

fn heading(report: &StudyReport) -> String {
    let sets: Vec<String> = report
        .sets
        .iter()
        .map(|set| format!("'{}' ({}, {})", set.name, set.role, counted(set.images, "image")))
        .collect();
    format!(
        "{} of {} on {}",
        counted(report.networks.len(), "network"),
        match report.families().len() {
            1 => "1 family".to_owned(),
            families => format!("{families} families"),
        },
        sets.join(", ")
    )
}

fn optional(of: Option<&Estimate>) -> String {
    of.map_or_else(|| "–".to_owned(), estimate)
}

fn networks(report: &StudyReport, set: &str, output: &str, derivative: &str) -> Vec<Vec<String>> {
    let generators = report.generators();
    let head = ["network", "family", "images", "top-1", "parameters"].into_iter().chain(generators.iter().copied());
    let row = |network: &StudyNetwork| {
        let on = network.sets.get(set);
        let mut cells = vec![
            network.about.name.clone(),
            network.about.family.clone(),
            on.map_or_else(|| "0".to_owned(), |on| on.images.to_string()),
            on.and_then(|on| on.accuracy).map_or_else(|| "–".to_owned(), |a| format!("{:.1} %", 100.0 * a.value)),
            network.about.parameters.map_or_else(|| "–".to_owned(), count),
        ];
        let lee =
            |generator: &&str| optional(on.and_then(|on| on.error(output, derivative, generator)).map(|e| &e.lee));
        cells.extend(generators.iter().map(lee));
        cells
    };
    let rows = report.networks.iter().take(MOST).map(row);
    std::iter::once(head.map(str::to_owned).collect()).chain(rows).collect()
}

fn associations(report: &StudyReport, (set, output, derivative): (&str, &str, &str), width: usize) -> Vec<String> {
    let found: Vec<_> = report
        .associations
        .iter()
        .filter(|a| a.set == set && a.output == output && a.derivative == derivative)
        .collect();
    if found.is_empty() {
        return Vec::new();
    }
    let head = ["LEE with", "networks", "Spearman", "within families", "Pearson of logs", "within families"];
    let rows = found.iter().map(|a| {
        vec![
            format!("{}: {}", a.generator, a.with),
            a.networks.to_string(),
            optional(a.spearman.as_ref()),
            optional(a.spearman_within.as_ref()),
            optional(a.pearson.as_ref()),
            optional(a.pearson_within.as_ref()),
        ]
    });
    let rows: Vec<Vec<String>> = std::iter::once(head.map(str::to_owned).to_vec()).chain(rows).collect();
    let mut lines =
        vec![String::new(), "Correlations over networks, with intervals over networks and images".to_owned()];
    lines.push(String::new());
    lines.extend(blocks(&rows, width));
    lines
}

fn ratios(report: &StudyReport, output: &str, derivative: &str, width: usize) -> Vec<String> {
    let found: Vec<_> = report.set_ratios.iter().filter(|r| r.output == output && r.derivative == derivative).collect();
    let Some(first) = found.first() else { return Vec::new() };
    let head = ["set: generator", "networks", "geometric means", "LEE", "relative LEE", "images' own change"];
    let rows = found.iter().map(|r| {
        vec![
            format!("{}: {}", r.of, r.generator),
            r.networks.to_string(),
            optional(r.geometric.as_ref()),
            estimate(&r.lee),
            optional(r.relative.as_ref()),
            optional(r.energy.as_ref()),
        ]
    });
    let rows: Vec<Vec<String>> = std::iter::once(head.map(str::to_owned).to_vec()).chain(rows).collect();
    let mut lines = vec![String::new(), format!("Ratios to the set '{}'", first.to), String::new()];
    lines.extend(blocks(&rows, width));
    lines
}
