//! Results of the spectral side as tables for a terminal.

use crate::number::{compact, percent};
use crate::spectrum::harmonics::{Decay, HarmonicsReport, Law};
use crate::spectrum::image_spectrum::ImageSpectrumReport;
use crate::spectrum::theorem::{Fold, TheoremReport};
use crate::spectrum::{GridSize, Wave};

use super::table::{Side, Table};
use super::text::{NONE, page};

/// How many folds of the theorem are listed, and how many harmonics.
const MOST_FOLDS: usize = 8;
const MOST_HARMONICS: usize = 16;

/// The theorem's forms beside the measurement, and the worst folds, in lines of at most `width` columns (taken as 80
/// where it is less).
pub fn theorem_table(report: &TheoremReport, width: usize) -> String {
    let width = width.max(80);
    let mut lines = theorem_heading(report);
    lines.push(String::new());
    lines.extend(forms(report).lines(width));
    lines.push(String::new());
    let assumed = Table::of_terms([
        ("exact", "assumes nothing"),
        ("measured", "assumes nothing: sampled, differentiated, subtracted"),
        ("diagonal", "assumes no two harmonics on one bin, or the mean over translations"),
        ("paper", "assumes that, and v along an axis or the mean over a reflection"),
    ]);
    lines.extend(assumed.lines(width));
    lines.push(String::new());
    lines.extend(theorem_facts(report));
    if !report.folds.is_empty() {
        lines.push(String::new());
        lines.extend(folds(&report.folds).lines(width));
        if report.folds_total > MOST_FOLDS {
            lines.push(format!("and {} more", report.folds_total - MOST_FOLDS));
        }
    }
    lines.push(String::new());
    lines.push(
        "h = sum H_n e^(2 pi i n.x), no 1/(2 pi) in front; the paper's printed numbers are these over (2 pi)^2"
            .to_owned(),
    );
    page(&lines, width)
}

/// The harmonics that stand above rounding, and how they fall, in lines of at most `width` columns (taken as 80 where
/// it is less).
pub fn harmonics_table(report: &HarmonicsReport, width: usize) -> String {
    let width = width.max(80);
    let mut lines = vec![
        format!(
            "{} of {} cos(2 pi {} x) on {} samples, filter {}, stride {}: grid {}",
            report.activation,
            report.amplitude,
            report.frequency,
            report.samples,
            report.filter,
            report.stride,
            report.grid
        ),
        String::new(),
    ];
    let largest = report.harmonics.iter().map(|harmonic| harmonic.magnitude).fold(0.0, f64::max);
    let shown: Vec<_> = report.harmonics.iter().filter(|harmonic| harmonic.magnitude > 1e-12 * largest).collect();
    let mut table = Table::new([
        ("k", Side::Numbers),
        ("frequency", Side::Numbers),
        ("|c_k|", Side::Numbers),
        ("phase", Side::Numbers),
        ("folds to", Side::Numbers),
        ("", Side::Words),
    ]);
    for harmonic in shown.iter().take(MOST_HARMONICS) {
        let moved = if harmonic.folds_to == harmonic.frequency { "" } else { "*" };
        table.push([
            harmonic.k.to_string(),
            harmonic.frequency.to_string(),
            compact(harmonic.magnitude),
            signed(format!("{:.3}", harmonic.phase)),
            signed(harmonic.folds_to),
            moved.to_owned(),
        ]);
    }
    lines.extend(table.lines(width));
    if shown.len() > MOST_HARMONICS {
        lines.push(format!("and {} more", shown.len() - MOST_HARMONICS));
    }
    lines.extend([
        String::new(),
        format!(
            "aliased: {} of the energy beside the constant (* moved by the grid)",
            percent(report.aliased_fraction, 3)
        ),
        format!("decay: {}", decay_sentence(&report.decay)),
    ]);
    page(&lines, width)
}

/// What a photo's spectrum gains, in lines of at most `width` columns (taken as 80 where it is less).
pub fn image_spectrum_table(report: &ImageSpectrumReport, width: usize) -> String {
    let width = width.max(80);
    let mut table = Table::of_numbers(["", "beyond the grid's Nyquist frequency"]);
    for (when, share) in [("before", report.aliased_fraction_before), ("after", report.aliased_fraction)] {
        table.push([when.to_owned(), percent(share, 4)]);
    }
    let mut lines = vec![
        format!(
            "{} of a photo of {} pixels scaled to standard deviation {}, filter {}, stride {}: grid {}",
            report.activation,
            side(report.samples),
            report.amplitude,
            report.filter,
            report.stride,
            side(report.grid)
        ),
        String::new(),
    ];
    lines.extend(table.lines(width));
    lines.extend([String::new(), "shares of the energy beside the constant".to_owned()]);
    page(&lines, width)
}

