//! A network before and after: LEE, layers, shifts, outputs.

use indexmap::IndexMap;
use tch::Tensor;

use super::insertion::Insertion;
use super::outputs::Changes;
use super::report::{Advice, Cost, LayerPair, Mean, OutputChange, Paired, SURGERY_SCHEMA_VERSION, SurgeryReport};
use super::rule::Replacement;
use super::{Place, SurgeryError};
use crate::antialias::Padding;
use crate::graph::Network;
use crate::measure::layers::{LayerMeter, LayersOptions};
use crate::measure::lee::{LeeError, LeeMeter, LeeOptions, Output, OutputAction};
use crate::measure::lee_report::Accuracy;
use crate::measure::metrics::{MetricsMeter, MetricsOptions};
use crate::measure::metrics_report::Metrics;
use crate::measure::run::{Lie, Measured, Run};

/// How to compare.
#[derive(Clone, Debug)]
pub struct CompareOptions {
    /// How Lie derivatives are taken.
    pub lee: LeeOptions,
    /// How they are attributed to layers; none to leave that out.
    pub layers: Option<LayersOptions>,
    /// Shifts per image; none to leave them out.
    pub draws: usize,
    /// The seed that shifts are drawn from, the same for both networks.
    pub seed: u64,
}

/// What was put into a network, and what is known of it beside the comparison.
#[derive(Debug)]
pub struct Operation<'o> {
    /// What goes where.
    pub rules: &'o [Replacement],
    /// What had to be in a node's name.
    pub pattern: Option<&'o str>,
    /// What lies beyond the edge of the maps that designs read.
    pub padding: Padding,
    /// Where downsamplings were put.
    pub place: Place,
    /// The generator of the layers' contributions.
    pub generator: &'o str,
    /// What was put in.
    pub chosen: &'o [&'o Insertion],
    /// The classes of the images where they are known, in the order of measurement.
    pub classes: &'o [Option<usize>],
    /// What it costs.
    pub cost: Cost,
    /// Where the new model is saved, and the [difference](super::SavedModel::difference) of its outputs.
    pub saved: Option<(String, f64)>,
    /// Where to begin, where that was asked for.
    pub advice: Option<Advice>,
}

