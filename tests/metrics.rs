//! Discrete metrics against slow implementations that share nothing with them but their definitions.

use std::f64::consts::{PI, TAU};

use aliascope::graph::onnx::proto::GraphProto;
use aliascope::graph::{LoadOptions, Network};
use aliascope::measure::metrics::{MARGIN, MetricsMeter, MetricsOptions, Protocol};
use aliascope::measure::metrics_report::Measure;
use aliascope::measure::tally::psnr;
use aliascope::measure::torus::translate;
use aliascope::measure::transport::{
    lanczos_weights, rotate, rotation_band, shift_lanczos, shift_mirrored, shift_whole,
};
use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

use crate::common::alone::alone;
use crate::common::model;

fn random(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_fn((rows, columns), |_| rng.random_range(-1.0..1.0))
}

/// A field without fine detail, and its value anywhere.
fn smooth(x: f64, y: f64) -> f64 {
    (0.31 * x + 0.2).sin() + 0.6 * (0.27 * y - 0.11 * x).cos() + 0.3 * (0.2 * x + 0.35 * y + 1.0).sin()
}

fn tensor(field: &Array2<f64>) -> Tensor {
    let (rows, columns) = field.dim();
    let values: Vec<f64> = field.iter().copied().collect();
    Tensor::from_slice(&values).view([1, 1, rows as i64, columns as i64])
}

fn at(x: &Tensor, j: usize, i: usize) -> f64 {
    let d = x.dim();
    let index: Vec<i64> = std::iter::repeat_n(0, d - 2).chain([j as i64, i as i64]).collect();
    x.double_value(&index)
}

fn lanczos3(x: f64) -> f64 {
    if x == 0.0 {
        1.0
    } else if x.abs() >= 3.0 {
        0.0
    } else {
        3.0 * (PI * x).sin() * (PI * x / 3.0).sin() / (PI * x).powi(2)
    }
}

#[test]
fn whole_shifts_fill_with_zeros_and_know_their_overlap() {
    let field = random(7, 9, 1);
    for (right, down) in [(0, 0), (2, 0), (-3, 1), (4, -5)] {
        let (y, mask) = shift_whole(&tensor(&field), [right, down]).unwrap();
        for j in 0..7 {
            for i in 0..9 {
                let (sj, si) = (j as i64 - down, i as i64 - right);
                let inside = (0..7).contains(&sj) && (0..9).contains(&si);
                let expected = if inside { field[[sj as usize, si as usize]] } else { 0.0 };
                assert_eq!(at(&y, j, i), expected);
                assert_eq!(at(&mask, j, i), f64::from(inside));
            }
        }
    }
}

#[test]
fn fractional_shifts_are_six_taps() {
    let field = random(12, 14, 2);
    for (right, down) in [(0.3, -1.7), (2.5, 0.25), (-3.9, 3.0), (1.0, 0.0)] {
        let (y, mask) = shift_lanczos(&tensor(&field), [right, down]).unwrap();
        let parts = |t: f64| (t.floor() as i64, t - t.floor());
        let ((ix, fx), (iy, fy)) = (parts(right), parts(down));
        let weights = |f: f64| {
            let w: Vec<f64> = (-2..=3).map(|k| lanczos3(k as f64 - f)).collect();
            let sum: f64 = w.iter().sum();
            w.into_iter().map(|w| w / sum).collect::<Vec<_>>()
        };
        let (wx, wy) = (weights(fx), weights(fy));
        for (w, own) in wx.iter().zip(lanczos_weights(fx)) {
            assert!((w - own).abs() < 1e-15);
        }
        for j in 0..12_i64 {
            for i in 0..14_i64 {
                let mut sum = 0.0;
                for (b, v) in wy.iter().enumerate() {
                    for (a, u) in wx.iter().enumerate() {
                        let (sj, si) = (j - iy - (b as i64 - 2), i - ix - (a as i64 - 2));
                        if (0..12).contains(&sj) && (0..14).contains(&si) {
                            sum += u * v * field[[sj as usize, si as usize]];
                        }
                    }
                }
                assert!((at(&y, j as usize, i as usize) - sum).abs() < 1e-13);
                let span = |n: i64, whole: i64| ((whole + 3).max(0), n + (whole - 2).min(0));
                let ((x0, x1), (y0, y1)) = (span(14, ix), span(12, iy));
                let inside = (x0..x1).contains(&i) && (y0..y1).contains(&j);
                assert_eq!(at(&mask, j as usize, i as usize), f64::from(inside), "{right} {down} {j} {i}");
            }
        }
    }
    // And a smooth field arrives where it was sent: at these frequencies (up to 0.35 radians a sample) the six taps are off
    // by up to 0.31 % per axis, and the amplitudes add up to 1.9.
    let field = Array2::from_shape_fn((24, 24), |(j, i)| smooth(i as f64, j as f64));
    let (y, _) = shift_lanczos(&tensor(&field), [1.4, -0.7]).unwrap();
    assert!((at(&y, 12, 12) - smooth(12.0 - 1.4, 12.0 + 0.7)).abs() < 1.9 * 2.0 * 0.0031);
}

