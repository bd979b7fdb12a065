//! `aliascope layers`: which layer makes the error.

use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueEnum, ValueHint};
use tch::Tensor;

use crate::graph::Network;
use crate::measure::layers::{Grouping, LayerMeter, LayersOptions};
use crate::measure::layers_report::{Attributions, LAYERS_SCHEMA_VERSION, LayerResults, LayersReport};
use crate::measure::lee::Output;
use crate::report::{OutputFile, Sink, json_bytes, layers_csv, layers_table};
use crate::spectrum::differentiation::{Boundary, Scheme};
use crate::symmetry::{Combination, GridKind, MEASURED, Units};

use super::failure::{Failure, Status};
use super::network::{Console, NetworkArgs};

/// Attribute the equivariance error of a network to its layers, exactly.
#[derive(Debug, Args)]
pub struct LayersArgs {
    /// The network: an ONNX file with one image input.
    #[arg(value_hint = ValueHint::FilePath)]
    model: PathBuf,
    /// Photos (png, jpg), folders of them, or a .safetensors with key `x` [N, C, H, W], taken as it is.
    #[arg(long, required = true, num_args = 1.., value_name = "PATH")]
    images: Vec<PathBuf>,
    /// A generator or combination such as translate_x or 'rotate+0.5*scale', or all; may be repeated.
    #[arg(long = "generator", value_name = "NAME|all", default_value = "translate_x", allow_hyphen_values = true)]
    generators: Vec<String>,
    /// What a layer is.
    #[arg(long, default_value_t = Grouping::Module(None), value_name = "node|module[:DEPTH]|type")]
    group: Grouping,
    /// Under which derivatives to compare, as derivative=spectral,forward,authors.
    #[arg(long, value_name = "derivative=A,B,…", value_parser = read_comparison)]
    compare: Option<Comparison>,
    /// How ∇ is taken.
    #[arg(long, default_value_t = Scheme::Spectral, value_name = "spectral|forward|central|authors")]
    derivative: Scheme,
    /// What lies beyond a value's edge.
    #[arg(long, default_value_t = Boundary::Reflect, value_name = "reflect|periodic")]
    boundary: Boundary,
    /// Where samples lie.
    #[arg(long, default_value_t = GridKind::Tracked, value_name = "tracked|align-corners")]
    grid: GridKind,
    /// The unit of t.
    #[arg(long, default_value_t = Units::HalfWidth, value_name = "half-width|pixel")]
    units: Units,
    /// What is measured behind the network's output [default: softmax for class scores, else identity].
    #[arg(long, value_enum)]
    output: Option<OutputChoice>,
    /// Leave out the split into aliasing, boundary and discretisation: half the time.
    #[arg(long)]
    no_split: bool,
    /// Memory for the stacks of a run, in MiB.
    #[arg(long, default_value = "4096", value_name = "MIB")]
    memory: u64,
    #[command(flatten)]
    network: NetworkArgs,
    /// How many layers the table shows, worst first.
    #[arg(long, default_value = "10", value_name = "N")]
    top: usize,
    /// Write the result as JSON; - is standard output, which then carries nothing else.
    #[arg(long, value_name = "FILE|-")]
    json: Option<PathBuf>,
    /// Write one row per layer.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Replace output files that exist.
    #[arg(long)]
    force: bool,
    /// No progress bar, no notes, no table.
    #[arg(long)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OutputChoice {
    /// Class probabilities.
    Softmax,
    /// Class scores.
    Logits,
    /// The output as it is.
    Identity,
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

/// The largest residual of the conservation law that a run of this precision may leave.
const fn residual_limit(double: bool) -> f64 {
    if double { 1e-10 } else { 1e-4 }
}

/// Runs the subcommand.
pub fn run(args: &LayersArgs) -> Result<(), Failure> {
    let json = args.json.as_ref().map(|path| Sink::claim(path, args.force)).transpose()?;
    let csv = args.csv.as_ref().map(|path| OutputFile::claim(path, args.force)).transpose()?;
    let generators = combinations(&args.generators)?;
    let schemes = args.compare.as_ref().map_or_else(|| vec![args.derivative], |Comparison(schemes)| schemes.clone());
    let opened = args.network.open(&args.model, &args.images)?;
    let network = &opened.network;
    let mut meters = Vec::new();
    for scheme in schemes {
        for generator in &generators {
            meters.push(LayerMeter::new(network, options(args, generator.clone(), scheme))?);
        }
    }
    let frames = opened.source.frames();
    let console = Console::new(args.quiet, frames.len() * meters.len(), "attributions");
    opened.note_outputs(&console);
    let (mut names, mut forwards, mut attributions) = (Vec::new(), Vec::new(), Vec::new());
    for frame in frames {
        let x = opened.read(frame, &console)?.f_unsqueeze(0)?;
        names.push(frame.name());
        if forwards.len() < 3 {
            forwards.push(forward_ms(network, &x)?);
        }
        for meter in &mut meters {
            let start = Instant::now();
            meter.measure(&x, &names[names.len() - 1..], &mut |done, of| console.part(done, of))?;
            attributions.push(start.elapsed().as_secs_f64() * 1e3);
            console.advance(1);
        }
    }
    console.finish();
    let Some(first) = meters.first() else {
        return Err(Failure::new(Status::Usage, "there is no generator to attribute; give --generator"));
    };
    let report = LayersReport {
        schema_version: LAYERS_SCHEMA_VERSION,
        model: args.model.display().to_string(),
        images: names.len(),
        image_names: names,
        preprocess: opened.preprocess.clone(),
        output: first.output().name().to_owned(),
        output_action: first.output_action().name().to_owned(),
        boundary: args.boundary.to_string(),
        grid: args.grid.to_string(),
        units: args.units.to_string(),
        precision: args.network.precision().to_owned(),
        group: args.group.to_string(),
        estimator: "exact".to_owned(),
        forward_ms: median(forwards),
        attribution_ms: median(attributions),
        results: Attributions::new(meters.iter().map(LayerMeter::results).collect()),
    };
    if !args.quiet && !matches!(json, Some(Sink::Standard)) {
        let width = console::Term::stdout().size_checked().map_or(100, |(_, columns)| usize::from(columns));
        Sink::Standard.write_bytes(layers_table(&report, args.top, width.clamp(80, 140)).as_bytes())?;
    }
    if let Some(sink) = json {
        sink.write_bytes(&json_bytes(&report)?)?;
    }
    if let Some(file) = csv {
        file.write_bytes(layers_csv(&report).as_bytes())?;
    }
    check(report.results.all(), args.network.precision() == "f64")
}

fn options(args: &LayersArgs, generator: Combination, scheme: Scheme) -> LayersOptions {
    LayersOptions {
        scheme,
        boundary: args.boundary,
        grid: args.grid,
        units: args.units,
        output: args.output.map(|output| match output {
            OutputChoice::Softmax => Output::Softmax,
            OutputChoice::Logits => Output::Logits,
            OutputChoice::Identity => Output::Identity,
        }),
        grouping: args.group,
        split: !args.no_split,
        memory: args.memory << 20,
        ..LayersOptions::new(generator)
    }
}

fn combinations(names: &[String]) -> Result<Vec<Combination>, Failure> {
    let mut found = Vec::new();
    for name in names {
        if name == "all" {
            found.extend(MEASURED.iter().map(|g| Combination::single(*g)));
        } else {
            let usage = |error: crate::symmetry::CombinationError| Failure::new(Status::Usage, error.to_string());
            found.push(name.parse().map_err(usage)?);
        }
    }
    Ok(found)
}

/// The law that makes an attribution one: a run that breaks it says so and fails.
fn check(results: &[LayerResults], double: bool) -> Result<(), Failure> {
    let limit = residual_limit(double);
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

fn forward_ms(network: &Network, x: &Tensor) -> Result<f64, Failure> {
    let x = network.place(x)?;
    let start = Instant::now();
    let _ = network.forward(&x)?;
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
