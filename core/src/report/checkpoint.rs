//! Results image by image in a file that grows while a run lasts, so that an interrupted run can go on.
//!
//! The file has one JSON object per line. A line `{"run": ID, "of": …}` states what results belong to: aliascope's
//! version, the command, the model by its hash, and every option that changes a number. A line
//! `{"run": ID, "part": …, "images":
//! […], "result": …}` has what was found on
//! one image, or on the images of one batch, by the hashes of their bytes. Results of several runs, such as those of a
//! study of many networks, may stand in one file: each is found under its own ID, which is a hash of what it belongs
//! to, so that results of different models, options or versions are never mixed.
//!
//! A line that was cut off, as by a kill or a power failure, is not read, and what it had is measured again.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::hash::hash_of;

/// The most time for which results are not yet flushed to the disk; a kill loses none, only the machine's end could.
const FLUSHED: Duration = Duration::from_secs(15);

/// What every line begins with.
const START: &[u8] = br#"{"run":"#;

/// What results belong to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The version of aliascope.
    pub aliascope: String,
    /// The command.
    pub command: String,
    /// The hashes of the model's files.
    pub model: String,
    /// Every option that changes a number, as it took effect.
    pub options: BTreeMap<String, String>,
}

impl Origin {
    /// A short hash of all of it.
    pub fn id(&self) -> String {
        let told = serde_json::to_vec(self).unwrap_or_default();
        hash_of(&told).chars().take(16).collect()
    }

    /// In what another differs, in words.
    pub fn difference(&self, other: &Self) -> String {
        if self.aliascope != other.aliascope {
            return format!("version {} of aliascope", other.aliascope);
        }
        if self.command != other.command {
            return format!("the command {}", other.command);
        }
        if self.model != other.model {
            return "another model".to_owned();
        }
        let mut keys: Vec<&String> = self.options.keys().chain(other.options.keys()).collect();
        keys.sort();
        keys.dedup();
        let differs = keys.into_iter().filter(|key| self.options.get(*key) != other.options.get(*key));
        let told: Vec<String> = differs
            .map(|key| {
                let value = |of: &Self| of.options.get(key).cloned().unwrap_or_else(|| "none".to_owned());
                format!("{key} {} (now {})", value(other), value(self))
            })
            .collect();
        told.join(", ")
    }
}

#[derive(Serialize, Deserialize)]
struct Heading {
    run: String,
    of: Origin,
}

#[derive(Serialize, Deserialize)]
struct Entry<'a> {
    run: String,
    part: String,
    images: Vec<String>,
    names: Vec<String>,
    #[serde(borrow)]
    result: &'a RawValue,
}

/// Where a result stands in the file.
type Place = (u64, usize);

/// The file, and what it has of one run.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    origin: Origin,
    id: String,
    /// The places of this run's results by part and images.
    places: HashMap<String, Place>,
    /// Hashes of images that it has results of.
    images: Vec<String>,
    /// Runs that the file has results of beside this one.
    others: Vec<Origin>,
    /// Lines that are to be written.
    pending: Vec<u8>,
    file: Option<File>,
    /// Not before then, unless it exists.
    begins: Instant,
    flushed: Instant,
}

