//! Generators on sampled maps against closed forms and each other, and networks whose Lie derivative is known.

use std::f64::consts::PI;

use aliascope::graph::onnx::proto::ModelProto;
use aliascope::graph::{LoadOptions, Network};
use aliascope::measure::action::Action;
use aliascope::measure::lee::{LeeMeter, LeeOptions};
use aliascope::spectrum::differentiation::{Boundary, Scheme};
use aliascope::symmetry::{Generator, Grid, GridKind, MEASURED, Units};
use prost::Message;
use tch::{Device, Kind, Tensor};

use crate::common::onnx::{ints, model, node};
use crate::common::{noise, relative};

const ROWS: usize = 24;
const COLUMNS: usize = 40;
/// The height of the plane over its width.
const ASPECT: f64 = ROWS as f64 / COLUMNS as f64;

fn field(f: impl Fn(f64, f64) -> f64, grid: &Grid) -> Tensor {
    let values: Vec<f64> = grid
        .rows
        .positions()
        .flat_map(|y| grid.columns.positions().map(move |x| (x, y)))
        .map(|(x, y)| f(x, y))
        .collect();
    Tensor::from_slice(&values).view([grid.rows.samples as i64, grid.columns.samples as i64])
}

fn action(grid: &Grid, scheme: Scheme, boundary: Boundary) -> Action {
    Action::new(grid, scheme, boundary, Kind::Double, Device::Cpu).unwrap()
}

/// Every generator of `h` is v·(∂x h, ∂y h) with the exact derivatives.
fn agrees(
    h: fn(f64, f64) -> f64,
    gradient: fn(f64, f64) -> [f64; 2],
    scheme: Scheme,
    boundary: Boundary,
    tolerance: f64,
) {
    let grid = Grid::image(ROWS, COLUMNS, GridKind::Tracked);
    let all = action(&grid, scheme, boundary).all(&field(h, &grid));
    let all = all.unwrap();
    for generator in MEASURED {
        let expected = field(
            |x, y| match generator {
                Generator::Saturate => h(x, y),
                _ => {
                    let ([vx, vy], [hx, hy]) = (generator.field([x, y]), gradient(x, y));
                    vx * hx + vy * hy
                }
            },
            &grid,
        );
        let error = relative(&all.get(generator.index() as i64), &expected);
        assert!(error <= tolerance, "{generator} {scheme} {boundary}: {error:.1e}");
    }
}

#[test]
fn generators_of_waves_are_exact() {
    // The plane is 2 half-widths wide and 2·ASPECT high: harmonics of these periods, within the band of the grid. Sums of 40
    // terms in f64.
    let wave = |x: f64, y: f64| (PI * (3.0 * x + 2.0 * y / ASPECT)).sin() + 0.3 * (PI * 5.0 * y / ASPECT).cos();
    let gradient = |x: f64, y: f64| {
        let phase = PI * (3.0 * x + 2.0 * y / ASPECT);
        let along_y = 2.0 * PI * phase.cos() - 0.3 * 5.0 * PI * (PI * 5.0 * y / ASPECT).sin();
        [3.0 * PI * phase.cos(), along_y / ASPECT]
    };
    agrees(wave, gradient, Scheme::Spectral, Boundary::Periodic, 1e-12);

    // Cosines about the image's edges are even there: what the reflected derivative is exact for.
    let even = |x: f64, y: f64| (PI * 4.0 * (x + 1.0) / 2.0).cos() * (PI * 3.0 * (y / ASPECT + 1.0) / 2.0).cos();
    let gradient = |x: f64, y: f64| {
        let (a, b) = (PI * 4.0 * (x + 1.0) / 2.0, PI * 3.0 * (y / ASPECT + 1.0) / 2.0);
        [-2.0 * PI * a.sin() * b.cos(), -1.5 * PI * a.cos() * b.sin() / ASPECT]
    };
    agrees(even, gradient, Scheme::Spectral, Boundary::Reflect, 1e-12);
}

#[test]
fn differences_of_polynomials_are_exact_inside() {
    // Central differences are exact for x² and y², forward ones for x and y; edges see the mirror, so they are left out.
    let grid = Grid::image(ROWS, COLUMNS, GridKind::Tracked);
    let inside = |t: &Tensor| t.narrow(0, 1, ROWS as i64 - 2).narrow(1, 1, COLUMNS as i64 - 2);
    let h = field(|x, y| x * x - 2.0 * y * y, &grid);
    let central = action(&grid, Scheme::Central, Boundary::Reflect).all(&h).unwrap();
    let rotated = central.get(Generator::ShearX.index() as i64) - central.get(Generator::ShearY.index() as i64);
    let expected = field(|x, y| y * 2.0 * x - x * -4.0 * y, &grid);
    assert!(relative(&inside(&rotated), &inside(&expected)) <= 1e-12);

    let plane = field(|x, y| 3.0 * x - y, &grid);
    let forward = action(&grid, Scheme::Forward, Boundary::Reflect).all(&plane).unwrap();
    let along = forward.get(Generator::TranslateX.index() as i64);
    assert!(relative(&inside(&along), &inside(&field(|_, _| 3.0, &grid))) <= 1e-12);
}

