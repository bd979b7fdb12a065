//! `aliascope metrics` as a table for a terminal.

use crate::measure::layer_metrics::{LayerMeasure, LayerMetric, LayerMetrics, Share};
use crate::measure::metric_list::Metric;
use crate::measure::metrics_report::MetricsReport;
use crate::measure::run::counted;
use crate::number::{compact, percent};

use super::table::{Side, Table};
use super::text::{NONE, page};

/// Every figure with its standard error and the protocol it was taken under, then what is missing, in lines of at most
/// `width` columns (taken as 80 where it is less).
pub fn metrics_table(report: &MetricsReport, width: usize) -> String {
    let width = width.max(80);
    let mut lines = whole(report, width);
    if let Some(layers) = &report.layers {
        lines.extend(each_layer(layers, width));
    }
    page(&lines, width)
}

fn whole(report: &MetricsReport, width: usize) -> Vec<String> {
    let shape = report.run.model.output_shape_in_words();
    let mut lines = vec![format!(
        "{}: metrics of {} ({shape}), {}, {} each, seed {}; {}",
        report.run.model.path,
        report.run.what(),
        report.run.images.in_words(),
        counted(report.draws, "draw"),
        report.seed,
        report.run.arithmetic()
    )];
    let mut protocols: Vec<&str> = Vec::new();
    let mut table = Table::new([
        ("measure", Side::Words),
        ("value", Side::Numbers),
        ("95 % interval", Side::Numbers),
        ("protocol", Side::Words),
    ]);
    let list = report.list();
    for metric in &list {
        if !protocols.contains(&metric.protocol) {
            protocols.push(metric.protocol);
        }
        let at = protocols.iter().position(|known| *known == metric.protocol).unwrap_or(0) + 1;
        let (value, interval) = metric.shown();
        table.push([metric.title.to_owned(), value, interval.unwrap_or_else(|| NONE.to_owned()), format!("({at})")]);
    }
    if !list.is_empty() {
        lines.push(String::new());
        lines.extend(table.lines(width));
        lines.push(String::new());
    }
    lines.extend(geometric(&list, width));
    lines.extend(protocols.iter().enumerate().map(|(at, protocol)| format!("({}) {protocol}", at + 1)));
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

/// The geometric means of squares, whose means a few images make.
fn geometric(list: &[Metric<'_>], width: usize) -> Vec<String> {
    let mut table =
        Table::new([("over images", Side::Words), ("geo. mean", Side::Numbers), ("95 % interval", Side::Numbers)]);
    let mut lines = Vec::new();
    for metric in list {
        let Some(mean) = metric.geometric_mean else { continue };
        let interval =
            mean.interval.map_or_else(|| NONE.to_owned(), |of| format!("{}–{}", compact(of.low), compact(of.high)));
        table.push([metric.title.to_owned(), compact(mean.value), interval]);
        lines = table.lines(width);
    }
    if !lines.is_empty() {
        lines.push(String::new());
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
    let mut table = Table::of_numbers(std::iter::once("").chain(columns.iter().map(|column| column[0].as_str())));
    for (at, measure) in LayerMeasure::ALL.into_iter().enumerate() {
        let title = measure.title().replace(", over ", " / ");
        let cells = columns.iter().map(|column| column[at + 1].clone());
        table.push(std::iter::once(title).chain(cells).collect::<Vec<_>>());
    }
    lines.extend(table.lines(width));
    lines.push(String::new());
    let mut table = Table::new([("measure", Side::Words), ("layer of the largest share", Side::Names)]);
    for measure in LayerMeasure::ALL {
        let share = |layer: &LayerMetric| layer.measured(measure).and_then(|measured| measured.share).unwrap_or(0.0);
        let first =
            metrics.layers.iter().max_by(|a, b| share(a).total_cmp(&share(b))).filter(|layer| share(layer) > 0.0);
        let name = first.map_or_else(|| NONE.to_owned(), |layer| layer.name.clone());
        table.push([measure.title().to_owned(), name]);
    }
    lines.extend(table.narrowed(width).0);
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
        (Some(share), Some(sem)) => format!("{:.0} ± {}", 100.0 * share, percent(sem, 0)),
        (Some(share), None) => percent(share, 0),
        (None, _) => NONE.to_owned(),
    };
    let measures = || LayerMeasure::ALL.into_iter().map(LayerMeasure::name);
    let class = |(name, shares): (&String, &indexmap::IndexMap<String, Share>)| {
        let cells = measures().map(|measure| cell(shares.get(measure).copied().unwrap_or_default()));
        std::iter::once(name.clone()).chain(cells).collect::<Vec<_>>()
    };
    let rank = |measure: &str| {
        let rank = metrics.rank_correlation.get(measure).copied().flatten();
        rank.map_or(NONE.to_owned(), |rank| format!("{rank:.2}").replace('-', "−"))
    };
    let ranks = std::iter::once("rank".to_owned()).chain(measures().map(rank)).collect();
    metrics.by_type.iter().filter(|(name, _)| metrics.is_seen(name)).map(class).chain([ranks]).collect()
}
