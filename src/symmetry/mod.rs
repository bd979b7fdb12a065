//! Generators of the affine algebra and the sampling grids they act on, in pure Rust.
