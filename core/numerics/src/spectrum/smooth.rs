//! Smooth fields on a grid: their size in the Sobolev norm H¹, and what is worst among those of one size.

use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use super::name::UnknownName;

/// What a smooth field does at the edge of the grid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edge {
    /// Anything: its normal derivative is 0 there (cosines).
    #[default]
    Free,
    /// It is 0 one sample beyond (sines).
    Fixed,
    /// It goes on at the other end (Fourier series).
    Periodic,
}

impl Edge {
    /// Every edge.
    pub const ALL: [Self; 3] = [Self::Free, Self::Fixed, Self::Periodic];

    /// The name that the command line and reports use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Fixed => "fixed",
            Self::Periodic => "periodic",
        }
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Edge {
    type Err = UnknownName;

    fn from_str(given: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL.into_iter().find(|edge| edge.name() == given);
        found.ok_or_else(|| UnknownName::new("edge", given, &Self::ALL.map(Self::name)))
    }
}

/// The orthonormal eigenvectors of the second difference along an axis, `[mode, sample]`, and its eigenvalues with the sign
/// that makes them positive.
#[derive(Clone, Debug)]
struct Modes {
    vectors: Array2<f64>,
    stiffness: Array1<f64>,
}

impl Modes {
    fn new(samples: usize, edge: Edge) -> Self {
        let n = samples as f64;
        // Per mode: its angle per sample, and its value at a sample.
        let mode = |k: usize, j: usize| match edge {
            Edge::Free => {
                let scale: f64 = if k == 0 { 1.0 } else { 2.0 };
                (scale / n).sqrt() * (PI * k as f64 * (j as f64 + 0.5) / n).cos()
            }
            Edge::Fixed => (2.0 / (n + 1.0)).sqrt() * (PI * (k + 1) as f64 * (j + 1) as f64 / (n + 1.0)).sin(),
            // 1, then cosine and sine of each frequency, then the cosine of the Nyquist frequency.
            Edge::Periodic => {
                let angle = 2.0 * PI * k.div_ceil(2) as f64 * j as f64 / n;
                let single = k == 0 || k + 1 == samples && samples.is_multiple_of(2);
                let scale: f64 = if single { 1.0 } else { 2.0 };
                (scale / n).sqrt() * if k > 0 && k.is_multiple_of(2) { angle.sin() } else { angle.cos() }
            }
        };
        let angle = |k: usize| match edge {
            Edge::Free => PI * k as f64 / n,
            Edge::Fixed => PI * (k + 1) as f64 / (n + 1.0),
            Edge::Periodic => 2.0 * PI * k.div_ceil(2) as f64 / n,
        };
        Self {
            vectors: Array2::from_shape_fn((samples, samples), |(k, j)| mode(k, j)),
            stiffness: (0..samples).map(|k| 2.0 - 2.0 * angle(k).cos()).collect(),
        }
    }
}

/// How many derivatives a norm counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sobolev {
    /// H¹: mean |v|² + ℓ²·mean |∇v|². In the plane it bounds no field's value: the steepest field of a size has all scales.
    #[default]
    H1,
    /// H²: mean |v|² + 2ℓ²·mean |∇v|² + ℓ⁴·mean |Δv|², whose steepest fields are continuous.
    H2,
}

impl Sobolev {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::H1, Self::H2];

    /// The name that the command line and reports use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::H1 => "h1",
            Self::H2 => "h2",
        }
    }

    /// ‖v‖² in symbols, with ℓ as it is written.
    pub fn formula(self, length: &str) -> String {
        match self {
            Self::H1 => format!("mean |v|² + ({length})²·mean |∇v|²"),
            Self::H2 => format!("mean |v|² + 2({length})²·mean |∇v|² + ({length})⁴·mean |Δv|²"),
        }
    }
}

impl fmt::Display for Sobolev {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Sobolev {
    type Err = UnknownName;

