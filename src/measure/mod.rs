//! Measurements, and the plain structs they return.

pub mod lee_report;

