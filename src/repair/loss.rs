//! What is lowered.

use aliascope_core::repair::Loss;
use tch::{Kind, Tensor};

use super::error::RepairError;
use super::recorded::recorded;
use crate::graph::operator::{Operator, Torch};
use crate::graph::{Network, Sweep};
use crate::measure::lee::{LeeMeter, LeeOptions, Output};
use crate::symmetry::{Combination, Units};

/// Below what a probability counts as this: its logarithm has no bound, and in single precision it is rounding beside
/// 1.
const LEAST_PROBABILITY: f64 = 1e-12;

/// How far a student is from its teacher.
#[derive(Debug)]
pub struct Objective {
    loss: Loss,
    /// Whether outputs are vectors of classes.
    classes: bool,
    /// Whether these are probabilities already.
    probabilities: bool,
    /// Places of inner values of teacher and student that are compared.
    pub features: [Vec<usize>; 2],
}

impl Objective {
    /// Of a student whose replacements write the values of these names.
    pub fn new(loss: Loss, teacher: &Network, student: &Network, written: &[String]) -> Self {
        let classes = teacher.classes().is_some();
        let features = if loss == Loss::Features { ends(teacher, student, written) } else { [Vec::new(), Vec::new()] };
        Self { loss, classes, probabilities: teacher.ends_in_softmax(), features }
    }

    /// What is lowered.
    pub fn loss(&self) -> Loss {
        self.loss
    }

    /// The distance of the student's outputs from the teacher's, `[images, …]`, as a numerator and a denominator, which
    /// add up over batches: Σ KL and the number of images, or Σ (s − t)² and Σ (t − t̄)², t̄ the mean of an image's
    /// output. Of probabilities the logarithms less their mean are compared, which are the logits less theirs.
    ///
    /// # Errors
    /// When libtorch refuses; so for the next.
    pub fn distance(&self, teacher: &Tensor, student: &Tensor) -> Torch<[Tensor; 2]> {
        let logs = |y: &Tensor| match self.probabilities {
            true => y.f_clamp_min(LEAST_PROBABILITY)?.f_log(),
            false => y.f_log_softmax(-1, None::<Kind>),
        };
        if self.classes && self.loss != Loss::Logits {
            let (p, q) = (logs(teacher)?, logs(student)?);
            let divergence = p.f_exp()?.f_mul(&p.f_sub(&q)?)?.f_sum(None::<Kind>)?;
            let images = Tensor::f_from_slice(&[teacher.size()[0]])?.f_to_kind(divergence.kind())?;
            return Ok([divergence, images.f_to_device(teacher.device())?.f_squeeze()?]);
        }
        let centred = |y: &Tensor| -> Torch<Tensor> {
            let flat = y.f_flatten(1, -1)?;
            flat.f_sub(&flat.f_mean_dim([-1].as_slice(), true, None::<Kind>)?)
        };
        let spread = |y: &Tensor| centred(y)?.f_square()?.f_sum(None::<Kind>);
        if self.classes && self.probabilities {
            let (teacher, student) = (centred(&logs(teacher)?)?, centred(&logs(student)?)?);
            let error = student.f_sub(&teacher)?.f_square()?.f_sum(None::<Kind>)?;
            return Ok([error, spread(&teacher)?]);
        }
        Ok([student.f_sub(teacher)?.f_square()?.f_sum(None::<Kind>)?, spread(teacher)?])
    }

    /// The loss of a batch: outputs and features, teacher's first.
    pub fn value(&self, outputs: [&Tensor; 2], features: [&[Tensor]; 2]) -> Torch<Tensor> {
        let [error, scale] = self.distance(outputs[0], outputs[1])?;
        let mut loss = error.f_div(&scale)?;
        let count = features[0].len().max(1) as f64;
        for (teacher, student) in features[0].iter().zip(features[1]) {
            let square = teacher.f_square()?.f_sum(None::<Kind>)?;
            let error = student.f_sub(teacher)?.f_square()?.f_sum(None::<Kind>)?;
            loss = loss.f_add(&error.f_div(&square)?.f_div_scalar(count)?)?;
        }
        Ok(loss)
    }
}

