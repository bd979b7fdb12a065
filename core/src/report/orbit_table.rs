//! An orbit as text for a terminal.

use crate::measure::orbit_report::{OrbitImage, OrbitReport};
use crate::number::compact;
use crate::symmetry::Units;

use super::table::blocks;
use super::text::page;

/// The least width that holds the numbers.
const LEAST_WIDTH: usize = 60;
/// Images of which each has a line.
const MOST_IMAGES: usize = 20;

/// The report in lines of at most `width` columns (taken as 60 where it is less): the layers whose shares are largest, of
/// which `top` are shown, the edges, and what becomes of each image.
pub fn orbit_table(report: &OrbitReport, top: usize, width: usize) -> String {
    let width = width.max(LEAST_WIDTH);
    let unit = if report.run.lie().units == Units::Pixel { "pixels" } else { "half-widths" };
    let mut lines = vec![
        format!(
            "{}: finite change of {} ({}) under {}, t from 0 to {} {unit} ({}), {}",
            report.run.model.path,
            report.run.what(),
            report.run.model.output_shape_in_words(),
            report.generator,
            compact(report.distance),
            in_pixels(report),
            report.run.images.in_words()
        ),
        report.run.output.as_ref().map(|output| output.reason.clone()).unwrap_or_default(),
        String::new(),
    ];
    lines.extend(layers(report, top, width));
    lines.push(String::new());
    lines.push(
        "contribution: E‖∫ Jδ dt‖²/dim; share: of E‖Δf‖², signed; these and the shares of the other layers add up to 1."
            .to_owned(),
    );
    if report.changed.is_some() {
        lines.push(
            "margin: what the layer adds to the score of the class at the beginning less that of the class at the end (of the \
             second one where the class stays), mean over images."
                .to_owned(),
        );
    }
    lines.extend(residual(report));
    lines.push(String::new());
    lines.extend(images(report, width));
    lines.push(String::new());
    lines.extend(assumptions(report));
    page(&lines, width)
}

/// The path's length in pixels.
pub(crate) fn in_pixels(report: &OrbitReport) -> String {
    let [x, y] = report.pixels.map(compact);
    match report.pixels {
        [_, 0.0] => format!("{x} px along x"),
        [0.0, _] => format!("{y} px along y"),
        _ => format!("{x} and {y} px along x and y"),
    }
}

fn layers(report: &OrbitReport, top: usize, width: usize) -> Vec<String> {
    let optional = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), compact);
    let percent = |share: Option<f64>| match share {
        Some(share) => format!("{:.1} %", 100.0 * share).replace('-', "−"),
        None => "–".to_owned(),
    };
    let mut order: Vec<usize> = (0..report.layers.len()).filter(|at| report.layers[*at].class.is_some()).collect();
    let size = |at: &usize| report.layers[*at].share.unwrap_or(0.0).abs();
    order.sort_by(|a, b| size(b).total_cmp(&size(a)));
    let edges = (0..report.layers.len()).filter(|at| report.layers[*at].class.is_none());
    let with_margin = report.changed.is_some();
    let mut heading = vec!["layer", "class", "contribution", "share"];
    heading.extend(with_margin.then_some("margin"));
    let mut rows = vec![heading.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    for at in order.iter().copied().take(top).chain(edges) {
        let layer = &report.layers[at];
        let class = layer.class.map_or("edge", |class| class.name());
        let mut cells = vec![layer.name.clone(), class.to_owned(), compact(layer.contribution), percent(layer.share)];
        cells.extend(with_margin.then(|| optional(layer.margin)));
        rows.push(cells);
    }
    let mut lines = blocks(&rows, width);
    if order.len() > top {
        lines.push(format!("… and {} more layers (--top, --json)", order.len() - top));
    }
    lines
}

fn residual(report: &OrbitReport) -> Option<String> {
    let residual = report.residual?;
    Some(format!(
        "E‖Δf‖²/dim = {}. The contributions at {} Gauss–Legendre nodes add up to it with a residual of {:.1} % of ‖Δf‖.",
        compact(report.change),
        report.nodes.len(),
        100.0 * residual
    ))
}

fn images(report: &OrbitReport, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(changed) = report.changed {
        lines.push(format!("{changed} of {} change their class.", report.run.images.in_words()));
        lines.push(String::new());
    }
    let scalar = if report.changed.is_some() { "margin" } else { "along Δf" };
    let mut heading = vec!["image"];
    heading.extend(if report.changed.is_some() { vec!["class", "then"] } else { vec![] });
    let (before, after) = (format!("{scalar} 0"), format!("{scalar} T"));
    heading.extend([before.as_str(), after.as_str(), "most of it by"]);
    let mut order: Vec<usize> = (0..report.by_image.len()).collect();
    let change = |at: &usize| (report.by_image[*at].scalar[1] - report.by_image[*at].scalar[0]).abs();
    order.sort_by(|a, b| change(b).total_cmp(&change(a)));
    let mut rows = vec![heading.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    for &at in order.iter().take(MOST_IMAGES) {
        rows.push(row(report, report.run.images.name(at), &report.by_image[at]));
    }
    lines.extend(blocks(&rows, width));
    if order.len() > MOST_IMAGES {
        lines.push(format!("… and {} more (--json, --csv with --per-image)", order.len() - MOST_IMAGES));
    }
    lines
}

fn row(report: &OrbitReport, name: &str, image: &OrbitImage) -> Vec<String> {
    let mut cells = vec![name.to_owned()];
    if report.changed.is_some() {
        cells
            .extend(image.top.map_or_else(|| [String::new(), String::new()], |top| top.map(|class| class.to_string())));
    }
    cells.extend(image.scalar.map(compact));
    // The layer that moves the scalar most in the direction in which it went.
    let sign = (image.scalar[1] - image.scalar[0]).signum();
    let most = image.parts.iter().enumerate().max_by(|a, b| (sign * a.1).total_cmp(&(sign * b.1)));
    let most = most.and_then(|(at, part)| Some((report.layers.get(at)?, part)));
    cells.push(most.map_or_else(
        || "–".to_owned(),
        |(layer, part)| {
            let name = layer.name.rsplit('/').next().unwrap_or(&layer.name);
            format!("{} {}", name, compact(*part))
        },
    ));
    cells
}

fn assumptions(report: &OrbitReport) -> [String; 2] {
    let lie = report.run.lie();
    let [forward, orbit] = report.timing;
    let times = if forward > 0.0 { compact(orbit / forward) } else { "–".to_owned() };
    [
        format!(
            "The image moves as its band-limited interpolant, boundary {}: what comes in at the image's edge, and what an \
             output that moves loses at its own, are the edges' contributions. Preprocessing {}; {} on {}.",
            lie.boundary,
            report.run.images.preprocess,
            report.run.arithmetic(),
            report.run.device
        ),
        format!(
            "The orbit of one image took {} ms, {times} × one forward pass of {} ms.",
            compact(orbit),
            compact(forward)
        ),
    ]
}
