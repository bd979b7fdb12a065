//! Where in the image a node's own error sits: plain data for figures.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::symmetry::Grid;

/// The defect δ of one node on one image, position by position.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DefectMap {
    /// The layer that the node belongs to, by its place in the results.
    pub layer: usize,
    /// The node's name.
    pub node: String,
    /// Where the positions lie in the input plane, in half-widths.
    pub grid: Grid,
    /// Σ over channels of δ², `[rows, columns]`.
    pub squares: Array2<f64>,
}
