//! Lowering the loss by steps.

use std::time::Instant;

use aliascope_core::repair::CurvePoint;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

use super::adam::{Adam, clip};
use super::error::RepairError;
use super::loss::{Objective, TangentMeter};
use super::options::TrainOptions;
use super::recorded::recorded;
use super::variables::Variables;
use crate::graph::operator::Torch;
use crate::graph::{Network, Parameter};
use crate::measure::lee::LeeOptions;
use crate::symmetry::{Combination, Generator};

/// The most that a step leaves of the average of weights before it; early steps leave less.
const AVERAGE: f64 = 0.98;

/// Random numbers of a step: they depend on the seed and the step alone, so that a run is gone on from by its number of
/// steps.
fn random(seed: u64, step: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(step as u64 + 1);
    rng
}

/// The images of a step, of `count`, each once an epoch, and random numbers for their crops.
pub fn batch(options: &TrainOptions, step: usize, count: usize) -> (Vec<usize>, ChaCha8Rng) {
    let mut rng = random(options.seed, step);
    // The stream of generators is another.
    let _ = rng.random::<u64>();
    let mut chosen = Vec::with_capacity(options.batch);
    let (mut epoch, mut order): (usize, Vec<usize>) = (usize::MAX, Vec::new());
    for at in step * options.batch..(step + 1) * options.batch {
        if at / count.max(1) != epoch {
            epoch = at / count.max(1);
            order = (0..count).collect();
            // Of another seed than any step's.
            order.shuffle(&mut random(!options.seed, epoch));
        }
        chosen.extend(order.get(at % count.max(1)));
    }
    (chosen, rng)
}

/// The images that validation goes over, with the teacher's outputs.
pub struct Judge {
    batches: Vec<[Tensor; 2]>,
    /// How many of the first images LEE is taken of.
    lee_images: i64,
}

impl Judge {
    /// Of images `[1, input shape…]`; LEE is taken of the first `lee_images` of them.
    ///
    /// # Errors
    /// When the teacher fails.
    pub fn new(teacher: &Network, images: &[Tensor], batch: usize, lee_images: usize) -> Result<Self, RepairError> {
        let batches = images.chunks(batch.max(1)).map(|images| {
            let x = teacher.place(&Tensor::f_stack(images, 0)?)?;
            let y = teacher.forward(&x)?;
            Ok([x, y])
        });
        Ok(Self { batches: batches.collect::<Result<_, RepairError>>()?, lee_images: lee_images as i64 })
    }
}

/// What was seen so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Steps done.
    pub step: usize,
    /// Validations.
    pub curve: Vec<CurvePoint>,
    /// The step of the best weights.
    pub best_step: usize,
    /// Their distance, and their LEE by its weight.
    pub best: f64,
    /// The losses since the last validation, and how many they are.
    pub losses: [f64; 2],
    /// Seconds before this process went on.
    pub seconds: f64,
}

/// A student in training.
pub struct Trainer<'a> {
    teacher: &'a Network,
    student: &'a Network,
    parameters: &'a [Parameter],
    pub(super) variables: Variables,
    pub(super) adam: Adam,
    /// Averages of the variables over steps.
    pub(super) average: Vec<Tensor>,
    /// Those of the best validation.
    pub(super) best: Vec<Tensor>,
    pub(super) seen: Seen,
    objective: Objective,
    tangent: TangentMeter<'a>,
    options: TrainOptions,
    begun: Instant,
}

