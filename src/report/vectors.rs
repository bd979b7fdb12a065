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
        /// The generator.
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

/// One generator's Lie derivatives: its name, the shape \[images, outputs…\], and the numbers in row-major order.
pub type Vectors = (String, Vec<usize>, Vec<f32>);

/// The bytes of a safetensors file with a tensor `lie/NAME` of type F32 per generator.
///
/// `metadata` says how they were computed; the file holds it as `__metadata__`.
///
/// # Errors
/// A shape and its numbers disagree; a name comes twice.
pub fn vectors_bytes(vectors: &[Vectors], metadata: HashMap<String, String>) -> Result<Vec<u8>, VectorsError> {
    let mut encoded: Vec<(String, &Vec<usize>, Vec<u8>)> = Vec::with_capacity(vectors.len());
    for (name, shape, numbers) in vectors {
        let key = format!("lie/{name}");
        if encoded.iter().any(|(other, ..)| *other == key) {
            return Err(VectorsError::Twice { name: name.clone() });
        }
        if shape.iter().try_fold(1usize, |size, side| size.checked_mul(*side)) != Some(numbers.len()) {
            return Err(VectorsError::Shape { name: name.clone(), shape: shape.clone(), count: numbers.len() });
        }
        encoded.push((key, shape, numbers.iter().flat_map(|number| number.to_le_bytes()).collect()));
    }
    let mut views = Vec::with_capacity(encoded.len());
    for (key, shape, bytes) in &encoded {
        views.push((key.clone(), TensorView::new(Dtype::F32, shape.to_vec(), bytes)?));
    }
    let metadata = if metadata.is_empty() { None } else { Some(metadata) };
    Ok(safetensors::serialize(views, metadata)?)
}
