//! The geometric mean.

use super::estimate::{Estimate, Interval, LEVEL, Undefined};
use super::quantile::student_quantile;
use super::sample::{mean, standard_error};

/// exp of the mean of ln v, with exp of Student's interval for that mean: mean ± t(n − 1) s/√n.
///
/// If the values are log-normal, the interval covers the geometric mean of the distribution, which is its median, with
/// exactly the stated probability at every n. A single value, and values that are all the same, have no interval.
///
/// # Errors
/// No values; a value that has no logarithm: 0 is neither left out nor replaced by something small, which would decide the
/// result.
///
/// ```
/// use aliascope_numerics::statistics::geometric_mean;
/// let estimate = geometric_mean(&[1.0, 10.0, 100.0])?;
/// assert!((estimate.value - 10.0).abs() < 1e-12);
/// // t(2) = 4.303 at 97.5 %, s = ln 10, n = 3: 10 · 10^(±4.303/√3).
/// assert!((estimate.interval.unwrap().high - 10.0 * 10.0_f64.powf(4.302_653 / 3.0_f64.sqrt())).abs() < 1e-2);
/// assert!(geometric_mean(&[0.0, 1.0]).is_err());
/// # Ok::<(), aliascope_numerics::statistics::Undefined>(())
/// ```
pub fn geometric_mean(values: &[f64]) -> Result<Estimate, Undefined> {
    Ok(student(&logarithms(values)?).map(f64::exp))
}

/// ln of every value.
pub(super) fn logarithms(values: &[f64]) -> Result<Vec<f64>, Undefined> {
    if values.is_empty() {
        return Err(Undefined::Empty);
    }
    if values.iter().any(|v| !v.is_finite()) {
        return Err(Undefined::NotFinite);
    }
    if let Some(negative) = values.iter().find(|v| **v < 0.0) {
        return Err(Undefined::Negative(*negative));
    }
    match values.iter().filter(|v| **v == 0.0).count() {
        0 => Ok(values.iter().map(|v| v.ln()).collect()),
        zeros => Err(Undefined::Zero { zeros, count: values.len() }),
    }
}

/// The mean with Student's interval.
pub(super) fn student(values: &[f64]) -> Estimate {
    let value = mean(values);
    let error = standard_error(values, value).filter(|_| values.iter().any(|v| *v != values[0]));
    let interval = error.map(|error| {
        let half = student_quantile(0.5 + 0.5 * LEVEL, values.len() - 1) * error;
        Interval { low: value - half, high: value + half }
    });
    Estimate { value, interval }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_without_a_logarithm_say_why() {
        let message = |values: &[f64]| geometric_mean(values).unwrap_err().to_string();
        assert_eq!(message(&[]), "there are no values");
        assert_eq!(message(&[0.0, 1.0, 0.0]), "2 of 3 values are 0, which has no logarithm");
        assert!(message(&[1.0, -2.0]).contains("-2 is negative"));
        assert!(message(&[1.0, f64::NAN]).contains("NaN"));
    }

    #[test]
    fn values_that_do_not_vary_have_no_interval() {
        assert_eq!(geometric_mean(&[3.0]).unwrap().interval, None);
        assert_eq!(geometric_mean(&[0.1; 4]).unwrap().interval, None);
        assert!(geometric_mean(&[1.0, 2.0]).unwrap().interval.is_some());
    }
}
