//! Tensors of a file: shape, element type and bytes, wherever the file keeps them.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};

use super::error::OnnxError;
use super::narrow::{Float8, half_to_single, nibbles, widen};
use super::proto::TensorProto;
use crate::memory;

/// ONNX's element types that aliascope reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
#[allow(missing_docs)]
pub enum ElementType {
    Float = 1,
    UInt8 = 2,
    Int8 = 3,
    UInt16 = 4,
    Int16 = 5,
    Int32 = 6,
    Int64 = 7,
    Bool = 9,
    Float16 = 10,
    Double = 11,
    UInt32 = 12,
    BFloat16 = 16,
    Float8E4M3FN = 17,
    Float8E4M3FNUZ = 18,
    Float8E5M2 = 19,
    Float8E5M2FNUZ = 20,
    UInt4 = 21,
    Int4 = 22,
}

impl TryFrom<i32> for ElementType {
    type Error = ();

    fn try_from(code: i32) -> Result<Self, ()> {
        Ok(match code {
            1 => Self::Float,
            2 => Self::UInt8,
            3 => Self::Int8,
            4 => Self::UInt16,
            5 => Self::Int16,
            6 => Self::Int32,
            7 => Self::Int64,
            9 => Self::Bool,
            10 => Self::Float16,
            11 => Self::Double,
            12 => Self::UInt32,
            16 => Self::BFloat16,
            17 => Self::Float8E4M3FN,
            18 => Self::Float8E4M3FNUZ,
            19 => Self::Float8E5M2,
            20 => Self::Float8E5M2FNUZ,
            21 => Self::UInt4,
            22 => Self::Int4,
            _ => return Err(()),
        })
    }
}

impl ElementType {
    /// Bits of one entry in the file.
    pub fn bits(self) -> usize {
        match self {
            Self::UInt4 | Self::Int4 => 4,
            Self::UInt8 | Self::Int8 | Self::Bool => 8,
            Self::Float8E4M3FN | Self::Float8E4M3FNUZ | Self::Float8E5M2 | Self::Float8E5M2FNUZ => 8,
            Self::Int16 | Self::UInt16 | Self::Float16 | Self::BFloat16 => 16,
            Self::Float | Self::Int32 | Self::UInt32 => 32,
            Self::Double | Self::Int64 => 64,
        }
    }

    /// Whether entries are held in a type with more bits, in which arithmetic would not wrap around, round or end where
    /// theirs does. Half precision is not counted: a run has one precision.
    pub fn is_held_wider(self) -> bool {
        matches!(self, Self::UInt4 | Self::Int4 | Self::UInt16 | Self::UInt32) || self.float8().is_some()
    }

    /// Its name in ONNX, in lower case.
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// Which 8-bit float it is, where it is one.
    fn float8(self) -> Option<Float8> {
        match self {
            Self::Float8E4M3FN => Some(Float8::E4M3FN),
            Self::Float8E4M3FNUZ => Some(Float8::E4M3FNUZ),
            Self::Float8E5M2 => Some(Float8::E5M2),
            Self::Float8E5M2FNUZ => Some(Float8::E5M2FNUZ),
            _ => None,
        }
    }

    /// The least and the largest whole number that it holds, for those of up to 32 bits.
    pub fn range(self) -> Option<(i64, i64)> {
        let unsigned = match self {
            Self::UInt4 | Self::UInt8 | Self::UInt16 | Self::UInt32 => true,
            Self::Int4 | Self::Int8 | Self::Int16 | Self::Int32 => false,
            _ => return None,
        };
        let count = 1i64 << self.bits();
        Some(if unsigned { (0, count - 1) } else { (-count / 2, count / 2 - 1) })
    }
}

/// A tensor of a file; floats of 8 and 16 bits are widened to single precision, whole numbers of 4 bits to a byte, and
/// those without a sign of 16 and 32 bits to twice as many.
#[derive(Clone, Debug, PartialEq)]
pub struct OnnxTensor {
    /// Its name, for messages.
    pub name: String,
    /// Its shape.
    pub shape: Vec<i64>,
    /// Its element type in the file.
    pub element_type: ElementType,
    /// Little-endian entries, widened.
    pub data: Vec<u8>,
}

