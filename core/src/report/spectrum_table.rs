//! Results of the spectral side as tables for a terminal.

use std::fmt::Write;

use crate::spectrum::harmonics::{Decay, HarmonicsReport, Law};
use crate::spectrum::image_spectrum::ImageSpectrumReport;
use crate::spectrum::theorem::TheoremReport;

use super::text::wrapped;

/// The theorem's forms beside the measurement, and the worst folds, in lines of at most `width` columns (taken as 80 where
/// it is less).
pub fn theorem_table(report: &TheoremReport, width: usize) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_theorem(&mut text, report);
    let width = width.max(80);
    text.lines().flat_map(|line| wrapped(line, width)).map(|line| line + "\n").collect()
}

/// The harmonics that stand above rounding, and how they fall.
pub fn harmonics_table(report: &HarmonicsReport) -> String {
    let mut text = String::new();
    let _ = write_harmonics(&mut text, report);
    text
}

/// What a photo's spectrum gains.
pub fn image_spectrum_table(report: &ImageSpectrumReport) -> String {
    let mut text = String::new();
    let _ = write_image_spectrum(&mut text, report);
    text
}

fn write_theorem(text: &mut String, report: &TheoremReport) -> std::fmt::Result {
    let side = |grid: crate::spectrum::GridSize| format!("{} x {}", grid.x, grid.y);
    writeln!(text, "{}: {} harmonics, band {}", report.input, report.harmonics, report.band)?;
    let samples = report.samples.map_or("continuous".to_owned(), |samples| format!("{} samples", side(samples)));
    write!(text, "{samples} -> grid {}", side(report.grid))?;
    if let Some(stride) = report.stride {
        write!(text, " (stride {})", side(stride))?;
    }
    write!(text, ", velocity {}, prefilter {}", report.velocity, report.prefilter)?;
    match &report.activation {
        Some(activation) => writeln!(text, ", after {activation}")?,
        None => writeln!(text)?,
    }
    let relative = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.2e}"));
    writeln!(text, "\n  form         mean square defect   |form - exact|/exact")?;
    let rows = [
        ("exact", report.exact, None),
        ("measured", report.measured, report.relative.measured),
        ("diagonal", report.diagonal, report.relative.diagonal),
        ("paper", report.paper, report.relative.paper),
    ];
    for (name, value, difference) in rows {
        writeln!(text, "  {name:<10} {value:>21.12e}   {:>20}", relative(difference))?;
    }
    text.push_str(
        "\n  exact      assumes nothing\n  measured   assumes nothing: sampled, differentiated, subtracted\n  diagonal   assumes \
         no two harmonics on one bin, or the mean over translations\n  paper      assumes that, and v along an axis or the \
         mean over a reflection\n",
    );
    let facts = &report.assumptions;
    writeln!(
        text,
        "\n{} bins hold more than one harmonic; v is {}; {}",
        facts.collisions,
        if facts.axis_aligned { "along an axis" } else { "not along an axis" },
        if facts.alias_free { "nothing aliases" } else { "harmonics beyond the Nyquist frequency fold" },
    )?;
    if report.slope_energy <= report.rounding() {
        writeln!(
            text,
            "the field does not change along v, as a photo of one colour: the forms are 0 or rounding, and no differences \
             between them are shown"
        )?;
    }
    if let (false, Some(share)) = (facts.band_within_samples, report.presampling_share) {
        writeln!(text, "the first sampling folds {:.3} % of the input's energy", 100.0 * share)?;
    }
    if let Some(truncation) = &report.truncation {
        writeln!(
            text,
            "harmonics followed to {}: the last doubling changed exact by {:.1e} ({} {:.1e}); an estimated {:.1e} is left",
            side(truncation.oversampled),
            truncation.change,
            if truncation.converged { "within" } else { "beyond" },
            truncation.tolerance,
            truncation.estimate,
        )?;
    }
    if !report.folds.is_empty() {
        writeln!(text, "\n  harmonic    lands on     energy      its term of diagonal")?;
        for fold in report.folds.iter().take(8) {
            let wave = |wave: crate::spectrum::Wave| format!("({}, {})", wave.x, wave.y);
            writeln!(
                text,
                "  {:<11} {:<11} {:>10.3e}  {:>10.3e}",
                wave(fold.from),
                wave(fold.to),
                fold.energy,
                fold.defect
            )?;
        }
        if report.folds_total > 8 {
            writeln!(text, "  and {} more", report.folds_total - 8)?;
        }
    }
    writeln!(
        text,
        "\nh = sum H_n e^(2 pi i n.x), no 1/(2 pi) in front; the paper's printed numbers are these over (2 pi)^2"
    )
}

fn write_harmonics(text: &mut String, report: &HarmonicsReport) -> std::fmt::Result {
    writeln!(
        text,
        "{} of {} cos(2 pi {} x) on {} samples, filter {}, stride {}: grid {}",
        report.activation,
        report.amplitude,
        report.frequency,
        report.samples,
        report.filter,
        report.stride,
        report.grid
    )?;
    writeln!(text, "\n   k  frequency     |c_k|        phase    folds to")?;
    let largest = report.harmonics.iter().map(|harmonic| harmonic.magnitude).fold(0.0, f64::max);
    let shown: Vec<_> = report.harmonics.iter().filter(|harmonic| harmonic.magnitude > 1e-12 * largest).collect();
    for harmonic in shown.iter().take(16) {
        let moved = if harmonic.folds_to == harmonic.frequency { "" } else { "  *" };
        writeln!(
            text,
            "{:>4} {:>10}   {:>11.5e} {:>8.3}  {:>8}{moved}",
            harmonic.k, harmonic.frequency, harmonic.magnitude, harmonic.phase, harmonic.folds_to
        )?;
    }
    if shown.len() > 16 {
        writeln!(text, "and {} more", shown.len() - 16)?;
    }
    writeln!(
        text,
        "\naliased: {:.3} % of the energy beside the constant (* moved by the grid)",
        100.0 * report.aliased_fraction
    )?;
    writeln!(text, "decay: {}", decay_sentence(&report.decay))
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

fn write_image_spectrum(text: &mut String, report: &ImageSpectrumReport) -> std::fmt::Result {
    writeln!(
        text,
        "{} of a photo of {} x {} pixels scaled to standard deviation {}, filter {}, stride {}: grid {} x {}",
        report.activation,
        report.samples.x,
        report.samples.y,
        report.amplitude,
        report.filter,
        report.stride,
        report.grid.x,
        report.grid.y
    )?;
    writeln!(text, "  beyond the grid's Nyquist frequency, of the energy beside the constant:")?;
    writeln!(text, "    before {:>9.4} %", 100.0 * report.aliased_fraction_before)?;
    writeln!(text, "    after  {:>9.4} %", 100.0 * report.aliased_fraction)
}
