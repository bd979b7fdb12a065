//! Measures of layers as tidy rows.

use super::rows::Rows;
use crate::measure::layer_metrics::LayerMetrics;
use crate::measure::run::Images;

/// One row per layer and measure, or per image, layer and measure; a measure that a layer does not have has no numbers.
pub fn layer_metrics_rows(metrics: &LayerMetrics, images: Option<&Images>) -> Rows {
    let Some(images) = images else {
        let mut rows = Rows::new(["name", "op", "class", "measure", "mean", "sem", "share"]);
        for layer in &metrics.layers {
            for (name, measured) in &layer.measures {
                let measured = measured.as_ref();
                rows.push([
                    (&layer.name).into(),
                    (&layer.op).into(),
                    layer.class.name().into(),
                    name.into(),
                    measured.map(|m| m.mean).into(),
                    measured.and_then(|m| m.sem).into(),
                    measured.and_then(|m| m.share).into(),
                ]);
            }
        }
        return rows;
    };
    let mut rows = Rows::new(["image", "name", "class", "measure", "value"]);
    for (at, image) in images.names.iter().enumerate() {
        for layer in &metrics.layers {
            for (name, measured) in &layer.measures {
                let value = measured.as_ref().and_then(|measured| measured.by_image.get(at).copied());
                rows.push([image.into(), (&layer.name).into(), layer.class.name().into(), name.into(), value.into()]);
            }
        }
    }
    rows
}
