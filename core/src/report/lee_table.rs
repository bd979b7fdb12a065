//! A LEE report as text for a terminal.

use crate::measure::lee_report::{Accuracy, GeneratorLee, InputUnits, LeeReport, Logits};
use crate::measure::run::{Run, counted};
use crate::number::{compact, milliseconds};
use crate::statistics::{Estimate, Interval};
use crate::symmetry::{Generator, Units};

use super::sample_size::sample_size;
use super::table::{Side, Table};
use super::text::page;

/// The least width that holds the numbers.
const LEAST_WIDTH: usize = 60;

/// The report as lines of at most `width` columns (taken as 60 where it is less), without colours.
///
/// Generators with the geometric mean of LEE, its mean, both with intervals, and relative LEE; of a classifier Fisher LEE
/// and the margin's rate; the horizon; the symmetry spectrum in words; what was assumed; what it cost. Columns that have no
/// room are left out from the right.
pub fn lee_table(report: &LeeReport, width: usize) -> String {
    let width = width.max(LEAST_WIDTH);
    let mut lines = vec![heading(report), reason(&report.run)];
    lines.extend(warnings(report));
    lines.push(String::new());
    lines.extend(generators(report, width));
    lines.extend(worth(report));
    lines.extend(class_scores(report, width));
    lines.extend(horizon(report).into_iter().flat_map(|line| [String::new(), line]));
    lines.extend(spectrum(report, width));
    lines.push(String::new());
    lines.extend(report.accuracy.as_ref().map(accuracy));
    lines.extend(assumptions(report));
    lines.push(cost(report));
    page(&lines, width)
}

/// What must be known to read the numbers.
fn warnings(report: &LeeReport) -> Vec<String> {
    let mut notes = Vec::new();
    if report.images_constant > 0 {
        notes.push(format!(
            "Careful: the output hardly changes on {} of {} images, by less than a hundred thousandth of its scale under every \
             generator: a small LEE there says that the network sees nothing or its probabilities are saturated, not that it \
             is equivariant (--output logits looks before a softmax)",
            report.images_constant,
            report.run.images.count()
        ));
    }
    if report.images_flat > 0 {
        let all = report.images_flat == report.run.images.count();
        let then = if all {
            "relative errors and the symmetry spectrum are not defined"
        } else {
            "they add nothing to either side"
        };
        notes.push(format!(
            "Careful: {} of {} images are of one colour, so that no generator of the plane changes them: {then}",
            report.images_flat,
            report.run.images.count()
        ));
    }
    notes
}

fn heading(report: &LeeReport) -> String {
    let images = report.run.images.in_words();
    let shape = report.run.model.output_shape_in_words();
    let what = report.run.what();
    format!("{}: Lie derivatives of {what} ({shape}), {images}", report.run.model.path)
}

/// Why that is measured, and why it moves as it does.
pub(super) fn reason(run: &Run) -> String {
    run.output.as_ref().map(|output| output.reason.clone()).unwrap_or_default()
}

/// Generators in rows under these headings: as many of the columns as have room, three at least. A combination may be named
/// at any length; numbers may not be pushed off the screen.
fn of_generators<'a, const N: usize>(
    report: &'a LeeReport,
    headings: [&str; N],
    width: usize,
    row: impl Fn(&'a GeneratorLee) -> Vec<String>,
) -> Vec<String> {
    let side = |at| if at == 0 { Side::Words } else { Side::Numbers };
    let headings = headings.into_iter().enumerate().map(|(at, heading)| (heading, side(at)));
    let mut table = Table::new(headings).optional(N.saturating_sub(3));
    for (name, lee) in &report.generators {
        table.push(std::iter::once(name.clone()).chain(row(lee)).collect::<Vec<_>>());
    }
    table.narrowed(width).0
}

/// `0.0341–0.120`.
fn interval(of: Option<Interval>) -> String {
    of.map_or_else(|| "–".to_owned(), |of| format!("{}–{}", compact(of.low), compact(of.high)))
}

fn value(of: Option<Estimate>) -> String {
    of.map_or_else(|| "–".to_owned(), |of| compact(of.value))
}

/// Geometric and plain mean of LEE, with intervals.
fn generators(report: &LeeReport, width: usize) -> Vec<String> {
    let heading = ["generator", "geo. mean", "95 % interval", "mean", "95 % interval", "relative"];
    let mut lines = of_generators(report, heading, width, |lee| {
        let geometric = lee.summary.geometric_mean;
        vec![
            value(geometric),
            interval(geometric.and_then(|estimate| estimate.interval)),
            compact(lee.lee),
            interval(lee.summary.mean.interval),
            value(lee.relative_geometric_mean),
        ]
    });
    lines.push(
        "LEE, ‖L‖²/dim: its geometric mean over images with Student's interval on the logarithms, its mean with the BCa \
         bootstrap's; relative: over ‖A x‖²/dim, geometric mean."
            .to_owned(),
    );
    lines.extend(undefined(report));
    lines
}

