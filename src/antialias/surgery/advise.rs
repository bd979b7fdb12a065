//! Where to put a design first: greedy, each step exact.
//!
//! A step tries every place that is left, alone on top of those chosen before, on all images, and takes the one that
//! lowers LEE most per forward that it costs. Beside it stand the layers' contributions, which one attribution gives, as a
//! cheap forecast of the first step.

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
use crate::measure::layers::{Grouping, LayerMeter, LayersOptions};
use crate::measure::lee::{LeeMeter, LeeOptions};
use crate::measure::statistics::spearman;
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
    let toggled = Toggled::new(target, &network, insertions, &rewritten)?;
    let mut meter = LeeMeter::new(target.network(), options.lee.clone())?;
    let steps = options.budget.min(insertions.len());
    let total: usize = (0..steps).map(|step| insertions.len() - step).sum::<usize>() * images.len() + images.len();
    let mut done = 0;
    let mut tick = |done: &mut usize| {
        *done += 1;
        progress(*done, total);
    };

    let contributions = contributions(target.network(), insertions, options, images, &mut || tick(&mut done))?;
    let mut on = vec![false; insertions.len()];
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
    let mut base = None;
    let mut plain_outputs: Vec<Tensor> = Vec::new();
    for step in 0..steps {
        let begin = Instant::now();
        let left: Vec<usize> = toggled.order().into_iter().filter(|insertion| !on[*insertion]).collect();
        let mut tried: Vec<Tried> = left
            .iter()
            .map(|&insertion| Tried { insertion, lee: Vec::new(), cost: 0.0, changes: Changes::new(target.network()) })
            .collect();
        let mut current = Vec::new();
        let mut cost = 0.0;
        for (at, (name, x)) in images.iter().enumerate() {
            let x = target.network().place(x)?;
            let dx = meter.input_tangent(&x, &options.generator)?;
            let mut run = toggled.start(&x, &dx)?;
            let mut forks = Vec::new();
            for trial in &mut tried {
                toggled.reach(&mut run, &on, trial.insertion)?;
                let fork = toggled.fork(&run);
                on[trial.insertion] = true;
                let outcome = outcome(&toggled, fork, &on, &mut meter, options);
                on[trial.insertion] = false;
                forks.push(outcome?);
                tick(&mut done);
            }
            let plain = outcome(&toggled, run, &on, &mut meter, options)?;
            if step == 0 {
                plain_outputs.push(plain.output.shallow_clone());
            }
            for (trial, outcome) in tried.iter_mut().zip(forks) {
                check(&outcome, &insertions[trial.insertion], name)?;
                trial.lee.push(outcome.lee);
                trial.cost = outcome.cost;
                trial.changes.add(&plain_outputs[at], &outcome.output, name)?;
            }
            current.push(plain.lee);
            cost = plain.cost;
        }
        let whole = *base.get_or_insert(cost);
        if step == 0 {
            advice.start = Mean::of(&current).mean;
        }
        let mut trials: Vec<(usize, Trial)> = tried
            .iter()
            .map(|tried| {
                let gains: Vec<f64> = current.iter().zip(&tried.lee).map(|(before, after)| before - after).collect();
                let gain = Mean::of(&gains);
                let added = ((tried.cost - cost) / whole).max(LEAST_COST);
                let trial = Trial {
                    name: insertions[tried.insertion].site.name.clone(),
                    design: insertions[tried.insertion].design.name(),
                    lee: Mean::of(&tried.lee).mean,
                    cost: tried.cost / whole,
                    gain_per_cost: gain.mean / added,
                    gain,
                    top1_unchanged: tried.changes.kept(),
                    kl: tried.changes.kl(),
                    relative: tried.changes.relative(),
                    pareto: false,
                };
                (tried.insertion, trial)
            })
            .collect();
        if step == 0 {
            let module = |name: &str| {
                let step = target.network().steps().iter().find(|step| step.name == name);
                step.map_or_else(String::new, |step| step.module.clone())
            };
            let mut places: Vec<(usize, ForecastPlace)> = trials
                .iter()
                .map(|(insertion, trial)| {
                    let contribution = contributions[*insertion];
                    (
                        *insertion,
                        ForecastPlace {
                            name: trial.name.clone(),
                            module: module(&trial.name),
                            contribution,
                            gain: trial.gain.mean,
                        },
                    )
                })
                .collect();
            places.sort_by_key(|(insertion, _)| *insertion);
            let places: Vec<ForecastPlace> = places.into_iter().map(|(_, place)| place).collect();
            let [forecast, gain]: [Vec<f64>; 2] =
                [places.iter().map(|p| p.contribution).collect(), places.iter().map(|p| p.gain).collect()];
            advice.forecast = Forecast { rank_correlation: spearman(&forecast, &gain), places };
        }
        trials.sort_by(|a, b| b.1.gain_per_cost.total_cmp(&a.1.gain_per_cost));
        let best = trials.iter().find(|(_, trial)| trial.gain.mean > 0.0 && trial.kept() >= options.keep);
        let choice = best.map(|(insertion, trial)| (*insertion, trial.name.clone()));
        let tried: Vec<Trial> = trials.into_iter().map(|(_, trial)| trial).collect();
        let (name, ends) = match choice {
            Some((insertion, name)) => {
                on[insertion] = true;
                chosen.push(insertion);
                (name, None)
            }
            None => (String::new(), Some(refusal(&tried, options.keep, images.len()))),
        };
        advice.steps.push(AdviceStep { chosen: name, tried, seconds: begin.elapsed().as_secs_f64() });
        if ends.is_some() {
            advice.ended = ends;
            break;
        }
    }
    mark_pareto(&mut advice);
    Ok((chosen, advice))
}

/// Why none of the trials, best first, was chosen, and what to try.
fn refusal(tried: &[Trial], keep: f64, images: usize) -> String {
    let places = |n: usize| if n == 1 { "1 place".to_owned() } else { format!("{n} places") };
    let lower: Vec<&Trial> = tried.iter().filter(|trial| trial.gain.mean > 0.0).collect();
    let nearest = lower.iter().max_by(|a, b| a.kept().total_cmp(&b.kept()));
    let Some(nearest) = nearest else {
        let least = tried.iter().max_by(|a, b| a.gain.mean.total_cmp(&b.gain.mean));
        let least = least.map_or_else(String::new, |trial| {
            format!(" (at '{}' it would rise least, by {:.1e})", trial.name, -trial.gain.mean)
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
        mend: "leave the place out with --where, or try --precision f64",
    }
    .into())
}

/// E‖J δ‖²/dim of each place's nodes in the network as it was.
fn contributions(
    network: &Network,
    insertions: &[Insertion],
    options: &AdviseOptions,
    images: &[(String, Tensor)],
    done: &mut dyn FnMut(),
) -> Result<Vec<f64>, SurgeryError> {
    let layers = LayersOptions { grouping: Grouping::Node, split: false, ..options.layers.clone() };
    let mut meter = LayerMeter::new(network, layers)?;
    for (name, x) in images {
        meter.measure(x, std::slice::from_ref(name), &mut |_, _| {})?;
        done();
    }
    let of: Vec<(String, f64)> =
        meter.per_image().map(|(name, values)| (name.to_owned(), Mean::of(&values).mean)).collect();
    let sum = |insertion: &Insertion| {
        of.iter().filter(|(name, _)| insertion.site.nodes.contains(name)).map(|(_, value)| value).sum::<f64>()
    };
    Ok(insertions.iter().map(sum).collect())
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
        assert!(text.contains("none of 2 places") && text.contains("'/b' it would rise least, by 2.5e-1"), "{text}");
    }
}
