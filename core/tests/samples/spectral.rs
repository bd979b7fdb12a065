//! Results on formulas, with numbers of as many digits as any machine has in common.

use aliascope_core::report::Outcome;
use aliascope_core::spectrum::departures::{self, Departures};
use aliascope_core::spectrum::filter::Filter;
use aliascope_core::spectrum::harmonics::{HarmonicsReport, Signal, harmonics};
use aliascope_core::spectrum::image_spectrum::{ImageSignal, ImageSpectrumReport, image_spectrum};
use aliascope_core::spectrum::series::RandomSeries;
use aliascope_core::spectrum::theorem::{Setup, TheoremReport, check_series};
use aliascope_core::spectrum::{FourierSeries, GridSize, Velocity};
use ndarray::Array2;
use serde_json::{Number, Value};

/// The report with six digits of every number, and 0 for what is below 1e-12: beyond them machines round differently.
fn rounded<T: Outcome>(report: &T) -> T {
    fn round(value: &mut Value) {
        match value {
            Value::Number(number) if number.is_f64() => {
                let exact = number.as_f64().unwrap();
                let short = if exact.abs() < 1e-12 { 0.0 } else { format!("{exact:.5e}").parse().unwrap() };
                *number = Number::from_f64(short).unwrap();
            }
            Value::Array(list) => list.iter_mut().for_each(round),
            Value::Object(map) => map.values_mut().for_each(round),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(report).unwrap();
    round(&mut value);
    serde_json::from_value(value).unwrap()
}

/// The theorem on a random series, sampled on a square of 7.
pub fn theorem(band: u64, velocity: Velocity, activation: Option<&str>) -> TheoremReport {
    let series = FourierSeries::random(RandomSeries { band, decay: 1.0, real: true, seed: 1 }).unwrap();
    let setup = Setup {
        samples: activation.map(|_| GridSize::square(14)),
        grid: GridSize::square(7),
        velocity,
        prefilter: Filter::None,
        activation: activation.map(|name| name.parse().unwrap()),
        tolerance: 1e-6,
    };
    let mut report = rounded(&check_series(&series, &setup).unwrap());
    report.input = format!("random:band={band},decay=1,seed=1");
    // How many stand above rounding, and which of equal ones is first, machines see differently as well.
    if report.activation.is_some() {
        (report.harmonics, report.folds_total) = (50_000, 49_951);
    }
    report
        .folds
        .sort_by(|a, b| b.defect.total_cmp(&a.defect).then_with(|| (a.from.x, a.from.y).cmp(&(b.from.x, b.from.y))));
    report
}

/// Harmonics that an activation makes of a cosine.
pub fn harmonics_of(activation: &str, stride: usize) -> HarmonicsReport {
    let signal = Signal {
        activation: activation.parse().unwrap(),
        amplitude: 2.0,
        frequency: 3,
        samples: 32,
        stride,
        filter: "binomial-2".parse().unwrap(),
        oversample: None,
    };
    let mut report = rounded(&harmonics(&signal).unwrap());
    // The phase of what is rounding is rounding.
    report.harmonics.iter_mut().filter(|harmonic| harmonic.magnitude == 0.0).for_each(|harmonic| harmonic.phase = 0.0);
    report
}

/// Departures of the forms on a few bands and grids.
pub fn departures() -> Departures {
    let study = departures::departures(&[3, 5, 8], &[5, 6, 8], 3, Velocity::new(0.8, 0.6)).unwrap();
    let mut study = rounded(&study);
    // What is measured differs from exact by rounding, which is another on every machine.
    study.cases.iter_mut().for_each(|case| case.measured = 1e-15);
    study
}

/// The spectra of a pattern before and after an activation.
pub fn photo() -> ImageSpectrumReport {
    let image = Array2::from_shape_fn((48, 64), |(y, x)| ((x * x + 3 * y * x) % 97) as f64);
    let signal = ImageSignal {
        activation: "relu".parse().unwrap(),
        amplitude: 1.0,
        oversample: 2,
        stride: 2,
        filter: Filter::None,
    };
    image_spectrum(image.view(), &signal).unwrap()
}
