//! Where images come from: files, folders, tensor files. Each is read when its turn comes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ndarray::Array3;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::error::InputError;
use super::folder::Folder;
use super::kind::has_extension;
use super::look::{Kind, look};
use super::note::PhotoNote;
use super::photo::{photo_bytes, photo_of};
use super::preprocessing::Preprocessing;
use super::tensor_file::{TensorFile, wanted};
use crate::memory;

/// One image of a [`Source`], not yet read.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// A photo.
    Photo(PathBuf),
    /// Entry `index` of a tensor file.
    Tensor {
        /// The file.
        path: PathBuf,
        /// The place along its first axis.
        index: usize,
    },
}

impl Frame {
    /// Its file.
    pub fn path(&self) -> &Path {
        match self {
            Self::Photo(path) | Self::Tensor { path, .. } => path,
        }
    }

    /// The name used in results and messages.
    pub fn name(&self) -> String {
        match self {
            Self::Photo(path) => path.display().to_string(),
            Self::Tensor { path, index } => format!("{}[{index}]", path.display()),
        }
    }
}

/// A list of images, of which only the one in hand is in memory.
#[derive(Debug, Default)]
pub struct Source {
    frames: Vec<Frame>,
    /// All images, where those are some of them.
    listed: Option<Vec<Frame>>,
    tensors: Vec<Arc<TensorFile>>,
    size: [usize; 3],
    channels_last: bool,
    skipped: Vec<PathBuf>,
    figures: Vec<PathBuf>,
}

impl Source {
    /// Lists the images of files, folders (the .png, .jpg and .jpeg in them and in folders below, by name) and
    /// .safetensors files, for a network that takes `[channels, rows, columns]`.
    ///
    /// # Errors
    /// When a path cannot be read, a folder has no image, or a tensor file no `x` of the right shape.
    pub fn open(paths: &[PathBuf], size: [usize; 3]) -> Result<Self, InputError> {
        Self::open_as(paths, size, false)
    }

