//! `aliascope lee`: the Lie derivatives of a whole network.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tch::{Cuda, Device, Kind, Tensor};

use crate::graph::{LoadOptions, Network};
use crate::input::{METADATA_KEY, Preprocessing, Source};
use crate::measure::lee::{LeeMeter, LeeOptions, Output};
use crate::figure::Format;
use crate::measure::lee_report::{LEE_SCHEMA_VERSION, LeeReport};
use crate::report::{OutputFile, Sink, json_bytes};
use crate::spectrum::differentiation::{Boundary, Scheme};
use crate::symmetry::{Combination, GridKind, Units};

use super::failure::{Failure, Status};

/// Measure the Lie derivatives of a network under the affine algebra, in one sweep per image.
#[derive(Debug, Args)]
pub struct LeeArgs {
    /// The network: an ONNX file with one image input.
    #[arg(value_hint = ValueHint::FilePath)]
    model: PathBuf,
    /// Photos (png, jpg), folders of them, or a .safetensors with key `x` [N, C, H, W], taken as it is.
    #[arg(long, required = true, num_args = 1.., value_name = "PATH")]
    images: Vec<PathBuf>,
    /// How photos become input [default: what the model's metadata says, else imagenet].
    #[arg(long, value_enum)]
    preprocess: Option<Preprocess>,
    /// How ∇ is taken.
    #[arg(long, default_value_t = Scheme::Spectral, value_name = "spectral|forward|central|authors")]
    derivative: Scheme,
    /// What lies beyond the image's edge.
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
    /// A combination to report beside the ten named generators, such as 'rotate+0.5*saturate'; may be repeated.
    #[arg(long = "generator", value_name = "COMBINATION", allow_hyphen_values = true)]
    generators: Vec<Combination>,
    /// The input's shape where the model leaves it open, such as 1,3,224,224.
    #[arg(long, value_name = "N,C,H,W", value_delimiter = ',')]
    input_shape: Option<Vec<i64>>,
    /// The precision of the run.
    #[arg(long, value_enum, default_value_t = Precision::F32)]
    precision: Precision,
    /// cpu, cuda or cuda:N.
    #[arg(long, default_value = "cpu")]
    device: DeviceChoice,
    /// Threads for libtorch [default: all cores].
    #[arg(long)]
    threads: Option<std::num::NonZeroU16>,
    /// Images per sweep.
    #[arg(long, default_value = "1")]
    batch: std::num::NonZeroU16,
    /// Taken for the sake of scripts that pass it to every command: nothing here is random.
    #[arg(long)]
    seed: Option<u64>,
    /// Write the result as JSON; - is standard output, which then carries nothing else.
    #[arg(long, value_name = "FILE|-")]
    json: Option<PathBuf>,
    /// Write one row per generator.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write the Lie derivatives themselves: keys lie/NAME, [N, outputs…], float32.
    #[arg(long, value_name = "FILE.safetensors")]
    vectors: Option<PathBuf>,
    /// Draw the result; beside it FILE-tangents.png shows the first image and its seven tangents.
    #[arg(long, value_name = "FILE.svg|png")]
    plot: Option<PathBuf>,
    /// Replace output files that exist.
    #[arg(long)]
    force: bool,
    /// No progress bar, no notes, no table.
    #[arg(long)]
    quiet: bool,
}

/// The output files, claimed before anything is computed.
struct Claimed {
    json: Option<Sink>,
    csv: Option<OutputFile>,
    vectors: Option<OutputFile>,
    plot: Option<(OutputFile, Format)>,
    tangents: Option<OutputFile>,
}