impl OnnxTensor {
    /// Reads a tensor; `fallback` names it where it has no name, external data lie in `folder`.
    ///
    /// # Errors
    /// When its type is not supported, or its data and shape do not fit each other.
    pub fn from_proto(tensor: &TensorProto, folder: &Path, fallback: &str) -> Result<Self, OnnxError> {
        let name = tensor.name.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| fallback.to_owned());
        let wrong = |problem: String| OnnxError::Tensor { tensor: name.clone(), problem };
        let code = tensor.data_type.unwrap_or(0);
        let element_type = ElementType::try_from(code).map_err(|()| {
            wrong(format!("its element type {} is not supported; floats, integers and bool are", type_name(code)))
        })?;
        if tensor.segment.is_some() {
            return Err(wrong("it is stored in segments, which is not supported; save the model again".to_owned()));
        }
        let Some((entries, bytes)) = size(&tensor.dims, element_type) else {
            return Err(wrong(format!("its shape {:?} is impossible", tensor.dims)));
        };
        // The bytes, and the tensor that is made of them.
        memory::check((bytes as u64).saturating_mul(2))
            .map_err(|shortage| OnnxError::Memory { what: format!("the tensor '{name}'"), shortage })?;
        let data = if tensor.data_location == Some(EXTERNAL) {
            external_data(tensor, folder, bytes, &name)?
        } else if let Some(raw) = &tensor.raw_data {
            raw.clone()
        } else {
            typed_data(tensor, element_type)
        };
        if data.len() != bytes {
            let shape = &tensor.dims;
            return Err(wrong(format!(
                "{entries} entries (shape {shape:?}) need {bytes} bytes, the file has {}",
                data.len()
            )));
        }
        let data = match element_type {
            ElementType::Float16 => widen(&data, half_to_single),
            ElementType::BFloat16 => widen(&data, |bits| f32::from_bits(u32::from(bits) << 16)),
            ElementType::UInt4 => nibbles(&data, entries, false),
            ElementType::Int4 => nibbles(&data, entries, true),
            ElementType::UInt16 => data.chunks_exact(2).flat_map(|pair| [pair[0], pair[1], 0, 0]).collect(),
            ElementType::UInt32 => data.chunks_exact(4).flat_map(|four| [four, &[0; 4]].concat()).collect(),
            _ => match element_type.float8() {
                Some(float) => data.iter().flat_map(|&bits| float.to_single(bits).to_le_bytes()).collect(),
                None => data,
            },
        };
        Ok(Self { name, shape: tensor.dims.clone(), element_type, data })
    }
}

/// Entries and bytes of a tensor; nothing where sizes are negative or, zeros left out, more than can be counted.
fn size(shape: &[i64], element_type: ElementType) -> Option<(usize, usize)> {
    let counted = shape.iter().try_fold(1usize, |product, &n| usize::try_from(n.max(1)).ok()?.checked_mul(product))?;
    if shape.iter().any(|&n| n < 0) || i64::try_from(counted).is_err() {
        return None;
    }
    let entries = if shape.contains(&0) { 0 } else { counted };
    Some((entries, entries.checked_mul(element_type.bits())?.div_ceil(8)))
}

fn type_name(code: i32) -> String {
    let names =
        ["undefined", "", "", "", "", "", "", "", "string", "", "", "", "", "uint64", "complex64", "complex128"];
    names.get(code as usize).filter(|name| !name.is_empty()).map_or(format!("number {code}"), |name| (*name).to_owned())
}

/// The entries of the fields that hold typed numbers, as the bytes that `raw_data` would have.
fn typed_data(tensor: &TensorProto, element_type: ElementType) -> Vec<u8> {
    let ints = &tensor.int32_data;
    match element_type {
        ElementType::Float => tensor.float_data.iter().flat_map(|v| v.to_le_bytes()).collect(),
        ElementType::Double => tensor.double_data.iter().flat_map(|v| v.to_le_bytes()).collect(),
        ElementType::Int64 => tensor.int64_data.iter().flat_map(|v| v.to_le_bytes()).collect(),
        ElementType::Int32 => ints.iter().flat_map(|v| v.to_le_bytes()).collect(),
        ElementType::UInt32 => tensor.uint64_data.iter().flat_map(|v| (*v as u32).to_le_bytes()).collect(),
        ElementType::Int16 | ElementType::UInt16 | ElementType::Float16 | ElementType::BFloat16 => {
            ints.iter().flat_map(|v| (*v as u16).to_le_bytes()).collect()
        }
        // Two numbers of 4 bits are one byte here too.
        _ => ints.iter().map(|v| *v as u8).collect(),
    }
}

/// The file that a tensor's data lie in, where they lie beside the model.
pub(super) fn external_location(tensor: &TensorProto) -> Option<String> {
    let stated = tensor.external_data.iter().find(|entry| entry.key.as_deref() == Some("location"))?;
    stated.value.clone().filter(|_| tensor.data_location == Some(EXTERNAL))
}

/// The `bytes` bytes of a tensor that lies in a file beside the model.
fn external_data(tensor: &TensorProto, folder: &Path, bytes: usize, name: &str) -> Result<Vec<u8>, OnnxError> {
    let part = ExternalPart::find(tensor, folder, Some(bytes as u64), name)?;
    if part.length != bytes as u64 {
        return Err(OnnxError::Tensor {
            tensor: name.to_owned(),
            problem: format!("its shape needs {bytes} bytes, its entry says {}", part.length),
        });
    }
    part.read()
}

