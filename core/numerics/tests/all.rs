//! All tests of this crate's interface but those of its memory, in one program: they compile and run sooner than in one
//! for each file.

mod harmonics;
mod spectrum_differentiation;
mod spectrum_filters;
mod spectrum_series;
mod spectrum_transform;
mod spectrum_warp;
mod statistics;
mod statistics_coverage;
mod theorem;
mod theorem_strided;