fn network(nodes: Vec<aliascope::graph::onnx::proto::NodeProto>, rows: i64, columns: i64) -> Network {
    let model: ModelProto = model(&[Some(1), Some(2), Some(rows), Some(columns)], nodes, vec![]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, model.encode_to_vec()).unwrap();
    Network::load(&path, &LoadOptions { kind: Kind::Double, ..Default::default() }).unwrap()
}

fn noisy(network: &Network) -> Tensor {
    let shape = [&[1], network.input().shape.as_slice()].concat();
    Tensor::from_slice(&noise(shape.iter().product::<i64>() as u32)).to_kind(Kind::Double).view(shape.as_slice())
}

#[test]
fn what_commutes_has_no_lie_derivative() {
    // Linear maps that mix nothing in space commute with every generator, whatever the scheme, grid and units.
    let network = network(vec![node("Neg", &["x"], "y")], 12, 20);
    for scheme in Scheme::ALL {
        for grid in GridKind::ALL {
            for units in Units::ALL {
                let options = LeeOptions { scheme, grid, units, ..Default::default() };
                let mut meter = LeeMeter::new(&network, options).unwrap();
                let lie = meter.lie_derivatives(&noisy(&network)).unwrap();
                let size = meter.input_tangents(&noisy(&network)).unwrap().abs().max().double_value(&[]);
                assert!(lie.abs().max().double_value(&[]) <= 1e-13 * size, "{scheme} {grid} {units}");
            }
        }
    }
}

#[test]
fn flattened_images_are_vectors_that_nothing_moves() {
    // y = x as a vector: A f = 0, so L = A x, and LEE is the input's own energy.
    let network = network(vec![node("Flatten", &["x"], "y")], 12, 20);
    let mut meter = LeeMeter::new(
        &network,
        LeeOptions { output: Some(aliascope::measure::lee::Output::Identity), ..Default::default() },
    )
    .unwrap();
    meter.measure(&noisy(&network), &["noise".to_owned()]).unwrap();
    for (name, result) in meter.results() {
        let relative = result.relative.unwrap();
        // The same number on both sides, once through the network; rotation and the other combinations too.
        assert!((relative - 1.0).abs() <= 1e-12, "{name}: {relative}");
    }
}

#[test]
fn a_strided_identity_errs_by_the_derivative_it_cannot_see() {
    // Every second sample of x: L = (A x)[::2] − A(x[::2]), computed here from the two actions.
    let mut slice = node("MaxPool", &["x"], "y");
    slice.attribute = vec![ints("kernel_shape", &[1, 1]), ints("strides", &[2, 2])];
    let network = network(vec![slice], 12, 20);
    let mut meter = LeeMeter::new(&network, LeeOptions::default()).unwrap();
    let x = noisy(&network);
    let lie = meter.lie_derivatives(&x).unwrap();

    let fine = Grid::image(12, 20, GridKind::Tracked);
    // Six rows and ten columns cover the plane: the output is an image of its own.
    let coarse = Grid::image(6, 10, GridKind::Tracked);
    let every_second = |t: &Tensor| t.slice(-1, 0, None, 2).slice(-2, 0, None, 2);
    let moved = every_second(&action(&fine, Scheme::Spectral, Boundary::Reflect).all(&x).unwrap());
    let expected = moved - action(&coarse, Scheme::Spectral, Boundary::Reflect).all(&every_second(&x)).unwrap();
    assert!(relative(&lie, &expected) <= 1e-12);
}

/// A rotation rotates on an image of any shape: what is radially symmetric in pixels does not change.
#[test]
fn a_disc_in_a_wide_image_does_not_turn() {
    for kind in GridKind::ALL {
        let grid = Grid::image(48, 96, kind);
        let pixel = grid.columns.pitch;
        let disc = field(|x, y| (-(x * x + y * y) / (2.0 * (3.0 * pixel).powi(2))).exp(), &grid);
        let action = action(&grid, Scheme::Spectral, Boundary::Reflect);
        let along = |name: &str| action.along(&name.parse().unwrap(), &disc).unwrap().abs().max().double_value(&[]);
        // Of a Gaussian of 3 pixels e^(−(3π)²/2) = 5·10⁻²⁰ is above the band; rounding of sums over 96 samples.
        assert!(along("rotate") < 1e-12 * along("shear_x"), "{kind}: {}", along("rotate"));
        assert!(along("hyperbolic") > 0.1 * along("shear_x"));
    }
}

