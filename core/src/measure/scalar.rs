//! A scalar of a network's output, of which there is one gradient.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What of the output is differentiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scalar {
    /// The score of a class less the largest of the others: of the image's own class where it is known, else of the class
    /// with the largest score. It is negative where the network errs, and 0 where the class changes.
    Margin,
    /// The logarithm of that class's probability.
    LogProbability,
    /// The score of this class.
    Logit(usize),
    /// This entry of the output, counted in row-major order.
    Entry(usize),
    /// ‖f‖²/dim.
    Energy,
    /// The sum of all entries.
    Sum,
}

/// How scalars are written.
const FORMS: &str = "margin, log-probability, logit:CLASS, entry:INDEX, energy or sum";

impl Scalar {
    /// Whether it is of a vector of class scores alone.
    pub const fn is_of_classes(self) -> bool {
        matches!(self, Self::Margin | Self::LogProbability | Self::Logit(_))
    }

    /// In a word or two, behind "the".
    pub fn in_words(self) -> String {
        match self {
            Self::Margin => "margin".to_owned(),
            Self::LogProbability => "log-probability".to_owned(),
            Self::Logit(class) => format!("score of class {class}"),
            Self::Entry(index) => format!("entry {index}"),
            Self::Energy => "mean square".to_owned(),
            Self::Sum => "sum".to_owned(),
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Margin => f.pad("margin"),
            Self::LogProbability => f.pad("log-probability"),
            Self::Logit(class) => f.pad(&format!("logit:{class}")),
            Self::Entry(index) => f.pad(&format!("entry:{index}")),
            Self::Energy => f.pad("energy"),
            Self::Sum => f.pad("sum"),
        }
    }
}

impl FromStr for Scalar {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("'{text}' is no scalar of an output: write {FORMS}");
        let index = |number: &str| number.parse().map_err(|_| unknown());
        match text.split_once(':') {
            Some(("logit", class)) => index(class).map(Self::Logit),
            Some(("entry", entry)) => index(entry).map(Self::Entry),
            Some(_) => Err(unknown()),
            None => [Self::Margin, Self::LogProbability, Self::Energy, Self::Sum]
                .into_iter()
                .find(|scalar| scalar.to_string() == text)
                .ok_or_else(unknown),
        }
    }
}

impl TryFrom<String> for Scalar {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Scalar> for String {
    fn from(scalar: Scalar) -> Self {
        scalar.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_read_as_they_are_written() {
        for text in ["margin", "log-probability", "logit:7", "entry:12", "energy", "sum"] {
            assert_eq!(text.parse::<Scalar>().unwrap().to_string(), text);
        }
        for wrong in ["", "logit", "logit:", "logit:-1", "top", "entry:x", "margin:1"] {
            assert!(wrong.parse::<Scalar>().unwrap_err().contains("entry:INDEX"), "{wrong}");
        }
    }
}
