//! What octaves make of layers' errors, as text for a terminal and in rows.

use super::rows::Cell;
use super::table::Table;
use super::text::NONE;
use crate::measure::layers_report::{LayerReport, OctavePart};
use crate::number::{above, percent};
use crate::spectrum::octave;

/// Of these layers, where they are split by octaves: what each octave makes, and what is left below each cut-off.
pub(super) fn octaves(layers: &[&LayerReport], rounding: f64, width: usize) -> Vec<String> {
    let Some(first) = layers.iter().find_map(|layer| layer.octaves.as_ref()) else { return Vec::new() };
    let bands: Vec<String> = first.iter().map(OctavePart::band).collect();
    let mut made = Table::of_numbers(std::iter::once("layer").chain(bands.iter().map(String::as_str)));
    let ends: Vec<String> = first.iter().skip(1).map(|octave| octave::fraction(octave.to)).collect();
    let mut left = Table::of_numbers(std::iter::once("layer").chain(ends.iter().map(String::as_str)));
    for layer in layers {
        let octaves = layer.octaves.iter().flatten().map(|octave| above(octave.contribution, rounding));
        made.push(std::iter::once(layer.name.clone()).chain(octaves).collect::<Vec<_>>());
        // Of rounding there are no shares.
        let is_rounding = layer.contribution <= rounding;
        let told = |share: f64| if is_rounding { NONE.to_owned() } else { percent(share, 1) };
        let shares = layer.left_below().into_iter().flatten().map(|[_, share]| told(share));
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

/// The columns of a layer's octaves, highest first: 1 is from half of the Nyquist frequency to all of it.
pub(super) const COLUMNS: [&str; 3 * octave::BANDS] = [
    "octave_1",
    "octave_1_signed_share",
    "octave_1_up_to",
    "octave_2",
    "octave_2_signed_share",
    "octave_2_up_to",
    "octave_3",
    "octave_3_signed_share",
    "octave_3_up_to",
    "octave_4",
    "octave_4_signed_share",
    "octave_4_up_to",
    "octave_5",
    "octave_5_signed_share",
    "octave_5_up_to",
];

/// What stands in them.
pub(super) fn cells(layer: &LayerReport) -> impl Iterator<Item = Cell> {
    let of = |octave: &OctavePart| [octave.contribution.into(), octave.signed_share.into(), octave.up_to.into()];
    layer.octaves.iter().flatten().flat_map(of)
}
