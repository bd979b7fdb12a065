//! A comparison of networks as text for a terminal.

use crate::figure::style::printable;
use crate::measure::run::counted;
use crate::number::compact;
use crate::statistics::Estimate;
use crate::study::comparison::{ComparedNetwork, Comparison, Difference, Verdict};
use crate::symmetry::Units;

use super::table::blocks;
use super::text::{GAP, tail, wrapped};

/// The least width that holds the numbers.
const LEAST_WIDTH: usize = 60;
/// What is said where an interval holds no difference.
pub(super) const NO_DIFFERENCE: &str = "no difference can be told apart";

/// The networks with LEE under each generator, what is known of each beside it, then the paired differences to the first, in
/// lines of at most `width` columns (taken as 60 where it is less).
pub fn comparison_table(comparison: &Comparison, width: usize) -> String {
    let width = width.max(LEAST_WIDTH);
    let mut lines = vec![heading(comparison), String::new()];
    lines.extend(blocks(&errors(comparison), width));
    lines.push(String::new());
    lines.extend(blocks(&about(comparison), width));
    lines.extend(against_the_first(comparison, width));
    lines.push(String::new());
    lines.extend(comparison.reservations(named));
    lines.extend(assumptions(comparison));
    lines.extend(comparison.failures.iter().map(|failed| format!("Not measured: {}", failed.problem)));
    let mut text = String::new();
    for line in lines.iter().flat_map(|line| wrapped(&printable(line), width)) {
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// A network's name in a sentence: its end, where it is too long for a line.
fn named(name: &str) -> String {
    tail(name, 40)
}

/// `0.123 [0.071, 0.31]`.
pub(super) fn estimate(of: &Estimate) -> String {
    match of.interval {
        Some(interval) => format!("{} [{}, {}]", compact(of.value), compact(interval.low), compact(interval.high)),
        None => compact(of.value),
    }
}

fn heading(comparison: &Comparison) -> String {
    let percent = (100.0 * comparison.level).round();
    let images: Vec<usize> = comparison.networks.iter().map(|network| network.run.images.count()).collect();
    let (least, most) = (images.iter().min().copied().unwrap_or(0), images.iter().max().copied().unwrap_or(0));
    let images = if least == most { counted(most, "image") } else { format!("{least} to {most} images") };
    format!(
        "{} on {images}: LEE, the mean over images of ‖L‖²/dim, with its {percent} % interval",
        counted(comparison.networks.len(), "network")
    )
}

fn errors(comparison: &Comparison) -> Vec<Vec<String>> {
    let generators = comparison.generators();
    let head = std::iter::once("network").chain(generators.iter().copied()).map(str::to_owned).collect();
    let row = |network: &ComparedNetwork| {
        let cell = |generator: &&str| network.generators.get(*generator).map_or_else(String::new, |g| estimate(&g.lee));
        std::iter::once(network.name.clone()).chain(generators.iter().map(cell)).collect()
    };
    std::iter::once(head).chain(comparison.networks.iter().map(row)).collect()
}

fn about(comparison: &Comparison) -> Vec<Vec<String>> {
    let labelled = comparison.networks.iter().any(|network| network.accuracy.is_some());
    let mut head = vec!["network", "family"];
    head.extend(labelled.then_some("top-1"));
    head.extend(["parameters", "file", "input", "sweep"]);
    let row = |network: &ComparedNetwork| {
        let mut cells = vec![network.name.clone(), network.family.clone()];
        if labelled {
            let top1 = |a: &crate::measure::lee_report::Accuracy| format!("{:.1} %", 100.0 * a.top1);
            cells.push(network.accuracy.as_ref().map_or_else(|| "–".to_owned(), top1));
        }
        let shape = network.run.model.input_shape.iter().skip(1).map(i64::to_string).collect::<Vec<_>>().join("×");
        cells.extend([
            count(network.parameters),
            crate::memory::size(network.bytes),
            shape,
            duration(network.sweep_ms),
        ]);
        cells
    };
    std::iter::once(head.into_iter().map(str::to_owned).collect()).chain(comparison.networks.iter().map(row)).collect()
}

/// `402 ms`, `1.05 s`.
fn duration(milliseconds: f64) -> String {
    if milliseconds < 999.5 {
        format!("{} ms", compact(milliseconds))
    } else {
        format!("{} s", compact(1e-3 * milliseconds))
    }
}

/// `4.65 M`.
pub(super) fn count(number: u64) -> String {
    match number {
        0..1000 => number.to_string(),
        1000..1_000_000 => format!("{:.1} k", number as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2} M", number as f64 / 1e6),
        _ => format!("{:.2} G", number as f64 / 1e9),
    }
}

fn against_the_first(comparison: &Comparison, width: usize) -> Vec<String> {
    let Some(first) = comparison.differences.first() else { return Vec::new() };
    let generators = comparison.generators();
    let head = std::iter::once("network").chain(generators.iter().copied()).map(str::to_owned).collect::<Vec<_>>();
    let of = |network: &str| {
        let found: Vec<&Difference> =
            comparison.differences.iter().filter(|difference| difference.network == network).collect();
        found
    };
    let others: Vec<&ComparedNetwork> = comparison.networks.iter().skip(1).collect();
    let row = |network: &&ComparedNetwork| {
        let found = of(&network.name);
        let cell = |generator: &&str| {
            let ratio = found.iter().find(|d| d.generator == **generator).and_then(|d| d.ratio.as_ref());
            ratio.map_or_else(|| "–".to_owned(), |ratio| estimate(&ratio.geometric))
        };
        std::iter::once(network.name.clone()).chain(generators.iter().map(cell)).collect::<Vec<_>>()
    };
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(others.iter().map(row)).collect();
    let mut lines = vec![
        String::new(),
        format!(
            "LEE against {}, image by image: the geometric mean of the ratio with its {} % interval",
            named(&first.reference),
            (100.0 * comparison.level).round()
        ),
        String::new(),
    ];
    lines.extend(blocks(&rows, width));
    lines.push(String::new());
    for network in others {
        let found = of(&network.name);
        lines.push(format!("{}: {}.", named(&network.name), verdicts(&found)));
        let why = found.iter().filter_map(|d| Some((d.generator.as_str(), d.undefined.as_ref()?)));
        lines.extend(why.map(|(generator, why)| format!("{GAP}No ratio under {generator}: {why}.")));
    }
    lines
}

/// `higher under rotate, scale; no difference can be told apart under translate_x`.
pub(super) fn verdicts(differences: &[&Difference]) -> String {
    let under = |verdict: Verdict| {
        let names: Vec<&str> =
            differences.iter().filter(|d| d.verdict == verdict).map(|d| d.generator.as_str()).collect();
        names
    };
    let said = [(Verdict::Higher, "higher"), (Verdict::Lower, "lower"), (Verdict::Undecided, NO_DIFFERENCE)];
    let said = said.into_iter().filter_map(|(verdict, words)| {
        let names = under(verdict);
        (!names.is_empty()).then(|| format!("{words} under {}", names.join(", ")))
    });
    let images = differences.first().map_or(0, |difference| difference.images);
    format!("{} ({})", said.collect::<Vec<_>>().join("; "), counted(images, "pair"))
}

fn assumptions(comparison: &Comparison) -> Vec<String> {
    let Some(first) = comparison.networks.first() else { return Vec::new() };
    let lie = first.run.lie();
    let unit = if lie.units == Units::Pixel { "pixels" } else { "half-widths of the image" };
    let mut lines = vec![format!(
        "t is in {unit}. Derivative {}, boundary {}, grid {}; {} on {}. Measured: {}.",
        lie.derivative,
        lie.boundary,
        lie.grid,
        first.run.arithmetic(),
        first.run.device,
        first.run.what()
    )];
    let ways = |network: &ComparedNetwork| network.run.images.preprocess.clone();
    if comparison.networks.iter().all(|network| ways(network) == ways(first)) {
        lines.push(format!("Preprocessing: {}.", ways(first)));
    } else {
        let each =
            comparison.networks.iter().map(|network| format!("{GAP}{}: {}", named(&network.name), ways(network)));
        lines.push("Preprocessing, each network its own, of the same images:".to_owned());
        lines.extend(each);
    }
    if comparison.differences.len() > 1 {
        lines.push(format!(
            "Each interval by itself holds the true value in {} % of cases: of many differences that are none, one in {} is \
             told apart all the same.",
            (100.0 * comparison.level).round(),
            (1.0 / (1.0 - comparison.level)).round()
        ));
    }
    lines
}
