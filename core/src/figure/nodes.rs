//! The figure of the theorem on the nodes of a network.

use plotters::backend::DrawingBackend;

use super::{Area, Figure, FigureError, FoldMapFigure, NodeTheoremFigure};
use crate::measure::node_theorem_report::NodeTheoremReport;

/// Of one node the map of its harmonics, of several their predictions against their measurements.
pub enum NodesFigure<'a> {
    /// Of several nodes.
    Nodes(NodeTheoremFigure<'a>),
    /// Of one node.
    Map(FoldMapFigure<'a>),
}

impl<'a> NodesFigure<'a> {
    /// What fits the report.
    pub fn of(report: &'a NodeTheoremReport) -> Self {
        match (&report.nodes[..], &report.map) {
            ([node], Some(map)) => Self::Map(FoldMapFigure { report, node, map }),
            _ => Self::Nodes(NodeTheoremFigure(report)),
        }
    }
}

impl Figure for NodesFigure<'_> {
    fn size(&self) -> (u32, u32) {
        match self {
            Self::Nodes(figure) => figure.size(),
            Self::Map(figure) => figure.size(),
        }
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        match self {
            Self::Nodes(figure) => figure.draw(root),
            Self::Map(figure) => figure.draw(root),
        }
    }
}