/// The comparison of two networks, image by image. Of one and the same network, where nothing was replaced, it is
/// measured once, and stands on both sides.
pub struct Comparison<'a> {
    networks: [&'a Network; 2],
    options: CompareOptions,
    lee: [LeeMeter<'a>; 2],
    layers: Option<[LayerMeter<'a>; 2]>,
    shifts: [Vec<Metrics>; 2],
    changes: Changes,
}

impl<'a> Comparison<'a> {
    /// The sides that are measured.
    fn sides(&self) -> usize {
        if std::ptr::eq(self.networks[0], self.networks[1]) { 1 } else { 2 }
    }

    /// The measured sides in the places of before and after.
    fn both(&self) -> [usize; 2] {
        [0, self.sides() - 1]
    }

    /// Prepares the comparison.
    ///
    /// # Errors
    /// When input or output of a network do not allow it; so for the next.
    pub fn new(before: &'a Network, after: &'a Network, options: CompareOptions) -> Result<Self, SurgeryError> {
        let lee = |network| LeeMeter::new(network, options.lee.clone());
        let layers = match &options.layers {
            Some(options) => {
                Some([LayerMeter::new(before, options.clone())?, LayerMeter::new(after, options.clone())?])
            }
            None => None,
        };
        Ok(Self {
            networks: [before, after],
            lee: [lee(before)?, lee(after)?],
            layers,
            shifts: [Vec::new(), Vec::new()],
            changes: Changes::new(before),
            options,
        })
    }

    /// The function of the output that is measured, and what the group does to it.
    pub fn output(&self) -> (Output, &OutputAction) {
        (self.lee[0].output(), self.lee[0].output_action())
    }

    /// How Lie derivatives are taken.
    pub fn lie(&self) -> Lie {
        self.lee[0].lie()
    }

    /// What is measured of the network before, and how it moves.
    pub fn measured(&self) -> Measured {
        self.lee[0].measured()
    }

    /// Measures one image, `[1, input shape…]`; `larger` is the same photo with more around it, for shifts of a window.
    /// `progress` hears how much of it is done.
    ///
    /// # Errors
    /// When a network fails or gives NaN.
    pub fn measure(
        &mut self,
        x: &Tensor,
        larger: Option<&Tensor>,
        name: &str,
        progress: &mut dyn FnMut(),
    ) -> Result<(), SurgeryError> {
        let names = [name.to_owned()];
        for at in 0..self.sides() {
            self.lee[at].measure(x, &names)?;
            progress();
            if let Some(layers) = &mut self.layers {
                layers[at].measure(x, &names, &mut |_, _| {})?;
            }
            progress();
            if self.options.draws > 0 {
                let seed = self.options.seed.wrapping_add(self.shifts[at].len() as u64);
                self.shifts[at].push(shifts_of(self.networks[at], x, larger, self.options.draws, seed)?);
            }
            progress();
        }
        let output = |network: &Network| network.forward(&network.place(x)?);
        let old = output(self.networks[0])?;
        let new = if self.sides() == 1 { old.shallow_clone() } else { output(self.networks[1])? };
        self.changes.add(&old, &new, name)?;
        Ok(())
    }

    /// How often `progress` is called for an image.
    pub fn parts(&self) -> u64 {
        3 * self.sides() as u64
    }

    /// LEE of each generator.
    pub fn generators(&self) -> IndexMap<String, Paired> {
        let [before, after] = self.both().map(|at| self.lee[at].per_image());
        before.iter().filter_map(|(name, old)| Some((name.clone(), Paired::of(old, after.get(name)?)))).collect()
    }

    /// Every layer's contribution before and after, by its name: those of both networks in graph order, a layer that
    /// only the new one has after the one before it.
    pub fn layers(&self) -> Vec<LayerPair> {
        let Some(meters) = &self.layers else { return Vec::new() };
        let [before, after] = self.both().map(|at| by_name(&meters[at]));
        let mut names: Vec<&String> = before.keys().collect();
        let mut last = None;
        for name in after.keys() {
            match names.iter().position(|known| *known == name) {
                Some(at) => last = Some(at),
                None => {
                    let at = last.map_or(0, |at| at + 1);
                    names.insert(at, name);
                    last = Some(at);
                }
            }
        }
        let mean = |of: &IndexMap<String, Vec<f64>>, name: &String| of.get(name).map(|values| Mean::of(values));
        names
            .into_iter()
            .map(|name| LayerPair { name: name.clone(), before: mean(&before, name), after: mean(&after, name) })
            .collect()
    }

    /// ‖L‖²/dim under the layers' generator before and after, and the residuals of the conservation law.
    pub fn layers_lee(&self) -> (Paired, [f64; 2]) {
        let Some(meters) = &self.layers else { return (Paired::default(), [0.0; 2]) };
        let [before, after] = self.both();
        let residuals = [before, after].map(|at| meters[at].results().conservation_residual);
        (Paired::of(&meters[before].lee_by_image(), &meters[after].lee_by_image()), residuals)
    }

    /// Metrics under shifts that both networks have.
    pub fn shifts(&self) -> IndexMap<String, Paired> {
        let [before, after] = self.both();
        shifts_paired(&self.shifts[before], &self.shifts[after])
    }

    /// The classes that both networks have scores for; none where the output is no vector of classes.
    pub fn classes(&self) -> Option<usize> {
        self.lee[0].classes()
    }

    /// How many images each network classifies rightly, of those for which `classes` has one, in the order of
    /// measurement.
    pub fn accuracy(&self, classes: &[Option<usize>]) -> Option<[Accuracy; 2]> {
        let [before, after] = self.both();
        Some([self.lee[before].accuracy(classes)?, self.lee[after].accuracy(classes)?])
    }

    /// The result over the images so far: of the run that is described, and of what was put into the network.
    pub fn report(&self, run: Run, operation: Operation<'_>) -> SurgeryReport {
        let (layers_lee, conservation_residual) = self.layers_lee();
        let Operation { rules, pattern, padding, place, generator, chosen, classes, cost, saved, advice } = operation;
        let (saved, saved_difference) = saved.unzip();
        SurgeryReport {
            schema_version: SURGERY_SCHEMA_VERSION,
            run: Run { lie: Some(self.lie()), output: Some(self.measured()), ..run },
            saved,
            saved_difference,
            replace: rules.iter().map(ToString::to_string).collect(),
            pattern: pattern.map(str::to_owned),
            padding,
            place,
            insertions: chosen.iter().map(|insertion| insertion.among(chosen).report()).collect(),
            generators: self.generators(),
            layers_generator: generator.to_owned(),
            layers: self.layers(),
            layers_lee,
            conservation_residual,
            shifts: self.shifts(),
            draws: self.options.draws,
            seed: self.options.seed,
            change: self.change(),
            accuracy: self.accuracy(classes),
            cost,
            advice,
        }
    }

    /// What became of the outputs.
    pub fn change(&self) -> OutputChange {
        self.changes.results()
    }
}

/// Metrics under shifts of one image, `[1, input shape…]`. With a seed for each image, networks see the same shifts of it.
pub(crate) fn shifts_of(
    network: &Network,
    x: &Tensor,
    larger: Option<&Tensor>,
    draws: usize,
    seed: u64,
) -> Result<Metrics, LeeError> {
    let mut meter = MetricsMeter::new(network, MetricsOptions { draws, seed, ..MetricsOptions::default() })?;
    meter.measure_shifts(&x.f_squeeze_dim(0)?, larger)?;
    Ok(meter.results().0)
}

/// Metrics under shifts that two networks have on the same images.
pub(crate) fn shifts_paired(before: &[Metrics], after: &[Metrics]) -> IndexMap<String, Paired> {
    type Metric = fn(&Metrics) -> Option<f64>;
    let named: [(&str, Metric); 6] = [
        ("consistency_integer_circular", |m| Some(m.consistency_integer_circular.as_ref()?.value)),
        ("consistency_half_pixel_circular", |m| Some(m.consistency_half_pixel_circular.as_ref()?.value)),
        ("consistency_integer_cropped", |m| Some(m.consistency_integer_cropped.as_ref()?.value)),
        ("consistency_half_pixel_cropped", |m| Some(m.consistency_half_pixel_cropped.as_ref()?.value)),
        ("eq_t_mse", |m| Some(m.eq_t.as_ref()?.mse.value)),
        ("eq_t_frac_mse", |m| Some(m.eq_t_frac.as_ref()?.mse.value)),
    ];
    let mut found = IndexMap::new();
    for (name, value) in named {
        let of = |all: &[Metrics]| all.iter().map(value).collect::<Option<Vec<f64>>>();
        if let (Some(before), Some(after)) = (of(before), of(after))
            && !before.is_empty()
        {
            found.insert(name.to_owned(), Paired::of(&before, &after));
        }
    }
    found
}

/// Contributions by layer, those of one name added up.
fn by_name(meter: &LayerMeter<'_>) -> IndexMap<String, Vec<f64>> {
    let mut found: IndexMap<String, Vec<f64>> = IndexMap::new();
    for (name, values) in meter.per_image() {
        match found.get_mut(name) {
            Some(sum) => sum.iter_mut().zip(&values).for_each(|(sum, value)| *sum += value),
            None => {
                found.insert(name.to_owned(), values);
            }
        }
    }
    found
}
