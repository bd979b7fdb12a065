//! What is known of an operator's inputs.

use tch::Device;

use crate::graph::labels::Labels;
use crate::graph::layout::Layout;
use crate::graph::operator::Torch;

/// A varying input of an operator.
pub struct Known<'a> {
    /// Its shape.
    pub shape: &'a [i64],
    /// Its layout.
    pub layout: &'a Layout,
    /// Its labels, where they say more than the layout.
    pub labels: Option<&'a Labels>,
    /// Where operators keep their constants.
    pub device: Device,
}

impl Known<'_> {
    /// The labels of its entries; none where nothing is known.
    pub(super) fn labels(&self) -> Torch<Option<Labels>> {
        match self.labels {
            Some(labels) => Ok(Some(labels.copy())),
            None => Labels::of(self.layout, self.shape, self.device),
        }
    }
}
