//! The theorem on a network's nodes as CSV.

use std::fmt::Write;

use super::text::quoted;
use crate::measure::node_theorem_report::NodeTheoremReport;

/// One row per node under a header; a field that does not exist is empty.
///
/// Numbers have as many digits as it takes to read the same `f64` back. `worst_from` and `worst_to` are the harmonic
/// that does most of the damage and the bin that it lands on, as `x y` in cycles.
pub fn node_theorem_csv(report: &NodeTheoremReport) -> String {
    let mut text = String::from(
        "name,op,kind,channels,columns,rows,stride_x,stride_y,predicted,measured,relative_difference,oversample,\
         last_change,field_change,input_above_nyquist,damage_at_10,damage_at_50,damage_at_90,worst_from,worst_to,\
         worst_share\n",
    );
    let optional = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
    for node in &report.nodes {
        let truncation = node.truncation;
        let worst = node.worst.first();
        let fields = [
            quoted(&node.name),
            quoted(&node.op),
            node.kind.clone(),
            node.channels.to_string(),
            node.samples[0].to_string(),
            node.samples[1].to_string(),
            node.stride[0].to_string(),
            node.stride[1].to_string(),
            node.predicted.to_string(),
            node.measured.to_string(),
            optional(node.relative_difference),
            truncation.map(|t| t.oversample.to_string()).unwrap_or_default(),
            optional(truncation.map(|t| t.last_change)),
            optional(truncation.map(|t| t.field_change)),
            node.input_above_nyquist.to_string(),
            node.damage_at[0].to_string(),
            node.damage_at[1].to_string(),
            node.damage_at[2].to_string(),
            worst.map(|fold| format!("{} {}", fold.from[0], fold.from[1])).unwrap_or_default(),
            worst.map(|fold| format!("{} {}", fold.to[0], fold.to[1])).unwrap_or_default(),
            optional(worst.map(|fold| fold.share)),
        ];
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", fields.join(","));
    }
    text
}
