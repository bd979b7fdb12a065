//! `aliascope metrics` as a table for a terminal.

use crate::figure::number::compact;
use crate::figure::style::printable;
use crate::measure::layer_metrics::{LayerMeasure, LayerMetric, LayerMetrics, Share};
use crate::measure::metrics_report::{Measure, MetricsReport, Psnr};
use crate::statistics::Interval;

use super::text::{GAP, blocks, pad_left, pad_right, tail, wrapped};

/// Columns of a measure's name.
const NAME: usize = 30;
/// Of an interval.
const INTERVAL: usize = 19;

/// Every figure with its standard error and the protocol it was taken under, then what is missing, in lines of at most
/// `width` columns (taken as 80 where it is less).
pub fn metrics_table(report: &MetricsReport, width: usize) -> String {
    let width = width.max(80);
    let mut lines = whole(report, width);
    if let Some(layers) = &report.layers {
        lines.extend(each_layer(layers, width));
    }
    let mut text = String::new();
    for line in lines.iter().flat_map(|line| wrapped(&printable(line), width)) {
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// A value and its standard error as they are shown.
type Shown = Option<(String, Option<String>)>;

fn whole(report: &MetricsReport, width: usize) -> Vec<String> {
    let plural = |n: usize, what: &str| if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") };
    let shape = report.run.model.output_shape_in_words();
    let mut lines = vec![
        format!(
            "{}: metrics of {} ({shape}), {}, {} each, seed {}; {}",
            report.run.model.path,
            report.run.what(),
            report.run.images.in_words(),
            plural(report.draws, "draw"),
            report.seed,
            report.run.arithmetic()
        ),
        String::new(),
        format!(
            "{}{GAP}{}{GAP}{}{GAP}protocol",
            pad_right("measure", NAME),
            pad_left("value", 12),
            pad_left("95 % interval", INTERVAL)
        ),
    ];
    let (m, p) = (&report.metrics, &report.protocols);
    let psnr = |value: &Option<Psnr>| -> Shown {
        let psnr = value.as_ref()?;
        let db = |db: f64| format!("{db:.2} dB");
        let interval = psnr.interval.map(|interval| format!("{:.2}–{:.2}", interval.low, interval.high));
        Some((psnr.value.map_or("exact".to_owned(), db), interval))
    };
    let number = |value: &Option<Measure>| -> Shown {
        let interval = |of: Interval| format!("{}–{}", compact(of.low), compact(of.high));
        value.as_ref().map(|measure| (compact(measure.value), measure.interval.map(interval)))
    };
    let share = |value: &Option<Measure>| -> Shown {
        let percent = |share: f64| format!("{:.1}", 100.0 * share);
        let interval = |of: Interval| format!("{}–{}", percent(of.low), percent(of.high));
        value.as_ref().map(|measure| (format!("{} %", percent(measure.value)), measure.interval.map(interval)))
    };
    let rows = [
        ("EQ-T", psnr(&m.eq_t), &p.eq_t),
        ("EQ-T_frac", psnr(&m.eq_t_frac), &p.eq_t_frac),
        ("EQ-R", psnr(&m.eq_r), &p.eq_r),
        ("mse_eq_t", number(&m.mse_eq_t), &p.mse),
        ("mse_eq_t_frac", number(&m.mse_eq_t_frac), &p.mse),
        ("mse_eq_r", number(&m.mse_eq_r), &p.mse),
        ("consistency, whole, circular", share(&m.consistency_integer_circular), &p.consistency_circular),
        ("consistency, half, circular", share(&m.consistency_half_pixel_circular), &p.consistency_circular),
        ("consistency, whole, cropped", share(&m.consistency_integer_cropped), &p.consistency_cropped),
        ("consistency, half, cropped", share(&m.consistency_half_pixel_cropped), &p.consistency_cropped),
        ("sample invariance, shift", number(&m.sample_invariance_translate_x), &p.sample_invariance),
        ("sample invariance, rotation", number(&m.sample_invariance_rotate), &p.sample_invariance),
        ("consistency, columns rolled", share(&m.consistency_authors_columns), &p.consistency_authors),
        ("consistency, rows rolled", share(&m.consistency_authors_rows), &p.consistency_authors),
        ("sample invariance along x", number(&m.sample_invariance_authors_x), &p.sample_invariance_authors),
        ("sample invariance along y", number(&m.sample_invariance_authors_y), &p.sample_invariance_authors),
    ];
    let mut protocols: Vec<&String> = Vec::new();
    for (name, shown, protocol) in rows {
        let Some((value, interval)) = shown else { continue };
        if !protocols.contains(&protocol) {
            protocols.push(protocol);
        }
        let at = protocols.iter().position(|known| *known == protocol).unwrap_or(0) + 1;
        let interval = interval.unwrap_or_else(|| "–".to_owned());
        lines.push(format!(
            "{}{GAP}{}{GAP}{}{GAP}({at})",
            pad_right(name, NAME),
            pad_left(&value, 12),
            pad_left(&interval, INTERVAL)
        ));
    }
    lines.push(String::new());
    lines.extend(
        protocols.iter().enumerate().flat_map(|(at, protocol)| wrapped(&format!("({}) {protocol}", at + 1), width)),
    );
    if !report.missing.is_empty() {
        lines.push(String::new());
    }
    let mut reasons: Vec<&String> = Vec::new();
    for missing in &report.missing {
        if !reasons.contains(&&missing.reason) {
            reasons.push(&missing.reason);
        }
    }
    for reason in reasons {
        let names: Vec<&str> =
            report.missing.iter().filter(|m| &m.reason == reason).map(|m| m.metric.as_str()).collect();
        lines.push(format!("not measured: {} ({reason})", names.join(", ")));
    }
    lines
}

/// Shares by class under each measure, and the layer that leads.
fn each_layer(metrics: &LayerMetrics, width: usize) -> Vec<String> {
    let compared = metrics.layers.iter().filter(|layer| layer.missing.is_none()).count();
    let mut lines = vec![
        String::new(),
        format!("Each layer alone: {compared} of {} layers that can make an error", metrics.layers.len()),
        "share of each class in the sum over these layers, image by image; rank correlation with LEE".to_owned(),
        String::new(),
    ];
    let columns = shares(metrics);
    // A slash for "over": with it the table fits into 80 columns.
    let titles = std::iter::once(String::new()).chain(LayerMeasure::ALL.map(|m| m.title().replace(", over ", " / ")));
    let rows: Vec<Vec<String>> = titles
        .enumerate()
        .map(|(at, title)| std::iter::once(title).chain(columns.iter().map(|c| c[at].clone())).collect())
        .collect();
    lines.extend(blocks(&rows, width));
    lines.push(String::new());
    lines.push("largest share under each measure".to_owned());
    for measure in LayerMeasure::ALL {
        let share = |layer: &LayerMetric| layer.measured(measure).and_then(|measured| measured.share).unwrap_or(0.0);
        let first =
            metrics.layers.iter().max_by(|a, b| share(a).total_cmp(&share(b))).filter(|layer| share(layer) > 0.0);
        let name = first.map_or_else(|| "–".to_owned(), |layer| tail(&layer.name, width - NAME - 2 * GAP.len()));
        lines.push(format!("{GAP}{}{GAP}{name}", pad_right(measure.title(), NAME)));
    }
    lines.push(String::new());
    let p = &metrics.protocols;
    for (name, protocol) in [
        ("LEE", &p.lee),
        ("EQ-T, whole steps", &p.eq_t),
        ("EQ-T, rounded apart", &p.eq_t_rounded),
        ("EQ-T_frac", &p.eq_t_frac),
        ("/ N, / √N", &p.normalisation),
    ] {
        lines.push(format!("{name}: {protocol}"));
    }
    let mut reasons: Vec<&String> = metrics.layers.iter().filter_map(|layer| layer.missing.as_ref()).collect();
    reasons.sort();
    reasons.dedup();
    for reason in reasons {
        let names: Vec<&str> = metrics
            .layers
            .iter()
            .filter(|layer| layer.missing.as_ref() == Some(reason))
            .map(|layer| layer.name.as_str())
            .collect();
        lines.push(format!("not compared: {} ({reason})", names.join(", ")));
    }
    lines
}

/// Columns of a cell per measure, below a heading: the classes' shares, then the rank correlation.
fn shares(metrics: &LayerMetrics) -> Vec<Vec<String>> {
    let cell = |share: Share| match (share.share, share.sem) {
        (Some(share), Some(sem)) => format!("{:.0} ± {:.0} %", 100.0 * share, 100.0 * sem),
        (Some(share), None) => format!("{:.0} %", 100.0 * share),
        (None, _) => "–".to_owned(),
    };
    let measures = || LayerMeasure::ALL.into_iter().map(LayerMeasure::name);
    let class = |(name, shares): (&String, &indexmap::IndexMap<String, Share>)| {
        let cells = measures().map(|measure| cell(shares.get(measure).copied().unwrap_or_default()));
        std::iter::once(name.clone()).chain(cells).collect::<Vec<_>>()
    };
    let rank = |measure: &str| {
        let rank = metrics.rank_correlation.get(measure).copied().flatten();
        rank.map_or("–".to_owned(), |rank| format!("{rank:.2}").replace('-', "−"))
    };
    let ranks = std::iter::once("rank".to_owned()).chain(measures().map(rank)).collect();
    metrics.by_type.iter().map(class).chain([ranks]).collect()
}
