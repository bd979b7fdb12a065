//! The theorem on a network's nodes as tidy rows.

use super::rows::{Cell, Rows};
use crate::measure::node_theorem_report::NodeTheoremReport;

/// One row per node; with `per_image` one per image and node.
///
/// `worst_from` and `worst_to` are the harmonic that does most of the damage and the bin that it lands on, in cycles.
pub fn node_theorem_rows(report: &NodeTheoremReport, per_image: bool) -> Rows {
    if per_image {
        return by_image(report);
    }
    let mut rows = Rows::new([
        "name",
        "op",
        "kind",
        "channels",
        "columns",
        "rows",
        "stride_x",
        "stride_y",
        "predicted",
        "measured",
        "relative_difference",
        "oversample",
        "last_change",
        "field_change",
        "input_above_nyquist",
        "damage_at_10",
        "damage_at_50",
        "damage_at_90",
        "worst_from_x",
        "worst_from_y",
        "worst_to_x",
        "worst_to_y",
        "worst_share",
    ]);
    for node in &report.nodes {
        let (truncation, worst) = (node.truncation, node.worst.first());
        let cells: [Cell; 23] = [
            (&node.name).into(),
            (&node.op).into(),
            (&node.kind).into(),
            node.channels.into(),
            node.samples[0].into(),
            node.samples[1].into(),
            node.stride[0].into(),
            node.stride[1].into(),
            node.predicted.into(),
            node.measured.into(),
            node.relative_difference.into(),
            truncation.map(|t| t.oversample).into(),
            truncation.map(|t| t.last_change).into(),
            truncation.map(|t| t.field_change).into(),
            node.input_above_nyquist.into(),
            node.damage_at[0].into(),
            node.damage_at[1].into(),
            node.damage_at[2].into(),
            worst.map(|fold| fold.from[0]).into(),
            worst.map(|fold| fold.from[1]).into(),
            worst.map(|fold| fold.to[0]).into(),
            worst.map(|fold| fold.to[1]).into(),
            worst.map(|fold| fold.share).into(),
        ];
        rows.push(cells);
    }
    rows
}

fn by_image(report: &NodeTheoremReport) -> Rows {
    let mut rows = Rows::new(["image", "name", "kind", "predicted", "measured"]);
    for (at, image) in report.run.images.names.iter().enumerate() {
        for node in &report.nodes {
            let values = node.by_image.get(at);
            rows.push([
                image.into(),
                (&node.name).into(),
                (&node.kind).into(),
                values.map(|[predicted, _]| *predicted).into(),
                values.map(|[_, measured]| *measured).into(),
            ]);
        }
    }
    rows
}
