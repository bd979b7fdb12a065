//! `aliascope representation`: whether channels carry a representation of the group.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::measure::output::ActionChoice;
use crate::measure::representation::{RepresentationMeter, RepresentationOptions};
use crate::memory::Allowance;
use crate::spectrum::differentiation::{Boundary, Scheme};
use crate::symmetry::{GridKind, Units};

use super::generators::GeneratorArgs;
use super::network::{Console, NetworkArgs};
use super::{Failure, Status};
use aliascope_core::cli::outputs::{ONE_FIGURE, OutputArgs, Outputs};

/// Fit a linear action on the channels of an image-like or token output, and measure what it explains on held-out data.
#[derive(Debug, Args)]
pub struct RepresentationArgs {
    /// The network: an ONNX file with one image input.
    #[arg(value_hint = ValueHint::FilePath)]
    model: PathBuf,
    /// Photos (png, jpg), folders of them, or a .safetensors with key `x` [N, C, H, W], taken as it is.
    #[arg(short, long, required = true, num_args = 1.., value_name = "PATH")]
    images: Vec<PathBuf>,
    #[command(flatten)]
    generators: GeneratorArgs,
    /// How ∇ is taken.
    #[arg(long, default_value_t = Scheme::Spectral, value_name = "spectral|forward|central|authors")]
    derivative: Scheme,
    /// What lies beyond the edge of an image or inner value.
    #[arg(long, default_value_t = Boundary::Reflect, value_name = "reflect|periodic")]
    boundary: Boundary,
    /// Where samples lie.
    #[arg(long, default_value_t = GridKind::Tracked, value_name = "tracked|align-corners")]
    grid: GridKind,
    /// The unit of t.
    #[arg(long, default_value_t = Units::HalfWidth, value_name = "half-width|pixel")]
    units: Units,
    /// How the places of the output move [default: by its shape].
    #[arg(long, value_name = "image|tokens")]
    action: Option<ActionChoice>,
    /// Memory for a run, in MiB [default: what the system says is free].
    #[arg(long, value_name = "MIB")]
    memory: Option<u64>,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the subcommand.
pub fn run(args: &RepresentationArgs) -> Result<(), Failure> {
    let outputs = Outputs::claim(&args.output, &ONE_FIGURE)?;
    let _allowance = Allowance::of(args.memory.map(|mib| mib.saturating_mul(1 << 20)));
    let opened = args.network.open(&args.model, &args.images)?;
    let options = RepresentationOptions {
        scheme: args.derivative,
        boundary: args.boundary,
        grid: args.grid,
        units: args.units,
        action: args.action,
        generators: args.generators.named(),
        single: opened.source.frames().len() == 1,
    };
    let mut meter = RepresentationMeter::new(&opened.network, options)?;
    let console = Console::new(args.output.quiet, opened.source.frames().len(), "images");
    opened.note_outputs(&console);
    let (mut names, mut sample) = (Vec::new(), None);
    opened.for_images(&console, |frame, x| {
        meter.measure(&x, &frame.name())?;
        names.push(frame.name());
        sample.get_or_insert(x);
        console.advance(1);
        Ok(())
    })?;
    console.finish();
    let forward = sample.map_or(Ok(0.0), |x| opened.network.typical_forward_ms(&x))?;
    let report = meter.report(opened.run(names), forward)?;
    let Some(report) = report else {
        return Err(Failure::new(Status::Input, "there is no image to measure; give --images files or folders"));
    };
    outputs.write(&report, &(), args.network.per_image)?;
    opened.finish()
}
