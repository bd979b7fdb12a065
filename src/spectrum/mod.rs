//! Fourier series, transforms, the alias map and the aliasing theorem, in pure Rust.