/// The outputs of the last layer with weights before each replacement but the first and before the output, where the
/// student has a value of the same name and shape: teacher's places and student's.
fn ends(teacher: &Network, student: &Network, written: &[String]) -> [Vec<usize>; 2] {
    let mut found = [Vec::new(), Vec::new()];
    let (mut behind, mut last) = (false, None);
    for step in student.steps() {
        for &id in step.outputs.iter().flatten() {
            let value = &student.values()[id];
            if written.contains(&value.name) {
                if let Some((theirs, own)) = last.take() {
                    found[0].push(theirs);
                    found[1].push(own);
                }
                behind = true;
                continue;
            }
            let linear = matches!(&*step.operator, Operator::Linear(op) if op.pattern().taps().is_some());
            if behind && linear {
                let same = |other: &crate::graph::ValueInfo| other.name == value.name && other.shape == value.shape;
                last = teacher.values().iter().position(same).map(|theirs| (theirs, id)).or(last);
            }
        }
    }
    if let Some((theirs, own)) = last {
        found[0].push(theirs);
        found[1].push(own);
    }
    found
}

/// The student's own LEE, as libtorch differentiates it.
///
/// Df\[A x\] is a central difference of the recorded forward pass, (f(x + h A x) − f(x − h A x))/2h, with h a twentieth
/// of a pixel's move where the generator moves most along an axis. Along a sine of frequency ω it is off by (hω)²/6 of
/// itself: 0.4 % at Nyquist's, and less below.
pub struct TangentMeter<'a> {
    network: &'a Network,
    meter: LeeMeter<'a>,
    softmax: bool,
    step: f64,
}

/// h, in pixels.
const PIXELS: f64 = 0.05;

impl<'a> TangentMeter<'a> {
    /// Of a network, by these options.
    ///
    /// # Errors
    /// When input or output do not allow it; so for the next.
    pub fn new(network: &'a Network, options: &LeeOptions) -> Result<Self, RepairError> {
        let chosen = LeeMeter::new(network, options.clone())?;
        let softmax = chosen.output() == Output::Softmax;
        // The softmax is taken here, where libtorch records it.
        let own = if softmax { Some(Output::Logits) } else { options.output };
        let meter = LeeMeter::new(network, LeeOptions { output: own, ..options.clone() })?;
        let side = network.input().shape.iter().rev().take(2).copied().max().unwrap_or(1) as f64;
        let step = if options.units == Units::Pixel { PIXELS } else { PIXELS * 2.0 / side };
        Ok(Self { network, meter, softmax, step })
    }

    /// The mean of L² over entries and images, for `x` of shape `[images, input shape…]`.
    pub fn lee(&mut self, x: &Tensor, along: &Combination) -> Result<Tensor, RepairError> {
        let moved = tch::no_grad(|| self.meter.input_tangent(x, along))?.f_select(0, 0)?.f_mul_scalar(self.step)?;
        let both = Tensor::f_cat(&[x.f_add(&moved)?, x.f_sub(&moved)?], 0)?;
        let (y, _) = recorded(self.network, &both, &[])?;
        let images = x.size()[0];
        let (plus, minus) = (y.f_narrow(0, 0, images)?, y.f_narrow(0, images, images)?);
        let value = plus.f_add(&minus)?.f_mul_scalar(0.5)?;
        let tangent = plus.f_sub(&minus)?.f_mul_scalar(0.5 / self.step)?.f_unsqueeze(0)?;
        let (value, mut lie) = self.meter.along(Sweep { value, tangent }, along)?;
        if self.softmax {
            let p = value.f_softmax(-1, None::<Kind>)?;
            let mean = p.f_mul(&lie)?.f_sum_dim_intlist([-1].as_slice(), true, None::<Kind>)?;
            lie = p.f_mul(&lie.f_sub(&mean)?)?;
        }
        Ok(lie.f_square()?.f_mean(None::<Kind>)?)
    }
}
