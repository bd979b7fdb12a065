//! What the sweeps of all images come to.

use indexmap::IndexMap;
use ndarray_linalg::error::LinalgError;

use crate::graph::Bound;
use crate::measure::lee_report::{
    Accuracy, GeneratorLee, Gram, InputUnits, LEE_SCHEMA_VERSION, LeeByImage, LeeReport, Timing,
};
use crate::measure::output::Output;
use crate::measure::output_action::measured;
use crate::measure::run::{Lie, Measured, Run};
use crate::measure::symmetry_spectrum::symmetry_spectrum;
use crate::statistics::effective_count;
use crate::symmetry::{Combination, Generator};

use super::{LeeImage, LeeMeter};

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
            generators: self.results(),
            symmetry_spectrum,
            gram,
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
        measured(self.network, self.output, &self.output_action, &self.why)
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
            input_energy: places().map(|i| mean(&|n| self.images[n].input_gram[i][i])).collect(),
        }
    }

    /// The result of every generator over the images so far.
    pub fn results(&self) -> IndexMap<String, GeneratorLee> {
        let n = self.images();
        let result = |at: usize, combination: &Combination| {
            let per_image: Vec<f64> = self.images.iter().map(|image| quadratic(combination, &image.gram)).collect();
            let lee = per_image.iter().sum::<f64>() / n.max(1) as f64;
            let energy = self.images.iter().map(|image| quadratic(combination, &image.input_gram)).sum::<f64>()
                / n.max(1) as f64;
            let spread = per_image.iter().map(|l| (l - lee).powi(2)).sum::<f64>();
            let images_effective = effective_count(&per_image);
            let by_image = LeeByImage {
                mean_abs: self.images.iter().map(|image| image.mean_abs[at]).collect(),
                input_energy: self.images.iter().map(|image| quadratic(combination, &image.input_gram)).collect(),
                lee: per_image,
            };
            GeneratorLee {
                lee,
                sem: (n > 1).then(|| (spread / (n - 1) as f64 / n as f64).sqrt()),
                mean_abs: self.images.iter().map(|image| image.mean_abs[at]).sum::<f64>() / n.max(1) as f64,
                relative: (energy > 0.0).then(|| lee / energy),
                images_effective,
                by_image,
            }
        };
        self.generators().iter().enumerate().map(|(at, c)| (c.name().to_owned(), result(at, c))).collect()
    }
}

fn quadratic(combination: &Combination, gram: &[[f64; 7]; 7]) -> f64 {
    let a = combination.coefficients();
    (0..7).map(|i| a[i] * (0..7).map(|j| a[j] * gram[i][j]).sum::<f64>()).sum()
}