    /// As [`open`](Self::open); where `channels_last` is set, tensor files hold `x` as the network's file has its
    /// input, `[N, rows, columns, channels]`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_as(paths: &[PathBuf], size: [usize; 3], channels_last: bool) -> Result<Self, InputError> {
        let mut source = Self { size, channels_last, ..Self::default() };
        for path in paths {
            let read = |source| InputError::Read { path: path.clone(), source };
            let metadata = fs::metadata(path).map_err(read)?;
            if metadata.is_dir() {
                let folder = Folder::list(path)?;
                if folder.photos.is_empty() {
                    return Err(InputError::EmptyFolder { path: path.clone(), others: folder.others.len() });
                }
                source.frames.extend(folder.photos.into_iter().map(Frame::Photo));
                source.skipped.extend(folder.others);
            } else if has_extension(path, &["safetensors"]) {
                source.open_tensors(path)?;
            } else {
                source.frames.push(Frame::Photo(path.clone()));
            }
        }
        Ok(source)
    }

    fn open_tensors(&mut self, path: &Path) -> Result<(), InputError> {
        let tensors = TensorFile::open(path, self.stored())?;
        self.frames.extend((0..tensors.count).map(|index| Frame::Tensor { path: path.to_owned(), index }));
        self.tensors.push(Arc::new(tensors));
        Ok(())
    }

    /// The shape of an image in tensor files.
    fn stored(&self) -> [usize; 3] {
        let [channels, rows, columns] = self.size;
        if self.channels_last { [rows, columns, channels] } else { self.size }
    }

    /// Files of folders that are images of other formats, which are passed over.
    pub fn skipped(&self) -> &[PathBuf] {
        &self.skipped
    }

    /// Keeps `limit` of the images, drawn by `seed`, in their order; all where there are no more.
    pub fn sample(&mut self, limit: usize, seed: u64) {
        let mut draw = ChaCha8Rng::seed_from_u64(seed);
        let mut chosen =
            rand::seq::index::sample(&mut draw, self.frames.len(), limit.min(self.frames.len())).into_vec();
        chosen.sort_unstable();
        let sampled = chosen.into_iter().map(|at| self.frames[at].clone()).collect();
        let all = std::mem::replace(&mut self.frames, sampled);
        self.listed.get_or_insert(all);
    }

    /// Keeps `held` of the images, drawn by `seed`, in their order, and gives the others; [`listed`](Self::listed) has
    /// all.
    pub fn hold_out(&mut self, held: usize, seed: u64) -> Self {
        let all = self.frames.clone();
        self.sample(held, seed);
        let mut kept = self.frames.iter().peekable();
        // Both are in order, and an image that was given twice is there twice.
        let others = all.into_iter().filter(|frame| kept.next_if(|next| *next == frame).is_none()).collect();
        Self {
            frames: others,
            listed: self.listed.clone(),
            tensors: self.tensors.clone(),
            size: self.size,
            channels_last: self.channels_last,
            ..Self::default()
        }
    }

    /// The images, in order, those that a sample or [`sift`](Self::sift) left out too.
    pub fn listed(&self) -> &[Frame] {
        self.listed.as_deref().unwrap_or(&self.frames)
    }

    /// The images, in order.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// Whether any image is a photo, for which preprocessing matters.
    pub fn has_photos(&self) -> bool {
        self.frames.iter().any(|frame| matches!(frame, Frame::Photo(_)))
    }

    /// Looks at every photo's header, before any is decoded: those that cannot be photos are taken out of the images
    /// and given, each with what is wrong; so are figures that aliascope drew, which become [`figures`](Self::figures).
    pub fn sift(&mut self) -> Vec<(Frame, InputError)> {
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        let all = std::mem::take(&mut self.frames);
        self.listed.get_or_insert_with(|| all.clone());
        for frame in all {
            match &frame {
                Frame::Tensor { .. } => good.push(frame),
                Frame::Photo(path) => match look(path) {
                    Ok(Kind::Photo) => good.push(frame),
                    Ok(Kind::Figure) => self.figures.push(path.clone()),
                    Err(error) => bad.push((frame, error)),
                },
            }
        }
        self.frames = good;
        bad
    }

    /// Figures that aliascope drew, which [`sift`](Self::sift) found among the photos.
    pub fn figures(&self) -> &[PathBuf] {
        &self.figures
    }

    /// The bytes of one image as its file has them.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn bytes(&self, frame: &Frame) -> Result<Vec<u8>, InputError> {
        match frame {
            Frame::Photo(path) => photo_bytes(path),
            Frame::Tensor { path, index } => self.tensors_of(path)?.bytes(*index),
        }
    }

    /// Reads one image, `[channels, rows, columns]`, and notes about conversions.
    ///
    /// # Errors
    /// When it cannot be read or decoded.
    pub fn read(
        &self,
        frame: &Frame,
        preprocessing: &Preprocessing,
    ) -> Result<(Array3<f64>, Vec<PhotoNote>), InputError> {
        self.decode(frame, &self.bytes(frame)?, preprocessing)
    }

    /// As [`read`](Self::read), of the image's [`bytes`](Self::bytes).
    ///
    /// # Errors
    /// When they cannot be decoded.
    pub fn decode(
        &self,
        frame: &Frame,
        bytes: &[u8],
        preprocessing: &Preprocessing,
    ) -> Result<(Array3<f64>, Vec<PhotoNote>), InputError> {
        // The image in double precision, as it is made, as it is placed, as it becomes a tensor.
        memory::check(self.size.iter().fold(24, |product: u64, &n| product.saturating_mul(n as u64)))
            .map_err(|shortage| InputError::Memory { path: frame.path().to_owned(), shortage })?;
        match frame {
            Frame::Photo(path) => {
                let photo = photo_of(path, bytes, preprocessing, self.size)?;
                Ok((photo.data, photo.notes))
            }
            Frame::Tensor { path, .. } => {
                let values = self.tensors_of(path)?.values(bytes);
                let stored = Array3::from_shape_vec(self.stored(), values).map_err(|_| self.gone(path))?;
                let image = if self.channels_last { stored.permuted_axes([2, 0, 1]) } else { stored };
                Ok((image, Vec::new()))
            }
        }
    }

    fn tensors_of(&self, path: &Path) -> Result<&TensorFile, InputError> {
        let found = self.tensors.iter().find(|tensors| tensors.path() == path);
        found.map(|tensors| &**tensors).ok_or_else(|| self.gone(path))
    }

    fn gone(&self, path: &Path) -> InputError {
        let problem = "it is none of the files that were opened".to_owned();
        InputError::Tensor { path: path.to_owned(), problem, wanted: wanted(self.stored()) }
    }
}

#[cfg(test)]
mod tests {
    use safetensors::Dtype;
    use safetensors::tensor::TensorView;

    use super::*;

    /// What is held out and what is not are all images, each once, and both can be read.
    #[test]
    fn held_out_images_are_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let bytes: Vec<u8> = (0..10).flat_map(|image| [image as f32; 4]).flat_map(f32::to_le_bytes).collect();
        let view = TensorView::new(Dtype::F32, vec![10, 1, 2, 2], &bytes).unwrap();
        fs::write(&path, safetensors::serialize([("x", view)], None).unwrap()).unwrap();
        let open = || Source::open(&[path.clone(), path.clone()], [1, 2, 2]).unwrap();
        let (mut held, mut again, mut other) = (open(), open(), open());
        let rest = held.hold_out(7, 3);
        assert_eq!((held.frames().len(), rest.frames().len(), held.listed().len()), (7, 13, 20));
        // The file was given twice, so every image is there twice.
        for frame in open().frames() {
            let times = [held.frames(), rest.frames()].map(|frames| frames.iter().filter(|own| *own == frame).count());
            assert_eq!(times[0] + times[1], 2, "{}", frame.name());
        }
        for frame in rest.frames() {
            let Frame::Tensor { index, .. } = frame else { panic!("a photo") };
            assert_eq!(rest.read(frame, &Preprocessing::raw()).unwrap().0[[0, 0, 0]], *index as f64);
        }
        let _ = again.hold_out(7, 3);
        let _ = other.hold_out(7, 4);
        assert!(held.frames() == again.frames() && held.frames() != other.frames());
    }
}
