//! `aliascope layers`: which layer makes the error.

mod orbit;

use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueHint};
use tch::Tensor;

use crate::graph::Network;
use crate::measure::grouping::{Estimator, Grouping};
use crate::measure::layers::{self, LayerMeter, LayersOptions, SplitBy};
use crate::measure::layers_report::{LayerResults, NodeSpectrum};
use crate::measure::node_theorem::{NodeTheoremOptions, node_theorems};
use crate::report::LayersBeside;
use crate::spectrum::Velocity;
use crate::spectrum::differentiation::Scheme;
use crate::statistics::median;
use crate::symmetry::{Combination, Generator, GridKind, MEASURED, Orbit, Units};

use super::batch::Batch;
use super::generators::GeneratorArgs;
use super::layers_outputs::{LayersOutputArgs, LayersOutputs};
use super::lee::picture;
use super::measuring::MeasuringArgs;
use super::network::{Console, NetworkArgs};
use super::resume::{Options, Progress, ResumeArgs};
use super::{Failure, Status};

/// Attribute the equivariance error of a network to its layers, exactly.
#[derive(Debug, Args)]
pub struct LayersArgs {
    /// The network: an ONNX file with one image input.
    #[arg(value_hint = ValueHint::FilePath)]
    model: PathBuf,
    /// Photos (png, jpg), folders of them, or a .safetensors with key `x` [N, C, H, W], taken as it is.
    #[arg(short, long, required = true, num_args = 1.., value_name = "PATH")]
    images: Vec<PathBuf>,
    #[command(flatten)]
    generators: GeneratorArgs,
    /// What a layer is.
    #[arg(long, default_value_t = Grouping::Module(None), value_name = "node|module[:DEPTH]|type")]
    group: Grouping,
    /// Under which derivatives to compare, as derivative=spectral,forward,authors.
    #[arg(long, value_name = "derivative=A,B,…", value_parser = read_comparison)]
    compare: Option<Comparison>,
    #[command(flatten)]
    measuring: MeasuringArgs,
    /// How contributions are found: exact, probes=N in reverse mode, auto (whichever takes less), or authors (100
    /// probes with the derivative and grid of the code released with the paper).
    #[arg(long, default_value = "exact", value_name = "exact|probes=N|auto|authors", value_parser = read_estimator)]
    estimator: EstimatorChoice,
    /// Which harmonics of its input make this node's defect: adds the aliasing theorem at the node, for translations.
    #[arg(long, value_name = "NODE")]
    spectrum: Option<String>,
    /// Instead of the derivative at the image itself, the finite change of the output when the image moves so far, and each
    /// layer's share of it: GENERATOR=DISTANCE[px][:NODES], a translation such as translate_x=1px:16; t in --units without px.
    #[arg(
        long,
        value_name = "translate_x=1px:16",
        allow_hyphen_values = true,
        conflicts_with_all = ["generators", "compare", "estimator", "spectrum", "octaves", "html"]
    )]
    orbit: Option<Orbit>,
    /// Images per sweep; nodes, with --orbit.
    #[arg(long, default_value = "1")]
    batch: std::num::NonZeroU16,
    /// Leave out the split into aliasing, kernel, boundary and discretisation, which saves time.
    #[arg(long)]
    no_split: bool,
    /// Split by the octave of what each node reads, instead of into these parts: which frequencies make a layer's error, and
    /// what would be left of it if the layer's input ended at ½, ¼, 1/8 or 1/16 of its Nyquist frequency.
    #[arg(long, conflicts_with = "no_split")]
    octaves: bool,
    /// Memory for the stacks of a run, in MiB.
    #[arg(long, default_value = "4096", value_name = "MIB")]
    memory: u64,
    #[command(flatten)]
    network: NetworkArgs,
    /// How many layers the table shows, worst first.
    #[arg(long, default_value = "10", value_name = "N")]
    top: usize,
    #[command(flatten)]
    resume: ResumeArgs,
    #[command(flatten)]
    outputs: LayersOutputArgs,
}

impl LayersArgs {
    const fn split(&self) -> SplitBy {
        match (self.octaves, self.no_split) {
            (true, _) => SplitBy::Octave,
            (_, true) => SplitBy::Nothing,
            _ => SplitBy::Cause,
        }
    }
}

/// How contributions are found, as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum EstimatorChoice {
    This(Estimator),
    Auto,
    Authors,
}

/// The probes of the code released with the paper.
const PROBES: usize = 100;

fn read_estimator(text: &str) -> Result<EstimatorChoice, String> {
    match text {
        "auto" => Ok(EstimatorChoice::Auto),
        "authors" => Ok(EstimatorChoice::Authors),
        "probes" => Ok(EstimatorChoice::This(Estimator::Probes(PROBES))),
        _ => text.parse().map(EstimatorChoice::This),
    }
}

/// The derivatives to compare.
#[derive(Clone, Debug)]
struct Comparison(Vec<Scheme>);

