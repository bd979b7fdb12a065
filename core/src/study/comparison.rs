//! Several networks on the same images, side by side: what `aliascope compare` returns.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::measure::lee_report::{Accuracy, InputUnits, LeeReport};
use crate::measure::run::{Origin, Run};
use crate::statistics::{Estimate, LEVEL, PairedRatio, geometric_mean, mean_with_interval, paired_ratio};

/// The version of [`Comparison`]'s JSON; it grows when a field changes its meaning or goes away.
pub const COMPARISON_SCHEMA_VERSION: u32 = 1;

/// Networks in the order in which they were given, and what differs from the first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// [`COMPARISON_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Who computed it, and when.
    #[serde(flatten)]
    pub origin: Origin,
    /// The level of all intervals.
    pub level: f64,
    /// What was measured of each network.
    pub networks: Vec<ComparedNetwork>,
    /// Every other network against the first, generator by generator.
    pub differences: Vec<Difference>,
    /// Networks that could not be measured.
    pub failures: Vec<Failed>,
}

/// One network of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparedNetwork {
    /// The file's name without `.onnx`, or its path where two files have the same name.
    pub name: String,
    /// What it is grouped under.
    pub family: String,
    /// How many numbers it has learned, as its file holds them.
    pub parameters: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// What it was measured on, and how.
    pub run: Run,
    /// How many images it classifies rightly; null where no classes are known.
    pub accuracy: Option<Accuracy>,
    /// The class with the largest score, image by image; null where the output is no vector of classes.
    pub predicted: Option<Vec<usize>>,
    /// What a size of the input is taken in.
    pub input_units: InputUnits,
    /// The equivariance error under each generator.
    pub generators: IndexMap<String, NetworkLee>,
    /// One sweep of one image, in milliseconds; the median.
    pub sweep_ms: f64,
}

/// The error of one network under one generator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkLee {
    /// E‖L‖²/dim(output), the mean over images, with its BCa interval.
    pub lee: Estimate,
    /// The geometric mean over images, with Student's interval on the logarithms; null where an image has no error at all.
    pub geometric_mean: Option<Estimate>,
    /// `lee` over E‖A x‖²/dim(x), in `input_units`; null where A x is no more than rounding.
    pub relative: Option<f64>,
    /// ‖L‖²/dim(output), in the order of `run.images.names`.
    pub by_image: Vec<f64>,
}

/// One network against the first, on the images that both were measured on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Which network.
    pub network: String,
    /// Which one it is held against.
    pub reference: String,
    /// Under which generator.
    pub generator: String,
    /// How many images both were measured on.
    pub images: usize,
    /// LEE(network)/LEE(reference), image by image; null where that is not defined.
    pub ratio: Option<PairedRatio>,
    /// Why it is not; null where it is.
    pub undefined: Option<String>,
    /// The mean of LEE(network) − LEE(reference) over images, with its BCa interval; null without images.
    pub difference: Option<Estimate>,
    /// On which side of 1 the interval of the geometric mean of the ratio lies.
    pub verdict: Verdict,
}

/// On which side of no difference an interval lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Above.
    Higher,
    /// Below.
    Lower,
    /// It holds the value, or there is no interval.
    #[default]
    Undecided,
}

impl Verdict {
    /// Of an estimate that is held against a value.
    pub fn of(estimate: &Estimate, value: f64) -> Self {
        match estimate.interval {
            Some(interval) if interval.low > value => Self::Higher,
            Some(interval) if interval.high < value => Self::Lower,
            _ => Self::Undecided,
        }
    }
}

/// A network that could not be measured, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// Its file.
    pub network: String,
    /// The sentence that says so.
    pub problem: String,
}

/// What a network is beside its measurement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// What it is grouped under.
    pub family: String,
    /// How many numbers it has learned.
    pub parameters: u64,
    /// Bytes of its files.
    pub bytes: u64,
}

impl Comparison {
    /// Compares measurements of several networks under the same generators.
    pub fn of(origin: Origin, measured: Vec<(About, LeeReport)>, failures: Vec<Failed>) -> Self {
        let stem = |name: &str| name.strip_suffix(".onnx").unwrap_or(name).to_owned();
        let files: Vec<String> = measured.iter().map(|(_, report)| stem(report.run.model.name())).collect();
        let networks: Vec<ComparedNetwork> = measured
            .into_iter()
            .enumerate()
            .map(|(at, (about, report))| {
                let is_alone = files.iter().filter(|file| **file == files[at]).count() == 1;
                let name = if is_alone { files[at].clone() } else { report.run.model.path.clone() };
                ComparedNetwork::new(name, about, report)
            })
            .collect();
        let differences = match networks.split_first() {
            Some((first, others)) => others.iter().flat_map(|other| differences(other, first)).collect(),
            None => Vec::new(),
        };
        Self { schema_version: COMPARISON_SCHEMA_VERSION, origin, level: LEVEL, networks, differences, failures }
    }

    /// The generators, in order.
    pub fn generators(&self) -> Vec<&str> {
        self.networks.first().map_or_else(Vec::new, |first| first.generators.keys().map(String::as_str).collect())
    }

