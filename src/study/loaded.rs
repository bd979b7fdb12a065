//! One network of a study: loaded, and measured on one image after the other.

use std::path::Path;
use std::time::Instant;

use tch::{Device, Kind, Tensor};

use super::batch::{Found, LeeRow};
use super::layers_meter::LayersOfImages;
use super::measure::{Measure, StudyOutput};
use super::models::ListedModel;
use super::photos::{Decoded, Way};
use super::size::parameters;
use super::store::NetworkFacts;
use crate::graph::{LoadOptions, Network};
use crate::input::Preprocessing;
use crate::measure::lee::{LeeImage, LeeMeter, LeeOptions};
use crate::measure::metrics::{MARGIN, MetricsMeter, MetricsOptions};
use crate::measure::output::Output;
use crate::measure::run::{Model, Precision, Quantised};
use crate::measure::{Stated, larger_photo};
use crate::memory;
use crate::spectrum::differentiation::Scheme;
use crate::symmetry::Combination;

/// Why a network or an image of it was not measured, in a sentence.
pub(super) type Problem = String;

/// A network in memory, and how photos become its input.
pub(super) struct Loaded {
    network: Network,
    pub(super) way: Way,
    pub(super) facts: NetworkFacts,
}

fn said(error: impl std::fmt::Display) -> Problem {
    error.to_string()
}

impl Loaded {
    /// Loads a network from its file.
    pub(super) fn open(model: &ListedModel, path: &Path, measure: &Measure, device: Device) -> Result<Self, Problem> {
        let file = Network::read(path).map_err(said)?;
        let learned = parameters(&file);
        let options = LoadOptions {
            input_shape: model.input_shape.clone(),
            kind: if measure.precision == Precision::F64 { Kind::Double } else { Kind::Float },
            device,
            straight_through: measure.quantised == Quantised::StraightThrough,
            ..LoadOptions::default()
        };
        let network = Network::from_file(&file, &options).map_err(said)?;
        network.check_output().map_err(said)?;
        drop(file);
        let [1, channels, rows, columns] = network.input().shape[..] else {
            let shape = &network.input().shape;
            return Err(format!("the input has the shape {shape:?}; images are [1, channels, rows, columns]"));
        };
        let size = [channels, rows, columns].map(|n| n as usize);
        let preprocessing = match &model.preprocess {
            Some(how) => how.parse::<Preprocessing>().map_err(|problem| format!("preprocess = '{how}': {problem}"))?,
            None => Stated::by(&network, size).map_err(said)?.preprocessing,
        };
        preprocessing.fits(size).map_err(said)?;
        let needed = network.measuring_bytes(1);
        if let Some(free) = memory::available().filter(|free| device == Device::Cpu && needed > *free) {
            let (needed, free) = (memory::size(needed), memory::size(free));
            return Err(format!("one image takes about {needed} of memory, and {free} are free"));
        }
        let files = network.files();
        let model = Model::of_files(path, files.iter().map(std::path::PathBuf::as_path)).map_err(said)?;
        let shape = |shape: &[i64]| shape.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        let facts = NetworkFacts {
            sha256: std::iter::once(&model.sha256).chain(&model.weights_sha256).cloned().collect::<Vec<_>>().join(" "),
            parameters: learned,
            bytes: files.iter().map(|file| std::fs::metadata(file).map_or(0, |metadata| metadata.len())).sum(),
            input_shape: shape(&network.input().shape),
            output_shape: shape(&network.output().shape),
            preprocess: preprocessing.describe(),
            action: String::new(),
        };
        Ok(Self { way: Way::new(preprocessing, size), network, facts })
    }

    /// Prepares the measurement.
    pub(super) fn meter<'a>(&'a self, measure: &Measure) -> Result<Meter<'a>, Problem> {
        let outputs: Vec<Option<StudyOutput>> = match measure.outputs.is_empty() {
            true => vec![None],
            false => measure.outputs.iter().copied().map(Some).collect(),
        };
        let mut sweeps = Vec::new();
        for scheme in &measure.derivatives {
            let mut sweep = Sweep { scheme: *scheme, what: Vec::new(), meters: Vec::new() };
            for output in &outputs {
                let meter = LeeMeter::new(&self.network, self.options(*scheme, *output, measure)?).map_err(said)?;
                let is_fisher = *output == Some(StudyOutput::Fisher);
                if is_fisher && !meter.has_fisher() {
                    return Err("there is no Fisher LEE of an output that is no vector of class scores; leave \
                                \"fisher\" out of measure.outputs, or the network out of the study"
                        .to_owned());
                }
                sweep.what.push(if is_fisher { What::Fisher } else { What::Lee(meter.output()) });
                sweep.meters.push(meter);
            }
            sweeps.push(sweep);
        }
        let layers = LayersOfImages::new(&self.network, measure)?;
        Ok(Meter { loaded: self, sweeps, layers, measure: measure.clone() })
    }

    fn options(&self, scheme: Scheme, output: Option<StudyOutput>, measure: &Measure) -> Result<LeeOptions, Problem> {
        Ok(LeeOptions {
            scheme,
            boundary: measure.boundary,
            grid: measure.grid,
            units: measure.units,
            output: output.and_then(StudyOutput::behind),
            action: measure.action,
            generators: measure.combinations()?,
            keep_vectors: false,
            pixel_scale: Some(self.way.preprocessing.pixel_scale(self.way.size[0])),
        })
    }
}

