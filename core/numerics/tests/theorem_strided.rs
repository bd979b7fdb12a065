//! Promise: on sampled real fields of several channels the theorem predicts the defect of any strided layer, sample by
//! sample.

use aliascope_numerics::spectrum::convolution::{ConvolutionShape, average_pool_weights, convolve};
use aliascope_numerics::spectrum::strided::{
    Forms, StridedError, mean_square, measured_strided_defect, strided_defect,
};
use aliascope_numerics::spectrum::{GridSize, HalfSpectrum, Velocity};
use ndarray::{Array3, Array4};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// The convolution of a network with circular padding, as a sum over taps.
fn convolution(x: &Array3<f64>, w: &Array4<f64>, stride: GridSize, shape: ConvolutionShape) -> Array3<f64> {
    let (_, rows, columns) = x.dim();
    let (outputs, inputs, kernel_rows, kernel_columns) = w.dim();
    let wrapped = |i: usize, tap: usize, dilation: usize, padding: usize, n: usize| {
        (i as i64 + (tap * dilation) as i64 - padding as i64).rem_euclid(n as i64) as usize
    };
    Array3::from_shape_fn((outputs, rows / stride.y, columns / stride.x), |(o, j, i)| {
        let group = o / (outputs / shape.groups);
        let mut sum = 0.0;
        for c in 0..inputs {
            for ty in 0..kernel_rows {
                for tx in 0..kernel_columns {
                    let y = wrapped(j * stride.y, ty, shape.dilation[1], shape.padding[1], rows);
                    let x_ = wrapped(i * stride.x, tx, shape.dilation[0], shape.padding[0], columns);
                    sum += w[[o, c, ty, tx]] * x[[group * inputs + c, y, x_]];
                }
            }
        }
        sum
    })
}

fn slope(x: &Array3<f64>, velocity: Velocity) -> Array3<f64> {
    HalfSpectrum::from_samples(x.view()).unwrap().differentiate(velocity).into_samples().unwrap()
}

#[derive(Clone, Debug)]
struct Layer {
    input: Array3<f64>,
    weights: Array4<f64>,
    stride: GridSize,
    shape: ConvolutionShape,
    velocity: Velocity,
}

prop_compose! {
    fn layers()(
        coarse in (1..7_usize, 1..7_usize), stride in (1..4_usize, 1..4_usize), kernel in (1..6_usize, 1..6_usize),
        channels in (1..3_usize, 1..3_usize, 1..3_usize), dilation in (1..3_usize, 1..3_usize),
        padding in (0..4_usize, 0..4_usize), velocity in (-1.0..1.0_f64, -1.0..1.0_f64), seed: u64,
    ) -> Layer {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (groups, inputs, outputs) = channels;
        Layer {
            input: Array3::from_shape_simple_fn(
                (groups * inputs, coarse.1 * stride.1, coarse.0 * stride.0), || rng.random_range(-1.0..1.0)),
            weights: Array4::from_shape_simple_fn(
                (groups * outputs, inputs, kernel.1, kernel.0), || rng.random_range(-1.0..1.0)),
            stride: GridSize::new(stride.0, stride.1),
            shape: ConvolutionShape {
                groups, dilation: [dilation.0, dilation.1], padding: [padding.0, padding.1],
            },
            velocity: Velocity::new(velocity.0, velocity.1),
        }
    }
}

