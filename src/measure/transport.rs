//! Images moved and turned for the discrete metrics, with the masks inside which the result says something.
//!
//! Unlike generators these are finite transforms of an image on a plane: zeros lie beyond its edge.

use ndarray::Array2;
use tch::{Device, Kind, Tensor};

use crate::graph::operator::Torch;
use crate::symmetry::{Planes, TURNED_REACH, lanczos3};

/// `x`, `[…, rows, columns]`, moved by whole pixels \[right, down\] filled with zeros; the mask is where old meets new.
///
/// # Errors
/// When libtorch refuses; so for the others.
pub fn shift_whole(x: &Tensor, shift: [i64; 2]) -> Torch<(Tensor, Tensor)> {
    let size = x.size();
    let (rows, columns) = (size[size.len() - 2], size[size.len() - 1]);
    let axis = |n: i64, t: i64| {
        let matrix = Array2::from_shape_fn((n as usize, n as usize), |(i, j)| f64::from(i as i64 - t == j as i64));
        tensor(&matrix, x)
    };
    let y = axis(rows, shift[1])?.f_matmul(&x.f_matmul(&axis(columns, shift[0])?.f_transpose(0, 1)?)?)?;
    let span = |n: i64, t: i64| [t.max(0), n + t.min(0)];
    Ok((y, mask(x, span(rows, shift[1]), span(columns, shift[0]))?))
}

/// The six weights w_k, k = −2 … 3, with which Lanczos's kernel of three lobes moves a signal by a fraction f of a
/// sample: sinc(k − f) sinc((k − f)/3), scaled to the sum 1.
pub fn lanczos_weights(fraction: f64) -> [f64; 6] {
    let weights = [-2.0, -1.0, 0.0, 1.0, 2.0, 3.0].map(|k: f64| lanczos3(k - fraction));
    let sum: f64 = weights.iter().sum();
    weights.map(|w| w / sum)
}

/// `x` moved by any \[right, down\] in pixels: t = i + f per axis, output n is Σ_k w_k x_{n − i − k} (Karras et al.
/// 2021, arXiv 2106.12423, EQ-T_frac); per axis the mask is \[max(i + 3, 0), n + min(i − 2, 0)).
pub fn shift_lanczos(x: &Tensor, shift: [f64; 2]) -> Torch<(Tensor, Tensor)> {
    let size = x.size();
    let (rows, columns) = (size[size.len() - 2], size[size.len() - 1]);
    let axis = |n: i64, t: f64| {
        let whole = t.floor();
        let weights = lanczos_weights(t - whole);
        let matrix = Array2::from_shape_fn((n as usize, n as usize), |(i, j)| {
            let k = i as i64 - whole as i64 - j as i64;
            if (-2..=3).contains(&k) { weights[(k + 2) as usize] } else { 0.0 }
        });
        tensor(&matrix, x)
    };
    let y = axis(rows, shift[1])?.f_matmul(&x.f_matmul(&axis(columns, shift[0])?.f_transpose(0, 1)?)?)?;
    let span = |n: i64, t: f64| {
        let whole = t.floor() as i64;
        let start = (whole + 3).clamp(0, n);
        [start, (n + (whole - 2).min(0)).max(start)]
    };
    Ok((y, mask(x, span(rows, shift[1]), span(columns, shift[0]))?))
}

/// `x` moved along its columns (or rows) by `t` half-widths, as the code released with Gruver et al. 2023 moves images:
/// sample i is the value at i + t·(n − 1)/2, between two samples in proportion, mirrored about the centres of the outer
/// samples.
///
/// # Errors
/// When libtorch refuses.
pub fn shift_mirrored(x: &Tensor, t: f64, columns: bool) -> Torch<Tensor> {
    let axis = if columns { -1 } else { -2 };
    let size = x.size();
    let n = size[(size.len() as i64 + axis) as usize];
    // The mirror's period; one sample alone is everywhere.
    let period = (2 * (n - 1)).max(1);
    let mirrored = |i: i64| {
        let i = i.rem_euclid(period);
        if i < n { i } else { period - i }
    };
    let places = || (0..n).map(|i| i as f64 + t * (n - 1) as f64 / 2.0);
    let take = |beyond: i64| {
        let index: Vec<i64> = places().map(|at| mirrored(at.floor() as i64 + beyond)).collect();
        x.f_index_select(axis, &Tensor::f_from_slice(&index)?.f_to_device(x.device())?)
    };
    let shares: Vec<f64> = places().map(|at| at - at.floor()).collect();
    let shares = Tensor::f_from_slice(&shares)?.f_to_kind(x.kind())?.f_to_device(x.device())?;
    let shares = if columns { shares } else { shares.f_unsqueeze(-1)? };
    take(0)?.f_lerp_tensor(&take(1)?, &shares)
}

