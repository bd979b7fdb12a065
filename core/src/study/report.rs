//! What a study comes to: what `aliascope survey report` returns.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::associations::{
    Agreement, Association, FamilyModel, SetRatio, agreements, associations, family_models, set_ratios,
};
use super::claim::Claim;
use super::data::{AboutNetwork, Key, StudyData};
use super::layers::StudyLayers;
use crate::measure::layers_report::LayerClass;
use crate::measure::run::Origin;
use crate::statistics::{
    Estimate, LEVEL, effective_count, geometric_mean, mean, mean_with_interval, median, proportion,
};

/// The version of [`StudyReport`]'s JSON; it grows when a field changes its meaning or goes away.
pub const STUDY_SCHEMA_VERSION: u32 = 1;

/// A study's results, and what can be said of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StudyReport {
    /// [`STUDY_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Who made the report, and when.
    #[serde(flatten)]
    pub origin: Origin,
    /// The level of all intervals.
    pub level: f64,
    /// What the data say of the paper's claims.
    pub claims: Vec<Claim>,
    /// What was measured, by name.
    pub settings: BTreeMap<String, String>,
    /// The runs that measured it.
    pub runs: Vec<StudyRun>,
    /// The sets of images.
    pub sets: Vec<StudySet>,
    /// The networks.
    pub networks: Vec<StudyNetwork>,
    /// LEE with accuracy, size and columns.
    pub associations: Vec<Association>,
    /// LEE by family, accuracy and size.
    pub models: Vec<FamilyModel>,
    /// LEE on other images.
    pub set_ratios: Vec<SetRatio>,
    /// How metrics agree.
    pub agreements: Vec<Agreement>,
    /// Why some of the numbers are not to be trusted, in sentences.
    #[serde(default)]
    pub doubts: Vec<String>,
    /// What could not be measured, in sentences.
    pub failures: Vec<String>,
}

/// A run of the study.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StudyRun {
    /// When it began.
    pub began: String,
    /// The version of aliascope.
    pub aliascope: String,
    /// The command line.
    pub command: String,
    /// What computed.
    pub device: String,
    /// With how many threads.
    pub threads: i64,
    /// Which share of the work; null for all of it.
    pub shard: Option<String>,
}

/// A set of images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StudySet {
    /// Its name.
    pub name: String,
    /// What it is to the networks.
    pub role: String,
    /// How many images.
    pub images: usize,
    /// How many have a class.
    pub labelled: usize,
}

/// A network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudyNetwork {
    /// What is known of it.
    #[serde(flatten)]
    pub about: AboutNetwork,
    /// What was measured, set by set; sets without any measurement are left out.
    pub sets: IndexMap<String, OnSet>,
}

/// A network on a set of images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OnSet {
    /// How many of its images.
    pub images: usize,
    /// The share of the images with a class that it classifies rightly, with Wilson's interval; null where none has a class.
    pub accuracy: Option<Estimate>,
    /// How many images that is of.
    pub labelled: usize,
    /// Median milliseconds of an image.
    pub milliseconds: f64,
    /// Its errors.
    pub errors: Vec<StudyLee>,
    /// Means of other metrics, by name, with BCa intervals.
    pub metrics: BTreeMap<String, Estimate>,
    /// Its errors attributed to layers, where that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub layers: Vec<StudyLayers>,
}

/// An error of a network on a set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudyLee {
    /// What comes behind the network's output.
    pub output: String,
    /// How ∇ was taken.
    pub derivative: String,
    /// The generator.
    pub generator: String,
    /// The mean over images, with its BCa interval.
    pub lee: Estimate,
    /// The median over images.
    pub median: f64,
    /// The geometric mean, with Student's interval on the logarithms; null where an image has no error.
    pub geometric_mean: Option<Estimate>,
    /// LEE over E‖A x‖²/dim; null where A x is rounding.
    pub relative: Option<f64>,
    /// The standard error of the mean, as the paper's bars show it; null for a single image.
    pub sem: Option<f64>,
    /// How many images of equal weight the mean is worth; null without any error.
    pub images_effective: Option<f64>,
}

impl StudyReport {
    /// All that follows from the measurements alone.
    pub fn summed_up(data: &StudyData) -> Self {
        Self {
            schema_version: STUDY_SCHEMA_VERSION,
            level: LEVEL,
            sets: data
                .sets
                .iter()
                .map(|set| StudySet {
                    name: set.name.clone(),
                    role: set.role.clone(),
                    images: set.images.len(),
                    labelled: set.labelled,
                })
                .collect(),
            networks: (0..data.networks.len()).into_par_iter().map(|at| network(data, at)).collect(),
            associations: associations(data),
            models: family_models(data),
            set_ratios: set_ratios(data),
            agreements: agreements(data),
            ..Self::default()
        }
    }

