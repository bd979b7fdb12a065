//! `aliascope antialias --model` as a table for a terminal.

use std::fmt::{Result, Write};

use super::text::{pad_left, pad_right, tail};
use crate::antialias::surgery::report::{Advice, Mean, Paired, SurgeryReport};
use crate::figure::number::compact;

/// How many places, layers and trials are listed.
const MOST: usize = 10;
/// Columns of a node's name.
const NAME: usize = 46;

/// A network before and after.
pub fn surgery_table(report: &SurgeryReport) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_surgery(&mut text, report);
    text
}

fn write_surgery(text: &mut String, report: &SurgeryReport) -> Result {
    writeln!(
        text,
        "{}: {} images; output {} {:?}; {} derivative, {} boundary; {}",
        report.model,
        report.images,
        report.output,
        report.output_shape,
        report.derivative,
        report.boundary,
        report.precision
    )?;
    writeln!(
        text,
        "{} in {} places, {} padding{}\n",
        report.replace.join(", "),
        report.grafts.len(),
        report.padding,
        report.pattern.as_ref().map_or(String::new(), |pattern| format!(", where '{pattern}'"))
    )?;
    if let Some(advice) = &report.advice {
        write_advice(text, advice)?;
    }
    let design = report.grafts.iter().map(|g| g.design.chars().count()).max().unwrap_or(0).max(6);
    writeln!(text, "{:NAME$}  {:design$}  {:>9} {:>9}  behind", "place", "design", "reads", "writes")?;
    for graft in report.grafts.iter().take(MOST) {
        let size = |[rows, columns]: [usize; 2]| format!("{rows}x{columns}");
        writeln!(
            text,
            "{}  {:design$}  {:>9} {:>9}  {}",
            pad_right(&tail(&graft.name, NAME), NAME),
            graft.design,
            size(graft.reads),
            size(graft.writes),
            if graft.behind == graft.name { "itself".to_owned() } else { tail(&graft.behind, NAME) }
        )?;
    }
    more(text, report.grafts.len())?;
    writeln!(text, "\n{:32} {:>20} {:>20} {:>7} {:>22}", "LEE", "before", "after", "ratio", "difference")?;
    for (name, paired) in &report.generators {
        write_paired(text, name, paired, &compact)?;
    }
    if !report.shifts.is_empty() {
        writeln!(text, "\n{:32} {:>20} {:>20} {:>7} {:>22}", "under shifts", "before", "after", "ratio", "difference")?;
        for (name, paired) in &report.shifts {
            let percent = |value: f64| format!("{:.1} %", 100.0 * value).replace('-', "−");
            let number: &dyn Fn(f64) -> String = if name.ends_with("mse") { &compact } else { &percent };
            write_paired(text, &name.replace('_', " "), paired, number)?;
        }
    }
    if !report.layers.is_empty() {
        write_layers(text, report)?;
    }
    write_change(text, report)
}

fn write_layers(text: &mut String, report: &SurgeryReport) -> Result {
    writeln!(
        text,
        "\n{:32} {:>20} {:>20} {:>7}",
        format!("layers, {}", report.layers_generator),
        "before",
        "after",
        "ratio"
    )?;
    let value = |mean: &Option<Mean>| mean.map_or(0.0, |mean| mean.mean);
    let mut layers: Vec<_> = report.layers.iter().collect();
    layers.sort_by(|a, b| value(&b.before).max(value(&b.after)).total_cmp(&value(&a.before).max(value(&a.after))));
    for layer in layers.iter().take(MOST) {
        let ratio = if value(&layer.before) > 0.0 { value(&layer.after) / value(&layer.before) } else { 0.0 };
        writeln!(
            text,
            "  {} {} {} {}",
            pad_right(&tail(&layer.name, 30), 30),
            pad_left(&layer.before.map_or("-".to_owned(), with_error), 20),
            pad_left(&layer.after.map_or("-".to_owned(), with_error), 20),
            pad_left(&if ratio > 0.0 { format!("{ratio:.2}") } else { "-".to_owned() }, 7)
        )?;
    }
    more(text, layers.len())?;
    write_paired(text, "all, as vectors", &report.layers_total, &compact)
}

