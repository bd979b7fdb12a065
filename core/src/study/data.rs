//! What a store holds, as arrays of networks and images.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::attributions::{Attribution, attributions};
use super::settings::ColumnValue;
use super::store::Store;
use super::store_error::StoreError;

/// Which Lie derivative: of what, how, and under which generator.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// What comes behind the networks' outputs.
    pub output: String,
    /// How ∇ was taken.
    pub derivative: String,
    /// The generator.
    pub generator: String,
}

/// A network.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Its place in the store.
    pub id: i64,
    /// What is known of it.
    pub about: AboutNetwork,
}

/// What is known of a network beside its measurements.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AboutNetwork {
    /// Its name.
    pub name: String,
    /// What it is grouped under.
    pub family: String,
    /// Its file, or `timm:NAME`.
    pub origin: String,
    /// The hashes of its files; null where it was never loaded.
    pub sha256: Option<String>,
    /// How many numbers it has learned.
    pub parameters: Option<u64>,
    /// How photos become its input.
    pub preprocess: Option<String>,
    /// Columns of one's own.
    pub columns: BTreeMap<String, ColumnValue>,
}

/// A set of images.
#[derive(Clone, Debug, PartialEq)]
pub struct Set {
    /// Its name.
    pub name: String,
    /// What it is to the networks.
    pub role: String,
    /// Its images' places in the store and names, in the order of names.
    pub images: Vec<(i64, String)>,
    /// How many have a class.
    pub labelled: usize,
}

/// Values of one network on the images of a set; NaN where one is missing.
pub type ByImage = Vec<f64>;

/// A study's results.
#[derive(Clone, Debug, Default)]
pub struct StudyData {
    /// The networks, in the order in which they were entered.
    pub networks: Vec<Network>,
    /// The sets, in that order.
    pub sets: Vec<Set>,
    /// What was measured, in the order of outputs, derivatives and generators as they come.
    pub keys: Vec<Key>,
    /// By set, key and network.
    pub lee: Vec<Vec<Vec<ByImage>>>,
    /// ‖A x‖²/dim, in the same order.
    pub energy: Vec<Vec<Vec<ByImage>>>,
    /// By set and network: 1 where the class is right, 0 where it is not.
    pub right: Vec<Vec<ByImage>>,
    /// By set and network: what an image took, in milliseconds.
    pub milliseconds: Vec<Vec<ByImage>>,
    /// Other metrics, by name, set and network.
    pub metrics: IndexMap<String, Vec<Vec<ByImage>>>,
    /// Errors attributed to layers.
    pub attributions: Vec<Attribution>,
}

impl StudyData {
    /// Reads all of a store.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(store: &Store) -> Result<Self, StoreError> {
        let (networks, sets) = (networks(store)?, sets(store)?);
        let place: BTreeMap<i64, usize> = networks.iter().enumerate().map(|(at, network)| (network.id, at)).collect();
        let mut image: BTreeMap<i64, (usize, usize)> = BTreeMap::new();
        for (set, of) in sets.iter().enumerate() {
            image.extend(of.images.iter().enumerate().map(|(at, (id, _))| (*id, (set, at))));
        }
        let empty = || -> Vec<Vec<ByImage>> {
            sets.iter().map(|set| vec![vec![f64::NAN; set.images.len()]; networks.len()]).collect()
        };
        let mut data = Self { right: empty(), milliseconds: empty(), ..Self::default() };
        let listed = |name: &str| -> Result<Vec<String>, StoreError> {
            let settings = store.settings()?;
            let value = settings.get(name).map_or("", String::as_str);
            Ok(value.split(", ").map(str::to_owned).collect())
        };
        let keys = store.rows("SELECT DISTINCT output, derivative, generator FROM lee", |row| {
            Ok(Key { output: row.get(0)?, derivative: row.get(1)?, generator: row.get(2)? })
        })?;
        // As STUDY.toml has them: what it names first counts as what was meant.
        let [outputs, derivatives, generators] =
            ["outputs", "derivatives", "generators"].map(|name| listed(&format!("measure.{name}")));
        let (outputs, derivatives, generators) = (outputs?, derivatives?, generators?);
        let rank = |list: &[String], name: &String| list.iter().position(|known| known == name).unwrap_or(list.len());
        let mut keys = keys;
        keys.sort_by_key(|key| {
            let of =
                [rank(&outputs, &key.output), rank(&derivatives, &key.derivative), rank(&generators, &key.generator)];
            (of, key.clone())
        });
        let key_place: BTreeMap<Key, usize> = keys.iter().cloned().enumerate().map(|(at, key)| (key, at)).collect();
        let by_key = || -> Vec<Vec<Vec<ByImage>>> {
            let of = |set: &Set| vec![vec![vec![f64::NAN; set.images.len()]; networks.len()]; keys.len()];
            sets.iter().map(of).collect()
        };
        let (mut lee, mut energy) = (by_key(), by_key());
        let found = |network: i64, id: i64| Some((*place.get(&network)?, *image.get(&id)?));
        let query = "SELECT network, image, output, derivative, generator, lee, input_energy FROM lee";
        store.rows(query, |row| {
            let key = Key { output: row.get(2)?, derivative: row.get(3)?, generator: row.get(4)? };
            if let (Some((network, (set, at))), Some(&key)) = (found(row.get(0)?, row.get(1)?), key_place.get(&key)) {
                lee[set][key][network][at] = row.get(5)?;
                energy[set][key][network][at] = row.get(6)?;
            }
            Ok(())
        })?;
        store.rows("SELECT network, image, is_right FROM prediction WHERE is_right IS NOT NULL", |row| {
            if let Some((network, (set, at))) = found(row.get(0)?, row.get(1)?) {
                data.right[set][network][at] = f64::from(u8::from(row.get::<_, bool>(2)?));
            }
            Ok(())
        })?;
        store.rows("SELECT network, image, milliseconds FROM measured", |row| {
            if let Some((network, (set, at))) = found(row.get(0)?, row.get(1)?) {
                data.milliseconds[set][network][at] = row.get(2)?;
            }
            Ok(())
        })?;
        store.rows("SELECT network, image, metric, value FROM metric ORDER BY metric", |row| {
            if let Some((network, (set, at))) = found(row.get(0)?, row.get(1)?) {
                data.metrics.entry(row.get(2)?).or_insert_with(&empty)[set][network][at] = row.get(3)?;
            }
            Ok(())
        })?;
        let in_set = |network: i64, id: i64| found(network, id).map(|(network, (set, _))| (network, set));
        let attributions = attributions(store, in_set, &listed("measure.layers")?)?;
        Ok(Self { networks, sets, keys, lee, energy, attributions, ..data })
    }

    /// The networks' families as numbers, in the order of their first networks, and their names.
    pub fn families(&self) -> (Vec<usize>, Vec<String>) {
        let mut names: Vec<String> = Vec::new();
        let of = |network: &Network| match names.iter().position(|name| *name == network.about.family) {
            Some(at) => at,
            None => {
                names.push(network.about.family.clone());
                names.len() - 1
            }
        };
        (self.networks.iter().map(of).collect(), names)
    }
}

