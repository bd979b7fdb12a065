//! Going on where an interrupted run stopped: the options of commands that measure image by image, and their
//! checkpoint.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::Args;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::batch::Batch;
use super::measuring::MeasuringArgs;
use super::memory_format::cache;
use super::network::{Console, Opened};
use super::{Failure, Status};
use aliascope_core::cli::signals::say_resume;

use crate::measure::run::counted;
use crate::report::{Checkpoint, Origin, OutputFile};

/// How a run that was interrupted goes on.
#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// Go on where the same command was interrupted: images that were measured then are not measured again.
    #[arg(long)]
    resume: bool,
    /// Keep results image by image in this file, for --resume; results of several runs may share it [default: a file in
    /// the cache that goes away when the run is done].
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
}

/// A run in the cache is not checkpointed before: short ones leave no file.
const BEGINS: Duration = Duration::from_secs(10);
/// What was interrupted and not resumed for so long is removed from the cache.
const KEPT: Duration = Duration::from_secs(60 * 60 * 24 * 60);

/// What a run has measured so far, where it is kept.
pub(super) struct Progress<'a> {
    checkpoint: Option<Checkpoint>,
    known: HashSet<String>,
    /// Whether the file outlives the run.
    keep: bool,
    console: &'a Console,
    /// Keeps other outputs from the file.
    _claim: Option<OutputFile>,
}

impl<'a> Progress<'a> {
    /// Opens the checkpoint of a run of `command` with these options.
    ///
    /// # Errors
    /// When the file that was named cannot be used.
    pub(super) fn open(
        args: &ResumeArgs,
        command: &str,
        opened: &Opened,
        options: Options,
        console: &'a Console,
    ) -> Result<Self, Failure> {
        let none = Self { checkpoint: None, known: HashSet::new(), keep: false, console, _claim: None };
        // Of what the header says, its time and command line change no number.
        let of = &opened.header().model;
        let model = std::iter::once(&of.sha256).chain(&of.weights_sha256).map(String::as_str).collect();
        let origin = Origin {
            aliascope: env!("CARGO_PKG_VERSION").to_owned(),
            command: command.to_owned(),
            model,
            options: options.0,
        };
        let (path, claim) = match &args.checkpoint {
            Some(path) => {
                if path.exists() && !args.resume {
                    let problem = "exists; go on with it by --resume, or give another name";
                    return Err(Failure::new(Status::Output, format!("{} {problem}", path.display())));
                }
                (path.clone(), Some(OutputFile::claim(path, true)?))
            }
            None => match cache() {
                Some(folder) => {
                    let folder = folder.join("checkpoints");
                    remove_old(&folder);
                    (folder.join(format!("{command}-{}.jsonl", origin.id())), None)
                }
                None => return Ok(none),
            },
        };
        let delay = if claim.is_some() { Duration::ZERO } else { BEGINS };
        let mut checkpoint = match Checkpoint::open(&path, origin.clone(), delay) {
            Ok(checkpoint) => checkpoint,
            Err(error) if claim.is_some() => {
                let message = format!("{} is no checkpoint: {error}; give another name", path.display());
                return Err(Failure::new(Status::Output, message));
            }
            Err(_) => return Ok(none),
        };
        let known: HashSet<String> = checkpoint.images().iter().cloned().collect();
        match (args.resume, known.is_empty()) {
            (true, true) => console.note(&nothing_to_resume(&checkpoint, &origin, claim.is_some())),
            (true, false) => {
                console.note(&format!("{} holds results of {}", path.display(), counted(known.len(), "image")))
            }
            (false, true) => {}
            (false, false) => {
                console.note(&format!(
                    "this command was interrupted before, after {}: --resume goes on from there",
                    counted(known.len(), "image")
                ));
                checkpoint.forget();
            }
        }
        let known = if args.resume { known } else { HashSet::new() };
        Ok(Self { checkpoint: Some(checkpoint), known, keep: claim.is_some(), console, _claim: claim })
    }