/// The rotation's definition, summed without separating, transposing or gathering anything.
fn slow_rotation(field: &Array2<f64>, angle: f64, j: usize, i: usize) -> f64 {
    let (rows, columns) = field.dim();
    let (cy, cx) = ((rows as f64 - 1.0) / 2.0, (columns as f64 - 1.0) / 2.0);
    let (sin, cos) = angle.sin_cos();
    let (straight, turned) = (11_i64, (3.0 * 2.0_f64.sqrt() * 4.0).ceil() as i64);
    let oriented = |x: f64, y: f64| lanczos3(cos * x - sin * y) * lanczos3(sin * x + cos * y);
    let kernel = |qx: i64, qy: i64| -> f64 {
        let mut sum = 0.0;
        for b in -straight..=straight {
            for a in -straight..=straight {
                let (x, y) = (qx - a, qy - b);
                if x.abs() <= turned && y.abs() <= turned {
                    sum +=
                        lanczos3(a as f64 / 4.0) * lanczos3(b as f64 / 4.0) * oriented(x as f64 / 4.0, y as f64 / 4.0);
                }
            }
        }
        sum
    };
    let reach = straight + turned;
    let mut total = 0.0;
    let mut table = std::collections::HashMap::new();
    for qy in -reach..=reach {
        for qx in -reach..=reach {
            let value = kernel(qx, qy);
            total += value;
            table.insert((qx, qy), value);
        }
    }
    let fine = |mx: i64, my: i64| -> f64 {
        let mut sum = 0.0;
        for ((row, column), value) in field.indexed_iter() {
            let key = (mx - 4 * column as i64, my - 4 * row as i64);
            sum += value * table.get(&key).copied().unwrap_or(0.0) * 16.0 / total;
        }
        sum
    };
    let (px, py) = (i as f64 - cx, j as f64 - cy);
    let (sx, sy) = (4.0 * (cos * px + sin * py + cx), 4.0 * (cos * py - sin * px + cy));
    let (x0, y0) = (sx.floor(), sy.floor());
    let (fx, fy) = (sx - x0, sy - y0);
    let (x0, y0) = (x0 as i64, y0 as i64);
    (1.0 - fy) * ((1.0 - fx) * fine(x0, y0) + fx * fine(x0 + 1, y0))
        + fy * ((1.0 - fx) * fine(x0, y0 + 1) + fx * fine(x0 + 1, y0 + 1))
}

