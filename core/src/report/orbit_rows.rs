//! An orbit as tidy rows.

use super::rows::Rows;
use crate::measure::layers_report::LayerClass;
use crate::measure::orbit_report::OrbitReport;

/// One row per layer; with `per_image` one per image and layer.
pub fn orbit_rows(report: &OrbitReport, per_image: bool) -> Rows {
    let class = |class: Option<LayerClass>| class.map_or("edge", LayerClass::name).to_owned();
    if !per_image {
        let mut rows = Rows::new(["layer", "class", "contribution", "share", "margin"]);
        for layer in &report.layers {
            rows.push([
                (&layer.name).into(),
                class(layer.class).into(),
                layer.contribution.into(),
                layer.share.into(),
                layer.margin.into(),
            ]);
        }
        return rows;
    }
    let mut rows = Rows::new(["image", "layer", "class", "part", "before", "after", "top_before", "top_after"]);
    for (name, image) in report.run.images.names.iter().zip(&report.by_image) {
        for (layer, part) in report.layers.iter().zip(&image.parts) {
            rows.push([
                name.into(),
                (&layer.name).into(),
                class(layer.class).into(),
                (*part).into(),
                image.scalar[0].into(),
                image.scalar[1].into(),
                image.top.map(|[before, _]| before).into(),
                image.top.map(|[_, after]| after).into(),
            ]);
        }
    }
    rows
}
