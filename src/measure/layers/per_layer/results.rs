//! What layer by layer comes to over all images.

use indexmap::IndexMap;

use super::LayerShifts;
use crate::measure::layer_metrics::{LayerMeasure, LayerMetric, LayerMetrics, LayerProtocols, Measured, Share};
use crate::measure::layers_report::LayerClass;
use crate::statistics::{mean, spearman, standard_error};

impl LayerShifts<'_> {
    /// The results over the images so far.
    pub fn results(&self) -> LayerMetrics {
        let plan = &self.meters[0].plan;
        let images = self.found.len();
        let [across, down] = [0, 1].map(|at| self.meters[at].squares().map(|(_, v)| v.to_vec()).collect::<Vec<_>>());
        // [layer][measure][image], the first measure not yet over the entries of the output
        let values: Vec<Vec<Option<Vec<f64>>>> = (0..plan.layers.len())
            .map(|layer| {
                let lee = across[layer].iter().zip(&down[layer]).map(|(x, y)| 0.5 * (x + y)).collect();
                let others = (0..LayerMeasure::ALL.len() - 1)
                    .map(|measure| self.found.iter().map(|image| image[layer][measure]).collect::<Option<Vec<f64>>>());
                std::iter::once(Some(lee)).chain(others).collect()
            })
            .collect();
        let compared: Vec<usize> =
            (0..plan.layers.len()).filter(|&layer| values[layer].iter().all(Option::is_some)).collect();
        let entries =
            |measure: LayerMeasure| if measure == LayerMeasure::Lee { self.meters[0].dim as f64 } else { 1.0 };
        let of = |layer: usize, measure: usize| values[layer][measure].as_deref().unwrap_or_default();
        let sum = |layers: &[usize], measure: usize| -> Vec<f64> {
            (0..images).map(|image| layers.iter().map(|&layer| of(layer, measure)[image]).sum()).collect()
        };
        let whole: Vec<Vec<f64>> = (0..LayerMeasure::ALL.len()).map(|measure| sum(&compared, measure)).collect();
        let shares = |own: &[f64], measure: usize| -> Option<Vec<f64>> {
            let share = |(own, whole): (&f64, &f64)| (*whole > 0.0).then(|| own / whole);
            own.iter().zip(&whole[measure]).map(share).collect()
        };
        let layers = plan
            .layers
            .iter()
            .enumerate()
            .map(|(at, layer)| {
                let measures = LayerMeasure::ALL.into_iter().enumerate().map(|(measure, name)| {
                    let measured = values[at][measure].as_deref().map(|own| Measured {
                        mean: mean(own) / entries(name),
                        sem: standard_error(own, mean(own)).map(|sem| sem / entries(name)),
                        by_image: own.iter().map(|value| value / entries(name)).collect(),
                        share: shares(own, measure).filter(|_| compared.contains(&at)).map(|shares| mean(&shares)),
                    });
                    (name.name().to_owned(), measured)
                });
                let unmeasured = || "no sample of it has all that a fractional shift reads".to_owned();
                let missing = self.missing[at].clone().or_else(|| (!compared.contains(&at)).then(unmeasured));
                let (name, op) = (layer.name.clone(), layer.ops.join("+"));
                LayerMetric { name, op, class: layer.class, measures: measures.collect(), missing }
            })
            .collect();
        let class = |class: LayerClass| -> Option<(String, IndexMap<String, Share>)> {
            let members: Vec<usize> =
                compared.iter().copied().filter(|&layer| plan.layers[layer].class == class).collect();
            let share = |(measure, name): (usize, LayerMeasure)| {
                let shares = shares(&sum(&members, measure), measure);
                let share = shares.as_deref().map(mean);
                let sem = shares.as_deref().and_then(|shares| standard_error(shares, mean(shares)));
                (name.name().to_owned(), Share { share, sem })
            };
            let shares = || LayerMeasure::ALL.into_iter().enumerate().map(share).collect();
            (!members.is_empty()).then(|| (class.name().to_owned(), shares()))
        };
        let means = |measure: usize| compared.iter().map(|&layer| mean(of(layer, measure))).collect::<Vec<f64>>();
        let every: f64 = (0..plan.layers.len()).map(|layer| mean(of(layer, 0))).sum();
        LayerMetrics {
            protocols: LayerProtocols::default(),
            layers,
            by_type: LayerClass::ALL.into_iter().filter_map(class).collect(),
            compared_share: (every > 0.0).then(|| mean(&whole[0]) / every),
            rank_correlation: LayerMeasure::ALL
                .into_iter()
                .enumerate()
                .map(|(at, measure)| (measure.name().to_owned(), spearman(&means(0), &means(at))))
                .collect(),
        }
    }
}
