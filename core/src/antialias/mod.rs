//! What measurements of anti-aliasing designs return: plain data, read by tables and figures.

mod kind;
mod listed;
pub mod pictures;
mod place;
pub mod report;
pub mod surgery_report;

pub use kind::{Guarantee, Kind, Padding};
pub use listed::{Entry, Listed};
pub use place::Place;