#[test]
fn rotations_are_their_definition() {
    let field = random(20, 22, 3);
    for angle in [0.4, -2.1] {
        let (y, _) = rotate(&tensor(&field), angle).unwrap();
        for (j, i) in [(10, 11), (4, 15), (0, 0)] {
            let slow = slow_rotation(&field, angle, j, i);
            assert!((at(&y, j, i) - slow).abs() < 1e-11, "{angle} ({j}, {i}): {} {slow}", at(&y, j, i));
        }
    }
    // A smooth field turns about its centre in the direction of the generator `rotate`.
    let field = Array2::from_shape_fn((41, 41), |(j, i)| smooth(i as f64 - 20.0, j as f64 - 20.0));
    let angle: f64 = 0.7;
    let (y, mask) = rotate(&tensor(&field), angle).unwrap();
    let mut seen = 0;
    for (j, i) in [(20, 20), (16, 25), (25, 14), (12, 20)] {
        let (x, z) = (i as f64 - 20.0, j as f64 - 20.0);
        let wanted = smooth(angle.cos() * x + angle.sin() * z, angle.cos() * z - angle.sin() * x);
        // Two Lanczos kernels and a look-up between quarter pixels.
        assert!((at(&y, j, i) - wanted).abs() < 2e-2, "{} {wanted}", at(&y, j, i));
        seen += at(&mask, j, i) as usize;
    }
    assert_eq!(seen, 4);
    assert_eq!(at(&mask, 0, 0), 0.0);
    // The band of a rotation, without the rotation: what is smooth stays.
    let (kept, inside) = rotation_band(&tensor(&field), angle).unwrap();
    assert!(
        (at(&kept, 20, 17) - field[[20, 17]]).abs() < 1e-2 && at(&inside, 20, 17) == 1.0 && at(&inside, 3, 20) == 0.0
    );
}

#[test]
fn torus_shifts_are_fourier_sums() {
    let (rows, columns) = (6, 7);
    let field = random(rows, columns, 4);
    for [right, down] in [[0.5, 0.0], [1.25, -2.5], [3.0, 1.0]] {
        let y = translate(&tensor(&field), [right, down]).unwrap();
        for (j, i) in [(0, 0), (2, 5), (5, 6)] {
            // The field's transform, each harmonic moved; the Nyquist one as a cosine.
            let axis = |n: usize, t: f64, k: i64, p: usize, q: usize| -> f64 {
                let angle = TAU * k as f64 * (p as f64 - t - q as f64) / n as f64;
                angle.cos()
            };
            let sum_axis = |n: usize, t: f64, p: usize, q: usize| -> f64 {
                let half = n as i64 / 2;
                let range = if n.is_multiple_of(2) { -half + 1..=half } else { -half..=half };
                range.map(|k| axis(n, t, k, p, q)).sum::<f64>() / n as f64
            };
            let mut sum = 0.0;
            for ((b, a), value) in field.indexed_iter() {
                sum += value * sum_axis(rows, down, j, b) * sum_axis(columns, right, i, a);
            }
            assert!((at(&y, j, i) - sum).abs() < 1e-12);
        }
    }
}

fn network(graph: GraphProto) -> Network {
    let options = LoadOptions { kind: Kind::Double, ..Default::default() };
    Network::from_file(&model::model(graph, 17), &options).unwrap()
}

/// x + ½ roll(x): commutes with circular shifts, not with those that fill with zeros.
fn image_network(side: i64) -> Network {
    let weight = model::doubles("w", &[1, 1, 3, 3], &[0.0, 0.1, 0.0, 0.3, 0.2, 0.0, 0.0, 0.4, 0.0]);
    let mut conv = model::node("Conv", &["x", "w"], &["c"]);
    conv.attribute.push(model::attribute("pads", model::Value::Ints(vec![1, 1, 1, 1])));
    network(GraphProto {
        node: vec![conv, model::node("Relu", &["c"], &["y"])],
        initializer: vec![weight],
        input: vec![model::floats("x", &[1, 1, side, side])],
        output: vec![model::floats("y", &[])],
        ..Default::default()
    })
}

