//! A network before and after as CSV.

use std::fmt::Write;

use super::text::quoted;
use crate::antialias::surgery_report::{Mean, Paired, SurgeryReport};

/// One row per figure: LEE of each generator, layers, shifts, then outputs and cost; a field that does not exist is empty.
///
/// Numbers have as many digits as it takes to read the same `f64` back.
pub fn surgery_csv(report: &SurgeryReport) -> String {
    let mut text = String::from("quantity,name,before,before_sem,after,after_sem,difference,difference_sem\n");
    let optional = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
    let mut row = |quantity: &str, name: &str, fields: [Option<f64>; 6]| {
        let fields: Vec<String> = fields.into_iter().map(optional).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{quantity},{},{}", quoted(name), fields.join(","));
    };
    let paired =
        |p: &Paired| [Some(p.before), p.before_sem, Some(p.after), p.after_sem, Some(p.difference), p.difference_sem];
    for (name, value) in &report.generators {
        row("lee", name, paired(value));
    }
    for layer in &report.layers {
        let [before, after] = [layer.before, layer.after].map(|mean| (mean.map(|m| m.mean), mean.and_then(|m| m.sem)));
        row("layer", &layer.name, [before.0, before.1, after.0, after.1, None, None]);
    }
    for (name, value) in &report.shifts {
        row("shift", name, paired(value));
    }
    if let Some(confidence) = &report.change.confidence {
        row("output", "confidence", paired(confidence));
    }
    let mut after = |name: &str, mean: Option<Mean>| {
        if let Some(mean) = mean {
            row("output", name, [None, None, Some(mean.mean), mean.sem, None, None]);
        }
    };
    after("top1_unchanged", report.change.top1_unchanged);
    after("kl", report.change.kl);
    after("relative", Some(report.change.relative));
    let cost = &report.cost;
    let plain = |before: f64, after: f64| [Some(before), None, Some(after), None, Some(after - before), None];
    row("cost", "multiplications", plain(cost.multiplications_before, cost.multiplications_after));
    row("cost", "forward_ms", plain(cost.forward_ms_before, cost.forward_ms_after));
    text
}
