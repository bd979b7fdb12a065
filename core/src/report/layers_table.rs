//! An attribution as text for a terminal.

use crate::measure::layers_report::{Agreement, DefectPart, LayerReport, LayerResults, LayersReport, NodeSpectrum};
use crate::measure::run::Images;
use crate::number::{self, above, compact, milliseconds};
use crate::spectrum::differentiation::Scheme;
use crate::statistics::Interval;

use super::lee_table::reason;
use super::node_theorem_table::worst_folds;
use super::octaves_table::octaves;
use super::sample_size::sample_size;
use super::table::{Side, Table};
use super::text::{NONE, page};

/// The least width that holds the numbers.
const LEAST_WIDTH: usize = 80;

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
        lines.extend(resolved(spectrum, width));
    }
    lines.push(String::new());
    lines.push(format!(
        "contribution is E‖J δ‖²/dim of a layer's own defect δ pushed to the output (squares need not add up); signed is its \
         share of L itself, which adds up to 100 %; gain is what LEE would fall by if the layer alone were exact; intervals are Student's, of ‖J δ‖²/dim on logarithms and \
         of shares by the jackknife. Boundary {}, grid {}, t in {}s; preprocessing {}; {}; estimator {}.",
        report.run.lie().boundary, report.run.lie().grid, report.run.lie().units, report.run.images.preprocess, report.run.arithmetic(), report.estimator
    ));
    let times =
        if report.forward_ms > 0.0 { compact(report.attribution_ms / report.forward_ms) } else { "–".to_owned() };
    lines.push(format!(
        "One image and generator took {}, {times} × one forward pass of {}.",
        milliseconds(report.attribution_ms),
        milliseconds(report.forward_ms)
    ));
    page(&lines, width)
}

/// The harmonics that make one node's defect.
fn resolved(spectrum: &NodeSpectrum, width: usize) -> Vec<String> {
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
    lines.extend(worst_folds(node, width));
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
    // What changes how the numbers are read stands above them.
    if let Some(worth) = sample_size(&results.lee_by_image, images).filter(|_| !results.is_rounding) {
        lines.push(format!("LEE: {worth}. share_by_image in the JSON gives every image the same weight."));
    }
    let mut worst: Vec<&LayerReport> = results.layers.iter().collect();
    worst.sort_by(|a, b| b.contribution.total_cmp(&a.contribution));
    let shown = worst.len().min(top);
    let shown_layers = &worst[..shown];
    lines.extend(layers(shown_layers, results.rounding, width));
    if worst.len() > shown {
        let rest: f64 = worst[shown..].iter().map(|l| l.contribution).sum();
        lines.push(format!("and {} more with {} together", worst.len() - shown, above(rest, results.rounding)));
    }
    lines.extend(octaves(shown_layers, results.rounding, width));
    lines.push(String::new());
    lines.extend(classes(results, width));
    lines
}

/// A column of a table of layers: heading, side, and what stands in it.
type Column<'a> = (&'a str, Side, Box<dyn Fn(&LayerReport) -> String + 'a>);

