//! The output files that this process has claimed and not yet written: no two of them may be one file, nor one of them
//! an input.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::output_error::OutputError;

/// What tells files of different names apart, or not: links have one identity.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Identity {
    #[cfg(unix)]
    Inode(u64, u64),
    #[cfg(not(unix))]
    Path(PathBuf),
}

impl Identity {
    /// Of the file that is there now, behind links. Good for the moment alone: once a file is replaced or deleted, the
    /// next new one may have its number.
    #[cfg(unix)]
    fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(path).ok().map(|metadata| Self::Inode(metadata.dev(), metadata.ino()))
    }

    #[cfg(not(unix))]
    fn of(path: &Path) -> Option<Self> {
        fs::canonicalize(path).ok().map(Self::Path)
    }
}

#[derive(Debug)]
struct Entry {
    number: u64,
    /// As it was given.
    given: PathBuf,
    /// With its folder's links resolved, or those of the nearest folder that is there.
    resolved: PathBuf,
}

impl Entry {
    /// Of the file that it will replace, or has just replaced.
    fn identity(&self) -> Option<Identity> {
        Identity::of(&self.resolved)
    }
}

#[derive(Debug)]
struct Claims {
    next: u64,
    entries: Vec<Entry>,
}

static CLAIMS: Mutex<Claims> = Mutex::new(Claims { next: 0, entries: Vec::new() });

fn claims() -> MutexGuard<'static, Claims> {
    CLAIMS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A claim while it lasts.
#[derive(Debug)]
pub(super) struct Claim(u64);

impl Claim {
    /// Claims the file `path`.
    ///
    /// # Errors
    /// When it is claimed already, under this name or another.
    pub fn new(path: &Path) -> Result<Self, OutputError> {
        let resolved = resolved(path);
        let mut claims = claims();
        let identity = Identity::of(&resolved);
        let same = |entry: &&Entry| entry.resolved == resolved || (identity.is_some() && entry.identity() == identity);
        if let Some(other) = claims.entries.iter().find(same) {
            return Err(OutputError::Twice { path: path.to_owned(), other: other.given.clone() });
        }
        let number = claims.next;
        claims.next += 1;
        claims.entries.push(Entry { number, given: path.to_owned(), resolved });
        Ok(Self(number))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        claims().entries.retain(|entry| entry.number != self.0);
    }
}

/// Refuses claimed outputs that are an input, or a link to one: whoever forces an output does not mean to lose a photo.
///
/// # Errors
/// At the first input that is claimed as an output.
pub fn refuse_inputs<'a>(inputs: impl IntoIterator<Item = &'a Path>) -> Result<(), OutputError> {
    let claims = claims();
    let existing: Vec<(&Entry, Identity)> =
        claims.entries.iter().filter_map(|entry| Some((entry, entry.identity()?))).collect();
    if existing.is_empty() {
        return Ok(());
    }
    for input in inputs {
        let Some(identity) = Identity::of(input) else { continue };
        if let Some((entry, _)) = existing.iter().find(|(_, claimed)| *claimed == identity) {
            return Err(OutputError::IsInput { path: entry.given.clone(), input: input.to_owned() });
        }
    }
    Ok(())
}

fn resolved(path: &Path) -> PathBuf {
    let mut rest: Vec<OsString> = Vec::new();
    let mut ancestor = path;
    loop {
        // The folder of a bare name is the current one.
        let looked_at = if ancestor.as_os_str().is_empty() { Path::new(".") } else { ancestor };
        if let Ok(found) = fs::canonicalize(looked_at) {
            return rest.iter().rev().fold(found, |path, name| path.join(name));
        }
        let (Some(name), Some(parent)) = (ancestor.file_name(), ancestor.parent()) else { return path.to_owned() };
        rest.push(name.to_owned());
        ancestor = parent;
    }
}
