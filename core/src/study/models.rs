//! The networks that a study lists.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::settings::{ColumnValue, ColumnsEntry, Study, StudyError};

/// Where a network comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An ONNX file, from the folder of STUDY.toml.
    File(PathBuf),
    /// A network of timm.
    Timm(String),
}

impl Origin {
    /// As it is stored: a path, or `timm:NAME`.
    pub fn stated(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Timm(name) => format!("timm:{name}"),
        }
    }
}

/// A network of a study.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedModel {
    /// What it is called; no two have one name.
    pub name: String,
    /// Where it is.
    pub origin: Origin,
    /// What it is grouped under.
    pub family: String,
    /// How photos become its input, where that is said.
    pub preprocess: Option<String>,
    /// What is added to the class of an image.
    pub class_offset: i64,
    /// Its input's shape, where that is said.
    pub input_shape: Option<Vec<i64>>,
    /// Columns of one's own.
    pub columns: BTreeMap<String, ColumnValue>,
}

impl ListedModel {
    /// What changes its numbers, in a line. From where it counts classes does not: predictions are kept as its own.
    pub fn setting(&self) -> String {
        let mut parts = vec![self.origin.stated()];
        parts.extend(self.preprocess.iter().map(|how| format!("preprocess {how}")));
        parts.extend(self.input_shape.iter().map(|shape| format!("input {shape:?}")));
        parts.join("; ")
    }
}

impl Study {
    /// The networks, patterns written out and columns of tables taken in, in the order in which they are measured.
    ///
    /// # Errors
    /// A pattern finds no file; two networks have one name; a table cannot be read.
    pub fn models(&self, path: &Path) -> Result<Vec<ListedModel>, StudyError> {
        let wrong = |problem: String| StudyError::Wrong { path: path.to_owned(), problem };
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut found: Vec<ListedModel> = Vec::new();
        for entry in &self.model {
            let origins = match (&entry.path, &entry.timm) {
                (Some(pattern), _) => files(folder, pattern).map_err(wrong)?,
                (None, Some(name)) => vec![Origin::Timm(name.clone())],
                (None, None) => Vec::new(),
            };
            if entry.name.is_some() && origins.len() > 1 {
                let problem = format!(
                    "'{}' is the name of {} networks; leave it out",
                    entry.name.as_deref().unwrap_or(""),
                    origins.len()
                );
                return Err(wrong(problem));
            }
            for origin in origins {
                let stem = match &origin {
                    Origin::File(path) => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
                    Origin::Timm(name) => name.clone(),
                };
                let name = entry.name.clone().unwrap_or(stem);
                if let Some(other) = found.iter().find(|other| other.name == name) {
                    if other.origin == origin {
                        // A pattern that comes after what was said of one of its files.
                        continue;
                    }
                    let problem = format!(
                        "{} and {} are both called '{name}'; give one a name",
                        other.origin.stated(),
                        origin.stated()
                    );
                    return Err(wrong(problem));
                }
                found.push(ListedModel {
                    family: entry.family.clone().unwrap_or_else(|| super::comparison::family_of(&name)),
                    name,
                    origin,
                    preprocess: entry.preprocess.clone(),
                    class_offset: entry.class_offset,
                    input_shape: entry.input_shape.clone(),
                    columns: entry.columns.clone(),
                });
            }
        }
        for table in &self.columns {
            take_in(table, folder, &mut found)?;
        }
        Ok(found)
    }
}

/// The files of a pattern, in the order of their names.
fn files(folder: &Path, pattern: &str) -> Result<Vec<Origin>, String> {
    if !pattern.contains(['*', '?', '[']) {
        return Ok(vec![Origin::File(PathBuf::from(pattern))]);
    }
    let escaped = glob::Pattern::escape(&folder.to_string_lossy());
    let whole = Path::new(&escaped).join(pattern);
    let paths = glob::glob(&whole.to_string_lossy()).map_err(|error| format!("'{pattern}' is no pattern: {error}"))?;
    let paths = paths.collect::<Result<Vec<PathBuf>, _>>().map_err(|error| format!("'{pattern}': {error}"))?;
    let mut found: Vec<PathBuf> =
        paths.into_iter().map(|path| path.strip_prefix(folder).map_or(path.clone(), Path::to_owned)).collect();
    found.sort();
    if found.is_empty() {
        return Err(format!("no file is called '{pattern}'"));
    }
    Ok(found.into_iter().map(Origin::File).collect())
}

/// Takes the columns of a table into the networks that it has rows of; what a model's own entry says stays.
fn take_in(entry: &ColumnsEntry, folder: &Path, models: &mut [ListedModel]) -> Result<(), StudyError> {
    let path = folder.join(&entry.file);
    let wrong = |problem: String| StudyError::Wrong { path: path.clone(), problem };
    let mut reader = csv::Reader::from_path(&path).map_err(|error| wrong(error.to_string()))?;
    let head = reader.headers().map_err(|error| wrong(error.to_string()))?.clone();
    let place = |name: &String| {
        head.iter().position(|column| column == name).ok_or_else(|| wrong(format!("there is no column '{name}'")))
    };
    let key = entry.key.as_ref().map_or(Ok(0), place)?;
    let taken: Vec<usize> = match &entry.take {
        Some(names) => names.iter().map(place).collect::<Result<_, _>>()?,
        None => (0..head.len()).filter(|at| *at != key).collect(),
    };
    for record in reader.records() {
        let record = record.map_err(|error| wrong(error.to_string()))?;
        let Some(name) = record.get(key) else { continue };
        let is = |model: &&mut ListedModel| model.name == name || model.origin == Origin::Timm(name.to_owned());
        for model in models.iter_mut().filter(is) {
            for &at in &taken {
                let (Some(column), Some(text)) = (head.get(at), record.get(at)) else { continue };
                if text.is_empty() {
                    continue;
                }
                let value = match text.parse::<f64>() {
                    Ok(number) if number.is_finite() => ColumnValue::Number(number),
                    _ => ColumnValue::Text(text.to_owned()),
                };
                model.columns.entry(column.to_owned()).or_insert(value);
            }
        }
    }
    Ok(())
}
