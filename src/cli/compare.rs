//! `aliascope compare`: several networks on the same images.

use std::cell::Cell;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use super::generators::GeneratorArgs;
use super::labels::LabelArgs;
use super::measuring::MeasuringArgs;
use super::network::{Console, NetworkArgs};
use super::{Failure, Status};
use crate::graph::{LoadOptions, Network};
use crate::measure::lee::{LeeMeter, LeeOptions};
use crate::measure::lee_report::LeeReport;
use crate::measure::run::{Origin, file_name};
use crate::study::comparison::{About, Comparison, Failed, family_of};
use crate::study::size::parameters;
use crate::symmetry::{Combination, Generator, Named};
use aliascope_core::cli::outputs::{ONE_FIGURE, OutputArgs, Outputs};

/// Compare networks on the same images: LEE, accuracy, size and time, and paired differences to the first.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The networks: ONNX files with one image input each; the others are held against the first.
    #[arg(required = true, num_args = 1.., value_name = "MODEL", value_hint = ValueHint::FilePath)]
    models: Vec<PathBuf>,
    /// Photos (png, jpg), folders of them, or a .safetensors with key `x` [N, C, H, W], taken as it is.
    #[arg(short, long, required = true, num_args = 1.., value_name = "PATH")]
    images: Vec<PathBuf>,
    /// The networks' families, in their order, with commas between [default: their names up to the first digit].
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    families: Vec<String>,
    #[command(flatten)]
    measuring: MeasuringArgs,
    #[command(flatten)]
    generators: GeneratorArgs,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    labels: LabelArgs,
    /// For each network, in their order: what is added to an image's class to get the network's, 1 where its class 0 is
    /// background [default: 0].
    #[arg(long, value_name = "N,…", value_delimiter = ',', requires = "labels", allow_negative_numbers = true)]
    class_offset: Vec<i64>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the subcommand.
pub fn run(args: &CompareArgs) -> Result<(), Failure> {
    for (option, given) in [("--families", args.families.len()), ("--class-offset", args.class_offset.len())] {
        if given != 0 && given != args.models.len() {
            let networks = args.models.len();
            let message =
                format!("{option} has {given} entries for {networks} networks; give one for each, or leave it out");
            return Err(Failure::new(Status::Usage, message));
        }
    }
    let outputs = Outputs::claim(&args.output, &ONE_FIGURE)?;
    let origin = Origin::here();
    let (mut measured, mut failures) = (Vec::new(), Vec::new());
    let mut first_failure = None;
    let mut skipped = None;
    for (at, model) in args.models.iter().enumerate() {
        let family = match args.families.get(at) {
            Some(family) => family.clone(),
            None => family_of(file_name(&model.display().to_string())),
        };
        let offset = args.class_offset.get(at).copied().unwrap_or(0);
        match measure(args, model, family, offset) {
            Ok(Measured { about, report, left_out }) => {
                measured.push((about, report));
                skipped = skipped.or(left_out);
            }
            Err(failure) => {
                let network = model.display().to_string();
                // A sentence that names no file names the network.
                let problem = match failure.message.contains(&network) {
                    true => failure.message.clone(),
                    false => format!("{network}: {}", failure.message),
                };
                failures.push(Failed { network, problem });
                first_failure.get_or_insert(failure);
            }
        }
    }
    match first_failure {
        Some(failure) if measured.is_empty() => Err(failure),
        Some(_) => {
            let (count, lines) = (failures.len(), failures.iter().map(|failed| failed.problem.clone()).collect());
            outputs.write(&Comparison::of(origin, measured, failures), &(), args.network.per_image)?;
            let networks = if count == 1 { "1 network was".to_owned() } else { format!("{count} networks were") };
            let message = format!("{networks} not measured; the results are those of the others");
            Err(Failure::listing(Status::Skipped, message, lines))
        }
        None => {
            outputs.write(&Comparison::of(origin, measured, failures), &(), args.network.per_image)?;
            skipped.map_or(Ok(()), Err)
        }
    }
}

/// One network, and what is said where images were left out.
struct Measured {
    about: About,
    report: LeeReport,
    left_out: Option<Failure>,
}

fn measure(args: &CompareArgs, model: &Path, family: String, offset: i64) -> Result<Measured, Failure> {
    let learned = Cell::new(0);
    let load = |path: &Path, options: &LoadOptions| {
        let file = Network::read(path)?;
        learned.set(parameters(&file));
        Network::from_file(&file, options)
    };
    let opened = args.network.open_as(load, model, &args.images)?;
    let generators = match args.generators.are_given() {
        true => args.generators.named(),
        false => usual(),
    };
    let options = LeeOptions {
        scheme: args.measuring.derivative,
        boundary: args.measuring.boundary,
        grid: args.measuring.grid,
        units: args.measuring.units,
        output: args.measuring.output,
        action: args.measuring.action,
        generators,
        keep_vectors: false,
        pixel_scale: opened.pixel_scale(),
    };
    let mut meter = LeeMeter::new(&opened.network, options)?;
    let console = Console::new(args.output.quiet, opened.source.frames().len(), "images");
    opened.note_outputs(&console);
    let labels = args.labels.read_shifted(&opened.source, meter.classes(), offset)?;
    let (mut names, mut classes) = (Vec::new(), Vec::new());
    let mut first = None;
    opened.for_batches(1, &console, &HashSet::new(), |batch| {
        let x = batch.tensor()?;
        meter.measure(&x, &batch.names())?;
        names.extend(batch.names());
        classes.extend(batch.frames().map(|frame| labels.of(frame)));
        first.get_or_insert(x);
        console.advance(1);
        Ok(())
    })?;
    console.finish();
    let Some(first) = first else {
        return Err(Failure::new(Status::Input, "there is no image to measure; give --images files or folders"));
    };
    let timing = meter.timing(&first, 0)?;
    let report = meter
        .report(opened.run(names), &classes, timing)
        .map_err(|error| Failure::new(Status::Machine, format!("LAPACK cannot decompose the Gram matrix: {error}")))?;
    let files = opened.network.files().iter().map(|file| std::fs::metadata(file).map_or(0, |metadata| metadata.len()));
    let about = About { family, parameters: learned.get(), bytes: files.sum() };
    Ok(Measured { about, report, left_out: opened.finish().err() })
}

/// What is measured where nothing is asked for.
fn usual() -> Vec<Combination> {
    let named = |name: Named| Combination::named(name);
    vec![
        Combination::single(Generator::TranslateX),
        Combination::single(Generator::TranslateY),
        named(Named::Rotate),
        named(Named::Scale),
    ]
}
