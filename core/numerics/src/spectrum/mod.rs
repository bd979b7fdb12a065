//! Fourier series, transforms, the alias map and the aliasing theorem, in pure Rust.
//!
//! Conventions, the same everywhere: the torus is \[0, 1)² and h(x) = Σ_n H_n e^{2πi n·x}, with no 1/2π in front;
//! a grid of M samples has its samples at j/M; a sampled signal's coefficients are its discrete Fourier transform
//! divided by the number of samples, so that a harmonic's coefficient does not depend on the grid that saw it.

pub mod activation;
pub mod alias;
pub mod bessel;
pub mod convolution;
mod cosine;
pub mod decay;
pub mod departures;
pub mod differentiation;
pub mod filter;
mod fine_grid;
pub mod half_spectrum;
pub mod harmonics;
pub mod image_spectrum;
pub mod interpolation;
pub mod name;
pub mod octave;
pub mod plans;
pub mod quadrature;
pub mod series;
pub mod smooth;
pub mod strided;
pub mod theorem;
pub mod transform;
pub mod translation;
pub mod velocity;
pub mod warp;

pub use alias::{GridSize, Wave};
pub use half_spectrum::HalfSpectrum;
pub use series::FourierSeries;
pub use transform::RealTransform;
pub use velocity::Velocity;