/// The second moment about the image's centre is invariant to rotation alone.
#[test]
fn a_moment_of_a_wide_image_is_invariant_to_rotation() {
    let (rows, columns) = (40, 64);
    let square = |i: i64, n: i64| (i as f64 + 0.5 - n as f64 / 2.0).powi(2);
    let weights: Vec<f64> =
        (0..rows * columns).map(|at| square(at / columns, rows) + square(at % columns, columns)).collect();
    let plane = [1, 1, rows, columns];
    let nodes = vec![node("Mul", &["x", "w"], "weighed"), node("ReduceSum", &["weighed"], "y")];
    let model = model(&plane.map(Some), nodes, vec![crate::common::model::doubles("w", &plane, &weights)]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("moment.onnx");
    std::fs::write(&path, model.encode_to_vec()).unwrap();
    let network = Network::load(&path, &LoadOptions { kind: Kind::Double, ..Default::default() }).unwrap();
    // A blob off the centre, longer than wide, of which 10⁻¹² reaches the edges and the Nyquist frequency.
    let grid = Grid::image(rows as usize, columns as usize, GridKind::Tracked);
    let blob = |x: f64, y: f64| (-((x - 0.1) / 0.14).powi(2) - ((y + 0.06) / 0.11).powi(2)).exp();
    let x = field(blob, &grid).view([1, 1, 1, rows, columns]);
    let mut meter = LeeMeter::new(&network, LeeOptions::default()).unwrap();
    let lie: Vec<f64> = Vec::try_from(&meter.lie_derivatives(&x).unwrap().reshape([-1])).unwrap();
    let shears = [Generator::ShearX, Generator::ShearY].map(|generator| lie[generator.index()]);
    assert!((shears[0] - shears[1]).abs() < 1e-9 * shears[0].abs(), "{shears:?}");
}

#[test]
fn pixels_are_half_widths_times_the_pitch() {
    let network = network(vec![node("Flatten", &["x"], "y")], 10, 20);
    let x = noisy(&network);
    let at = |units| {
        LeeMeter::new(&network, LeeOptions { units, ..Default::default() }).unwrap().lie_derivatives(&x).unwrap()
    };
    let (half_widths, pixels) = (at(Units::HalfWidth), at(Units::Pixel));
    // t pixels are 2/20 half-widths across and down. What is linear in the position has no unit.
    let factors = [2.0 / 20.0, 2.0 / 20.0, 1.0, 1.0, 1.0, 1.0, 1.0];
    for (generator, factor) in MEASURED.into_iter().zip(factors) {
        let i = generator.index() as i64;
        let error = relative(&pixels.get(i), &(half_widths.get(i) * factor));
        assert!(error <= 1e-12, "{generator}: {error:.1e}");
    }
}

#[test]
fn lie_derivatives_of_a_network_are_linear_in_the_generator() {
    // Through all of a pretrained network: the sweep of y∂x h − x∂y h and of other sums, formed from the two slopes at
    // the pixels' own positions, beside the same sums of the seven measured Lie derivatives.
    let options = LoadOptions { kind: Kind::Double, ..Default::default() };
    let network = Network::load(&crate::common::asset("models/efficientnet-lite0.onnx"), &options).unwrap();
    let x = noisy(&network);
    let options = LeeOptions { output: Some(aliascope::measure::lee::Output::Logits), ..Default::default() };
    let lie = LeeMeter::new(&network, options).unwrap().lie_derivatives(&x).unwrap();

    let grid = Grid::image(224, 224, GridKind::Tracked);
    let all = action(&grid, Scheme::Spectral, Boundary::Reflect).all(&x).unwrap();
    let (by_x, by_y) = (all.get(Generator::TranslateX.index() as i64), all.get(Generator::TranslateY.index() as i64));
    let (px, py) = (field(|x, _| x, &grid), field(|_, y| y, &grid));
    let tangents = [
        ("rotate", &py * &by_x - &px * &by_y),
        ("hyperbolic", &py * &by_x + &px * &by_y),
        ("scale", &px * &by_x + &py * &by_y),
        ("2.5*translate_y-0.75*stretch_x+0.5*saturate", &by_y * 2.5 - &px * &by_x * 0.75 + &x * 0.5),
    ];
    // All in one sweep; that tangents do not mix is another test's matter.
    let stacked = Tensor::stack(&tangents.iter().map(|(_, tangent)| tangent).collect::<Vec<_>>(), 0);
    let swept = network.sweep(&x, &stacked).unwrap().tangent;
    for (at, (name, _)) in tangents.iter().enumerate() {
        let combination: aliascope::symmetry::Combination = name.parse().unwrap();
        let coefficients = Tensor::from_slice(&combination.coefficients()[..]).view([1, 7]);
        let expected = coefficients.matmul(&lie.reshape([7, -1]));
        // Rounding of some sixty layers in double precision.
        let error = relative(&swept.get(at as i64), &expected);
        assert!(error <= 1e-12, "{name}: {error:.1e}");
    }
}
