//! `aliascope antialias MODEL` as a table for a terminal.

use std::fmt::{Result, Write};

use super::before_after::{heading, sides, with_error};
use super::sample_size::sample_size;
use super::table::{Side, Table};
use super::text::{NONE, page, tail};
use crate::antialias::surgery_report::{Advice, Forecast, ForecastPlace, InsertionReport, Mean, Paired, SurgeryReport};
use crate::measure::run::{counted, file_name};
use crate::number::{compact, percent};
use crate::spectrum::octave;

/// How many places, layers and trials are listed.
const MOST: usize = 10;

/// A network before and after, in lines of at most `width` columns (taken as 80 where it is less).
pub fn surgery_table(report: &SurgeryReport, width: usize) -> String {
    let width = width.max(80);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_surgery(&mut text, report, width);
    page(&text.lines().map(str::to_owned).collect::<Vec<_>>(), width)
}

fn write_surgery(text: &mut String, report: &SurgeryReport, width: usize) -> Result {
    writeln!(text, "{}", heading(&report.run, ""))?;
    writeln!(
        text,
        "{} in {}, {} padding{}\n",
        report.replace.join(", "),
        counted(report.insertions.len(), "place"),
        report.padding,
        report.pattern.as_ref().map_or(String::new(), |pattern| format!(", where '{pattern}'"))
    )?;
    if let Some(advice) = &report.advice {
        write_advice(text, advice, width)?;
    }
    if report.insertions.is_empty() {
        return writeln!(text, "Nothing was replaced, so there is no before and after to show.");
    }
    let size = |[rows, columns]: [usize; 2]| format!("{rows}x{columns}");
    let follows = |insertion: &InsertionReport| {
        if insertion.follows == insertion.name { "itself".to_owned() } else { tail(&insertion.follows, 24) }
    };
    let mut places = Table::new([
        ("place", Side::Names),
        ("design", Side::Words),
        ("reads", Side::Numbers),
        ("writes", Side::Numbers),
        ("follows", Side::Names),
    ]);
    for insertion in report.insertions.iter().take(MOST) {
        places.push([
            insertion.name.clone(),
            insertion.design.clone(),
            size(insertion.reads),
            size(insertion.writes),
            follows(insertion),
        ]);
    }
    places.lines(width).iter().try_for_each(|line| writeln!(text, "{line}"))?;
    more(text, report.insertions.len())?;
    let sides = ["before", "after", "ratio", "difference"];
    let head = |first: &'static str| [&[first][..], &sides].concat();
    let lee = report.generators.iter().map(|(name, paired)| paired_row(name, paired, &compact));
    writeln!(text)?;
    write_rows(text, &head("LEE"), lee, width)?;
    if let Some(paired) = report.generators.get(&report.layers_generator) {
        for (side, name) in ["before", "after"].into_iter().enumerate() {
            let values: Vec<f64> = paired.by_image.iter().map(|both| both[side]).collect();
            if let Some(worth) = sample_size(&values, &report.run.images) {
                writeln!(text, "{} {name}: {worth}", report.layers_generator)?;
            }
        }
    }
    if !report.shifts.is_empty() {
        let percent = |value: f64| percent(value, 1);
        let (kept, others): (Vec<_>, Vec<_>) =
            report.shifts.iter().partition(|(name, _)| name.starts_with("consistency_"));
        for (title, metrics) in [("top-1 unchanged", kept), ("under shifts", others)] {
            if metrics.is_empty() {
                continue;
            }
            let rows = metrics.into_iter().map(|(name, paired)| {
                let number: &dyn Fn(f64) -> String = if name.ends_with("mse") { &compact } else { &percent };
                paired_row(&name.replace("consistency_", "").replace('_', " "), paired, number)
            });
            writeln!(text)?;
            write_rows(text, &head(title), rows, width)?;
        }
    }
    if !report.layers.is_empty() {
        write_layers(text, report, width)?;
    }
    write_change(text, report, width)
}

