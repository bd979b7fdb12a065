//! Which layers make the errors of a study's networks: as text and as columns of rows.

use crate::measure::layers_report::LayerClass;
use crate::number::{compact, percent};
use crate::statistics::Estimate;
use crate::study::layers::StudyLayers;
use crate::study::report::{StudyNetwork, StudyReport};

use super::comparison_rows::three;
use super::rows::Cell;
use super::table::{Side, Table, blocks};
use super::text::{NONE, tail};

/// What stands of the worst layer in the rows of a study.
const COLUMNS: [&str; 7] = [
    "conservation_residual",
    "worst_layer",
    "worst_layer_class",
    "worst_layer_share",
    "worst_layer_share_low",
    "worst_layer_share_high",
    "worst_layer_signed_share",
];

/// The columns of classes' shares.
const fn column(class: LayerClass) -> &'static str {
    match class {
        LayerClass::Convolution => "share_convolution",
        LayerClass::StridedConvolution => "share_strided_convolution",
        LayerClass::Pooling => "share_pooling",
        LayerClass::Nonlinearity => "share_nonlinearity",
        LayerClass::Attention => "share_attention",
        LayerClass::TokenMixing => "share_token_mixing",
        LayerClass::Normalisation => "share_normalisation",
        LayerClass::PatchEmbedding => "share_patch_embedding",
        LayerClass::PositionalEmbedding => "share_positional_embedding",
        LayerClass::Resampling => "share_resampling",
        LayerClass::Misalignment => "share_misalignment",
        LayerClass::Head => "share_head",
        LayerClass::Softmax => "share_softmax",
        LayerClass::Other => "share_other",
    }
}

/// The columns that a study with attributions has beside the others.
pub(super) fn columns(classes: &[LayerClass]) -> Vec<&'static str> {
    if classes.is_empty() {
        return Vec::new();
    }
    COLUMNS.into_iter().chain(classes.iter().map(|class| column(*class))).collect()
}

/// What stands in them; empty of errors that are not attributed. A class of which the network has no layer has a share of 0.
pub(super) fn cells(layers: Option<&StudyLayers>, classes: &[LayerClass]) -> Vec<Cell> {
    let Some(layers) = layers else { return vec![Cell::Empty; columns(classes).len()] };
    let worst = layers.worst();
    let mut cells: Vec<Cell> = vec![
        layers.conservation_residual.into(),
        worst.map(|layer| layer.name.as_str()).into(),
        worst.map(|layer| layer.class.name()).into(),
    ];
    cells.extend(three(worst.and_then(|layer| layer.share.as_ref())));
    cells.push(worst.and_then(|layer| layer.signed_share).into());
    cells.extend(classes.iter().map(|class| Cell::from(class_share(layers, *class).map(|share| share.value))));
    cells
}

/// A class's share in the sum of all layers; 0 where the network has none of it.
pub(super) fn class_share(layers: &StudyLayers, class: LayerClass) -> Option<Estimate> {
    match layers.by_type.get(class.name()) {
        Some(of) => of.share,
        None => layers.worst().map(|_| Estimate::default()),
    }
}

/// `45.3 [40.1, 50.2] %`.
pub(super) fn share(of: Option<&Estimate>) -> String {
    match of {
        Some(Estimate { value, interval: Some(interval) }) => {
            let [value, low, high] = [*value, interval.low, interval.high].map(|share| 100.0 * share);
            format!("{value:.1} [{low:.1}, {high:.1}] %")
        }
        Some(Estimate { value, interval: None }) => percent(*value, 1),
        None => NONE.to_owned(),
    }
}

/// `−3.2 %`.
pub(super) fn signed(share: Option<f64>) -> String {
    share.map_or_else(|| NONE.to_owned(), |share| percent(share, 1))
}

/// The worst layer of each network on a set, and the shares of classes of layers, generator by generator; of the first `most`
/// networks.
pub(super) fn layers_lines(report: &StudyReport, set: &str, most: usize, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let (generators, classes) = report.attributed();
    for generator in generators {
        let of = |network: &'_ StudyNetwork| {
            let on = network.sets.get(set)?;
            Some((network.about.name.clone(), on.layers.iter().find(|of| of.generator == generator)?.clone()))
        };
        let found: Vec<(String, StudyLayers)> = report.networks.iter().take(most).filter_map(of).collect();
        let Some((_, first)) = found.first() else { continue };
        let is_mixed = found.iter().any(|(_, layers)| layers.output != first.output);
        let residual = found.iter().map(|(_, layers)| layers.conservation_residual).fold(0.0, f64::max);
        lines.push(String::new());
        lines.push(format!(
            "Layers that make the error under {generator} on the set '{set}', {}{} derivative: the worst of each network, its \
             share in the sum of all layers' E‖J δ‖²/dim, with its {:.0} % interval, and its signed share in L; the layers add \
             up to L with a residual of at most {}",
            if is_mixed { String::new() } else { format!("{}, ", first.output) },
            first.derivative,
            100.0 * report.level,
            compact(residual)
        ));
        lines.push(String::new());
        let output = is_mixed.then_some(("output", Side::Words));
        let heads = [("network", Side::Names)].into_iter().chain(output).chain([
            ("worst layer", Side::Words),
            ("class", Side::Words),
            ("share", Side::Numbers),
            ("signed", Side::Numbers),
        ]);
        let mut table = Table::new(heads);
        for (name, layers) in &found {
            let worst = layers.worst();
            let word = |of: Option<&str>| of.map_or_else(|| NONE.to_owned(), str::to_owned);
            let mut cells = vec![name.clone()];
            cells.extend(is_mixed.then(|| layers.output.clone()));
            cells.extend([
                tail(&word(worst.map(|layer| layer.name.as_str())), LONGEST_LAYER),
                word(worst.map(|layer| layer.class.name())),
                share(worst.and_then(|layer| layer.share.as_ref())),
                signed(worst.and_then(|layer| layer.signed_share)),
            ]);
            table.push(cells);
        }
        lines.extend(table.lines(width));
        lines.push(String::new());
        lines.push(format!("Shares of classes of layers in the error under {generator}"));
        lines.push(String::new());
        let head = std::iter::once("network").chain(classes.iter().map(|class| class.name()));
        let row = |(name, layers): &(String, StudyLayers)| {
            let cell = |class: &LayerClass| share(class_share(layers, *class).as_ref());
            std::iter::once(name.clone()).chain(classes.iter().map(cell)).collect::<Vec<_>>()
        };
        let rows: Vec<Vec<String>> =
            std::iter::once(head.map(str::to_owned).collect()).chain(found.iter().map(row)).collect();
        lines.extend(blocks(&rows, width));
    }
    lines
}

/// Columns of a layer's name, of which the end tells more.
const LONGEST_LAYER: usize = 32;
