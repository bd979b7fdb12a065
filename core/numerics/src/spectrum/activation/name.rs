//! The names of activations, as the command line has them.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::Activation;
use crate::spectrum::name::UnknownName;

/// Why there is no such activation.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ActivationError {
    /// A name that is not known.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// Arguments that are no numbers, or too many.
    #[error("cannot read '{given}': {reason}")]
    Arguments {
        /// What was given.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// The highest degree of a polynomial.
pub const MAX_DEGREE: usize = 64;

impl Activation {
    /// The words of all activations.
    pub fn names() -> Vec<&'static str> {
        Self::examples().iter().map(Self::name).collect()
    }

    /// How all activations are written, with their arguments: `relu, leaky_relu[:SLOPE], …, poly:C0,C1,…`.
    pub fn grammar() -> String {
        let form = |activation: &Self| match activation.parameter() {
            _ if activation.is_polynomial() => format!("{}:C0,C1,…", activation.name()),
            Some((_, what)) => format!("{}[:{}]", activation.name(), what.to_uppercase()),
            None => activation.name().to_owned(),
        };
        Self::examples().iter().map(form).collect::<Vec<_>>().join(", ")
    }

    /// The one of this name, with its usual parameter.
    fn named(name: &str) -> Option<Self> {
        Self::examples().into_iter().find(|activation| activation.name() == name)
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usual = Self::named(self.name()).and_then(|activation| activation.parameter());
        match self.parameter() {
            Some((value, _)) if usual.is_none_or(|(usual, _)| usual != value) => write!(f, "{}:{value}", self.name()),
            _ => match self {
                Self::Polynomial(coefficients) => {
                    let list: Vec<String> = coefficients.iter().map(f64::to_string).collect();
                    write!(f, "{}:{}", self.name(), list.join(","))
                }
                _ => f.pad(self.name()),
            },
        }
    }
}

impl FromStr for Activation {
    type Err = ActivationError;

    /// Reads `relu`, `leaky_relu`, `leaky_relu:0.2`, `poly:c0,c1,c2,…` and the other names.
    fn from_str(given: &str) -> Result<Self, ActivationError> {
        let refuse =
            |reason: String| Err(ActivationError::Arguments { given: given.chars().take(60).collect(), reason });
        let (name, arguments) = match given.split_once(':') {
            Some((name, arguments)) => (name, Some(arguments)),
            None => (given, None),
        };
        let numbers = |text: &str| -> Option<Vec<f64>> {
            text.split(',').map(|c| c.trim().parse().ok().filter(|c: &f64| c.is_finite())).collect()
        };
        let Some(known) = Self::named(name) else {
            return Err(UnknownName::new("activation", name, &Self::names()).into());
        };
        if known.is_polynomial() {
            return match arguments.and_then(numbers) {
                Some(c) if c.len() <= MAX_DEGREE + 1 => Ok(Self::Polynomial(c)),
                Some(_) => refuse(format!("{name} takes at most {} coefficients", MAX_DEGREE + 1)),
                None => refuse(format!("{name} takes finite coefficients, lowest first, as in {name}:0,1,0.5")),
            };
        }
        match (arguments, known.parameter()) {
            (None, _) => Ok(known),
            (Some(_), None) => refuse(format!("{name} takes no arguments")),
            (Some(text), Some((_, what))) => match numbers(text).as_deref() {
                Some([number]) => Ok(known.with_parameter(*number)),
                _ => refuse(format!("{name} takes one finite {what}, as in {name}:0.2")),
            },
        }
    }
}
