//! A mild low-pass: the cubic B-spline.

use super::fir::Fir;
use super::plane::Taps;

/// Samples of the cubic B-spline B, stretched with the stride s: taps B(2t/s), |t| < s, over their sum, then every s-th
/// sample. At stride 2 they are (1, 4, 1)/6, G(ω) = (2 + cos ω)/3: two thirds of the coarse Nyquist frequency stay and
/// one third of the fine one, where blurpool:3 leaves a half and nothing. A pretrained network loses less by it.
pub fn bspline(stride: usize) -> Fir {
    let about = "samples of a cubic B-spline, (1, 4, 1)/6 at stride 2: milder than BlurPool (Unser 1999)";
    Fir::new("bspline", about, Taps::centred(taps(stride)), stride)
}

fn taps(stride: usize) -> Vec<f64> {
    let reach = stride.max(1) as i32 - 1;
    let values: Vec<f64> = (-reach..=reach).map(|t| cubic(2.0 * f64::from(t) / stride.max(1) as f64)).collect();
    let sum: f64 = values.iter().sum();
    values.iter().map(|value| value / sum).collect()
}

/// The centred cubic B-spline, of support 4.
fn cubic(at: f64) -> f64 {
    match at.abs() {
        u if u < 1.0 => 2.0 / 3.0 - u * u + u * u * u / 2.0,
        u if u < 2.0 => (2.0 - u).powi(3) / 6.0,
        _ => 0.0,
    }
}
