//! Errors attributed to layers, image by image, as a store has them.

use std::collections::BTreeMap;

use rusqlite::types::Type;

use super::store::Store;
use super::store_error::StoreError;
use crate::measure::layers_report::LayerClass;

/// The error of a network on a set of images under a generator, attributed to layers; image by image in the order of names, of
/// those images that were measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attribution {
    /// The network's place among the study's.
    pub network: usize,
    /// The set's.
    pub set: usize,
    /// What comes behind the network's output.
    pub output: String,
    /// How ∇ was taken.
    pub derivative: String,
    /// The generator.
    pub generator: String,
    /// ‖L‖²/dim.
    pub lee: Vec<f64>,
    /// What rounding may leave of it.
    pub rounding: Vec<f64>,
    /// ‖Σ J δ − L‖ over the size of what cancels in it.
    pub residual: Vec<f64>,
    /// The layers that make errors, in graph order.
    pub layers: Vec<LayerByImage>,
}

/// What a layer makes of it.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerByImage {
    /// Its name.
    pub name: String,
    /// What it is.
    pub class: LayerClass,
    /// ‖J δ‖²/dim.
    pub contribution: Vec<f64>,
    /// ⟨J δ, L⟩/dim.
    pub signed: Vec<f64>,
}

/// Reads them, network by network, set by set, generators as they are listed; `found` gives the places of a network and of an
/// image's set.
pub(super) fn attributions(
    store: &Store,
    found: impl Fn(i64, i64) -> Option<(usize, usize)>,
    generators: &[String],
) -> Result<Vec<Attribution>, StoreError> {
    let mut all: BTreeMap<(usize, usize, usize, String), Attribution> = BTreeMap::new();
    let key = |row: &rusqlite::Row<'_>| -> rusqlite::Result<Option<(usize, usize, usize, String)>> {
        let generator: String = row.get(2)?;
        let rank = generators.iter().position(|known| *known == generator).unwrap_or(generators.len());
        Ok(found(row.get(0)?, row.get(1)?).map(|(network, set)| (network, set, rank, generator)))
    };
    let query = "SELECT a.network, a.image, a.generator, a.output, a.derivative, a.lee, a.rounding, a.residual
         FROM attribution a JOIN image i ON i.id = a.image ORDER BY a.network, i.image_set, a.generator, i.name";
    store.rows(query, |row| {
        let Some(key) = key(row)? else { return Ok(()) };
        let (network, set, _, generator) = key.clone();
        let attribution =
            all.entry(key).or_insert_with(|| Attribution { network, set, generator, ..Default::default() });
        (attribution.output, attribution.derivative) = (row.get(3)?, row.get(4)?);
        attribution.lee.push(row.get(5)?);
        attribution.rounding.push(row.get(6)?);
        attribution.residual.push(row.get(7)?);
        Ok(())
    })?;
    let query = "SELECT l.network, l.image, l.generator, l.place, l.name, l.class, l.contribution, l.signed
         FROM layer l JOIN image i ON i.id = l.image ORDER BY l.network, i.image_set, l.generator, l.place, i.name";
    store.rows(query, |row| {
        let Some(attribution) = key(row)?.and_then(|key| all.get_mut(&key)) else { return Ok(()) };
        // Places are counted from 0, the same layers on every image.
        if row.get::<_, i64>(3)? >= attribution.layers.len() as i64 {
            let (name, class) = (row.get(4)?, class(row, 5)?);
            attribution.layers.push(LayerByImage { name, class, contribution: Vec::new(), signed: Vec::new() });
        }
        if let Some(layer) = attribution.layers.last_mut() {
            layer.contribution.push(row.get(6)?);
            layer.signed.push(row.get(7)?);
        }
        Ok(())
    })?;
    Ok(all.into_values().collect())
}

fn class(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<LayerClass> {
    let name: String = row.get(at)?;
    let known = LayerClass::ALL.into_iter().find(|class| class.name() == name);
    let problem = || format!("'{name}' is no class of layers").into();
    known.ok_or_else(|| rusqlite::Error::FromSqlConversionFailure(at, Type::Text, problem()))
}
