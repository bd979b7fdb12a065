//! Where images come from: files, folders, tensor files. Each is read when its turn comes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use ndarray::Array3;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use safetensors::{Dtype, SafeTensors};

use super::error::InputError;
use super::folder::Folder;
use super::kind::has_extension;
use super::note::PhotoNote;
use super::photo::read_photo;
use super::preprocessing::Preprocessing;
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
    /// The name used in results and messages.
    pub fn name(&self) -> String {
        match self {
            Self::Photo(path) => path.display().to_string(),
            Self::Tensor { path, index } => format!("{}[{index}]", path.display()),
        }
    }
}

/// A list of images, of which only the one in hand is in memory.
#[derive(Debug)]
pub struct Source {
    frames: Vec<Frame>,
    /// All images, where those are a sample of them.
    listed: Option<Vec<Frame>>,
    tensors: Vec<(PathBuf, Mmap)>,
    size: [usize; 3],
    channels_last: bool,
    skipped: Vec<PathBuf>,
}

impl Source {
    /// Lists the images of files, folders (the .png, .jpg and .jpeg in them and in folders below, by name) and .safetensors
    /// files, for a network that takes `[channels, rows, columns]`.
    ///
    /// # Errors
    /// When a path cannot be read, a folder has no image, or a tensor file no `x` of the right shape.
    pub fn open(paths: &[PathBuf], size: [usize; 3]) -> Result<Self, InputError> {
        Self::open_as(paths, size, false)
    }

    /// As [`open`](Self::open); where `channels_last` is set, tensor files hold `x` as the network's file has its input,
    /// `[N, rows, columns, channels]`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_as(paths: &[PathBuf], size: [usize; 3], channels_last: bool) -> Result<Self, InputError> {
        let mut source =
            Self { frames: Vec::new(), listed: None, tensors: Vec::new(), size, channels_last, skipped: Vec::new() };
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
        let file = File::open(path).map_err(|source| InputError::Read { path: path.to_owned(), source })?;
        // SAFETY: the map is only read; a file that another program cuts off while it is read ends this process with
        // a signal, as reading any mapped file would, and never gives wrong numbers.
        let map = unsafe { Mmap::map(&file) }.map_err(|source| InputError::Read { path: path.to_owned(), source })?;
        let count = tensor_of(&map, path, self.stored())?.count;
        self.frames.extend((0..count).map(|index| Frame::Tensor { path: path.to_owned(), index }));
        self.tensors.push((path.to_owned(), map));
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
        self.listed = Some(std::mem::replace(&mut self.frames, sampled));
    }

    /// The images, in order, those that a sample left out too.
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

    /// Reads one image, `[channels, rows, columns]`, and notes about conversions.
    ///
    /// # Errors
    /// When it cannot be read or decoded.
    pub fn read(
        &self,
        frame: &Frame,
        preprocessing: &Preprocessing,
    ) -> Result<(Array3<f64>, Vec<PhotoNote>), InputError> {
        let (Frame::Photo(path) | Frame::Tensor { path, .. }) = frame;
        // The image in double precision, as it is made, as it is placed, as it becomes a tensor.
        memory::check(self.size.iter().fold(24, |product: u64, &n| product.saturating_mul(n as u64)))
            .map_err(|shortage| InputError::Memory { path: path.clone(), shortage })?;
        match frame {
            Frame::Photo(path) => {
                let photo = read_photo(path, preprocessing, self.size)?;
                Ok((photo.data, photo.notes))
            }
            Frame::Tensor { path, index } => {
                let gone = || InputError::Tensor {
                    path: path.clone(),
                    problem: format!("entry {index} is not there"),
                    wanted: wanted(self.stored()),
                };
                let (_, map) = self.tensors.iter().find(|(known, _)| known == path).ok_or_else(gone)?;
                let tensor = tensor_of(map, path, self.stored())?;
                let entries: usize = self.size.iter().product();
                let from = index * entries * tensor.width;
                let bytes = tensor.bytes.get(from..from + entries * tensor.width).ok_or_else(gone)?;
                let values: Vec<f64> = match tensor.width {
                    4 => bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]).into()).collect(),
                    _ => bytes
                        .chunks_exact(8)
                        .map(|b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]))
                        .collect(),
                };
                let stored = Array3::from_shape_vec(self.stored(), values).map_err(|_| gone())?;
                let image = if self.channels_last { stored.permuted_axes([2, 0, 1]) } else { stored };
                Ok((image, Vec::new()))
            }
        }
    }
}

struct TensorFile<'a> {
    bytes: &'a [u8],
    count: usize,
    width: usize,
}

fn tensor_of<'a>(map: &'a Mmap, path: &Path, size: [usize; 3]) -> Result<TensorFile<'a>, InputError> {
    let wrong = |problem: String| InputError::Tensor { path: path.to_owned(), problem, wanted: wanted(size) };
    let file = SafeTensors::deserialize(map)
        .map_err(|error| wrong(format!("this is not a safetensors file, or it is damaged ({error})")))?;
    let keys = file.names().join("', '");
    let x = file.tensor("x").map_err(|_| wrong(format!("it has only '{keys}'")))?;
    let width = match x.dtype() {
        Dtype::F32 => 4,
        Dtype::F64 => 8,
        other => return Err(wrong(format!("'x' is {other:?}, not F32 or F64"))),
    };
    match x.shape() {
        [count, c, h, w] if [*c, *h, *w] == size && *count > 0 => {
            Ok(TensorFile { bytes: x.data(), count: *count, width })
        }
        shape => Err(wrong(format!("'x' has the shape {shape:?}"))),
    }
}

fn wanted([c, h, w]: [usize; 3]) -> String {
    format!("[N, {c}, {h}, {w}]")
}
