//! What the seeds of each kind of network come to.

use aliascope::number::compact;
use aliascope::report::Rows;
use aliascope::statistics::{mean, standard_error};
use serde::{Deserialize, Serialize};

use super::recipe::Recipe;
use super::record::{Epoch, Trained};

/// A mean over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OverSeeds {
    /// The mean.
    pub mean: f64,
    /// Its standard error; none for one seed.
    pub error: Option<f64>,
}

impl OverSeeds {
    fn of(values: &[f64]) -> Self {
        let mean = mean(values);
        Self { mean, error: standard_error(values, mean) }
    }

    /// `0.123 ± 0.004`.
    pub fn text(self, scale: f64) -> String {
        let error = self.error.map_or(String::new(), |error| format!(" ± {}", compact(error * scale)));
        format!("{}{error}", compact(self.mean * scale))
    }
}

/// After an epoch, over seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The share of test images that are classified wrongly.
    pub test_error: OverSeeds,
    /// log₁₀ of the geometric mean of LEE: the seeds' geometric means have a spread of this size on any scale.
    pub log_lee: Option<OverSeeds>,
}

/// All networks of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kind {
    /// Its name.
    pub name: String,
    /// One of its recipes; the others differ in the seed.
    pub recipe: Recipe,
    /// How many networks there are.
    pub seeds: usize,
    /// What training changed, of each.
    pub parameters: usize,
    /// Epoch by epoch.
    pub points: Vec<Point>,
    /// Per generator of the last measurement: log₁₀ of the geometric mean of softmax LEE, and of Fisher LEE.
    pub generators: Vec<(String, Option<OverSeeds>, Option<OverSeeds>)>,
    /// Seconds of the clock, of one network.
    pub seconds: f64,
}

/// One kind after the other, in the order in which they come first.
pub fn kinds(records: &[Trained]) -> Vec<Kind> {
    let mut names: Vec<String> = Vec::new();
    for record in records {
        if !names.contains(&record.recipe.kind()) {
            names.push(record.recipe.kind());
        }
    }
    names.into_iter().filter_map(|name| kind(name, records)).collect()
}

fn kind(name: String, records: &[Trained]) -> Option<Kind> {
    let own: Vec<&Trained> = records.iter().filter(|record| record.recipe.kind() == name).collect();
    let first = own.first()?;
    // Of all networks, or of none.
    let logs = |of: &dyn Fn(&Trained) -> Option<f64>| {
        let values: Option<Vec<f64>> = own.iter().map(|record| of(record).map(f64::log10)).collect();
        values.map(|values| OverSeeds::of(&values))
    };
    let point = |at: usize| Point {
        test_error: OverSeeds::of(&own.iter().map(|record| record.epochs[at].test_error).collect::<Vec<_>>()),
        log_lee: logs(&|record: &Trained| record.epochs.get(at).and_then(|epoch: &Epoch| epoch.lee_geometric)),
    };
    let generators = first.lee.generators.keys().map(|generator| {
        let lee = |record: &Trained| Some(record.lee.generators.get(generator)?.summary.geometric_mean?.value);
        let fisher =
            |record: &Trained| Some(record.lee.generators.get(generator)?.fisher.as_ref()?.geometric_mean?.value);
        (generator.clone(), logs(&lee), logs(&fisher))
    });
    Some(Kind {
        recipe: first.recipe.clone(),
        seeds: own.len(),
        parameters: first.parameters,
        points: (0..first.epochs.len()).map(point).collect(),
        generators: generators.collect(),
        seconds: mean(&own.iter().map(|record| record.seconds).collect::<Vec<_>>()),
        name,
    })
}

/// A geometric mean over seeds and images with a factor up and down: `0.0123 ×/÷ 1.2`.
fn geometric(of: Option<OverSeeds>) -> String {
    let Some(OverSeeds { mean, error }) = of else { return "–".to_owned() };
    let factor = error.map_or(String::new(), |error| format!(" ×÷{:.2}", 10f64.powf(error)));
    format!("{}{factor}", compact(10f64.powf(mean)))
}

/// A table of at most 80 columns.
pub fn table(kinds: &[Kind], along: &str) -> String {
    let heading = ["network", "parameters", "test error, %", "LEE", "Fisher LEE", "s"].map(str::to_owned);
    let mut rows = vec![heading.to_vec()];
    for kind in kinds {
        let (_, lee, fisher) =
            kind.generators.iter().find(|(name, ..)| name == along).cloned().unwrap_or((String::new(), None, None));
        let error = kind.points.last().map_or(String::new(), |point| point.test_error.text(100.0));
        rows.push(vec![
            kind.name.clone(),
            kind.parameters.to_string(),
            error,
            geometric(lee),
            geometric(fisher),
            format!("{:.0}", kind.seconds),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells =
            row.iter().zip(&widths).enumerate().map(|(at, (cell, &width))| {
                if at == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

/// A row per network and epoch.
pub fn rows(records: &[Trained]) -> Rows {
    let mut rows = Rows::new([
        "network",
        "seed",
        "parameters",
        "epoch",
        "loss",
        "test_error",
        "lee",
        "lee_geometric_mean",
        "fisher_geometric_mean",
    ]);
    for record in records {
        for (at, epoch) in record.epochs.iter().enumerate() {
            rows.push([
                record.recipe.kind().into(),
                (record.recipe.seed as usize).into(),
                record.parameters.into(),
                (at + 1).into(),
                epoch.loss.into(),
                epoch.test_error.into(),
                epoch.lee.into(),
                epoch.lee_geometric.into(),
                epoch.fisher.into(),
            ]);
        }
    }
    rows
}
