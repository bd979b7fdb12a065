//! A field of motion as text for a terminal.

use crate::measure::field_report::{FieldImage, FieldReport};
use crate::measure::output::ChosenBy;
use crate::measure::scalar::Scalar;
use crate::number::compact;
use crate::spectrum::smooth::Edge;
use crate::symmetry::Units;

use super::table::{Table, blocks};
use super::text::page;

/// The least width that holds the numbers.
const LEAST_WIDTH: usize = 60;
/// Images of which each has a line.
const MOST_IMAGES: usize = 20;

/// The report as lines of at most `width` columns (taken as 60 where it is less).
///
/// Motions with the derivative along them, per t and per pixel; the worst deformation beside the best affine motion;
/// relative stability; finite deformations; the images, those nearest to another class first.
pub fn field_table(report: &FieldReport, width: usize) -> String {
    let width = width.max(LEAST_WIDTH);
    let mut lines = vec![
        format!(
            "{}: field of motion of the {} of {} ({}), {}",
            report.run.model.path,
            report.scalar.in_words(),
            output(report),
            report.run.model.output_shape_in_words(),
            report.run.images.in_words()
        ),
        report.run.output.as_ref().map(|output| output.reason.clone()).unwrap_or_default(),
        String::new(),
    ];
    lines.extend(motions(report, width));
    lines.push(String::new());
    lines.push(sizes(report));
    lines.extend(steepest(report));
    lines.extend(stability(report));
    lines.extend(warps(report));
    lines.push(String::new());
    lines.extend(images(report, width));
    lines.push(String::new());
    lines.extend(assumptions(report));
    page(&lines, width)
}

/// Which output it is.
fn output(report: &FieldReport) -> String {
    let Some(output) = &report.run.output else { return "its output".to_owned() };
    match output.chosen_by {
        ChosenBy::FirstOutput => "its output".to_owned(),
        ChosenBy::OutputName => format!("its output '{}'", output.name),
        ChosenBy::At => format!("its inner value '{}'", output.name),
    }
}

fn motions(report: &FieldReport, width: usize) -> Vec<String> {
    let optional = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), compact);
    let gains = report.motions.values().map(|motion| motion.gain.unwrap_or(0.0));
    let gains = gains.chain([report.steepest.affine, report.steepest.smooth]).collect();
    let mut table = Table::of_numbers(["motion", "per t", "per pixel"]).with_bars(gains);
    for (name, motion) in &report.motions {
        table.push([name.clone(), compact(motion.rms), optional(motion.gain)]);
    }
    for (name, gain) in [("best affine", report.steepest.affine), ("worst smooth", report.steepest.smooth)] {
        table.push([name.to_owned(), "–".to_owned(), compact(gain)]);
    }
    table.lines(width)
}

/// What the numbers mean.
fn sizes(report: &FieldReport) -> String {
    let unit = if report.run.lie().units == Units::Pixel { "pixels" } else { "half-widths of the image" };
    let edge = match report.deformations.edge {
        Edge::Free => "free at the image's edge",
        Edge::Fixed => "0 beyond the image's edge",
        Edge::Periodic => "periodic",
    };
    let deformations = &report.deformations;
    format!(
        "Per t: |d {}/dt|, t in {unit}, root mean square over images. Per pixel: the same over the motion's size, ‖v‖² = {} in \
         pixels: a shift by one pixel has the size 1. Deformations are {edge}.",
        report.scalar.in_words(),
        deformations.norm.formula(&compact(deformations.smoothness)),
    )
}

fn steepest(report: &FieldReport) -> Option<String> {
    let ratio = report.steepest.ratio?;
    let mut line = format!(
        "The worst smooth deformation changes the {} {} times as much as the best affine motion of its size (median over \
         images)",
        report.scalar.in_words(),
        compact(ratio)
    );
    if let Some(distance) = report.steepest.distance {
        line += &format!("; by the linear estimate one of size {} takes the margin to 0 (median)", compact(distance));
    }
    Some(line + ".")
}

