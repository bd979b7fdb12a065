//! How weights are adapted: the options that `repair` and `fix` share.

use std::num::{NonZeroU16, NonZeroUsize};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::{Failure, Status};
use crate::repair::{Loss, RecalibrationKind, TrainOptions, Trained};
use crate::symmetry::Combination;

/// How far the teacher's crops are moved where nothing is said: over 9 by 9 pixels, in which strides of 2, 4 and 8 have
/// all their phases.
const TEACHER_SHIFT: f64 = 4.0;

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
    /// The network before sees each crop of a photo moved by up to so many pixels, so that its mean over such shifts is
    /// what is learned; 0 for none [default: 4 where outputs are classes].
    #[arg(long, value_name = "PIXELS")]
    pub(super) teacher_shift: Option<f64>,
    /// The share of a step's images that are blended with another of them, so that few photos go further.
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    pub(super) mixup: f64,
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
        let refused = |problem: String| Err(Failure::new(Status::Usage, problem));
        let from_zero = |value: f64| value.is_finite() && value >= 0.0;
        if !from_zero(self.lee_weight) {
            return refused(format!("--lee-weight must be a number from 0, not {}", self.lee_weight));
        }
        if !(0.0..=1.0).contains(&self.mixup) {
            return refused(format!("--mixup must be a number from 0 to 1, not {}", self.mixup));
        }
        match self.teacher_shift {
            Some(shift) if !from_zero(shift) => {
                refused(format!("--teacher-shift must be a number of pixels from 0, not {shift}"))
            }
            Some(shift) if shift > 0.0 && self.loss == Loss::Features => refused(
                "--teacher-shift: the inner values that --loss features compares lie where the photo does; leave one of \
                 the two out"
                    .to_owned(),
            ),
            _ => Ok(()),
        }
    }

    /// How far the teacher's crops are moved, of a network with classes or without.
    fn shift(&self, classes: bool) -> Result<f64, Failure> {
        match self.teacher_shift {
            Some(shift) if shift > 0.0 && !classes => Err(Failure::new(
                Status::Unsupported,
                "--teacher-shift: this network's output is no vector of classes, and moves with the photo; leave it out",
            )),
            Some(shift) => Ok(shift),
            None if classes && self.loss != Loss::Features => Ok(TEACHER_SHIFT),
            None => Ok(0.0),
        }
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
    pub(super) fn options(
        &self,
        steps: usize,
        seed: u64,
        generators: &[Combination],
        classes: bool,
    ) -> Result<TrainOptions, Failure> {
        Ok(TrainOptions {
            steps,
            batch: usize::from(self.batch.get()),
            rate: self.rate,
            seed,
            loss: self.loss,
            train: self.train,
            lee_weight: self.lee_weight,
            generators: generators.to_vec(),
            teacher_shift: self.shift(classes)?,
            mixup: self.mixup,
            clip: self.clip,
            every: self.every.get(),
        })
    }
}
