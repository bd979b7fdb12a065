//! `aliascope metrics` as a table for a terminal.

use std::fmt::Write;

use crate::figure::number::compact;
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
    Ok(())
}