fn stability(report: &FieldReport) -> Option<String> {
    let stability = report.relative_stability?;
    let says = if stability < 1.0 {
        "more stable to smooth deformations than to noise"
    } else {
        "less stable to smooth deformations than to noise"
    };
    Some(format!(
        "Relative stability to diffeomorphisms {} (random smooth fields up to frequency {}, against white noise that changes the \
         image as much): {says}.",
        compact(stability),
        report.deformations.cutoff
    ))
}

fn warps(report: &FieldReport) -> Vec<String> {
    let line = |warp: &crate::measure::field_report::WarpResult| {
        let changed = warp.changed.map_or_else(String::new, |changed| {
            format!("; {changed} of {} change their class", report.run.images.in_words())
        });
        format!(
            "Moved along it by {} px, the {} falls by {} (first order: {}){changed}.",
            compact(warp.size),
            report.scalar.in_words(),
            compact(warp.actual),
            compact(warp.predicted)
        )
    };
    report.warps.iter().map(line).collect()
}

fn images(report: &FieldReport, width: usize) -> Vec<String> {
    let of_classes = report.by_image.iter().any(|image| image.class.is_some());
    let is_margin = report.scalar == Scalar::Margin;
    let mut heading = vec!["image"];
    heading.extend(if is_margin {
        vec!["class", "against"]
    } else if of_classes {
        vec!["class"]
    } else {
        vec![]
    });
    heading.extend(["scalar", "affine", "smooth"]);
    heading.extend(is_margin.then_some("to 0"));
    heading.push("stability");
    let mut order: Vec<usize> = (0..report.by_image.len()).collect();
    let key = |at: &usize| report.by_image[*at].distance.unwrap_or(-report.by_image[*at].smooth);
    order.sort_by(|a, b| key(a).total_cmp(&key(b)));
    let mut rows = vec![heading.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    for &at in order.iter().take(MOST_IMAGES) {
        rows.push(row(report.run.images.name(at), &report.by_image[at], is_margin, of_classes));
    }
    let mut lines = blocks(&rows, width);
    if order.len() > MOST_IMAGES {
        lines.push(format!("… and {} more (--json, --csv with --per-image)", order.len() - MOST_IMAGES));
    }
    lines
}

fn row(name: &str, image: &FieldImage, is_margin: bool, of_classes: bool) -> Vec<String> {
    let class = |class: Option<usize>| class.map_or_else(|| "–".to_owned(), |class| class.to_string());
    let mut cells = vec![name.to_owned()];
    if of_classes {
        cells.push(class(image.class));
    }
    if is_margin {
        cells.push(class(image.other));
    }
    cells.extend([image.value, image.affine, image.smooth].map(compact));
    if is_margin {
        cells.push(image.distance.map_or_else(|| "–".to_owned(), |distance| format!("{} px", compact(distance))));
    }
    let [above, below] = image.stability;
    cells.push(if below > 0.0 { compact(above / below) } else { "–".to_owned() });
    cells
}

fn assumptions(report: &FieldReport) -> [String; 2] {
    let lie = report.run.lie();
    let largest = report.by_image.iter().map(|image| image.residual).fold(0.0, f64::max);
    let timing = &report.timing;
    let times =
        if timing.forward_ms > 0.0 { compact(timing.gradient_ms / timing.forward_ms) } else { "–".to_owned() };
    [
        format!(
            "Derivative {}, boundary {}, grid {}; preprocessing {}; {} on {}.",
            lie.derivative,
            lie.boundary,
            lie.grid,
            report.run.images.preprocess,
            report.run.arithmetic(),
            report.run.device
        ),
        format!(
            "Reverse mode agrees with forward mode along the worst deformations to {}. A gradient took {} ms, \
             {times} × one forward pass of {} ms.",
            compact(largest),
            compact(timing.gradient_ms),
            compact(timing.forward_ms)
        ),
    ]
}
