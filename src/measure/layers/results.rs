//! What an attribution comes to over all images: means, their errors, and shares.

use crate::measure::grouping::Estimator;
use crate::measure::layers_report::{
    Attributions, ClassSum, DefectPart, LAYERS_SCHEMA_VERSION, LayerClass, LayerReport, LayerResults, LayersReport,
    NodeSpectrum, OctavePart, Part,
};
use crate::measure::lee_report::InputUnits;
use crate::measure::output_action::measured;
use crate::measure::run::{Lie, Measured, Run};
use crate::spectrum::octave;
use crate::statistics::{effective_count, geometric_mean, jackknife, mean, share_interval, standard_error};

use super::found::LayerSums;
use super::plan::{Carried, Layer};
use super::{LayerMeter, agreements};

/// The result of meters of one network over the images so far: of the run that is described. `timings` are those of a forward
/// pass and of an attribution of one image, in milliseconds.
///
/// Nothing where there is no meter.
pub fn report(
    meters: &[LayerMeter<'_>],
    run: Run,
    estimator: Estimator,
    [forward_ms, attribution_ms]: [f64; 2],
    spectrum: Option<NodeSpectrum>,
) -> Option<LayersReport> {
    let first = meters.first()?;
    Some(LayersReport {
        schema_version: LAYERS_SCHEMA_VERSION,
        run: Run { lie: Some(first.lie()), output: Some(first.measured()), ..run },
        group: first.options.grouping,
        estimator,
        forward_ms,
        attribution_ms,
        input_units: if first.options.pixel_scale.is_some() { InputUnits::Photo } else { InputUnits::Input },
        predicted: first.facts.iter().map(|facts| facts.top).collect(),
        spectrum,
        agreement: agreements(meters),
        results: Attributions::new(meters.iter().map(LayerMeter::results).collect()),
    })
}

impl LayerMeter<'_> {
    /// How Lie derivatives are taken.
    pub fn lie(&self) -> Lie {
        let options = &self.options;
        Lie { derivative: options.scheme, boundary: options.boundary, grid: options.grid, units: options.units }
    }

    /// What is measured.
    pub fn measured(&self) -> Measured {
        measured(self.network, self.output, &self.output_action, &self.why)
    }

    /// Σ over images of the square of what the actions on inner values would be at the output, had nothing cancelled.
    fn rounding_at_output(&self) -> f64 {
        self.sums.iter().map(|sums| sums.gauge.at_output(sums.contribution.iter().sum())).sum()
    }

    /// Whether the contributions are more than rounding.
    pub(super) fn errs(&self) -> bool {
        self.exceeds_rounding(self.sums.iter().flat_map(|sums| &sums.contribution).sum())
    }

    /// Whether a sum of squares over images is more than rounding.
    fn exceeds_rounding(&self, square: f64) -> bool {
        square > self.rounding.square(self.rounding_at_output())
    }

    /// What rounding may leave of ‖L‖²/dim, or of a contribution: the mean over images.
    pub fn floor(&self) -> f64 {
        self.mean_square(self.rounding.square(self.rounding_at_output()))
    }

    /// A sum of squares over images as a mean over images and entries of the output.
    fn mean_square(&self, sum: f64) -> f64 {
        sum / self.images().max(1) as f64 / self.dim as f64
    }

    /// The results over the images so far.
    pub fn results(&self) -> LayerResults {
        let norm_squared = self.residual[1] / self.images().max(1) as f64;
        // Of what is rounding alone no part has a share.
        let exists = self.exceeds_rounding(self.residual[1]);
        let layers = self.layers(exists.then_some(norm_squared));
        let by_type = self.by_type(&layers, exists);
        LayerResults {
            generator: self.options.generator.name().to_owned(),
            derivative: self.options.scheme,
            rounding: self.mean_square(self.residual[0]),
            conservation_residual: self.rounding.residual(self.residual[0], self.cancelling, self.rounding_at_output()),
            is_rounding: !exists,
            dim: self.dim,
            lee: norm_squared / self.dim as f64,
            sem: standard_error(&self.totals, norm_squared).map(|sem| sem / self.dim as f64),
            norm_squared,
            images_effective: effective_count(&self.totals).filter(|_| exists),
            lee_by_image: self.lee_by_image(),
            mean_abs_by_image: self.facts.iter().map(|facts| facts.mean_abs).collect(),
            input_energy_by_image: self.facts.iter().map(|facts| facts.input_energy).collect(),
            layers,
            by_type,
        }
    }

    /// Every layer; shares are of E‖L‖², where that is more than rounding.
    fn layers(&self, norm_squared: Option<f64>) -> Vec<LayerReport> {
        let (images, dim) = (self.images().max(1) as f64, self.dim as f64);
        let share = |signed: f64| norm_squared.map(|whole| signed / images / whole);
        let mut cumulative = 0.0;
        let layer = |(layer, sums): (&Layer, &LayerSums)| {
            let square = sums.contribution.iter().sum::<f64>() / images;
            cumulative += square;
            let part = |part: DefectPart| {
                let [square, signed] = sums.part(layer, part)?;
                Some(Part { contribution: self.mean_square(square), signed_share: share(signed) })
            };
            let signed = sums.signed.iter().sum();
            let by_image = self.over_dim(&sums.contribution);
            let gains = self.over_dim(&sums.removal_gains());
            let gain = mean(&gains);
            let of_probes = || (sums.probe_variance > 0.0).then(|| sums.probe_variance.sqrt() / images);
            LayerReport {
                name: layer.name.clone(),
                op: layer.ops.join("+"),
                module: layer.module.clone(),
                class: layer.class,
                sources: layer.sources,
                contribution: square / dim,
                sem: standard_error(&sums.contribution, square).or_else(of_probes).map(|sem| sem / dim),
                geometric_mean: geometric_mean(&by_image).ok(),
                by_image,
                signed_share: share(signed),
                removal_gain: gain,
                removal_gain_sem: standard_error(&gains, gain),
                aliasing: part(DefectPart::Aliasing),
                kernel: part(DefectPart::Kernel),
                boundary: part(DefectPart::Boundary),
                discretisation: part(DefectPart::Discretisation),
                octaves: self.octaves(layer, sums, &share),
                cumulative: cumulative / dim,
                local_error: sums.local[0] / images,
                relative_local_error: (sums.local[1] > self.rounding.square(sums.gauge.closing))
                    .then(|| sums.local[0] / sums.local[1]),
            }
        };
        self.plan.layers.iter().zip(&self.sums).map(layer).collect()
    }

    /// The octaves of a layer, where it is split by them; `share` gives signed shares.
    fn octaves(&self, layer: &Layer, sums: &LayerSums, share: &dyn Fn(f64) -> Option<f64>) -> Option<Vec<OctavePart>> {
        let octaves = layer.carries.iter().zip(sums.parts.iter().zip(&sums.up_to)).map(|(carried, (part, up_to))| {
            let Carried::Octave(octave) = carried else { return None };
            let [from, to] = octave::edges(*octave);
            let [contribution, up_to] = [part[0], *up_to].map(|square| self.mean_square(square));
            Some(OctavePart { from, to, contribution, signed_share: share(part[1]), up_to })
        });
        octaves.collect::<Option<Vec<_>>>().filter(|octaves| !octaves.is_empty())
    }

    /// The layers summed by class; of an L that is rounding none has a signed share.
    fn by_type(&self, layers: &[LayerReport], exists: bool) -> indexmap::IndexMap<String, ClassSum> {
        let (images, dim) = (self.images().max(1) as f64, self.dim as f64);
        let squares = |counts: &dyn Fn(LayerClass) -> bool| -> f64 {
            let counted = self.plan.layers.iter().zip(&self.sums).filter(|(layer, _)| counts(layer.class));
            counted.map(|(_, sums)| sums.contribution.iter().sum::<f64>() / images).sum()
        };
        let sum = squares(&|_| true);
        let summed = self.exceeds_rounding(sum * images);
        let everything = self.squares_by_image(|_| true);
        let class = |(class, joint): (&LayerClass, &f64)| {
            let of = || layers.iter().filter(|l| l.class == *class);
            let square = squares(&|other| other == *class);
            let own = self.squares_by_image(|other| other == *class);
            let whole = (own.iter().sum::<f64>(), everything.iter().sum::<f64>());
            let shares: Vec<f64> =
                own.iter().zip(&everything).filter(|(_, of)| **of > 0.0).map(|(own, of)| own / of).collect();
            let share_by_image = (summed && !shares.is_empty() && shares.len() == own.len()).then(|| mean(&shares));
            let share_without = |image: usize| {
                let rest = whole.1 - everything[image];
                (summed && rest > 0.0).then(|| (whole.0 - own[image]) / rest)
            };
            let share = summed.then(|| square / sum);
            let share_sem = jackknife(own.len(), share_without);
            let result = ClassSum {
                layers: of().count(),
                contribution: square / dim,
                sem: standard_error(&own, square).map(|sem| sem / dim),
                share,
                share_sem,
                share_interval: share.zip(share_sem).map(|(share, sem)| share_interval(share, sem, own.len())),
                share_by_image,
                share_by_image_sem: share_by_image.and_then(|mean| standard_error(&shares, mean)),
                joint: self.mean_square(*joint),
                signed_share: if exists { of().map(|l| l.signed_share).sum() } else { None },
            };
            (class.name().to_owned(), result)
        };
        self.joint.iter().map(class).collect()
    }

    /// Image by image, the sum of ‖J δ‖² of the layers that `counts`.
    fn squares_by_image(&self, counts: impl Fn(LayerClass) -> bool) -> Vec<f64> {
        let mut sums = vec![0.0; self.images()];
        for (layer, values) in self.plan.layers.iter().zip(&self.sums) {
            if counts(layer.class) {
                sums.iter_mut().zip(&values.contribution).for_each(|(sum, value)| *sum += value);
            }
        }
        sums
    }
}