impl<'a> Trainer<'a> {
    /// Prepares training. `written` are the names of the values that replacements write.
    ///
    /// # Errors
    /// When there is nothing to train, or input and output do not allow a LEE.
    pub fn new(
        [teacher, student]: [&'a Network; 2],
        parameters: &'a [Parameter],
        written: &[String],
        options: TrainOptions,
        lee: &LeeOptions,
    ) -> Result<Self, RepairError> {
        let named = |value: &crate::graph::ValueInfo| written.contains(&value.name);
        let places = student.values().iter().enumerate().filter(|(_, value)| named(value));
        let behind: Vec<usize> = places.map(|(id, _)| id).collect();
        let variables = tch::no_grad(|| Variables::new(student, parameters, options.train, &behind))?;
        for variable in &variables.all {
            let _ = parameters[variable.parameter].tensor.f_set_requires_grad(true)?;
        }
        let copies = || variables.values.iter().map(|value| Ok(value.f_detach()?.copy())).collect::<Torch<Vec<_>>>();
        Ok(Self {
            teacher,
            student,
            parameters,
            adam: Adam::new(&variables.values)?,
            average: copies()?,
            best: copies()?,
            variables,
            seen: Seen { best: f64::INFINITY, ..Seen::default() },
            objective: Objective::new(options.loss, teacher, student, written),
            tangent: TangentMeter::new(student, lee)?,
            options,
            begun: Instant::now(),
        })
    }

    /// How many numbers are adapted.
    pub fn count(&self) -> usize {
        self.variables.count()
    }

    /// Steps done.
    pub fn steps(&self) -> usize {
        self.seen.step
    }

    /// The step whose averaged weights were the best, 0 for none.
    pub fn best_step(&self) -> usize {
        self.seen.best_step
    }

    /// Validations so far.
    pub fn curve(&self) -> &[CurvePoint] {
        &self.seen.curve
    }

    /// How it is trained.
    pub fn options(&self) -> &TrainOptions {
        &self.options
    }

    /// Minutes that training took, in earlier processes too.
    pub fn minutes(&self) -> f64 {
        (self.seen.seconds + self.begun.elapsed().as_secs_f64()) / 60.0
    }

    /// One step on a batch, `[images, input shape…]`, as teacher and student see it; its loss.
    ///
    /// # Errors
    /// When a network fails, or loss or gradient are not finite.
    pub fn step(&mut self, [theirs, own]: [&Tensor; 2]) -> Result<f64, RepairError> {
        let (theirs, own) = (self.teacher.place(theirs)?, self.student.place(own)?);
        let (loss, mut gradients) = self.loss_and_gradients(&theirs, &own)?;
        let not_finite = |what| RepairError::NotFinite { what, step: self.seen.step + 1, rate: self.options.rate };
        if !loss.is_finite() {
            return Err(not_finite("loss"));
        }
        let length = tch::no_grad(|| clip(&mut gradients, self.options.clip))?;
        if !length.is_finite() {
            return Err(not_finite("gradient"));
        }
        tch::no_grad(|| -> Torch<()> {
            let (step, rate) = (self.seen.step, self.options.rate_at(self.seen.step));
            self.adam.step(&mut self.variables.values, &gradients, rate, step)?;
            self.variables.write(self.parameters, &self.variables.values)?;
            let keep = AVERAGE.min((1.0 + step as f64) / (10.0 + step as f64));
            for (average, value) in self.average.iter_mut().zip(&self.variables.values) {
                let _ = average.f_mul_scalar_(keep)?.f_add_(&value.f_mul_scalar(1.0 - keep)?)?;
            }
            Ok(())
        })?;
        self.seen.step += 1;
        self.seen.losses = [self.seen.losses[0] + loss, self.seen.losses[1] + 1.0];
        Ok(loss)
    }

    /// The loss of a batch and its gradients by the variables.
    fn loss_and_gradients(&mut self, teacher_x: &Tensor, x: &Tensor) -> Result<(f64, Vec<Tensor>), RepairError> {
        let [theirs, own] = &self.objective.features;
        let (wanted, inner) = tch::no_grad(|| -> Result<_, RepairError> {
            Ok(match theirs[..] {
                [] => (self.teacher.forward(teacher_x)?, Vec::new()),
                _ => recorded(self.teacher, teacher_x, theirs)?,
            })
        })?;
        let (output, features) = recorded(self.student, x, own)?;
        let mut loss = self.objective.value([&wanted, &output], [&inner, &features])?;
        let generators = &self.options.generators;
        if self.options.lee_weight > 0.0 && !generators.is_empty() {
            let mut rng = random(self.options.seed, self.seen.step);
            let along = &generators[rng.random_range(0..generators.len())];
            // Two passes each, so that half of the images cost as much as the other term.
            let part = x.f_narrow(0, 0, (x.size()[0] + 1) / 2)?;
            loss = loss.f_add(&self.tangent.lee(&part, along)?.f_mul_scalar(self.options.lee_weight)?)?;
        }
        let leaves: Vec<&Tensor> =
            self.variables.all.iter().map(|variable| &self.parameters[variable.parameter].tensor).collect();
        let found = Tensor::f_run_backward(&[&loss], &leaves, false, false)?;
        let by_parameter = found.into_iter().zip(&leaves).map(|(gradient, leaf)| match gradient.defined() {
            true => Ok(gradient),
            // Nothing that the loss depends on.
            false => leaf.f_detach()?.f_zeros_like(),
        });
        let by_parameter = by_parameter.collect::<Torch<Vec<_>>>()?;
        let gradients = tch::no_grad(|| self.variables.gradients(by_parameter))?;
        Ok((loss.f_double_value(&[])?, gradients))
    }

    /// Goes over the validation images with averaged weights, and keeps these where they are the best so far.
    ///
    /// # Errors
    /// When the student fails.
    pub fn validate(&mut self, judge: &Judge) -> Result<CurvePoint, RepairError> {
        let (validation, lee, kept) = tch::no_grad(|| -> Result<_, RepairError> {
            let current = self.variables.values.iter().map(|value| Ok(value.f_detach()?.copy()));
            let current = current.collect::<Torch<Vec<_>>>()?;
            self.variables.write(self.parameters, &self.average)?;
            let found = self.distance(judge);
            for (value, current) in self.variables.values.iter().zip(&current) {
                value.f_detach()?.f_copy_(current)?;
            }
            self.variables.write(self.parameters, &self.variables.values)?;
            found
        })?;
        let [sum, count] = std::mem::take(&mut self.seen.losses);
        let point = CurvePoint {
            step: self.seen.step,
            loss: (count > 0.0).then(|| sum / count),
            validation,
            lee,
            top1_unchanged: kept,
            minutes: self.minutes(),
        };
        // What is lowered decides.
        let score = validation + self.options.lee_weight * lee;
        if score < self.seen.best {
            self.seen.best = score;
            self.seen.best_step = self.seen.step;
            for (best, average) in self.best.iter_mut().zip(&self.average) {
                best.f_copy_(average)?;
            }
        }
        self.seen.curve.push(point.clone());
        Ok(point)
    }

    /// Distance, LEE as the mean over generators, and the share of top-1 classes that stay.
    fn distance(&mut self, judge: &Judge) -> Result<(f64, f64, Option<f64>), RepairError> {
        let mut generators = self.options.generators.clone();
        if generators.is_empty() {
            generators.push(Combination::single(Generator::TranslateX));
        }
        let (mut sums, mut same, mut images) = ([0.0; 2], 0, 0);
        let (mut lee, mut lee_images) = (0.0, 0);
        let classes = self.teacher.classes().is_some();
        for [x, wanted] in &judge.batches {
            let (output, _) = recorded(self.student, x, &[])?;
            for (sum, part) in sums.iter_mut().zip(self.objective.distance(wanted, &output)?) {
                *sum += part.f_double_value(&[])?;
            }
            if classes {
                let first = |y: &Tensor| y.f_argmax(-1, false);
                same += first(wanted)?.f_eq_tensor(&first(&output)?)?.f_sum(Kind::Int64)?.f_int64_value(&[])?;
            }
            images += x.size()[0];
            let rest = (judge.lee_images - lee_images).min(x.size()[0]);
            if rest > 0 {
                let part = x.f_narrow(0, 0, rest)?;
                for along in &generators {
                    lee += self.tangent.lee(&part, along)?.f_double_value(&[])? * rest as f64;
                }
                lee_images += rest;
            }
        }
        let kept = classes.then(|| same as f64 / images.max(1) as f64);
        let lee = lee / (lee_images.max(1) as f64 * generators.len() as f64);
        Ok((sums[0] / sums[1].max(f64::MIN_POSITIVE), lee, kept))
    }

    /// Goes on from here, once its tensors hold what they held.
    pub(super) fn restored(&mut self, seen: Seen) -> Result<(), RepairError> {
        self.seen = seen;
        self.begun = Instant::now();
        Ok(tch::no_grad(|| self.variables.write(self.parameters, &self.variables.values))?)
    }

    /// Writes the best averaged weights into the student.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn finish(&self) -> Result<(), RepairError> {
        tch::no_grad(|| -> Torch<()> {
            for (value, best) in self.variables.values.iter().zip(&self.best) {
                value.f_detach()?.f_copy_(best)?;
            }
            self.variables.write(self.parameters, &self.variables.values)
        })?;
        for variable in &self.variables.all {
            let _ = self.parameters[variable.parameter].tensor.f_set_requires_grad(false)?;
        }
        Ok(())
    }
}