    fn from_str(given: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL.into_iter().find(|norm| norm.name() == given);
        found.ok_or_else(|| UnknownName::new("norm", given, &Self::ALL.map(Self::name)))
    }
}

/// The Sobolev norm of fields on a grid, ‖v‖² = mean v·(1 − ℓ²Δ)^s v over the samples, where −Δ are second differences of
/// neighbours, ℓ is a length in samples, and s is 1 or 2.
///
/// A constant field has the size of its value, so that a shift of the whole grid by one sample has the size 1.
#[derive(Clone, Debug)]
pub struct Smoothness {
    rows: Modes,
    columns: Modes,
    /// (1 + ℓ²λ)^s per mode, `[rows, columns]`.
    weights: Array2<f64>,
}

impl Smoothness {
    /// The norm on a grid of `[rows, columns]` with the length ℓ in samples.
    pub fn new([rows, columns]: [usize; 2], length: f64, edge: Edge, norm: Sobolev) -> Self {
        let (rows, columns) = (Modes::new(rows, edge), Modes::new(columns, edge));
        let weight = |(i, j): (usize, usize)| {
            let first = 1.0 + length.powi(2) * (rows.stiffness[i] + columns.stiffness[j]);
            if norm == Sobolev::H1 { first } else { first * first }
        };
        let weights = Array2::from_shape_fn((rows.stiffness.len(), columns.stiffness.len()), weight);
        Self { rows, columns, weights }
    }

    fn modes(&self, f: &Array2<f64>) -> Array2<f64> {
        self.rows.vectors.dot(f).dot(&self.columns.vectors.t())
    }

    /// (1 − ℓ²Δ)⁻ˢ f, by the transforms in which Δ is diagonal.
    pub fn smoothed(&self, f: &Array2<f64>) -> Array2<f64> {
        let modes = self.modes(f) / &self.weights;
        self.rows.vectors.t().dot(&modes).dot(&self.columns.vectors)
    }

    /// The product of two fields whose square is ‖v‖².
    pub fn product(&self, a: &[Array2<f64>; 2], b: &[Array2<f64>; 2]) -> f64 {
        let samples = a[0].len().max(1) as f64;
        let part = |a: &Array2<f64>, b: &Array2<f64>| (self.modes(a) * self.modes(b) * &self.weights).sum();
        (part(&a[0], &b[0]) + part(&a[1], &b[1])) / samples
    }

    /// ‖v‖.
    pub fn norm(&self, v: &[Array2<f64>; 2]) -> f64 {
        self.product(v, v).sqrt()
    }
}

/// The random smooth fields of Petrini et al. 2021 (arXiv 2105.02468): along each axis
/// v(x, y) = Σ C_ij sin(iπx) sin(jπy) over i, j ≥ 1 with i² + j² < (c + ½)², independent C_ij of mean 0 and variance
/// T/(i² + j²). Here x and y are (k + ½)/N at sample k, so that the field is 0 at the outer edge of the image.
#[derive(Clone, Debug)]
pub struct RandomFields {
    /// sin(jπy), `[j, row]`.
    rows: Array2<f64>,
    /// sin(iπx), `[i, column]`.
    columns: Array2<f64>,
    /// T/(i² + j²) at T = 1, `[j, i]`; 0 beyond the cut-off.
    variances: Array2<f64>,
}

impl RandomFields {
    /// The fields on a grid of `[rows, columns]` with the cut-off c.
    pub fn new([rows, columns]: [usize; 2], cutoff: usize) -> Self {
        let sines = |n: usize| {
            let sine = |(i, k): (usize, usize)| (PI * (i + 1) as f64 * (k as f64 + 0.5) / n as f64).sin();
            Array2::from_shape_fn((cutoff, n), sine)
        };
        let variance = |(j, i): (usize, usize)| {
            let square = ((i + 1).pow(2) + (j + 1).pow(2)) as f64;
            if square < (cutoff as f64 + 0.5).powi(2) { 1.0 / square } else { 0.0 }
        };
        Self {
            rows: sines(rows),
            columns: sines(columns),
            variances: Array2::from_shape_fn((cutoff, cutoff), variance),
        }
    }

    /// E(Σ_u v(u) f(u))² for one component of the field.
    pub fn mean_square_along(&self, f: &Array2<f64>) -> f64 {
        let products = self.rows.dot(f).dot(&self.columns.t());
        (&self.variances * &products * &products).sum()
    }

    /// E v(u)² of one component, `[rows, columns]`.
    pub fn mean_square(&self) -> Array2<f64> {
        let squares = |sines: &Array2<f64>| sines * sines;
        squares(&self.rows).t().dot(&self.variances).dot(&squares(&self.columns))
    }