/// Two classes: strided and averaged, so that shifts do change them.
fn class_network(side: i64) -> Network {
    let weight = model::doubles(
        "w",
        &[2, 1, 3, 3],
        &[0.9, -1.0, 0.2, 0.5, 1.3, -0.7, -0.6, 0.1, 0.8, -0.3, 0.8, -1.1, 0.6, -0.2, 1.0, 0.4, -0.9, 0.3],
    );
    let mut conv = model::node("Conv", &["x", "w"], &["c"]);
    conv.attribute.push(model::attribute("pads", model::Value::Ints(vec![1, 1, 1, 1])));
    conv.attribute.push(model::attribute("strides", model::Value::Ints(vec![2, 2])));
    let mut flat = model::node("Flatten", &["p"], &["f"]);
    flat.attribute.push(model::attribute("axis", model::Value::Int(1)));
    let gain = model::doubles("g", &[1, 2], &[60.0, 60.0]);
    network(GraphProto {
        node: vec![
            conv,
            model::node("Relu", &["c"], &["r"]),
            model::node("GlobalAveragePool", &["r"], &["p"]),
            flat,
            model::node("Mul", &["f", "g"], &["y"]),
        ],
        initializer: vec![weight, gain],
        input: vec![model::floats("x", &[1, 1, side, side])],
        output: vec![model::floats("y", &[])],
        ..Default::default()
    })
}

/// The meter's random numbers, in its order: eighths, angles, small steps, whole steps.
struct Draws {
    eighths: Vec<[f64; 2]>,
    angles: Vec<f64>,
    small: Vec<f64>,
    steps: Vec<[i64; 2]>,
}

fn draws(rng: &mut ChaCha8Rng, count: usize) -> Draws {
    let eighths = (0..count).map(|_| [0.0; 2].map(|_: f64| rng.random_range(-0.125..=0.125))).collect();
    let angles = (0..count).map(|_| rng.random_range(-PI..=PI)).collect();
    let small = (0..count).map(|_| rng.random_range(-1.0..=1.0)).collect();
    let steps = (0..count).map(|_| [0; 2].map(|_: i32| rng.random_range(0..=7))).collect();
    Draws { eighths, angles, small, steps }
}

#[test]
fn equivariance_is_pooled_before_the_logarithm() {
    let side = 40;
    let network = image_network(side);
    let options = MetricsOptions { draws: 3, seed: 11, ..MetricsOptions::default() };
    let mut meter = MetricsMeter::new(&network, options).unwrap();
    let f = |x: &Tensor| network.forward(&x.unsqueeze(0)).unwrap().squeeze_dim(0);
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut sums = [(0.0, 0.0); 3];
    for seed in 0..2 {
        let x = tensor(&random(side as usize, side as usize, 20 + seed));
        meter.measure(&x, None).unwrap();
        let drawn = draws(&mut rng, 3);
        let y = f(&x);
        for (t, angle) in drawn.eighths.iter().zip(&drawn.angles) {
            let pixels = t.map(|t| t * side as f64);
            let whole = pixels.map(|t| t.round() as i64);
            let (wanted_0, mask_0) = shift_whole(&y, whole).unwrap();
            let (wanted_1, mask_1) = shift_lanczos(&y, pixels).unwrap();
            let (wanted_2, inner) = rotate(&y, *angle).unwrap();
            let (seen_2, outer) = rotation_band(&f(&rotate(&x, *angle).unwrap().0), *angle).unwrap();
            let seen = [f(&shift_whole(&x, whole).unwrap().0), f(&shift_lanczos(&x, pixels).unwrap().0), seen_2];
            let wanted = [wanted_0, wanted_1, wanted_2];
            let masks = [mask_0, mask_1, inner * outer];
            for (sum, ((seen, wanted), mask)) in sums.iter_mut().zip(seen.iter().zip(&wanted).zip(&masks)) {
                for j in 0..side as usize {
                    for i in 0..side as usize {
                        sum.0 += at(mask, j, i) * (at(seen, j, i) - at(wanted, j, i)).powi(2);
                        sum.1 += at(mask, j, i);
                    }
                }
            }
        }
    }
    let (metrics, missing) = meter.results();
    for (metric, (error, count)) in [&metrics.eq_t, &metrics.eq_t_frac, &metrics.eq_r].into_iter().zip(sums) {
        let metric = metric.as_ref().unwrap();
        assert_eq!(metric.pixels, count);
        let mse = metric.mse.value;
        assert!((mse - error / count).abs() < 1e-12 * mse.max(1e-12), "{mse} {}", error / count);
        let db = 20.0 * 2.0_f64.log10() - 10.0 * (error / count).log10();
        assert!((metric.value.unwrap() - db).abs() < 1e-9);
    }
    // A convolution commutes with whole shifts but for the zeros at its edge.
    assert!(metrics.eq_t.unwrap().value.unwrap() > metrics.eq_t_frac.unwrap().value.unwrap());
    assert!(missing.iter().all(|missing| !missing.metric.starts_with("eq_")) && missing.len() == 9);
    assert_eq!(psnr(0.0, 2.0), None);
    assert!((psnr(4.0, 2.0).unwrap() - 0.0).abs() < 1e-12);
}

