//! Figures, one file per figure, drawn from result structs only.

#[cfg(feature = "torch")]
mod advice;
mod aliased_fraction;
#[cfg(feature = "torch")]
mod antialias;
mod canvas;
mod defect_maps;
mod departures;
#[cfg(feature = "torch")]
mod dots;
#[cfg(feature = "torch")]
mod downsampled;
mod field;
mod filters;
mod fold_map;
mod folding_map;
mod graph_layout;
mod harmonics;
mod image_spectrum;
mod key;
pub(crate) mod layer_looks;
mod layer_metrics;
mod layers_depth;
mod layers_derivatives;
mod layers_graph;
mod layers_shares;
mod layers_worst;
mod lee;
pub mod markup;
mod node_theorem;
pub mod number;
mod pattern;
mod scale;
mod scaled;
mod schemes;
pub mod style;
#[cfg(feature = "torch")]
mod surgery;
mod tangents;
mod theorem;

#[cfg(feature = "torch")]
pub use advice::AdviceFigure;
pub use aliased_fraction::AliasedFractionFigure;
#[cfg(feature = "torch")]
pub use antialias::AntialiasFigure;
pub use canvas::{Area, Figure, FigureError, Format, render};
pub use defect_maps::DefectMapsFigure;
pub use departures::DeparturesFigure;
#[cfg(feature = "torch")]
pub use downsampled::DownsampledFigure;
pub use filters::FiltersFigure;
pub use fold_map::FoldMapFigure;
pub use folding_map::FoldingMapFigure;
pub use harmonics::HarmonicsFigure;
pub use image_spectrum::ImageSpectrumFigure;
pub use layer_metrics::LayerMetricsFigure;
pub use layers_depth::LayersDepthFigure;
pub use layers_derivatives::DerivativesFigure;
pub use layers_graph::LayersGraphFigure;
pub use layers_shares::ClassSharesFigure;
pub use layers_worst::WorstLayersFigure;
pub use lee::LeeFigure;
pub use node_theorem::NodeTheoremFigure;
pub use schemes::SchemesFigure;
#[cfg(feature = "torch")]
pub use surgery::SurgeryFigure;
pub use tangents::TangentsFigure;
pub use theorem::TheoremFigure;
