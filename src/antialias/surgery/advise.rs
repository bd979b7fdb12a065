//! Where to put a design first: greedy, each step exact.
//!
//! A step tries every place that is left, alone on top of those chosen before, on all images, and takes the one that
//! lowers LEE most per forward pass that it costs. Beside it stand the layers' contributions, which one attribution gives,
//! as a cheap forecast of the first step, and which octaves of what a place reads make them: where a filter's cut-off belongs.

use std::time::Instant;

use tch::Tensor;

use super::SurgeryError;
use super::insertion::Insertion;
use super::outputs::Changes;
use super::report::{Advice, AdviceStep, Forecast, ForecastPlace, Mean, Trial};
use super::rewrite::Form;
use super::target_model::TargetModel;
use super::toggled::Toggled;
use crate::graph::Network;
use crate::measure::layers::{Grouping, LayerMeter, LayersOptions, SplitBy};
use crate::measure::lee::{LeeMeter, LeeOptions};
use crate::number::compact;
use crate::spectrum::octave;
use crate::statistics::spearman;
use crate::symmetry::Combination;

/// How to choose.
#[derive(Clone, Debug)]
pub struct AdviseOptions {
    /// What is lowered: LEE under this generator.
    pub generator: Combination,
    /// How Lie derivatives are taken.
    pub lee: LeeOptions,
    /// How the network's error is attributed to its layers, for the forecast.
    pub layers: LayersOptions,
    /// How many replacements at most.
    pub budget: usize,
    /// The share of images that must keep their top-1 class, or of its length that another output must keep
    /// ([`Trial::kept`]); 0 for no such condition.
    pub keep: f64,
}

/// One image's outcome with some designs on.
struct Outcome {
    lee: f64,
    output: Tensor,
    cost: f64,
}

/// A place that is tried: LEE image by image.
struct Tried {
    insertion: usize,
    lee: Vec<f64>,
    cost: f64,
    changes: Changes,
}

/// The least cost of a replacement, in forward passes: dearer ones are not compared with a division by nothing.
const LEAST_COST: f64 = 1e-3;

/// The images on which contributions are split by octaves: a sweep for each node of a place.
const OCTAVE_IMAGES: usize = 3;

/// What is done, and of how much, in images times places.
pub type Progress<'p> = &'p mut dyn FnMut(usize, usize);

/// Chooses among `insertions`, and returns the choice with its reasons. `images` are `[1, input shape…]` each.
///
/// # Errors
/// When a network fails or cannot be measured.
pub fn advise(
    target: &TargetModel<'_>,
    insertions: &[Insertion],
    options: &AdviseOptions,
    images: &[(String, Tensor)],
    progress: Progress<'_>,
) -> Result<(Vec<usize>, Advice), SurgeryError> {
    let all: Vec<&Insertion> = insertions.iter().collect();
    let rewritten = target.rewrite(&all, Form::Memory)?;
    let network = target.load(&rewritten)?;
    let steps = options.budget.min(insertions.len());
    let octave_images = images.len().min(OCTAVE_IMAGES);
    let total: usize =
        (0..steps).map(|step| insertions.len() - step).sum::<usize>() * images.len() + images.len() + octave_images;
    let mut done = 0;
    let mut tick = || {
        done += 1;
        progress(done, total);
    };
    let errors = errors(target.network(), insertions, options, images, &mut tick)?;
    let octaves = octaves(target.network(), insertions, options, &images[..octave_images], &mut tick)?;
    let mut search = Search {
        network: target.network(),
        insertions,
        options,
        images,
        toggled: Toggled::new(target, &network, insertions, &rewritten)?,
        meter: LeeMeter::new(target.network(), options.lee.clone())?,
        on: vec![false; insertions.len()],
        outputs: Vec::new(),
        whole: None,
    };
    let mut chosen = Vec::new();
    let mut advice = Advice {
        generator: options.generator.name().to_owned(),
        start: 0.0,
        budget: options.budget,
        keep: options.keep,
        steps: Vec::new(),
        ended: None,
        forecast: Forecast::default(),
    };
    for step in 0..steps {
        let begin = Instant::now();
        let tried = search.try_all(&mut tick)?;
        let mut trials = search.trials(&tried);
        if step == 0 {
            advice.start = Mean::of(&tried.before).mean;
            let forecast = forecast(target.network(), &trials, &errors, &octaves);
            advice.forecast = Forecast { octave_images, ..forecast };
        }
        trials.sort_by(|a, b| b.1.gain_per_cost.total_cmp(&a.1.gain_per_cost));
        let best = trials.iter().find(|(_, trial)| trial.gain.mean > 0.0 && trial.kept() >= options.keep);
        let choice = best.map(|(insertion, trial)| (*insertion, trial.name.clone()));
        let tried: Vec<Trial> = trials.into_iter().map(|(_, trial)| trial).collect();
        let name = match choice {
            Some((insertion, name)) => {
                search.on[insertion] = true;
                chosen.push(insertion);
                name
            }
            None => {
                advice.ended = Some(refusal(&tried, options.keep, images.len()));
                String::new()
            }
        };
        advice.steps.push(AdviceStep { chosen: name, tried, seconds: begin.elapsed().as_secs_f64() });
        if advice.ended.is_some() {
            break;
        }
    }
    mark_pareto(&mut advice);
    Ok((chosen, advice))
}

