//! `aliascope lee`: the Lie derivatives of a whole network.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use tch::{Device, Kind, Tensor};

use crate::figure::{Format, TangentsFigure};
use crate::measure::lee::{HORIZON_IMAGES, LeeMeter, LeeOptions};
use crate::measure::lee_report::LeeReport;
use crate::memory::{self, Allowance, size};
use crate::report::{Number, Vectors, vectors_bytes};
use crate::symmetry::{Combination, MEASURED};

use super::generators::GeneratorArgs;
use super::labels::LabelArgs;
use super::measuring::MeasuringArgs;
use super::memory::images_at_once;
use super::network::{Console, NetworkArgs, Opened};
use super::resume::{Options, Progress, ResumeArgs};
use super::{Failure, Status};
use aliascope_core::cli::outputs::{FigureName, OutputArgs, Outputs, PageArgs, shown};

/// Measure the Lie derivatives of a network under the affine algebra, in one sweep per image.
#[derive(Debug, Args)]
pub struct LeeArgs {
    /// The network: an ONNX file with one image input.
    #[arg(value_hint = ValueHint::FilePath)]
    model: PathBuf,
    /// Photos (png, jpg), folders of them, or a .safetensors with key `x` [N, C, H, W], taken as it is.
    #[arg(short, long, required = true, num_args = 1.., value_name = "PATH")]
    images: Vec<PathBuf>,
    #[command(flatten)]
    measuring: MeasuringArgs,
    #[command(flatten)]
    generators: GeneratorArgs,
    /// Images per sweep; fewer where memory does not allow as many.
    #[arg(long, default_value = "1")]
    batch: std::num::NonZeroU16,
    /// Memory for a run, in MiB [default: what the system says is free].
    #[arg(long, value_name = "MIB")]
    memory: Option<u64>,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    resume: ResumeArgs,
    /// Leave out the horizon, up to what shift the linear answer holds: 7 forward passes on each of 4 images.
    #[arg(long)]
    no_horizon: bool,
    /// Write the Lie derivatives themselves: keys lie/NAME and value, [N, outputs…], in the run's precision.
    #[arg(long, value_name = "FILE.safetensors")]
    vectors: Option<PathBuf>,
    #[command(flatten)]
    page: PageArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// The main figure, and the first image beside its seven tangents.
const FIGURES: [FigureName; 2] = [("", None), ("tangents", Some(Format::Png))];
/// The panels of the main figure.
const PARTS: [&str; 2] = ["generators", "spectrum"];

/// The figures of the page.
const CAPTIONS: [(&str, &str); 3] = [
    ("generators", "LEE per generator: the geometric mean over images with its interval of 95 %, and the mean."),
    ("spectrum", "The directions of the affine algebra, the least equivariant first."),
    ("tangents", "The first image beside what each generator does to it."),
];

/// Runs the subcommand.
pub fn run(args: &LeeArgs) -> Result<(), Failure> {
    let mut outputs = Outputs::claim_parts(&args.output, &FIGURES, &PARTS)?;
    let vectors = outputs.another(args.vectors.as_ref())?;
    let page = outputs.page(&args.page)?;
    let allowed = args.memory.map(|mib| mib.saturating_mul(1 << 20));
    let _allowance = Allowance::of(allowed);
    let opened = args.network.open(&args.model, &args.images)?;
    let network = &opened.network;
    let options = LeeOptions {
        scheme: args.measuring.derivative,
        boundary: args.measuring.boundary,
        grid: args.measuring.grid,
        units: args.measuring.units,
        output: args.measuring.output,
        action: args.measuring.action,
        generators: args.generators.named(),
        keep_vectors: vectors.is_some(),
        pixel_scale: opened.pixel_scale(),
    };
    let free = match allowed {
        Some(bytes) => Some(bytes),
        None if network.device() == Device::Cpu => memory::available(),
        None => None,
    };
    let kept = match vectors {
        Some(_) => network.kept_bytes(opened.source.frames().len() as u64),
        None => 0,
    };
    let needed = |images| network.measuring_bytes(images).saturating_add(kept);
    let (batch, lowered) = images_at_once(&args.model.display().to_string(), args.batch.get(), free, needed)?;
    let mut meter = LeeMeter::new(network, options)?;
    let console = Console::new(args.output.quiet, opened.source.frames().len(), "images");
    opened.note_outputs(&console);
    lowered.iter().for_each(|note| console.note(note));
    if args.output.verbose {
        let threads = tch::get_num_threads();
        let (run, why) = (network.describe_run(), &opened.memory);
        console.note(&format!("threads: {threads}; images at once: {batch}; {run} ({why})"));
        let (values, all) =
            (network.live_bytes(u64::from(batch), meter.swept().len() as u64), needed(u64::from(batch)));
        console.note(&format!("memory: about {} beside the model, of which {} are values", size(all), size(values)));
    }
    let labels = args.labels.read(&opened.source, meter.classes())?;
    let kept = checkpoint_options(args, &opened, usize::from(batch));
    let mut progress = Progress::open(&args.resume, "lee", &opened, kept, &console)?;
    let (mut names, mut classes) = (Vec::new(), Vec::new());
    let mut first: Vec<Tensor> = Vec::new();
    let wanted = if args.no_horizon { 1 } else { HORIZON_IMAGES };
    opened.for_batches(usize::from(batch), &console, &progress.known(), |batch| {
        names.extend(batch.names());
        classes.extend(batch.frames().map(|frame| labels.of(frame)));
        let found = progress.recall("", batch, || Ok(meter.find(&batch.tensor()?, &batch.names())?))?;
        meter.take(found);
        console.advance(batch.len() as u64);
        if first.len() < wanted {
            let images = batch.tensor()?;
            first.extend((0..images.size()[0]).map(|at| images.f_narrow(0, at, 1)).collect::<Result<Vec<_>, _>>()?);
            first.truncate(wanted);
        }
        Ok(())
    })?;
    console.finish();
    if !args.no_horizon {
        meter.measure_horizon(&first)?;
    }
    let Some(first) = first.into_iter().next() else {
        return Err(Failure::new(Status::Input, "there is no image to measure; give --images files or folders"));
    };
    // As many repetitions as fit into about two seconds; none where not even one does.
    let repetitions = (1000.0 / meter.sweep_ms().max(1.0)).clamp(0.0, 5.0) as usize;
    let timing = meter.timing(&first, repetitions)?;
    let report = meter
        .report(opened.run(names), &classes, timing)
        .map_err(|error| Failure::new(Status::Machine, format!("LAPACK cannot decompose the Gram matrix: {error}")))?;
    if let (Some(file), Some((value, vectors))) = (vectors, meter.vectors()?) {
        outputs.fill(file, vector_file(&report, &meter, &value, &vectors)?);
    }
    // Inputs of other channels are no pictures.
    let drawn = (outputs.draws() || page.is_some()) && matches!(first.size()[2], 1 | 3);
    let tangents = if drawn { Some(tangents_figure(&shown(&report)?, &mut meter, &first)?) } else { None };
    outputs.fill_page(page, &report, &tangents, &CAPTIONS)?;
    outputs.write(&report, &tangents, args.network.per_image)?;
    progress.finish();
    opened.finish()
}

/// The options that results of an image depend on.
fn checkpoint_options(args: &LeeArgs, opened: &Opened, batch: usize) -> Options {
    let generators = args.generators.named();
    let names: Vec<&str> = generators.iter().map(Combination::name).collect();
    Options::of(opened, batch)
        .measuring(&args.measuring)
        .with("generators", names.join(", "))
        .with("vectors", args.vectors.is_some())
}

/// Every generator's Lie derivatives and the values, `[N, outputs…]`, as a safetensors file; a batch axis of
/// one is left out.
fn vector_file(report: &LeeReport, meter: &LeeMeter<'_>, value: &Tensor, vectors: &Tensor) -> Result<Vec<u8>, Failure> {
    match vectors.kind() {
        Kind::Double => vector_file_of::<f64>(report, meter, value, vectors),
        _ => vector_file_of::<f32>(report, meter, value, vectors),
    }
}

fn vector_file_of<T: Number + tch::kind::Element>(
    report: &LeeReport,
    meter: &LeeMeter<'_>,
    value: &Tensor,
    vectors: &Tensor,
) -> Result<Vec<u8>, Failure>
where
    Vec<T>: for<'t> TryFrom<&'t Tensor, Error = tch::TchError>,
{
    let swept = meter.swept();
    let (flat, output_shape) = (vectors.f_reshape([swept.len() as i64, -1])?, &report.run.model.output_shape);
    let mut shape = vec![report.run.images.count()];
    let batch = usize::from(output_shape.first() == Some(&1));
    shape.extend(output_shape.iter().skip(batch).map(|&n| n as usize));
    let mut named: Vec<Vectors<T>> = Vec::new();
    for combination in meter.generators() {
        let coefficients: Vec<f64> = swept.iter().map(|generator| combination.coefficient(*generator)).collect();
        let coefficients = Tensor::f_from_slice(&coefficients)?.f_to_kind(T::KIND)?;
        let mixed = coefficients.f_view([1, -1])?.f_matmul(&flat)?.f_reshape([-1])?;
        named.push((combination.name().to_owned(), shape.clone(), Vec::<T>::try_from(&mixed)?));
    }
    let value = Vec::<T>::try_from(&value.f_reshape([-1])?)?;
    let (lie, output) = (report.run.lie(), report.run.output.clone().unwrap_or_default());
    let about = [
        ("model", report.run.model.path.clone()),
        ("output", output.function.to_string()),
        ("output_action", output.action.to_string()),
        ("derivative", lie.derivative.to_string()),
        ("boundary", lie.boundary.to_string()),
        ("grid", lie.grid.to_string()),
        ("units", lie.units.to_string()),
    ];
    let about = about.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Ok(vectors_bytes(&named, Some((&shape, &value)), about)?)
}

/// The first image beside its tangents.
fn tangents_figure(report: &LeeReport, meter: &mut LeeMeter<'_>, first: &Tensor) -> Result<TangentsFigure, Failure> {
    let x = first.f_narrow(0, 0, 1)?;
    let tangents = meter.input_tangents(&x)?;
    let lie = report.run.lie();
    Ok(TangentsFigure {
        name: report.run.images.name(0).to_owned(),
        conditions: format!("{} derivative, {} boundary, t in {}s", lie.derivative, lie.boundary, lie.units),
        image: picture(&x)?,
        tangents: MEASURED
            .iter()
            .enumerate()
            .map(|(i, generator)| Ok((*generator, picture(&tangents.f_get(i as i64)?)?)))
            .collect::<Result<_, Failure>>()?,
    })
}

/// `[1, 1, channels, rows, columns]` as an array.
pub(super) fn picture(x: &Tensor) -> Result<ndarray::Array3<f32>, Failure> {
    let size = x.size();
    let [c, h, w] = [size[size.len() - 3], size[size.len() - 2], size[size.len() - 1]].map(|n| n as usize);
    let values = Vec::<f32>::try_from(&x.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?.f_reshape([-1])?)?;
    ndarray::Array3::from_shape_vec((c, h, w), values)
        .map_err(|error| Failure::new(Status::Defect, format!("a picture of the wrong size: {error}")))
}
