//! What is kept of one network's training.

use std::path::Path;

use aliascope::measure::lee_report::LeeReport;
use aliascope::report::{OutputFile, json_bytes};
use serde::{Deserialize, Serialize};

use super::Problem;
use super::recipe::Recipe;

/// After an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Mean loss over the epoch's steps, its LEE term included.
    pub loss: f64,
    /// The share of test images that are classified wrongly.
    pub test_error: f64,
    /// LEE of the softmax along the study's generator on the first test images: the mean, which a single image can make.
    pub lee: f64,
    /// The same as a geometric mean; none where an image has none.
    pub lee_geometric: Option<f64>,
    /// Fisher LEE in nats, geometric mean.
    pub fisher: Option<f64>,
}

/// One trained network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trained {
    /// How it was trained.
    pub recipe: Recipe,
    /// The images, in words: a record of others is not taken up.
    pub images: String,
    /// How many numbers training changed.
    pub parameters: usize,
    /// Epoch by epoch.
    pub epochs: Vec<Epoch>,
    /// The processor's time of training and measuring, in seconds of the clock.
    pub seconds: f64,
    /// The last network's LEE on the test images.
    pub lee: LeeReport,
}

impl Trained {
    /// The record in a file; none where there is none, or it is of another recipe or other images.
    pub fn read(path: &Path, recipe: &Recipe, images: &str) -> Option<Self> {
        let record: Self = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        (record.recipe == *recipe && record.images == images).then_some(record)
    }

    /// The record in a file, of whatever recipe; none where there is no file.
    ///
    /// # Errors
    /// The file is no record, or one of other images.
    pub fn kept(path: &Path, images: &str) -> Result<Option<Self>, Problem> {
        let Ok(bytes) = std::fs::read(path) else { return Ok(None) };
        let record: Self = serde_json::from_slice(&bytes).map_err(|error| format!("{}: {error}", path.display()))?;
        if record.images != images {
            return Err(
                format!("{}: it was trained on {}, and these are {images}", path.display(), record.images).into()
            );
        }
        Ok(Some(record))
    }

    /// Writes the record, whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Problem> {
        Ok(OutputFile::claim(path, true)?.write_bytes(&json_bytes(self)?)?)
    }

    /// After the last epoch.
    pub fn last(&self) -> Option<&Epoch> {
        self.epochs.last()
    }
}
