//! Photos and tensors as network input, one at a time.

mod crops;
mod error;
mod folder;
mod grammar;
mod jpeg;
mod kind;
mod labels;
mod look;
mod note;
mod photo;
mod placement;
pub(crate) mod png;
mod preprocessing;
mod source;
mod stated;
mod tensor_file;

pub use crops::{CropDraw, DecodedPhoto};
pub use error::InputError;
pub(crate) use kind::is_picture;
pub use labels::{LabelSource, Labels, listed_images};
pub use note::{PhotoNote, PhotoNotes};
pub use photo::{Photo, photo_with_hash, read_luma, read_photo};
pub use preprocessing::{Interpolation, METADATA_KEY, Preprocessing};
pub use source::{Frame, Source};
pub use stated::{StatedPreprocessing, stated_size};
