//! The catalogue of designs as plain data.

use super::kind::{Guarantee, Kind};

/// One line of `--list`.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Listed {
    /// The name.
    pub name: String,
    /// What it takes the place of.
    pub kind: Kind,
    /// What it promises.
    pub guarantee: Guarantee,
    /// Its definition and source.
    pub about: String,
}

/// How a design, or a small family of them, is named.
#[derive(Clone, Debug)]
pub struct Entry {
    /// How the name is written.
    pub form: &'static str,
    /// Names that `all` stands for.
    pub examples: &'static [&'static str],
    /// What may be put in the name.
    pub note: String,
}
