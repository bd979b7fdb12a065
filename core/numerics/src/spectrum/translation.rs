//! An axis moved by any length, and how fast its samples change then.

use std::f64::consts::PI;

use ndarray::Array2;

use super::differentiation::Boundary;

/// T and dT/dt, `[samples, samples]`: (T h)_i = h(i + t), where h between its samples is the trigonometric interpolant of
/// its own period (`periodic`) or of its even extension (`reflect`), the Nyquist harmonic a cosine.
///
/// At t = 0 they are the identity and the spectral differentiation matrix. With `reflect` a moved axis is no even extension
/// any more: content comes in at one end and leaves at the other, so that dT/dt is not the derivative of T h.
pub fn translation(samples: usize, shift: f64, boundary: Boundary) -> [Array2<f64>; 2] {
    let period = match boundary {
        Boundary::Periodic => samples,
        Boundary::Reflect => 2 * samples,
    };
    let [values, slopes] = kernels(period, shift);
    [values, slopes].map(|kernel| {
        Array2::from_shape_fn((samples, samples), |(i, j)| {
            let direct = kernel[(i + period - j) % period];
            match boundary {
                Boundary::Periodic => direct,
                // Sample j is there again at 2N − 1 − j.
                Boundary::Reflect => direct + kernel[(i + j + 1) % period],
            }
        })
    })
}

/// (1/N) Σ_{|n| ≤ N/2} e^{2πi n (d + t)/N} for every distance d, and its derivative by t.
fn kernels(period: usize, shift: f64) -> [Vec<f64>; 2] {
    let n = period as f64;
    let sum = |d: usize, of: &dyn Fn(f64, f64) -> f64| {
        let angle = 2.0 * PI * (d as f64 + shift) / n;
        let harmonic = |k: usize| if 2 * k == period { 1.0 } else { 2.0 } * of(k as f64, angle);
        (1..=period / 2).map(harmonic).sum::<f64>() / n
    };
    let value = |d: usize| 1.0 / n + sum(d, &|k, angle| (k * angle).cos());
    let slope = |d: usize| sum(d, &|k, angle| -2.0 * PI * k / n * (k * angle).sin());
    [(0..period).map(value).collect(), (0..period).map(slope).collect()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spectrum::differentiation::{Scheme, differentiation_matrix};
    use crate::spectrum::warp::warped;
    use ndarray::{Array3, Axis};

    fn close(a: &Array2<f64>, b: &Array2<f64>, tolerance: f64) -> bool {
        (a - b).iter().all(|difference| difference.abs() < tolerance)
    }

    #[test]
    fn nothing_moves_at_zero_and_the_slope_is_the_spectral_derivative() {
        for boundary in Boundary::ALL {
            for n in [1, 2, 5, 8] {
                let [value, slope] = translation(n, 0.0, boundary);
                assert!(close(&value, &Array2::eye(n), 1e-14));
                // Entries up to N, summed in another order.
                assert!(close(&slope, &differentiation_matrix(n, Scheme::Spectral, boundary).unwrap(), 1e-12));
            }
        }
    }

    #[test]
    fn a_shift_is_the_warp_by_it_and_the_slope_its_difference() {
        for boundary in Boundary::ALL {
            for n in [5, 8] {
                let x = Array3::from_shape_fn((1, 1, n), |(_, _, j)| (1.7 * j as f64).sin() + 0.3);
                let t = 1.37;
                let [value, slope] = translation(n, t, boundary);
                let by = [Array2::from_elem((1, n), t), Array2::zeros((1, n))];
                let wanted = warped(x.view(), &by, boundary);
                let row = x.index_axis(Axis(0), 0);
                assert!(close(&row.dot(&value.t()), &wanted.index_axis(Axis(0), 0).to_owned(), 1e-13));
                let h = 1e-5;
                let [after, before] = [t + h, t - h].map(|t| translation(n, t, boundary)[0].clone());
                // h²/6 times the third derivative, at most π³.
                assert!(close(&slope, &((after - before) / (2.0 * h)), 1e-8));
            }
        }
    }
}
