//! Least squares with groups as a factor.

use serde::{Deserialize, Serialize};

use super::estimate::{Estimate, Interval, LEVEL};
use super::quantile::student_quantile;
use super::sample::mean;

/// y fitted by columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// The coefficient of each column, with Student's interval.
    pub coefficients: Vec<Estimate>,
    /// Values less coefficients.
    pub freedom: usize,
    /// The standard deviation of what is left.
    pub residual: f64,
    /// The share of the squares of y that is left when the columns are taken away.
    residual_squares: f64,
}

/// The coefficients b that make ‖y − X b‖² least, for X of these columns, which must not depend on each other.
///
/// Errors of the coefficients are σ√((XᵀX)⁻¹)_kk with σ² = ‖y − X b‖²/(n − p), as of independent errors of one variance. By
/// Householder's reflections, so that the condition of X counts once and not twice.
///
/// None where a column depends on those before it, or there are not more values than columns.
pub fn least_squares(columns: &[Vec<f64>], y: &[f64]) -> Option<Fit> {
    let (n, p) = (y.len(), columns.len());
    if n <= p || p == 0 || columns.iter().any(|column| column.len() != n) {
        return None;
    }
    let (mut a, mut rest) = (columns.to_vec(), y.to_vec());
    for k in 0..p {
        let whole = norm(&columns[k]);
        let length = norm(&a[k][k..]);
        // What is left of a column that depends on others is rounding.
        if length <= 1e-10 * whole || whole == 0.0 {
            return None;
        }
        let mut normal = a[k][k..].to_vec();
        normal[0] += normal[0].signum() * length;
        let square: f64 = normal.iter().map(|v| v * v).sum();
        let reflect = |values: &mut [f64]| {
            let along: f64 = 2.0 * normal.iter().zip(values.iter()).map(|(v, x)| v * x).sum::<f64>() / square;
            values.iter_mut().zip(&normal).for_each(|(x, v)| *x -= along * v);
        };
        a[k..].iter_mut().for_each(|column| reflect(&mut column[k..]));
        reflect(&mut rest[k..]);
    }
    // R b = Qᵀ y from the last row up; a[j][i] is R's row i of column j.
    let solve = |right: &[f64]| {
        let mut b = vec![0.0; p];
        for i in (0..p).rev() {
            let known: f64 = (i + 1..p).map(|j| a[j][i] * b[j]).sum();
            b[i] = (right[i] - known) / a[i][i];
        }
        b
    };
    let residual_squares: f64 = rest[p..].iter().map(|v| v * v).sum();
    let freedom = n - p;
    let residual = (residual_squares / freedom as f64).sqrt();
    // (XᵀX)⁻¹ = R⁻¹ R⁻ᵀ: its diagonal is the squared lengths of the rows of R⁻¹.
    let inverse: Vec<Vec<f64>> =
        (0..p).map(|j| solve(&(0..p).map(|i| f64::from(u8::from(i == j))).collect::<Vec<_>>())).collect();
    let t = student_quantile(0.5 + 0.5 * LEVEL, freedom);
    let coefficients = solve(&rest[..p]).into_iter().enumerate().map(|(k, value)| {
        let error = residual * inverse.iter().map(|column| column[k] * column[k]).sum::<f64>().sqrt();
        Estimate { value, interval: Some(Interval { low: value - t * error, high: value + t * error }) }
    });
    Some(Fit { coefficients: coefficients.collect(), freedom, residual, residual_squares })
}

/// y fitted by groups and columns: a level of its own for each group, and slopes that all groups share.
///
/// The coefficients are those of the columns, and then the groups' levels in the order of their numbers, which count from 0.
/// None where a column depends on the groups and the columns before it, a group has no value, or there are not more values
/// than coefficients.
pub fn grouped_least_squares(groups: &[usize], columns: &[Vec<f64>], y: &[f64]) -> Option<Fit> {
    let count = groups.iter().max().map_or(0, |last| last + 1);
    let indicator = |group: usize| groups.iter().map(|of| f64::from(u8::from(*of == group))).collect::<Vec<f64>>();
    let all: Vec<Vec<f64>> = columns.iter().cloned().chain((0..count).map(indicator)).collect();
    least_squares(&all, y)
}

impl Fit {
    /// R²: 1 − ‖y − X b‖²/‖y − ȳ‖²; none where y does not vary. The columns must hold the constant in their span.
    pub fn explained(&self, y: &[f64]) -> Option<f64> {
        let mean = mean(y);
        let all: f64 = y.iter().map(|y| (y - mean).powi(2)).sum();
        (all > 0.0).then(|| 1.0 - self.residual_squares / all)
    }

    /// R² less what as many columns of noise would explain: 1 − (1 − R²)(n − 1)/(n − p).
    pub fn adjusted(&self, y: &[f64]) -> Option<f64> {
        let left = 1.0 - self.explained(y)?;
        Some(1.0 - left * (y.len() as f64 - 1.0) / self.freedom as f64)
    }
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plane_is_found_exactly() {
        let (x, z) = (vec![1.0, 2.0, 3.0, 5.0, 8.0], vec![1.0, -1.0, 0.5, 2.0, 0.0]);
        let y: Vec<f64> = x.iter().zip(&z).map(|(x, z)| 2.0 - 3.0 * x + 0.25 * z).collect();
        let fit = least_squares(&[vec![1.0; 5], x, z], &y).unwrap();
        for (found, wanted) in fit.coefficients.iter().zip([2.0, -3.0, 0.25]) {
            assert!((found.value - wanted).abs() < 1e-13);
        }
        assert!(fit.residual < 1e-13 && (fit.explained(&y).unwrap() - 1.0).abs() < 1e-14);
    }

    /// The residual of the best fit is orthogonal to every column.
    #[test]
    fn what_is_left_is_orthogonal_to_the_columns() {
        let wave = |at: usize, turn: f64| (turn * at as f64).sin();
        let columns: Vec<Vec<f64>> = (1..5).map(|k| (0..30).map(|at| wave(at, f64::from(k)) + 1e3).collect()).collect();
        let y: Vec<f64> = (0..30).map(|at| wave(at, 7.3) + wave(at, 2.2)).collect();
        let fit = least_squares(&columns, &y).unwrap();
        let left: Vec<f64> = (0..30)
            .map(|at| {
                y[at] - fit.coefficients.iter().zip(&columns).map(|(b, column)| b.value * column[at]).sum::<f64>()
            })
            .collect();
        for column in &columns {
            let product: f64 = left.iter().zip(column).map(|(a, b)| a * b).sum();
            // Columns of length 5e3, known to 1e-16, times the condition of 1e3.
            assert!(product.abs() < 1e-8, "{product}");
        }
    }

    #[test]
    fn columns_that_depend_on_each_other_are_refused() {
        let x = vec![1.0, 2.0, 3.0, 4.0, 6.0];
        let double = x.iter().map(|x| 2.0 * x).collect();
        assert_eq!(least_squares(&[x.clone(), double], &x), None);
        assert_eq!(least_squares(&[x[..2].to_vec(), vec![1.0, 1.0]], &[1.0, 2.0]), None);
        // A column that is the same within each group depends on the groups.
        assert_eq!(grouped_least_squares(&[0, 0, 1, 1, 1], &[vec![1.0, 1.0, 2.0, 2.0, 2.0]], &x), None);
        assert_eq!(grouped_least_squares(&[0, 0, 2, 2, 2], std::slice::from_ref(&x), &x), None);
    }
}
