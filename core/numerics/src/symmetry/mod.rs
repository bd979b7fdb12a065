//! Generators of the affine algebra and saturation, their linear combinations, and the grids they act on.
//!
//! Pure Rust, no tensors: a generator is a vector field v(u), a grid says where samples lie, and the derivative
//! along an axis is a matrix from [`crate::spectrum`].

mod combination;
mod generator;
mod grid;
mod motion;
mod orbit;
mod turned;

pub use combination::{Combination, CombinationError};
pub use generator::{Generator, MEASURED, Named};
pub use grid::{Axis, Grid, GridKind, Units};
pub use motion::Motion;
pub use orbit::Orbit;
pub use turned::{Planes, TURNED_REACH, lanczos3};
