//! Names that a user types, and what to suggest when one is not known.

use std::fmt;

/// A name that is not one of a fixed list; its message lists the nearest ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownName {
    /// What was to be named, such as `scheme`.
    pub what: &'static str,
    /// What was given.
    pub given: String,
    /// Known names near to it, nearest first; all of them where none is near.
    pub suggestions: Vec<String>,
    /// Whether the suggestions are near to what was given, rather than the whole list.
    pub near: bool,
}

impl UnknownName {
    /// An unknown name, with the names of `known` that lie near it by Jaro–Winkler similarity.
    pub fn new(what: &'static str, given: &str, known: &[&str]) -> Self {
        /// Below this, a suggestion is more puzzling than the whole list.
        const NEAR: f64 = 0.7;
        /// And this far behind the nearest one, it is not what was meant.
        const BEHIND: f64 = 0.1;
        let folded = given.to_lowercase();
        let mut scored: Vec<(f64, &str)> = known
            .iter()
            .map(|name| (strsim::jaro_winkler(&folded, name), *name))
            .filter(|(score, _)| *score >= NEAR)
            .collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0));
        let best = scored.first().map_or(0.0, |(score, _)| *score);
        scored.retain(|(score, _)| *score >= best - BEHIND);
        let near = !scored.is_empty();
        let suggestions = if near {
            scored.iter().take(3).map(|(_, name)| (*name).to_owned()).collect()
        } else {
            known.iter().map(|name| (*name).to_owned()).collect()
        };
        Self { what, given: shortened(given), suggestions, near }
    }
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, given, suggestions, near } = self;
        let lead = if *near { "did you mean" } else { "the known ones are" };
        let mark = if *near { "?" } else { "" };
        write!(f, "unknown {what} '{given}'; {lead} {}{mark}", suggestions.join(", "))
    }
}

impl std::error::Error for UnknownName {}

/// At most 60 characters of what was typed, so that a message stays one sentence.
fn shortened(given: &str) -> String {
    const LONGEST: usize = 60;
    if given.chars().count() <= LONGEST {
        return given.to_owned();
    }
    given.chars().take(LONGEST).chain(['…']).collect()
}