    /// One component of a field, from numbers C_ij of variance 1, `[j, i]`.
    pub fn field(&self, coefficients: &Array2<f64>) -> Array2<f64> {
        let scaled = coefficients * &self.variances.mapv(f64::sqrt);
        self.rows.t().dot(&scaled).dot(&self.columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(rows: usize, columns: usize, seed: f64) -> Array2<f64> {
        Array2::from_shape_fn((rows, columns), |(i, j)| ((3 * i + 7 * j) as f64 * 1.3 + seed).sin())
    }

    fn laplacian(f: &Array2<f64>, edge: Edge) -> Array2<f64> {
        let (rows, columns) = f.dim();
        Array2::from_shape_fn((rows, columns), |(i, j)| {
            let at = |i: isize, j: isize| {
                let inside = |k: isize, n: usize| (0..n as isize).contains(&k);
                match edge {
                    Edge::Periodic => {
                        f[[i.rem_euclid(rows as isize) as usize, j.rem_euclid(columns as isize) as usize]]
                    }
                    Edge::Fixed if !inside(i, rows) || !inside(j, columns) => 0.0,
                    _ => f[[i.clamp(0, rows as isize - 1) as usize, j.clamp(0, columns as isize - 1) as usize]],
                }
            };
            let (i, j) = (i as isize, j as isize);
            at(i + 1, j) + at(i - 1, j) + at(i, j + 1) + at(i, j - 1) - 4.0 * at(i, j)
        })
    }

    /// (1 − ℓ²Δ) of what is smoothed is what was there, and the norm's product is that operator's.
    #[test]
    fn smoothing_solves_its_equation_and_belongs_to_the_norm() {
        for edge in Edge::ALL {
            for (rows, columns) in [(6, 5), (1, 4), (3, 2), (8, 1)] {
                let smoothness = Smoothness::new([rows, columns], 1.7, edge, Sobolev::H1);
                let f = field(rows, columns, 0.2);
                let v = smoothness.smoothed(&f);
                let back = &v - &(1.7f64.powi(2) * laplacian(&v, edge));
                // Condition number below 1 + 8·1.7² of 1e-16, times a few sums.
                assert!((&back - &f).iter().all(|difference| difference.abs() < 1e-12), "{edge} {rows}×{columns}");
                let [a, b] = [field(rows, columns, 0.5), field(rows, columns, 1.1)];
                let zero = Array2::zeros((rows, columns));
                let product = smoothness.product(&[a.clone(), zero.clone()], &[b.clone(), zero]);
                let operator = (&a * &(&b - &(1.7f64.powi(2) * laplacian(&b, edge)))).sum() / a.len() as f64;
                assert!((product - operator).abs() < 1e-12, "{edge} {rows}×{columns}: {product} {operator}");
                let twice = Smoothness::new([rows, columns], 1.7, edge, Sobolev::H2);
                let once = smoothness.smoothed(&smoothness.smoothed(&a));
                assert!((twice.smoothed(&a) - once).iter().all(|difference| difference.abs() < 1e-12));
            }
        }
    }

    #[test]
    fn a_shift_by_one_sample_has_the_size_one() {
        for edge in [Edge::Free, Edge::Periodic] {
            let smoothness = Smoothness::new([6, 9], 4.0, edge, Sobolev::H2);
            let shift = [Array2::ones((6, 9)), Array2::zeros((6, 9))];
            assert!((smoothness.norm(&shift) - 1.0).abs() < 1e-15);
        }
    }

    /// Moments in closed form are those of the sum over modes, written out.
    #[test]
    fn random_fields_have_their_moments() {
        let (rows, columns, cutoff) = (5, 7, 3);
        let fields = RandomFields::new([rows, columns], cutoff);
        let f = field(rows, columns, 0.9);
        let (mut along, mut square) = (0.0, Array2::<f64>::zeros((rows, columns)));
        let mut modes = 0;
        for i in 1..=cutoff {
            for j in 1..=cutoff {
                let radius = ((i * i + j * j) as f64).sqrt();
                if radius >= cutoff as f64 + 0.5 {
                    continue;
                }
                modes += 1;
                let sine = |k: usize, m: usize, n: usize| (PI * k as f64 * (m as f64 + 0.5) / n as f64).sin();
                let mode = Array2::from_shape_fn((rows, columns), |(r, c)| sine(j, r, rows) * sine(i, c, columns));
                along += ((&mode * &f).sum() / radius).powi(2);
                square = square + mode.mapv(|v| (v / radius).powi(2));
            }
        }
        assert_eq!(modes, 6);
        assert!((fields.mean_square_along(&f) - along).abs() < 1e-13 * along);
        assert!((fields.mean_square() - square).iter().all(|difference| difference.abs() < 1e-13));
    }
}
