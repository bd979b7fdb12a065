//! Figures, one file per figure, drawn from result structs only.

mod aliased_fraction;
#[cfg(feature = "torch")]
mod antialias;
mod canvas;
mod departures;
#[cfg(feature = "torch")]
mod dots;
#[cfg(feature = "torch")]
mod downsampled;
mod field;
mod filters;
mod fold_map;
mod folding_map;
mod harmonics;
mod image_spectrum;
mod key;
mod lee;
mod node_theorem;
pub mod number;
mod scale;
mod scaled;
mod schemes;
pub mod style;
mod tangents;
mod theorem;

pub use aliased_fraction::AliasedFractionFigure;
#[cfg(feature = "torch")]
pub use antialias::AntialiasFigure;
pub use canvas::{Area, Figure, FigureError, Format, render};
pub use departures::DeparturesFigure;
#[cfg(feature = "torch")]
pub use downsampled::DownsampledFigure;
pub use filters::FiltersFigure;
pub use fold_map::FoldMapFigure;
pub use folding_map::FoldingMapFigure;
pub use harmonics::HarmonicsFigure;
pub use image_spectrum::ImageSpectrumFigure;
pub use lee::LeeFigure;
pub use node_theorem::NodeTheoremFigure;
pub use schemes::SchemesFigure;
pub use tangents::TangentsFigure;
pub use theorem::TheoremFigure;