fn theorem_heading(report: &TheoremReport) -> Vec<String> {
    let samples = report.samples.map_or("continuous".to_owned(), |samples| format!("{} samples", side(samples)));
    let stride = report.stride.map_or(String::new(), |stride| format!(" (stride {})", side(stride)));
    let activation = report.activation.as_ref().map_or(String::new(), |activation| format!(", after {activation}"));
    vec![
        format!("{}: {} harmonics, band {}", report.input, report.harmonics, report.band),
        format!(
            "{samples} → grid {}{stride}, velocity {}, prefilter {}{activation}",
            side(report.grid),
            signed(report.velocity),
            report.prefilter
        ),
    ]
}

fn forms(report: &TheoremReport) -> Table {
    let mut table = Table::of_numbers(["form", "mean square defect", "|form − exact|/exact"]);
    for (name, value, difference) in [
        ("exact", report.exact, None),
        ("measured", report.measured, report.relative.measured),
        ("diagonal", report.diagonal, report.relative.diagonal),
        ("paper", report.paper, report.relative.paper),
    ] {
        let difference = difference.map_or(NONE.to_owned(), compact);
        table.push([name.to_owned(), format!("{value:.12e}"), difference]);
    }
    table
}

/// What is so of this input, and how far it was followed.
fn theorem_facts(report: &TheoremReport) -> Vec<String> {
    let facts = &report.assumptions;
    let mut lines = vec![format!(
        "{} bins hold more than one harmonic; v is {}; {}",
        facts.collisions,
        if facts.axis_aligned { "along an axis" } else { "not along an axis" },
        if facts.alias_free { "nothing aliases" } else { "harmonics beyond the Nyquist frequency fold" },
    )];
    if report.slope_energy <= report.rounding() {
        lines.push(
            "the field does not change along v, as a photo of one colour: the forms are 0 or rounding, and no differences \
             between them are shown"
                .to_owned(),
        );
    }
    if let (false, Some(share)) = (facts.band_within_samples, report.presampling_share) {
        lines.push(format!("the first sampling folds {} of the input's energy", percent(share, 3)));
    }
    if let Some(truncation) = &report.truncation {
        lines.push(format!(
            "harmonics followed to {}: the last doubling changed exact by {} ({} {}); an estimated {} is left",
            side(truncation.oversampled),
            compact(truncation.change),
            if truncation.converged { "within" } else { "beyond" },
            compact(truncation.tolerance),
            compact(truncation.estimate),
        ));
    }
    lines
}

fn folds(folds: &[Fold]) -> Table {
    let wave = |wave: Wave| signed(format!("({}, {})", wave.x, wave.y));
    let mut table = Table::new([
        ("harmonic", Side::Words),
        ("lands on", Side::Words),
        ("energy", Side::Numbers),
        ("its term of diagonal", Side::Numbers),
    ]);
    for fold in folds.iter().take(MOST_FOLDS) {
        table.push([wave(fold.from), wave(fold.to), compact(fold.energy), compact(fold.defect)]);
    }
    table
}

/// The decay law in words.
pub(crate) fn decay_sentence(decay: &Decay) -> String {
    let fitted = decay.fitted.map_or("too few harmonics to fit".to_owned(), |fitted| format!("{fitted:.3} fitted"));
    let predicted = decay.predicted;
    match decay.law {
        Law::Polynomial => format!("none beyond harmonic {predicted:.0} ({fitted})"),
        Law::Algebraic => format!("k^-p, p = {predicted:.0} predicted, {fitted}"),
        Law::Exponential => format!("e^(-eta k), eta = {predicted:.3} predicted, {fitted}"),
        Law::SuperExponential => format!("k^(-r k), faster than exponential, r = {predicted} predicted, {fitted}"),
    }
}

/// `7 × 7`.
fn side(grid: GridSize) -> String {
    format!("{} × {}", grid.x, grid.y)
}

/// With a minus sign that is one.
fn signed(number: impl ToString) -> String {
    number.to_string().replace('-', "−")
}
