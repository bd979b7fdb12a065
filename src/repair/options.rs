//! How to train.

use aliascope_core::repair::{Loss, Trained};

use crate::symmetry::Combination;

/// The most steps over which the learning rate rises.
const MOST_RISING: usize = 100;

/// How to train.
#[derive(Clone, Debug)]
pub struct TrainOptions {
    /// How many steps.
    pub steps: usize,
    /// Images per step.
    pub batch: usize,
    /// The highest learning rate, as a share of the size of each output channel's weights: it is reached over the first
    /// steps, a tenth of all and at most 100, and falls to 0 along half a cosine.
    pub rate: f64,
    /// The seed of crops and generators.
    pub seed: u64,
    /// What is lowered.
    pub loss: Loss,
    /// Which weights are adapted.
    pub train: Trained,
    /// The weight of the student's own LEE beside the loss.
    pub lee_weight: f64,
    /// The generators of that LEE, one of them a step.
    pub generators: Vec<Combination>,
    /// How far the teacher's crop of a photo is moved from the student's, along both axes, in pixels: what is learned
    /// is its mean over such shifts.
    pub teacher_shift: f64,
    /// The share of a step's images that are blended with another of them.
    pub mixup: f64,
    /// The limit of the gradient's length.
    pub clip: f64,
    /// Steps between validations.
    pub every: usize,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            steps: 200,
            batch: 16,
            rate: 3e-4,
            seed: 0,
            loss: Loss::Logits,
            train: Trained::All,
            lee_weight: 0.0,
            generators: Vec::new(),
            teacher_shift: 0.0,
            mixup: 0.0,
            clip: 1.0,
            every: 25,
        }
    }
}

impl TrainOptions {
    /// The learning rate of a step, counted from 0: half a cosine from the highest rate to 0 behind the last step, and a
    /// straight line up to it at first. Adam divides by the root of a mean of squares, which a few steps hardly know:
    /// without the line up, the first steps of a high rate lose what recalibration has gained.
    pub fn rate_at(&self, step: usize) -> f64 {
        let share = step as f64 / self.steps.max(1) as f64;
        let rising = (self.steps / 10).min(MOST_RISING) + 1;
        let risen = ((step + 1) as f64 / rising as f64).min(1.0);
        self.rate * risen * 0.5 * (1.0 + (std::f64::consts::PI * share).cos())
    }
}
