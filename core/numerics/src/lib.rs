//! The numbers of **aliascope**: spectra, symmetries and statistics, as formulas on arrays, without files, figures or
//! networks.
//!
//! - [`origin`]: who computed a result, and when.
//! - [`pixels`]: pictures made larger and smaller.
//! - [`spectrum`]: Fourier series on the torus, 2-D transforms, the alias map, the aliasing theorem in its three
//!   forms, the harmonics a nonlinearity makes, differentiation matrices, filters.
//! - [`symmetry`]: the generators of the affine algebra and saturation, their linear combinations, and the grids
//!   they act on.
//! - [`statistics`]: means and ratios over images, with intervals.
//!
//! `aliascope-core` re-exports all of it, and `aliascope` what is in that.

#![warn(missing_docs)]

pub mod origin;
pub mod pixels;
pub mod spectrum;
pub mod statistics;
pub mod symmetry;
