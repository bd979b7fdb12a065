//! Pieces of tables of a network before and after.

use crate::antialias::surgery_report::{Mean, Paired};
use crate::measure::run::Run;

/// The first line: which network, on which images, and how it was measured.
pub(super) fn heading(run: &Run, on: &str) -> String {
    format!(
        "{}: {on}{}; output {} ({}); {} derivative, {} boundary; {}",
        run.model.path,
        run.images.in_words(),
        run.function(),
        run.model.output_shape_in_words(),
        run.lie().derivative,
        run.lie().boundary,
        run.arithmetic()
    )
}

/// `0.12 ± 0.03`.
pub(super) fn plus_minus(value: f64, sem: Option<f64>, number: &dyn Fn(f64) -> String) -> String {
    match sem {
        Some(sem) => format!("{} ± {}", number(value), number(sem)),
        None => number(value),
    }
}

/// A mean with its standard error.
pub(super) fn with_error(mean: &Mean, number: &dyn Fn(f64) -> String) -> String {
    plus_minus(mean.mean, mean.sem, number)
}

/// Before, after, and after − before with its sign, each with its standard error.
pub(super) fn sides(paired: &Paired, number: &dyn Fn(f64) -> String) -> [String; 3] {
    let sign = if paired.difference > 0.0 { "+" } else { "" };
    [
        plus_minus(paired.before, paired.before_sem, number),
        plus_minus(paired.after, paired.after_sem, number),
        format!("{sign}{}", plus_minus(paired.difference, paired.difference_sem, number)),
    ]
}
