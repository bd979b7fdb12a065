//! `aliascope metrics`: discrete equivariance, consistency and invariance under shifts and rotations.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use tch::{Device, Tensor};

use crate::graph::Network;
use crate::input::Frame;
use crate::measure::layers::per_layer::{AT_ONCE, LayerShifts};
use crate::measure::metrics::{MARGIN, MetricsMeter, MetricsOptions, Protocol};
use crate::measure::output::Output;
use crate::memory::{self, Allowance};

use super::batch::not_finite;
use super::memory::images_at_once;
use super::network::{Console, NetworkArgs};
use super::resume::{Options, Progress, ResumeArgs};
use super::{Failure, Status};
use aliascope_core::cli::outputs::{ONE_FIGURE, OutputArgs, Outputs, PageArgs};

/// Measure EQ-T, EQ-T_frac, EQ-R, consistency and sample invariance, each with its shift protocol; of each layer, too.
#[derive(Debug, Args)]
pub struct MetricsArgs {
    /// The network: an ONNX file with one image input.
    #[arg(value_hint = ValueHint::FilePath)]
    model: PathBuf,
    /// Photos (png, jpg), folders of them, or a .safetensors with key `x` [N, C, H, W], taken as it is.
    #[arg(short, long, required = true, num_args = 1.., value_name = "PATH")]
    images: Vec<PathBuf>,
    /// Random transforms per image and metric.
    #[arg(long, default_value_t = 10, value_name = "D", value_parser = clap::value_parser!(u16).range(1..=1000))]
    draws: u16,
    /// The width of the output's range, for PSNRs: 2 for outputs from −1 to 1.
    #[arg(long, default_value_t = 2.0, value_name = "R")]
    range: f64,
    /// Whose consistency and sample invariance.
    #[arg(long, value_enum, default_value_t = Protocol::Aliascope)]
    protocol: Protocol,
    /// The function of the network's output that is measured [default: softmax for class scores, else identity].
    #[arg(long, value_enum)]
    output: Option<Output>,
    /// Moved images per forward pass; fewer where memory does not allow as many.
    #[arg(long, default_value = "8")]
    batch: std::num::NonZeroU16,
    /// Memory for a run, in MiB [default: what the system says is free].
    #[arg(long, value_name = "MIB")]
    memory: Option<u64>,
    /// Each layer alone, too: LEE beside EQ-T and EQ-T_frac of its own input and output, over N and over √N entries.
    #[arg(long)]
    layers: bool,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    resume: ResumeArgs,
    #[command(flatten)]
    page: PageArgs,
    #[command(flatten)]
    output_files: OutputArgs,
}

pub(super) fn run(args: &MetricsArgs) -> Result<(), Failure> {
    if !(args.range > 0.0 && args.range.is_finite()) {
        return Err(Failure::new(Status::Usage, format!("--range must be above 0, not {}", args.range)));
    }
    let mut outputs = Outputs::claim(&args.output_files, &ONE_FIGURE)?;
    let page = outputs.page(&args.page)?;
    let allowed = args.memory.map(|mib| mib.saturating_mul(1 << 20));
    let _allowance = Allowance::of(allowed);
    let opened = args.network.open(&args.model, &args.images)?;
    let seed = args.network.seed().unwrap_or(0);
    let network = &opened.network;
    let free = match allowed {
        Some(bytes) => Some(bytes),
        None if network.device() == Device::Cpu => memory::available(),
        None => None,
    };
    let model = args.model.display().to_string();
    let kept = if args.layers { shifts_bytes(network) } else { 0 };
    let needed = |images| network.moving_bytes(images).saturating_add(kept);
    let (batch, lowered) = images_at_once(&model, args.batch.get(), free, needed)?;
    let options = MetricsOptions {
        draws: usize::from(args.draws),
        seed,
        range: args.range,
        protocol: args.protocol,
        batch: usize::from(batch),
        output: args.output,
    };
    let mut meter = MetricsMeter::new(network, options)?;
    let mut layers = match args.layers {
        true => Some(LayerShifts::within(
            network,
            options.draws,
            seed,
            free.map_or(u64::MAX, |free| free.saturating_sub(kept)),
        )?),
        false => None,
    };
    let console = Console::new(args.output_files.quiet, opened.source.frames().len(), "images");
    opened.note_outputs(&console);
    lowered.iter().for_each(|note| console.note(note));
    let mut names = Vec::new();
    let kept = Options::of(&opened, usize::from(batch))
        .with("draws", args.draws)
        .with("range", args.range)
        .with("protocol", options.protocol.name())
        .with("output", meter.output().name())
        .with("seed", seed);
    let mut progress = Progress::open(&args.resume, "metrics", &opened, kept, &console)?;
    opened.for_batches(1, &console, &progress.known(), |batch| {
        // An image's transforms depend on how many random numbers those before it used.
        let mut measured = false;
        let found = progress.recall(&format!("from {}", meter.drawn()), batch, || {
            measured = true;
            for frame in batch.frames() {
                let x = finite(&batch.tensor()?.f_squeeze_dim(0)?, frame)?;
                meter.measure(&x, opened.read_larger(frame, MARGIN)?.as_ref())?;
            }
            Ok(meter.last())
        })?;
        if !measured {
            meter.take(found);
        }
        if let Some(layers) = &mut layers {
            let found = progress.recall(&format!("layers from {}", layers.drawn()), batch, || {
                Ok(layers.find(&batch.tensor()?, &batch.names().concat())?)
            })?;
            layers.take(found);
        }
        names.extend(batch.names());
        console.advance(1);
        Ok(())
    })?;
    console.finish();
    let report = meter.report(opened.run(names), layers.map(|layers| layers.results()));
    let caption = "Every measure: the mean over all draws of all images with its interval of 95 %, and each image.";
    outputs.fill_page(page, &report, &(), &[("", caption)])?;
    outputs.write(&report, &(), args.network.per_image)?;
    progress.finish();
    opened.finish()
}

/// An image whose entries are all finite.
fn finite(x: &Tensor, frame: &Frame) -> Result<Tensor, Failure> {
    match crate::graph::is_finite(x)? {
        true => Ok(x.shallow_clone()),
        false => Err(not_finite(frame)),
    }
}

/// Bytes that the layers' own shifts hold: copies of all values of an image, and a layer's maps under all shifts at
/// once.
fn shifts_bytes(network: &Network) -> u64 {
    network.all_values_bytes().saturating_add(network.live_bytes(AT_ONCE as u64, 0).saturating_mul(2))
}
