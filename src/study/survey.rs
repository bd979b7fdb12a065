//! Runs a study: every network on every image of every set, into its store, from where it stopped.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tch::Device;

use super::batch::{Batch, ImagePlace};
use super::failure::FailureRow;
use super::loaded::{Loaded, Meter};
use super::models::{ListedModel, Origin};
use super::photos::Photos;
use super::settings::{SetEntry, Study, StudyError};
use super::shard::Shard;
use super::store::{ImageIds, Store};
use super::store_error::StoreError;
use crate::input::{Frame, InputError, LabelSource, Labels, Source};
use crate::measure::run::Skipped;

/// Rows that are written together.
const ROWS: usize = 300;
/// What has been found for so long is written, however few rows.
const OFTEN: Duration = Duration::from_secs(10);
/// Photos that wait for the network.
const AHEAD: usize = 4;

/// Why a study ended before its end. What was measured is in the store.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// Its settings.
    #[error(transparent)]
    Study(#[from] StudyError),
    /// Its store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its sets of images.
    #[error("the set '{set}': {source}")]
    Set {
        /// Which.
        set: String,
        /// What is wrong.
        source: InputError,
    },
}

/// How a study is run.
pub struct SurveyOptions<'a> {
    /// What computes.
    pub device: Device,
    /// Which share of the work.
    pub shard: Option<Shard>,
    /// Bytes of photos that are kept decoded.
    pub photos: u64,
    /// Gives the file of a network of timm, exported now where it is not there, or says why not.
    pub timm: &'a dyn Fn(&str) -> Result<PathBuf, String>,
}

/// What is told of a run.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// So many measurements are to be made, of so many.
    Begun {
        /// How many.
        left: usize,
        /// All that are in this share of the work.
        of: usize,
    },
    /// A network is begun.
    Network(&'a str),
    /// So many measurements were made, or cannot be.
    Advanced(usize),
    /// Something could not be measured.
    Failed(&'a FailureRow),
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Measurements that this run made.
    pub measured: usize,
    /// What it could not measure.
    pub failures: Vec<FailureRow>,
}

/// A set of images, listed.
struct Listed<'a> {
    entry: &'a SetEntry,
    photos: Vec<Listing>,
    ids: ImageIds,
}

struct Listing {
    path: PathBuf,
    /// As the store has it: from the folder of STUDY.toml.
    name: String,
    label: Option<i64>,
}

/// Runs what is left of a study.
///
/// # Errors
/// Its settings, sets or store do not allow it. A network or photo that fails is none: the summary has it.
pub fn survey(
    study: &Study,
    path: &Path,
    store: &mut Store,
    options: &SurveyOptions<'_>,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<Summary, SurveyError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let models = study.models(path)?;
    let mut summary = Summary::default();
    let networks = store.enter_networks(&models)?;
    let mut sets = Vec::new();
    for entry in &study.set {
        sets.push(list(entry, folder, store, &mut summary, tell)?);
    }
    let pieces = |model: usize| {
        let shard = options.shard;
        (0..sets.len()).filter(move |set| shard.is_none_or(|shard| shard.has(model * study.set.len() + set)))
    };
    let done = networks.iter().map(|id| store.done(*id)).collect::<Result<Vec<_>, _>>()?;
    let left = |model: usize, set: usize| {
        let of: &Listed<'_> = &sets[set];
        of.photos.iter().filter(|photo| !done[model].contains(&of.ids[&photo.name])).count()
    };
    let all: Vec<(usize, usize)> =
        (0..models.len()).flat_map(|model| pieces(model).map(move |set| (model, set))).collect();
    let of = all.iter().map(|(_, set)| sets[*set].photos.len()).sum();
    tell(Event::Begun { left: all.iter().map(|(model, set)| left(*model, *set)).sum(), of });
    let photos = Photos::new(options.photos);
    for (at, model) in models.iter().enumerate() {
        let todo: Vec<&Listed<'_>> = pieces(at).filter(|set| left(at, *set) > 0).map(|set| &sets[set]).collect();
        if todo.is_empty() {
            continue;
        }
        tell(Event::Network(&model.name));
        let mut run =
            Run { store, model, network: networks[at], done: &done[at], photos: &photos, tell, summary: &mut summary };
        if let Err(stop) = run.all(study, folder, options, &todo) {
            match stop {
                Stop::Network(problem) => {
                    let left = todo.iter().map(|set| run.left(set).count()).sum();
                    run.fail(None, None, problem)?;
                    (run.tell)(Event::Advanced(left));
                }
                Stop::Store(error) => return Err(error.into()),
            }
        }
    }
    Ok(summary)
}

