//! What a repair comes to, in a sentence.

use serde::{Deserialize, Serialize};

use super::{RepairReport, Stage, StageKind};
use crate::antialias::surgery_report::Paired;
use crate::number::compact;

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
    /// Validation images are among the training images, so nothing is shown.
    #[default]
    NotJudged,
}

/// How far accuracy may fall, and what share of top-1 classes, or of another output's length, has to stay where there
/// is no accuracy.
const ACCURACY: f64 = 0.02;
const KEPT: f64 = 0.9;
/// Standard errors on either side of an interval of 95 %.
const INTERVAL: f64 = 1.96;

impl Conclusion {
    /// Of a report whose other fields are filled in.
    ///
    /// LEE counts as lower where the interval of 95 % of its paired difference lies below 0, under every generator that
    /// was measured first to last; function counts as kept where accuracy falls by no more than two points, without
    /// labels where nine in ten top-1 classes stay, and without classes where the output moves by no more than a tenth
    /// of its length.
    pub fn of(report: &RepairReport) -> Self {
        let Some(last) = report.last() else { return Self::default() };
        let facts = facts(report, last);
        if !report.training.overlap.is_empty() {
            let text = format!(
                "Not judged: {} of {} validation images are among the training images, so that these numbers do not \
                 show what happens on others; give --validate images that the weights were not adapted on. {facts}",
                report.training.overlap.len(),
                report.run.images.count()
            );
            return Self { verdict: Verdict::NotJudged, text };
        }
        let lower = !last.generators.is_empty() && last.generators.values().all(is_lower);
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

/// Whether the interval of the paired difference lies below 0.
fn is_lower(paired: &Paired) -> bool {
    paired.difference + INTERVAL * paired.difference_sem.unwrap_or(f64::INFINITY) < 0.0
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
        Some(kept) => (kept.mean >= KEPT, format!("the top-1 class stays on {}", percent(kept.mean))),
        None => {
            let moved = last.change.relative.mean;
            (moved <= 1.0 - KEPT, format!("the output moves by {} of its length", percent(moved)))
        }
    }
}

fn facts(report: &RepairReport, last: &Stage) -> String {
    let mut facts: Vec<String> = Vec::new();
    for (name, paired) in &last.generators {
        let times = paired.ratio().map_or(String::new(), |ratio| format!(", {ratio:.2} times"));
        facts.push(format!("LEE under {name} {} → {}{times}", compact(paired.before), compact(paired.after)));
    }
    let half = last.shifts.get("consistency_half_pixel_cropped").or(last.shifts.get("consistency_half_pixel_circular"));
    if let Some(paired) = half {
        let (before, after) = (percent(paired.before), percent(paired.after));
        facts.push(format!("top-1 under half-pixel shifts the same on {before} → {after}"));
    }
    if let Some(kept) = &last.change.top1_unchanged {
        facts.push(format!("top-1 unchanged on {}", percent(kept.mean)));
    }
    if let (Some(before), Some(after)) = (&report.accuracy_before, &last.accuracy) {
        facts.push(format!("accuracy {} → {}", percent(before.top1), percent(after.top1)));
    }
    let surgery = report.stage(StageKind::Surgery).filter(|_| report.stages.len() > 1);
    match (&last.change.kl, surgery.and_then(|stage| stage.change.kl.as_ref())) {
        (Some(now), Some(then)) => facts.push(format!(
            "KL from the network before {} with designs alone, {} now",
            compact(then.mean),
            compact(now.mean)
        )),
        (Some(now), None) => facts.push(format!("KL from the network before {}", compact(now.mean))),
        _ => facts.push(format!("the output moved by {} of its length", percent(last.change.relative.mean))),
    }
    let others = if report.training.overlap.is_empty() { " that the weights were not adapted on" } else { "" };
    format!("On {}{others}: {}.", report.run.images.in_words(), facts.join("; "))
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