/// What a search knows from step to step.
struct Search<'s> {
    /// As it was.
    network: &'s Network,
    insertions: &'s [Insertion],
    options: &'s AdviseOptions,
    images: &'s [(String, Tensor)],
    toggled: Toggled<'s>,
    meter: LeeMeter<'s>,
    /// Which designs were chosen.
    on: Vec<bool>,
    /// Per image: the output of the network as it was; from the first step on.
    outputs: Vec<Tensor>,
    /// The cost of the network as it was; from the first step on.
    whole: Option<f64>,
}

/// What one step tried.
struct Step {
    /// LEE image by image before it.
    before: Vec<f64>,
    /// The cost before it.
    cost: f64,
    /// The cost of the network as it was.
    whole: f64,
    tried: Vec<Tried>,
}

impl Search<'_> {
    /// Tries every place that is left, on all images.
    fn try_all(&mut self, tick: &mut dyn FnMut()) -> Result<Step, SurgeryError> {
        let left = self.toggled.order().into_iter().filter(|insertion| !self.on[*insertion]);
        let mut tried: Vec<Tried> = left
            .map(|insertion| Tried { insertion, lee: Vec::new(), cost: 0.0, changes: Changes::new(self.network) })
            .collect();
        let mut before = Vec::new();
        let mut cost = 0.0;
        for (at, (name, x)) in self.images.iter().enumerate() {
            let x = self.network.place(x)?;
            let dx = self.meter.input_tangent(&x, &self.options.generator)?;
            let mut run = self.toggled.start(&x, &dx)?;
            let mut forks = Vec::new();
            for trial in &tried {
                self.toggled.reach(&mut run, &self.on, trial.insertion)?;
                let fork = self.toggled.fork(&run);
                self.on[trial.insertion] = true;
                let outcome = outcome(&self.toggled, fork, &self.on, &mut self.meter, self.options);
                self.on[trial.insertion] = false;
                forks.push(outcome?);
                tick();
            }
            let plain = outcome(&self.toggled, run, &self.on, &mut self.meter, self.options)?;
            if at == self.outputs.len() {
                self.outputs.push(plain.output.shallow_clone());
            }
            for (trial, outcome) in tried.iter_mut().zip(forks) {
                check(&outcome, &self.insertions[trial.insertion], name)?;
                trial.lee.push(outcome.lee);
                trial.cost = outcome.cost;
                trial.changes.add(&self.outputs[at], &outcome.output, name)?;
            }
            before.push(plain.lee);
            cost = plain.cost;
        }
        let whole = *self.whole.get_or_insert(cost);
        Ok(Step { before, cost, whole, tried })
    }

    /// What each place of a step gains and costs, with its insertion.
    fn trials(&self, step: &Step) -> Vec<(usize, Trial)> {
        let trial = |tried: &Tried| {
            let gains: Vec<f64> = step.before.iter().zip(&tried.lee).map(|(before, after)| before - after).collect();
            let gain = Mean::of(&gains);
            let added = ((tried.cost - step.cost) / step.whole).max(LEAST_COST);
            let trial = Trial {
                name: self.insertions[tried.insertion].site.name.clone(),
                design: self.insertions[tried.insertion].design.name(),
                lee: Mean::of(&tried.lee).mean,
                cost: tried.cost / step.whole,
                gain_per_cost: gain.mean / added,
                gain,
                top1_unchanged: tried.changes.kept(),
                kl: tried.changes.kl(),
                relative: tried.changes.relative(),
                pareto: false,
            };
            (tried.insertion, trial)
        };
        step.tried.iter().map(trial).collect()
    }
}

