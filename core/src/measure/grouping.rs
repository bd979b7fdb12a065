//! What a layer is, and how layers' contributions are found.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How nodes are grouped into layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Grouping {
    /// Every node is a layer.
    Node,
    /// Nodes of one module path, cut after so many parts.
    Module(Option<usize>),
    /// All nodes of one class.
    Type,
}

impl FromStr for Grouping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "node" => Ok(Self::Node),
            None if text == "module" => Ok(Self::Module(None)),
            None if text == "type" => Ok(Self::Type),
            Some(("module", depth)) => match depth.parse() {
                Ok(depth) if depth > 0 => Ok(Self::Module(Some(depth))),
                _ => Err(format!("'{depth}' is no depth; write module:2")),
            },
            _ => Err("known are node, module, module:DEPTH and type".to_owned()),
        }
    }
}

impl fmt::Display for Grouping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node => f.write_str("node"),
            Self::Module(None) => f.write_str("module"),
            Self::Module(Some(depth)) => write!(f, "module:{depth}"),
            Self::Type => f.write_str("type"),
        }
    }
}

impl Grouping {
    /// What a layer is, in words.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Module(_) => "module",
            Self::Type => "class of nodes",
        }
    }
}

/// How contributions are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Estimator {
    /// Exactly.
    #[default]
    Exact,
    /// By so many random probes in reverse mode.
    Probes(usize),
}

impl fmt::Display for Estimator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact => f.pad("exact"),
            Self::Probes(count) => write!(f, "probes={count}"),
        }
    }
}

impl FromStr for Estimator {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            None if text == "exact" => Ok(Self::Exact),
            Some(("probes", count)) => match count.parse() {
                Ok(count) if (2..=1_000_000).contains(&count) => Ok(Self::Probes(count)),
                _ => Err(format!("'{count}' is no number of probes; write probes=100")),
            },
            _ => Err("known are exact, probes=N, auto and authors".to_owned()),
        }
    }
}

/// Enums that results hold by their names.
macro_rules! by_name {
    ($($name:ty),*) => {
        $(impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        })*
    };
}
by_name!(Grouping, Estimator);
