//! Results of the spectral side as tidy rows.

use super::rows::Rows;
use crate::spectrum::departures::Departures;
use crate::spectrum::harmonics::HarmonicsReport;
use crate::spectrum::image_spectrum::ImageSpectrumReport;
use crate::spectrum::theorem::TheoremReport;

/// One row per form of the theorem: its mean square defect, and how far it is from the exact one.
pub fn theorem_rows(report: &TheoremReport) -> Rows {
    let mut rows = Rows::new(["form", "mean_square_defect", "relative_difference"]);
    let relative = &report.relative;
    for (form, value, difference) in [
        ("exact", report.exact, None),
        ("measured", report.measured, relative.measured),
        ("diagonal", report.diagonal, relative.diagonal),
        ("paper", report.paper, relative.paper),
    ] {
        rows.push([form.into(), value.into(), difference.into()]);
    }
    rows
}

/// One row per random series.
pub fn departures_rows(study: &Departures) -> Rows {
    let mut rows = Rows::new(["band", "grid", "collision_share", "diagonal", "paper", "measured"]);
    for case in &study.cases {
        rows.push([
            (case.band as usize).into(),
            case.grid.into(),
            case.collision_share.into(),
            case.diagonal.into(),
            case.paper.into(),
            case.measured.into(),
        ]);
    }
    rows
}

/// One row per harmonic.
pub fn harmonics_rows(report: &HarmonicsReport) -> Rows {
    let mut rows = Rows::new(["k", "frequency", "magnitude", "phase", "folds_to"]);
    for harmonic in &report.harmonics {
        rows.push([
            harmonic.k.into(),
            harmonic.frequency.into(),
            harmonic.magnitude.into(),
            harmonic.phase.into(),
            harmonic.folds_to.into(),
        ]);
    }
    rows
}

/// One row per ring of frequencies: the image's energy before and after the nonlinearity.
pub fn image_spectrum_rows(report: &ImageSpectrumReport) -> Rows {
    let mut rows = Rows::new(["frequency", "before", "after"]);
    for ring in &report.radial {
        rows.push([ring.frequency.into(), ring.before.into(), ring.after.into()]);
    }
    rows
}
