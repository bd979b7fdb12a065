//! A comparison of networks as tidy rows.

use super::rows::{Cell, Rows};
use crate::statistics::Estimate;
use crate::study::comparison::{ComparedNetwork, Comparison, Difference};

/// One row per network and generator: LEE, what is known of the network, and its ratio to the first network's; with
/// `per_image` one per network, generator and image, with the image's own value and predicted class.
pub fn comparison_rows(comparison: &Comparison, per_image: bool) -> Rows {
    if per_image {
        return by_image(comparison);
    }
    let mut rows = Rows::new([
        "network",
        "family",
        "generator",
        "images",
        "lee",
        "lee_low",
        "lee_high",
        "geometric_mean",
        "geometric_mean_low",
        "geometric_mean_high",
        "relative",
        "ratio",
        "ratio_low",
        "ratio_high",
        "difference",
        "difference_low",
        "difference_high",
        "labelled",
        "right",
        "top1",
        "parameters",
        "bytes",
        "sweep_ms",
        "model",
        "sha256",
    ]);
    for network in &comparison.networks {
        for (generator, lee) in &network.generators {
            let found =
                |difference: &&Difference| difference.network == network.name && difference.generator == *generator;
            let difference = comparison.differences.iter().find(found);
            let mut cells: Vec<Cell> = vec![
                (&network.name).into(),
                (&network.family).into(),
                generator.into(),
                network.run.images.count().into(),
            ];
            cells.extend(three(Some(&lee.lee)));
            cells.extend(three(lee.geometric_mean.as_ref()));
            cells.push(lee.relative.into());
            let ratio = difference.and_then(|difference| difference.ratio.as_ref());
            cells.extend(three(ratio.map(|ratio| &ratio.geometric)));
            cells.extend(three(difference.and_then(|difference| difference.difference.as_ref())));
            cells.extend(known(network));
            rows.push(cells);
        }
    }
    rows
}

/// A value and the ends of its interval.
pub(super) fn three(estimate: Option<&Estimate>) -> [Cell; 3] {
    let interval = estimate.and_then(|estimate| estimate.interval);
    [
        estimate.map(|estimate| estimate.value).into(),
        interval.map(|interval| interval.low).into(),
        interval.map(|interval| interval.high).into(),
    ]
}

fn known(network: &ComparedNetwork) -> [Cell; 8] {
    let accuracy = network.accuracy.as_ref();
    [
        accuracy.map(|accuracy| accuracy.images).into(),
        accuracy.map(|accuracy| accuracy.right).into(),
        accuracy.map(|accuracy| accuracy.top1).into(),
        (network.parameters as i64).into(),
        (network.bytes as i64).into(),
        network.sweep_ms.into(),
        (&network.run.model.path).into(),
        (&network.run.model.sha256).into(),
    ]
}

fn by_image(comparison: &Comparison) -> Rows {
    let mut rows = Rows::new(["network", "family", "image", "generator", "lee", "predicted"]);
    for network in &comparison.networks {
        for (at, image) in network.run.images.names.iter().enumerate() {
            for (generator, lee) in &network.generators {
                rows.push([
                    (&network.name).into(),
                    (&network.family).into(),
                    image.into(),
                    generator.into(),
                    lee.by_image.get(at).copied().into(),
                    network.predicted.as_ref().and_then(|classes| classes.get(at).copied()).into(),
                ]);
            }
        }
    }
    rows
}
