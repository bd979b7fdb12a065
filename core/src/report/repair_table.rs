//! `aliascope repair` as a table for a terminal.

use std::fmt::{Result, Write};

use super::before_after::{heading, plus_minus, sides, with_error};
use super::table::blocks;
use super::text::{NONE, page};
use crate::antialias::surgery_report::Paired;
use crate::measure::run::counted;
use crate::number::{compact, percent};
use crate::repair::{RepairReport, Stage};
use crate::statistics::Estimate;

/// Layers of the recalibration that are listed.
const MOST: usize = 8;

/// A network stage by stage, in lines of at most `width` columns (taken as 80 where it is less).
pub fn repair_table(report: &RepairReport, width: usize) -> String {
    let width = width.max(80);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_repair(&mut text, report, width);
    let _ = writeln!(text, "\n{}", report.conclusion.text);
    page(&text.lines().map(str::to_owned).collect::<Vec<_>>(), width)
}

/// What was put in and adapted, and the network stage by stage.
pub(super) fn write_repair(text: &mut String, report: &RepairReport, width: usize) -> Result {
    let training = &report.training;
    writeln!(text, "{}", heading(&report.run, "judged on "))?;
    if report.insertions.is_empty() {
        writeln!(text, "no designs: weights alone are adapted")?;
    } else {
        let (rules, places) = (report.replace.join(", "), counted(report.insertions.len(), "place"));
        writeln!(text, "{rules} in {places}, {} padding", report.padding)?;
    }
    if training.steps_asked == 0 {
        writeln!(text, "adapted: no steps\n")?;
    } else {
        let lee = match training.lee_weight {
            0.0 => String::new(),
            weight => format!(" + {weight} LEE under {}", training.generators.join(", ")),
        };
        let shift = match training.teacher_shift {
            0.0 => String::new(),
            pixels => format!(" of the mean over shifts by up to {pixels} pixels"),
        };
        let mixup = match training.mixup {
            0.0 => String::new(),
            share => format!(", {:.0} % blended in pairs", 100.0 * share),
        };
        writeln!(
            text,
            "adapted: {} ({} numbers) on {}{mixup}, loss {}{shift}{lee}, rate {}, {} of {} steps of {} in {:.1} min \
             (ended by {}), best \
             at {}\n",
            training.train,
            training.parameters,
            counted(training.images, "image"),
            training.loss,
            compact(training.rate),
            training.steps,
            training.steps_asked,
            training.batch,
            training.minutes,
            training.ended,
            training.best_step
        )?;
    }
    write_stages(text, report, width)?;
    if let Some(recalibration) = &report.recalibration {
        let layers = &recalibration.layers;
        let mean = |of: fn(&crate::repair::RecalibratedLayer) -> f64| {
            layers.iter().map(of).sum::<f64>() / layers.len().max(1) as f64
        };
        writeln!(
            text,
            "\nrecalibration of {} in {} on {} in {:.0} s: relative squared error of their outputs {} → {} on average",
            recalibration.kind,
            counted(layers.len(), "layer"),
            counted(recalibration.images, "image"),
            recalibration.seconds,
            compact(mean(|layer| layer.before)),
            compact(mean(|layer| layer.after))
        )?;
        let head = ["layer", "before", "after"].map(str::to_owned).to_vec();
        let rows =
            layers.iter().take(MOST).map(|layer| vec![layer.name.clone(), compact(layer.before), compact(layer.after)]);
        let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
        blocks(&rows, width).iter().try_for_each(|line| writeln!(text, "{line}"))?;
        if layers.len() > MOST {
            writeln!(text, "  … and {} more", layers.len() - MOST)?;
        }
    }
    let cost = &report.cost;
    writeln!(
        text,
        "\ncost: {} forward passes by multiplications; {:.1} ms before, {:.1} ms after, {:.2} times as long",
        compact(cost.forward_passes),
        cost.forward_ms_before,
        cost.forward_ms_after,
        cost.time_ratio
    )?;
    if let Some(path) = &report.saved {
        writeln!(text, "saved: {path}; the saved model's output differs by {:.1e}", report.saved_difference)?;
    }
    Ok(())
}

/// What a stage has of a quantity.
type Value<'a> = Box<dyn Fn(&Stage) -> Option<String> + 'a>;