/// Lists a set, enters it, and writes down which of its photos are none.
fn list<'a>(
    entry: &'a SetEntry,
    folder: &Path,
    store: &mut Store,
    summary: &mut Summary,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<Listed<'a>, SurveyError> {
    let wrong = |source: InputError| SurveyError::Set { set: entry.name.clone(), source };
    // Photos alone: their size counts nothing.
    let mut source = Source::open(&entry.paths(folder)?, [3, 1, 1]).map_err(wrong)?;
    let bad = source.sift();
    if let Some(limit) = entry.limit {
        source.sample(limit, entry.seed);
    }
    let name = |path: &Path| path.strip_prefix(folder).unwrap_or(path).display().to_string();
    let labels = match entry.label_source(folder) {
        Some(labels) => {
            let classes = known_classes(&labels, source.listed());
            Labels::read(&labels, source.listed(), classes, entry.first_label).map_err(wrong)?
        }
        None => Labels::default(),
    };
    let mut photos = Vec::new();
    for frame in source.frames() {
        let Frame::Photo(path) = frame else {
            let problem = "a study takes photos, not tensors".to_owned();
            return Err(wrong(InputError::Image { path: frame.path().to_owned(), problem }));
        };
        let label = labels.of(frame).map(|class| class as i64);
        photos.push(Listing { path: path.clone(), name: name(path), label });
    }
    if photos.is_empty() {
        let problem = "it has no photo that can be read".to_owned();
        let first = bad.into_iter().next().map(|(_, error)| error);
        return Err(wrong(first.unwrap_or(InputError::Image { path: folder.to_owned(), problem })));
    }
    let entered: Vec<(String, Option<i64>)> = photos.iter().map(|photo| (photo.name.clone(), photo.label)).collect();
    let ids = store.enter_set(&entry.name, entry.role, &entry.setting(), &entered)?;
    for (frame, error) in bad {
        let failure = FailureRow {
            network: None,
            image_set: Some(entry.name.clone()),
            image: Some(name(frame.path())),
            problem: Skipped::new(&frame, &error).reason,
        };
        store.fail(&failure)?;
        tell(Event::Failed(&failure));
        summary.failures.push(failure);
    }
    Ok(Listed { entry, photos, ids })
}

/// How many classes labels are of: as many as there may be, unless folders are called by names, of which each is one.
fn known_classes(labels: &LabelSource, frames: &[Frame]) -> usize {
    let folder = |frame: &Frame| Some(frame.path().parent()?.file_name()?.to_string_lossy().into_owned());
    let folders: BTreeSet<String> = frames.iter().filter_map(folder).collect();
    match labels {
        LabelSource::Folders if !folders.iter().all(|name| name.parse::<i64>().is_ok()) => folders.len(),
        _ => i32::MAX as usize,
    }
}

/// What ends a network.
enum Stop {
    /// It fails.
    Network(String),
    /// The whole study does.
    Store(StoreError),
}

impl From<String> for Stop {
    fn from(problem: String) -> Self {
        Self::Network(problem)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// One network's turn.
struct Run<'a> {
    store: &'a mut Store,
    model: &'a ListedModel,
    network: i64,
    done: &'a BTreeSet<i64>,
    photos: &'a Photos,
    tell: &'a mut dyn FnMut(Event<'_>),
    summary: &'a mut Summary,
}

