//! What a repair comes to, in a sentence.

use serde::{Deserialize, Serialize};

use super::{RepairReport, Stage, StageKind};
use crate::antialias::surgery_report::Paired;
use crate::measure::run::counted;
use crate::number::{compact, percent};
use crate::statistics::{Interval, PairedRatio};

/// What a repair comes to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Conclusion {
    /// In a word.
    pub verdict: Verdict,
    /// In sentences, with the numbers that it rests on.
    pub text: String,
}

/// Whether it is a repair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// LEE is lower, and the network does what it did.
    Repaired,
    /// LEE is lower, and the network does not do what it did.
    FunctionLost,
    /// The network does what it did, and LEE is not lower.
    NoGain,
    /// Neither.
    Neither,
    /// No place lowers LEE, so that nothing was put in.
    NothingChosen,
    /// There are too few validation images for a verdict.
    TooFew,
    /// Validation images are among the training images, so nothing is shown.
    #[default]
    NotJudged,
}

/// The least validation images, and the least of those that LEE is measured on, for a verdict: where nothing changes on
/// n images, up to 3/n of all may change at a confidence of 95 %, here a seventh.
pub const LEAST_IMAGES: usize = 20;
/// How far accuracy may fall, and what share of top-1 classes, or of another output's length, has to stay where there
/// is no accuracy.
const ACCURACY: f64 = 0.02;
const KEPT: f64 = 0.9;
/// Generators that the sentence names: it has to be short.
const MOST_NAMED: usize = 3;
/// Standard errors on either side of an interval of 95 %.
const INTERVAL: f64 = 1.96;

impl Conclusion {
    /// Of a report whose other fields are filled in.
    ///
    /// LEE counts as lower where the interval of 95 % of its paired ratio lies below 1, under every generator that was
    /// measured first to last; where there is no ratio, that of its paired difference below 0. Function counts as kept
    /// where accuracy falls by no more than two points, without labels where nine in ten top-1 classes stay, and
    /// without classes where the output moves by no more than a tenth of its length. Of fewer than [`LEAST_IMAGES`]
    /// images nothing is said.
    pub fn of(report: &RepairReport) -> Self {
        let Some(last) = report.last() else { return Self::default() };
        let facts = facts(report, last);
        let images = report.run.images.count();
        if !report.training.overlap.is_empty() {
            let text = format!(
                "Not judged: {} of {images} validation images are among the training images; give --validate others. \
                 {facts}",
                report.training.overlap.len(),
            );
            return Self { verdict: Verdict::NotJudged, text };
        }
        let fewest = images.min(report.lee_images.len());
        if fewest < LEAST_IMAGES {
            let text = format!(
                "Not judged: {} too few to call it good or bad; give at least {LEAST_IMAGES}. {facts}",
                if fewest == 1 {
                    "1 validation image is".to_owned()
                } else {
                    format!("{fewest} validation images are")
                }
            );
            return Self { verdict: Verdict::TooFew, text };
        }
        let lower = !last.generators.is_empty()
            && last.generators.iter().all(|(name, paired)| is_lower(paired, last.lee_ratios.get(name)));
        let (kept, how) = function(report, last);
        let (verdict, words) = match (lower, kept) {
            (true, true) => (Verdict::Repaired, "Repaired: less error, and the function is kept".to_owned()),
            (true, false) => (Verdict::FunctionLost, format!("Less error, but not the same function: {how}")),
            (false, true) => (Verdict::NoGain, "The function is kept, but LEE is not surely lower".to_owned()),
            (false, false) => (Verdict::Neither, format!("Neither less error nor the same function: {how}")),
        };
        Self { verdict, text: format!("{words}. {facts}") }
    }
}

/// Whether the interval of the paired ratio lies below 1; without one, that of the paired difference below 0.
fn is_lower(paired: &Paired, ratio: Option<&PairedRatio>) -> bool {
    match ratio.and_then(|ratio| ratio.mean.interval) {
        Some(interval) => interval.high < 1.0,
        None => paired.difference + INTERVAL * paired.difference_sem.unwrap_or(f64::INFINITY) < 0.0,
    }
}

/// Whether the network does what it did, and what says so.
fn function(report: &RepairReport, last: &Stage) -> (bool, String) {
    if let (Some(before), Some(after)) = (&report.accuracy_before, &last.accuracy)
        && before.images > 0
    {
        let fall = before.top1 - after.top1;
        return (fall <= ACCURACY, format!("accuracy falls by {:.1} points", 100.0 * fall));
    }
    match &last.change.top1_unchanged {
        Some(kept) => (kept.mean >= KEPT, format!("the top-1 class stays on {}", percent(kept.mean, 1))),
        None => {
            let moved = last.change.relative.mean;
            (moved <= 1.0 - KEPT, format!("the output moves by {} of its length", percent(moved, 1)))
        }
    }
}

fn facts(report: &RepairReport, last: &Stage) -> String {
    let mut facts: Vec<String> = Vec::new();
    for (name, paired) in last.generators.iter().take(MOST_NAMED) {
        let of = last.lee_ratios.get(name).map(|ratio| ratio.mean);
        let times = of.map(|ratio| ratio.value).or(paired.ratio());
        let interval = of.and_then(|ratio| ratio.interval).map_or(String::new(), in_words);
        let times = times.map_or(String::new(), |ratio| format!(", {ratio:.2} times{interval}"));
        facts.push(format!("LEE {name} {} → {}{times}", compact(paired.before), compact(paired.after)));
    }
    if last.generators.len() > MOST_NAMED {
        facts.push(format!("LEE under {} more", last.generators.len() - MOST_NAMED));
    }
    for (shift, words) in [("half_pixel", "half-pixel"), ("integer", "whole-pixel")] {
        let of = |how: &str| last.shifts.get(&format!("consistency_{shift}_{how}"));
        if let Some(paired) = of("cropped").or(of("circular")) {
            let (before, after) = (percent(paired.before, 1), percent(paired.after, 1));
            facts.push(format!("same top-1 under {words} shifts {before} → {after}"));
        }
    }
    if let Some(kept) = &last.change.top1_unchanged {
        facts.push(format!("top-1 unchanged on {}", percent(kept.mean, 1)));
    }
    if let (Some(before), Some(after)) = (&report.accuracy_before, &last.accuracy) {
        facts.push(format!("accuracy {} → {}", percent(before.top1, 1), percent(after.top1, 1)));
    }
    let surgery = report.stage(StageKind::Surgery).filter(|_| report.stages.len() > 1);
    match (&last.change.kl, surgery.and_then(|stage| stage.change.kl.as_ref())) {
        (Some(now), Some(then)) => {
            facts.push(format!("KL {} with designs alone, {} now", compact(then.mean), compact(now.mean)))
        }
        (Some(now), None) => facts.push(format!("KL {}", compact(now.mean))),
        _ => facts.push(format!("the output moved by {} of its length", percent(last.change.relative.mean, 1))),
    }
    let kind = if report.training.overlap.is_empty() { "unseen " } else { "" };
    format!("On {}: {}.", counted(report.run.images.count(), &format!("{kind}image")), facts.join("; "))
}

/// ` (0.25–0.55)`.
fn in_words(interval: Interval) -> String {
    format!(" ({:.2}–{:.2})", interval.low, interval.high)
}
