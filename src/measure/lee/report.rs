//! What the sweeps of all images come to.

use indexmap::IndexMap;
use ndarray_linalg::error::LinalgError;

use crate::graph::Bound;
use crate::measure::lee_report::{
    Accuracy, GeneratorLee, Gram, InputUnits, LEE_SCHEMA_VERSION, LeeByImage, LeeReport, MarginRate, Margins, Timing,
};
use crate::measure::output::Output;
use crate::measure::output_action::measured;
use crate::measure::run::{Lie, Measured, Run};
use crate::measure::symmetry_spectrum::symmetry_spectrum;
use crate::statistics::{Summary, bca, geometric_mean, median_with_interval, standard_error};
use crate::symmetry::{Combination, Generator};

use super::{LeeImage, LeeMeter, quadratic};

/// Below this share of its scale an output hardly changes.
const HARDLY: f64 = 1e-5;

impl LeeImage {
    /// The class with the largest score; none where the output is no vector of classes.
    pub fn top(&self) -> Option<usize> {
        self.top
    }

    /// Of each of the generators that the meter reports: its name, ‖L‖²/dim(output), mean |L| and ‖A x‖²/dim(x).
    pub fn by_generator<'a>(
        &'a self,
        generators: &'a [Combination],
    ) -> impl Iterator<Item = (&'a str, f64, f64, f64)> + 'a {
        generators.iter().zip(&self.mean_abs).map(|(combination, mean_abs)| {
            let of = |gram| quadratic(combination, gram);
            (combination.name(), of(&self.gram), *mean_abs, of(&self.input_gram))
        })
    }

    /// Fisher LEE under one of them; none where the output is no vector of class scores.
    pub fn fisher(&self, combination: &Combination) -> Option<f64> {
        self.scores.as_ref().map(|scores| quadratic(combination, &scores.fisher))
    }
}