proptest! {
    #![proptest_config(config(1000))]

    #[test]
    fn predicted_and_measured_defects_agree_sample_by_sample(layer in layers()) {
        let Layer { input, weights, stride, shape, velocity } = layer;
        // Measured as theory says a layer's defect is: the layer applied to the moving input, less its output moving.
        let op = |x: &Array3<f64>| convolution(x, &weights, stride, shape);
        let measured = op(&slope(&input, velocity)) - slope(&op(&input), velocity);

        let filtered = convolve(&HalfSpectrum::from_samples(input.view()).unwrap(), weights.view(), shape).unwrap();
        let predicted = strided_defect(&filtered, stride, velocity).unwrap();
        let samples = predicted.spectrum.clone().into_samples().unwrap();
        // Slopes are up to 2π·9·√2, sums of up to 50 taps of size 1: 4e3 · 2e-16 · a few.
        prop_assert!(measured.iter().zip(&samples).all(|(a, b)| (a - b).abs() < 1e-11), "{measured} {samples}");
        for (channel, forms) in predicted.forms.iter().enumerate() {
            let energy = mean_square(measured.view())[channel];
            // The same rounding, squared against the largest energy of 1e4.
            prop_assert!((forms.exact - energy).abs() <= 1e-12 * energy + 1e-20 + 1e-11 * energy.sqrt());
        }
    }

    #[test]
    fn plain_striding_is_measured_as_it_is_predicted(layer in layers()) {
        let Layer { input, stride, velocity, .. } = layer;
        let measured = measured_strided_defect(input.view(), stride, velocity).unwrap();
        let spectrum = HalfSpectrum::from_samples(input.view()).unwrap();
        let predicted = strided_defect(&spectrum, stride, velocity).unwrap().spectrum.into_samples().unwrap();
        prop_assert!(measured.iter().zip(&predicted).all(|(a, b)| (a - b).abs() < 1e-12 * 100.0));
    }
}

#[test]
fn diagonal_is_the_mean_over_circular_shifts_and_paper_over_a_reflection_too() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let velocity = Velocity::new(0.8, 0.6);
    // Odd, even, and mixed grids.
    for (rows, columns, stride) in
        [(9, 15, GridSize::square(3)), (8, 12, GridSize::new(2, 4)), (6, 9, GridSize::new(3, 2))]
    {
        let field = Array3::from_shape_simple_fn((1, rows, columns), || rng.random_range(-1.0..1.0));
        let forms = |field: &Array3<f64>| {
            let spectrum = HalfSpectrum::from_samples(field.view()).unwrap();
            strided_defect(&spectrum, stride, velocity).unwrap().forms[0]
        };
        let mean_over_shifts = |field: &Array3<f64>| {
            let shifted = |dy: usize, dx: usize| {
                Array3::from_shape_fn(field.dim(), |(_, y, x)| field[[0, (y + dy) % rows, (x + dx) % columns]])
            };
            (0..rows * columns).map(|k| forms(&shifted(k / columns, k % columns)).exact).sum::<f64>()
                / (rows * columns) as f64
        };
        let mirrored = Array3::from_shape_fn(field.dim(), |(_, y, x)| field[[0, y, columns - 1 - x]]);
        let (mean, mirrored_mean) = (mean_over_shifts(&field), mean_over_shifts(&mirrored));
        let Forms { diagonal, paper, .. } = forms(&field);
        // Means of a hundred sums of a hundred terms, in f64.
        assert!((mean / diagonal - 1.0).abs() < 1e-12);
        assert!(((mean + mirrored_mean) / 2.0 / paper - 1.0).abs() < 1e-12);
        assert!((mean / paper - 1.0).abs() > 1e-3, "the cross term must matter here");
    }
}

#[test]
fn average_pooling_is_a_convolution() {
    let field = Array3::from_shape_fn((2, 4, 6), |(c, y, x)| (c * 24 + y * 6 + x) as f64);
    let shape = ConvolutionShape { groups: 2, ..ConvolutionShape::default() };
    let pooled =
        convolve(&HalfSpectrum::from_samples(field.view()).unwrap(), average_pool_weights(2, [2, 2]).view(), shape)
            .unwrap()
            .fold(GridSize::square(2))
            .unwrap()
            .into_samples()
            .unwrap();
    let expected = Array3::from_shape_fn((2, 2, 3), |(c, y, x)| {
        let corner = (c * 24 + 2 * y * 6 + 2 * x) as f64;
        corner + (1.0 + 6.0 + 7.0) / 4.0
    });
    // Values up to 50 in f64.
    assert!(pooled.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-13));
}

#[test]
fn a_stride_that_does_not_divide_is_refused() {
    let field = Array3::zeros((1, 6, 6));
    let velocity = Velocity::new(1.0, 0.0);
    for stride in [GridSize::square(4), GridSize::new(0, 2)] {
        assert!(matches!(
            measured_strided_defect(field.view(), stride, velocity),
            Err(StridedError::Indivisible { .. })
        ));
        let spectrum = HalfSpectrum::from_samples(field.view()).unwrap();
        assert!(strided_defect(&spectrum, stride, velocity).is_err());
        assert!(spectrum.fold(stride).is_none());
    }
}
