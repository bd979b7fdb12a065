//! Octaves of an axis's harmonics: which of them lie below a cut-off, and the projection on those.

use std::f64::consts::PI;

use ndarray::Array2;

use super::differentiation::Boundary;

/// Lower edges of the octaves, highest first, as parts of the axis's Nyquist frequency; below the last one lies the rest.
pub const EDGES: [f64; 4] = [0.5, 0.25, 0.125, 0.0625];

/// The bands that [`EDGES`] part all harmonics into: so many octaves, and what lies below them.
pub const BANDS: usize = EDGES.len() + 1;

/// Lower and upper edge of a band, highest first, as parts of the Nyquist frequency: \[lower, upper).
pub fn edges(band: usize) -> [f64; 2] {
    let upper = if band == 0 { 1.0 } else { EDGES[band - 1] };
    [EDGES.get(band).copied().unwrap_or(0.0), upper]
}

/// An edge in words: `½`, `1/16`.
pub fn fraction(edge: f64) -> String {
    match (1.0 / edge).round() {
        1.0 => "1".to_owned(),
        2.0 => "½".to_owned(),
        4.0 => "¼".to_owned(),
        parts => format!("1/{parts}"),
    }
}

/// The projection on the harmonics of an axis of N samples that lie below `cut_off` times its Nyquist frequency,
/// `[samples, samples]`.
///
/// - `reflect`: cosines cos(πk(i + ½)/N) of the even extension, k/N of the Nyquist frequency: 0 ≤ k < `cut_off`·N;
/// - `periodic`: e^{2πikj/N}, 2|k|/N of the Nyquist frequency: 2|k| < `cut_off`·N.
///
/// A harmonic at the cut-off is not below it: at ½ it is the Nyquist frequency of every other sample, which folds.
pub fn low_pass(samples: usize, cut_off: f64, boundary: Boundary) -> Array2<f64> {
    let n = samples as f64;
    // Twice as many harmonics to the Nyquist frequency where the axis is doubled.
    let per_nyquist = if boundary == Boundary::Reflect { n } else { n / 2.0 };
    let count = (0..samples).take_while(|&k| (k as f64) < cut_off * per_nyquist).count();
    Array2::from_shape_fn((samples, samples), |(i, j)| {
        let (i, j) = (i as f64, j as f64);
        let term = |k: usize| {
            let k = k as f64;
            match boundary {
                Boundary::Reflect => (PI * k * (i + 0.5) / n).cos() * (PI * k * (j + 0.5) / n).cos(),
                Boundary::Periodic => (2.0 * PI * k * (i - j) / n).cos(),
            }
        };
        (1..count).map(|k| 2.0 * term(k)).sum::<f64>() / n + if count > 0 { 1.0 / n } else { 0.0 }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spectrum::differentiation::{Scheme, differentiation_matrix};
    use ndarray::Array1;

    #[test]
    fn bands_meet_and_cover_everything() {
        assert_eq!((edges(0)[1], edges(BANDS - 1)[0]), (1.0, 0.0));
        assert!((1..BANDS).all(|band| edges(band)[1] == edges(band - 1)[0]));
    }

    /// What bands of the input make of a rectifier's defect, on ever finer grids of one function: differences of defects go to
    /// 0 with the defect; the gate at the input taken for a linear map gives parts that grow and only cancel in their sum.
    #[test]
    fn a_gate_held_still_is_no_measure_of_a_band() {
        let sizes = [64, 256].map(|n| {
            let axis = Array1::from_shape_fn(n, |i| PI * (i as f64 + 0.5) / n as f64);
            let waves = [(1.0, 1.0), (3.0, 0.7), (5.0, 0.5), (12.0, 0.8), (21.0, 0.6)];
            let h = axis.mapv(|x| waves.iter().map(|(k, a)| a * (k * x).cos()).sum::<f64>());
            let slope = differentiation_matrix(n, Scheme::Spectral, Boundary::Reflect).unwrap() * n as f64;
            let gate = h.mapv(|x| f64::from(x > 0.0));
            let low = low_pass(n, 8.0 / n as f64, Boundary::Reflect).dot(&h);
            let defect =
                |h: &Array1<f64>| h.mapv(|x| f64::from(x > 0.0)) * slope.dot(h) - slope.dot(&h.mapv(|x| x.max(0.0)));
            let held = |band: &Array1<f64>| &gate * &slope.dot(band) - slope.dot(&(&gate * band));
            let size = |x: Array1<f64>| x.mapv(|x| x * x).sum() / n as f64;
            let high = &h - &low;
            assert!(size(held(&low) + held(&high) - defect(&h)) < 1e-20 * size(held(&low)));
            [size(defect(&h)), size(held(&low)), size(defect(&h) - defect(&low)), size(defect(&low))]
        });
        let [whole, held, high, low] = [0, 1, 2, 3].map(|at| [sizes[0][at], sizes[1][at]]);
        assert!(whole[1] < 0.3 * whole[0] && high[1] < 0.3 * high[0] && low[1] < 0.3 * low[0], "{sizes:?}");
        assert!(held[1] > 3.0 * held[0] && held[1] > 10.0 * whole[1], "{sizes:?}");
    }

    #[test]
    fn harmonics_below_the_cut_off_stay_and_others_go() {
        for boundary in [Boundary::Reflect, Boundary::Periodic] {
            for n in [1, 2, 7, 8, 16, 33] {
                for cut_off in EDGES {
                    let matrix = low_pass(n, cut_off, boundary);
                    let (most, per_nyquist) = if boundary == Boundary::Reflect { (n, 1.0) } else { (n / 2 + 1, 2.0) };
                    for k in 0..most {
                        let wave = Array1::from_shape_fn(n, |i| match boundary {
                            Boundary::Reflect => (PI * k as f64 * (i as f64 + 0.5) / n as f64).cos(),
                            Boundary::Periodic => (2.0 * PI * (k * i) as f64 / n as f64 + 0.3).cos(),
                        });
                        let stays = per_nyquist * (k as f64) < cut_off * n as f64;
                        let wanted = if stays { wave.clone() } else { Array1::zeros(n) };
                        // A sum of at most 33 products of numbers up to 1.
                        let off = (matrix.dot(&wave) - wanted).iter().fold(0.0_f64, |most, x| most.max(x.abs()));
                        assert!(off < 1e-13, "{boundary} {n} {cut_off} {k}: {off}");
                    }
                }
            }
        }
    }
}
