//! What commands that run networks share: their options, the opened model and images, notes and progress.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::num::{NonZeroU16, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ndarray::Array3;
use tch::{Cuda, Device, Kind, Tensor};

use crate::graph::{GraphError, InputLayout, Integers, LoadOptions, Network, Target};
use crate::input::{Foreign, Frame, InputError, METADATA_KEY, PhotoNote, PhotoNotes, Preprocessing, Source};

use super::memory_order;
use super::{Failure, Status};

/// How to load and run a network.
#[derive(Debug, Args)]
pub(super) struct NetworkArgs {
    /// How photos become input: imagenet (its mean and std, centre 87.5 %, bicubic), half (−1 to 1) or raw (0 to 1), and
    /// parts that change it, with commas between: mean=A/B/C, std=A/B/C, scale=S, crop=SHARE, resize=PIXELS, letterbox,
    /// bgr, interpolation=nearest|bilinear|bicubic|lanczos [default: what the model's metadata says, else imagenet].
    #[arg(long, value_name = "HOW")]
    preprocess: Option<Preprocess>,
    /// The input's shape where the model leaves it open, such as 1,3,224,224.
    #[arg(long, value_name = "N,C,H,W", value_delimiter = ',')]
    input_shape: Option<Vec<i64>>,
    /// Measure at an inner value: the name of a node, for its first output, or of a value; the end of a name that is the
    /// only one will do.
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
    /// cpu, cuda or cuda:N.
    #[arg(long, default_value = "cpu")]
    device: DeviceChoice,
    /// Threads for libtorch [default: all cores].
    #[arg(long)]
    threads: Option<NonZeroU16>,
    /// How images lie in memory, for speed: results are the same up to rounding.
    #[arg(long, value_enum, default_value_t = memory_order::Choice::Auto, value_name = "ORDER")]
    memory_order: memory_order::Choice,
    /// The seed of what is random, such as probes and the transforms of `metrics`; most measurements are not.
    #[arg(long)]
    seed: Option<u64>,
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
        let found = Cuda::device_count();
        match self.0 {
            Device::Cuda(number) if number as i64 >= found => Err(Failure::new(
                Status::Machine,
                format!(
                    "the device cuda:{number} is not usable: libtorch sees {found} CUDA devices; use --device cpu, or \
                     build with a LIBTORCH that has CUDA"
                ),
            )),
            device => Ok(device),
        }
    }
}