impl Run<'_> {
    fn left<'s>(&self, set: &'s Listed<'_>) -> impl Iterator<Item = &'s Listing> {
        let done = self.done;
        set.photos.iter().filter(move |photo| !done.contains(&set.ids[&photo.name]))
    }

    fn fail(&mut self, set: Option<&str>, image: Option<(&str, bool)>, problem: String) -> Result<(), StoreError> {
        // An image that cannot be read fails by itself, whichever network it is for.
        let alone = image.is_some_and(|(_, alone)| alone);
        let failure = FailureRow {
            network: (!alone).then(|| self.model.name.clone()),
            image_set: set.map(str::to_owned),
            image: image.map(|(image, _)| image.to_owned()),
            problem,
        };
        if !self.summary.failures.contains(&failure) {
            self.store.fail(&failure)?;
            (self.tell)(Event::Failed(&failure));
            self.summary.failures.push(failure);
        }
        Ok(())
    }

    fn all(
        &mut self,
        study: &Study,
        folder: &Path,
        options: &SurveyOptions<'_>,
        sets: &[&Listed<'_>],
    ) -> Result<(), Stop> {
        let path = match &self.model.origin {
            Origin::File(path) => folder.join(path),
            Origin::Timm(name) => (options.timm)(name)?,
        };
        // tch panics on what libtorch refuses behind a number.
        let loaded = crate::graph::caught::caught(|| {
            Loaded::open(self.model, &path, &study.measure, options.device).map_err(Refused::Said)
        });
        let mut loaded = loaded.map_err(Refused::words)?;
        loaded.facts.action = loaded.meter(&study.measure)?.action();
        let facts = loaded.facts.clone();
        let mut meter = loaded.meter(&study.measure)?;
        match self.store.describe_network(self.network, &self.model.name, &facts) {
            // It is another network now: its rows stay those of the one that it was.
            Err(error @ StoreError::Setting { .. }) => return Err(Stop::Network(error.to_string())),
            other => other?,
        }
        self.store.succeed(&self.model.name)?;
        self.photos.begin(&loaded.way);
        for set in sets {
            self.set(&loaded, &mut meter, set)?;
        }
        Ok(())
    }

    fn set(&mut self, loaded: &Loaded, meter: &mut Meter<'_>, set: &Listed<'_>) -> Result<(), Stop> {
        let listings: Vec<&Listing> = self.left(set).collect();
        let (classes, offset) = (meter.classes(), self.model.class_offset);
        if let Some(classes) = classes {
            let fits = |label: i64| usize::try_from(label + offset).is_ok_and(|class| class < classes);
            if let Some((photo, label)) =
                listings.iter().find_map(|photo| Some((photo, photo.label.filter(|l| !fits(*l))?)))
            {
                return Err(Stop::Network(format!(
                    "{} has the class {} in the set '{}', counted from 0, and the network has {classes} classes; set \
                     first_label or class_offset, or leave labels out",
                    photo.name, label, set.entry.name
                )));
            }
        }
        let hashes = self.store.hashes()?;
        let mut batch = Batch::default();
        let mut written = Instant::now();
        let (photos, way) = (self.photos, &loaded.way);
        thread::scope(|scope| {
            let (send, receive) = mpsc::sync_channel(AHEAD);
            let ahead = listings.clone();
            scope.spawn(move || {
                // It ends early where nobody waits any more.
                ahead.iter().all(|listing| send.send(photos.get(&listing.path, way)).is_ok());
            });
            // Owned here, so that it goes away before the reader is waited for.
            let receive = receive;
            for listing in listings {
                let Ok(read) = receive.recv() else {
                    return Err(Stop::Network("photos were read no further; please report this".to_owned()));
                };
                let id = set.ids[&listing.name];
                match read {
                    Err(error) if !error.leaves_others() => return Err(Stop::Network(error.to_string())),
                    Err(error) => {
                        let problem = Skipped::new(&Frame::Photo(listing.path.clone()), &error).reason;
                        self.fail(Some(&set.entry.name), Some((&listing.name, true)), problem)?;
                    }
                    Ok(photo) if hashes.get(&id).is_some_and(|hash| *hash != photo.hash) => {
                        let problem = "its bytes are others than when it was measured before".to_owned();
                        self.fail(Some(&set.entry.name), Some((&listing.name, true)), problem)?;
                    }
                    Ok(photo) => {
                        let found = crate::graph::caught::caught(|| {
                            meter.measure(&listing.path, &listing.name, &photo).map_err(Refused::Said)
                        });
                        match found {
                            Err(refused) => {
                                self.fail(Some(&set.entry.name), Some((&listing.name, false)), refused.words())?;
                            }
                            Ok(found) => {
                                let right = |class: usize| {
                                    listing.label.map(|label| usize::try_from(label + offset) == Ok(class))
                                };
                                let is_right = found.class.and_then(right);
                                let place =
                                    ImagePlace { id, set: &set.entry.name, name: &listing.name, hash: &photo.hash };
                                batch.push((self.network, &self.model.name), &place, is_right, found);
                                self.summary.measured += 1;
                            }
                        }
                    }
                }
                (self.tell)(Event::Advanced(1));
                if batch.rows() >= ROWS || written.elapsed() >= OFTEN {
                    self.store.add(&std::mem::take(&mut batch))?;
                    written = Instant::now();
                }
            }
            Ok(())
        })?;
        if !batch.is_empty() {
            self.store.add(&batch)?;
        }
        Ok(())
    }
}

/// A refusal of libtorch, or a sentence.
enum Refused {
    Said(String),
    Torch(tch::TchError),
}

impl From<tch::TchError> for Refused {
    fn from(error: tch::TchError) -> Self {
        Self::Torch(error)
    }
}

impl Refused {
    fn words(self) -> String {
        match self {
            Self::Said(words) => words,
            Self::Torch(error) => crate::graph::in_words(&error),
        }
    }
}
