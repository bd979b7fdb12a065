//! Planes of samples turned by a finite angle, with zeros beyond their edge (after Karras et al. 2021, arXiv 2106.12423,
//! EQ-R).

use std::f64::consts::{PI, SQRT_2};

use ndarray::Array2;
use rayon::prelude::*;

/// How far the rotation's filter reaches: three pixels along the axes, and three along those turned by any angle.
pub const TURNED_REACH: f64 = 3.0 + 3.0 * SQRT_2;
/// Fine samples per pixel.
const UP: i64 = 4;

/// sinc(x) sinc(x/3) for |x| < 3.
pub fn lanczos3(x: f64) -> f64 {
    let sinc = |x: f64| if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) };
    if x.abs() < 3.0 { sinc(x) * sinc(x / 3.0) } else { 0.0 }
}

/// Planes of samples, `[planes, rows, columns]`.
#[derive(Clone, Copy, Debug)]
pub struct Planes<'a> {
    values: &'a [f64],
    rows: i64,
    columns: i64,
}

impl<'a> Planes<'a> {
    /// Of these values, plane by plane.
    pub fn new(values: &'a [f64], [rows, columns]: [usize; 2]) -> Self {
        Self { values, rows: rows as i64, columns: columns as i64 }
    }

    /// Where the pixel of a row and a column reads the image that is turned: the point R p of [`Planes::turned`], right
    /// and down in pixels.
    pub fn source(&self, angle: f64, row: i64, column: i64) -> [f64; 2] {
        let (sin, cos) = angle.sin_cos();
        let (cy, cx) = ((self.rows - 1) as f64 / 2.0, (self.columns - 1) as f64 / 2.0);
        let (px, py) = (column as f64 - cx, row as f64 - cy);
        [cos * px + sin * py + cx, -sin * px + cos * py + cy]
    }

    /// The planes turned about their centre, `[rows, columns, planes]`: y(p) = x(R p),
    /// R p = (cos α p_x + sin α p_y, −sin α p_x + cos α p_y), as the generator `rotate` does it at α = 0. Upsampled by 4
    /// with Lanczos's kernel along both grids' axes, then looked up between four fine samples.
    ///
    /// No finer map is made: each pixel sums those around its place with the weights that filter and look-up have
    /// together, so that the memory is that of the images.
    pub fn turned(&self, angle: f64) -> Vec<f64> {
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
        // Fine sample m has tap m − UP·p + half of pixel p; these are the pixels that fine samples m and m + 1 read.
        let pixels = |m: i64, n: i64| {
            let (first, last) = (-(half - m).div_euclid(UP), (m + 1 + half).div_euclid(UP));
            first.clamp(0, n)..(last + 1).clamp(0, n)
        };
        self.by_pixel(|row, column, add| {
            let [fx, fy] = self.source(angle, row, column).map(|at| at * UP as f64);
            let (x0, y0) = (fx.floor(), fy.floor());
            let (right, down) = (fx - x0, fy - y0);
            let (x0, y0) = (x0 as i64, y0 as i64);
            for row in pixels(y0, self.rows) {
                let ty = y0 - UP * row + half;
                for column in pixels(x0, self.columns) {
                    let tx = x0 - UP * column + half;
                    let above = (1.0 - right) * tap(ty, tx) + right * tap(ty, tx + 1);
                    let below = (1.0 - right) * tap(ty + 1, tx) + right * tap(ty + 1, tx + 1);
                    add(row, column, (1.0 - down) * above + down * below);
                }
            }
        })
    }

    /// The planes, on a turned grid, without what [`Planes::turned`] by `angle` would have lost, `[rows, columns, planes]`:
    /// the same filter, no rotation. Beside it, how many pixels it reaches.
    pub fn turned_band(&self, angle: f64) -> (Vec<f64>, usize) {
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
        let filtered = self.by_pixel(|j, i, add| {
            for row in near(j, self.rows) {
                for column in near(i, self.columns) {
                    add(row, column, filter[[(row - j + reach) as usize, (column - i + reach) as usize]]);
                }
            }
        });
        (filtered, reach as usize)
    }

    /// `[rows, columns, planes]`, pixel by pixel: `weigh` is given row and column, and adds pixels of the planes by their
    /// row, column and weight. Rows side by side on all cores.
    fn by_pixel(&self, weigh: impl Fn(i64, i64, &mut dyn FnMut(i64, i64, f64)) + Sync) -> Vec<f64> {
        let entries = (self.rows * self.columns) as usize;
        let planes: Vec<&[f64]> = self.values.chunks(entries.max(1)).collect();
        let mut made = vec![0.0; self.values.len()];
        let count = planes.len().max(1);
        made.par_chunks_mut((self.columns as usize * count).max(1)).enumerate().for_each(|(j, row)| {
            for (i, out) in row.chunks_mut(count).enumerate() {
                weigh(j as i64, i as i64, &mut |row, column, weight| {
                    let at = (row * self.columns + column) as usize;
                    for (sum, plane) in out.iter_mut().zip(&planes) {
                        *sum += weight * plane[at];
                    }
                });
            }
        });
        made
    }
}

/// The filter of a rotation at `UP` samples per pixel, `[2·reach + 1, the same]`, of the sum `UP`²: Lanczos's kernel
/// along the input's axes, convolved with the same along the output's, so that what neither grid holds is gone.
fn rotation_filter(angle: f64) -> Array2<f64> {
    let up = UP as f64;
    let straight = 3 * UP - 1;
    let turned = (3.0 * SQRT_2 * up).ceil() as i64;
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
