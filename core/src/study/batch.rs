//! What was found of networks on images, on its way into a store.

use rusqlite::{Transaction, params};

use super::failure::forget;
use crate::measure::layers_report::LayerClass;

/// A row of an image's Lie derivatives.
#[derive(Clone, Debug, PartialEq)]
pub struct LeeRow {
    /// What comes behind the network's output.
    pub output: String,
    /// How ∇ was taken.
    pub derivative: String,
    /// The generator.
    pub generator: String,
    /// ‖L‖²/dim, or Fisher LEE.
    pub lee: f64,
    /// Mean |L|; none of Fisher LEE.
    pub mean_abs: Option<f64>,
    /// ‖A x‖²/dim(x).
    pub input_energy: f64,
}

/// An image's error under a generator, attributed to the network's layers.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributionRow {
    /// The generator.
    pub generator: String,
    /// What comes behind the network's output.
    pub output: String,
    /// How ∇ was taken.
    pub derivative: String,
    /// ‖L‖²/dim.
    pub lee: f64,
    /// What rounding may leave of it.
    pub rounding: f64,
    /// ‖Σ J δ − L‖ over the size of what cancels in it.
    pub residual: f64,
    /// The layers that make errors, in graph order.
    pub layers: Vec<LayerRow>,
}

impl AttributionRow {
    /// Whether all of its numbers are finite.
    pub fn is_finite(&self) -> bool {
        let whole = [self.lee, self.rounding, self.residual].into_iter();
        whole.chain(self.layers.iter().flat_map(|layer| [layer.contribution, layer.signed])).all(f64::is_finite)
    }
}

/// What a layer makes of it.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerRow {
    /// Its name.
    pub name: String,
    /// What it is.
    pub class: LayerClass,
    /// ‖J δ‖²/dim.
    pub contribution: f64,
    /// ⟨J δ, L⟩/dim: over all layers it adds up to ‖L‖²/dim.
    pub signed: f64,
}

/// What was found of one network on one image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Lie derivatives.
    pub lee: Vec<LeeRow>,
    /// Errors attributed to layers.
    pub attributions: Vec<AttributionRow>,
    /// The class with the largest score.
    pub class: Option<usize>,
    /// Other metrics by name.
    pub metrics: Vec<(String, f64)>,
    /// What it took.
    pub milliseconds: f64,
}

/// What has been found and is not yet written.
#[derive(Debug, Default)]
pub struct Batch {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    network: i64,
    image: i64,
    network_name: String,
    image_set: String,
    image_name: String,
    hash: String,
    is_right: Option<bool>,
    found: Found,
}

/// An image in a store.
#[derive(Clone, Debug)]
pub struct ImagePlace<'a> {
    /// Its place.
    pub id: i64,
    /// Its set's name.
    pub set: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The hash of its bytes.
    pub hash: &'a str,
}

impl Batch {
    /// Adds what was found of a network on an image.
    pub fn push(&mut self, network: (i64, &str), image: &ImagePlace<'_>, is_right: Option<bool>, found: Found) {
        self.entries.push(Entry {
            network: network.0,
            image: image.id,
            network_name: network.1.to_owned(),
            image_set: image.set.to_owned(),
            image_name: image.name.to_owned(),
            hash: image.hash.to_owned(),
            is_right,
            found,
        });
    }

    /// How many rows it will be.
    pub fn rows(&self) -> usize {
        let of = |found: &Found| {
            let layers: usize = found.attributions.iter().map(|attribution| 1 + attribution.layers.len()).sum();
            2 + found.lee.len() + found.metrics.len() + layers
        };
        self.entries.iter().map(|entry| of(&entry.found)).sum()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Writes all of it within a transaction of a run.
    pub(super) fn write(&self, transaction: &Transaction<'_>, run: i64) -> rusqlite::Result<()> {
        let mut lee = transaction.prepare_cached("INSERT INTO lee VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
        let mut attribution =
            transaction.prepare_cached("INSERT INTO attribution VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
        let mut layer = transaction.prepare_cached("INSERT INTO layer VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
        let mut metric = transaction.prepare_cached("INSERT INTO metric VALUES (?1, ?2, ?3, ?4)")?;
        let mut prediction = transaction.prepare_cached("INSERT INTO prediction VALUES (?1, ?2, ?3, ?4)")?;
        let mut measured = transaction.prepare_cached("INSERT INTO measured VALUES (?1, ?2, ?3, ?4)")?;
        let mut image = transaction.prepare_cached("UPDATE image SET sha256 = ?2 WHERE id = ?1")?;
        for entry in &self.entries {
            let Entry { network, image: of, found, .. } = entry;
            for row in &found.lee {
                let LeeRow { output, derivative, generator, lee: value, mean_abs, input_energy } = row;
                lee.execute(params![network, of, output, derivative, generator, value, mean_abs, input_energy])?;
            }
            for row in &found.attributions {
                let AttributionRow { generator, output, derivative, lee, rounding, residual, layers } = row;
                attribution.execute(params![network, of, generator, output, derivative, lee, rounding, residual])?;
                for (place, row) in layers.iter().enumerate() {
                    let LayerRow { name, class, contribution, signed } = row;
                    let place = place as i64;
                    layer.execute(params![network, of, generator, place, name, class.name(), contribution, signed])?;
                }
            }
            for (name, value) in &found.metrics {
                metric.execute(params![network, of, name, value])?;
            }
            let class = found.class.map(|class| class as i64);
            prediction.execute(params![network, of, class, entry.is_right])?;
            measured.execute(params![network, of, run, found.milliseconds])?;
            image.execute(params![of, entry.hash])?;
            forget(transaction, Some(&entry.network_name), Some(&entry.image_set), Some(&entry.image_name))?;
            forget(transaction, None, Some(&entry.image_set), Some(&entry.image_name))?;
        }
        Ok(())
    }
}
