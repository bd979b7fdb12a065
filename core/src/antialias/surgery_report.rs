//! What an operation returns: plain data.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{Padding, Place};
use crate::measure::lee_report::Accuracy;
use crate::measure::run::Run;

/// The version of [`SurgeryReport`]'s JSON; it grows when a field changes its meaning or goes away.
pub const SURGERY_SCHEMA_VERSION: u32 = 4;

/// A network before and after designs were put into it, over a set of images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SurgeryReport {
    /// [`SURGERY_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What computed it, of what (the network before), and how.
    pub run: Run,
    /// Where the new model was saved; null where it was not.
    pub saved: Option<String>,
    /// The largest difference of outputs between the saved model, read again, and the measured one, over the largest
    /// output; null where nothing was saved.
    pub saved_difference: Option<f64>,
    /// The rules as they were given.
    pub replace: Vec<String>,
    /// What had to be in a node's name.
    #[serde(rename = "where")]
    pub pattern: Option<String>,
    /// What lies beyond the edge of the maps that designs read.
    pub padding: Padding,
    /// Where downsamplings were put.
    pub place: Place,
    /// What was put where.
    pub insertions: Vec<InsertionReport>,
    /// LEE before and after, for each generator.
    pub generators: IndexMap<String, Paired>,
    /// The generator of the layers' contributions.
    pub layers_generator: String,
    /// E‖J δ‖²/dim of every layer before and after, in graph order.
    pub layers: Vec<LayerPair>,
    /// E‖L‖²/dim before and after under the layers' generator: what the layers' errors add up to as vectors.
    pub layers_lee: Paired,
    /// Relative residuals of that sum, before and after.
    pub conservation_residual: [f64; 2],
    /// Metrics under finite shifts by name, as `aliascope metrics` has them.
    pub shifts: IndexMap<String, Paired>,
    /// Shifts per image.
    pub draws: usize,
    /// The seed that shifts are drawn from.
    pub seed: u64,
    /// What became of the outputs.
    pub change: OutputChange,
    /// How many images the networks before and after classify rightly; null where no classes are known.
    pub accuracy: Option<[Accuracy; 2]>,
    /// What it costs.
    pub cost: Cost,
    /// Where to begin, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub advice: Option<Advice>,
}

/// One design in its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InsertionReport {
    /// The node whose place it took.
    pub name: String,
    /// That node's operator, or the function.
    pub op: String,
    /// The design.
    pub design: String,
    /// The node that it follows.
    pub follows: String,
    /// The stride that it took over; 1 for a function.
    pub stride: usize,
    /// Rows and columns that it reads.
    pub reads: [usize; 2],
    /// Rows and columns that it writes.
    pub writes: [usize; 2],
}

/// A mean over images before and after, and the mean of the differences: images are the same, so errors are paired.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    /// Mean before.
    pub before: f64,
    /// Its standard error over images; null for a single image.
    pub before_sem: Option<f64>,
    /// Mean after.
    pub after: f64,
    /// Its standard error.
    pub after_sem: Option<f64>,
    /// Mean of after − before.
    pub difference: f64,
    /// Its standard error.
    pub difference_sem: Option<f64>,
    /// Image by image, in the order of `run.images.names`: \[before, after\].
    pub by_image: Vec<[f64; 2]>,
}

impl Paired {
    /// From values image by image, in the same order.
    pub fn of(before: &[f64], after: &[f64]) -> Self {
        let by_image: Vec<[f64; 2]> = before.iter().zip(after).map(|(before, after)| [*before, *after]).collect();
        let differences: Vec<f64> = by_image.iter().map(|[before, after]| after - before).collect();
        let (before, after, difference) = (Mean::of(before), Mean::of(after), Mean::of(&differences));
        Self {
            before: before.mean,
            before_sem: before.sem,
            after: after.mean,
            after_sem: after.sem,
            difference: difference.mean,
            difference_sem: difference.sem,
            by_image,
        }
    }

    /// after/before; none where before is 0.
    pub fn ratio(&self) -> Option<f64> {
        (self.before > 0.0).then(|| self.after / self.before)
    }
}

/// A mean with its standard error over images.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// Its standard error; null for a single image.
    pub sem: Option<f64>,
    /// The values that it is the mean of, in the order of `run.images.names`.
    pub by_image: Vec<f64>,
}

impl Mean {
    /// Of some values; 0 of none.
    pub fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n.max(1.0);
        let spread: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let sem = (values.len() > 1).then(|| (spread / (n - 1.0) / n).sqrt());
        Self { mean, sem, by_image: values.to_vec() }
    }
}

/// A layer before and after; null where one of the networks has no error of its own in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerPair {
    /// The layer.
    pub name: String,
    /// E‖J δ‖²/dim before.
    pub before: Option<Mean>,
    /// And after.
    pub after: Option<Mean>,
}