    /// The networks by family: families in the order of their first networks.
    pub fn families(&self) -> IndexMap<&str, Vec<&ComparedNetwork>> {
        let mut families: IndexMap<&str, Vec<&ComparedNetwork>> = IndexMap::new();
        for network in &self.networks {
            families.entry(network.family.as_str()).or_default().push(network);
        }
        families
    }

    /// What makes errors of these networks no errors of one scale, in sentences in which a network is called as `name` has it.
    pub fn reservations(&self, name: impl Fn(&str) -> String) -> Vec<String> {
        let Some(first) = self.networks.first() else { return Vec::new() };
        let mut sentences = Vec::new();
        let what = |network: &ComparedNetwork| {
            let output = network.run.output.clone().unwrap_or_default();
            (output.function, output.action)
        };
        if let Some(other) = self.networks.iter().find(|network| what(network) != what(first)) {
            let said = |network: &ComparedNetwork| {
                let (function, action) = what(network);
                format!("{function} (moved: {action}) of {}", name(&network.name))
            };
            sentences.push(format!(
                "Not the same is measured of all: {}, but {}. Their LEE are not on one scale.",
                said(first),
                said(other)
            ));
        }
        let entries = |network: &ComparedNetwork| network.run.model.output_shape.iter().product::<i64>();
        if let Some(other) = self.networks.iter().find(|network| entries(network) != entries(first)) {
            sentences.push(format!(
                "The outputs differ in size ({} entries of {}, {} of {}), and LEE is a mean over entries.",
                entries(first),
                name(&first.name),
                entries(other),
                name(&other.name)
            ));
        }
        let classified = || self.networks.iter().filter(|network| network.accuracy.is_some());
        if let Some(first) = classified().next()
            && let Some(other) = classified().find(|network| entries(network) != entries(first))
        {
            sentences.push(format!(
                "{} has {} classes and {} {}: check that both count them from the same one (--class-offset says so).",
                name(&first.name),
                entries(first),
                name(&other.name),
                entries(other)
            ));
        }
        sentences
    }
}

impl ComparedNetwork {
    fn new(name: String, about: About, report: LeeReport) -> Self {
        let generators = report.generators.into_iter().map(|(generator, lee)| {
            let by_image = lee.by_image.lee;
            let lee = NetworkLee {
                lee: mean_with_interval(&by_image).unwrap_or(Estimate { value: lee.lee, interval: None }),
                geometric_mean: geometric_mean(&by_image).ok(),
                relative: lee.relative,
                by_image,
            };
            (generator, lee)
        });
        Self {
            name,
            family: about.family,
            parameters: about.parameters,
            bytes: about.bytes,
            accuracy: report.accuracy,
            predicted: report.predicted,
            input_units: report.input_units,
            generators: generators.collect(),
            sweep_ms: report.timing.sweep_ms,
            run: report.run,
        }
    }
}

/// `other` against `first`, under the generators of both.
fn differences(other: &ComparedNetwork, first: &ComparedNetwork) -> Vec<Difference> {
    let places: IndexMap<&str, usize> =
        first.run.images.names.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
    let pairs: Vec<(usize, usize)> = other
        .run
        .images
        .names
        .iter()
        .enumerate()
        .filter_map(|(at, name)| Some((at, *places.get(name.as_str())?)))
        .collect();
    let under = |generator: &String| {
        let (ours, theirs) = (&other.generators.get(generator)?.by_image, &first.generators[generator].by_image);
        let values = pairs.iter().filter_map(|&(a, b)| Some((*ours.get(a)?, *theirs.get(b)?)));
        let (ours, theirs): (Vec<f64>, Vec<f64>) = values.unzip();
        let ratio = paired_ratio(&ours, &theirs);
        let differences: Vec<f64> = ours.iter().zip(&theirs).map(|(a, b)| a - b).collect();
        Some(Difference {
            network: other.name.clone(),
            reference: first.name.clone(),
            generator: generator.clone(),
            images: ours.len(),
            verdict: ratio.as_ref().map_or(Verdict::Undecided, |ratio| Verdict::of(&ratio.geometric, 1.0)),
            undefined: ratio.as_ref().err().map(ToString::to_string),
            ratio: ratio.ok(),
            difference: mean_with_interval(&differences),
        })
    };
    first.generators.keys().filter_map(under).collect()
}

/// The family that a file's name tells: what stands before its first digit, without separators at the end.
pub fn family_of(name: &str) -> String {
    let stem = name.strip_suffix(".onnx").unwrap_or(name);
    let front = stem.split(|c: char| c.is_ascii_digit()).next().unwrap_or_default();
    // The v of a version is no part of a name: mobilenet_v1.
    let front = front.trim_end_matches(['-', '_', '.', ' ']);
    let front = front.strip_suffix('v').filter(|rest| rest.ends_with(['-', '_', '.'])).unwrap_or(front);
    let front = front.trim_end_matches(['-', '_', '.', ' ']);
    if front.is_empty() { stem.to_owned() } else { front.to_owned() }
}
