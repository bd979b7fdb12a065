//! `aliascope repair`: designs in a pretrained network, and its weights adapted until it says what it said before.

mod images;
mod job;
mod judgement;
mod request;
mod steps;
mod training;

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::antialias::PaddingChoice;
use super::antialias_surgery::{PlaceChoice, read_replacement};
use super::network::{Console, NetworkArgs, Opened};
use super::{Failure, Status};
use crate::antialias::Padding;
use crate::antialias::surgery::{Form, Insertion, InsertionOptions, Ranges, Replacement, TargetModel};
use crate::graph::onnx::OnnxFile;
use crate::graph::{LoadOptions, Network, branches, inline};
use crate::repair::{RepairError, RepairReport};
use aliascope_core::cli::outputs::{ONE_FIGURE, OutputArgs, Outputs};

pub(super) use images::TrainingImages;
pub(super) use job::{Job, check_saved};
pub(super) use judgement::JudgementArgs;
pub(super) use request::Request;
pub(super) use training::TrainingArgs;

/// Put anti-aliasing designs into a pretrained network, and adapt its weights on unlabelled photos until it says again
/// what it said before.
///
/// The network before is the teacher. What is reported is measured on other photos than those that weights were adapted
/// on: with designs in place, after recalibration without a step, and after the steps, each against the network before.
#[derive(Debug, Args)]
pub struct RepairArgs {
    /// A pretrained network, an ONNX file with one image input.
    #[arg(value_hint = ValueHint::FilePath)]
    model: PathBuf,
    /// What is replaced by which design, as in `antialias`; may be repeated. Without it, weights alone are adapted.
    #[arg(long, value_name = "WHAT=DESIGN", value_parser = read_replacement)]
    replace: Vec<Replacement>,
    /// Photos that weights are adapted on (png, jpg), folders of them, or a .safetensors with key `x`; no labels are
    /// needed.
    #[arg(short, long, required = true, num_args = 1.., value_name = "PATH")]
    images: Vec<PathBuf>,
    /// Other photos, on which the result is judged.
    #[arg(long, required = true, num_args = 1.., value_name = "PATH")]
    validate: Vec<PathBuf>,
    #[command(flatten)]
    designs: DesignArgs,
    /// Save the repaired network as an ONNX file.
    #[arg(long, value_name = "NEW.onnx")]
    save: Option<PathBuf>,
    /// Steps; 0 for none.
    #[arg(long, value_name = "N", default_value = "200", help_heading = "How weights are adapted")]
    steps: usize,
    #[command(flatten, next_help_heading = "How weights are adapted")]
    training: TrainingArgs,
    #[command(flatten, next_help_heading = "How the network is judged")]
    judgement: JudgementArgs,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Where designs go, and what they find beyond the edge.
#[derive(Debug, Args)]
pub(super) struct DesignArgs {
    /// Only layers with this in their name, or of exactly this name; a list with commas for several.
    #[arg(long = "where", value_name = "PATTERN")]
    pub(super) pattern: Option<String>,
    /// What designs find beyond the edge of maps [default: reflect].
    #[arg(long, value_enum)]
    padding: Option<PaddingChoice>,
    /// Where a downsampling goes behind a strided convolution [default: as its paper has it].
    #[arg(long, value_enum, default_value_t = PlaceChoice::Paper)]
    pub(super) place: PlaceChoice,
}

impl DesignArgs {
    pub(super) fn padding(&self) -> Padding {
        self.padding.map_or(Padding::Reflect, PaddingChoice::padding)
    }

    /// The places of rules, with their designs; functions' ranges are taken from the opened images.
    pub(super) fn insertions(
        &self,
        rules: &[Replacement],
        target: &TargetModel<'_>,
        opened: &Opened,
        console: &Console,
    ) -> Result<Vec<Insertion>, Failure> {
        let pattern = self.pattern.as_deref();
        let mut ranges = Ranges::new(&opened.network, target.fitted_inputs(rules, pattern));
        if ranges.is_needed() {
            opened.for_images(console, |_, x| Ok(ranges.see(&x)?))?;
        }
        let (padding, place) = (self.padding(), self.place.place());
        let insertions =
            target.insertions(&InsertionOptions { rules, pattern, padding, place, ranges: ranges.found() })?;
        // What cannot be written is said before an hour's work.
        target.rewrite(&insertions.iter().collect::<Vec<_>>(), Form::Onnx)?;
        Ok(insertions)
    }
}

/// Runs the subcommand.
pub fn run(args: &RepairArgs) -> Result<(), Failure> {
    args.training.check()?;
    let mut outputs = Outputs::claim(&args.output, &ONE_FIGURE)?;
    let save_to = outputs.another(args.save.as_ref())?;
    let (opened, file) = opened_with_file(&args.network, &args.model, &args.validate)?;
    let (report, bytes) = repaired(args, &opened, &file)?;
    if let Some(file) = save_to {
        outputs.fill(file, bytes);
    }
    outputs.write(&report, &(), args.network.per_image)?;
    check_saved(&report)?;
    opened.finish()
}

/// The network, and its file with functions and branches written out, so that places in them are found.
pub(super) fn opened_with_file(
    network: &NetworkArgs,
    model: &std::path::Path,
    images: &[PathBuf],
) -> Result<(Opened, OnnxFile), Failure> {
    let file = Network::read(model)?;
    let file = inline::functions(&file).unwrap_or(file);
    let opened = network.open_as(|_, options: &LoadOptions| Network::from_file(&file, options), model, images)?;
    let (file, _) = branches::written_out(&file, &opened.network.file_shape());
    Ok((opened, file))
}

fn repaired(args: &RepairArgs, opened: &Opened, file: &OnnxFile) -> Result<(RepairReport, Vec<u8>), Failure> {
    let console = Console::new(args.output.quiet, 1, "steps");
    opened.note_outputs(&console);
    let target = TargetModel::new(file, &opened.network)?;
    let insertions = args.designs.insertions(&args.replace, &target, opened, &console)?;
    let job = Job {
        request: Request {
            replace: &args.replace,
            pattern: args.designs.pattern.as_deref(),
            padding: args.designs.padding(),
            place: args.designs.place.place(),
            steps: args.steps,
            training: &args.training,
            judgement: &args.judgement,
            seed: args.network.seed().unwrap_or(0),
            save: args.save.as_ref(),
            quiet: args.output.quiet,
        },
        opened,
        target: &target,
        before: file,
        insertions: insertions.iter().collect(),
        training: TrainingImages::open(&args.images, opened, &console)?,
        console: &console,
    };
    job.run()
}

impl From<RepairError> for Failure {
    fn from(error: RepairError) -> Self {
        let message = error.to_string();
        match error {
            RepairError::Graph(error) => error.into(),
            RepairError::Lee(error) => error.into(),
            RepairError::Surgery(error) => error.into(),
            RepairError::Onnx(error) => error.into(),
            RepairError::Torch(error) => error.into(),
            RepairError::Nothing => Self::new(Status::Unsupported, message),
            RepairError::NotFinite { .. } => Self::new(Status::NotFinite, message),
            RepairError::State(_) => Self::new(Status::Input, message),
        }
    }
}