#[test]
fn class_metrics_are_counted_one_image_at_a_time() {
    let side = 16_i64;
    let network = class_network(side);
    let options = MetricsOptions { draws: 6, seed: 5, batch: 4, ..MetricsOptions::default() };
    let mut meter = MetricsMeter::new(&network, options).unwrap();
    let f = |x: &Tensor| -> [f64; 2] {
        let y = network.forward(&x.unsqueeze(0)).unwrap().reshape([-1]);
        let [a, b] = [y.double_value(&[0]), y.double_value(&[1])];
        let p = 1.0 / (1.0 + (b - a).exp());
        [p, 1.0 - p]
    };
    let class = |p: [f64; 2]| usize::from(p[1] > p[0]);
    let square = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2);
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut mse = [0.0; 3];
    let mut invariance = [0.0; 2];
    let mut same = [0.0; 4];
    let images = 8;
    for seed in 0..images {
        let large = tensor(&random(side as usize + MARGIN, side as usize + MARGIN, 40 + seed));
        let x = large.narrow(2, 4, side).narrow(3, 4, side).contiguous();
        meter.measure(&x, Some(&large)).unwrap();
        let drawn = draws(&mut rng, 6);
        let y = f(&x);
        for d in 0..6 {
            let pixels = drawn.eighths[d].map(|t| t * side as f64);
            let moved = [
                shift_whole(&x, pixels.map(|t| t.round() as i64)).unwrap().0,
                shift_lanczos(&x, pixels).unwrap().0,
                rotate(&x, drawn.angles[d]).unwrap().0,
            ];
            for (sum, moved) in mse.iter_mut().zip(&moved) {
                *sum += square(f(moved), y) / 2.0;
            }
            invariance[0] += square(f(&translate(&x, [2.0 * drawn.small[d], 0.0]).unwrap()), y);
            invariance[1] += square(f(&rotate(&x, drawn.small[d] * PI / 16.0).unwrap().0), y);
            let [right, down] = drawn.steps[d];
            let rolled = x.roll([down, right], [2, 3]);
            let between = translate(&x, [right as f64 + 0.5, down as f64 + 0.5]).unwrap();
            let window = large.narrow(2, 4 + down, side).narrow(3, 4 + right, side).contiguous();
            // Half a pixel by six taps about the window's sample, computed at its own place.
            let half = shift_lanczos(&large, [-(right as f64) - 0.5, -(down as f64) - 0.5]).unwrap().0;
            let half = half.narrow(2, 4, side).narrow(3, 4, side).contiguous();
            for (sum, moved) in same.iter_mut().zip([rolled, between, window, half]) {
                *sum += f64::from(u8::from(class(f(&moved)) == class(y)));
            }
        }
    }
    let (metrics, missing) = meter.results();
    let count = (6 * images) as f64;
    let close = |a: &Option<Measure>, b: f64| {
        let a = a.as_ref().unwrap();
        assert!((a.value - b).abs() < 1e-10 * b.abs().max(1e-6), "{a:?} {b}");
        // Every image has as many draws: the mean is that of the images, and the error its standard error.
        let own: Vec<f64> = a.by_image.iter().map(|value| value.unwrap()).collect();
        let mean = own.iter().sum::<f64>() / images as f64;
        let spread: f64 = own.iter().map(|value| (value - mean).powi(2)).sum();
        let sem = (spread / (images - 1) as f64 / images as f64).sqrt();
        assert!(own.len() == images as usize && (mean - a.value).abs() < 1e-12 * mean.max(1e-6), "{a:?}");
        assert!((a.sem.unwrap() - sem).abs() < 1e-10 * sem.max(1e-6), "{a:?} {sem}");
    };
    close(&metrics.mse_eq_t, mse[0] / count);
    close(&metrics.mse_eq_t_frac, mse[1] / count);
    close(&metrics.mse_eq_r, mse[2] / count);
    close(&metrics.sample_invariance_translate_x, invariance[0] / count);
    close(&metrics.sample_invariance_rotate, invariance[1] / count);
    close(&metrics.consistency_integer_circular, same[0] / count);
    close(&metrics.consistency_half_pixel_circular, same[1] / count);
    close(&metrics.consistency_integer_cropped, same[2] / count);
    close(&metrics.consistency_half_pixel_cropped, same[3] / count);
    // Neither all nor none: the counts say something.
    assert!(same.iter().any(|same| *same > 0.0 && *same < count), "{same:?}");
    assert_eq!(missing.len(), 3);
}