fn read_comparison(text: &str) -> Result<Comparison, String> {
    let names = text.strip_prefix("derivative=").ok_or("what can be compared is derivative=spectral,forward,…")?;
    names
        .split(',')
        .map(|name| name.parse::<Scheme>().map_err(|error| error.to_string()))
        .collect::<Result<_, _>>()
        .map(Comparison)
}

/// Runs the subcommand.
pub fn run(args: &LayersArgs) -> Result<(), Failure> {
    if let Some(orbit) = &args.orbit {
        return orbit::run(args, orbit);
    }
    let generators = match args.generators.are_given() {
        true => args.generators.measured(),
        false => vec![Combination::single(Generator::TranslateX)],
    };
    if args.octaves && args.estimator != EstimatorChoice::This(Estimator::Exact) {
        let why =
            "--octaves needs the exact estimator, as probes see a layer's error as a whole; leave out --estimator";
        return Err(Failure::new(Status::Usage, why));
    }
    let authors = args.estimator == EstimatorChoice::Authors;
    let derivative = if authors { Scheme::Authors } else { args.measuring.derivative };
    let grid = if authors { GridKind::AlignCorners } else { args.measuring.grid };
    let schemes = args.compare.as_ref().map_or_else(|| vec![derivative], |Comparison(schemes)| schemes.clone());
    let outputs = LayersOutputs::claim(&args.outputs, [generators.len(), schemes.len()], args.octaves)?;
    let opened = args.network.open(&args.model, &args.images)?;
    let network = &opened.network;
    let spectrum = match &args.spectrum {
        Some(node) => {
            let [generator] = &generators[..] else {
                return Err(Failure::new(Status::Usage, "--spectrum takes one generator; give one --generator"));
            };
            Some((node, velocity(generator, args.measuring.units, network)?))
        }
        None => None,
    };
    let (mut meters, mut parts) = (Vec::new(), Vec::new());
    for scheme in schemes {
        for generator in &generators {
            parts.push(format!("{}, {scheme}", generator.name()));
            let maps = outputs.has_figures() && meters.is_empty();
            let pixel_scale = opened.pixel_scale();
            let options = LayersOptions { grid, maps, pixel_scale, ..options(args, generator.clone(), scheme) };
            meters.push(LayerMeter::new(network, options)?);
        }
    }
    let frames = opened.source.frames();
    let console = Console::new(args.outputs.output.quiet, frames.len() * meters.len(), "attributions");
    opened.note_outputs(&console);
    let probes = probes(args.estimator, &meters, &console);
    let kept = Options::of(&opened, usize::from(args.batch.get()))
        .measuring(&args.measuring)
        .with("grid", grid)
        .with("group", args.group)
        .with("split", args.split().name())
        .with("memory", args.memory)
        .with("figures", outputs.has_figures());
    let mut progress = Progress::open(&args.resume, "layers", &opened, kept, &console)?;
    let seed = args.network.seed().unwrap_or(0);
    let (mut names, mut attributions) = (Vec::new(), Vec::new());
    let (mut resolved, mut image, mut sample) = (None, None, None);
    // Probes take one image after the other.
    let at_once = if probes.is_some() { 1 } else { usize::from(args.batch.get()) };
    opened.for_batches(at_once, &console, &progress.known(), |batch| {
        let start = names.len();
        names.extend(batch.names());
        let first = |batch: &Batch<'_>| Ok::<_, Failure>(batch.tensor()?.f_narrow(0, 0, 1)?);
        if start == 0 {
            let x = first(batch)?;
            // Inputs of other channels are no pictures.
            if matches!(x.size()[2], 1 | 3) {
                image = Some(picture(&x)?);
            }
            if let Some((node, velocity)) = spectrum {
                resolved = Some(node_spectrum(network, &x, node, velocity)?);
            }
            sample = Some(x);
        }
        if let Some(probes) = probes {
            // Each image has random numbers of its own, so that it is the same whether those before it are measured or not.
            let seed = seed.wrapping_add(start as u64);
            let part = format!("{probes} probes of seed {seed} under {}", parts.join(", "));
            let (ms, found) = progress.recall(&part, batch, || {
                tch::manual_seed(seed as i64);
                let (begin, x) = (Instant::now(), batch.tensor()?);
                let progress = &mut |done, of| console.part(done, of);
                let found = layers::probes::find(&meters, &x, &names[start], probes, progress)?;
                Ok((milliseconds(begin) / meters.len().max(1) as f64, found))
            })?;
            attributions.push(ms);
            meters.iter_mut().zip(found).for_each(|(meter, found)| meter.take(found));
            console.advance(meters.len() as u64);
            return Ok(());
        }
        for (meter, part) in meters.iter_mut().zip(&parts) {
            // The first image alone has maps.
            let part = if start == 0 { format!("{part}, first") } else { part.clone() };
            let (ms, found) = progress.recall(&part, batch, || {
                let (begin, x) = (Instant::now(), batch.tensor()?);
                let found = meter.find(&x, &names[start..], &mut |done, of| console.part(done, of))?;
                Ok((milliseconds(begin) / batch.len() as f64, found))
            })?;
            attributions.push(ms);
            meter.take(found);
            console.advance(batch.len() as u64);
        }
        Ok(())
    })?;
    console.finish();
    let estimator = probes.map_or(Estimator::Exact, Estimator::Probes);
    let forward = sample.map_or(Ok(0.0), |x| network.typical_forward_ms(&x))?;
    let timings = [forward, median(attributions)];
    let report = layers::report(&meters, opened.run(names), estimator, timings, resolved);
    let (Some(report), Some(first)) = (report, meters.first()) else {
        return Err(Failure::new(Status::Usage, "there is no generator to attribute; give --generator"));
    };
    let beside = LayersBeside {
        top: args.top,
        graphs: meters.iter().map(LayerMeter::graph).collect(),
        maps: first.maps().to_vec(),
        image,
    };
    outputs.write(&report, beside, args.network.per_image)?;
    progress.finish();
    check(report.results.all(), first.residual_limit())?;
    opened.finish()
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// How many probes to take, if any; says why where the choice was left open.
fn probes(estimator: EstimatorChoice, meters: &[LayerMeter<'_>], console: &Console) -> Option<usize> {
    match estimator {
        EstimatorChoice::This(Estimator::Exact) => None,
        EstimatorChoice::This(Estimator::Probes(count)) => Some(count),
        EstimatorChoice::Authors => Some(PROBES),
        EstimatorChoice::Auto => {
            // A backward pass costs about two forward passes.
            let by_probes = 2.0 * PROBES as f64 + 2.0 * meters.len() as f64;
            let exact: f64 = meters.iter().map(LayerMeter::exact_cost).sum();
            let chosen = if exact <= by_probes { "exact" } else { "probes=100" };
            console.note(&format!(
                "estimator {chosen}: an image takes about {exact:.0} forward passes exactly, {by_probes:.0} by {PROBES} probes, \
                 which leave a relative standard error of 14 %"
            ));
            (exact > by_probes).then_some(PROBES)
        }
    }
}

/// A translation in lengths of the torus per unit of t.
fn velocity(generator: &Combination, units: Units, network: &Network) -> Result<Velocity, Failure> {
    let translations = [Generator::TranslateX, Generator::TranslateY];
    if MEASURED.iter().any(|g| !translations.contains(g) && generator.coefficient(*g) != 0.0) {
        return Err(Failure::new(
            Status::Usage,
            format!("--spectrum needs a translation, and {} is none; use translate_x or translate_y", generator.name()),
        ));
    }
    let pixels = |axis: usize| network.input().shape[axis].max(1) as f64;
    let length = |axis: usize| match units {
        // Half the width in pixels, whatever the axis.
        Units::HalfWidth => 0.5 * pixels(3) / pixels(axis),
        Units::Pixel => 1.0 / pixels(axis),
    };
    let [x, y] = translations.map(|g| generator.coefficient(g));
    Ok(Velocity { x: x * length(3), y: y * length(2) })
}

fn node_spectrum(network: &Network, x: &Tensor, node: &str, velocity: Velocity) -> Result<NodeSpectrum, Failure> {
    let options = NodeTheoremOptions { velocity, oversample: 4, pattern: Some(node.to_owned()) };
    let found = node_theorems(network, &network.place(x)?, &options, &mut |_, _| {})?;
    match (found.nodes.into_iter().next(), found.map, found.skipped.first()) {
        (Some(node), Some(map), _) => Ok(NodeSpectrum { node, map }),
        (_, _, Some(skipped)) => Err(Failure::new(
            Status::Unsupported,
            format!("--spectrum {}: the node cannot be resolved by frequency, as {}", skipped.name, skipped.reason),
        )),
        _ => Err(Failure::new(Status::Usage, format!("--spectrum {node} fits several nodes; give a whole name"))),
    }
}

fn options(args: &LayersArgs, generator: Combination, scheme: Scheme) -> LayersOptions {
    LayersOptions {
        scheme,
        boundary: args.measuring.boundary,
        grid: args.measuring.grid,
        units: args.measuring.units,
        output: args.measuring.output,
        action: args.measuring.action,
        grouping: args.group,
        split: args.split(),
        memory: args.memory.saturating_mul(1 << 20),
        ..LayersOptions::new(generator)
    }
}

/// The law that makes an attribution one: a run that breaks it says so and fails.
fn check(results: &[LayerResults], limit: f64) -> Result<(), Failure> {
    match results.iter().find(|r| r.conservation_residual > limit) {
        Some(broken) => Err(Failure::new(
            Status::Check,
            format!(
                "the layers' errors under {} do not add up to the whole: a residual of {:.1e}, above {limit:.0e}; use \
                 --precision f64, and report it if that does not help",
                broken.generator, broken.conservation_residual
            ),
        )),
        None => Ok(()),
    }
}
