//! The steps of a repair: batches, validations, the state, and when to end.

use std::fs;
use std::path::Path;

use super::images::TrainingImages;
use super::judgement::Judgement;
use super::request::Request;
use crate::cli::network::{Console, Opened};
use crate::cli::{Failure, Status};
use crate::graph::{Network, Parameter};
use crate::hash::hash_of;
use crate::repair::{CurvePoint, Ended, State, TrainOptions, Trainer, Training};
use crate::report::OutputFile;
use aliascope_core::cli::signals;

/// What steps need.
pub(super) struct Steps<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) options: &'a TrainOptions,
    pub(super) opened: &'a Opened,
    pub(super) student: &'a Network,
    pub(super) parameters: &'a [Parameter],
    /// The names of the values that replacements write.
    pub(super) written: &'a [String],
    pub(super) images: &'a TrainingImages,
    pub(super) judgement: &'a Judgement<'a>,
    pub(super) console: &'a Console,
}

impl Steps<'_> {
    /// Trains; `left` is how many parameters no training changes.
    pub(super) fn run(&self, left: usize) -> Result<(Training, Vec<CurvePoint>), Failure> {
        let options = self.options;
        let networks = [&self.opened.network, self.student];
        let lee = self.request.judgement.lee_options();
        let mut trainer = Trainer::new(networks, self.parameters, self.written, options.clone(), &lee)?;
        let overlap = self.images.overlap(self.opened)?;
        let mut ended = Ended::Steps;
        if options.steps > 0 {
            ended = self.train(&mut trainer, options)?;
        }
        let training = Training {
            images: self.images.len(),
            overlap,
            parameters: trainer.count(),
            left,
            train: options.train,
            loss: options.loss,
            lee_weight: options.lee_weight,
            teacher_shift: options.teacher_shift,
            mixup: options.mixup,
            generators: options.generators.iter().map(|generator| generator.name().to_owned()).collect(),
            steps_asked: options.steps,
            steps: trainer.steps(),
            best_step: trainer.best_step(),
            batch: options.batch,
            rate: options.rate,
            clip: options.clip,
            seed: options.seed,
            minutes: trainer.minutes(),
            ended,
        };
        if options.steps > 0 {
            trainer.finish()?;
        }
        Ok((training, trainer.curve().to_vec()))
    }

    fn train(&self, trainer: &mut Trainer<'_>, options: &TrainOptions) -> Result<Ended, Failure> {
        let args = self.request.training;
        let owner = self.owner(options)?;
        let mut begin = trainer.minutes();
        if let Some(path) = args.state.as_deref().filter(|_| args.resume) {
            self.resume(path, trainer, &owner)?;
            begin = trainer.minutes();
        }
        let judge = self.judgement.judge(options)?;
        if trainer.curve().is_empty() {
            self.tell(&trainer.validate(&judge)?, trainer);
            self.keep(trainer, &owner)?;
        }
        signals::note_only(true);
        let bar = Console::new(self.request.quiet, options.steps, "steps");
        let mut ended = Ended::Steps;
        while trainer.steps() < options.steps {
            let [theirs, own] = self.images.batch(options, trainer.steps(), self.opened)?;
            trainer.step([&theirs, &own])?;
            bar.reach(trainer.steps(), options.steps);
            let out_of_time = args.minutes.is_some_and(|minutes| trainer.minutes() - begin >= minutes);
            let interrupted = signals::was_noted();
            let last = trainer.steps() == options.steps || out_of_time || interrupted;
            let planned = trainer.steps() == options.steps || trainer.steps().is_multiple_of(options.every);
            if planned {
                self.tell(&trainer.validate(&judge)?, trainer);
                self.keep(trainer, &owner)?;
            } else if last {
                // A run that goes on from here knows nothing of this validation, as one that was never stopped.
                self.keep(trainer, &owner)?;
                self.tell(&trainer.validate(&judge)?, trainer);
            }
            if last && trainer.steps() < options.steps {
                ended = if interrupted { Ended::Interrupted } else { Ended::Minutes };
                break;
            }
        }
        bar.finish();
        signals::note_only(false);
        Ok(ended)
    }

    /// A validation in a line.
    fn tell(&self, point: &CurvePoint, trainer: &Trainer<'_>) {
        let steps = trainer.options().steps;
        let loss = point.loss.map_or(String::new(), |loss| format!("loss {loss:.3}, "));
        let kept = point.top1_unchanged.map_or(String::new(), |kept| format!(", top-1 {:.0} %", 100.0 * kept));
        let best = if trainer.best_step() == point.step { " (best)" } else { "" };
        let rest = match point.step {
            0 => String::new(),
            done => format!("; {:.1} min left", point.minutes / done as f64 * (steps - done.min(steps)) as f64),
        };
        self.console.note(&format!(
            "step {} of {steps}: {loss}validation {:.4}{best}{kept}, LEE {:.4}; {:.1} min{rest}",
            point.step, point.validation, point.lee, point.minutes
        ));
    }

    /// What tells a training from others: networks, images and options.
    fn owner(&self, options: &TrainOptions) -> Result<String, Failure> {
        let (request, model) = (self.request, &self.opened.header().model);
        let replace: Vec<String> = request.replace.iter().map(ToString::to_string).collect();
        let lee = request.judgement.lee_options();
        let all = format!(
            "{} {} {:?} {replace:?} {:?} {:?} {} {:?} {options:?} {:?} {} {lee:?} {} {} {:?}",
            env!("CARGO_PKG_VERSION"),
            model.sha256,
            model.weights_sha256,
            request.pattern,
            self.written,
            request.padding,
            request.place,
            request.training.recalibrate,
            request.training.calibration,
            self.images.hash(),
            self.judgement.hash()?,
            self.opened.network.kind()
        );
        Ok(hash_of(all.as_bytes()))
    }

    fn keep(&self, trainer: &Trainer<'_>, owner: &str) -> Result<(), Failure> {
        let Some(path) = &self.request.training.state else { return Ok(()) };
        let bytes = State::of(trainer, owner)?.into_bytes();
        // The state of this run takes the place of an earlier one's.
        Ok(OutputFile::claim(path, true)?.write_bytes(&bytes)?)
    }

    fn resume(&self, path: &Path, trainer: &mut Trainer<'_>, owner: &str) -> Result<(), Failure> {
        let bytes = fs::read(path)
            .map_err(|error| Failure::new(Status::Input, format!("{}: it cannot be read: {error}", path.display())))?;
        State::from_bytes(bytes)
            .restore(trainer, owner)
            .map_err(|error| Failure::new(Status::Input, format!("{}: {error}", path.display())))?;
        self.console.note(&format!("going on from step {}", trainer.steps()));
        Ok(())
    }
}
