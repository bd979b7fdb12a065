//! What is measured of one network at a stage, and against another on the same images.

use aliascope_core::repair::{Stage, StageKind, lee_ratios};
use indexmap::IndexMap;
use tch::Tensor;

use super::error::RepairError;
use crate::antialias::surgery::compare::{shifts_of, shifts_paired};
use crate::antialias::surgery::outputs::Changes;
use crate::antialias::surgery::report::Paired;
use crate::graph::Network;
use crate::measure::lee::{LeeMeter, LeeOptions};
use crate::measure::lee_report::Accuracy;
use crate::measure::metrics_report::Metrics;
use crate::measure::run::{Lie, Measured};

/// How stages are measured.
#[derive(Clone, Debug)]
pub struct StageOptions {
    /// How Lie derivatives are taken, and under which generators.
    pub lee: LeeOptions,
    /// Shifts per image; none to leave them out.
    pub draws: usize,
    /// The seed that shifts are drawn from, the same at all stages.
    pub seed: u64,
}

/// The measurement of one network, image by image.
pub struct StageMeter<'a> {
    network: &'a Network,
    options: StageOptions,
    lee: LeeMeter<'a>,
    shifts: Vec<Metrics>,
    outputs: Vec<Tensor>,
    names: Vec<String>,
}

impl<'a> StageMeter<'a> {
    /// Prepares the measurement.
    ///
    /// # Errors
    /// When input or output do not allow it; so for the next.
    pub fn new(network: &'a Network, options: StageOptions) -> Result<Self, RepairError> {
        let lee = LeeMeter::new(network, options.lee.clone())?;
        Ok(Self { network, options, lee, shifts: Vec::new(), outputs: Vec::new(), names: Vec::new() })
    }

    /// Measures one image, `[1, input shape…]`: its output, and where `wholly` is set, LEE and what shifts do; `larger`
    /// is the same photo with more around it.
    pub fn measure(
        &mut self,
        x: &Tensor,
        larger: Option<&Tensor>,
        name: &str,
        wholly: bool,
    ) -> Result<(), RepairError> {
        self.outputs.push(self.network.forward(&self.network.place(x)?)?);
        self.names.push(name.to_owned());
        if wholly {
            self.lee.measure(x, &[name.to_owned()])?;
            if self.options.draws > 0 {
                let seed = self.options.seed.wrapping_add(self.shifts.len() as u64);
                self.shifts.push(shifts_of(self.network, x, larger, self.options.draws, seed)?);
            }
        }
        Ok(())
    }

    /// How Lie derivatives are taken.
    pub fn lie(&self) -> Lie {
        self.lee.lie()
    }

    /// What is measured, and how it moves.
    pub fn measured(&self) -> Measured {
        self.lee.measured()
    }

    /// The classes that the network has scores for; none where the output is no vector of classes.
    pub fn classes(&self) -> Option<usize> {
        self.lee.classes()
    }

    /// How many images it classifies rightly, of those for which `classes` has one.
    pub fn accuracy(&self, classes: &[Option<usize>]) -> Result<Option<Accuracy>, RepairError> {
        if self.classes().is_none() {
            return Ok(None);
        }
        let (mut images, mut right) = (0, 0);
        for (output, class) in self.outputs.iter().zip(classes) {
            if let Some(class) = class {
                let own = output.f_reshape([-1])?.f_argmax(-1, false)?.f_int64_value(&[])?;
                images += 1;
                right += usize::from(own == *class as i64);
            }
        }
        Ok((images > 0).then(|| Accuracy { images, right, top1: right as f64 / images as f64 }))
    }

    /// This network against the one before, on the same images.
    pub fn against(
        &self,
        before: &StageMeter<'_>,
        stage: StageKind,
        classes: &[Option<usize>],
    ) -> Result<Stage, RepairError> {
        let [old, new] = [&before.lee, &self.lee].map(LeeMeter::per_image);
        let generators: IndexMap<String, Paired> =
            old.iter().filter_map(|(name, values)| Some((name.clone(), Paired::of(values, new.get(name)?)))).collect();
        let mut changes = Changes::new(before.network);
        for ((old, new), name) in before.outputs.iter().zip(&self.outputs).zip(&self.names) {
            changes.add(old, new, name)?;
        }
        Ok(Stage {
            stage,
            lee_ratios: lee_ratios(&generators),
            generators,
            shifts: shifts_paired(&before.shifts, &self.shifts),
            change: changes.results(),
            accuracy: self.accuracy(classes)?,
        })
    }
}
