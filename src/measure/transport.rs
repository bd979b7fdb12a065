//! Images moved and turned for the discrete metrics, with the masks inside which the result says something.
//!
//! Unlike generators these are finite transforms of an image on a plane: zeros lie beyond its edge.

use std::f64::consts::PI;

use ndarray::Array2;
use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use crate::graph::operator::Torch;

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

/// How far the rotation's filter reaches: three pixels along the axes, and three along those turned by any angle.
pub const REACH: f64 = 3.0 + 3.0 * std::f64::consts::SQRT_2;
/// Fine samples per pixel.
const UP: i64 = 4;

/// The filter of a rotation at `UP` samples per pixel, `[2·reach + 1, the same]`, of the sum `UP`²: Lanczos's kernel
/// along the input's axes, convolved with the same along the output's, so that what neither grid holds is gone.
pub fn rotation_filter(angle: f64) -> Array2<f64> {
    let up = UP as f64;
    let straight = 3 * UP - 1;
    let turned = (3.0 * std::f64::consts::SQRT_2 * up).ceil() as i64;
    let (sin, cos) = angle.sin_cos();
    let kernel: Vec<f64> = (-straight..=straight).map(|q| lanczos3(q as f64 / up)).collect();
    let side = (2 * turned + 1) as usize;
    let rotated = Array2::from_shape_fn((side, side), |(j, i)| {
        let (x, y) = ((i as i64 - turned) as f64 / up, (j as i64 - turned) as f64 / up);
        lanczos3(cos * x - sin * y) * lanczos3(sin * x + cos * y)
    });
    // The first factor separates: along rows, then along columns.
    let convolve = |of: &Array2<f64>| {
        let (rows, columns) = of.dim();
        let wide = columns + kernel.len() - 1;
        let mut sum = Array2::zeros((wide, rows));
        for ((j, i), value) in of.indexed_iter() {
            for (t, w) in kernel.iter().enumerate() {
                sum[[i + t, j]] += value * w;
            }
        }
        // Transposed, so that a second call does the other axis and puts both back.
        sum
    };
    let filter = convolve(&convolve(&rotated));
    let total = filter.sum();
    filter * (up * up / total)
}

/// `x` turned about its centre: y(p) = x(R p), R p = (cos α p_x + sin α p_y, −sin α p_x + cos α p_y), as the generator
/// `rotate` does it at α = 0. Upsampled by 4 with [`rotation_filter`], then looked up between four fine samples (after
/// Karras et al. 2021, EQ-R). The mask is where all that the filter reaches lies inside.
///
/// No finer map is made: each output pixel sums the pixels around its place with the weights that filter and look-up
/// have together, so that the memory is that of the images.
pub fn rotate(x: &Tensor, angle: f64) -> Torch<(Tensor, Tensor)> {
    let filter = rotation_filter(angle);
    let half = (filter.nrows() as i64 - 1) / 2;
    // A frame of zeros, so that both neighbours of a place between two taps are there.
    let side = filter.nrows() as i64 + 2;
    let mut taps = vec![0.0; (side * side) as usize];
    for ((j, i), w) in filter.indexed_iter() {
        taps[(j + 1) * side as usize + i + 1] = *w;
    }
    let tap = |y: i64, x: i64| {
        if (-1..side - 1).contains(&y) && (-1..side - 1).contains(&x) {
            taps[((y + 1) * side + x + 1) as usize]
        } else {
            0.0
        }
    };
    let size = x.size();
    let (rows, columns) = (size[size.len() - 2], size[size.len() - 1]);
    let (sin, cos) = angle.sin_cos();
    let (cy, cx) = ((rows - 1) as f64 / 2.0, (columns - 1) as f64 / 2.0);
    let source = |j: i64, i: i64| {
        let (px, py) = (i as f64 - cx, j as f64 - cy);
        (cos * px + sin * py + cx, -sin * px + cos * py + cy)
    };
    // Fine sample m has tap m − UP·p + half of pixel p; these are the pixels that fine samples m and m + 1 read.
    let pixels = |m: i64, n: i64| {
        let (first, last) = (-(half - m).div_euclid(UP), (m + 1 + half).div_euclid(UP));
        first.clamp(0, n)..(last + 1).clamp(0, n)
    };
    let y = by_pixel(x, |planes, j, i, out| {
        let (sx, sy) = source(j, i);
        let (fx, fy) = (sx * UP as f64, sy * UP as f64);
        let (x0, y0) = (fx.floor(), fy.floor());
        let (right, down) = (fx - x0, fy - y0);
        let (x0, y0) = (x0 as i64, y0 as i64);
        for row in pixels(y0, rows) {
            let ty = y0 - UP * row + half;
            for column in pixels(x0, columns) {
                let tx = x0 - UP * column + half;
                let above = (1.0 - right) * tap(ty, tx) + right * tap(ty, tx + 1);
                let below = (1.0 - right) * tap(ty + 1, tx) + right * tap(ty + 1, tx + 1);
                let weight = (1.0 - down) * above + down * below;
                let at = (row * columns + column) as usize;
                for (sum, plane) in out.iter_mut().zip(planes) {
                    *sum += weight * plane[at];
                }
            }
        }
    })?;
    let within = |s: f64, n: i64| s >= REACH && s <= (n - 1) as f64 - REACH;
    let inside: Vec<f64> = (0..rows * columns)
        .map(|at| source(at / columns, at % columns))
        .map(|(sx, sy)| f64::from(within(sx, columns) && within(sy, rows)))
        .collect();
    let inside =
        Tensor::f_from_slice(&inside)?.f_view([rows, columns])?.f_to_kind(x.kind())?.f_to_device(x.device())?;
    Ok((y, inside))
}