/// How well contributions and removal gains forecast the gains of the first step.
fn forecast(
    network: &Network,
    trials: &[(usize, Trial)],
    errors: &[PlaceError],
    octaves: &[Vec<[f64; 2]>],
) -> Forecast {
    let module = |name: &str| {
        let step = network.steps().iter().find(|step| step.name == name);
        step.map_or_else(String::new, |step| step.module.clone())
    };
    let mut places: Vec<(usize, ForecastPlace)> = trials
        .iter()
        .map(|(insertion, trial)| {
            let place = ForecastPlace {
                name: trial.name.clone(),
                module: module(&trial.name),
                contribution: errors[*insertion].contribution,
                removal_gain: errors[*insertion].removal_gain,
                gain: trial.gain.mean,
                left_below: octaves[*insertion].clone(),
            };
            (*insertion, place)
        })
        .collect();
    places.sort_by_key(|(insertion, _)| *insertion);
    let places: Vec<ForecastPlace> = places.into_iter().map(|(_, place)| place).collect();
    let of = |value: fn(&ForecastPlace) -> f64| places.iter().map(value).collect::<Vec<f64>>();
    let gains = of(|place| place.gain);
    Forecast {
        rank_correlation: spearman(&of(|place| place.contribution), &gains),
        removal_gain_rank_correlation: spearman(&of(|place| place.removal_gain), &gains),
        places,
        ..Forecast::default()
    }
}

/// Why none of the trials, best first, was chosen, and what to try.
fn refusal(tried: &[Trial], keep: f64, images: usize) -> String {
    let places = |n: usize| if n == 1 { "1 place".to_owned() } else { format!("{n} places") };
    let lower: Vec<&Trial> = tried.iter().filter(|trial| trial.gain.mean > 0.0).collect();
    let nearest = lower.iter().max_by(|a, b| a.kept().total_cmp(&b.kept()));
    let Some(nearest) = nearest else {
        let least = tried.iter().max_by(|a, b| a.gain.mean.total_cmp(&b.gain.mean));
        let least = least.map_or_else(String::new, |trial| {
            format!(" (at '{}' it would rise least, by {})", trial.name, compact(-trial.gain.mean))
        });
        return format!(
            "LEE falls at none of {} that were left{least}; try other designs (`aliascope antialias --list`), other places or \
             another --generator",
            places(tried.len())
        );
    };
    let kept = match nearest.top1_unchanged {
        Some(kept) => format!("top-1 unchanged on {:.0} of {images} images", kept * images as f64),
        None => format!("{:.0} % of the output's length kept", 100.0 * nearest.kept()),
    };
    format!(
        "LEE would fall at {} of {} that were left, but the outputs change by more than --keep {keep} allows: least at '{}', \
         {kept}; try --keep {} or less, a milder design (blurpool:2, blurpool:3), or other places with --where",
        lower.len(),
        places(tried.len()),
        nearest.name,
        // Rounded down, so that what is named is let through.
        (100.0 * nearest.kept()).floor() / 100.0
    )
}

fn outcome(
    toggled: &Toggled<'_>,
    run: super::toggled::Run,
    on: &[bool],
    meter: &mut LeeMeter<'_>,
    options: &AdviseOptions,
) -> Result<Outcome, SurgeryError> {
    let (sweep, cost) = toggled.finish(run, on)?;
    let output = sweep.value.copy();
    let (_, lie) = meter.along(sweep, &options.generator)?;
    let lee = lie.f_square()?.f_mean(tch::Kind::Double)?.f_double_value(&[])?;
    Ok(Outcome { lee, output, cost })
}

fn check(outcome: &Outcome, insertion: &Insertion, image: &str) -> Result<(), SurgeryError> {
    if outcome.lee.is_finite() {
        return Ok(());
    }
    Err(crate::measure::lee::LeeError::NotFinite {
        what: "the Lie derivative",
        image: format!("{image}' with '{}' at '{}", insertion.design.name(), insertion.site.name),
        hint: "leave the place out with --where, or try --precision f64",
    }
    .into())
}

/// What the nodes of a place make of the error of the network as it was.
struct PlaceError {
    /// E‖J δ‖²/dim, summed over its nodes.
    contribution: f64,
    /// What LEE would fall by if they were exact, one at a time and summed.
    removal_gain: f64,
}

