//! Measures of each layer alone against loops that share nothing with them but their definitions.

use std::f64::consts::PI;

use aliascope::figure::{Format, LayerMetricsFigure, render};
use aliascope::graph::onnx::proto::{GraphProto, NodeProto};
use aliascope::graph::{LoadOptions, Network};
use aliascope::measure::layer_metrics::{LayerMeasure, LayerMetrics};
use aliascope::measure::layers::per_layer::LayerShifts;
use aliascope::measure::layers::{LayerMeter, LayersOptions, SplitBy};
use aliascope::measure::metrics_report::{METRICS_SCHEMA_VERSION, Metrics, MetricsReport, Protocol};
use aliascope::measure::output::Output;
use aliascope::measure::run::{Images, Measured, Model, Precision, Run};
use aliascope::report::{layer_metrics_rows, metrics_table};
use aliascope::spectrum::differentiation::{Boundary, Scheme, differentiation_matrix};
use aliascope::symmetry::{Combination, Generator};
use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

use crate::common::model;

const SIDE: usize = 16;
const CHANNELS: usize = 2;
const DRAWS: usize = 5;
const SEED: u64 = 9;

/// Channels of rows and columns.
type Maps = Vec<Array2<f64>>;

fn weights(seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..CHANNELS * CHANNELS * 9).map(|_| rng.random_range(-0.6..0.6)).collect()
}

fn images() -> Vec<Maps> {
    let mut rng = ChaCha8Rng::seed_from_u64(77);
    let mut map = || Array2::from_shape_fn((SIDE, SIDE), |_| rng.random_range(-1.0..1.0));
    (0..2).map(|_| (0..CHANNELS).map(|_| map()).collect()).collect()
}

fn named(mut node: NodeProto, name: &str) -> NodeProto {
    node.name = Some(name.to_owned());
    node
}

fn convolution(name: &str, from: &str, weight: &str, to: &str, stride: i64) -> NodeProto {
    let mut node = named(model::node("Conv", &[from, weight], &[to]), name);
    node.attribute.push(model::attribute("pads", model::Value::Ints(vec![1, 1, 1, 1])));
    node.attribute.push(model::attribute("strides", model::Value::Ints(vec![stride, stride])));
    node
}

/// Convolution, SiLU in two nodes of one module, strided convolution, mean. With `last` the SiLU is taken with channels
/// last.
fn network(last: bool) -> Network {
    let c = CHANNELS as i64;
    let transpose = |name, from, to, order: [i64; 4]| {
        let mut node = named(model::node("Transpose", &[from], &[to]), name);
        node.attribute.push(model::attribute("perm", model::Value::Ints(order.to_vec())));
        node
    };
    let (read, made) = if last { ("a_last", "b_last") } else { ("a", "b") };
    let mut node = vec![convolution("/one/Conv", "x", "w1", "a", 1)];
    if last {
        node.push(transpose("/to/Transpose", "a", "a_last", [0, 2, 3, 1]));
    }
    node.push(named(model::node("Sigmoid", &[read], &["s"]), "/act/Sigmoid"));
    node.push(named(model::node("Mul", &[read, "s"], &[made]), "/act/Mul"));
    if last {
        node.push(transpose("/from/Transpose", "b_last", "b", [0, 3, 1, 2]));
    }
    node.push(convolution("/two/Conv", "b", "w2", "d", 2));
    node.push(named(model::node("GlobalAveragePool", &["d"], &["p"]), "/pool/GlobalAveragePool"));
    let mut flat = named(model::node("Flatten", &["p"], &["y"]), "/pool/Flatten");
    flat.attribute.push(model::attribute("axis", model::Value::Int(1)));
    node.push(flat);
    let graph = GraphProto {
        node,
        initializer: vec![
            model::doubles("w1", &[c, c, 3, 3], &weights(1)),
            model::doubles("w2", &[c, c, 3, 3], &weights(2)),
        ],
        input: vec![model::floats("x", &[1, c, SIDE as i64, SIDE as i64])],
        output: vec![model::floats("y", &[])],
        ..Default::default()
    };
    let options = LoadOptions { kind: Kind::Double, ..Default::default() };
    Network::from_file(&model::model(graph, 17), &options).unwrap()
}