/// A table of these columns.
fn write_rows(text: &mut String, head: &[&str], rows: impl Iterator<Item = Vec<String>>, width: usize) -> Result {
    let mut table = Table::of_numbers(head.iter().copied());
    rows.for_each(|row| table.push(row));
    table.lines(width).iter().try_for_each(|line| writeln!(text, "{line}"))
}

fn write_layers(text: &mut String, report: &SurgeryReport, width: usize) -> Result {
    let value = |mean: &Option<Mean>| mean.as_ref().map_or(0.0, |mean| mean.mean);
    let mut layers: Vec<_> = report.layers.iter().collect();
    layers.sort_by(|a, b| value(&b.before).max(value(&b.after)).total_cmp(&value(&a.before).max(value(&a.after))));
    let error = |mean: &Mean| with_error(mean, &compact);
    let rows = layers.iter().take(MOST).map(|layer| {
        let ratio = if value(&layer.before) > 0.0 { value(&layer.after) / value(&layer.before) } else { 0.0 };
        vec![
            layer.name.clone(),
            layer.before.as_ref().map_or(NONE.to_owned(), error),
            layer.after.as_ref().map_or(NONE.to_owned(), error),
            if ratio > 0.0 { format!("{ratio:.2}") } else { NONE.to_owned() },
        ]
    });
    let all = paired_row("all, as vectors", &report.layers_lee, &compact);
    let left_out = (layers.len() > MOST).then(|| format!("… and {} more", layers.len() - MOST));
    let left_out = left_out.map(|words| [words, String::new(), String::new(), String::new()].to_vec());
    let rows = rows.chain(left_out).chain([all[..4].to_vec()]);
    writeln!(text, "\nlayers' contributions E‖J δ‖²/dim under {}", report.layers_generator)?;
    write_rows(text, &["layer", "before", "after", "ratio"], rows, width)
}

fn write_change(text: &mut String, report: &SurgeryReport, width: usize) -> Result {
    let mut terms = outputs(report);
    let cost = &report.cost;
    let passes = format!(
        "{} forward passes by multiplications; {:.1} ms before, {:.1} ms after, {:.2} times as long",
        compact(cost.forward_passes),
        cost.forward_ms_before,
        cost.forward_ms_after,
        cost.time_ratio
    );
    terms.push(("cost", passes));
    if let (Some(path), Some(difference)) = (&report.saved, report.saved_difference) {
        terms.push(("saved", format!("{path}; the saved model's output differs by {}", compact(difference))));
    }
    writeln!(text, "\noutputs on these images, and cost")?;
    let table = Table::of_terms(terms.iter().map(|(term, meaning)| (*term, meaning.as_str())));
    table.lines(width).iter().try_for_each(|line| writeln!(text, "{line}"))?;
    writeln!(
        text,
        "\n±: standard error over images; of differences, over images in pairs. A falling LEE says nothing where the output \
         itself fades: read it beside the outputs."
    )
}

/// What became of the outputs.
fn outputs(report: &SurgeryReport) -> Vec<(&'static str, String)> {
    let change = &report.change;
    let mut terms = Vec::new();
    if let Some(kept) = &change.top1_unchanged {
        let same = (kept.mean * report.run.images.count() as f64).round();
        let changed: Vec<&str> = change.top1_changed.iter().map(|name| file_name(name)).take(MOST).collect();
        let names = if changed.is_empty() { String::new() } else { format!("; changed: {}", changed.join(", ")) };
        terms.push(("top-1 unchanged", format!("{same:.0} of {}{names}", report.run.images.count())));
    }
    if let Some([before, after]) = &report.accuracy {
        let (before, after, images) = (before.right, after.right, before.images);
        terms.push(("top-1 accuracy", format!("{before} of {images} right before, {after} after")));
    }
    if let Some(kl) = &change.kl {
        terms.push(("divergence KL, nats", with_error(kl, &compact)));
    }
    if let Some(confidence) = &change.confidence {
        let percent = |value: f64| percent(value, 0);
        let sem = confidence.difference_sem.map_or(String::new(), |sem| format!(" ± {}", percent(sem)));
        let sides = [confidence.before, confidence.after, confidence.difference].map(percent);
        terms.push(("confidence", format!("{} before, {} after ({}{sem})", sides[0], sides[1], sides[2])));
    }
    terms.push(("change of the output", format!("{} of its length", with_error(&change.relative, &compact))));
    terms
}

