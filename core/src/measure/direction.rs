//! Directions of the symmetry spectrum as vector fields and in words.

use super::lee_report::{Gram, SymmetryDirection};
use crate::symmetry::{Generator, MEASURED};

/// Components below this share of the largest are left out of the words.
const WORTH_A_WORD: f64 = 0.35;
/// No more components than this are named.
const MOST_WORDS: usize = 3;

impl SymmetryDirection {
    /// The components that matter, largest first and positive (an eigenvector's sign means nothing):
    /// `0.71 stretch_x + 0.60 shear_y`.
    pub fn words(&self) -> String {
        let mut terms: Vec<(&str, f64)> = self.direction.iter().map(|(name, d)| (name.as_str(), *d)).collect();
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

    /// Its coefficients over the generators themselves, a_i = d_i/√n_i with n_i from `gram`; zero where n_i = 0.
    pub fn coefficients(&self, gram: &Gram) -> Vec<(Generator, f64)> {
        let energy = |name: &str| {
            let place = gram.order.iter().position(|other| other == name)?;
            gram.input_energy.get(place).copied().filter(|n| *n > 0.0)
        };
        MEASURED
            .into_iter()
            .filter_map(|generator| {
                let d = *self.direction.get(generator.name())?;
                Some((generator, energy(generator.name()).map_or(0.0, |n| d / n.sqrt())))
            })
            .collect()
    }
}
