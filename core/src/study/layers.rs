//! Which layers make a network's error, over the images of a set.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::attributions::{Attribution, LayerByImage};
use crate::measure::layers_report::LayerClass;
use crate::statistics::{Estimate, jackknife, mean, share_interval};

/// The error of a network on a set under a generator, attributed to its layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudyLayers {
    /// What comes behind the network's output.
    pub output: String,
    /// How ∇ was taken.
    pub derivative: String,
    /// The generator.
    pub generator: String,
    /// Over how many images.
    pub images: usize,
    /// E‖L‖²/dim.
    pub lee: f64,
    /// The largest residual of the conservation law on an image: ‖Σ J δ − L‖ over the size of what cancels in it.
    pub conservation_residual: f64,
    /// Whether L is no more than rounding: then nothing has a signed share.
    pub is_rounding: bool,
    /// The layers that make errors, worst first.
    pub layers: Vec<StudyLayer>,
    /// The same summed by class of layer.
    pub by_type: IndexMap<String, StudyLayerClass>,
}

/// What a layer makes of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudyLayer {
    /// Its name.
    pub name: String,
    /// What it is.
    pub class: LayerClass,
    /// E‖J δ‖²/dim.
    pub contribution: f64,
    /// That over the sum of all layers, with Student's interval of the jackknife's error over images; null where all are
    /// rounding.
    pub share: Option<Estimate>,
    /// E⟨J δ, L⟩/E‖L‖²: over all layers it adds up to 1; null where L is rounding.
    pub signed_share: Option<f64>,
}

/// All layers of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudyLayerClass {
    /// How many layers.
    pub layers: usize,
    /// The sum of their contributions.
    pub contribution: f64,
    /// That over the sum of all layers, with an interval as a layer's share has it.
    pub share: Option<Estimate>,
    /// The sum of their signed shares.
    pub signed_share: Option<f64>,
}

impl StudyLayers {
    /// What an attribution comes to; nothing without images.
    pub(super) fn of(attribution: &Attribution) -> Option<Self> {
        let images = attribution.lee.len();
        if images == 0 {
            return None;
        }
        let floor: f64 = attribution.rounding.iter().sum();
        let whole = summed(attribution.layers.iter(), images);
        let (error, everything) = (attribution.lee.iter().sum::<f64>(), whole.iter().sum::<f64>());
        let share = |own: &[f64]| (everything > floor).then(|| share(own, &whole));
        let signed_share = |signed: f64| (error > floor).then(|| signed / error);
        let signed = |layer: &LayerByImage| layer.signed.iter().sum::<f64>();
        let mut layers: Vec<StudyLayer> = attribution
            .layers
            .iter()
            .map(|layer| StudyLayer {
                name: layer.name.clone(),
                class: layer.class,
                contribution: mean(&layer.contribution),
                share: share(&layer.contribution),
                signed_share: signed_share(signed(layer)),
            })
            .collect();
        layers.sort_by(|a, b| b.contribution.total_cmp(&a.contribution));
        let by_type = LayerClass::ALL.into_iter().filter_map(|class| {
            let of = || attribution.layers.iter().filter(|layer| layer.class == class);
            let own = summed(of(), images);
            let sum = StudyLayerClass {
                layers: of().count(),
                contribution: mean(&own),
                share: share(&own),
                signed_share: signed_share(of().map(signed).sum()),
            };
            (sum.layers > 0).then(|| (class.name().to_owned(), sum))
        });
        Some(Self {
            output: attribution.output.clone(),
            derivative: attribution.derivative.clone(),
            generator: attribution.generator.clone(),
            images,
            lee: mean(&attribution.lee),
            conservation_residual: attribution.residual.iter().copied().fold(0.0, f64::max),
            is_rounding: error <= floor,
            by_type: by_type.collect(),
            layers,
        })
    }

    /// The layer that contributes most; nothing where all are rounding.
    pub fn worst(&self) -> Option<&StudyLayer> {
        self.layers.first().filter(|layer| layer.share.is_some())
    }
}