/// `x` turned about its centre by [`Planes::turned`]. The mask is where all that the filter reaches lies inside.
///
/// # Errors
/// When libtorch refuses; so for the others.
pub fn rotate(x: &Tensor, angle: f64) -> Torch<(Tensor, Tensor)> {
    let (values, size) = values(x)?;
    let planes = Planes::new(&values, size);
    let y = tensor_of(planes.turned(angle), x)?;
    let [rows, columns] = size.map(|n| n as i64);
    let within = |s: f64, n: i64| s >= TURNED_REACH && s <= (n - 1) as f64 - TURNED_REACH;
    let inside: Vec<f64> = (0..rows * columns)
        .map(|at| planes.source(angle, at / columns, at % columns))
        .map(|[sx, sy]| f64::from(within(sx, columns) && within(sy, rows)))
        .collect();
    let inside =
        Tensor::f_from_slice(&inside)?.f_view([rows, columns])?.f_to_kind(x.kind())?.f_to_device(x.device())?;
    Ok((y, inside))
}

/// `y`, on the turned grid, without what a rotation by `angle` would have lost, by [`Planes::turned_band`].
pub fn rotation_band(y: &Tensor, angle: f64) -> Torch<(Tensor, Tensor)> {
    let (values, size) = values(y)?;
    let (filtered, reach) = Planes::new(&values, size).turned_band(angle);
    let span = |n: usize| {
        let start = reach.min(n);
        [start as i64, n.saturating_sub(reach).max(start) as i64]
    };
    Ok((tensor_of(filtered, y)?, mask(y, span(size[0]), span(size[1]))?))
}

/// The entries of `x`, `[…, rows, columns]`, in double precision, and rows and columns.
fn values(x: &Tensor) -> Torch<(Vec<f64>, [usize; 2])> {
    let size = x.size();
    let [rows, columns] = [size[size.len() - 2], size[size.len() - 1]].map(|n| n as usize);
    let values = Vec::<f64>::try_from(&x.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?.f_reshape([-1])?)?;
    Ok((values, [rows, columns]))
}

/// `[rows, columns, planes]` as a tensor like `like`, `[…, rows, columns]`.
fn tensor_of(made: Vec<f64>, like: &Tensor) -> Torch<Tensor> {
    let size = like.size();
    let (rows, columns) = (size[size.len() - 2], size[size.len() - 1]);
    let count = made.len() as i64 / (rows * columns).max(1);
    let made = Tensor::f_from_slice(&made)?.f_view([rows, columns, count])?.f_movedim_int(-1, 0)?;
    made.f_reshape(&size)?.f_to_kind(like.kind())?.f_to_device(like.device())
}

/// 1 inside, 0 outside: `[rows, columns]`.
fn mask(like: &Tensor, rows: [i64; 2], columns: [i64; 2]) -> Torch<Tensor> {
    let size = like.size();
    let (height, width) = (size[size.len() - 2], size[size.len() - 1]);
    let axis = |n: i64, [start, end]: [i64; 2]| {
        let values: Vec<f64> = (0..n).map(|i| f64::from((start..end).contains(&i))).collect();
        Tensor::f_from_slice(&values)?.f_to_kind(like.kind())?.f_to_device(like.device())
    };
    axis(height, rows)?.f_view([height, 1])?.f_mul(&axis(width, columns)?.f_view([1, width])?)
}

fn tensor(matrix: &Array2<f64>, like: &Tensor) -> Torch<Tensor> {
    let (rows, columns) = matrix.dim();
    let values: Vec<f64> = matrix.iter().copied().collect();
    let tensor = Tensor::f_from_slice(&values)?.f_view([rows as i64, columns as i64])?;
    tensor.f_to_kind(like.kind())?.f_to_device(like.device())
}
