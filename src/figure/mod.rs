//! Figures, one file per figure, drawn from result structs only.

mod aliased_fraction;
mod canvas;
mod departures;
mod field;
mod fold_map;
mod folding_map;
mod harmonics;
mod image_spectrum;
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
pub use canvas::{Area, Figure, FigureError, Format, render};
pub use departures::DeparturesFigure;
pub use fold_map::FoldMapFigure;
pub use folding_map::FoldingMapFigure;
pub use harmonics::HarmonicsFigure;
pub use image_spectrum::ImageSpectrumFigure;
pub use lee::LeeFigure;
pub use node_theorem::NodeTheoremFigure;
pub use schemes::SchemesFigure;
pub use tangents::TangentsFigure;
pub use theorem::TheoremFigure;