/// The networks that have values, and the images on which all of these have them: of the networks with at least half as many
/// images as the one with most.
pub fn complete(values: &[ByImage]) -> (Vec<usize>, Vec<usize>) {
    let count = |values: &ByImage| values.iter().filter(|value| value.is_finite()).count();
    let most = values.iter().map(count).max().unwrap_or(0);
    let networks: Vec<usize> = (0..values.len()).filter(|at| most > 0 && 2 * count(&values[*at]) >= most).collect();
    let images = values.first().map_or(0, Vec::len);
    let all = |image: &usize| networks.iter().all(|network| values[*network][*image].is_finite());
    let images = (0..images).filter(|image| !networks.is_empty() && all(image)).collect();
    (networks, images)
}

/// Rows and columns of values at these places.
pub fn picked(values: &[ByImage], networks: &[usize], images: &[usize]) -> Vec<ByImage> {
    networks.iter().map(|network| images.iter().map(|image| values[*network][*image]).collect()).collect()
}

fn networks(store: &Store) -> Result<Vec<Network>, StoreError> {
    let query = "SELECT id, name, family, origin, sha256, parameters, preprocess FROM network ORDER BY id";
    let mut networks = store.rows(query, |row| {
        Ok(Network {
            id: row.get(0)?,
            about: AboutNetwork {
                name: row.get(1)?,
                family: row.get(2)?,
                origin: row.get(3)?,
                sha256: row.get(4)?,
                parameters: row.get::<_, Option<i64>>(5)?.and_then(|count| u64::try_from(count).ok()),
                preprocess: row.get(6)?,
                columns: BTreeMap::new(),
            },
        })
    })?;
    let columns = store.rows("SELECT network, name, number, words FROM network_column", |row| {
        let value = match row.get::<_, Option<f64>>(2)? {
            Some(number) => ColumnValue::Number(number),
            None => ColumnValue::Text(row.get::<_, Option<String>>(3)?.unwrap_or_default()),
        };
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, value))
    })?;
    for (id, name, value) in columns {
        if let Some(network) = networks.iter_mut().find(|network| network.id == id) {
            network.about.columns.insert(name, value);
        }
    }
    Ok(networks)
}

fn sets(store: &Store) -> Result<Vec<Set>, StoreError> {
    let listed = store.rows("SELECT id, name, role FROM image_set ORDER BY id", |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
    })?;
    let mut sets = Vec::new();
    for (id, name, role) in listed {
        let query = format!("SELECT id, name, label IS NOT NULL FROM image WHERE image_set = {id} ORDER BY name");
        let images =
            store.rows(&query, |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, bool>(2)?)))?;
        let labelled = images.iter().filter(|(.., labelled)| *labelled).count();
        sets.push(Set { name, role, images: images.into_iter().map(|(id, name, _)| (id, name)).collect(), labelled });
    }
    Ok(sets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_left_out_as_networks_or_as_images() {
        let gone = f64::NAN;
        let values = vec![vec![1.0, 2.0, 3.0, 4.0], vec![1.0, gone, 3.0, 4.0], vec![gone, gone, gone, 4.0]];
        assert_eq!(complete(&values), (vec![0, 1], vec![0, 2, 3]));
        assert_eq!(picked(&values, &[1], &[0, 3]), [[1.0, 4.0]]);
        assert_eq!(complete(&[vec![gone; 3]]), (vec![], vec![]));
        assert_eq!(complete(&[]), (vec![], vec![]));
    }
}