impl LeeMeter<'_> {
    /// The result over the images so far: of the run that is described, with the images' classes where they are known.
    ///
    /// # Errors
    /// LAPACK cannot decompose the Gram matrix.
    pub fn report(&self, run: Run, classes: &[Option<usize>], timing: Timing) -> Result<LeeReport, LinalgError> {
        let gram = self.gram();
        // Of a part of the plane's algebra there are no directions.
        let whole = Generator::AFFINE.iter().all(|generator| self.swept.contains(generator));
        let symmetry_spectrum = if whole { symmetry_spectrum(&gram)? } else { Vec::new() };
        Ok(LeeReport {
            schema_version: LEE_SCHEMA_VERSION,
            run: Run { lie: Some(self.lie()), output: Some(self.measured()), ..run },
            images_constant: self.images_constant(),
            images_flat: self.images_flat(),
            input_units: if self.pixel_scale.is_some() { InputUnits::Photo } else { InputUnits::Input },
            accuracy: self.accuracy(classes),
            predicted: self.predicted(),
            margins: self.margins(),
            generators: self.results(),
            symmetry_spectrum,
            gram,
            horizon: self.horizon.as_ref().and_then(|found| found.as_ref().ok().cloned()),
            horizon_missing: self.horizon.as_ref().and_then(|found| found.as_ref().err().cloned()),
            timing,
        })
    }

    /// How Lie derivatives are taken.
    pub fn lie(&self) -> Lie {
        let options = &self.options;
        Lie { derivative: options.scheme, boundary: options.boundary, grid: options.grid, units: options.units }
    }

    /// What is measured.
    pub fn measured(&self) -> Measured {
        measured(&self.network, self.output, &self.output_action, &self.why)
    }

    /// The class with the largest score, image by image; nothing where the output is no vector of classes.
    pub fn predicted(&self) -> Option<Vec<usize>> {
        self.images.iter().map(|image| image.top).collect()
    }

    /// On how many images the class with the largest score is the one that `classes` has for them, image by image in the
    /// order of measurement; nothing where it has none for any.
    pub fn accuracy(&self, classes: &[Option<usize>]) -> Option<Accuracy> {
        let known = || self.images.iter().zip(classes).filter_map(|(image, class)| Some((image.top?, (*class)?)));
        let (images, right) = (known().count(), known().filter(|(top, class)| top == class).count());
        (images > 0).then(|| Accuracy { images, right, top1: right as f64 / images as f64 })
    }

    /// On how many images the output hardly changes: under no generator by as much as a hundred thousandth of its scale for
    /// t = 1, which moves the image by half its width; a hundred times what single precision rounds by.
    ///
    /// Moving with the image does not count as change of an output that is an image only where there is something in it to
    /// move. The scale is 1 for an output that a sigmoid or tanh ends, that of one probability for a softmax, and else
    /// the root mean square of the values of the image where it is largest.
    pub fn images_constant(&self) -> usize {
        let seen = self.images.iter().map(|image| image.change[0]).fold(0.0, f64::max);
        let scale = match (self.output, self.network.bound()) {
            (Output::Softmax, _) | (_, Some(Bound::Simplex)) => {
                1.0 / self.network.output().shape.last().map_or(1.0, |&n| n.max(1) as f64)
            }
            (_, Some(Bound::One)) => 1.0,
            (_, None) => seen,
        };
        self.images.iter().filter(|image| image.change[1] <= HARDLY * HARDLY * scale).count()
    }

    /// How many images change under no generator of the plane, as those of one colour.
    pub fn images_flat(&self) -> usize {
        let plane = || self.swept.iter().filter(|generator| Generator::AFFINE.contains(generator));
        let flat =
            |image: &&LeeImage| plane().all(|generator| image.input_gram[generator.index()][generator.index()] == 0.0);
        if plane().next().is_none() { 0 } else { self.images.iter().filter(flat).count() }
    }

    /// The LEE of every generator, image by image.
    pub fn per_image(&self) -> IndexMap<String, Vec<f64>> {
        let each =
            |combination: &Combination| self.images.iter().map(|image| quadratic(combination, &image.gram)).collect();
        self.generators().iter().map(|combination| (combination.name().to_owned(), each(combination))).collect()
    }

    /// The Gram matrix over the images so far.
    pub fn gram(&self) -> Gram {
        let mean = |of: &dyn Fn(usize) -> f64| (0..self.images()).map(of).sum::<f64>() / self.images().max(1) as f64;
        let places = || self.swept.iter().map(|generator| generator.index());
        let entry = |i: usize, j: usize| mean(&|n| self.images[n].gram[i][j]);
        Gram {
            order: self.swept.iter().map(|g| g.name().to_owned()).collect(),
            matrix: places().map(|i| places().map(|j| entry(i, j)).collect()).collect(),
            input_gram: places()
                .map(|i| places().map(|j| mean(&|n| self.images[n].input_gram[i][j])).collect())
                .collect(),
        }
    }

    /// The margins of a classifier's decisions.
    pub fn margins(&self) -> Option<Margins> {
        let logits = self.logits()?;
        let by_image = self.images.iter().map(|image| image.scores.as_ref()?.margin).collect();
        Some(Margins { logits, by_image })
    }

    /// The result of every generator over the images so far.
    pub fn results(&self) -> IndexMap<String, GeneratorLee> {
        self.generators().iter().enumerate().map(|(at, c)| (c.name().to_owned(), self.result(at, c))).collect()
    }

    /// That of the generator at a place.
    fn result(&self, at: usize, combination: &Combination) -> GeneratorLee {
        let each = |of: &dyn Fn(&LeeImage) -> f64| self.images.iter().map(of).collect::<Vec<f64>>();
        let lee = each(&|image| quadratic(combination, &image.gram));
        let energy = each(&|image| quadratic(combination, &image.input_gram));
        let mean_abs = each(&|image| image.mean_abs[at]);
        let changes = |image: usize| energy[image] > 0.0;
        let summary = Summary::of(&lee, changes);
        let sum = |of: &[f64], sample: &[usize]| sample.iter().map(|at| of[*at]).sum::<f64>();
        let ratio = |sample: &[usize]| {
            let energy = sum(&energy, sample);
            (energy > 0.0).then(|| sum(&lee, sample) / energy)
        };
        let all: Vec<usize> = (0..self.images()).collect();
        let relative: Vec<f64> = all.iter().filter(|at| changes(**at)).map(|at| lee[*at] / energy[*at]).collect();
        let scores = || self.images.iter().map(|image| image.scores.as_ref());
        let fisher: Option<Vec<f64>> = match self.logits() {
            Some(_) => self.images.iter().map(|image| image.fisher(combination)).collect(),
            None => None,
        };
        let rate = |scores: Option<&super::ClassScores>| {
            let scores = scores?;
            let derivative: f64 =
                combination.coefficients().iter().zip(&scores.margin_rates).map(|(a, rate)| a * rate).sum();
            Some(derivative / scores.margin?)
        };
        let margin_rate: Option<Vec<Option<f64>>> = self.logits().map(|_| scores().map(rate).collect());
        let known = margin_rate.iter().flatten().flatten().map(|rate| rate.abs()).collect::<Vec<f64>>();
        GeneratorLee {
            lee: summary.mean.value,
            sem: standard_error(&lee, summary.mean.value),
            mean_abs: sum(&mean_abs, &all) / self.images().max(1) as f64,
            relative: ratio(&all),
            relative_interval: bca(all.len(), ratio),
            relative_geometric_mean: geometric_mean(&relative).ok(),
            fisher: fisher.as_ref().map(|fisher| Summary::of(fisher, changes)),
            margin_rate: median_with_interval(&known).map(|median| MarginRate { median, images: known.len() }),
            summary,
            by_image: LeeByImage { lee, mean_abs, input_energy: energy, fisher, margin_rate },
        }
    }
}