    /// The set, output and derivative that counts where one must: the first set of images like those of training that has
    /// classes, or the first of all, and what STUDY.toml names first.
    pub fn primary(&self) -> Option<(&str, &str, &str)> {
        let labelled = self.sets.iter().find(|set| set.role == "test" && set.labelled > 0);
        let set = labelled.or_else(|| self.sets.iter().find(|set| set.role == "test")).or(self.sets.first())?;
        let on = self.networks.iter().find_map(|network| network.sets.get(&set.name))?;
        let first = on.errors.first()?;
        Some((&set.name, &first.output, &first.derivative))
    }

    /// The generators of the primary output and derivative, in order.
    pub fn generators(&self) -> Vec<&str> {
        let Some((set, output, derivative)) = self.primary() else { return Vec::new() };
        let on = self.networks.iter().find_map(|network| network.sets.get(set));
        let errors = on.into_iter().flat_map(|on| &on.errors);
        errors.filter(|e| e.output == output && e.derivative == derivative).map(|e| e.generator.as_str()).collect()
    }

    /// The generators whose error is attributed to layers, as they come, and the classes of these layers.
    pub fn attributed(&self) -> (Vec<&str>, Vec<LayerClass>) {
        let layers = || self.networks.iter().flat_map(|network| network.sets.values()).flat_map(|on| &on.layers);
        let mut generators: Vec<&str> = Vec::new();
        for of in layers() {
            if !generators.contains(&of.generator.as_str()) {
                generators.push(&of.generator);
            }
        }
        let has = |class: &LayerClass| layers().any(|of| of.by_type.contains_key(class.name()));
        (generators, LayerClass::ALL.into_iter().filter(has).collect())
    }

    /// The families, in the order of their first networks.
    pub fn families(&self) -> Vec<&str> {
        let mut families: Vec<&str> = Vec::new();
        for network in &self.networks {
            if !families.contains(&network.about.family.as_str()) {
                families.push(&network.about.family);
            }
        }
        families
    }
}

impl OnSet {
    /// The error of an output, derivative and generator by layers.
    pub fn by_layers(&self, output: &str, derivative: &str, generator: &str) -> Option<&StudyLayers> {
        self.layers.iter().find(|l| l.output == output && l.derivative == derivative && l.generator == generator)
    }

    /// The error of an output, derivative and generator.
    pub fn error(&self, output: &str, derivative: &str, generator: &str) -> Option<&StudyLee> {
        self.errors.iter().find(|e| e.output == output && e.derivative == derivative && e.generator == generator)
    }
}

fn there(values: &[f64]) -> Vec<f64> {
    values.iter().copied().filter(|value| value.is_finite()).collect()
}

fn network(data: &StudyData, at: usize) -> StudyNetwork {
    let mut sets = IndexMap::new();
    for (set, of) in data.sets.iter().enumerate() {
        let milliseconds = there(&data.milliseconds[set][at]);
        if milliseconds.is_empty() {
            continue;
        }
        let right = there(&data.right[set][at]);
        let errors = data.keys.iter().enumerate().filter_map(|(key, named)| {
            error(named, &there(&data.lee[set][key][at]), &there(&data.energy[set][key][at]))
        });
        let metric = |(name, values): (&String, &Vec<Vec<Vec<f64>>>)| {
            Some((name.clone(), mean_with_interval(&there(&values[set][at]))?))
        };
        let on = OnSet {
            images: milliseconds.len(),
            accuracy: proportion(right.iter().filter(|right| **right > 0.5).count(), right.len()),
            labelled: right.len(),
            milliseconds: median(milliseconds),
            errors: errors.collect(),
            metrics: data.metrics.iter().filter_map(metric).collect(),
            layers: data
                .attributions
                .iter()
                .filter(|attribution| (attribution.network, attribution.set) == (at, set))
                .filter_map(StudyLayers::of)
                .collect(),
        };
        sets.insert(of.name.clone(), on);
    }
    StudyNetwork { about: data.networks[at].about.clone(), sets }
}

fn error(key: &Key, lee: &[f64], energy: &[f64]) -> Option<StudyLee> {
    let of_energy = mean(energy);
    Some(StudyLee {
        output: key.output.clone(),
        derivative: key.derivative.clone(),
        generator: key.generator.clone(),
        lee: mean_with_interval(lee)?,
        median: median(lee.to_vec()),
        geometric_mean: geometric_mean(lee).ok(),
        relative: (of_energy > 0.0).then(|| mean(lee) / of_energy),
        sem: crate::statistics::standard_error(lee, mean(lee)),
        images_effective: effective_count(lee),
    })
}
