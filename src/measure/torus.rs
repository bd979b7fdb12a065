//! Shifts around the torus.

use ndarray::Array2;
use tch::Tensor;

use crate::graph::operator::Torch;

/// x moved by `shift` = \[right, down\] samples around the torus: a roll for whole numbers, else the trigonometric
/// interpolant, whose Nyquist harmonic is a cosine.
///
/// # Errors
/// When libtorch refuses.
pub fn translate(x: &Tensor, shift: [f64; 2]) -> Torch<Tensor> {
    if shift.iter().all(|t| t.fract() == 0.0) {
        return x.f_roll([shift[1] as i64, shift[0] as i64], [-2, -1]);
    }
    let size = x.size();
    let axis = |n: i64, t: f64| {
        let values: Vec<f64> = translation(n as usize, t).iter().copied().collect();
        Tensor::f_from_slice(&values)?.f_view([n, n])?.f_to_kind(x.kind())?.f_to_device(x.device())
    };
    let (rows, columns) = (axis(size[size.len() - 2], shift[1])?, axis(size[size.len() - 1], shift[0])?);
    rows.f_matmul(&x.f_matmul(&columns.f_transpose(0, 1)?)?)
}

/// T_{ij} = (1/N) Σ_{|n| ≤ N/2} cos(2πn(i − j − t)/N).
fn translation(samples: usize, shift: f64) -> Array2<f64> {
    let n = samples as f64;
    let kernel: Vec<f64> = (0..samples)
        .map(|d| {
            let angle = std::f64::consts::TAU * (d as f64 - shift) / n;
            let term = |k: usize| if 2 * k == samples { 1.0 } else { 2.0 } * (k as f64 * angle).cos();
            (1.0 + (1..=samples / 2).map(term).sum::<f64>()) / n
        })
        .collect();
    Array2::from_shape_fn((samples, samples), |(i, j)| kernel[(i + samples - j) % samples])
}