/// Every step of a choice, and how well the layers' removal gains foretold the first.
pub(super) fn write_advice(text: &mut String, advice: &Advice, width: usize) -> Result {
    writeln!(text, "where to begin: LEE under {} is {} at first", advice.generator, compact(advice.start))?;
    for (at, step) in advice.steps.iter().enumerate() {
        let title = format!("step {}, {:.1} s", at + 1, step.seconds);
        let rows = step.tried.iter().take(MOST).map(|trial| {
            vec![
                trial.name.clone(),
                compact(trial.lee),
                with_error(&trial.gain, &compact),
                format!("{:.2}", trial.cost),
                compact(trial.gain_per_cost),
                trial.top1_unchanged.map_or(NONE.to_owned(), |kept| percent(kept, 0)),
                trial.kl.map_or(NONE.to_owned(), compact),
            ]
        });
        writeln!(text)?;
        write_rows(text, &[&title, "LEE", "gain", "cost", "gain/cost", "top-1", "KL"], rows, width)?;
        more(text, step.tried.len())?;
        let chosen = if step.chosen.is_empty() { "none" } else { &step.chosen };
        writeln!(text, "chosen: {}", tail(chosen, width - "chosen: ".len()))?;
    }
    if let Some(ended) = &advice.ended {
        writeln!(text, "\nended: {ended}")?;
    }
    let Forecast { rank_correlation, removal_gain_rank_correlation, .. } = &advice.forecast;
    if let (Some(contribution), Some(removal)) = (rank_correlation, removal_gain_rank_correlation) {
        let [contribution, removal] = [contribution, removal].map(|rho| format!("{rho:.2}").replace('-', "−"));
        writeln!(
            text,
            "\nforecast of the gains of step 1, rank correlation: {contribution} by the layers' contributions, {removal} by \
             their removal gains (what LEE falls by if a layer is exact)"
        )?;
    }
    write_cut_offs(text, &advice.forecast, width)?;
    writeln!(text)
}

/// Where a filter's cut-off belongs.
fn write_cut_offs(text: &mut String, forecast: &Forecast, width: usize) -> Result {
    let places = || forecast.places.iter().filter(|place| !place.left_below.is_empty());
    let Some(first) = places().next() else { return Ok(()) };
    let ends: Vec<String> = first.left_below.iter().map(|[edge, _]| octave::fraction(*edge)).collect();
    let mut table = Table::of_numbers(std::iter::once("place").chain(ends.iter().map(String::as_str)));
    let mut order: Vec<&ForecastPlace> = places().collect();
    order.sort_by(|a, b| b.contribution.total_cmp(&a.contribution));
    for place in order.iter().take(MOST) {
        let left = place.left_below.iter().map(|[_, share]| percent(*share, 1));
        table.push(std::iter::once(place.name.clone()).chain(left).collect::<Vec<_>>());
    }
    let images = counted(forecast.octave_images, "image");
    writeln!(
        text,
        "\nwhere a cut-off belongs: what is left of a place's contribution if what it reads ends below a part of its Nyquist \
         frequency (first {images})"
    )?;
    table.lines(width).iter().try_for_each(|line| writeln!(text, "{line}"))?;
    more(text, order.len())
}

fn more(text: &mut String, count: usize) -> Result {
    if count > MOST { writeln!(text, "  … and {} more", count - MOST) } else { Ok(()) }
}

fn paired_row(name: &str, paired: &Paired, number: &dyn Fn(f64) -> String) -> Vec<String> {
    let [before, after, difference] = sides(paired, number);
    let ratio = paired.ratio().map_or(NONE.to_owned(), |ratio| format!("{ratio:.2}"));
    vec![name.to_owned(), before, after, ratio, difference]
}