/// The released code's own definitions, pixel by pixel: rolls of one axis at a time, bilinear shifts between the outer
/// pixels' centres, mirrored there.
#[test]
fn the_authors_protocol_is_theirs() {
    let side = 16_usize;
    let network = class_network(side as i64);
    let options =
        MetricsOptions { draws: 3, seed: 5, protocol: Protocol::Authors, batch: 2, ..MetricsOptions::default() };
    let mut meter = MetricsMeter::new(&network, options).unwrap();
    let f = |x: &Array2<f64>| -> [f64; 2] {
        let y = network.forward(&tensor(x).unsqueeze(0)).unwrap().reshape([-1]);
        let p = 1.0 / (1.0 + (y.double_value(&[1]) - y.double_value(&[0])).exp());
        [p, 1.0 - p]
    };
    let read = |x: &Array2<f64>, t: f64, across: bool| {
        let last = (side - 1) as f64;
        let mirror = |at: i64| (last - (last - (at as f64).abs()).abs()) as usize;
        Array2::from_shape_fn((side, side), |(j, i)| {
            let at = if across { i } else { j } as f64 + t * last / 2.0;
            let (low, share) = (at.floor() as i64, at - at.floor());
            let of = |at: i64| if across { x[[j, mirror(at)]] } else { x[[mirror(at), i]] };
            (1.0 - share) * of(low) + share * of(low + 1)
        })
    };
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let (mut same, mut change) = ([0.0; 2], [0.0; 2]);
    let images = 6;
    for seed in 0..images {
        let x = random(side, side, 60 + seed);
        meter.measure(&tensor(&x), None).unwrap();
        let y = f(&x);
        for _ in 0..3 {
            let _: [f64; 2] = [0.0; 2].map(|_: f64| rng.random_range(-0.125..=0.125));
        }
        for _ in 0..3 {
            let _: f64 = rng.random_range(-PI..=PI);
        }
        for (axis, same) in same.iter_mut().enumerate() {
            for t in 0..8 {
                let rolled = Array2::from_shape_fn((side, side), |(j, i)| match axis {
                    0 => x[[j, (i + side - t) % side]],
                    _ => x[[(j + side - t) % side, i]],
                });
                let z = f(&rolled);
                *same += f64::from(u8::from((z[1] > z[0]) == (y[1] > y[0])));
            }
        }
        for (axis, change) in change.iter_mut().enumerate() {
            for _ in 0..3 {
                let t = rng.random_range(-2.0..=2.0);
                let moved = read(&x, t, axis == 0);
                let own = shift_mirrored(&tensor(&x), t, axis == 0).unwrap();
                assert!((0..side * side).all(|n| {
                    let (j, i) = (n / side, n % side);
                    (at(&own, j, i) - moved[[j, i]]).abs() < 1e-13
                }));
                let z = f(&moved);
                *change += ((z[0] - y[0]).powi(2) + (z[1] - y[1]).powi(2)) / 2.0;
            }
        }
    }
    let (metrics, missing) = meter.results();
    let found = [
        (metrics.consistency_authors_columns, same[0] / (8 * images) as f64),
        (metrics.consistency_authors_rows, same[1] / (8 * images) as f64),
        (metrics.sample_invariance_authors_x, change[0] / (3 * images) as f64),
        (metrics.sample_invariance_authors_y, change[1] / (3 * images) as f64),
    ];
    for (measure, wanted) in found {
        let measure = measure.unwrap();
        assert!((measure.value - wanted).abs() < 1e-10 * wanted.max(1e-6), "{measure:?} {wanted}");
        assert!(measure.by_image.len() == images as usize && measure.sem.is_some());
    }
    // Ours are not measured then, and a rotation that never rotates is no measure.
    assert!(metrics.consistency_integer_circular.is_none() && metrics.sample_invariance_rotate.is_none());
    let rotation = missing.iter().find(|missing| missing.metric == "sample_invariance_rotate").unwrap();
    assert!(rotation.reason.contains("np.pi // 16"), "{}", rotation.reason);
}