/// The layers, worst first: what each makes, and its parts, side by side or below each other.
fn layers(worst: &[&LayerReport], rounding: f64, width: usize) -> Vec<String> {
    let name = || -> Column<'_> { ("layer", Side::Names, Box::new(|layer| layer.name.clone())) };
    let number = |heading, cell: Box<dyn Fn(&LayerReport) -> String>| -> Column<'_> { (heading, Side::Numbers, cell) };
    let errors = || {
        let class: Column<'_> = ("class", Side::Words, Box::new(|layer| layer.class.name().to_owned()));
        vec![
            class,
            number("contribution", Box::new(move |layer| above(layer.contribution, rounding))),
            number("signed", Box::new(|layer| percent(layer.signed_share))),
            number("gain", Box::new(move |layer| gain(layer.removal_gain, rounding))),
        ]
    };
    let mut more = Vec::new();
    if worst.iter().any(|layer| layer.geometric_mean.is_some_and(|mean| mean.interval.is_some())) {
        let mean = move |layer: &LayerReport| {
            layer.geometric_mean.map_or_else(|| NONE.to_owned(), |mean| above(mean.value, rounding))
        };
        more.push(number("geo. mean", Box::new(mean)));
        more.push(number(
            "95 % interval",
            Box::new(|layer| interval(layer.geometric_mean.and_then(|mean| mean.interval))),
        ));
    }
    let sizes = |part: DefectPart| worst.iter().filter_map(move |layer| Some(layer.part(part)?.contribution));
    for part in DefectPart::ALL.into_iter().filter(|part| sizes(*part).any(|size| size > 0.0)) {
        let size = move |layer: &LayerReport| {
            layer.part(part).map_or_else(|| NONE.to_owned(), |part| above(part.contribution, rounding))
        };
        more.push(number(if part == DefectPart::Discretisation { "discret." } else { part.name() }, Box::new(size)));
    }
    let table = |columns: Vec<Column<'_>>| {
        let mut table = Table::new(columns.iter().map(|(heading, side, _)| (*heading, *side)));
        worst.iter().for_each(|layer| table.push(columns.iter().map(|(_, _, cell)| cell(layer)).collect::<Vec<_>>()));
        table
    };
    let bars = || worst.iter().map(|layer| layer.contribution).collect();
    let has_more = !more.is_empty();
    let below: Vec<Column<'_>> = std::iter::once(name()).chain(more).collect();
    let below = table(below);
    let first = table(std::iter::once(name()).chain(errors()).collect()).with_bars(bars());
    if !has_more {
        return first.lines(width);
    }
    let joined = first.beside(&below);
    if joined.fits(width) {
        return joined.lines(width);
    }
    [first.lines(width), vec![String::new()], below.lines(width)].concat()
}

/// The layers summed by class.
fn classes(results: &LayerResults, width: usize) -> Vec<String> {
    let sums = || results.by_type.values();
    let has_interval = sums().any(|class| class.share_interval.is_some());
    let headings = ["class of layer", "layers", "contribution", "share"];
    let headings = headings.into_iter().chain(has_interval.then_some("95 % interval")).chain(["signed"]);
    let mut table = Table::of_numbers(headings).with_bars(sums().map(|class| class.contribution).collect());
    for (name, class) in &results.by_type {
        let mut cells = vec![
            name.clone(),
            class.layers.to_string(),
            above(class.contribution, results.rounding),
            percent(class.share),
        ];
        cells.extend(has_interval.then(|| class.share_interval.map_or_else(|| NONE.to_owned(), percents)));
        cells.push(percent(class.signed_share));
        table.push(cells);
    }
    table.lines(width)
}

/// `0.0341–0.120`.
fn interval(of: Option<Interval>) -> String {
    of.map_or_else(|| NONE.to_owned(), |of| format!("{}–{}", compact(of.low), compact(of.high)))
}

/// `12.3–45.6 %`.
fn percents(of: Interval) -> String {
    let low = number::percent(of.low, 1);
    format!("{}–{}", low.trim_end_matches([' ', '%']), number::percent(of.high, 1))
}

/// As [`above`], of either sign.
fn gain(value: f64, rounding: f64) -> String {
    let size = above(value.abs(), rounding);
    if value < 0.0 && !size.starts_with('<') { format!("−{size}") } else { size }
}

/// `0.97 ± 0.02`.
fn correlation(of: &Agreement, with_error: bool) -> String {
    let error = of.sem.filter(|_| with_error).map_or_else(String::new, |sem| format!(" ± {sem:.2}"));
    format!("{:.2}{error}", of.rank_correlation)
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
        let table = |with_errors: bool| {
            let mut table = Table::of_numbers(std::iter::once("").chain(columns.iter().copied()));
            for row in rows {
                let cell = |column: &&str| {
                    let pair = pairs.iter().find(|a| a.generators[0] == *row && a.generators[1] == **column);
                    pair.map_or_else(String::new, |a| correlation(a, with_errors))
                };
                table.push(std::iter::once((*row).to_owned()).chain(columns.iter().map(cell)).collect::<Vec<_>>());
            }
            table
        };
        // A narrow terminal gets the numbers without their errors.
        let full = table(true);
        let narrow = full.width() > room;
        lines.extend(if narrow { table(false).lines(room) } else { full.lines(room) });
    }
    lines
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| NONE.to_owned(), |share| number::percent(share, 1))
}
