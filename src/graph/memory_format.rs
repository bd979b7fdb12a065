//! The memory format in which stacks of images and the weights of convolutions lie.

use std::fmt;

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::torch::Torch;

/// How `[stack, images, channels, rows, columns]` lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemoryFormat {
    /// All channels of a pixel side by side.
    ChannelsLast,
    /// All pixels of a channel side by side.
    ChannelsFirst,
}

impl MemoryFormat {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::ChannelsLast, Self::ChannelsFirst];

    /// What a network is loaded with: libtorch's convolutions in single precision are written for channels last, those in
    /// double precision for channels first.
    pub(super) fn of(kind: Kind) -> Self {
        if kind == Kind::Float { Self::ChannelsLast } else { Self::ChannelsFirst }
    }

    /// `[…, channels, rows, columns]` in this format, copied where it is in another.
    ///
    /// # Errors
    /// When memory is short.
    pub(super) fn arranged(self, x: &Tensor) -> Torch<Tensor> {
        match self {
            Self::ChannelsLast => x.f_movedim_int(-3, -1)?.f_contiguous()?.f_movedim_int(-1, -3),
            Self::ChannelsFirst => x.f_contiguous(),
        }
    }
}

impl fmt::Display for MemoryFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ChannelsLast => "channels last",
            Self::ChannelsFirst => "channels first",
        })
    }
}
