//! Directions of the symmetry spectrum as vector fields and in words.

use super::lee_report::{Gram, SymmetryDirection};
use crate::symmetry::{Generator, MEASURED};

/// Components below this share of the largest are left out of the words.
const WORTH_A_WORD: f64 = 0.35;
/// No more components than this are named.
const MOST_WORDS: usize = 3;

impl SymmetryDirection {
    /// The components that matter, largest first and positive (an eigenvector's sign means nothing):
    /// `0.71 stretch_x + 0.60 shear_y`. Each is what its generator alone does to the images, a_i √N_ii with N from `gram`; all
    /// six together have the length 1.
    pub fn words(&self, gram: &Gram) -> String {
        let size = |name: &str| {
            let place = gram.order.iter().position(|other| other == name)?;
            Some(gram.input_gram.get(place)?.get(place)?.max(0.0).sqrt())
        };
        let part = |(name, a): (&'_ String, &f64)| a * size(name).unwrap_or(0.0);
        let length = self.direction.iter().map(|entry| part(entry).powi(2)).sum::<f64>().sqrt();
        let mut terms: Vec<(&str, f64)> =
            self.direction.iter().map(|entry| (entry.0.as_str(), part(entry) / length)).collect();
        terms.sort_by(|(_, a), (_, b)| b.abs().total_cmp(&a.abs()));
        let largest = terms.first().map_or(0.0, |(_, d)| *d);
        let named = terms.into_iter().take(MOST_WORDS).filter(|(_, d)| d.abs() >= WORTH_A_WORD * largest.abs());
        let mut words = String::new();
        for (name, d) in named {
            let d = d * largest.signum();
            let sign = match (words.is_empty(), d < 0.0) {
                (true, false) => "",
                (true, true) => "−",
                (false, false) => " + ",
                (false, true) => " − ",
            };
            words += &format!("{sign}{:.2} {name}", d.abs());
        }
        words
    }

    /// Its coefficients by generator.
    pub fn coefficients(&self) -> Vec<(Generator, f64)> {
        MEASURED.into_iter().filter_map(|g| Some((g, *self.direction.get(g.name())?))).collect()
    }
}