fn tensor(maps: &Maps) -> Tensor {
    let values: Vec<f64> = maps.iter().flat_map(|map| map.iter().copied()).collect();
    Tensor::from_slice(&values).view([1, 1, maps.len() as i64, SIDE as i64, SIDE as i64])
}

fn measure(network: &Network) -> LayerMetrics {
    let mut meter = LayerShifts::new(network, DRAWS, SEED).unwrap();
    for image in images() {
        meter.measure(&tensor(&image), "image").unwrap();
    }
    meter.results()
}

/// What a layer does, in loops.
fn conv(x: &Maps, weight: &[f64], stride: usize) -> Maps {
    let n = x[0].nrows();
    (0..CHANNELS)
        .map(|o| {
            Array2::from_shape_fn((n / stride, n / stride), |(j, i)| {
                let mut sum = 0.0;
                for (c, map) in x.iter().enumerate() {
                    for (t, w) in weight[(o * CHANNELS + c) * 9..][..9].iter().enumerate() {
                        let (row, column) = ((j * stride + t / 3) as i64 - 1, (i * stride + t % 3) as i64 - 1);
                        if (0..n as i64).contains(&row) && (0..n as i64).contains(&column) {
                            sum += w * map[[row as usize, column as usize]];
                        }
                    }
                }
                sum
            })
        })
        .collect()
}

fn silu(x: &Maps) -> Maps {
    x.iter().map(|map| map.mapv(|v| v / (1.0 + (-v).exp()))).collect()
}

fn silu_slope(v: f64) -> f64 {
    let s = 1.0 / (1.0 + (-v).exp());
    s + v * s * (1.0 - s)
}

/// Moved by [right, down] filled with zeros, and whether an entry is compared.
fn moved(x: &Maps, [right, down]: [f64; 2], whole: bool) -> (Maps, Array2<bool>) {
    let n = x[0].nrows() as i64;
    let lanczos = |x: f64| match x {
        0.0 => 1.0,
        x if x.abs() >= 3.0 => 0.0,
        x => 3.0 * (PI * x).sin() * (PI * x / 3.0).sin() / (PI * x).powi(2),
    };
    // Per axis: weights of the samples that reach an output, from the one furthest ahead, and the span compared.
    let axis = |t: f64| -> (Vec<(i64, f64)>, [i64; 2]) {
        if whole {
            return (vec![(t as i64, 1.0)], [(t as i64).max(0), n + (t as i64).min(0)]);
        }
        let (i, f) = (t.floor() as i64, t - t.floor());
        let w: Vec<f64> = (-2..=3).map(|k| lanczos(k as f64 - f)).collect();
        let sum: f64 = w.iter().sum();
        ((-2..=3).zip(w).map(|(k, w)| (i + k, w / sum)).collect(), [(i + 3).max(0), n + (i - 2).min(0)])
    };
    let ((wx, span_x), (wy, span_y)) = (axis(right), axis(down));
    let size = x[0].dim();
    let maps = x.iter().map(|map| {
        Array2::from_shape_fn(size, |(j, i)| {
            let mut sum = 0.0;
            for (dy, v) in &wy {
                for (dx, u) in &wx {
                    let (row, column) = (j as i64 - dy, i as i64 - dx);
                    if (0..n).contains(&row) && (0..n).contains(&column) {
                        sum += u * v * map[[row as usize, column as usize]];
                    }
                }
            }
            sum
        })
    });
    let inside = |[from, to]: [i64; 2], at: usize| (from..to).contains(&(at as i64));
    (maps.collect(), Array2::from_shape_fn(size, |(j, i)| inside(span_y, j) && inside(span_x, i)))
}

/// ∂x or ∂y in half-widths of the image.
fn derivative(x: &Maps, across: bool) -> Maps {
    let n = x[0].nrows();
    let d = differentiation_matrix(n, Scheme::Spectral, Boundary::Reflect).unwrap();
    let pitch = 2.0 / n as f64;
    let each = |map: &Array2<f64>| if across { map.dot(&d.t()) / pitch } else { d.dot(map) / pitch };
    x.iter().map(each).collect()
}

fn sum_of_squares(a: &Maps, b: &Maps) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).mapv(|v| v * v).sum()).sum()
}

