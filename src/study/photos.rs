//! Photos as input of many networks: each is decoded once for all that take it in the same way.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tch::Tensor;

use crate::input::{InputError, Preprocessing, photo_with_hash};

/// How photos become the input of a network: networks that take them in one way share them.
#[derive(Clone, Debug)]
pub(super) struct Way {
    /// How.
    pub(super) preprocessing: Preprocessing,
    /// `[channels, rows, columns]`.
    pub(super) size: [usize; 3],
    /// Both in words, to be found by.
    key: String,
}

impl Way {
    pub(super) fn new(preprocessing: Preprocessing, size: [usize; 3]) -> Self {
        let key = format!("{size:?} {}", preprocessing.describe());
        Self { preprocessing, size, key }
    }
}

/// A photo as input.
#[derive(Debug)]
pub(super) struct Decoded {
    /// The hash of the file's bytes.
    pub(super) hash: String,
    /// Channels, rows and columns, one behind the other; numbers of single precision as the decoder makes them.
    values: Vec<f32>,
    size: [usize; 3],
}

impl Decoded {
    /// `[1, 1, channels, rows, columns]`.
    pub(super) fn tensor(&self) -> Result<Tensor, tch::TchError> {
        let [channels, rows, columns] = self.size.map(|n| n as i64);
        Tensor::f_from_slice(&self.values)?.f_view([1, 1, channels, rows, columns])
    }

    fn bytes(&self) -> u64 {
        4 * self.values.len() as u64
    }
}

/// Photos that are kept, up to so many bytes.
#[derive(Debug)]
pub(super) struct Photos {
    budget: u64,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    bytes: u64,
    ways: HashMap<String, Shelf>,
    /// Counts the networks, so that the way that was used the longest ago is known.
    now: u64,
}

#[derive(Debug, Default)]
struct Shelf {
    used: u64,
    bytes: u64,
    photos: HashMap<PathBuf, Arc<Decoded>>,
}

impl Photos {
    pub(super) fn new(budget: u64) -> Self {
        Self { budget, kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another network is begun, which takes photos in this way.
    pub(super) fn begin(&self, way: &Way) {
        let mut kept = self.kept();
        kept.now += 1;
        let now = kept.now;
        kept.ways.entry(way.key.clone()).or_default().used = now;
    }

    /// A photo, decoded now where it is not kept.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn get(&self, path: &Path, way: &Way) -> Result<Arc<Decoded>, InputError> {
        if let Some(found) = self.kept().ways.get(&way.key).and_then(|shelf| shelf.photos.get(path)) {
            return Ok(Arc::clone(found));
        }
        let (hash, photo) = photo_with_hash(path, &way.preprocessing, way.size)?;
        let values = photo.data.iter().map(|&value| value as f32).collect();
        let decoded = Arc::new(Decoded { hash, values, size: way.size });
        self.kept().keep(self.budget, path, way, &decoded);
        Ok(decoded)
    }
}

impl Kept {
    /// Keeps a photo where there is room; photos of other ways make room, those of the way in hand do not, as each of them is
    /// needed again.
    fn keep(&mut self, budget: u64, path: &Path, way: &Way, decoded: &Arc<Decoded>) {
        while self.bytes + decoded.bytes() > budget {
            let others = self.ways.iter().filter(|(key, shelf)| **key != way.key && shelf.bytes > 0);
            let Some(oldest) = others.min_by_key(|(_, shelf)| shelf.used).map(|(key, _)| key.clone()) else { return };
            self.bytes -= self.ways.remove(&oldest).map_or(0, |shelf| shelf.bytes);
        }
        let shelf = self.ways.entry(way.key.clone()).or_default();
        if shelf.photos.insert(path.to_owned(), Arc::clone(decoded)).is_none() {
            shelf.bytes += decoded.bytes();
            self.bytes += decoded.bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(folder: &Path, names: &[&str]) -> Vec<PathBuf> {
        let save = |name: &&str| {
            let path = folder.join(name);
            image::RgbImage::from_fn(8, 8, |x, y| image::Rgb([(x * y) as u8, x as u8, y as u8])).save(&path).unwrap();
            path
        };
        names.iter().map(save).collect()
    }

    #[test]
    fn a_photo_is_decoded_once_for_a_way_and_the_oldest_way_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let paths = saved(folder.path(), &["a.png", "b.png"]);
        let ways = [4, 2].map(|side| Way::new(Preprocessing::raw(), [3, side, side]));
        // Room for two photos of 4 × 4 and one of 2 × 2.
        let photos = Photos::new(4 * (2 * 48 + 12));
        photos.begin(&ways[0]);
        let first: Vec<_> = paths.iter().map(|path| photos.get(path, &ways[0]).unwrap()).collect();
        let again: Vec<_> = paths.iter().map(|path| photos.get(path, &ways[0]).unwrap()).collect();
        assert!(first.iter().zip(&again).all(|(a, b)| Arc::ptr_eq(a, b)));
        assert_eq!(first[0].tensor().unwrap().size(), [1, 1, 3, 4, 4]);
        photos.begin(&ways[1]);
        let small = photos.get(&paths[0], &ways[1]).unwrap();
        // There is no room for the second: the other way goes.
        photos.get(&paths[1], &ways[1]).unwrap();
        assert!(Arc::ptr_eq(&small, &photos.get(&paths[0], &ways[1]).unwrap()));
        assert!(!Arc::ptr_eq(&first[0], &photos.get(&paths[0], &ways[0]).unwrap()));
        assert!(photos.kept().bytes <= photos.budget);
        // Where not even one has room, all the same each is there.
        let none = Photos::new(0);
        none.begin(&ways[0]);
        assert_eq!(none.get(&paths[0], &ways[0]).unwrap().values, first[0].values);
        assert_eq!(none.kept().bytes, 0);
    }
}
