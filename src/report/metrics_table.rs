//! `aliascope metrics` as a table for a terminal.

use std::fmt::Write;

use crate::figure::number::compact;
use crate::measure::layer_metrics::{LayerMeasure, LayerMetric, LayerMetrics};
use crate::measure::metrics_report::{MetricsReport, Psnr};

/// Every figure with the protocol it was taken under, then what is missing.
pub fn metrics_table(report: &MetricsReport) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_metrics(&mut text, report);
    text
}

fn write_metrics(text: &mut String, report: &MetricsReport) -> std::fmt::Result {
    writeln!(
        text,
        "{}: {} images, {} draws each, seed {}; output {} {:?}\n",
        report.model, report.images, report.draws, report.seed, report.output, report.output_shape
    )?;
    let (m, p) = (&report.metrics, &report.protocols);
    let psnr = |value: &Option<Psnr>| value.map(|psnr| psnr.db.map_or("exact".to_owned(), |db| format!("{db:.2} dB")));
    let number = |value: Option<f64>| value.map(compact);
    let share = |value: Option<f64>| value.map(|share| format!("{:.1} %", 100.0 * share));
    let rows = [
        ("EQ-T", psnr(&m.eq_t), &p.eq_t),
        ("EQ-T_frac", psnr(&m.eq_t_frac), &p.eq_t_frac),
        ("EQ-R", psnr(&m.eq_r), &p.eq_r),
        ("mse_eq_t", number(m.mse_eq_t), &p.mse),
        ("mse_eq_t_frac", number(m.mse_eq_t_frac), &p.mse),
        ("mse_eq_r", number(m.mse_eq_r), &p.mse),
        ("consistency, whole, circular", share(m.consistency_integer_circular), &p.consistency_circular),
        ("consistency, half, circular", share(m.consistency_half_pixel_circular), &p.consistency_circular),
        ("consistency, whole, cropped", share(m.consistency_integer_cropped), &p.consistency_cropped),
        ("consistency, half, cropped", share(m.consistency_half_pixel_cropped), &p.consistency_cropped),
        ("sample invariance, shift", number(m.sample_invariance_translate_x), &p.sample_invariance),
        ("sample invariance, rotation", number(m.sample_invariance_rotate), &p.sample_invariance),
    ];
    let mut protocols: Vec<&String> = Vec::new();
    for (name, value, protocol) in rows {
        let Some(value) = value else { continue };
        if !protocols.contains(&protocol) {
            protocols.push(protocol);
        }
        let at = protocols.iter().position(|known| *known == protocol).unwrap_or(0) + 1;
        writeln!(text, "  {name:<30} {value:>12}   ({at})")?;
    }
    writeln!(text)?;
    for (at, protocol) in protocols.iter().enumerate() {
        writeln!(text, "({}) {protocol}", at + 1)?;
    }
    let mut reasons: Vec<&String> = report.missing.iter().map(|missing| &missing.reason).collect();
    reasons.dedup();
    for reason in reasons {
        let names: Vec<&str> =
            report.missing.iter().filter(|m| &m.reason == reason).map(|m| m.metric.as_str()).collect();
        writeln!(text, "not measured: {} ({reason})", names.join(", "))?;
    }
    match &report.layers {
        Some(layers) => write_layers(text, layers),
        None => Ok(()),
    }
}

/// Shares by class under each measure, and the layer that leads.
fn write_layers(text: &mut String, metrics: &LayerMetrics) -> std::fmt::Result {
    let compared = metrics.layers.iter().filter(|layer| layer.missing.is_none()).count();
    writeln!(text, "\nEach layer alone: {compared} of {} layers that can make an error", metrics.layers.len())?;
    writeln!(text, "share of each class in the sum over these layers, image by image; rank correlation with LEE\n")?;
    let classes: Vec<&String> = metrics.by_type.keys().collect();
    write!(text, "  {:<30}", "")?;
    for class in &classes {
        write!(text, " {:>width$}", class, width = class.len().max(12))?;
    }
    writeln!(text, " {:>5}  leads", "rank")?;
    for measure in LayerMeasure::ALL {
        write!(text, "  {:<30}", measure.title())?;
        for class in &classes {
            let share = metrics.by_type[*class].get(measure.name()).copied().unwrap_or_default();
            let shown = match (share.share, share.sem) {
                (Some(share), Some(sem)) => format!("{:.0} ± {:.0} %", 100.0 * share, 100.0 * sem),
                (Some(share), None) => format!("{:.0} %", 100.0 * share),
                (None, _) => "–".to_owned(),
            };
            write!(text, " {shown:>width$}", width = class.len().max(12))?;
        }
        let rank = metrics.rank_correlation.get(measure.name()).copied().flatten();
        let share = |layer: &LayerMetric| layer.measured(measure).and_then(|measured| measured.share).unwrap_or(0.0);
        let first =
            metrics.layers.iter().max_by(|a, b| share(a).total_cmp(&share(b))).filter(|layer| share(layer) > 0.0);
        let rank = rank.map_or("–".to_owned(), |rank| format!("{rank:.2}").replace('-', "−"));
        writeln!(text, " {rank:>5}  {}", first.map_or("–", |layer| layer.name.as_str()))?;
    }
    let p = &metrics.protocols;
    writeln!(text)?;
    for (name, protocol) in [
        ("LEE", &p.lee),
        ("EQ-T, whole steps", &p.eq_t),
        ("EQ-T, rounded apart", &p.eq_t_rounded),
        ("EQ-T_frac", &p.eq_t_frac),
        ("over N, over √N", &p.normalisation),
    ] {
        writeln!(text, "{name}: {protocol}")?;
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
        writeln!(text, "not compared: {} ({reason})", names.join(", "))?;
    }
    Ok(())
}
