//! Linear combinations of generators, as a user writes them: `rotate+0.5*saturate`.

use std::fmt;
use std::str::FromStr;

use crate::spectrum::name::UnknownName;

use super::generator::{Generator, MEASURED, Named};

/// Σ a_i A_i over the measured generators.
///
/// ```
/// use aliascope_numerics::symmetry::{Combination, Generator};
/// let c: Combination = "rotate + 0.5*saturate".parse()?;
/// assert_eq!(c.coefficient(Generator::ShearX), 1.0);
/// assert_eq!(c.coefficient(Generator::ShearY), -1.0);
/// assert_eq!(c.coefficient(Generator::Saturate), 0.5);
/// # Ok::<(), aliascope_numerics::symmetry::CombinationError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Combination {
    name: String,
    coefficients: [f64; MEASURED.len()],
}

/// Why a combination could not be read.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CombinationError {
    /// Nothing between two signs, or nothing at all.
    #[error("the generator '{text}' has an empty term: write a sum such as rotate+0.5*saturate")]
    Empty {
        /// What was given.
        text: String,
    },
    /// The factor is not a finite number.
    #[error("in the generator '{text}', '{factor}' is not a number: write a sum such as rotate+0.5*saturate")]
    Factor {
        /// What was given.
        text: String,
        /// The factor that cannot be read.
        factor: String,
    },
    /// The name is unknown.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// All coefficients cancel.
    #[error("the generator '{text}' is zero: nothing would be measured")]
    Zero {
        /// What was given.
        text: String,
    },
}

fn known_names() -> Vec<&'static str> {
    MEASURED.iter().map(|g| g.name()).chain(Named::ALL.iter().map(|n| n.name())).collect()
}

impl Combination {
    /// The combination that is one named transform.
    pub fn named(named: Named) -> Self {
        let mut coefficients = [0.0; MEASURED.len()];
        for (generator, a) in named.terms() {
            coefficients[generator.index()] += a;
        }
        Self { name: named.name().to_owned(), coefficients }
    }

    /// The combination that is one measured generator.
    pub fn single(generator: Generator) -> Self {
        let mut coefficients = [0.0; MEASURED.len()];
        coefficients[generator.index()] = 1.0;
        Self { name: generator.name().to_owned(), coefficients }
    }

    /// All that has a name: the measured generators, then rotate, hyperbolic, scale, which follow from them.
    pub fn all() -> Vec<Self> {
        MEASURED.into_iter().map(Self::single).chain(Named::ALL.into_iter().map(Self::named)).collect()
    }

    /// As it was written, without blanks.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// a_i.
    pub fn coefficient(&self, generator: Generator) -> f64 {
        self.coefficients[generator.index()]
    }

    /// All a_i, in the order of [`MEASURED`].
    pub fn coefficients(&self) -> &[f64; MEASURED.len()] {
        &self.coefficients
    }

    /// The combination without one of its generators; none where nothing is left.
    pub fn without(&self, generator: Generator) -> Option<Self> {
        let mut rest = self.clone();
        rest.coefficients[generator.index()] = 0.0;
        rest.coefficients.iter().any(|&a| a != 0.0).then_some(rest)
    }

    /// The vector field Σ a_i v_i(u).
    pub fn field(&self, u: [f64; 2]) -> [f64; 2] {
        MEASURED.iter().zip(&self.coefficients).fold([0.0; 2], |[x, y], (g, a)| {
            let [vx, vy] = g.field(u);
            [x + a * vx, y + a * vy]
        })
    }

    /// The quadratic form aᵀ G a over a matrix in the order of [`MEASURED`].
    pub fn quadratic_form(&self, gram: &[Vec<f64>]) -> f64 {
        let a = &self.coefficients;
        gram.iter().zip(a).map(|(row, ai)| ai * row.iter().zip(a).map(|(g, aj)| g * aj).sum::<f64>()).sum()
    }
}

impl fmt::Display for Combination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

impl FromStr for Combination {
    type Err = CombinationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let mut coefficients = [0.0; MEASURED.len()];
        for (sign, term) in signed_terms(&name) {
            if term.is_empty() {
                return Err(CombinationError::Empty { text: text.to_owned() });
            }
            let (factor, symbol) = match term.split_once('*') {
                Some((factor, symbol)) => {
                    let number = factor.parse::<f64>().ok().filter(|f| f.is_finite());
                    let number = number
                        .ok_or_else(|| CombinationError::Factor { text: text.to_owned(), factor: factor.to_owned() })?;
                    (number, symbol)
                }
                None => (1.0, term),
            };
            for (generator, a) in terms_of(symbol)? {
                coefficients[generator.index()] += sign * factor * a;
            }
        }
        if coefficients.iter().all(|&a| a == 0.0) {
            return Err(CombinationError::Zero { text: text.to_owned() });
        }
        Ok(Self { name, coefficients })
    }
}

/// Splits at the signs that stand between terms; the sign of an exponent (1e-3) belongs to its number.
fn signed_terms(text: &str) -> Vec<(f64, &str)> {
    let bytes = text.as_bytes();
    let mut terms = Vec::new();
    let (mut start, mut sign) = (0, 1.0);
    for (i, &byte) in bytes.iter().enumerate() {
        let is_sign = byte == b'+' || byte == b'-';
        let in_exponent = i >= 2 && matches!(bytes[i - 1], b'e' | b'E') && bytes[i - 2].is_ascii_digit();
        if is_sign && !in_exponent {
            if i > 0 {
                terms.push((sign, &text[start..i]));
            }
            sign = if byte == b'-' { -1.0 } else { 1.0 };
            start = i + 1;
        }
    }
    terms.push((sign, &text[start..]));
    terms
}

fn terms_of(symbol: &str) -> Result<Vec<(Generator, f64)>, CombinationError> {
    if let Some(named) = Named::ALL.into_iter().find(|n| n.name() == symbol) {
        return Ok(named.terms().to_vec());
    }
    if let Some(generator) = MEASURED.into_iter().find(|g| g.name() == symbol) {
        return Ok(vec![(generator, 1.0)]);
    }
    Err(UnknownName::new("generator", symbol, &known_names()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotation_is_the_difference_of_shears() {
        let rotate = Combination::named(Named::Rotate);
        let written: Combination = "shear_x - shear_y".parse().unwrap();
        assert_eq!(rotate.coefficients(), written.coefficients());
        assert_eq!(rotate.field([0.3, -0.7]), [-0.7, -0.3]);
    }

    #[test]
    fn exponents_keep_their_sign() {
        let c: Combination = "-1e-3*rotate+2.5E+1*scale".parse().unwrap();
        assert_eq!(c.coefficient(Generator::ShearX), -1e-3);
        assert_eq!(c.coefficient(Generator::StretchY), 25.0);
    }

    #[test]
    fn unreadable_combinations_say_why() {
        let message = |text: &str| text.parse::<Combination>().unwrap_err().to_string();
        assert!(message("rotat").contains("did you mean rotate"));
        assert!(message("rotate+").contains("empty term"));
        assert!(message("").contains("empty term"));
        assert!(message("x*rotate").contains("'x' is not a number"));
        assert!(message("nan*rotate").contains("not a number"));
        assert!(message("rotate-rotate").contains("is zero"));
    }
}
