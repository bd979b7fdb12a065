//! `aliascope theorem MODEL`: the theorem on the nodes of a network.

use std::path::{Path, PathBuf};

use clap::Args;

use super::batch::not_finite;
use super::network::{Console, NetworkArgs};
use super::{Failure, Status};
use crate::measure::node_theorem::{NodeTheoremError, NodeTheoremMeter, NodeTheoremOptions};
use crate::spectrum::Velocity;
use aliascope_core::cli::outputs::{ONE_FIGURE, OutputArgs, Outputs};

/// Options that go with MODEL.
#[derive(Debug, Args)]
pub(super) struct NodeArgs {
    /// Photos (png, jpg), folders of them, or a .safetensors with key `x` [N, C, H, W].
    #[arg(short, long, num_args = 1.., value_name = "PATH", requires = "model", help_heading = "Networks")]
    images: Vec<PathBuf>,
    /// Only nodes with this in their name; of a single node the map of its harmonics is given and drawn.
    #[arg(long, value_name = "PATTERN", requires = "model", help_heading = "Networks")]
    node: Option<String>,
    /// For activations and max-pooling: the finest grid over the node's own; 2 to 16.
    #[arg(long, value_name = "F", default_value = "4", requires = "model", help_heading = "Networks",
        value_parser = clap::value_parser!(u8).range(2..=16))]
    oversample: u8,
    #[command(flatten, next_help_heading = "Networks")]
    network: NetworkArgs,
}

pub(super) fn run(model: &Path, velocity: Velocity, args: &NodeArgs, output: &OutputArgs) -> Result<(), Failure> {
    let outputs = Outputs::claim(output, &ONE_FIGURE)?;
    let opened = args.network.open(model, &args.images)?;
    let options = NodeTheoremOptions { velocity, oversample: usize::from(args.oversample), pattern: args.node.clone() };
    let frames = opened.source.frames();
    let console = Console::new(output.quiet, frames.len(), "images");
    opened.note_outputs(&console);
    let mut meter = NodeTheoremMeter::new(&opened.network, options);
    let mut names = Vec::new();
    opened.for_images(&console, |frame, x| {
        let progress = &mut |done, of| console.part(done, of);
        meter.measure(&x, progress).map_err(|error| match error {
            NodeTheoremError::NotFinite => not_finite(frame),
            error => error.into(),
        })?;
        names.push(frame.name());
        console.advance(1);
        Ok(())
    })?;
    console.finish();
    let report = meter.report(opened.run(names));
    outputs.write(&report, &(), args.network.per_image)?;
    opened.finish()
}

impl From<NodeTheoremError> for Failure {
    fn from(error: NodeTheoremError) -> Self {
        let message = error.to_string();
        match error {
            NodeTheoremError::Graph(error) => error.into(),
            NodeTheoremError::Torch(error) => error.into(),
            NodeTheoremError::NotFinite => Self::new(Status::NotFinite, message),
            NodeTheoremError::NoNode { .. } => Self::new(Status::Usage, message),
            _ => Self::new(Status::Unsupported, message),
        }
    }
}