/// Why a geometric mean is missing, or of fewer images, once for all generators of which it is true.
fn undefined(report: &LeeReport) -> Vec<String> {
    let images = report.run.images.count();
    let mut notes: Vec<(String, Vec<&str>)> = Vec::new();
    for (name, lee) in &report.generators {
        let (summary, count) = (&lee.summary, lee.summary.geometric_count);
        let note = match &summary.undefined {
            Some(reason) if count == images => format!("No geometric mean: {reason}"),
            Some(_) if count == 0 => "No geometric mean: no image changes".to_owned(),
            Some(reason) => format!("No geometric mean over the {count} of {images} images that change: {reason}"),
            None if count < images => format!("Geometric mean over the {count} of {images} images that change"),
            None => continue,
        };
        match notes.iter_mut().find(|(known, _)| *known == note) {
            Some((_, names)) => names.push(name),
            None => notes.push((note, vec![name])),
        }
    }
    notes.into_iter().map(|(note, names)| format!("{note} ({}).", names.join(", "))).collect()
}

/// Of a classifier, what does not hide its confidence.
fn class_scores(report: &LeeReport, width: usize) -> Vec<String> {
    let Some(margins) = &report.margins else { return Vec::new() };
    let heading = ["generator", "Fisher LEE (nats)", "95 % interval", "margin rate", "95 % interval"];
    let mut lines = vec![String::new()];
    lines.extend(of_generators(report, heading, width, |lee| {
        let fisher = lee.fisher.as_ref().and_then(|fisher| fisher.geometric_mean);
        let rate = lee.margin_rate.map(|rate| rate.median);
        let ends = |of: Option<Estimate>| interval(of.and_then(|estimate| estimate.interval));
        vec![value(fisher), ends(fisher), value(rate), ends(rate)]
    }));
    let logits = match margins.logits {
        Logits::Output => "the class scores",
        Logits::LogProbabilities => "the logarithms of the class probabilities",
    };
    lines.push(format!(
        "Fisher LEE: LᵀFL of the logits, which are {logits}; ½t² times it is the divergence that a motion by t causes. \
         Geometric mean. Margin rate: |dm/dt|/m, m the largest logit less the next; median, the same at any temperature."
    ));
    let images = report.run.images.count();
    let known = margins.by_image.iter().flatten().count();
    if known < images {
        lines.push(format!("{known} of {images} images have a margin."));
    }
    lines
}

/// Up to what shift the linear answer holds.
fn horizon(report: &LeeReport) -> Option<String> {
    let Some(horizon) = &report.horizon else {
        return report.horizon_missing.as_ref().map(|reason| format!("Horizon not measured: {reason}."));
    };
    let ratios = horizon.shifts.iter().zip(&horizon.ratios).map(|(shift, ratio)| {
        let ratio = ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"));
        format!("{ratio} at {shift}")
    });
    let smallest = horizon.shifts.first().copied().unwrap_or(0.0);
    let reach = match horizon.pixels {
        Some(pixels) => format!("the linear answer holds up to {pixels} px"),
        None => format!("the linear answer does not hold even at {smallest} px"),
    };
    Some(format!(
        "Horizon under {}: {reach}, where the actual change of the output is within ½ and 2 of the linear one: {} px \
         (median of {}, {} forward passes).",
        horizon.generator,
        ratios.collect::<Vec<_>>().join(", "),
        counted(horizon.images, "image"),
        horizon.forward_passes
    ))
}

/// What the mean is worth of the generator of which it is worth least.
fn worth(report: &LeeReport) -> Option<String> {
    let least = |(_, a): &(&String, &GeneratorLee), (_, b): &(&String, &GeneratorLee)| {
        let effective = |of: &GeneratorLee| of.summary.effective_count.unwrap_or(f64::INFINITY);
        effective(a).total_cmp(&effective(b))
    };
    let (name, lee) = report.generators.iter().min_by(least)?;
    Some(format!(
        "Mean of {name}: {}; the other generators have more.",
        sample_size(&lee.by_image.lee, &report.run.images)?
    ))
}

fn spectrum(report: &LeeReport, width: usize) -> Vec<String> {
    if report.symmetry_spectrum.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![
        String::new(),
        format!(
            "Symmetry spectrum of the affine algebra, least equivariant first (relative LEE along the direction; what each \
             generator's part alone does to the images; sizes of x in {}):",
            if report.input_units == InputUnits::Photo { "pixel values of 0 to 1" } else { "units of the input" }
        ),
    ];
    let mut table = Table::new([("", Side::Words), ("", Side::Numbers), ("", Side::Prose)]);
    for direction in &report.symmetry_spectrum {
        table.push([String::new(), compact(direction.eigenvalue.max(0.0)), direction.words(&report.gram)]);
    }
    lines.extend(table.lines(width));
    let missing = Generator::AFFINE.len().saturating_sub(report.symmetry_spectrum.len());
    if missing > 0 {
        lines.push(format!("{} that do nothing to these images have no place.", counted(missing, "direction")));
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
        "One sweep (value and {}) took {}",
        counted(report.gram.order.len(), "tangent"),
        milliseconds(timing.sweep_ms)
    );
    if let Some(forward) = timing.forward_ms {
        line += &format!(", {} × one forward pass of {}", times(forward), milliseconds(forward));
    }
    if let Some(batch) = timing.forward_batch8_ms {
        line += &format!(", {} × a forward pass of 8 images of {}", times(batch), milliseconds(batch));
    }
    line + "."
}