fn write_change(text: &mut String, report: &SurgeryReport) -> Result {
    let change = &report.change;
    writeln!(text, "\noutputs on these images")?;
    if let Some(kept) = change.top1_kept {
        let same = (kept.mean * report.images as f64).round();
        let changed: Vec<&str> =
            change.top1_changed.iter().map(|name| name.rsplit(['/', '\\']).next().unwrap_or(name)).take(MOST).collect();
        let names = if changed.is_empty() { String::new() } else { format!("; changed: {}", changed.join(", ")) };
        writeln!(text, "  first class kept         {same:.0} of {}{names}", report.images)?;
    }
    if let Some(kl) = change.kl {
        writeln!(text, "  divergence KL, nats      {}", with_error(kl))?;
    }
    if let Some(confidence) = change.confidence {
        let percent = |value: f64| format!("{:.0} %", 100.0 * value).replace('-', "−");
        writeln!(
            text,
            "  largest probability      {} before, {} after ({} ± {})",
            percent(confidence.before),
            percent(confidence.after),
            percent(confidence.difference),
            percent(confidence.difference_sem.unwrap_or(0.0))
        )?;
    }
    writeln!(text, "  change of the output     {} of its length", with_error(change.relative))?;
    let cost = &report.cost;
    writeln!(
        text,
        "cost\n  {} forwards by multiplications; {:.1} ms before, {:.1} ms after, {:.2} times as long",
        compact(cost.forwards),
        cost.forward_ms_before,
        cost.forward_ms_after,
        cost.time_ratio
    )?;
    if let (Some(path), Some(difference)) = (&report.saved, report.saved_difference) {
        writeln!(text, "saved\n  {path}; read again its output differs by {difference:.1e}")?;
    }
    writeln!(
        text,
        "\n±: standard error over images; of differences, over images in pairs. A falling LEE says nothing where the output\n\
         itself fades: read it beside the outputs."
    )
}

fn write_advice(text: &mut String, advice: &Advice) -> Result {
    writeln!(text, "where to begin: LEE under {} is {} at first", advice.generator, compact(advice.start))?;
    for (at, step) in advice.steps.iter().enumerate() {
        let title = format!("step {}, {:.1} s", at + 1, step.seconds);
        writeln!(
            text,
            "\n  {} {:>10} {:>22} {:>8} {:>9} {:>10} {:>8}",
            pad_right(&title, NAME),
            "LEE",
            "gain",
            "cost",
            "gain/cost",
            "first kept",
            "KL"
        )?;
        for trial in step.tried.iter().take(MOST) {
            let mark = if trial.name == step.chosen { '>' } else { ' ' };
            writeln!(
                text,
                "{mark} {} {} {} {} {} {} {}",
                pad_right(&tail(&trial.name, NAME), NAME),
                pad_left(&compact(trial.lee), 10),
                pad_left(&with_error(trial.gain), 22),
                pad_left(&format!("{:.2}", trial.cost), 8),
                pad_left(&compact(trial.gain_per_cost), 9),
                pad_left(&trial.top1_kept.map_or("-".to_owned(), |kept| format!("{:.0} %", 100.0 * kept)), 10),
                pad_left(&trial.kl.map_or("-".to_owned(), compact), 8),
            )?;
        }
        more(text, step.tried.len())?;
    }
    if let Some(ended) = &advice.ended {
        writeln!(text, "\n  ended: {ended}")?;
    }
    if let Some(correlation) = advice.forecast.rank_correlation {
        let value = format!("{correlation:.2}").replace('-', "−");
        writeln!(text, "\n  forecast by the layers' contributions: rank correlation {value} with the gains of step 1")?;
    }
    writeln!(text)
}

fn more(text: &mut String, count: usize) -> Result {
    if count > MOST { writeln!(text, "  … and {} more", count - MOST) } else { Ok(()) }
}

fn with_error(mean: Mean) -> String {
    match mean.sem {
        Some(sem) => format!("{} ± {}", compact(mean.mean), compact(sem)),
        None => compact(mean.mean),
    }
}

fn write_paired(text: &mut String, name: &str, paired: &Paired, number: &dyn Fn(f64) -> String) -> Result {
    let with = |value: f64, sem: Option<f64>| match sem {
        Some(sem) => format!("{} ± {}", number(value), number(sem)),
        None => number(value),
    };
    let sign = if paired.difference > 0.0 { "+" } else { "" };
    writeln!(
        text,
        "  {} {} {} {} {}",
        pad_right(name, 30),
        pad_left(&with(paired.before, paired.before_sem), 20),
        pad_left(&with(paired.after, paired.after_sem), 20),
        pad_left(&paired.ratio().map_or("-".to_owned(), |ratio| format!("{ratio:.2}")), 7),
        pad_left(&format!("{sign}{}", with(paired.difference, paired.difference_sem)), 22)
    )
}
