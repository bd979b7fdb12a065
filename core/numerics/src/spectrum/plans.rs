//! Plans of discrete Fourier transforms of `f32` and `f64`, kept for the life of the process.
//!
//! rustfft's algorithms are generic, and compiled wherever a planner of a type is made, which takes longer than all else
//! in this crate: it is done here, and nowhere else.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use bytemuck::Pod;
use num_traits::Float;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::{Fft, FftNum, FftPlanner};

/// Numbers that can be transformed: `f32` and `f64`.
pub trait Real: FftNum + Float + Pod {
    /// The transforms of a length above 0, planned once.
    fn plans(length: usize) -> Plans<Self>;
}

/// The transforms of one length, none of them divided by it.
#[derive(Clone)]
pub struct Plans<T: FftNum> {
    /// Σ_j x_j e^{−2πi jk/N}, k = 0, 1, …, N − 1.
    pub forward: Arc<dyn Fft<T>>,
    /// Σ_k X_k e^{2πi jk/N}.
    pub inverse: Arc<dyn Fft<T>>,
    /// The first of real numbers, k = 0, 1, …, ⌊N/2⌋.
    pub real_forward: Arc<dyn RealToComplex<T>>,
    /// The second of those.
    pub real_inverse: Arc<dyn ComplexToReal<T>>,
}

struct Planners<T: FftNum> {
    complex: FftPlanner<T>,
    real: RealFftPlanner<T>,
}

macro_rules! real {
    ($($t:ty),*) => {$(
        impl Real for $t {
            fn plans(length: usize) -> Plans<$t> {
                static PLANNERS: LazyLock<Mutex<Planners<$t>>> = LazyLock::new(|| {
                    Mutex::new(Planners { complex: FftPlanner::new(), real: RealFftPlanner::new() })
                });
                // Planners that another thread left mid-plan hold only finished plans.
                let mut planners = PLANNERS.lock().unwrap_or_else(PoisonError::into_inner);
                Plans {
                    forward: planners.complex.plan_fft_forward(length),
                    inverse: planners.complex.plan_fft_inverse(length),
                    real_forward: planners.real.plan_fft_forward(length),
                    real_inverse: planners.real.plan_fft_inverse(length),
                }
            }
        }
    )*};
}
real!(f32, f64);

#[cfg(test)]
mod tests {
    use num_complex::Complex64;

    use super::Real;

    #[test]
    fn a_wave_has_one_coefficient() {
        for length in [1, 7, 8, 12, 31] {
            let plans = f64::plans(length);
            let turn = |j: usize| 2.0 * std::f64::consts::PI * j as f64 / length as f64;
            let frequency = 1 % length;
            let mut wave: Vec<Complex64> =
                (0..length).map(|j| Complex64::from_polar(1.0, turn(j * frequency % length))).collect();
            let samples = wave.clone();
            plans.forward.process(&mut wave);
            for (k, found) in wave.iter().enumerate() {
                let expected = if k == frequency { length as f64 } else { 0.0 };
                assert!((found - expected).norm() < 1e-12, "{length}: {k} has {found}");
            }
            plans.inverse.process(&mut wave);
            let error = wave.iter().zip(&samples).map(|(a, b)| (a / length as f64 - b).norm()).fold(0.0, f64::max);
            assert!(error < 1e-13, "{length}: {error}");
        }
    }
}
