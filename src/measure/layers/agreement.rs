//! Whether two generators blame the same layers.

use std::collections::BTreeMap;

use super::LayerMeter;
use crate::measure::layers_report::Agreement;
use crate::statistics::{jackknife, spearman};

/// Spearman's rank correlation of the layers' contributions for every pair of meters under one derivative, over the layers
/// that make errors under both; of pairs with fewer than three such layers nothing is said.
pub fn agreements(meters: &[LayerMeter<'_>]) -> Vec<Agreement> {
    let mut found = Vec::new();
    for (i, a) in meters.iter().enumerate() {
        for b in &meters[i + 1..] {
            // Ranks of what is rounding say nothing.
            let measured = a.images() > 0 && a.images() == b.images() && a.errs() && b.errs();
            if a.options.scheme != b.options.scheme || !measured {
                continue;
            }
            let of_b: BTreeMap<&str, &[f64]> = b.squares().collect();
            let pairs: Vec<_> = a.squares().filter_map(|(name, a)| Some((a, *of_b.get(name)?))).collect();
            let correlation = |left_out: Option<usize>| {
                let sum = |values: &[f64]| -> f64 {
                    values.iter().enumerate().filter(|(image, _)| Some(*image) != left_out).map(|(_, v)| v).sum()
                };
                let (x, y): (Vec<f64>, Vec<f64>) = pairs.iter().map(|(a, b)| (sum(a), sum(b))).unzip();
                spearman(&x, &y)
            };
            let Some(rank_correlation) = correlation(None) else { continue };
            found.push(Agreement {
                derivative: a.options.scheme,
                generators: [a, b].map(|meter| meter.options.generator.name().to_owned()),
                layers: pairs.len(),
                rank_correlation,
                sem: jackknife(a.images(), |image| correlation(Some(image))),
            });
        }
    }
    found
}