/// A loaded network and the images to measure it on.
pub(super) struct Opened {
    pub(super) network: Network,
    pub(super) source: Source,
    /// How images become input, in words.
    pub(super) preprocess: String,
    /// Why images lie in memory as they do, in words.
    pub(super) memory: String,
    preprocessing: Preprocessing,
    /// What was passed over or assumed.
    notes: Vec<String>,
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
        if let Some(threads) = self.threads {
            tch::set_num_threads(i32::from(possible(threads)?.get()));
        }
        let device = self.device.usable()?;
        let kind = if self.precision == Precision::F64 { Kind::Double } else { Kind::Float };
        let started = Instant::now();
        let (input_shape, layout) = (self.input_shape.clone(), self.layout.map(InputLayout::from));
        let mut network = load(model, &LoadOptions { input_shape, layout, kind, device, target: self.target() })?;
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
        if let Some(limit) = self.limit {
            source.sample(limit.get(), self.seed.unwrap_or(0));
        }
        if let (Some(program), [_, rows, columns]) = (network.sized_by(), size) {
            notes.push(format!(
                "the model leaves its input's size open: {columns}×{rows} is what its metadata ({program}) says \
                 (--input-shape takes another)"
            ));
        }
        let (preprocessing, name) = self.preprocessing(&network, size, source.has_photos(), &mut notes)?;
        let order = if channels_last { ", input [N, H, W, C]" } else { "" };
        let preprocess = if source.has_photos() {
            format!("{name} ({}){order}", preprocessing.describe())
        } else {
            format!("tensor (taken as it is){order}")
        };
        let memory = memory_order::settle(&mut network, self.memory_order, source.frames().len())?;
        Ok(Opened { network, source, preprocess, memory, preprocessing, notes })
    }

    /// How photos become input of `[channels, rows, columns]`, and whose word that is.
    fn preprocessing(
        &self,
        network: &Network,
        size: [usize; 3],
        has_photos: bool,
        notes: &mut Vec<String>,
    ) -> Result<(Preprocessing, String), Failure> {
        if let Some(given) = &self.preprocess {
            if has_photos {
                given.preprocessing.fits(size)?;
            }
            return Ok((given.preprocessing.clone(), given.name.clone()));
        }
        if let Some(json) = network.metadata(METADATA_KEY) {
            let stated = Preprocessing::from_metadata(json)?;
            let unfit = |error: InputError| InputError::Metadata { key: METADATA_KEY, problem: error.to_string() };
            stated.fits(size).map_err(unfit)?;
            return Ok((stated, "metadata".to_owned()));
        }
        match network.integers() {
            Some(Integers::Unsigned) => return Ok((Preprocessing::bytes(0.0), "bytes".to_owned())),
            Some(Integers::Signed8) => return Ok((Preprocessing::bytes(128.0), "signed bytes".to_owned())),
            None => {}
        }
        let assumed = match Foreign::read(|key| network.metadata(key), size) {
            Ok(Some(foreign)) => {
                if has_photos {
                    notes.extend(foreign.note);
                }
                return Ok((foreign.preprocessing, format!("metadata of {}", foreign.program)));
            }
            Ok(None) => {
                "the model does not say how photos become its input: --preprocess imagenet is assumed".to_owned()
            }
            Err(problem) => format!(
                "what the model's metadata says of preprocessing cannot be read ({problem}): --preprocess imagenet is \
                 assumed"
            ),
        };
        if has_photos {
            notes.push(assumed);
        }
        Ok((Preprocessing::imagenet(), "imagenet".to_owned()))
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

    /// `f32` or `f64`.
    pub(super) fn precision(&self) -> &'static str {
        if self.precision == Precision::F64 { "f64" } else { "f32" }
    }

    /// `cpu` or `cuda:N`.
    pub(super) fn device(&self) -> String {
        match self.device.0 {
            Device::Cuda(number) => format!("cuda:{number}"),
            _ => "cpu".to_owned(),
        }
    }
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
    /// One image as the network's input, `[1, channels, rows, columns]`, in double precision.
    pub(super) fn read(&self, frame: &Frame, console: &Console) -> Result<Tensor, Failure> {
        input(frame, self.source.read(frame, &self.preprocessing)?, console)
    }

    /// Calls `run` with batches of images, `[images, 1, channels, rows, columns]`, and their frames. The next batch is
    /// read and decoded while `run` is busy.
    pub(super) fn for_batches(
        &self,
        batch: usize,
        console: &Console,
        mut run: impl FnMut(&[Frame], &Tensor) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let (source, preprocessing) = (&self.source, &self.preprocessing);
        thread::scope(|scope| {
            let (send, receive) = mpsc::sync_channel(batch);
            scope.spawn(move || {
                // It ends early where nobody waits any more: the run has failed.
                let _ = source.frames().iter().try_for_each(|frame| send.send(source.read(frame, preprocessing)));
            });
            // Owned here, so that it goes away before the reader is waited for.
            let receive = receive;
            for frames in source.frames().chunks(batch.max(1)) {
                let images = frames.iter().map(|frame| match receive.recv() {
                    Ok(read) => input(frame, read?, console),
                    Err(_) => Err(Failure::new(Status::Defect, "images were read no further; please report this")),
                });
                run(frames, &Tensor::f_stack(&images.collect::<Result<Vec<_>, _>>()?, 0)?)?;
            }
            Ok(())
        })
    }

    /// Per channel, what one unit of the input is in pixel values of 0 to 1; none where some image is a tensor, whose units
    /// nobody knows.
    pub(super) fn pixel_scale(&self) -> Option<Vec<f64>> {
        let photos = self.source.frames().iter().all(|frame| matches!(frame, Frame::Photo(_)));
        let channels = self.network.input().shape.get(1).map_or(1, |&c| c.max(1) as usize);
        photos.then(|| self.preprocessing.pixel_scale(channels))
    }

    /// A photo with `margin` more rows and columns than the input, `[1, channels, rows, columns]`; nothing for a tensor.
    pub(super) fn read_larger(&self, frame: &Frame, margin: usize) -> Result<Option<Tensor>, Failure> {
        let (Frame::Photo(path), [_, c, h, w]) = (frame, &self.network.input().shape[..]) else { return Ok(None) };
        let size = [*c as usize, *h as usize + margin, *w as usize + margin];
        let larger = self.preprocessing.for_larger((*h).max(*w) as usize, size[1].max(size[2]));
        let photo = crate::input::read_photo(path, &larger, size)?;
        let values: Vec<f64> = photo.data.iter().copied().collect();
        Ok(Some(Tensor::f_from_slice(&values)?.f_view([1, size[0] as i64, size[1] as i64, size[2] as i64])?))
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

/// An image that was read as the network's input, `[1, channels, rows, columns]`, in double precision; notes are counted.
fn input(frame: &Frame, (image, notes): (Array3<f64>, Vec<PhotoNote>), console: &Console) -> Result<Tensor, Failure> {
    tracing::debug!(image = %frame.name(), shape = ?image.dim(), "image read");
    if let Frame::Photo(path) = frame {
        console.photo(path, &notes);
    }
    let (c, h, w) = image.dim();
    let values: Vec<f64> = image.iter().copied().collect();
    Ok(Tensor::f_from_slice(&values)?.f_view([1, c as i64, h as i64, w as i64])?)
}

/// Notes and progress on standard error.
pub(super) struct Console {
    bar: ProgressBar,
    quiet: bool,
    photos: RefCell<PhotoNotes>,
}

/// The notes that were told: each is told once, however many steps of a command come upon it.
static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

impl Console {
    /// A bar of `length` `things`, where there is a terminal to draw it on.
    pub(super) fn new(quiet: bool, length: usize, things: &str) -> Self {
        let visible = !quiet && std::io::stderr().is_terminal();
        let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(length as u64), target);
        let template = format!("{{bar:30}} {{pos}}/{{len}} {things}, {{per_sec}}, {{eta}} left {{msg}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, quiet, photos: RefCell::default() }
    }

    /// A note, unless quiet or told before.
    pub(super) fn note(&self, text: &str) {
        let new = TOLD.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned());
        if !self.quiet && new {
            self.bar.suspend(|| eprintln!("note: {text}"));
        }
    }

    /// What had to be done to a photo, which is told when all are read, and of all at once.
    fn photo(&self, path: &Path, notes: &[PhotoNote]) {
        let name =
            path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
        self.photos.borrow_mut().add(&name, notes);
    }

    /// Some more of the things are done.
    pub(super) fn advance(&self, things: u64) {
        self.bar.inc(things);
    }

    /// So many of so many things are done.
    pub(super) fn reach(&self, done: usize, of: usize) {
        self.bar.set_length(of as u64);
        self.bar.set_position(done as u64);
    }

    /// How far the thing in hand is.
    pub(super) fn part(&self, done: usize, of: usize) {
        self.bar.set_message(format!("(node {done}/{of})"));
    }

    /// The bar goes away, and photos' notes are told.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
        self.photos.take().sentences().iter().for_each(|note| self.note(note));
    }
}
