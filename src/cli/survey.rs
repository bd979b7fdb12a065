//! `aliascope survey`: studies of many networks.

use std::cell::RefCell;
use std::io::IsTerminal;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand, ValueHint};

use super::memory_format::cache;
use super::network::{Console, set_threads, usable};
use super::{Failure, Status};
use crate::measure::run::{self, Origin, counted};
use crate::memory;
use crate::report::{duration, study_html};
use crate::study::claims::study_report;
use crate::study::class_offset::class_doubts;
use crate::study::failure::FailureRow;
use crate::study::settings::Study;
use crate::study::shard::Shard;
use crate::study::status::StudyStatus;
use crate::study::store::{RunHeader, Store};
use crate::study::store_error::StoreError;
use crate::study::survey::{Event, SurveyError, SurveyOptions, survey};
use aliascope_core::cli::outputs::{FigureName, OutputArgs, Outputs, shown};
use aliascope_core::cli::signals::say_again;

/// Measure many networks on many images into one file that is kept: run a study, look at it, merge its parts.
#[derive(Debug, Args)]
pub struct SurveyArgs {
    #[command(subcommand)]
    command: SurveyCommand,
}

#[derive(Debug, Subcommand)]
enum SurveyCommand {
    /// Run a study, or what is left of it.
    Run(RunArgs),
    /// Say how far a study is, also while it runs.
    Status(StatusArgs),
    /// Merge the files of parts of one study.
    Merge(MergeArgs),
    /// Say what a study comes to: conclusions, tables, figures, a page.
    Report(ReportArgs),
}

#[derive(Debug, Args)]
struct RunArgs {
    /// The study: its networks, its sets of images, and what is measured (docs/survey.md).
    #[arg(value_name = "STUDY.toml", value_hint = ValueHint::FilePath)]
    study: PathBuf,
    /// The file of results; one that is there is gone on with.
    #[arg(long, value_name = "FILE.db")]
    into: PathBuf,
    /// The Kth of N shares of the work alone.
    #[arg(long, value_name = "K/N")]
    shard: Option<Shard>,
    /// cpu, cuda or cuda:N.
    #[arg(long, default_value = "cpu")]
    device: run::Device,
    /// Threads for libtorch [default: all cores].
    #[arg(long)]
    threads: Option<NonZeroU16>,
    /// Memory for decoded photos, in MiB [default: a quarter of what the system says is free].
    #[arg(long, value_name = "MIB")]
    photos: Option<u64>,
    /// The Python that exports networks of timm, where the study has any.
    #[arg(long, default_value = "python3", value_name = "PROGRAM")]
    python: String,
    /// No progress, no notes.
    #[arg(long)]
    quiet: bool,
}

