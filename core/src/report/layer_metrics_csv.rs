//! Measures of layers as CSV.

use std::fmt::Write;

use super::text::quoted;
use crate::measure::layer_metrics::LayerMetrics;

/// One row per layer and measure; a measure that a layer does not have has empty fields.
///
/// Numbers have as many digits as it takes to read the same `f64` back.
pub fn layer_metrics_csv(metrics: &LayerMetrics) -> String {
    let mut text = String::from("name,op,class,measure,mean,sem,share\n");
    let optional = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
    for layer in &metrics.layers {
        for (name, measured) in &layer.measures {
            let [mean, sem, share] =
                [measured.map(|m| m.mean), measured.and_then(|m| m.sem), measured.and_then(|m| m.share)];
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{},{},{},{name},{},{},{}",
                quoted(&layer.name),
                quoted(&layer.op),
                layer.class.name(),
                optional(mean),
                optional(sem),
                optional(share)
            );
        }
    }
    text
}
