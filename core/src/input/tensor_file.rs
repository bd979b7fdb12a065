//! A .safetensors file of images: its header is read once, each image when its turn comes.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use safetensors::Dtype;
use safetensors::tensor::Metadata;

use super::error::InputError;

/// The most bytes of a header, as the format's own library has it.
const LARGEST_HEADER: u64 = 100_000_000;

/// The tensor `x` of a file, `[count, …]`. It is read and not mapped: a file that another program cuts off while it is
/// in use is then an error, and no signal that ends the process.
#[derive(Debug)]
pub(super) struct TensorFile {
    path: PathBuf,
    file: Mutex<File>,
    /// Where `x` begins.
    offset: u64,
    /// How many images.
    pub count: usize,
    /// The shape of an image in the file.
    shape: [usize; 3],
    /// Bytes of an entry.
    width: usize,
}

impl TensorFile {
    /// Opens a file whose images have this shape.
    ///
    /// # Errors
    /// When it cannot be read, is no safetensors file, or has no `x` of that shape in single or double precision.
    pub fn open(path: &Path, shape: [usize; 3]) -> Result<Self, InputError> {
        let read = |source| InputError::Read { path: path.to_owned(), source };
        let wrong = |problem: String| InputError::Tensor { path: path.to_owned(), problem, wanted: wanted(shape) };
        let damaged = |error: String| wrong(format!("this is not a safetensors file, or it is damaged ({error})"));
        let metadata = fs::metadata(path).map_err(read)?;
        // Opening a pipe would wait for its other end.
        if !metadata.is_file() {
            return Err(wrong("this is not an ordinary file".to_owned()));
        }
        let mut file = File::open(path).map_err(read)?;
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(|_| damaged("header too small".to_owned()))?;
        let length = u64::from_le_bytes(length);
        if length > LARGEST_HEADER || length > metadata.len() {
            return Err(damaged("invalid header length".to_owned()));
        }
        let mut header = vec![0; length as usize];
        file.read_exact(&mut header).map_err(|_| damaged("invalid header length".to_owned()))?;
        let header: Metadata = serde_json::from_slice(&header).map_err(|error| damaged(error.to_string()))?;
        if 8 + length + header.data_len() as u64 != metadata.len() {
            return Err(damaged("incomplete metadata, file not fully covered".to_owned()));
        }
        let keys = || header.offset_keys().join("', '");
        let x = header.info("x").ok_or_else(|| wrong(format!("it has only '{}'", keys())))?;
        let width = match x.dtype {
            Dtype::F32 => 4,
            Dtype::F64 => 8,
            other => return Err(wrong(format!("'x' is {other:?}, not F32 or F64"))),
        };
        let [count, ref image @ ..] = x.shape[..] else {
            return Err(wrong(format!("'x' has the shape {:?}", x.shape)));
        };
        if image != shape || count == 0 {
            return Err(wrong(format!("'x' has the shape {:?}", x.shape)));
        }
        let offset = 8 + length + x.data_offsets.0 as u64;
        Ok(Self { path: path.to_owned(), file: Mutex::new(file), offset, count, shape, width })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes of one image.
    ///
    /// # Errors
    /// When there is no such image, or the file was cut off since it was opened.
    pub fn bytes(&self, index: usize) -> Result<Vec<u8>, InputError> {
        let gone =
            |problem: String| InputError::Tensor { path: self.path.clone(), problem, wanted: wanted(self.shape) };
        if index >= self.count {
            return Err(gone(format!("entry {index} is not there")));
        }
        let mut bytes = vec![0; self.shape.iter().product::<usize>() * self.width];
        let start = self.offset + (index * bytes.len()) as u64;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let read = file.seek(SeekFrom::Start(start)).and_then(|_| file.read_exact(&mut bytes));
        read.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                gone(format!("entry {index} is not there any more: the file was cut off while it was in use"))
            }
            _ => InputError::Read { path: self.path.clone(), source: error },
        })?;
        Ok(bytes)
    }

    /// The numbers of an image's bytes.
    pub fn values(&self, bytes: &[u8]) -> Vec<f64> {
        match self.width {
            4 => bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]).into()).collect(),
            _ => bytes
                .chunks_exact(8)
                .map(|b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]))
                .collect(),
        }
    }
}

pub(super) fn wanted([c, h, w]: [usize; 3]) -> String {
    format!("[N, {c}, {h}, {w}]")
}