/// What is written down of a meter.
#[derive(Clone, Copy)]
enum What {
    Lee(Output),
    Fisher,
}

/// What one sweep is for: meters that differ in what they measure behind the network's output.
struct Sweep<'a> {
    scheme: Scheme,
    what: Vec<What>,
    meters: Vec<LeeMeter<'a>>,
}

/// The measurement of one network.
pub(super) struct Meter<'a> {
    loaded: &'a Loaded,
    sweeps: Vec<Sweep<'a>>,
    layers: LayersOfImages<'a>,
    measure: Measure,
}

impl Meter<'_> {
    fn first(&self) -> Option<&LeeMeter<'_>> {
        self.sweeps.first().and_then(|sweep| sweep.meters.first())
    }

    /// The classes that the network has scores for.
    pub(super) fn classes(&self) -> Option<usize> {
        self.first().and_then(LeeMeter::classes)
    }

    /// How the output moves.
    pub(super) fn action(&self) -> String {
        self.first().map_or_else(String::new, |meter| meter.measured().action.to_string())
    }

    /// Measures one photo, by itself: what is found does not depend on what was measured before.
    pub(super) fn measure(&mut self, path: &Path, name: &str, photo: &Decoded) -> Result<Found, Problem> {
        let begun = Instant::now();
        let x = photo.tensor().map_err(said)?;
        let mut found = Found::default();
        for sweep in &mut self.sweeps {
            let images = LeeMeter::find_each(&mut sweep.meters, &x, &[name.to_owned()]).map_err(said)?;
            for ((meter, what), images) in sweep.meters.iter().zip(&sweep.what).zip(&images) {
                for image in images {
                    found.class = found.class.or(image.top());
                    found.lee.extend(rows(meter, *what, sweep.scheme, image));
                }
            }
        }
        found.attributions = self.layers.attribute(&x, name)?;
        if self.measure.metric_draws > 0 {
            found.metrics = self.metrics(path, &x, &photo.hash)?;
        }
        found.milliseconds = begun.elapsed().as_secs_f64() * 1e3;
        Ok(found)
    }

    /// Metrics under finite shifts and rotations, drawn by a seed of the photo's own, so that the order of photos does not
    /// matter and all networks see the same transforms.
    fn metrics(&self, path: &Path, x: &Tensor, hash: &str) -> Result<Vec<(String, f64)>, Problem> {
        let of_photo = u64::from_str_radix(hash.get(..16).unwrap_or("0"), 16).unwrap_or(0);
        let options = MetricsOptions {
            draws: self.measure.metric_draws,
            seed: self.measure.metric_seed ^ of_photo,
            output: self.measure.first_output(),
            ..MetricsOptions::default()
        };
        let network = &self.loaded.network;
        let mut meter = MetricsMeter::new(network, options).map_err(said)?;
        let larger = larger_photo(network, path, &self.loaded.way.preprocessing, MARGIN).map_err(said)?;
        meter
            .measure(&x.f_squeeze_dim(0).and_then(|x| x.f_to_kind(Kind::Double)).map_err(said)?, Some(&larger))
            .map_err(said)?;
        let report = meter.report(crate::measure::run::Run::default(), None);
        let metrics = serde_json::to_value(&report.metrics).map_err(said)?;
        let values = metrics.as_object().into_iter().flatten();
        Ok(values.filter_map(|(name, of)| Some((name.clone(), of.get("value")?.as_f64()?))).collect())
    }
}

fn rows(meter: &LeeMeter<'_>, what: What, scheme: Scheme, image: &LeeImage) -> Vec<LeeRow> {
    let row = |(combination, (generator, lee, mean_abs, input_energy)): (&Combination, (&str, f64, f64, f64))| {
        let (output, lee, mean_abs) = match what {
            What::Lee(output) => (output.to_string(), lee, Some(mean_abs)),
            What::Fisher => (StudyOutput::Fisher.to_string(), image.fisher(combination)?, None),
        };
        let (derivative, generator) = (scheme.to_string(), generator.to_owned());
        Some(LeeRow { output, derivative, generator, lee, mean_abs, input_energy })
    };
    meter.generators().iter().zip(image.by_generator(meter.generators())).filter_map(row).collect()
}