    /// The hashes of images of which there are results.
    pub(super) fn known(&self) -> HashSet<String> {
        self.known.clone()
    }

    /// What an earlier run found of this part on a batch, or what `measure` finds now, which is kept.
    ///
    /// # Errors
    /// Those of `measure`.
    pub(super) fn recall<T: Serialize + DeserializeOwned>(
        &mut self,
        part: &str,
        batch: &Batch<'_>,
        measure: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let hashes = batch.hashes();
        if let Some(found) = self.checkpoint.as_ref().and_then(|checkpoint| checkpoint.find(part, &hashes)) {
            return Ok(found);
        }
        let found = measure()?;
        if let Some(checkpoint) = &mut self.checkpoint {
            match checkpoint.add(part, &hashes, &batch.names(), &found) {
                Ok(()) if checkpoint.is_begun() => say_resume(),
                Ok(()) => {}
                Err(error) => {
                    let place = checkpoint.path().display();
                    self.console.note(&format!(
                        "{place} cannot be written ({error}): if this run is interrupted, it begins anew"
                    ));
                    self.checkpoint = None;
                }
            }
        }
        Ok(found)
    }

    /// The results are written: what was kept in the cache goes away.
    pub(super) fn finish(self) {
        if let Some(checkpoint) = self.checkpoint {
            let path = checkpoint.path().display().to_string();
            if let Err(error) = checkpoint.finish(self.keep) {
                self.console.note(&format!("{path} cannot be written or removed ({error})"));
            }
        }
    }
}

/// Why a run that was to go on begins anew.
fn nothing_to_resume(checkpoint: &Checkpoint, origin: &Origin, is_given: bool) -> String {
    let mut others = checkpoint.others().to_vec();
    if !is_given {
        // Runs in the cache have a file each.
        let files = checkpoint.path().parent().and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten();
        for path in files.flatten().map(|entry| entry.path()) {
            if let Ok(other) = Checkpoint::open(&path, origin.clone(), BEGINS) {
                others.extend_from_slice(other.others());
            }
        }
    }
    // What differs least is what was meant.
    let differing = |other: &Origin| {
        let options = other.options.iter().filter(|(key, value)| origin.options.get(*key) != Some(*value)).count();
        (other.model != origin.model, other.command != origin.command, other.aliascope != origin.aliascope, options)
    };
    match others.into_iter().min_by_key(differing) {
        Some(other) => format!(
            "there is nothing to resume: what was interrupted is of {}, so every image is measured",
            origin.difference(&other)
        ),
        None => "there is nothing to resume, so every image is measured".to_owned(),
    }
}

fn remove_old(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let modified = entry.metadata().and_then(|metadata| metadata.modified()).ok();
        let age = modified.and_then(|modified| SystemTime::now().duration_since(modified).ok());
        if age.is_some_and(|age| age > KEPT) {
            // Another run may have been faster.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The options that change a number, by name.
pub(super) struct Options(BTreeMap<String, String>);

impl Options {
    /// Those of the network and its images.
    pub(super) fn of(opened: &Opened, batch: usize) -> Self {
        let (value, run) = (opened.network.output(), opened.header());
        Self(BTreeMap::new())
            .with("preprocess", &run.images.preprocess)
            .with("input", format!("{:?}", opened.network.input().shape))
            .with("measured", format!("{} {:?}", value.name, value.shape))
            .with("precision", run.arithmetic())
            .with("device", run.device)
            .with("threads", tch::get_num_threads())
            .with("memory-format", opened.network.memory_format())
            .with("batch", batch)
    }

    /// And how Lie derivatives are taken.
    pub(super) fn measuring(self, measuring: &MeasuringArgs) -> Self {
        self.with("derivative", measuring.derivative)
            .with("boundary", measuring.boundary)
            .with("grid", measuring.grid)
            .with("units", measuring.units)
            .with("output", format!("{:?}", measuring.output))
            .with("action", format!("{:?}", measuring.action))
    }

    /// And this one.
    pub(super) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.0.insert(name.to_owned(), value.to_string());
        self
    }
}
