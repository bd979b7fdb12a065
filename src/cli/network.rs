//! What commands that run networks share: their options, the opened model and images, notes and progress.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::env;
use std::fmt;
use std::io::IsTerminal;
use std::num::{NonZeroU16, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use tch::{Cuda, Device, Kind, Tensor};

use crate::graph::{GraphError, InputLayout, LoadOptions, Network, Target};
use crate::input::{Frame, PhotoNote, PhotoNotes, Preprocessing, Source};
use crate::measure::run::{self, Images, Precision, Quantised, Run, Skipped};
use crate::measure::{Stated, header, larger_photo, pixel_scale};
use crate::number::seconds;
use crate::printable::{MESSAGE, shortened};
use crate::report::refuse_inputs;

use super::{Failure, Status};
use super::{memory_format, missing_model};

/// How to load and run a network.
#[derive(Debug, Args)]
pub(super) struct NetworkArgs {
    /// How photos become input: imagenet (its mean and std, centre 87.5 %, bicubic), half (−1 to 1) or raw (0 to 1),
    /// and parts that change it, with commas between: mean=A/B/C, std=A/B/C, scale=S, crop=SHARE, resize=PIXELS,
    /// letterbox, bgr, interpolation=nearest|bilinear|bicubic|lanczos [default: what the model's metadata says, else
    /// imagenet].
    #[arg(long, value_name = "HOW")]
    preprocess: Option<Preprocess>,
    /// The input's shape where the model leaves it open, such as 1,3,224,224.
    #[arg(long, value_name = "N,C,H,W", value_delimiter = ',')]
    input_shape: Option<Vec<i64>>,
    /// Measure at an inner value: the name of a node, for its first output, or of a value; the end of a name that is
    /// the only one will do.
    #[arg(long, value_name = "NODE", conflicts_with = "output_name")]
    at: Option<String>,
    /// Measure this output, of a model with several [default: the first].
    #[arg(long, value_name = "NAME")]
    output_name: Option<String>,
    /// The order of the input's axes [default: what the first nodes or the shape say].
    #[arg(long, value_enum, value_name = "ORDER")]
    layout: Option<LayoutChoice>,
    /// Measure on so many of the images only, drawn by --seed.
    #[arg(long, value_name = "N")]
    limit: Option<NonZeroUsize>,
    /// The precision of the run.
    #[arg(long, value_enum, default_value_t = Precision::F32)]
    precision: Precision,
    /// What happens where a network quantises values that depend on its input.
    #[arg(long, value_enum, default_value_t = Quantised::Refuse, value_name = "HOW")]
    quantised: Quantised,
    /// cpu, cuda or cuda:N.
    #[arg(long, default_value = "cpu")]
    device: run::Device,
    /// Threads for libtorch [default: all cores].
    #[arg(long)]
    threads: Option<NonZeroU16>,
    /// How images lie in memory, for speed: results are the same up to rounding.
    #[arg(long, alias = "memory-order", value_enum, default_value_t = memory_format::Choice::Auto, value_name = "FORMAT")]
    memory_format: memory_format::Choice,
    /// End with status 5 at the first photo that cannot be read, instead of leaving it out.
    #[arg(long)]
    strict: bool,
    /// The seed of what is random, such as probes and the transforms of `metrics`; most measurements are not.
    #[arg(long)]
    seed: Option<u64>,
    /// In --csv and --md the values image by image, instead of their means.
    #[arg(long)]
    pub(super) per_image: bool,
}

/// How photos become input, as it was typed.
#[derive(Clone, Debug)]
struct Preprocess {
    /// What results call it.
    name: String,
    preprocessing: Preprocessing,
}

impl FromStr for Preprocess {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // What is changed or built of parts is told by its description alone.
        let name = if matches!(text, "imagenet" | "half" | "raw") { text } else { "given" };
        Ok(Self { name: name.to_owned(), preprocessing: text.parse()? })
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum LayoutChoice {
    /// [N, channels, rows, columns].
    Nchw,
    /// [N, rows, columns, channels].
    Nhwc,
}

impl From<LayoutChoice> for InputLayout {
    fn from(choice: LayoutChoice) -> Self {
        match choice {
            LayoutChoice::Nchw => Self::ChannelsFirst,
            LayoutChoice::Nhwc => Self::ChannelsLast,
        }
    }
}

/// The device, where libtorch sees it.
pub(super) fn usable(device: run::Device) -> Result<Device, Failure> {
    let found = Cuda::device_count();
    match device {
        run::Device::Cpu => Ok(Device::Cpu),
        run::Device::Cuda(number) if number as i64 >= found => Err(Failure::new(
            Status::Machine,
            format!(
                "the device cuda:{number} is not usable: libtorch sees {found} CUDA devices; use --device cpu, or \
                 build with a LIBTORCH that has CUDA"
            ),
        )),
        run::Device::Cuda(number) => Ok(Device::Cuda(number)),
    }
}

/// A loaded network and the images to measure it on.
pub(super) struct Opened {
    pub(super) network: Network,
    pub(super) source: Source,
    /// What is known of the run before it.
    run: Run,
    /// Why images lie in memory as they do, in words.
    pub(super) memory: String,
    pub(super) preprocessing: Preprocessing,
    /// What was passed over or assumed.
    notes: Vec<String>,
    /// Whether the first photo that cannot be read ends the run.
    pub(super) strict: bool,
    pub(super) skipped: RefCell<Vec<Skipped>>,
}

impl NetworkArgs {
    /// Loads the ONNX model and lists the images.
    pub(super) fn open(&self, model: &Path, images: &[PathBuf]) -> Result<Opened, Failure> {
        self.open_as(Network::load, model, images)
    }

    /// Loads what `load` makes of the file, and lists the images.
    pub(super) fn open_as(
        &self,
        load: impl Fn(&Path, &LoadOptions) -> Result<Network, GraphError>,
        model: &Path,
        images: &[PathBuf],
    ) -> Result<Opened, Failure> {
        missing_model::refuse_names(model)?;
        if let Some(threads) = self.threads {
            set_threads(threads)?;
        }
        let device = usable(self.device)?;
        let kind = if self.precision == Precision::F64 { Kind::Double } else { Kind::Float };
        let started = Instant::now();
        let options = LoadOptions {
            input_shape: self.input_shape.clone(),
            layout: self.layout.map(InputLayout::from),
            kind,
            device,
            target: self.target(),
            straight_through: self.quantised == Quantised::StraightThrough,
        };
        let mut network = load(model, &options)?;
        network.check_output()?;
        tracing::debug!(
            model = %model.display(), operators = network.steps().len(), seconds = started.elapsed().as_secs_f64(),
            "model loaded"
        );
        let size = match network.input().shape[..] {
            [1, c, h, w] => [c as usize, h as usize, w as usize],
            ref shape => {
                return Err(Failure::new(
                    Status::Unsupported,
                    format!(
                        "{}: the input has the shape {shape:?}; images are [1, channels, rows, columns]",
                        model.display()
                    ),
                ));
            }
        };
        let channels_last = network.input_layout() == InputLayout::ChannelsLast;
        let mut source = Source::open_as(images, size, channels_last)?;
        let mut notes = Vec::new();
        if let Some((first, more)) = source.skipped().split_first() {
            let name = first.file_name().unwrap_or_default().to_string_lossy();
            let others = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
            notes.push(format!("passed over, as they are no PNG or JPEG images by their names: {name}{others}"));
        }
        refuse_inputs(network.files().iter().map(PathBuf::as_path).chain(source.listed().iter().map(Frame::path)))?;
        let skipped = sifted(&mut source, self.strict)?;
        notes.extend(figures_note(source.figures()));
        notes.extend(skipped.iter().map(Skipped::note));
        if let Some(limit) = self.limit {
            source.sample(limit.get(), self.seed.unwrap_or(0));
        }
        if let (Some(program), [_, rows, columns]) = (network.sized_by(), size) {
            notes.push(format!(
                "the model leaves its input's size open: {columns}×{rows} is what its metadata ({program}) says \
                 (--input-shape takes another)"
            ));
        }
        let Stated { preprocessing, name, .. } = self.preprocessing(&network, size, source.has_photos(), &mut notes)?;
        let order = if channels_last { ", input [N, H, W, C]" } else { "" };
        let preprocess = if source.has_photos() {
            format!("{name} ({}){order}", preprocessing.describe())
        } else {
            format!("tensor (taken as it is){order}")
        };
        let memory = memory_format::settle(&mut network, self.memory_format, source.frames().len())?;
        let (strict, skipped) = (self.strict, RefCell::new(skipped));
        let run = Run { images: Images { preprocess, ..Images::default() }, ..header(&network)? };
        Ok(Opened { network, source, run, memory, preprocessing, notes, strict, skipped })
    }

    /// How photos become input of `[channels, rows, columns]`: as it is asked for, or else as the model says.
    fn preprocessing(
        &self,
        network: &Network,
        size: [usize; 3],
        has_photos: bool,
        notes: &mut Vec<String>,
    ) -> Result<Stated, Failure> {
        let Some(given) = &self.preprocess else {
            let stated = Stated::by(network, size)?;
            notes.extend(stated.assumed.clone().filter(|_| has_photos));
            return Ok(stated);
        };
        if has_photos {
            given.preprocessing.fits(size)?;
        }
        Ok(Stated { preprocessing: given.preprocessing.clone(), name: given.name.clone(), assumed: None })
    }

    /// Which value is measured.
    fn target(&self) -> Target {
        match (&self.at, &self.output_name) {
            (Some(name), _) => Target::At(name.clone()),
            (None, Some(name)) => Target::Output(name.clone()),
            (None, None) => Target::First,
        }
    }

    /// The seed, if one was given.
    pub(super) fn seed(&self) -> Option<u64> {
        self.seed
    }
}

/// From now on libtorch computes with so many threads.
pub(super) fn set_threads(threads: NonZeroU16) -> Result<(), Failure> {
    tch::set_num_threads(i32::from(possible(threads)?.get()));
    Ok(())
}

/// As many threads as were asked for, where the machine can have them: the system refuses what is far beyond its cores,
/// and then the program's end would be another's.
fn possible(threads: NonZeroU16) -> Result<NonZeroU16, Failure> {
    const ALWAYS: usize = 64;
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let most = ALWAYS.max(4 * cores);
    if usize::from(threads.get()) <= most {
        return Ok(threads);
    }
    let message =
        format!("--threads {threads} is more than this machine of {cores} cores can have; give {most} at the most");
    Err(Failure::new(Status::Usage, message))
}

impl Opened {
    /// The header of a result on images of these names.
    pub(super) fn run(&self, names: Vec<String>) -> Run {
        let images = Images { names, skipped: self.skipped.borrow().clone(), ..self.run.images.clone() };
        Run { images, ..self.run.clone() }
    }

    /// What is known of the run before it.
    pub(super) fn header(&self) -> &Run {
        &self.run
    }

    /// Per channel, what one unit of the input is in pixel values of 0 to 1; none where some image is a tensor, whose
    /// units nobody knows.
    pub(super) fn pixel_scale(&self) -> Option<Vec<f64>> {
        pixel_scale(&self.network, &self.source, &self.preprocessing)
    }

    /// A photo with `margin` more rows and columns than the input, `[1, channels, rows, columns]`; nothing for a
    /// tensor.
    pub(super) fn read_larger(&self, frame: &Frame, margin: usize) -> Result<Option<Tensor>, Failure> {
        let Frame::Photo(path) = frame else { return Ok(None) };
        Ok(Some(larger_photo(&self.network, path, &self.preprocessing, margin)?))
    }

    /// Says which output is measured where a model has several.
    pub(super) fn note_outputs(&self, console: &Console) {
        self.notes.iter().for_each(|note| console.note(note));
        if !self.network.other_outputs().is_empty() {
            let others = self.network.other_outputs().join(", ");
            console.note(&format!(
                "measured is the output '{}'; not measured: {others} (--output-name takes another)",
                self.network.output().name
            ));
        }
    }
}

/// Takes photos whose headers are damaged out of a source; an error where none is left, or at the first if `strict`.
fn sifted(source: &mut Source, strict: bool) -> Result<Vec<Skipped>, Failure> {
    let bad = source.sift();
    let none_is_left = source.frames().is_empty();
    if none_is_left && !source.figures().is_empty() {
        let figures = source.figures().len();
        return Err(Failure::new(
            Status::Input,
            format!("--images: there are {figures} figures that aliascope drew, and no photos; give photos"),
        ));
    }
    match bad.into_iter().map(|(frame, error)| (Skipped::new(&frame, &error), error)).collect::<Vec<_>>() {
        bad if !strict && !none_is_left => Ok(bad.into_iter().map(|(skipped, _)| skipped).collect()),
        bad => match bad.into_iter().next() {
            Some((_, error)) => Err(error.into()),
            None => Ok(Vec::new()),
        },
    }
}

fn figures_note(figures: &[PathBuf]) -> Option<String> {
    let first = figures.first()?.file_name().unwrap_or_default().to_string_lossy();
    let more = if figures.len() > 1 { format!(" and {} more", figures.len() - 1) } else { String::new() };
    Some(format!("passed over, as aliascope drew them: {first}{more}"))
}

/// Notes and progress on standard error.
pub(super) struct Console {
    bar: ProgressBar,
    /// The bits of the share of the thing in hand that is done.
    part: Arc<AtomicU64>,
    quiet: bool,
    /// Whether progress is told in lines, to a program that reads them.
    in_lines: bool,
    things: String,
    photos: RefCell<PhotoNotes>,
}

/// Set to `lines`, every step of progress is a line `progress: 3/15 images` on standard error, whatever else is printed.
const PROGRESS: &str = "ALIASCOPE_PROGRESS";

/// What is left where `done` of `all` things took so long, in seconds: known from the first part of a thing on.
fn seconds_left(elapsed: f64, done: f64, all: f64) -> Option<f64> {
    (done > 0.0 && all >= done).then(|| elapsed * (all - done) / done)
}

/// The notes that were told: each is told once, however many steps of a command come upon it.
static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

impl Console {
    /// A bar of `length` `things`, where there is a terminal to draw it on.
    pub(super) fn new(quiet: bool, length: usize, things: &str) -> Self {
        let visible = !quiet && std::io::stderr().is_terminal();
        let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(length as u64), target);
        let part = Arc::new(AtomicU64::new(0));
        let template = format!("{{bar:30}} {{pos}}/{{len}} {things}{{left}} {{msg}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            let part = Arc::clone(&part);
            let left = move |state: &ProgressState, out: &mut dyn fmt::Write| {
                let done = state.pos() as f64 + f64::from_bits(part.load(Ordering::Relaxed));
                let all = state.len().unwrap_or(0) as f64;
                if let Some(left) = seconds_left(state.elapsed().as_secs_f64(), done, all) {
                    // What cannot be written on a terminal is not missed.
                    let _ = write!(out, ", about {} left", seconds(left));
                }
            };
            bar.set_style(style.with_key("left", left));
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        let in_lines = env::var_os(PROGRESS).is_some_and(|how| how == "lines");
        let console = Self { bar, part, quiet, in_lines, things: things.to_owned(), photos: RefCell::default() };
        console.tell();
        console
    }

    fn tell(&self) {
        if self.in_lines {
            eprintln!("progress: {}/{} {}", self.bar.position(), self.bar.length().unwrap_or(0), self.things);
        }
    }

    /// A note, unless quiet or told before.
    pub(super) fn note(&self, text: &str) {
        let new = TOLD.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned());
        if !self.quiet && new {
            self.bar.suspend(|| eprintln!("note: {}", shortened(text, MESSAGE)));
        }
    }

    /// What had to be done to a photo, which is told when all are read, and of all at once.
    pub(super) fn photo(&self, path: &Path, notes: &[PhotoNote]) {
        let name =
            path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
        self.photos.borrow_mut().add(&name, notes);
    }

    /// Some more of the things are done.
    pub(super) fn advance(&self, things: u64) {
        self.part.store(0, Ordering::Relaxed);
        self.bar.inc(things);
        self.tell();
    }

    /// One of the things is not to be done.
    pub(super) fn shorten(&self) {
        let length = self.bar.length().unwrap_or(0);
        self.bar.set_length(length.saturating_sub(1));
        self.tell();
    }

    /// So many of so many things are done.
    pub(super) fn reach(&self, done: usize, of: usize) {
        self.part.store(0, Ordering::Relaxed);
        self.bar.set_length(of as u64);
        self.bar.set_position(done as u64);
        self.tell();
    }

    /// How far the thing in hand is.
    pub(super) fn part(&self, done: usize, of: usize) {
        self.part.store((done as f64 / of.max(1) as f64).min(1.0).to_bits(), Ordering::Relaxed);
        self.bar.set_message(format!("(node {done}/{of})"));
    }

    /// The bar goes away, and photos' notes are told.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
        self.photos.take().sentences().iter().for_each(|note| self.note(note));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_known_from_the_first_node_on() {
        // A tenth of the first of three images in 2 s: 2.9 of them are left.
        assert!((seconds_left(2.0, 0.1, 3.0).unwrap() - 58.0).abs() < 1e-9);
        assert_eq!(seconds_left(2.0, 0.0, 3.0), None);
        assert_eq!(seconds_left(60.0, 3.0, 3.0), Some(0.0));
    }
}