/// Photos among tensors: what the photos allow is their mean, and what is missing is said.
#[test]
fn images_that_do_not_allow_a_measure_are_null_in_it() {
    let network = class_network(16);
    let mut meter = MetricsMeter::new(&network, MetricsOptions { draws: 2, ..MetricsOptions::default() }).unwrap();
    let large = tensor(&random(16 + MARGIN, 16 + MARGIN, 1));
    let x = large.narrow(2, 4, 16).narrow(3, 4, 16).contiguous();
    meter.measure(&x, Some(&large)).unwrap();
    meter.measure(&x, None).unwrap();
    let (metrics, missing) = meter.results();
    let cropped = metrics.consistency_integer_cropped.unwrap();
    assert!(cropped.by_image[0].is_some() && cropped.by_image[1].is_none() && cropped.sem.is_none());
    assert_eq!(Some(cropped.value), cropped.by_image[0]);
    let reason = &missing.iter().find(|m| m.metric == "consistency_integer_cropped").unwrap().reason;
    assert!(reason.starts_with("of 1 images: "), "{reason}");
}

/// The most memory that this process ever held, in bytes.
#[cfg(target_os = "linux")]
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
}

/// Filters of 57 × 57 taps at four samples a pixel: unfolded they would take 300 MB for this image of 1 MB.
#[test]
#[cfg(target_os = "linux")]
fn rotations_take_no_more_memory_than_images() {
    alone("metrics::rotations_take_no_more_memory_than_images", || {
        let x = Tensor::zeros([1, 3, 108, 108], (Kind::Double, Device::Cpu));
        let before = peak();
        let (y, _) = rotate(&x, 0.3).unwrap();
        let _ = rotation_band(&y, 0.3).unwrap();
        assert!(peak() - before < 100 << 20, "{} MiB", (peak() - before) >> 20);
    });
}