/// What became of the outputs on the images.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OutputChange {
    /// The share of images whose top-1 class is unchanged; null where the output is no vector of classes.
    pub top1_unchanged: Option<Mean>,
    /// The top-1 class before and after, image by image, counted from 0; null where there are none.
    pub predicted: Option<[Vec<usize>; 2]>,
    /// The images whose top-1 class changed.
    pub top1_changed: Vec<String>,
    /// Kullback–Leibler divergence of the old probabilities from the new, Σ p ln(p/q), in nats; null where there are
    /// none.
    pub kl: Option<Mean>,
    /// The largest probability, the confidence: where it falls, LEE of probabilities falls with it; null where there
    /// are none.
    pub confidence: Option<Paired>,
    /// ‖new − old‖ of the network's own output, over the root mean square of ‖old‖ over the images: on some a detector
    /// sees nothing, and a ratio of their own would be one of noise.
    pub relative: Mean,
}

/// What it costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Multiplications of a forward pass before; pointwise functions count one per entry.
    pub multiplications_before: f64,
    /// And after.
    pub multiplications_after: f64,
    /// The cost after in forward passes of the network before, by multiplications.
    pub forward_passes: f64,
    /// Median time of a forward pass of one image before, in milliseconds.
    pub forward_ms_before: f64,
    /// And after, taken in turn.
    pub forward_ms_after: f64,
    /// The median of the ratio of times taken one after the other.
    pub time_ratio: f64,
}

/// Where to put a design first: at each step every place that is left was tried on all images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Advice {
    /// What is lowered: LEE under this generator.
    pub generator: String,
    /// LEE of the network as it was.
    pub start: f64,
    /// How many replacements were allowed.
    pub budget: usize,
    /// The share of images that must keep their top-1 class, or of another output that must stay.
    pub keep: f64,
    /// The choices, in order.
    pub steps: Vec<AdviceStep>,
    /// Why it ended before the budget was spent; null where it did not.
    pub ended: Option<String>,
    /// How well the layers' contributions forecast the first step.
    pub forecast: Forecast,
}

/// One choice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdviceStep {
    /// The chosen place.
    pub chosen: String,
    /// Every place that was tried, best first.
    pub tried: Vec<Trial>,
    /// Seconds that the step took.
    pub seconds: f64,
}

/// What a replacement does on top of those before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The place.
    pub name: String,
    /// The design.
    pub design: String,
    /// LEE with it.
    pub lee: f64,
    /// Mean over images of LEE before the step − LEE with it, and its standard error.
    pub gain: Mean,
    /// Cost with it, in forward passes of the network as it was, by multiplications.
    pub cost: f64,
    /// `gain` per forward pass that it adds.
    pub gain_per_cost: f64,
    /// The share of images whose top-1 class is unchanged; null without classes.
    pub top1_unchanged: Option<f64>,
    /// Mean divergence of the outputs from those of the network as it was; null without classes.
    pub kl: Option<f64>,
    /// Mean ‖new − old‖ of the output, over the root mean square of ‖old‖.
    pub relative: f64,
    /// Whether no trial of any step has both less LEE and less cost.
    pub pareto: bool,
}

impl Trial {
    /// The share of images whose top-1 class is unchanged; without classes what stays of the output, 1 − its relative
    /// change.
    pub fn kept(&self) -> f64 {
        self.top1_unchanged.unwrap_or((1.0 - self.relative).max(0.0))
    }
}

/// The layers' contributions as a forecast of what replacing them gains.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// Per place, in graph order: what its nodes' errors are in the network as it was, and the gain when it was replaced on
    /// its own.
    pub places: Vec<ForecastPlace>,
    /// Spearman's rank correlation between contributions and gains; null for fewer than three places.
    pub rank_correlation: Option<f64>,
    /// The same between removal gains and gains.
    pub removal_gain_rank_correlation: Option<f64>,
    /// How many of the first images `left_below` is of.
    #[serde(default)]
    pub octave_images: usize,
}

/// One place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForecastPlace {
    /// The place.
    pub name: String,
    /// The path of the module that it is in, as the tables of layers have it; empty where the file tells none.
    pub module: String,
    /// What its nodes contribute, E‖J δ‖²/dim(output).
    pub contribution: f64,
    /// The sum of its nodes' removal gains: what LEE would fall by if each were exact, taken one at a time.
    pub removal_gain: f64,
    /// What replacing it gained.
    pub gain: f64,
    /// Cut-offs at octaves' edges, highest first, as parts of the Nyquist frequency of what its nodes read, each with the share
    /// of the contribution that would be left if that ended there; empty where its nodes make no error.
    #[serde(default)]
    pub left_below: Vec<[f64; 2]>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_paired() {
        // Images differ much, the differences do not.
        let paired = Paired::of(&[1.0, 10.0, 100.0], &[0.5, 9.5, 99.5]);
        assert_eq!((paired.difference, paired.difference_sem), (-0.5, Some(0.0)));
        assert!(paired.before_sem.unwrap() > 30.0);
        assert_eq!(Paired::of(&[2.0], &[1.0]).difference_sem, None);
    }
}
