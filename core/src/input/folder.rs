//! The photos of a folder and of all folders below it.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::error::InputError;
use super::kind::{is_other_image_name, is_photo_name};

/// What a folder holds, by name; hidden files and folders are left out.
#[derive(Debug, Default)]
pub(super) struct Folder {
    /// Photos.
    pub photos: Vec<PathBuf>,
    /// Images of formats that are not read.
    pub others: Vec<PathBuf>,
}

impl Folder {
    /// Lists a folder, depth first and in the order of names. Links to folders are followed, each folder once.
    pub fn list(path: &Path) -> Result<Self, InputError> {
        let mut folder = Self::default();
        folder.add(path, &mut HashSet::new())?;
        Ok(folder)
    }

    fn add(&mut self, path: &Path, seen: &mut HashSet<PathBuf>) -> Result<(), InputError> {
        let read = |source| InputError::Read { path: path.to_owned(), source };
        // A link may lead back up.
        if !seen.insert(fs::canonicalize(path).map_err(read)?) {
            return Ok(());
        }
        let mut entries = fs::read_dir(path)
            .map_err(read)?
            .map(|entry| entry.map(|entry| entry.path()).map_err(read))
            .collect::<Result<Vec<_>, _>>()?;
        entries.sort();
        for entry in entries {
            if entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
                continue;
            }
            if entry.is_dir() {
                self.add(&entry, seen)?;
            } else if is_photo_name(&entry) {
                self.photos.push(entry);
            } else if is_other_image_name(&entry) {
                self.others.push(entry);
            }
        }
        Ok(())
    }
}
