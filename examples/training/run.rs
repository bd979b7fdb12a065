//! Training one network.

use std::rc::Rc;
use std::time::Instant;

use aliascope::measure::lee_report::LeeReport;
use aliascope::measure::{LieTerm, measure_function};
use aliascope::{Combination, FunctionOptions, LeeOptions};
use tch::nn::{self, OptimizerConfig, VarStore};
use tch::{Device, Kind, Tensor};

use super::Problem;
use super::images::{Labelled, order};
use super::layers::{Layer, Sequence};
use super::recipe::Recipe;
use super::record::{Epoch, Trained};

/// Test images at a time.
const BATCH: usize = 100;

/// What networks are trained and tested on.
#[derive(Debug)]
pub struct Data {
    /// In words, for records.
    pub name: String,
    /// To train on.
    pub train: Labelled,
    /// The images that augmentation begins with, where they are others: the same digits upright.
    pub upright: Option<Tensor>,
    /// To test on.
    pub test: Labelled,
    /// How many of the test images LEE is measured on after an epoch, and at the end.
    pub lee_images: [usize; 2],
    /// What is measured after an epoch and penalised by the LEE term.
    pub along: Combination,
    /// What is measured at the end.
    pub generators: Vec<Combination>,
}

/// A network and what is known of it after training.
#[derive(Debug)]
pub struct Outcome {
    /// The network, with its weights.
    pub network: Rc<Sequence>,
    /// What is kept.
    pub record: Trained,
}

/// Trains a network; `say` hears of every epoch.
///
/// The same recipe gives the same numbers to the last bit, on the same processor.
///
/// # Errors
/// A step's loss is not finite; LEE cannot be measured.
pub fn train(recipe: &Recipe, data: &Data, say: &mut dyn FnMut(&str)) -> Result<Outcome, Problem> {
    let begun = Instant::now();
    tch::set_num_threads(recipe.threads as i32);
    tch::manual_seed(recipe.seed as i64);
    let store = VarStore::new(Device::Cpu);
    let network = Rc::new(recipe.family.network(recipe.size, &store)?);
    let mut optimizer = nn::Adam::default().build(&store, recipe.rate)?;
    let size = data.train.pixels.size();
    let term = LieTerm::new(data.along.clone(), [size[2] as usize, size[3] as usize], (Kind::Float, Device::Cpu))?;
    let steps = data.train.count() / recipe.batch;
    let mut epochs = Vec::new();
    for epoch in 0..recipe.epochs {
        // Seeds of their own, which neither other epochs nor other recipes have.
        let seed = 1_000 * (recipe.seed + 1) + epoch as u64;
        let source = match recipe.augmentation {
            super::augmentation::Augmentation::None => &data.train.pixels,
            _ => data.upright.as_ref().unwrap_or(&data.train.pixels),
        };
        let pixels = recipe.augmentation.of(source, seed);
        let places = order(data.train.count(), seed);
        let mut sum = 0.0;
        for (step, batch) in places.chunks_exact(recipe.batch).enumerate() {
            let done = (epoch * steps + step) as f64 / (recipe.epochs * steps) as f64;
            optimizer.set_lr(recipe.rate * 0.5 * (1.0 + (std::f64::consts::PI * done).cos()));
            let at = Tensor::from_slice(batch);
            let (x, classes) = (pixels.index_select(0, &at), data.train.classes.index_select(0, &at));
            let loss = loss(&network, &term, recipe.lee_weight, &x, &classes)?;
            optimizer.backward_step(&loss);
            sum += loss.double_value(&[]);
        }
        if !sum.is_finite() {
            return Err(format!("{}: the loss is not finite in epoch {}", recipe.name(), epoch + 1).into());
        }
        let lee = measured(&network, data, data.lee_images[0], vec![data.along.clone()])?;
        let along = &lee.generators[data.along.name()];
        let now = Epoch {
            loss: sum / steps as f64,
            test_error: test_error(&network, &data.test),
            lee: along.lee,
            lee_geometric: along.summary.geometric_mean.map(|mean| mean.value),
            fisher: along.fisher.as_ref().and_then(|fisher| fisher.geometric_mean).map(|mean| mean.value),
        };
        say(&format!(
            "{}, epoch {} of {}: loss {:.3}, test error {:.1} %, LEE {:.3}",
            recipe.name(),
            epoch + 1,
            recipe.epochs,
            now.loss,
            100.0 * now.test_error,
            now.lee
        ));
        epochs.push(now);
    }
    let lee = measured(&network, data, data.lee_images[1], data.generators.clone())?;
    let parameters = store.trainable_variables().iter().map(Tensor::numel).sum();
    let record = Trained {
        recipe: recipe.clone(),
        images: data.name.clone(),
        parameters,
        epochs,
        seconds: begun.elapsed().as_secs_f64(),
        lee,
    };
    Ok(Outcome { network, record })
}

/// Cross-entropy, and beside it the mean square of the logits' Lie derivative where that has a weight. Softmax is left
/// out of that term: a network would lower it by being less sure.
fn loss(
    network: &Sequence,
    term: &LieTerm,
    weight: f64,
    x: &Tensor,
    classes: &Tensor,
) -> Result<Tensor, tch::TchError> {
    if weight == 0.0 {
        return Ok(network.forward(x, true).cross_entropy_for_logits(classes));
    }
    let (scores, lie) = term.of(|x| network.forward(x, true), x)?;
    Ok(scores.cross_entropy_for_logits(classes) + lie.square().mean(Kind::Float) * weight)
}

/// The share of images that are classified wrongly.
pub fn test_error(network: &Sequence, test: &Labelled) -> f64 {
    tch::no_grad(|| {
        let mut right = 0.0;
        for (x, classes) in test.pixels.split(BATCH as i64, 0).iter().zip(test.classes.split(BATCH as i64, 0)) {
            right +=
                network.forward(x, false).argmax(-1, false).eq_tensor(&classes).sum(Kind::Double).double_value(&[]);
        }
        1.0 - right / test.count() as f64
    })
}

/// LEE on the first test images.
fn measured(
    network: &Rc<Sequence>,
    data: &Data,
    images: usize,
    generators: Vec<Combination>,
) -> Result<LeeReport, Problem> {
    let some = data.test.first(images);
    let size = some.pixels.size();
    let held = Rc::clone(network);
    let function = FunctionOptions::new("network", [size[1], size[2], size[3]]);
    let options = LeeOptions { generators, pixel_scale: Some(vec![1.0]), ..Default::default() };
    let known = some.class_numbers();
    let f = move |x: &Tensor| held.forward(x, false);
    Ok(measure_function(f, &function, &some.pixels, (&some.names, &known), BATCH, options)?)
}