/// Moves the data of a tensor that lies in a file beside the model into the tensor; gives their number of bytes, 0
/// where the tensor has its data already.
///
/// # Errors
/// As for reading it; when there are more than `most` bytes.
pub(super) fn embed_external_data(tensor: &mut TensorProto, folder: &Path, most: usize) -> Result<usize, OnnxError> {
    if tensor.data_location != Some(EXTERNAL) {
        return Ok(0);
    }
    let name = tensor.name.clone().unwrap_or_default();
    let element_type = ElementType::try_from(tensor.data_type.unwrap_or(0)).ok();
    let implied = element_type.and_then(|element_type| size(&tensor.dims, element_type)).map(|(_, bytes)| bytes as u64);
    let part = ExternalPart::find(tensor, folder, implied, &name)?;
    let length =
        usize::try_from(part.length).ok().filter(|&length| length <= most).ok_or_else(|| OnnxError::Tensor {
            tensor: name,
            problem: "with its data file the model is too large: one ONNX file holds less than 2 GiB".to_owned(),
        })?;
    tensor.raw_data = Some(part.read()?);
    tensor.data_location = None;
    tensor.external_data.clear();
    Ok(length)
}

/// Whether a model in `folder` is a link to a file that lies in the same folder as `path`, which is no link any more.
fn lies_beside_a_linked_model(path: &Path, folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    entries.flatten().map(|entry| entry.path()).filter(|model| model.extension().is_some_and(|e| e == "onnx")).any(
        |model| {
            let is_link = fs::symlink_metadata(&model).is_ok_and(|metadata| metadata.file_type().is_symlink());
            is_link && fs::canonicalize(&model).is_ok_and(|target| target.parent() == path.parent())
        },
    )
}

/// TensorProto.DataLocation: the data lie in another file.
const EXTERNAL: i32 = 1;

/// The part of a file beside the model that holds a tensor's data; known to be there.
struct ExternalPart {
    file: File,
    tensor: String,
    location: String,
    offset: u64,
    length: u64,
}

impl ExternalPart {
    /// The part that the tensor's entries describe; without a length there, `implied` or else the rest of the file.
    fn find(tensor: &TensorProto, folder: &Path, implied: Option<u64>, name: &str) -> Result<Self, OnnxError> {
        let wrong = |problem: String| OnnxError::Tensor { tensor: name.to_owned(), problem };
        let mut keys = HashSet::new();
        if let Some(twice) = tensor.external_data.iter().find(|entry| !keys.insert(entry.key.as_deref())) {
            let key = twice.key.as_deref().unwrap_or("");
            return Err(wrong(format!("the place of its data states '{key}' twice; export the model again")));
        }
        let entry = |key: &str| {
            let found = tensor.external_data.iter().find(|entry| entry.key.as_deref() == Some(key));
            found.and_then(|entry| entry.value.clone())
        };
        let number = |key: &str| match entry(key) {
            None => Ok(None),
            Some(text) => {
                text.parse::<u64>().map(Some).map_err(|_| wrong(format!("its {key} '{text}' is not a number")))
            }
        };
        let location = entry("location").ok_or_else(|| wrong("its data lie in a file that is not named".to_owned()))?;
        let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
        let unreadable = |error: std::io::Error| wrong(format!("its data file '{location}' cannot be read: {error}"));
        let outside = |what: &str| {
            wrong(format!(
                "its data file '{location}' {what} outside the model's folder, which is refused; put the file itself into \
                 the folder, or save the model again with its data in it"
            ))
        };
        if !Path::new(&location).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Err(outside("lies"));
        }
        // Symbolic links are resolved, so that a link cannot lead out of the folder either, but to where the model
        // itself is a link: caches keep models so.
        let root = fs::canonicalize(folder).map_err(unreadable)?;
        let path = fs::canonicalize(folder.join(&location)).map_err(unreadable)?;
        if !path.starts_with(&root) && !lies_beside_a_linked_model(&path, folder) {
            return Err(outside("is a link that leads"));
        }
        let metadata = fs::metadata(&path).map_err(unreadable)?;
        // Opening a pipe would wait for its other end.
        if !metadata.is_file() {
            return Err(wrong(format!("its data file '{location}' is not an ordinary file")));
        }
        let available = metadata.len();
        let length = length.or(implied).unwrap_or_else(|| available.saturating_sub(offset));
        if offset.checked_add(length).is_none_or(|end| end > available) {
            return Err(wrong(format!(
                "its data file '{location}' has {available} bytes, and {length} from byte {offset} on are needed; \
                 fetch it again"
            )));
        }
        let file = File::open(&path).map_err(unreadable)?;
        Ok(Self { file, tensor: name.to_owned(), location, offset, length })
    }

    fn read(mut self) -> Result<Vec<u8>, OnnxError> {
        let mut data = Vec::new();
        self.file
            .seek(SeekFrom::Start(self.offset))
            .and_then(|_| self.file.by_ref().take(self.length).read_to_end(&mut data))
            .map_err(|error| OnnxError::Tensor {
                tensor: self.tensor,
                problem: format!("its data file '{}' cannot be read: {error}", self.location),
            })?;
        Ok(data)
    }
}
