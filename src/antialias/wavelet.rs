//! The low-pass half of a wavelet transform (WaveCNet: Li et al., CVPR 2020, arXiv 2107.13335).

use super::fir::Fir;
use super::plane::Taps;

/// A wavelet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wavelet {
    /// Haar's.
    Haar,
    /// Daubechies' with 2, 3 or 4 vanishing moments.
    Daubechies(
        /// Vanishing moments.
        usize,
    ),
    /// Cohen, Daubechies and Feauveau's biorthogonal 3.3.
    Bior33,
}

impl Wavelet {
    /// Every wavelet.
    pub const ALL: [Self; 5] =
        [Self::Haar, Self::Daubechies(2), Self::Daubechies(3), Self::Daubechies(4), Self::Bior33];

    /// The name in lists.
    pub fn name(self) -> &'static str {
        match self {
            Self::Haar => "haar",
            Self::Daubechies(2) => "db2",
            Self::Daubechies(3) => "db3",
            Self::Daubechies(_) => "db4",
            Self::Bior33 => "bior3.3",
        }
    }

    /// The low-pass analysis filter, scaled to the sum 1: an orthonormal transform's is √2 times this per axis.
    pub fn low_pass(self) -> Vec<f64> {
        match self {
            Self::Haar => vec![0.5, 0.5],
            Self::Daubechies(2) => {
                let r = 3.0_f64.sqrt();
                [1.0 + r, 3.0 + r, 3.0 - r, 1.0 - r].map(|c| c / 8.0).to_vec()
            }
            Self::Daubechies(3) => {
                let a = 10.0_f64.sqrt();
                let b = (5.0 + 2.0 * a).sqrt();
                [
                    1.0 + a + b,
                    5.0 + a + 3.0 * b,
                    10.0 - 2.0 * a + 2.0 * b,
                    10.0 - 2.0 * a - 2.0 * b,
                    5.0 + a - 3.0 * b,
                    1.0 + a - b,
                ]
                .map(|c| c / 32.0)
                .to_vec()
            }
            Self::Daubechies(_) => daubechies4(),
            Self::Bior33 => [3.0, -9.0, -7.0, 45.0, 45.0, -7.0, -9.0, 3.0].map(|c| c / 64.0).to_vec(),
        }
    }
}

/// Daubechies' filter of 4 vanishing moments, by spectral factorisation: ((1 + z)/2)⁴ times the factor, of roots inside
/// the unit circle, of P(y) = 1 + 4y + 10y² + 20y³ with y = (2 − z − 1/z)/4.
fn daubechies4() -> Vec<f64> {
    use num_complex::Complex64 as C;
    // The real root of 20y³ + 10y² + 4y + 1 by Newton's method, the pair of others from what is left.
    let mut real = -0.34;
    for _ in 0..60 {
        let value = ((20.0 * real + 10.0) * real + 4.0) * real + 1.0;
        real -= value / ((60.0 * real + 20.0) * real + 4.0);
    }
    // 20y² + (10 + 20r)y + (4 + (10 + 20r)r)
    let b = 10.0 + 20.0 * real;
    let c = 4.0 + b * real;
    let pair = (C::from(b * b - 80.0 * c).sqrt() - b) / 40.0;
    let mut polynomial = vec![C::ONE];
    let times = |polynomial: &[C], root: C, leading: f64| -> Vec<C> {
        // (leading·z − root)
        let mut product = vec![C::ZERO; polynomial.len() + 1];
        for (k, value) in polynomial.iter().enumerate() {
            product[k] -= root * value;
            product[k + 1] += leading * value;
        }
        product
    };
    for y in [C::from(real), pair, pair.conj()] {
        // z + 1/z = 2 − 4y; of the two roots the one inside.
        let half = C::from(1.0) - 2.0 * y;
        let root = half + (half * half - 1.0).sqrt();
        let root = if root.norm() < 1.0 { root } else { root.inv() };
        polynomial = times(&polynomial, root, 1.0);
    }
    for _ in 0..4 {
        polynomial = times(&polynomial, C::from(-1.0), 1.0);
    }
    let sum: C = polynomial.iter().sum();
    // Highest power first: the filter of minimal phase begins with its large taps.
    polynomial.iter().rev().map(|value| (value / sum).re).collect()
}

/// The wavelet's low-pass filter, then every s-th sample: the half LL that WaveCNet keeps, scaled so that a constant
/// stays what it is.
pub fn wavelet(wavelet: Wavelet, stride: usize) -> Fir {
    let about = "the low-pass half of a wavelet transform, scaled to gain 1 (WaveCNet, arXiv 2107.13335)";
    Fir::new(format!("wavelet:{}", wavelet.name()), about, Taps::centred(wavelet.low_pass()), stride)
}