impl Checkpoint {
    /// Opens the file for results of `origin`, or prepares to make it when `delay` has passed: short runs leave no
    /// file.
    ///
    /// # Errors
    /// When there is a file that cannot be read, or that is no such file.
    pub fn open(path: &Path, origin: Origin, delay: Duration) -> io::Result<Self> {
        let now = Instant::now();
        let mut checkpoint = Self {
            path: path.to_owned(),
            id: origin.id(),
            origin,
            places: HashMap::new(),
            images: Vec::new(),
            others: Vec::new(),
            pending: Vec::new(),
            file: None,
            begins: now + delay,
            flushed: now,
        };
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(metadata) if !metadata.is_file() => {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not an ordinary file"));
            }
            Ok(_) => checkpoint.read()?,
        }
        Ok(checkpoint)
    }

    fn read(&mut self) -> io::Result<()> {
        let mut lines = BufReader::new(File::open(&self.path)?);
        let (mut at, mut line, mut understood, mut foreign) = (0, Vec::new(), false, false);
        loop {
            line.clear();
            let length = lines.read_until(b'\n', &mut line)?;
            if length == 0 {
                break;
            }
            // A line without its end was cut off.
            let known = if line.ends_with(b"\n") {
                self.take(at, &line)
            } else {
                START.starts_with(&line[..length.min(START.len())])
            };
            understood |= known;
            foreign |= !known;
            at += length as u64;
        }
        // Among ours a line may be damaged.
        match foreign && !understood {
            true => Err(io::Error::new(io::ErrorKind::InvalidData, "it holds no results of aliascope's")),
            false => Ok(()),
        }
    }

    /// Notes what a line has; whether it is one of such a file.
    fn take(&mut self, at: u64, line: &[u8]) -> bool {
        if let Ok(entry) = serde_json::from_slice::<Entry<'_>>(line) {
            if entry.run == self.id {
                self.places.insert(place_of(&entry.part, &entry.images), (at, line.len()));
                self.images.extend(entry.images);
            }
            return true;
        }
        match serde_json::from_slice::<Heading>(line) {
            Ok(heading) => {
                if heading.run != self.id && !self.others.contains(&heading.of) {
                    self.others.push(heading.of);
                }
                true
            }
            Err(_) => false,
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file is there.
    pub fn is_begun(&self) -> bool {
        self.file.is_some()
    }

    /// The hashes of the images that it has results of, and of every result of theirs one.
    pub fn images(&self) -> &[String] {
        &self.images
    }

    /// What other results in the file belong to.
    pub fn others(&self) -> &[Origin] {
        &self.others
    }

    /// Takes back what was read: every result is measured again.
    pub fn forget(&mut self) {
        self.places.clear();
        self.images.clear();
    }

    /// The result of this part on these images, if the file has it.
    pub fn find<T: DeserializeOwned>(&self, part: &str, images: &[String]) -> Option<T> {
        let (at, length) = *self.places.get(&place_of(part, images))?;
        let mut file = File::open(&self.path).ok()?;
        let mut line = vec![0; length];
        file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut line)).ok()?;
        let entry: Entry<'_> = serde_json::from_slice(&line).ok()?;
        serde_json::from_str(entry.result.get()).ok()
    }

    /// Adds the result of this part on these images, called `names` for readers.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add<T: Serialize>(&mut self, part: &str, images: &[String], names: &[String], result: &T) -> io::Result<()> {
        let result = serde_json::value::to_raw_value(result)?;
        let (run, part) = (self.id.clone(), part.to_owned());
        let entry = Entry { run, part, images: images.to_vec(), names: names.to_vec(), result: &result };
        serde_json::to_writer(&mut self.pending, &entry)?;
        self.pending.push(b'\n');
        if self.file.is_none() && Instant::now() < self.begins {
            return Ok(());
        }
        self.write()
    }

    /// Writes what is pending in one piece.
    fn write(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(begin(&self.path, &self.id, &self.origin)?),
        };
        file.write_all(&self.pending)?;
        self.pending.clear();
        if self.flushed.elapsed() >= FLUSHED {
            file.sync_data()?;
            self.flushed = Instant::now();
        }
        Ok(())
    }

    /// The run is done: its results are on the disk, or, if `keep` is not set, need not be kept any more.
    ///
    /// # Errors
    /// When the file cannot be written or removed.
    pub fn finish(mut self, keep: bool) -> io::Result<()> {
        if keep {
            self.write()?;
            return self.file.map_or(Ok(()), |file| file.sync_all());
        }
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn place_of(part: &str, images: &[String]) -> String {
    format!("{part} {}", images.join(","))
}

/// Opens the file for more lines, and makes it where it is not there, with a line that says what they belong to.
fn begin(path: &Path, id: &str, origin: &Origin) -> io::Result<File> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let mut heading = Vec::new();
    // What was cut off is not continued.
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            heading.push(b'\n');
        }
    }
    serde_json::to_writer(&mut heading, &Heading { run: id.to_owned(), of: origin.clone() })?;
    heading.push(b'\n');
    file.write_all(&heading)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(units: &str) -> Origin {
        Origin {
            aliascope: "1".to_owned(),
            command: "lee".to_owned(),
            model: hash_of(b"model"),
            options: [("units".to_owned(), units.to_owned())].into(),
        }
    }

    fn images(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| hash_of(name.as_bytes())).collect()
    }

    #[test]
    fn numbers_come_back_to_the_last_bit_and_runs_are_kept_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join("results.jsonl");
        let numbers = [0.1 + 0.2, f64::MIN_POSITIVE / 3.0, -0.0, 1e300 / 7.0];
        let mut first = Checkpoint::open(&path, origin("pixel"), Duration::ZERO).unwrap();
        first.add("", &images(&["a"]), &["a".to_owned()], &numbers).unwrap();
        first.finish(true).unwrap();
        let again = Checkpoint::open(&path, origin("pixel"), Duration::ZERO).unwrap();
        let found: [f64; 4] = again.find("", &images(&["a"])).unwrap();
        assert_eq!(found.map(f64::to_bits), numbers.map(f64::to_bits));
        assert_eq!(again.find::<[f64; 4]>("other", &images(&["a"])), None);
        assert_eq!(again.find::<[f64; 4]>("", &images(&["a", "b"])), None);
        let other = Checkpoint::open(&path, origin("half-width"), Duration::ZERO).unwrap();
        assert_eq!(other.find::<[f64; 4]>("", &images(&["a"])), None);
        assert_eq!(origin("half-width").difference(&other.others()[0]), "units pixel (now half-width)");
    }

    #[test]
    fn what_was_cut_off_anywhere_is_left_out_and_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.jsonl");
        let mut whole = Checkpoint::open(&path, origin("pixel"), Duration::ZERO).unwrap();
        for name in ["a", "b"] {
            whole.add("", &images(&[name]), &[name.to_owned()], &(name, 0.1)).unwrap();
        }
        whole.finish(true).unwrap();
        let bytes = fs::read(&path).unwrap();
        for length in 0..bytes.len() {
            fs::write(&path, &bytes[..length]).unwrap();
            let mut cut = Checkpoint::open(&path, origin("pixel"), Duration::ZERO).unwrap();
            for name in ["a", "b"] {
                if cut.find::<(String, f64)>("", &images(&[name])).is_none() {
                    cut.add("", &images(&[name]), &[name.to_owned()], &(name, 0.1)).unwrap();
                }
            }
            cut.finish(true).unwrap();
            let fixed = Checkpoint::open(&path, origin("pixel"), Duration::ZERO).unwrap();
            for name in ["a", "b"] {
                let found: (String, f64) = fixed.find("", &images(&[name])).unwrap();
                assert_eq!(found, (name.to_owned(), 0.1), "{length}");
            }
        }
    }

    #[test]
    fn short_runs_leave_no_file_and_other_files_are_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.jsonl");
        let mut short = Checkpoint::open(&path, origin("pixel"), Duration::from_secs(3600)).unwrap();
        short.add("", &images(&["a"]), &["a".to_owned()], &1.5).unwrap();
        assert!(!path.exists() && !short.is_begun());
        short.finish(false).unwrap();
        for text in ["a letter\nto somebody\n", "a letter", "\n\n"] {
            fs::write(&path, text).unwrap();
            assert!(Checkpoint::open(&path, origin("pixel"), Duration::ZERO).is_err(), "{text}");
        }
    }
}
