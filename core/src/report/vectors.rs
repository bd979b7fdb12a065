//! Lie derivatives as vectors, in a safetensors file.

use std::collections::HashMap;

use safetensors::Dtype;
use safetensors::tensor::TensorView;

/// Why vectors could not be written.
#[derive(Debug, thiserror::Error)]
pub enum VectorsError {
    /// A shape and its numbers disagree.
    #[error("the vectors of {name} have the shape {shape:?} but {count} numbers")]
    Shape {
        /// The generator, or `value`.
        name: String,
        /// \[images, outputs…\].
        shape: Vec<usize>,
        /// How many numbers came.
        count: usize,
    },
    /// Two have one name.
    #[error("there are two vectors named {name}; ask for each generator once")]
    Twice {
        /// The name.
        name: String,
    },
    /// The library refused.
    #[error("the vectors cannot be written: {0}")]
    Format(#[from] safetensors::SafeTensorError),
}

/// The precision in which numbers are written.
pub trait Number: Copy {
    /// Its name in the file.
    const DTYPE: Dtype;
    /// Its bytes there.
    fn bytes(self) -> Vec<u8>;
}

impl Number for f32 {
    const DTYPE: Dtype = Dtype::F32;
    fn bytes(self) -> Vec<u8> {
        self.to_le_bytes().to_vec()
    }
}

impl Number for f64 {
    const DTYPE: Dtype = Dtype::F64;
    fn bytes(self) -> Vec<u8> {
        self.to_le_bytes().to_vec()
    }
}

/// One generator's Lie derivatives: its name, the shape \[images, outputs…\], and the numbers in row-major order.
pub type Vectors<T = f32> = (String, Vec<usize>, Vec<T>);

/// The bytes of a safetensors file with a tensor `lie/NAME` per generator, and the measured function's values as
/// `value` where they are given: shape \[images, outputs…\] and numbers.
///
/// `metadata` says how they were computed; the file holds it as `__metadata__`.
///
/// # Errors
/// A shape and its numbers disagree; a name comes twice.
pub fn vectors_bytes<T: Number>(
    vectors: &[Vectors<T>],
    value: Option<(&[usize], &[T])>,
    metadata: HashMap<String, String>,
) -> Result<Vec<u8>, VectorsError> {
    let value = value.map(|(shape, numbers)| ("value", "value".to_owned(), shape, numbers));
    let lie = vectors.iter().map(|(name, shape, numbers)| (&**name, format!("lie/{name}"), &**shape, &**numbers));
    encode(lie.chain(value), metadata)
}

/// The bytes of a safetensors file with these tensors under their own names.
///
/// # Errors
/// As [`vectors_bytes`].
pub fn tensors_bytes<T: Number>(
    tensors: &[Vectors<T>],
    metadata: HashMap<String, String>,
) -> Result<Vec<u8>, VectorsError> {
    encode(tensors.iter().map(|(name, shape, numbers)| (&**name, name.clone(), &**shape, &**numbers)), metadata)
}

/// A tensor's name in messages, its name in the file, its shape and its numbers.
type Named<'a, T> = (&'a str, String, &'a [usize], &'a [T]);

fn encode<'a, T: Number + 'a>(
    tensors: impl Iterator<Item = Named<'a, T>>,
    metadata: HashMap<String, String>,
) -> Result<Vec<u8>, VectorsError> {
    let mut encoded: Vec<(String, &[usize], Vec<u8>)> = Vec::new();
    for (name, key, shape, numbers) in tensors {
        if encoded.iter().any(|(other, ..)| *other == key) {
            return Err(VectorsError::Twice { name: name.to_owned() });
        }
        if shape.iter().try_fold(1usize, |size, side| size.checked_mul(*side)) != Some(numbers.len()) {
            let (name, shape, count) = (name.to_owned(), shape.to_vec(), numbers.len());
            return Err(VectorsError::Shape { name, shape, count });
        }
        encoded.push((key, shape, numbers.iter().flat_map(|number| number.bytes()).collect()));
    }
    let mut views = Vec::with_capacity(encoded.len());
    for (key, shape, bytes) in &encoded {
        views.push((key.clone(), TensorView::new(T::DTYPE, shape.to_vec(), bytes)?));
    }
    let metadata = if metadata.is_empty() { None } else { Some(metadata) };
    Ok(safetensors::serialize(views, metadata)?)
}
