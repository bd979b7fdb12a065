//! The typeface of all figures.

/// The embedded face and, for SVG viewers, those of the same widths.
pub const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";