/// All measures but `lee` of one layer on one image.
fn slow(x: &Maps, layer: &dyn Fn(&Maps) -> Maps, push: &dyn Fn(&Maps) -> Maps, draws: &[[f64; 2]]) -> [f64; 7] {
    let y = layer(x);
    let (n, m) = (x[0].nrows() as f64, y[0].nrows() as f64);
    let alone: f64 =
        [true, false].map(|across| sum_of_squares(&push(&derivative(x, across)), &derivative(&y, across))).iter().sum();
    let mut found = vec![alone / 2.0 / (CHANNELS as f64 * m * m)];
    for how in ["whole", "rounded", "fractional"] {
        let (mut error, mut entries, mut by_root) = (0.0, 0.0, 0.0);
        for t in draws {
            // The coarsest map is the output; the image is n samples of the input wide.
            let [before, after] = match how {
                "whole" => [t.map(|t| (t * m).round() * n / m), t.map(|t| (t * m).round())],
                "rounded" => [t.map(|t| (t * n).round()), t.map(|t| (t * m).round())],
                _ => [t.map(|t| t * n), t.map(|t| t * m)],
            };
            let seen = layer(&moved(x, before, how != "fractional").0);
            let (wanted, mask) = moved(&y, after, how != "fractional");
            let (mut own, mut count) = (0.0, 0.0);
            for (seen, wanted) in seen.iter().zip(&wanted) {
                for (at, inside) in mask.indexed_iter() {
                    if *inside {
                        own += (seen[at] - wanted[at]).powi(2);
                        count += 1.0;
                    }
                }
            }
            error += own;
            entries += count;
            by_root += own / f64::sqrt(count) / DRAWS as f64;
        }
        found.extend([error / entries, by_root]);
    }
    found.try_into().unwrap()
}

#[test]
fn every_measure_of_a_layer_is_its_definition() {
    let network = network(false);
    let metrics = measure(&network);
    let names: Vec<&str> = metrics.layers.iter().map(|layer| layer.name.as_str()).collect();
    // Two nodes of one module are one layer.
    assert_eq!(names, ["one", "act", "two", "pool"]);
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let (first, second) = (weights(1), weights(2));
    let mut expected = [[0.0; 7]; 3];
    for x in images() {
        let draws: Vec<[f64; 2]> =
            (0..DRAWS).map(|_| [0.0; 2].map(|_: f64| rng.random_range(-0.125..=0.125))).collect();
        let a = conv(&x, &first, 1);
        let b = silu(&a);
        let slope = |dx: &Maps| dx.iter().zip(&a).map(|(dx, a)| dx * &a.mapv(silu_slope)).collect();
        let one = |x: &Maps| conv(x, &first, 1);
        let two = |x: &Maps| conv(x, &second, 2);
        let each = [slow(&x, &one, &one, &draws), slow(&a, &silu, &slope, &draws), slow(&b, &two, &two, &draws)];
        for (sum, found) in expected.iter_mut().zip(each) {
            sum.iter_mut().zip(found).for_each(|(sum, found)| *sum += found / 2.0);
        }
    }
    for (layer, expected) in metrics.layers.iter().zip(expected) {
        assert_eq!(layer.missing, None);
        for (measure, expected) in LayerMeasure::ALL[1..].iter().zip(expected) {
            let found = layer.measured(*measure).unwrap().mean;
            // Rounding of sums of some thousand products; under whole steps a pointwise layer has none to round.
            let tolerance = 1e-11 * expected.max(1e-11);
            assert!((found - expected).abs() < tolerance, "{} {}: {found} {expected}", layer.name, measure.name());
        }
    }
    // Whole steps do not see a pointwise layer, and fractional ones do.
    let of = |layer: usize, measure| metrics.layers[layer].measured(measure).unwrap().mean;
    assert_eq!(of(1, LayerMeasure::EqTByN), 0.0);
    assert!(of(1, LayerMeasure::EqTFracByN) > 1e-6);
    // Rounded apart, a stride is blamed for half a sample.
    assert!(of(2, LayerMeasure::EqTRoundedByN) > 2.0 * of(2, LayerMeasure::EqTByN));
    let pool = &metrics.layers[3];
    assert!(pool.measured(LayerMeasure::EqTByN).is_none() && pool.measured(LayerMeasure::Lee).is_some());
    assert!(pool.missing.as_ref().unwrap().contains("no rows and columns"));
}

