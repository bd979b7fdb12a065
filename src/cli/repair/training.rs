//! How weights are adapted: the options that `repair` and `fix` share.

use std::num::{NonZeroU16, NonZeroUsize};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::{Failure, Status};
use crate::repair::{Loss, RecalibrationKind, TrainOptions, Trained};
use crate::symmetry::Combination;

/// How weights are adapted, but for the number of steps, whose default is each command's.
#[derive(Debug, Args)]
pub(in crate::cli) struct TrainingArgs {
    /// End after so many minutes of steps, if they are not done before.
    #[arg(long, value_name = "M")]
    pub(super) minutes: Option<f64>,
    /// Images per step.
    #[arg(long, value_name = "B", default_value = "16")]
    pub(super) batch: NonZeroU16,
    /// The highest learning rate of Adam, as a share of the size of each output channel's weights: reached over the first
    /// tenth of the steps, it falls to 0 along half a cosine.
    #[arg(long, value_name = "R", default_value_t = 3e-4)]
    pub(super) rate: f64,
    /// What is lowered.
    #[arg(long, value_enum, default_value_t = Loss::Logits)]
    pub(super) loss: Loss,
    /// The weight of the network's own LEE beside it, under one of the generators a step.
    #[arg(long, value_name = "W", default_value_t = 0.0)]
    pub(super) lee_weight: f64,
    /// Which weights are adapted.
    #[arg(long, value_enum, default_value_t = Trained::All)]
    pub(super) train: Trained,
    /// What is solved for before the first step, layer by layer.
    #[arg(long, value_enum, default_value_t = Recalibrate::Moments)]
    pub(super) recalibrate: Recalibrate,
    /// Training images that this is solved on.
    #[arg(long, value_name = "N", default_value = "64")]
    pub(super) calibration: NonZeroUsize,
    /// Steps between validations.
    #[arg(long, value_name = "N", default_value = "25")]
    pub(super) every: NonZeroUsize,
    /// The limit of the gradient's length.
    #[arg(long, value_name = "LENGTH", default_value_t = 1.0)]
    pub(super) clip: f64,
    /// Keep the state of the training in this file, at every validation.
    #[arg(long, value_name = "FILE.safetensors")]
    pub(super) state: Option<PathBuf>,
    /// Go on from the state in --state: the same command, interrupted or out of time before.
    #[arg(long, requires = "state")]
    pub(super) resume: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Recalibrate {
    /// Nothing.
    None,
    /// A scale and a shift of each output channel, by least squares.
    Channels,
    /// A scale and a shift of each output channel, so that its mean and spread are what they were.
    Moments,
    /// The weights, by ridge regression.
    Weights,
}

impl TrainingArgs {
    /// Refuses numbers that no training can have.
    pub(in crate::cli) fn check(&self) -> Result<(), Failure> {
        let positive = |name: &str, value: f64| match value.is_finite() && value > 0.0 {
            true => Ok(()),
            false => Err(Failure::new(Status::Usage, format!("{name} must be a number above 0, not {value}"))),
        };
        positive("--rate", self.rate)?;
        positive("--clip", self.clip)?;
        self.minutes.map_or(Ok(()), |minutes| positive("--minutes", minutes))?;
        if !self.lee_weight.is_finite() || self.lee_weight < 0.0 {
            let problem = format!("--lee-weight must be a number from 0, not {}", self.lee_weight);
            return Err(Failure::new(Status::Usage, problem));
        }
        Ok(())
    }

    /// What is solved for before the first step.
    pub(super) fn kind(&self) -> Option<RecalibrationKind> {
        match self.recalibrate {
            Recalibrate::None => None,
            Recalibrate::Channels => Some(RecalibrationKind::Channels),
            Recalibrate::Moments => Some(RecalibrationKind::Moments),
            Recalibrate::Weights => Some(RecalibrationKind::Weights),
        }
    }

    /// How to train, for so many steps.
    pub(super) fn options(&self, steps: usize, seed: u64, generators: &[Combination]) -> TrainOptions {
        TrainOptions {
            steps,
            batch: usize::from(self.batch.get()),
            rate: self.rate,
            seed,
            loss: self.loss,
            train: self.train,
            lee_weight: self.lee_weight,
            generators: generators.to_vec(),
            clip: self.clip,
            every: self.every.get(),
        }
    }
}
