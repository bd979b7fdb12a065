//! What a study measures of every network on every image.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use crate::measure::output::{ActionChoice, Output};
use crate::measure::run::{Precision, Quantised};
use crate::spectrum::differentiation::{Boundary, Scheme};
use crate::symmetry::{Combination, GridKind, Units};

/// What is measured behind a network's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StudyOutput {
    /// LEE of class probabilities.
    Softmax,
    /// LEE of class scores as they are.
    Logits,
    /// LEE of the output as it is, whatever it is.
    Identity,
    /// Fisher LEE of a classifier, LᵀFL in nats, with L of the logits and F = diag p − ppᵀ.
    Fisher,
}

impl StudyOutput {
    /// What comes behind the network's output for it; none to choose that by the output's shape.
    pub const fn behind(self) -> Option<Output> {
        match self {
            Self::Softmax => Some(Output::Softmax),
            Self::Logits => Some(Output::Logits),
            Self::Identity => Some(Output::Identity),
            Self::Fisher => None,
        }
    }
}

impl fmt::Display for StudyOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.behind().map_or("fisher", Output::name))
    }
}

/// What is measured of every network on every image.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Measure {
    /// Generators, for which alone tangents are computed.
    pub generators: Vec<String>,
    /// What is measured behind the networks' outputs; none to choose by their shape.
    pub outputs: Vec<StudyOutput>,
    /// Generators whose error is attributed to the networks' layers, by the first of the outputs that is a Lie derivative and
    /// the first derivative.
    pub layers: Vec<String>,
    /// How ∇ is taken.
    pub derivatives: Vec<Scheme>,
    /// What lies beyond the image's edge.
    pub boundary: Boundary,
    /// How positions are chosen.
    pub grid: GridKind,
    /// The unit of t.
    pub units: Units,
    /// What the group does to the output; none to choose by its shape.
    pub action: Option<ActionChoice>,
    /// The precision of the runs.
    pub precision: Precision,
    /// What happens where a network quantises values that depend on its input.
    pub quantised: Quantised,
    /// Consistency, sample invariance and EQ-T of the networks, by so many random transforms an image; 0 for none.
    pub metric_draws: usize,
    /// The seed of those.
    pub metric_seed: u64,
}

impl Default for Measure {
    fn default() -> Self {
        Self {
            generators: ["translate_x", "translate_y", "rotate", "scale"].map(str::to_owned).to_vec(),
            outputs: Vec::new(),
            layers: Vec::new(),
            derivatives: vec![Scheme::Spectral],
            boundary: Boundary::Reflect,
            grid: GridKind::Tracked,
            units: Units::HalfWidth,
            action: None,
            precision: Precision::F32,
            quantised: Quantised::Refuse,
            metric_draws: 0,
            metric_seed: 0,
        }
    }
}

impl Measure {
    /// Every setting that changes a number, by name.
    pub fn settings(&self) -> BTreeMap<String, String> {
        let listed = |names: Vec<String>| names.join(", ");
        let action = self.action.map_or_else(|| "by shape".to_owned(), |action| action.to_string());
        let outputs = match self.outputs.is_empty() {
            true => "by shape".to_owned(),
            false => listed(self.outputs.iter().map(StudyOutput::to_string).collect()),
        };
        let mut settings = BTreeMap::from([
            ("measure.generators", listed(self.generators.clone())),
            ("measure.outputs", outputs),
            ("measure.derivatives", listed(self.derivatives.iter().map(Scheme::to_string).collect())),
            ("measure.boundary", self.boundary.to_string()),
            ("measure.grid", self.grid.to_string()),
            ("measure.units", self.units.to_string()),
            ("measure.action", action),
            ("measure.precision", self.precision.to_string()),
            ("measure.metric_draws", self.metric_draws.to_string()),
        ]);
        if self.metric_draws > 0 {
            settings.insert("measure.metric_seed", self.metric_seed.to_string());
        }
        if !self.layers.is_empty() {
            settings.insert("measure.layers", listed(self.layers.clone()));
        }
        if self.quantised == Quantised::StraightThrough {
            settings.insert("measure.quantised", "straight-through".to_owned());
        }
        settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The generators.
    ///
    /// # Errors
    /// One of them is none, in words.
    pub fn combinations(&self) -> Result<Vec<Combination>, String> {
        combinations(&self.generators)
    }

    /// The generators whose error is attributed to layers.
    ///
    /// # Errors
    /// One of them is none, in words.
    pub fn attributed(&self) -> Result<Vec<Combination>, String> {
        combinations(&self.layers)
    }

    /// Says why not where something is attributed to layers that is not measured.
    pub(super) fn check_layers(&self) -> Result<(), String> {
        let (measured, attributed) = (self.combinations()?, self.attributed()?);
        let is_missing = |of: &&Combination| !measured.iter().any(|known| known.name() == of.name());
        if let Some(other) = attributed.iter().find(is_missing) {
            return Err(format!("{} is none of the generators; add it to measure.generators", other.name()));
        }
        if !attributed.is_empty() && !self.outputs.is_empty() && self.first_output().is_none() {
            return Err(
                "Fisher LEE is not attributed to layers; add \"logits\" or \"softmax\" to measure.outputs".to_owned()
            );
        }
        Ok(())
    }

    /// What comes behind the networks' outputs where one must be chosen; none to choose by their shape.
    pub fn first_output(&self) -> Option<Output> {
        self.outputs.iter().find_map(|output| output.behind())
    }
}

fn combinations(names: &[String]) -> Result<Vec<Combination>, String> {
    let mut found: Vec<Combination> = Vec::new();
    for name in names {
        let all = if name == "all" {
            Combination::all()
        } else {
            vec![name.parse().map_err(|error: crate::symmetry::CombinationError| error.to_string())?]
        };
        for combination in all {
            if !found.iter().any(|known| known.name() == combination.name()) {
                found.push(combination);
            }
        }
    }
    Ok(found)
}
