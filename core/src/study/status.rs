//! How far a study is: what `aliascope survey status` returns.

use serde::{Deserialize, Serialize};

use super::failure::FailureRow;
use super::store::Store;
use super::store_error::StoreError;
use crate::measure::run::Origin;

/// The version of [`StudyStatus`]'s JSON; it grows when a field changes its meaning or goes away.
pub const STATUS_SCHEMA_VERSION: u32 = 1;

/// How far a study is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StudyStatus {
    /// [`STATUS_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Who asked, and when.
    #[serde(flatten)]
    pub origin: Origin,
    /// The store.
    pub store: String,
    /// How many images all sets have together.
    pub images: usize,
    /// The generators whose error is attributed to layers, where there are any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub layers: Option<String>,
    /// The networks, in the order in which they are measured.
    pub networks: Vec<NetworkStatus>,
    /// What failed, in sentences.
    pub failures: Vec<String>,
}

/// How far a network is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkStatus {
    /// Its name.
    pub name: String,
    /// What it is grouped under.
    pub family: String,
    /// How many images it was measured on.
    pub measured: usize,
    /// How many of its images or itself failed.
    pub failures: usize,
    /// The mean milliseconds of an image; null before the first.
    pub milliseconds: Option<f64>,
}

impl StudyStatus {
    /// Looks at a store.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn of(store: &Store, origin: Origin) -> Result<Self, StoreError> {
        let query = "SELECT name, family, (SELECT COUNT(*) FROM measured WHERE network = n.id),
             (SELECT COUNT(*) FROM failure WHERE network = n.name),
             (SELECT AVG(milliseconds) FROM measured WHERE network = n.id) FROM network n ORDER BY id";
        let networks = store.rows(query, |row| {
            Ok(NetworkStatus {
                name: row.get(0)?,
                family: row.get(1)?,
                measured: row.get::<_, i64>(2)? as usize,
                failures: row.get::<_, i64>(3)? as usize,
                milliseconds: row.get(4)?,
            })
        })?;
        let images = store.rows("SELECT COUNT(*) FROM image", |row| row.get::<_, i64>(0))?;
        Ok(Self {
            schema_version: STATUS_SCHEMA_VERSION,
            origin,
            store: store.path().display().to_string(),
            layers: store.settings()?.remove("measure.layers"),
            images: images.first().map_or(0, |count| *count as usize),
            networks,
            failures: store.failures()?.iter().map(FailureRow::sentence).collect(),
        })
    }

    /// Measurements that are there, and all that are to be.
    pub fn measured(&self) -> (usize, usize) {
        (self.networks.iter().map(|network| network.measured).sum(), self.networks.len() * self.images)
    }

    /// Seconds that are left, by what images took so far: of a network that has not begun, the mean over all. None before the
    /// first.
    pub fn seconds_left(&self) -> Option<f64> {
        let known: Vec<f64> = self.networks.iter().filter_map(|network| network.milliseconds).collect();
        let usual = known.iter().sum::<f64>() / known.len() as f64;
        let left = |network: &NetworkStatus| {
            let images = self.images.saturating_sub(network.measured) as f64;
            images * network.milliseconds.unwrap_or(usual)
        };
        (!known.is_empty()).then(|| self.networks.iter().map(left).sum::<f64>() / 1e3)
    }
}
