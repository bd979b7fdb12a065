//! Images moved and turned for the discrete metrics, with the masks inside which the result says something.
//!
//! Unlike generators these are finite transforms of an image on a plane: zeros lie beyond its edge.

use std::f64::consts::PI;

use ndarray::Array2;
use tch::{Kind, Tensor};

use crate::graph::operator::Torch;

/// `x`, `[…, rows, columns]`, moved by whole pixels \[right, down\] with zeros behind it; the mask is where old meets new.
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

/// The six weights w_k, k = −2 … 3, with which Lanczos's kernel of three lobes moves a signal by a fraction f of a sample:
/// sinc(k − f) sinc((k − f)/3), scaled to the sum 1.
pub fn lanczos_weights(fraction: f64) -> [f64; 6] {
    let weights = [-2.0, -1.0, 0.0, 1.0, 2.0, 3.0].map(|k: f64| lanczos3(k - fraction));
    let sum: f64 = weights.iter().sum();
    weights.map(|w| w / sum)
}

/// `x` moved by any \[right, down\] in pixels: t = i + f per axis, output n is Σ_k w_k x_{n − i − k} (Karras et al. 2021,
/// arXiv 2106.12423, EQ-T_frac); per axis the mask is \[max(i + 3, 0), n + min(i − 2, 0)).
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

/// How far the rotation's filter reaches: three pixels along the axes, and three along those turned by any angle.
pub const REACH: f64 = 3.0 + 3.0 * std::f64::consts::SQRT_2;
/// Fine samples per pixel.
const UP: i64 = 4;

/// The filter of a rotation at `UP` samples per pixel, `[2·reach + 1, the same]`, of the sum `UP`²: Lanczos's kernel along
/// the input's axes, convolved with the same along the output's, so that what neither grid holds is gone.
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
pub fn rotate(x: &Tensor, angle: f64) -> Torch<(Tensor, Tensor)> {
    let size = x.size();
    let (rows, columns) = (size[size.len() - 2], size[size.len() - 1]);
    let filter = rotation_filter(angle);
    let taps = filter.nrows() as i64;
    let weight = tensor(&filter, x)?.f_view([1, 1, taps, taps])?;
    let planes = x.f_reshape([-1, 1, rows, columns])?;
    // Fine sample UP·j + t − (taps − 1)/2 gets tap t of pixel j; those between the first and the last pixel are kept, and
    // a frame of the filter's width around them.
    let fine = planes.f_conv_transpose2d(&weight, None::<&Tensor>, [UP, UP], [0, 0], [0, 0], 1, [1, 1])?;
    let frame = (taps - 1) / 2;
    let (sin, cos) = angle.sin_cos();
    let (cy, cx) = ((rows - 1) as f64 / 2.0, (columns - 1) as f64 / 2.0);
    let (height, width) = (fine.size()[2], fine.size()[3]);
    let (mut index, mut weights) = (Vec::new(), Vec::new());
    let mut inside = Vec::new();
    for j in 0..rows {
        for i in 0..columns {
            let (px, py) = (i as f64 - cx, j as f64 - cy);
            let (sx, sy) = (cos * px + sin * py + cx, -sin * px + cos * py + cy);
            let within = |s: f64, n: i64| s >= REACH && s <= (n - 1) as f64 - REACH;
            inside.push(f64::from(within(sx, columns) && within(sy, rows)));
            let (fx, fy) = (sx * UP as f64 + frame as f64, sy * UP as f64 + frame as f64);
            let (x0, y0) = (fx.floor(), fy.floor());
            for (dy, dx) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let (x, y) = (x0 as i64 + dx, y0 as i64 + dy);
                let share = |f: f64, d: i64| if d == 0 { 1.0 - f } else { f };
                let here = (0..width).contains(&x) && (0..height).contains(&y);
                index.push(if here { y * width + x } else { 0 });
                weights.push(if here { share(fx - x0, dx) * share(fy - y0, dy) } else { 0.0 });
            }
        }
    }
    let index = Tensor::f_from_slice(&index)?.f_to_device(x.device())?;
    let weights = Tensor::f_from_slice(&weights)?.f_to_kind(x.kind())?.f_to_device(x.device())?;
    let found = fine.f_flatten(1, 3)?.f_index_select(1, &index)?.f_mul(&weights)?;
    let y = found.f_view([-1, rows * columns, 4])?.f_sum_dim_intlist([-1].as_slice(), false, None::<Kind>)?;
    let inside =
        Tensor::f_from_slice(&inside)?.f_view([rows, columns])?.f_to_kind(x.kind())?.f_to_device(x.device())?;
    Ok((y.f_reshape(&size)?, inside))
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
    let side = side as i64;
    let weight = tensor(&filter, y)?.f_view([1, 1, side, side])?;
    let planes = y.f_reshape([-1, 1, rows, columns])?;
    let filtered = planes.f_conv2d(&weight, None::<&Tensor>, [1, 1], [reach, reach], [1, 1], 1)?;
    let span = |n: i64| {
        let start = reach.min(n);
        [start, (n - reach).max(start)]
    };
    Ok((filtered.f_reshape(&size)?, mask(y, span(rows), span(columns))?))
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