impl Claimed {
    fn new(args: &LeeArgs) -> Result<Self, Failure> {
        let file = |path: &PathBuf| OutputFile::claim(path, args.force);
        let plot = match &args.plot {
            Some(path) => Some((file(path)?, Format::from_path(path)?)),
            None => None,
        };
        let tangents = args.plot.as_ref().map(|path| {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            file(&path.with_file_name(format!("{stem}-tangents.png")))
        });
        Ok(Self {
            json: args.json.as_ref().map(|path| Sink::claim(path, args.force)).transpose()?,
            csv: args.csv.as_ref().map(file).transpose()?,
            vectors: args.vectors.as_ref().map(file).transpose()?,
            plot,
            tangents: tangents.transpose()?,
        })
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Preprocess {
    /// ImageNet mean and std, centre 87.5 %, bicubic.
    Imagenet,
    /// −1 to 1, whole centre crop.
    Half,
    /// 0 to 1, whole centre crop.
    Raw,
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

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Precision {
    /// Single precision.
    F32,
    /// Double precision.
    F64,
}

/// A device by name.
#[derive(Clone, Copy, Debug)]
struct DeviceChoice(Device);

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let device = match text.split_once(':') {
            None if text == "cpu" => Some(Device::Cpu),
            None if text == "cuda" => Some(Device::Cuda(0)),
            Some(("cuda", number)) => number.parse().ok().map(Device::Cuda),
            _ => None,
        };
        device.map(Self).ok_or_else(|| "known are cpu, cuda and cuda:N".to_owned())
    }
}

impl DeviceChoice {
    fn usable(self) -> Result<Device, Failure> {
        if let Device::Cuda(number) = self.0
            && number as i64 >= Cuda::device_count()
        {
            let found = Cuda::device_count();
            return Err(Failure::new(
                Status::Machine,
                format!("the device cuda:{number} is not usable: libtorch sees {found} CUDA devices; use --device cpu, or a LIBTORCH with CUDA"),
            ));
        }
        Ok(self.0)
    }
}

/// Runs the subcommand.
pub fn run(args: &LeeArgs) -> Result<(), Failure> {
    let claimed = Claimed::new(args)?;
    if let Some(threads) = args.threads {
        tch::set_num_threads(i32::from(threads.get()));
    }
    let device = args.device.usable()?;
    let kind = if args.precision == Precision::F64 { Kind::Double } else { Kind::Float };
    let network = Network::load(&args.model, &LoadOptions { input_shape: args.input_shape.clone(), kind, device })?;
    let size = image_size(&network)?;
    let source = Source::open(&args.images, size)?;
    let (preprocessing, preprocess) = preprocessing(args, &network, &source)?;
    let options = LeeOptions {
        scheme: args.derivative,
        boundary: args.boundary,
        grid: args.grid,
        units: args.units,
        output: args.output.map(|output| match output {
            OutputChoice::Softmax => Output::Softmax,
            OutputChoice::Logits => Output::Logits,
            OutputChoice::Identity => Output::Identity,
        }),
        combinations: args.generators.clone(),
        keep_vectors: claimed.vectors.is_some(),
    };
    let mut meter = LeeMeter::new(&network, options)?;
    let console = Console::new(args.quiet, source.frames().len());
    if !network.other_outputs().is_empty() {
        let others = network.other_outputs().join(", ");
        console.note(&format!("measured is the output '{}'; not measured: {others}", network.output().name));
    }
    let mut names = Vec::new();
    let mut first = None;
    for frames in source.frames().chunks(usize::from(args.batch.get())) {
        let mut images = Vec::new();
        let start = names.len();
        for frame in frames {
            let (image, notes) = source.read(frame, &preprocessing)?;
            notes.iter().for_each(|note| console.note(note));
            names.push(frame.name());
            images.push(tensor(&image).map_err(|error| Failure::new(Status::Machine, error.to_string()))?);
        }
        let x = Tensor::f_stack(&images, 0)?;
        meter.measure(&x, &names[start..])?;
        console.advance(frames.len() as u64);
        first.get_or_insert(x);
    }
    console.finish();
    let Some(first) = first else {
        return Err(Failure::new(Status::Input, "there is no image to measure; give --images files or folders"));
    };
    // As many repetitions as fit into about two seconds.
    let repetitions = (1000.0 / meter.sweep_ms().max(1.0)).clamp(1.0, 5.0) as usize;
    let timing = meter.timing(&first, repetitions)?;
    let gram = meter.gram();
    let report = LeeReport {
        schema_version: LEE_SCHEMA_VERSION,
        model: args.model.display().to_string(),
        images: names.len(),
        image_names: names,
        preprocess,
        output: meter.output().name().to_owned(),
        output_action: meter.output_action().name().to_owned(),
        output_shape: network.output().shape.clone(),
        derivative: args.derivative.to_string(),
        boundary: args.boundary.to_string(),
        grid: args.grid.to_string(),
        units: args.units.to_string(),
        precision: if kind == Kind::Double { "f64" } else { "f32" }.to_owned(),
        device: match device {
            Device::Cuda(n) => format!("cuda:{n}"),
            _ => "cpu".to_owned(),
        },
        generators: meter.results(),
        symmetry_spectrum: spectrum(&gram)?,
        gram,
        timing,
    };
    write(args, claimed, &report, &mut meter, &first)
}

/// Writes what was asked for, then the table.
fn write(
    args: &LeeArgs,
    claimed: Claimed,
    report: &LeeReport,
    meter: &mut LeeMeter<'_>,
    first: &Tensor,
) -> Result<(), Failure> {
    let stdout_is_json = matches!(claimed.json, Some(Sink::Standard));
    if let Some(sink) = claimed.json {
        sink.write_bytes(&json_bytes(report)?)?;
    }
    Ok(())
}

fn image_size(network: &Network) -> Result<[usize; 3], Failure> {
    match network.input().shape[..] {
        [1, c, h, w] => Ok([c as usize, h as usize, w as usize]),
        ref shape => Err(Failure::new(
            Status::Unsupported,
            format!(
                "{}: the input has the shape {shape:?}; Lie derivatives need [1, channels, rows, columns]",
                network.path().display()
            ),
        )),
    }
}

/// The preprocessing and what to call it.
fn preprocessing(args: &LeeArgs, network: &Network, source: &Source) -> Result<(Preprocessing, String), Failure> {
    let (preprocessing, name) = match (args.preprocess, network.metadata(METADATA_KEY)) {
        (Some(Preprocess::Imagenet), _) => (Preprocessing::imagenet(), "imagenet"),
        (Some(Preprocess::Half), _) => (Preprocessing::half(), "half"),
        (Some(Preprocess::Raw), _) => (Preprocessing::raw(), "raw"),
        (None, Some(json)) => (Preprocessing::from_metadata(json)?, "metadata"),
        (None, None) => (Preprocessing::imagenet(), "imagenet"),
    };
    if !source.has_photos() {
        return Ok((preprocessing, "tensor (taken as it is)".to_owned()));
    }
    let described = format!("{name} ({})", preprocessing.describe());
    Ok((preprocessing, described))
}

/// `[channels, rows, columns]` as the network's input, `[1, channels, rows, columns]`.
fn tensor(image: &ndarray::Array3<f64>) -> Result<Tensor, tch::TchError> {
    let (c, h, w) = image.dim();
    let values: Vec<f64> = image.iter().copied().collect();
    Tensor::f_from_slice(&values)?.f_view([1, c as i64, h as i64, w as i64])
}

#[cfg(feature = "linalg")]
fn spectrum(
    gram: &crate::measure::lee_report::Gram,
) -> Result<Vec<crate::measure::lee_report::SymmetryDirection>, Failure> {
    crate::measure::symmetry_spectrum::symmetry_spectrum(gram)
        .map_err(|error| Failure::new(Status::Machine, format!("LAPACK cannot decompose the Gram matrix: {error}")))
}

#[cfg(not(feature = "linalg"))]
fn spectrum(
    _: &crate::measure::lee_report::Gram,
) -> Result<Vec<crate::measure::lee_report::SymmetryDirection>, Failure> {
    Ok(Vec::new())
}

/// Notes and progress on standard error.
struct Console {
    bar: ProgressBar,
    quiet: bool,
}

impl Console {
    fn new(quiet: bool, images: usize) -> Self {
        let visible = !quiet && std::io::stderr().is_terminal();
        let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(images as u64), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} images, {per_sec}, {eta} left") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, quiet }
    }

    fn note(&self, text: &str) {
        if !self.quiet {
            self.bar.suspend(|| eprintln!("note: {text}"));
        }
    }

    fn advance(&self, images: u64) {
        self.bar.inc(images);
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