/// The errors of each place's nodes.
fn errors(
    network: &Network,
    insertions: &[Insertion],
    options: &AdviseOptions,
    images: &[(String, Tensor)],
    done: &mut dyn FnMut(),
) -> Result<Vec<PlaceError>, SurgeryError> {
    let layers = LayersOptions { grouping: Grouping::Node, split: SplitBy::Nothing, ..options.layers.clone() };
    let mut meter = LayerMeter::new(network, layers)?;
    for (name, x) in images {
        meter.measure(x, std::slice::from_ref(name), &mut |_, _| {})?;
        done();
    }
    let layers = meter.results().layers;
    let of = |insertion: &Insertion| {
        let nodes = layers.iter().filter(|layer| insertion.site.nodes.contains(&layer.name));
        nodes.fold(PlaceError { contribution: 0.0, removal_gain: 0.0 }, |sum, layer| PlaceError {
            contribution: sum.contribution + layer.contribution,
            removal_gain: sum.removal_gain + layer.removal_gain,
        })
    };
    Ok(insertions.iter().map(of).collect())
}

/// Per insertion: cut-offs with what would be left of its nodes' contributions.
fn octaves(
    network: &Network,
    insertions: &[Insertion],
    options: &AdviseOptions,
    images: &[(String, Tensor)],
    done: &mut dyn FnMut(),
) -> Result<Vec<Vec<[f64; 2]>>, SurgeryError> {
    let layers = LayersOptions { grouping: Grouping::Node, split: SplitBy::Octave, ..options.layers.clone() };
    let meter = LayerMeter::new(network, layers)?;
    let mut sums = vec![vec![0.0; octave::BANDS]; insertions.len()];
    for (_, x) in images {
        for (sums, insertion) in sums.iter_mut().zip(insertions) {
            for node in &insertion.site.nodes {
                let squares = meter.octaves_of(node, x)?;
                sums.iter_mut().zip(squares).for_each(|(sum, square)| *sum += square);
            }
        }
        done();
    }
    let left = |sums: &Vec<f64>| match sums[0] > 0.0 {
        true => (1..octave::BANDS).map(|band| [octave::edges(band)[1], sums[band] / sums[0]]).collect(),
        false => Vec::new(),
    };
    Ok(sums.iter().map(left).collect())
}

/// A trial is on the front where none has both less LEE and less cost; the network as it was is in the race too.
fn mark_pareto(advice: &mut Advice) {
    let mut points: Vec<[f64; 2]> =
        advice.steps.iter().flat_map(|step| &step.tried).map(|trial| [trial.cost, trial.lee]).collect();
    points.push([1.0, advice.start]);
    let beaten = |own: [f64; 2]| {
        points.iter().any(|other| other[0] <= own[0] && other[1] <= own[1] && (other[0] < own[0] || other[1] < own[1]))
    };
    for trial in advice.steps.iter_mut().flat_map(|step| &mut step.tried) {
        trial.pareto = !beaten([trial.cost, trial.lee]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(name: &str, gain: f64, top1_unchanged: Option<f64>, relative: f64) -> Trial {
        Trial {
            name: name.to_owned(),
            design: "blurpool:5".to_owned(),
            lee: 1.0,
            gain: Mean { mean: gain, ..Mean::default() },
            cost: 1.1,
            gain_per_cost: gain / 0.1,
            top1_unchanged,
            kl: None,
            relative,
            pareto: false,
        }
    }

    #[test]
    fn what_refused_every_place_is_said_with_what_to_try() {
        let tried =
            [trial("/a", 0.5, Some(0.6), 0.9), trial("/b", 0.1, Some(0.8), 0.2), trial("/c", -0.1, Some(1.0), 0.0)];
        let text = refusal(&tried, 0.9, 15);
        assert!(text.contains("at 2 of 3 places") && text.contains("--keep 0.9 allows"), "{text}");
        assert!(
            text.contains("'/b', top-1 unchanged on 12 of 15 images") && text.contains("--keep 0.8 or less"),
            "{text}"
        );
        // Without classes, what stays of the output.
        let text = refusal(&[trial("/a", 0.5, None, 0.377)], 0.9, 15);
        assert!(text.contains("62 % of the output's length kept") && text.contains("--keep 0.62 or less"), "{text}");
        let text = refusal(&[trial("/a", -0.5, Some(1.0), 0.0), trial("/b", -0.25, Some(1.0), 0.0)], 0.9, 15);
        assert!(text.contains("none of 2 places") && text.contains("'/b' it would rise least, by 0.250"), "{text}");
    }
}