/// `y`, on the turned grid, without what a rotation by `angle` would have lost: the same filter, no rotation.
pub fn rotation_band(y: &Tensor, angle: f64) -> Torch<(Tensor, Tensor)> {
    let size = y.size();
    let (rows, columns) = (size[size.len() - 2], size[size.len() - 1]);
    // Seen from the turned grid it is the other one that is turned, the other way.
    let fine = rotation_filter(-angle);
    let middle = (fine.nrows() / 2) as i64;
    let reach = middle / UP;
    let side = (2 * reach + 1) as usize;
    let at = |i: usize| (middle + (i as i64 - reach) * UP) as usize;
    let mut filter = Array2::from_shape_fn((side, side), |(j, i)| fine[[at(j), at(i)]]);
    let sum = filter.sum();
    filter /= sum;
    let near = |at: i64, n: i64| (at - reach).max(0)..(at + reach + 1).min(n);
    let filtered = by_pixel(y, |planes, j, i, out| {
        for row in near(j, rows) {
            for column in near(i, columns) {
                let weight = filter[[(row - j + reach) as usize, (column - i + reach) as usize]];
                let at = (row * columns + column) as usize;
                for (sum, plane) in out.iter_mut().zip(planes) {
                    *sum += weight * plane[at];
                }
            }
        }
    })?;
    let span = |n: i64| {
        let start = reach.min(n);
        [start, (n - reach).max(start)]
    };
    Ok((filtered, mask(y, span(rows), span(columns))?))
}

/// A map like `x`, `[…, rows, columns]`, pixel by pixel: `make` is given all planes of `x`, row and column, and adds to
/// the pixel's value in each plane. In double precision, rows side by side on all cores.
fn by_pixel(x: &Tensor, make: impl Fn(&[&[f64]], i64, i64, &mut [f64]) + Sync) -> Torch<Tensor> {
    let size = x.size();
    let (rows, columns) = (size[size.len() - 2], size[size.len() - 1]);
    let values = Vec::<f64>::try_from(&x.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?.f_reshape([-1])?)?;
    let entries = (rows * columns) as usize;
    let planes: Vec<&[f64]> = values.chunks(entries.max(1)).collect();
    // [row][column][plane], so that a row is one piece of work.
    let mut made = vec![0.0; values.len()];
    let count = planes.len();
    made.par_chunks_mut((columns as usize * count).max(1)).enumerate().for_each(|(j, row)| {
        for (i, out) in row.chunks_mut(count).enumerate() {
            make(&planes, j as i64, i as i64, out);
        }
    });
    let made = Tensor::f_from_slice(&made)?.f_view([rows, columns, count as i64])?.f_movedim_int(-1, 0)?;
    made.f_reshape(&size)?.f_to_kind(x.kind())?.f_to_device(x.device())
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

/// sinc(x) sinc(x/3) for |x| < 3.
fn lanczos3(x: f64) -> f64 {
    let sinc = |x: f64| if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) };
    if x.abs() < 3.0 { sinc(x) * sinc(x / 3.0) } else { 0.0 }
}
