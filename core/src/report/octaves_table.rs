//! What octaves make of layers' errors, as text for a terminal and as rows.

use super::rows::{Cell, Rows};
use super::table::Table;
use crate::measure::layers_report::{LayerReport, LayersReport, OctavePart};
use crate::number::{compact, percent};
use crate::spectrum::octave;

/// Of these layers, where they are split by octaves: what each octave makes, and what is left below each cut-off.
pub(super) fn octaves(layers: &[&LayerReport], width: usize) -> Vec<String> {
    let Some(first) = layers.iter().find_map(|layer| layer.octaves.as_ref()) else { return Vec::new() };
    let bands: Vec<String> = first.iter().map(OctavePart::band).collect();
    let mut made = Table::of_numbers(std::iter::once("layer").chain(bands.iter().map(String::as_str)));
    let ends: Vec<String> = first.iter().skip(1).map(|octave| octave::fraction(octave.to)).collect();
    let mut left = Table::of_numbers(std::iter::once("layer").chain(ends.iter().map(String::as_str)));
    for layer in layers {
        let octaves = layer.octaves.iter().flatten().map(|octave| compact(octave.contribution));
        made.push(std::iter::once(layer.name.clone()).chain(octaves).collect::<Vec<_>>());
        let shares = layer.left_below().into_iter().flatten().map(|[_, share]| percent(share, 1));
        left.push(std::iter::once(layer.name.clone()).chain(shares).collect::<Vec<_>>());
    }
    let mut lines = vec![
        String::new(),
        "Contribution of each octave of what the layer's nodes read, in parts of its Nyquist frequency (vectors add up, \
         squares need not):"
            .to_owned(),
    ];
    lines.extend(made.lines(width));
    lines.push(String::new());
    lines.push("What would be left of the contribution if what they read ended below:".to_owned());
    lines.extend(left.lines(width));
    lines
}

/// One row per octave of a layer, for each generator and derivative.
pub(super) fn octave_rows(report: &LayersReport) -> Rows {
    let mut rows = Rows::new([
        "generator",
        "derivative",
        "name",
        "op",
        "module",
        "class",
        "contribution",
        "from",
        "to",
        "octave_contribution",
        "octave_signed_share",
        "up_to",
    ]);
    for results in report.results.all() {
        for layer in &results.layers {
            for octave in layer.octaves.iter().flatten() {
                let cells: [Cell; 12] = [
                    (&results.generator).into(),
                    results.derivative.name().into(),
                    (&layer.name).into(),
                    (&layer.op).into(),
                    (&layer.module).into(),
                    layer.class.name().into(),
                    layer.contribution.into(),
                    octave.from.into(),
                    octave.to.into(),
                    octave.contribution.into(),
                    octave.signed_share.into(),
                    octave.up_to.into(),
                ];
                rows.push(cells);
            }
        }
    }
    rows
}
