//! What a fix returns: the worst layers, what was tried there, and the repair of what was chosen.

use serde::{Deserialize, Serialize};

use super::{Conclusion, RepairReport, Verdict};
use crate::antialias::surgery_report::Advice;
use crate::measure::layers_report::LayerResults;
use crate::measure::run::{Run, counted};
use crate::number::percent;

/// The version of [`FixReport`]'s JSON; it grows when a field changes its meaning or goes away.
pub const FIX_SCHEMA_VERSION: u32 = 1;
/// How many layers are the worst.
const WORST: usize = 10;

/// A network's worst layers, which designs help there, and what the network is with those in place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FixReport {
    /// [`FIX_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What computed it, of what (the network before), and how; its images are those that places were chosen on, which
    /// are training images.
    pub run: Run,
    /// What it comes to.
    pub conclusion: Conclusion,
    /// How validation images were held out; null where they were given.
    pub hold_out: Option<HoldOut>,
    /// The rules that were tried.
    pub replace: Vec<String>,
    /// The generator that layers and places are judged under.
    pub generator: String,
    /// The layers of the largest contributions, largest first.
    pub worst: Vec<WorstLayer>,
    /// What was tried, and what was chosen.
    pub advice: Advice,
    /// The network with the chosen designs, on the validation images; null where nothing was chosen.
    pub repair: Option<RepairReport>,
}

/// How validation images were held out of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldOut {
    /// The seed of the draw.
    pub seed: u64,
    /// Images that were given.
    pub of: usize,
    /// Images that were held out.
    pub held: usize,
    /// Images that are neither, as their bytes are those of a held-out one.
    pub twice: usize,
}

/// A layer with much of the error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorstLayer {
    /// The layer, as `aliascope layers` has it.
    pub name: String,
    /// The operators of its nodes.
    pub op: String,
    /// E‖J δ‖²/dim.
    pub contribution: f64,
    /// Its standard error over images; null for a single image.
    pub sem: Option<f64>,
    /// Its share of the error, with sign; null where there is none.
    pub signed_share: Option<f64>,
    /// What LEE would fall by if this layer alone were exact.
    pub removal_gain: f64,
    /// What LEE falls by with designs at the layer's places, one at a time and summed; null where it has no place.
    pub design_gain: Option<f64>,
    /// Whether a design was put there.
    pub chosen: bool,
}

impl WorstLayer {
    /// The worst layers of an attribution, with what advice says of them.
    pub fn of(results: &LayerResults, advice: &Advice) -> Vec<Self> {
        let mut layers: Vec<_> = results.layers.iter().filter(|layer| layer.contribution > 0.0).collect();
        layers.sort_by(|a, b| b.contribution.total_cmp(&a.contribution));
        let worst = layers.into_iter().take(WORST).map(|layer| {
            let there = |place: &&crate::antialias::surgery_report::ForecastPlace| match place.module.as_str() {
                "" => place.name == layer.name,
                module => module == layer.module || module == layer.name,
            };
            let places: Vec<_> = advice.forecast.places.iter().filter(there).collect();
            let chosen = |name: &str| advice.steps.iter().any(|step| step.chosen == name);
            Self {
                name: layer.name.clone(),
                op: layer.op.clone(),
                contribution: layer.contribution,
                sem: layer.sem,
                signed_share: layer.signed_share,
                removal_gain: layer.removal_gain,
                design_gain: (!places.is_empty()).then(|| places.iter().map(|place| place.gain).sum()),
                chosen: places.iter().any(|place| chosen(&place.name)),
            }
        });
        worst.collect()
    }
}

impl FixReport {
    /// The chosen places, in the order of choice.
    pub fn chosen(&self) -> impl Iterator<Item = &str> {
        self.advice.steps.iter().map(|step| step.chosen.as_str()).filter(|name| !name.is_empty())
    }

    /// What it comes to, of a report whose other fields are filled in.
    pub fn concluded(mut self) -> Self {
        self.conclusion = self.conclude();
        self
    }

    fn conclude(&self) -> Conclusion {
        let Some(repair) = &self.repair else {
            let why = self.advice.ended.as_deref().unwrap_or("no place was tried");
            return Conclusion { verdict: Verdict::NothingChosen, text: format!("Nothing was put in: {why}") };
        };
        let Conclusion { verdict, text } = &repair.conclusion;
        // The numbers stand with the repair.
        let headline = text.split(". ").next().unwrap_or_default();
        let tried = self.advice.steps.first().map_or(0, |step| step.tried.len());
        let chosen = self.chosen().count();
        let cost = percent(repair.cost.forward_passes - 1.0, 0);
        let rules = repair.replace.join(", ");
        let places = counted(tried, "place");
        let next = match verdict {
            Verdict::Repaired | Verdict::NothingChosen => "",
            Verdict::FunctionLost | Verdict::Neither if repair.training.steps == 0 => {
                " What to try: --steps 200, which adapts the weights; or a sharper filter (--replace stride=lanczos:3)."
            }
            Verdict::FunctionLost | Verdict::Neither => {
                " What to try: more --steps or photos, a sharper filter (--replace stride=lanczos:3), or fewer places \
                 (--budget)."
            }
            Verdict::NoGain => {
                " What to try: more photos, which narrow the interval; another design (`aliascope antialias --list`); \
                 or --lee-weight with --steps."
            }
            Verdict::TooFew => " What to try: more photos in --images, half of which are held out; or --validate.",
            Verdict::NotJudged => " What to try: other photos in --validate, or none, so that some are held out.",
        };
        let text = format!("{headline}. Put in: {rules} at {chosen} of {places}, {cost} more multiplications.{next}");
        Conclusion { verdict: *verdict, text }
    }
}