#[test]
fn lee_is_the_mean_of_both_attributions_and_shares_add_up() {
    let network = network(false);
    let metrics = measure(&network);
    let attributed = [Generator::TranslateX, Generator::TranslateY].map(|generator| {
        let options = LayersOptions { split: SplitBy::Nothing, ..LayersOptions::new(Combination::single(generator)) };
        let mut meter = LayerMeter::new(&network, options).unwrap();
        for image in images() {
            meter.measure(&tensor(&image), &["image".to_owned()], &mut |_, _| {}).unwrap();
        }
        meter.results().layers
    });
    for ((layer, x), y) in metrics.layers.iter().zip(&attributed[0]).zip(&attributed[1]) {
        let lee = layer.measured(LayerMeasure::Lee).unwrap();
        let wanted = 0.5 * (x.contribution + y.contribution);
        assert!(layer.name == x.name && (lee.mean - wanted).abs() <= 1e-12 * wanted);
    }
    for measure in LayerMeasure::ALL {
        let shares: Vec<f64> =
            metrics.layers.iter().filter_map(|layer| layer.measured(measure)).filter_map(|m| m.share).collect();
        assert_eq!(shares.len(), 3, "{}", measure.name());
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let by_type: f64 = metrics.by_type.values().map(|of| of[measure.name()].share.unwrap()).sum();
        assert!((by_type - 1.0).abs() < 1e-12);
    }
    let whole: f64 = metrics.layers.iter().map(|layer| layer.measured(LayerMeasure::Lee).unwrap().mean).sum();
    let pool = metrics.layers[3].measured(LayerMeasure::Lee).unwrap().mean;
    assert!(pool > 0.0 && (metrics.compared_share.unwrap() - (1.0 - pool / whole)).abs() < 1e-12);
    assert_eq!(metrics.rank_correlation["lee"], Some(1.0));
}

#[test]
fn layers_of_values_with_channels_last_are_moved_alike() {
    let [planes, last] = [false, true].map(|last| measure(&network(last)));
    assert_eq!(planes.layers.len(), last.layers.len());
    for (a, b) in planes.layers.iter().zip(&last.layers) {
        assert_eq!(a.name, b.name);
        for measure in LayerMeasure::ALL {
            match (a.measured(measure), b.measured(measure)) {
                (None, None) => {}
                (Some(a), Some(b)) => assert!((a.mean - b.mean).abs() <= 1e-12 * a.mean.max(1e-12)),
                other => panic!("{} {}: {other:?}", a.name, measure.name()),
            }
        }
    }
}

#[test]
fn layers_are_told_in_table_csv_and_figure() {
    let layers = measure(&network(false));
    let report = MetricsReport {
        schema_version: METRICS_SCHEMA_VERSION,
        run: Run {
            model: Model { path: "models/small.onnx".to_owned(), output_shape: vec![1, 2], ..Model::default() },
            images: Images { names: vec!["a".to_owned(), "b".to_owned()], ..Images::default() },
            output: Some(Measured { function: Output::Softmax, ..Measured::default() }),
            precision: Precision::F64,
            ..Run::default()
        },
        draws: DRAWS,
        seed: SEED,
        range: 2.0,
        protocol: Protocol::Aliascope,
        metrics: Metrics::default(),
        protocols: Default::default(),
        missing: vec![],
        layers: Some(layers.clone()),
    };
    let table = metrics_table(&report, 80);
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    insta::assert_snapshot!(table);
    let csv = String::from_utf8(layer_metrics_rows(&layers, None).csv()).unwrap();
    let rows: Vec<&str> = csv.lines().collect();
    assert_eq!(rows.len(), 1 + 4 * LayerMeasure::ALL.len());
    assert_eq!(rows[0], "name,op,class,measure,mean,sem,share");
    let lee = layers.layers[0].measured(LayerMeasure::Lee).unwrap();
    let first = format!("one,Conv,convolution,lee,{},{},{}", lee.mean, lee.sem.unwrap(), lee.share.unwrap());
    assert_eq!(rows[1], first);
    assert!(rows.contains(&"pool,GlobalAveragePool,pooling,eq_t_by_n,,,"));
    for format in [Format::Svg, Format::Png] {
        let bytes = render(&LayerMetricsFigure { report: &report, layers: &layers }, format).unwrap();
        assert!(bytes.len() > 5000);
    }
    let mut none = layers.clone();
    none.layers.retain(|layer| layer.missing.is_some());
    assert!(render(&LayerMetricsFigure { report: &report, layers: &none }, Format::Svg).is_err());
}