fn write_stages(text: &mut String, report: &RepairReport, width: usize) -> Result {
    let Some(last) = report.last() else { return Ok(()) };
    let mut head = vec![format!("on {}", counted(report.lee_images.len(), "image")), "before".to_owned()];
    head.extend(report.stages.iter().map(|stage| stage.stage.to_string()));
    head.push("last − before".to_owned());
    let mut rows = vec![head];
    let share = |value: f64| percent(value, 1);
    for (name, paired) in &last.generators {
        rows.push(paired_row(report, &format!("LEE {name}"), paired, &compact, |stage| stage.generators.get(name)));
    }
    for (name, paired) in &last.shifts {
        let is_share = name.starts_with("consistency_");
        let number: &dyn Fn(f64) -> String = if is_share { &share } else { &compact };
        let title = match name.as_str() {
            "consistency_integer_circular" => "roll, whole pixel",
            "consistency_half_pixel_circular" => "roll, half pixel",
            "consistency_integer_cropped" => "crop, whole pixel",
            "consistency_half_pixel_cropped" => "crop, half pixel",
            other => other,
        };
        rows.push(paired_row(report, title, paired, number, |stage| stage.shifts.get(name)));
    }
    blocks(&rows, width).iter().try_for_each(|line| writeln!(text, "{line}"))?;
    write_ratios(text, report, width)?;

    let mut head = vec![format!("outputs on {}", report.run.images.in_words()), "before".to_owned()];
    head.extend(report.stages.iter().map(|stage| stage.stage.to_string()));
    let mut rows = vec![head];
    let confidence = last.change.confidence.as_ref().map(|paired| percent(paired.before, 1));
    let accuracy = report.accuracy_before.as_ref().map(|accuracy| percent(accuracy.top1, 1));
    let quantities: [(&str, Option<String>, Value<'_>); 5] = [
        ("KL, nats", None, Box::new(|stage| stage.change.kl.as_ref().map(|kl| with_error(kl, &compact)))),
        (
            "top-1 unchanged",
            None,
            Box::new(|stage| stage.change.top1_unchanged.as_ref().map(|kept| with_error(kept, &share))),
        ),
        (
            "top-1 accuracy",
            accuracy,
            Box::new(|stage| stage.accuracy.as_ref().map(|accuracy| percent(accuracy.top1, 1))),
        ),
        ("confidence", confidence, Box::new(|stage| stage.change.confidence.as_ref().map(|c| percent(c.after, 1)))),
        ("change / length", None, Box::new(|stage| Some(with_error(&stage.change.relative, &compact)))),
    ];
    for (name, before, value) in quantities {
        if value(last).is_none() {
            continue;
        }
        let mut row = vec![name.to_owned(), before.unwrap_or_else(|| NONE.to_owned())];
        row.extend(report.stages.iter().map(|stage| value(stage).unwrap_or_else(|| NONE.to_owned())));
        rows.push(row);
    }
    writeln!(text)?;
    blocks(&rows, width).iter().try_for_each(|line| writeln!(text, "{line}"))?;
    let shifts = match last.shifts.keys().any(|name| name.starts_with("consistency_")) {
        true => {
            "roll, crop: how often the top-1 class stays when the image is rolled around, or cut out of the photo elsewhere; "
        }
        false => "",
    };
    writeln!(
        text,
        "{shifts}±: standard error over images; of differences, over images in pairs; in brackets, the interval \
         of 95 % over images in pairs"
    )
}

/// LEE over what it was, with intervals.
fn write_ratios(text: &mut String, report: &RepairReport, width: usize) -> Result {
    if report.stages.iter().all(|stage| stage.lee_ratios.is_empty()) {
        return Ok(());
    }
    let mut head = vec!["LEE over LEE before".to_owned()];
    head.extend(report.stages.iter().map(|stage| stage.stage.to_string()));
    let names = report.stages.iter().flat_map(|stage| stage.lee_ratios.keys()).collect::<indexmap::IndexSet<_>>();
    let rows = names.into_iter().map(|name| {
        let cells = report.stages.iter().map(|stage| match stage.lee_ratios.get(name).map(|ratio| ratio.mean) {
            Some(Estimate { value, interval: Some(interval) }) => {
                format!("{value:.2} ({:.2}–{:.2})", interval.low, interval.high)
            }
            Some(Estimate { value, interval: None }) => format!("{value:.2}"),
            None => NONE.to_owned(),
        });
        std::iter::once(name.clone()).chain(cells).collect()
    });
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    writeln!(text)?;
    blocks(&rows, width).iter().try_for_each(|line| writeln!(text, "{line}"))
}

fn paired_row<'a>(
    report: &'a RepairReport,
    name: &str,
    last: &Paired,
    number: &dyn Fn(f64) -> String,
    of: impl Fn(&'a Stage) -> Option<&'a Paired>,
) -> Vec<String> {
    let [before, _, difference] = sides(last, number);
    let stages = report.stages.iter().map(|stage| match of(stage) {
        Some(paired) => plus_minus(paired.after, paired.after_sem, number),
        None => NONE.to_owned(),
    });
    [name.to_owned(), before].into_iter().chain(stages).chain([difference]).collect()
}
