//! Metrics under finite shifts and rotations.

use aliascope_core::measure::layer_metrics::{
    LayerMeasure, LayerMetric, LayerMetrics, LayerProtocols, Measured, Share,
};
use aliascope_core::measure::layers_report::LayerClass;
use aliascope_core::measure::metrics_report::{
    METRICS_SCHEMA_VERSION, Measure, MetricProtocols, Metrics, MetricsReport, Missing, Protocol, Psnr,
};
use aliascope_core::statistics::{Estimate, Interval};

use super::run;

fn interval(low: f64, high: f64) -> Option<Interval> {
    (high > low).then_some(Interval { low, high })
}

/// A mean over five images that differ.
fn measure(value: f64) -> Option<Measure> {
    let by_image = [0.2, 1.5, 0.9, 1.1, 1.3].map(|factor| Some(value * factor)).to_vec();
    let geometric_mean = Some(Estimate { value: 0.8 * value, interval: interval(0.5 * value, 1.2 * value) });
    Some(Measure {
        value,
        sem: Some(0.2 * value),
        interval: interval(0.6 * value, 1.3 * value),
        geometric_mean,
        by_image,
    })
}

/// A share of what is kept, so that no image is above 1.
fn share(value: f64) -> Option<Measure> {
    let by_image = [0.2, 1.0, 0.8, 0.6, 1.0].map(|share| Some(value * share)).to_vec();
    Some(Measure {
        value: 0.72 * value,
        sem: Some(0.1),
        interval: interval(0.5 * value, 0.9 * value),
        geometric_mean: None,
        by_image,
    })
}

fn psnr(value: Option<f64>) -> Option<Psnr> {
    let by_image = [-9.0, 4.0, 0.5, 2.0, -3.0].map(|more| value.map(|value| value + more)).to_vec();
    let mse =
        Measure { value: 0.0, sem: Some(0.0), interval: None, geometric_mean: None, by_image: vec![Some(0.0); 5] };
    let interval = value.and_then(|value| interval(value - 5.0, value + 3.0));
    Some(Psnr { value, sem: value.map(|_| 1.4), interval, by_image, mse, pixels: 1e6 })
}

fn report(protocol: Protocol, metrics: Metrics, missing: Vec<Missing>) -> MetricsReport {
    MetricsReport {
        schema_version: METRICS_SCHEMA_VERSION,
        run: run(5),
        draws: 10,
        seed: 0,
        range: 2.0,
        protocol,
        metrics,
        protocols: MetricProtocols::default(),
        missing,
        layers: None,
    }
}

/// A classifier's.
pub fn classifier() -> MetricsReport {
    let metrics = Metrics {
        mse_eq_t: measure(3.1e-6),
        mse_eq_t_frac: measure(9.4e-6),
        mse_eq_r: measure(2.2e-4),
        consistency_integer_circular: share(0.98),
        consistency_half_pixel_circular: share(0.95),
        consistency_integer_cropped: share(0.91),
        consistency_half_pixel_cropped: share(0.9),
        sample_invariance_translate_x: measure(0.0021),
        sample_invariance_rotate: measure(0.0132),
        ..Metrics::default()
    };
    let reason = "the output has the shape [1, 1000], which is no image to move".to_owned();
    let missing =
        ["eq_t", "eq_t_frac", "eq_r"].map(|metric| Missing { metric: metric.to_owned(), reason: reason.clone() });
    report(Protocol::Aliascope, metrics, missing.to_vec())
}

/// A classifier's by the released code's protocol, of which nothing changes under shifts.
pub fn authors() -> MetricsReport {
    let metrics = Metrics {
        consistency_authors_columns: share(1.0),
        consistency_authors_rows: share(0.97),
        sample_invariance_authors_x: measure(0.0),
        sample_invariance_authors_y: measure(0.0),
        ..Metrics::default()
    };
    report(Protocol::Authors, metrics, Vec::new())
}

/// A network's from image to image: exact under whole shifts, worse than its range under rotations.
pub fn images() -> MetricsReport {
    let metrics =
        Metrics { eq_t: psnr(None), eq_t_frac: psnr(Some(31.4)), eq_r: psnr(Some(-12.6)), ..Metrics::default() };
    report(Protocol::Aliascope, metrics, Vec::new())
}

/// One photo, so that nothing has a standard error.
pub fn single() -> MetricsReport {
    let mut report = classifier();
    report.run = run(1);
    let m = &mut report.metrics;
    let measures = [
        &mut m.mse_eq_t,
        &mut m.mse_eq_t_frac,
        &mut m.mse_eq_r,
        &mut m.consistency_integer_circular,
        &mut m.consistency_half_pixel_circular,
        &mut m.consistency_integer_cropped,
        &mut m.consistency_half_pixel_cropped,
        &mut m.sample_invariance_translate_x,
        &mut m.sample_invariance_rotate,
    ];
    for measure in measures.into_iter().flatten() {
        (measure.sem, measure.interval) = (None, None);
        measure.by_image = vec![Some(measure.value)];
    }
    report
}

/// Layer by layer: a few make the error, the rest hardly any.
pub fn of_layers(names: &[String]) -> MetricsReport {
    let count = names.len();
    let weight = |at: usize| 0.6f64.powi((at * 7 % count) as i32);
    let sum: f64 = (0..count).map(weight).sum();
    let layers = names.iter().enumerate().map(|(at, name)| {
        let share = weight(at) / sum;
        let measured = Measured { mean: share, sem: Some(0.1 * share), share: Some(share), by_image: vec![share; 5] };
        LayerMetric {
            name: name.clone(),
            op: "Conv".to_owned(),
            class: LayerClass::ALL[at % LayerClass::ALL.len()],
            measures: LayerMeasure::ALL
                .into_iter()
                .map(|measure| (measure.name().to_owned(), Some(measured.clone())))
                .collect(),
            missing: None,
        }
    });
    let layers: Vec<LayerMetric> = layers.collect();
    let of_class = |class: LayerClass| {
        let share = layers
            .iter()
            .filter(|layer| layer.class == class)
            .filter_map(|layer| layer.measured(LayerMeasure::Lee)?.share)
            .sum();
        let share = Share { share: Some(share), sem: Some(0.01) };
        let by_measure = LayerMeasure::ALL.into_iter().map(|measure| (measure.name().to_owned(), share)).collect();
        (class.name().to_owned(), by_measure)
    };
    let by_type = LayerClass::ALL.into_iter().filter(|class| layers.iter().any(|layer| layer.class == *class));
    let by_type = by_type.map(of_class).collect();
    let metrics = LayerMetrics {
        protocols: LayerProtocols::default(),
        layers,
        by_type,
        compared_share: Some(1.0),
        rank_correlation: LayerMeasure::ALL.into_iter().map(|measure| (measure.name().to_owned(), Some(0.5))).collect(),
    };
    MetricsReport { layers: Some(metrics), ..classifier() }
}
