//! `aliascope metrics`: discrete equivariance, consistency and invariance under shifts and rotations.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::figure::{Format, LayerMetricsFigure, render};
use crate::measure::layers::alone::LayerShifts;
use crate::measure::metrics::{MARGIN, MetricsMeter, MetricsOptions};
use crate::measure::metrics_report::{METRICS_SCHEMA_VERSION, MetricsReport};
use crate::report::{OutputFile, Sink, json_bytes, layer_metrics_csv, metrics_table};

use super::failure::{Failure, Status};
use super::network::{Console, NetworkArgs};

/// Measure EQ-T, EQ-T_frac, EQ-R, consistency and sample invariance, each with its shift protocol; of each layer, too.
#[derive(Debug, Args)]
pub struct MetricsArgs {
    /// The network: an ONNX file with one image input.
    #[arg(value_hint = ValueHint::FilePath)]
    model: PathBuf,
    /// Photos (png, jpg), folders of them, or a .safetensors with key `x` [N, C, H, W], taken as it is.
    #[arg(long, required = true, num_args = 1.., value_name = "PATH")]
    images: Vec<PathBuf>,
    /// Random transforms per image and metric.
    #[arg(long, default_value_t = 10, value_name = "D", value_parser = clap::value_parser!(u16).range(1..=1000))]
    draws: u16,
    /// The width of the output's range, for PSNRs: 2 for outputs from −1 to 1.
    #[arg(long, default_value_t = 2.0, value_name = "R")]
    range: f64,
    /// Each layer alone, too: LEE beside EQ-T and EQ-T_frac of its own input and output, over N and over √N entries.
    #[arg(long)]
    layers: bool,
    #[command(flatten)]
    network: NetworkArgs,
    /// Write the result as JSON; - is standard output, which then carries nothing else.
    #[arg(long, value_name = "FILE|-")]
    json: Option<PathBuf>,
    /// Write one row per layer and measure.
    #[arg(long, value_name = "FILE", requires = "layers")]
    csv: Option<PathBuf>,
    /// Draw the layers' shares under each measure.
    #[arg(long, value_name = "FILE.svg|png", requires = "layers")]
    plot: Option<PathBuf>,
    /// Replace output files that exist.
    #[arg(long)]
    force: bool,
    /// No progress bar, no notes, no table.
    #[arg(long)]
    quiet: bool,
}

pub(super) fn run(args: &MetricsArgs) -> Result<(), Failure> {
    if !(args.range > 0.0 && args.range.is_finite()) {
        return Err(Failure::new(Status::Usage, format!("--range must be above 0, not {}", args.range)));
    }
    let json = args.json.as_ref().map(|path| Sink::claim(path, args.force)).transpose()?;
    let csv = args.csv.as_ref().map(|path| OutputFile::claim(path, args.force)).transpose()?;
    let plot = match &args.plot {
        Some(path) => {
            let format = Format::from_path(path)?;
            Some((OutputFile::claim(path, args.force)?, format))
        }
        None => None,
    };
    let opened = args.network.open(&args.model, &args.images)?;
    let seed = args.network.seed().unwrap_or(0);
    let options = MetricsOptions { draws: usize::from(args.draws), seed, range: args.range };
    let mut meter = MetricsMeter::new(&opened.network, options)?;
    let mut layers = if args.layers { Some(LayerShifts::new(&opened.network, options.draws, seed)?) } else { None };
    let console = Console::new(args.quiet, opened.source.frames().len(), "images");
    opened.note_outputs(&console);
    let mut names = Vec::new();
    for frame in opened.source.frames() {
        let x = opened.read(frame, &console)?;
        if !crate::graph::is_finite(&x)? {
            let message = format!("the input of '{}' holds NaN or infinity; check the image or tensor", frame.name());
            return Err(Failure::new(Status::NotFinite, message));
        }
        let larger = opened.read_larger(frame, MARGIN)?;
        meter.measure(&x, larger.as_ref())?;
        if let Some(layers) = &mut layers {
            layers.measure(&x.f_unsqueeze(0)?, &frame.name())?;
        }
        names.push(frame.name());
        console.advance(1);
    }
    console.finish();
    let (metrics, missing) = meter.results();
    let report = MetricsReport {
        schema_version: METRICS_SCHEMA_VERSION,
        model: args.model.display().to_string(),
        images: names.len(),
        image_names: names,
        preprocess: opened.preprocess.clone(),
        output: meter.output().name().to_owned(),
        output_shape: opened.network.output().shape.clone(),
        precision: args.network.precision().to_owned(),
        draws: options.draws,
        seed,
        range: args.range,
        metrics,
        protocols: Default::default(),
        missing,
        layers: layers.map(|layers| layers.results()),
    };
    let bytes = json_bytes(&report)?;
    // All bytes first: a figure that cannot be drawn leaves no JSON behind.
    let drawn = match (&plot, &report.layers) {
        (Some((_, format)), Some(layers)) => {
            let figure = LayerMetricsFigure { report: &report, layers };
            Some(render(&figure, *format).map_err(|error| Failure::new(Status::NotFinite, error.to_string()))?)
        }
        _ => None,
    };
    if !args.quiet && !matches!(json, Some(Sink::Standard)) {
        Sink::Standard.write_bytes(metrics_table(&report).as_bytes())?;
    }
    if let (Some(file), Some(layers)) = (csv, &report.layers) {
        file.write_bytes(layer_metrics_csv(layers).as_bytes())?;
    }
    if let (Some((file, _)), Some(bytes)) = (plot, drawn) {
        file.write_bytes(&bytes)?;
    }
    if let Some(sink) = json {
        sink.write_bytes(&bytes)?;
    }
    Ok(())
}
