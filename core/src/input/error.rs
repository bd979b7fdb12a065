//! Why an image or tensor could not become input.

use std::path::PathBuf;

use crate::memory::Shortage;

/// What is said of an image beyond all limits.
pub(super) const TOO_LARGE: &str = "the image is too large to decode; shrink it first";

/// Why an image or tensor could not become input.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The operating system refused.
    #[error("{}: it cannot be read: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is no usable image.
    #[error("{}: {problem}", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// Memory does not suffice.
    #[error("{}: {shortage}; free some, or shrink the image", path.display())]
    Memory {
        /// The file.
        path: PathBuf,
        /// How much.
        shortage: Shortage,
    },
    /// A folder without images.
    #[error("{}: the folder has no .png, .jpg or .jpeg file{}", path.display(), passed_over(*others))]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
        /// How many images of other formats it has.
        others: usize,
    },
    /// A tensor file without a usable `x`.
    #[error("{}: {problem}; a tensor file needs the key 'x' of shape {wanted}, float", path.display())]
    Tensor {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
        /// The shape that the network takes, with N for the images.
        wanted: String,
    },
    /// The classes of images cannot be read.
    #[error("--labels {source_of}: {problem}")]
    Labels {
        /// `folders`, or the file.
        source_of: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The model's preprocessing cannot be read.
    #[error("the model's metadata '{key}' cannot be read ({problem}); give --preprocess imagenet, half or raw")]
    Metadata {
        /// The metadata key.
        key: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// A photo's shorter side would be resized to less than the input.
    #[error("resize={resize} is less than the network's input of {columns}×{rows}; give a resize of at least {}", rows.max(columns))]
    Resize {
        /// Pixels of the shorter side.
        resize: u32,
        /// Rows of the input.
        rows: usize,
        /// Columns of the input.
        columns: usize,
    },
    /// The network takes no photos.
    #[error(
        "the network's input has {channels} channels, and photos have 1 or 3; give a .safetensors file with key 'x'"
    )]
    Channels {
        /// The network's channels.
        channels: usize,
    },
}

impl InputError {
    /// Whether an image fails alone; what is wrong with the model or the options is wrong for all.
    pub fn leaves_others(&self) -> bool {
        matches!(self, Self::Read { .. } | Self::Image { .. } | Self::Tensor { .. })
    }
}

fn passed_over(others: usize) -> String {
    match others {
        0 => String::new(),
        n => format!(", but {n} of other formats; convert them to PNG"),
    }
}