/// Image by image, the sum of contributions.
fn summed<'a>(layers: impl Iterator<Item = &'a LayerByImage>, images: usize) -> Vec<f64> {
    let mut sums = vec![0.0; images];
    for layer in layers {
        sums.iter_mut().zip(&layer.contribution).for_each(|(sum, value)| *sum += value);
    }
    sums
}

/// Σ own over Σ whole over images.
fn share(own: &[f64], whole: &[f64]) -> Estimate {
    let (part, all) = (own.iter().sum::<f64>(), whole.iter().sum::<f64>());
    let without = |image: usize| {
        let rest = all - whole[image];
        (rest > 0.0).then(|| (part - own[image]) / rest)
    };
    let value = part / all;
    let interval = jackknife(own.len(), without).map(|error| share_interval(value, error, own.len()));
    Estimate { value, interval }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(scale: f64) -> Attribution {
        let layer = |name: &str, class, contribution: [f64; 3], signed: [f64; 3]| LayerByImage {
            name: name.to_owned(),
            class,
            contribution: contribution.map(|value| scale * value).to_vec(),
            signed: signed.map(|value| scale * value).to_vec(),
        };
        Attribution {
            generator: "rotate".to_owned(),
            lee: [2.0, 3.0, 5.0].map(|value| scale * value).to_vec(),
            rounding: vec![1e-6; 3],
            residual: vec![1e-7, 3e-7, 2e-7],
            layers: vec![
                layer("relu1", LayerClass::Nonlinearity, [1.0, 1.0, 2.0], [1.0, 1.0, 2.0]),
                layer("pool", LayerClass::Pooling, [3.0, 4.0, 5.0], [2.0, 3.0, 5.0]),
                layer("relu2", LayerClass::Nonlinearity, [0.5, 0.5, 1.0], [-1.0, -1.0, -2.0]),
            ],
            ..Attribution::default()
        }
    }

    #[test]
    fn layers_come_worst_first_with_shares_that_add_up() {
        let of = StudyLayers::of(&given(1.0)).unwrap();
        assert_eq!((of.images, of.is_rounding, of.conservation_residual), (3, false, 3e-7));
        assert_eq!(of.layers.iter().map(|layer| layer.name.as_str()).collect::<Vec<_>>(), ["pool", "relu1", "relu2"]);
        assert_eq!(of.worst().map(|layer| layer.contribution), Some(4.0));
        // 12 of 18; without one of the images 9/13.5, 8/12.5, 7/10: the jackknife's error, 2 degrees of freedom.
        let left = [9.0 / 13.5, 8.0 / 12.5, 7.0 / 10.0];
        let middle = left.iter().sum::<f64>() / 3.0;
        let error = (2.0 / 3.0 * left.iter().map(|share| (share - middle).powi(2)).sum::<f64>()).sqrt();
        let share = of.layers[0].share.unwrap();
        let interval = share.interval.unwrap();
        assert!((share.value - 2.0 / 3.0).abs() < 1e-15);
        // Student's quantile to its own accuracy.
        assert!((interval.high - (2.0 / 3.0 + 4.302_652_73 * error).min(1.0)).abs() < 1e-6);
        assert!((interval.low - (2.0 / 3.0 - 4.302_652_73 * error)).abs() < 1e-6);
        let sum = |value: &dyn Fn(&StudyLayerClass) -> f64| of.by_type.values().map(value).sum::<f64>();
        assert!((sum(&|class| class.share.unwrap().value) - 1.0).abs() < 1e-15);
        assert!((sum(&|class| class.signed_share.unwrap()) - 1.0).abs() < 1e-15);
        assert_eq!(of.by_type["nonlinearity"].layers, 2);
    }

    #[test]
    fn rounding_has_no_shares() {
        let of = StudyLayers::of(&given(1e-9)).unwrap();
        assert!(of.is_rounding && of.worst().is_none());
        assert!(of.layers.iter().all(|layer| layer.share.is_none() && layer.signed_share.is_none()));
        assert_eq!(StudyLayers::of(&Attribution::default()), None);
    }
}
