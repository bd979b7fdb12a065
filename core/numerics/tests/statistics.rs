//! Statistics against what SciPy computes of the same samples, recorded by scripts/record_statistics.py.

use aliascope_numerics::statistics::{
    Estimate, Interval, geometric_mean, mean_with_interval, median_with_interval, normal_quantile, paired_ratio,
    student_quantile,
};
use serde_json::Value;

fn recorded() -> Value {
    serde_json::from_str(include_str!("fixtures/statistics.json")).unwrap()
}

fn numbers(of: &Value) -> Vec<f64> {
    serde_json::from_value(of.clone()).unwrap()
}

/// Roundings of sums of 15 logarithms, and of SciPy's own quantiles.
const CLOSE: f64 = 1e-12;

#[track_caller]
fn assert_close(ours: f64, theirs: f64, tolerance: f64) {
    assert!((ours - theirs).abs() <= tolerance * theirs.abs().max(1e-3), "{ours} {theirs}");
}

#[track_caller]
fn assert_interval(ours: Option<Interval>, theirs: &Value, tolerance: f64) {
    let (ours, theirs) = (ours.unwrap(), numbers(theirs));
    assert_close(ours.low, theirs[0], tolerance);
    assert_close(ours.high, theirs[1], tolerance);
}

#[test]
fn quantiles() {
    let recorded = recorded();
    for case in recorded["student"].as_array().unwrap() {
        let case = numbers(case);
        // Near the ends a quantile is as good as its probability, of which 1e-16 are lost, over the density.
        assert_close(student_quantile(case[0], case[1] as usize), case[2], 1e-11);
    }
    for case in recorded["normal"].as_array().unwrap() {
        let case = numbers(case);
        assert_close(normal_quantile(case[0]), case[1], 1e-10);
    }
}

#[test]
fn geometric_means_and_medians() {
    let sample = &recorded()["sample"];
    let values = numbers(&sample["values"]);
    let Estimate { value, interval } = geometric_mean(&values).unwrap();
    assert_close(value, sample["geometric_mean"].as_f64().unwrap(), CLOSE);
    assert_interval(interval, &sample["geometric_interval"], CLOSE);
    assert_interval(median_with_interval(&values).unwrap().interval, &sample["median_interval"], 0.0);
}

#[test]
fn paired_ratios_and_bootstraps() {
    let sample = &recorded()["sample"];
    let (values, others) = (numbers(&sample["values"]), numbers(&sample["others"]));
    let ratio = paired_ratio(&values, &others).unwrap();
    assert_close(ratio.geometric.value, sample["geometric_ratio"].as_f64().unwrap(), CLOSE);
    assert_interval(ratio.geometric.interval, &sample["geometric_ratio_interval"], CLOSE);
    // Other random resamples: an end near the 99th percentile of 4000 moves by some hundredths.
    assert_interval(ratio.mean.interval, &sample["ratio_bca"], 0.05);
    assert_interval(mean_with_interval(&values).unwrap().interval, &sample["mean_bca"], 0.05);
}
