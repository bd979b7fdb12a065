//! A claim of the paper, and what the data of a study say of it.

use serde::{Deserialize, Serialize};

use crate::statistics::{Estimate, Interval};

/// A claim, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// What is claimed.
    pub claim: String,
    /// What these data say.
    pub verdict: Finding,
    /// The numbers.
    pub because: String,
}

/// What data say of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// Its interval lies on the side of the claim.
    Supported,
    /// Its interval lies on the other side.
    Contradicted,
    /// Its interval lies on both, or there are no data.
    NotDecided,
}

impl Finding {
    /// As it is said.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Supported => "supported",
            Self::Contradicted => "contradicted",
            Self::NotDecided => "not decided by these data",
        }
    }

    /// Of an estimate that is claimed to lie above a value.
    pub fn above(estimate: Option<&Estimate>, value: f64) -> Self {
        match estimate.and_then(|estimate| estimate.interval) {
            Some(interval) if interval.low > value => Self::Supported,
            Some(interval) if interval.high < value => Self::Contradicted,
            _ => Self::NotDecided,
        }
    }

    /// Of one that is claimed to lie below it.
    pub fn below(estimate: Option<&Estimate>, value: f64) -> Self {
        let turned = estimate.map(|estimate| Estimate {
            value: -estimate.value,
            interval: estimate.interval.map(|i| Interval { low: -i.high, high: -i.low }),
        });
        Self::above(turned.as_ref(), -value)
    }

    /// Supported where all are, contradicted where one is.
    pub fn all(findings: impl IntoIterator<Item = Self>) -> Self {
        let findings: Vec<Self> = findings.into_iter().collect();
        match () {
            () if findings.contains(&Self::Contradicted) => Self::Contradicted,
            () if findings.is_empty() || findings.contains(&Self::NotDecided) => Self::NotDecided,
            () => Self::Supported,
        }
    }
}
