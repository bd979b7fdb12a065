//! What a study measures: STUDY.toml as it is written, and the networks and sets of images that it lists.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::measure::Measure;
use crate::input::{LabelSource, listed_images};

/// Why a study cannot be.
#[derive(Debug, thiserror::Error)]
pub enum StudyError {
    /// A file cannot be read.
    #[error("{}: it cannot be read: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The study's file is not as it must be.
    #[error("{}: {problem}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
}

/// A study, as STUDY.toml states it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// The networks.
    pub model: Vec<ModelEntry>,
    /// The sets of images.
    pub set: Vec<SetEntry>,
    /// What is measured.
    #[serde(default)]
    pub measure: Measure,
    /// Tables of what is known of networks.
    #[serde(default)]
    pub columns: Vec<ColumnsEntry>,
}

/// Networks: those of a path or pattern, or one of timm.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelEntry {
    /// An ONNX file, or a pattern such as `zoo/*.onnx`, from the folder of STUDY.toml.
    pub path: Option<String>,
    /// A network of timm, exported when its turn comes.
    pub timm: Option<String>,
    /// What the network is called [default: the file's name without its extension].
    pub name: Option<String>,
    /// What it is grouped under [default: what stands before the first digit of its name].
    pub family: Option<String>,
    /// How photos become its input [default: what the model's metadata says, else imagenet].
    pub preprocess: Option<String>,
    /// What is added to the class of an image to get the network's: 1 where its class 0 is background.
    #[serde(default)]
    pub class_offset: i64,
    /// The shape of the input, where the model leaves it open.
    pub input_shape: Option<Vec<i64>>,
    /// Columns of one's own: numbers or texts.
    #[serde(default)]
    pub columns: BTreeMap<String, ColumnValue>,
}

/// What stands in a column of one's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ColumnValue {
    /// A number.
    Number(f64),
    /// Words.
    Text(String),
}

/// A set of images.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetEntry {
    /// What it is called.
    pub name: String,
    /// Photos, folders of them (searched with the folders in them), and lists (.txt, .csv) of photos.
    pub images: Vec<PathBuf>,
    /// `folders`, or a list of images and classes.
    pub labels: Option<String>,
    /// What the first class is called there.
    #[serde(default)]
    pub first_label: i64,
    /// So many of the images alone, drawn by `seed`.
    pub limit: Option<usize>,
    /// The seed of that.
    #[serde(default)]
    pub seed: u64,
    /// What it is to the networks.
    #[serde(default)]
    pub role: Role,
}

/// What a set of images is to the networks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Images as those that the networks were trained on, but not these.
    #[default]
    Test,
    /// Images that they were trained on.
    Train,
    /// Other images.
    OutOfDistribution,
}

impl Role {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Train => "train",
            Self::OutOfDistribution => "out-of-distribution",
        }
    }
}

/// A table of what is known of networks, such as timm's results.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnsEntry {
    /// A CSV file with a first line that names the columns.
    pub file: PathBuf,
    /// The column that has the networks' names [default: the first].
    pub key: Option<String>,
    /// The columns that are taken [default: all others].
    pub take: Option<Vec<String>>,
}

impl SetEntry {
    /// What changes its images, in a line.
    pub fn setting(&self) -> String {
        let images = self.images.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
        let mut parts = vec![images, self.role.name().to_owned()];
        if let Some(labels) = &self.labels {
            parts.push(format!("labels {labels} from {}", self.first_label));
        }
        parts.extend(self.limit.map(|limit| format!("{limit} drawn by seed {}", self.seed)));
        parts.join("; ")
    }

    /// Where its classes come from.
    pub fn label_source(&self, folder: &Path) -> Option<LabelSource> {
        let labels = self.labels.as_ref()?;
        Some(if labels == "folders" { LabelSource::Folders } else { LabelSource::File(folder.join(labels)) })
    }

    /// Its files and folders, from the folder of STUDY.toml; lists are read.
    ///
    /// # Errors
    /// A list cannot be read.
    pub fn paths(&self, folder: &Path) -> Result<Vec<PathBuf>, StudyError> {
        let mut paths = Vec::new();
        for path in &self.images {
            let path = folder.join(path);
            let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
            match extension.as_deref() {
                Some("txt" | "csv") => {
                    let problem = |error: crate::input::InputError| StudyError::Wrong {
                        path: path.clone(),
                        problem: error.to_string(),
                    };
                    paths.extend(listed_images(&path).map_err(problem)?);
                }
                _ => paths.push(path),
            }
        }
        Ok(paths)
    }
}

impl Study {
    /// Reads STUDY.toml.
    ///
    /// # Errors
    /// It cannot be read, is no TOML, has a key that is none, or says what cannot be.
    pub fn read(path: &Path) -> Result<Self, StudyError> {
        let text = fs::read_to_string(path).map_err(|source| StudyError::Read { path: path.to_owned(), source })?;
        let wrong = |problem: String| StudyError::Wrong { path: path.to_owned(), problem };
        let study: Self = toml::from_str(&text).map_err(|error| {
            let place = error.span().map_or_else(String::new, |span| {
                format!("line {}: ", text[..span.start.min(text.len())].matches('\n').count() + 1)
            });
            wrong(format!("{place}{}", error.message()))
        })?;
        study.check().map_err(wrong)?;
        Ok(study)
    }

    fn check(&self) -> Result<(), String> {
        if self.measure.combinations()?.is_empty() || self.measure.derivatives.is_empty() {
            return Err("measure: generators and derivatives must not be empty".to_owned());
        }
        self.measure.check_layers().map_err(|problem| format!("measure.layers: {problem}"))?;
        let mut names = BTreeSet::new();
        for set in &self.set {
            if !names.insert(&set.name) {
                return Err(format!("two sets are called '{}'; give each a name of its own", set.name));
            }
            if set.images.is_empty() || set.limit == Some(0) {
                return Err(format!("the set '{}' has no images", set.name));
            }
        }
        for model in &self.model {
            let said = model.name.as_ref().or(model.path.as_ref()).or(model.timm.as_ref());
            let said = said.map_or("a model", String::as_str);
            if model.path.is_some() == model.timm.is_some() {
                return Err(format!("{said}: give either path or timm"));
            }
        }
        if self.set.is_empty() || self.model.is_empty() {
            return Err("a study needs at least one [[model]] and one [[set]]".to_owned());
        }
        Ok(())
    }
}
