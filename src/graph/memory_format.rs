//! The memory format in which stacks of images and the weights of convolutions lie.

use tch::{Kind, Tensor};

use super::torch::Torch;

pub use aliascope_core::measure::run::MemoryFormat;

/// What a network is loaded with: libtorch's convolutions in single precision are written for channels last, those in
/// double precision for channels first.
pub(super) fn of_kind(kind: Kind) -> MemoryFormat {
    if kind == Kind::Float { MemoryFormat::ChannelsLast } else { MemoryFormat::ChannelsFirst }
}

/// `[…, channels, rows, columns]` in this format, copied where it is in another.
///
/// # Errors
/// When memory is short.
pub(super) fn arranged(x: &Tensor, format: MemoryFormat) -> Torch<Tensor> {
    match format {
        MemoryFormat::ChannelsLast => x.f_movedim_int(-3, -1)?.f_contiguous()?.f_movedim_int(-1, -3),
        MemoryFormat::ChannelsFirst => x.f_contiguous(),
    }
}
