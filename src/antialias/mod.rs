//! Anti-aliasing designs: layers that alias less, what the theorem predicts for each, and what is measured.
//!
//! [`Design`] is what a layer has to say of itself, `catalogue` has every one by name, one file to a design or a small
//! family, and [`bench`](mod@bench) measures them side by side. [`operator`] makes an executor's operator of a design,
//! and
//! [`OnnxForm`] says it in ONNX.

mod adaa;
mod average;
pub mod bench;
mod blurpool;
mod bspline;
mod catalogue;
mod ddac;
mod design;
mod design_error;
mod filtered;
mod fir;
mod ideal;
mod kaiser;
mod max;
mod norm;
pub mod onnx_form;
mod phase;
pub mod pictures;
pub mod plane;
mod pointwise;
pub mod prediction;
mod resampling;
mod resize;
mod shift;
pub mod surgery;
mod upsample;
mod wavelet;

pub use aliascope_core::antialias::{Entry, Guarantee, Kind, Listed, Padding, report};

pub use adaa::Adaa;
pub use average::average;
pub use blurpool::{blurpool, vasconcelos};
pub use catalogue::{Context, all_names, catalogue, design, list, split_names};
pub use ddac::Ddac;
pub use design::{Cost, Design, DesignError, Resampling, apply, operator};
pub use filtered::Filtered;
pub use fir::Fir;
pub use ideal::{Band, Ideal};
pub use kaiser::{KaiserRadial, kaiser, lanczos};
pub use max::MaxPool;
pub use norm::{Norm, Statistics};
pub use onnx_form::{NotOnnx, OnnxForm, OnnxSite};
pub use phase::{LearnedWeights, Phase, Polyphase, gaussian};
pub use pointwise::{Pointwise, fit};
pub use resize::{Kernel, resize};
pub use upsample::{IdealUp, Interpolation};
pub use wavelet::{Wavelet, wavelet};