#[derive(Debug, Args)]
struct StatusArgs {
    /// The file of results.
    #[arg(value_name = "FILE.db", value_hint = ValueHint::FilePath)]
    store: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
struct ReportArgs {
    /// The file of results.
    #[arg(value_name = "FILE.db", value_hint = ValueHint::FilePath)]
    store: PathBuf,
    /// Write one page with everything, which needs nothing else.
    #[arg(long, value_name = "FILE.html", help_heading = "Results")]
    html: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
struct MergeArgs {
    /// Files of parts of one study.
    #[arg(required = true, num_args = 1.., value_name = "FILE.db")]
    parts: Vec<PathBuf>,
    /// The file that takes them all in; it may be there already.
    #[arg(long, value_name = "FILE.db")]
    into: PathBuf,
}

/// Runs the subcommand.
pub fn run(args: &SurveyArgs) -> Result<(), Failure> {
    match &args.command {
        SurveyCommand::Run(args) => run_study(args),
        SurveyCommand::Status(args) => status(args),
        SurveyCommand::Merge(args) => merge(args),
        SurveyCommand::Report(args) => report(args),
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let status = match error {
            StoreError::Setting { .. } | StoreError::Contradicts { .. } => Status::Usage,
            StoreError::Foreign { .. } => Status::Input,
            _ => Status::Output,
        };
        Self::new(status, error.to_string())
    }
}

impl From<crate::study::settings::StudyError> for Failure {
    fn from(error: crate::study::settings::StudyError) -> Self {
        let status = match error {
            crate::study::settings::StudyError::Read { .. } => Status::Input,
            crate::study::settings::StudyError::Wrong { .. } => Status::Usage,
        };
        Self::new(status, error.to_string())
    }
}

impl From<SurveyError> for Failure {
    fn from(error: SurveyError) -> Self {
        match error {
            SurveyError::Study(error) => error.into(),
            SurveyError::Store(error) => error.into(),
            SurveyError::Set { .. } => Self::new(Status::Input, error.to_string()),
        }
    }
}

fn run_study(args: &RunArgs) -> Result<(), Failure> {
    let study = Study::read(&args.study)?;
    if let Some(threads) = args.threads {
        set_threads(threads)?;
    }
    let device = usable(args.device)?;
    let mut settings = study.measure.settings();
    settings.insert("aliascope".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    let mut store = Store::open(&args.into, &settings)?;
    say_again();
    let origin = Origin::here();
    let header = RunHeader {
        began: origin.time,
        command: origin.command.join(" "),
        device: args.device.to_string(),
        threads: usize::try_from(tch::get_num_threads()).unwrap_or(0),
        shard: args.shard.map(|shard| shard.to_string()),
    };
    store.begin(&header, env!("CARGO_PKG_VERSION"))?;
    let free = || memory::available().map_or(1 << 30, |free| free / 4);
    let options = SurveyOptions {
        device,
        shard: args.shard,
        photos: args.photos.map_or_else(free, |mib| mib.saturating_mul(1 << 20)),
        timm: &|name| exported(&args.python, name, args.quiet),
    };
    let teller = RefCell::new(Teller::new(args.quiet));
    let summary = survey(&study, &args.study, &mut store, &options, &mut |event| teller.borrow_mut().tell(&event))?;
    teller.borrow().finish();
    let failures = store.failures()?;
    if !args.quiet {
        for doubt in class_doubts(&store)? {
            eprintln!("note: {doubt}");
        }
        let into = args.into.display();
        let measured = counted(summary.measured, "measurement");
        eprintln!("note: {measured} added to {into}; `aliascope survey report {into}` says what they come to");
    }
    failed(&failures)
}

/// The end of a study that did its work: of its own status where something could not be measured.
fn failed(failures: &[FailureRow]) -> Result<(), Failure> {
    const NAMED: usize = 20;
    if failures.is_empty() {
        return Ok(());
    }
    let networks = failures.iter().filter(|failure| failure.network.is_some()).count();
    let photos = failures.len() - networks;
    let message = format!(
        "not everything could be measured: {} of networks, {} of photos by themselves; the store lists them, and the same \
         command tries them again",
        counted(networks, "failure"),
        photos
    );
    let mut lines: Vec<String> = failures.iter().take(NAMED).map(FailureRow::sentence).collect();
    if failures.len() > NAMED {
        lines.push(format!("and {} more", failures.len() - NAMED));
    }
    Err(Failure::listing(Status::Skipped, message, lines))
}

fn status(args: &StatusArgs) -> Result<(), Failure> {
    let outputs = Outputs::claim(&args.output, &[])?;
    let status = StudyStatus::of(&Store::read(&args.store)?, Origin::here())?;
    Ok(outputs.write(&status, &(), false)?)
}

/// LEE against accuracy or size; against size beside it; other images.
const FIGURES: [FigureName; 3] = [("", None), ("size", None), ("sets", None)];

fn report(args: &ReportArgs) -> Result<(), Failure> {
    let mut outputs = Outputs::claim(&args.output, &FIGURES)?;
    let html = outputs.another(args.html.as_ref())?;
    let report = study_report(&Store::read(&args.store)?, Origin::here())?;
    if let Some(file) = html {
        outputs.fill(file, study_html(&shown(&report)?)?.into_bytes());
    }
    Ok(outputs.write(&report, &(), false)?)
}

fn merge(args: &MergeArgs) -> Result<(), Failure> {
    let Some(first) = args.parts.first() else { return Ok(()) };
    let settings = Store::read(first)?.settings()?;
    let is_new = !args.into.exists();
    let mut store = Store::open(&args.into, &settings)?;
    for part in &args.parts {
        if let Err(error) = store.merge(part) {
            // A file that is there holds all of the parts that it was made of.
            if is_new {
                drop(store);
                let _ = std::fs::remove_file(&args.into);
            }
            return Err(error.into());
        }
    }
    Ok(())
}

/// The ONNX file of a network of timm with its published weights: kept in the cache, exported where it is not there.
fn exported(python: &str, name: &str, quiet: bool) -> Result<PathBuf, String> {
    let folder = cache().ok_or("there is no cache folder for networks of timm; set ALIASCOPE_CACHE")?.join("timm");
    std::fs::create_dir_all(&folder).map_err(|error| format!("{} cannot be made: {error}", folder.display()))?;
    let file = folder.join(format!("{}.onnx", name.replace(['/', '\\', ':'], "-")));
    if file.exists() {
        return Ok(file);
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/export.py");
    // Two shares of the work may need one network at once: each writes its own file, and the last one stays.
    let own = file.with_extension(format!("{}.onnx", std::process::id()));
    let mut command = Command::new(python);
    command.arg(&script).args([&format!("timm:{name}"), "--pretrained"]).arg(&own);
    let said = command.output().map_err(|error| format!("{python} cannot be run: {error}"))?;
    if !said.status.success() {
        let words = String::from_utf8_lossy(&said.stderr);
        let last = words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it ended without a word");
        return Err(format!("timm:{name} cannot be exported by {}: {last}", script.display()));
    }
    if !quiet {
        eprintln!("note: timm:{name} is kept as {}", file.display());
    }
    std::fs::rename(&own, &file).map_err(|error| format!("{} cannot be written: {error}", file.display()))?;
    Ok(file)
}

/// Progress: a bar on a terminal, else a line every so often.
struct Teller {
    console: Console,
    lines: bool,
    begun: Instant,
    told: Instant,
    left: usize,
    done: usize,
    network: String,
}

impl Teller {
    /// Between lines.
    const EVERY: Duration = Duration::from_secs(30);

    fn new(quiet: bool) -> Self {
        let now = Instant::now();
        let lines = !quiet && !std::io::stderr().is_terminal();
        let console = Console::new(quiet, 0, "measurements");
        Self { console, lines, begun: now, told: now, left: 0, done: 0, network: String::new() }
    }

    fn tell(&mut self, event: &Event<'_>) {
        match event {
            Event::Begun { left, of } => {
                self.left = *left;
                self.console.reach(0, *left);
                if left < of {
                    let done = counted(of - left, "measurement");
                    self.console.note(&format!("{done} of {of} are there from before"));
                }
            }
            Event::Network(name) => self.network = (*name).to_owned(),
            Event::Advanced(more) => {
                self.done += more;
                self.console.advance(*more as u64);
                if self.lines && self.told.elapsed() >= Self::EVERY {
                    self.told = Instant::now();
                    let each = self.begun.elapsed().as_secs_f64() / self.done.max(1) as f64;
                    let left = each * self.left.saturating_sub(self.done) as f64;
                    eprintln!("{} of {}, {} left, at {}", self.done, self.left, duration(left), self.network);
                }
            }
            Event::Failed(failure) => self.console.note(&failure.sentence()),
        }
    }

    fn finish(&self) {
        self.console.finish();
    }
}
