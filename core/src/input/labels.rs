//! What images show: the class of each, from the names of folders or from a list.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::error::InputError;
use super::source::Frame;

/// Where classes come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelSource {
    /// The name of the folder that an image lies in.
    Folders,
    /// A file of images and classes.
    File(PathBuf),
}

impl FromStr for LabelSource {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(if text == "folders" { Self::Folders } else { Self::File(text.into()) })
    }
}

/// The classes of images, counted from 0 as a network's outputs are.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    by_image: HashMap<String, usize>,
}

/// The most bytes of a list of labels: a line for each of ten million images.
const LARGEST: u64 = 1 << 30;

const FILE_COLUMNS: [&str; 7] = ["file", "filename", "image", "imageid", "image_id", "path", "name"];
const CLASS_COLUMNS: [&str; 7] = ["label", "class", "truelabel", "target", "category", "class_index", "class_id"];

impl Labels {
    /// Reads the classes of `frames`, of which a network has `classes`; the first of them is called `first` in the
    /// source.
    ///
    /// Folders are called by the classes' numbers; or, where there are as many folders as classes, they are the classes
    /// in the order of their names, as `torchvision.datasets.ImageFolder` has them. A file has a line for each image:
    /// its path or the end of it, with or without an extension, and its class, with a comma or blanks between them. A
    /// first line without a number names the columns.
    ///
    /// # Errors
    /// When the file cannot be read or is no such list, a class is none of the network's, folders do not fit the
    /// classes, or no image has a class.
    pub fn read(source: &LabelSource, frames: &[Frame], classes: usize, first: i64) -> Result<Self, InputError> {
        let named: Vec<(String, &Path)> =
            frames.iter().filter_map(|frame| Some((frame.name(), photo(frame)?))).collect();
        let by_image = match source {
            LabelSource::Folders => by_folder(&named, classes, first)?,
            LabelSource::File(path) => by_list(path, &named, classes, first)?,
        };
        Ok(Self { by_image })
    }

    /// The class of an image, where it is known.
    pub fn of(&self, frame: &Frame) -> Option<usize> {
        self.by_image.get(&frame.name()).copied()
    }
}

fn photo(frame: &Frame) -> Option<&Path> {
    match frame {
        Frame::Photo(path) => Some(path),
        Frame::Tensor { .. } => None,
    }
}

fn by_folder(named: &[(String, &Path)], classes: usize, first: i64) -> Result<HashMap<String, usize>, InputError> {
    let wrong = |problem: String| InputError::Labels { source_of: "folders".to_owned(), problem };
    let folder =
        |path: &Path| path.parent().and_then(|p| p.file_name()).map(|name| name.to_string_lossy().into_owned());
    let folders: BTreeSet<String> = named.iter().filter_map(|(_, path)| folder(path)).collect();
    if folders.is_empty() {
        return Err(wrong("no image lies in a folder that could name its class; give a list".to_owned()));
    }
    let numbers: Option<HashMap<&str, i64>> =
        folders.iter().map(|name| Some((name.as_str(), name.parse().ok()?))).collect();
    let number_of = |name: &str| match &numbers {
        Some(numbers) => numbers.get(name).map(|number| number - first),
        None => folders.iter().position(|folder| folder == name).map(|at| at as i64),
    };
    if numbers.is_none() && folders.len() != classes {
        return Err(wrong(format!(
            "there are {} folders of images and {classes} classes, so that the order of names does not tell which is which; \
             call folders by the classes' numbers, or give a list of images and classes",
            folders.len()
        )));
    }
    let mut found = HashMap::new();
    for (name, path) in named {
        let Some(folder) = folder(path) else { continue };
        let class = number_of(&folder).and_then(|class| usize::try_from(class).ok()).filter(|class| *class < classes);
        let class = class.ok_or_else(|| wrong(format!("'{folder}' is {}", no_class(classes, first))))?;
        found.insert(name.clone(), class);
    }
    Ok(found)
}

fn by_list(
    path: &Path,
    named: &[(String, &Path)],
    classes: usize,
    first: i64,
) -> Result<HashMap<String, usize>, InputError> {
    let read = |source| InputError::Read { path: path.to_owned(), source };
    let wrong = |problem: String| InputError::Labels { source_of: path.display().to_string(), problem };
    let metadata = fs::metadata(path).map_err(read)?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        return Err(wrong("this is no list of images and classes; give a text or CSV file, or `folders`".to_owned()));
    }
    let text = String::from_utf8(fs::read(path).map_err(read)?)
        .map_err(|_| wrong("this is no text; give a text or CSV file of images and classes".to_owned()))?;
    let mut classes_of: HashMap<String, usize> = HashMap::new();
    let mut columns = None;
    for (at, fields) in rows(&text).map_err(wrong)? {
        let (file_at, class_at) = *columns.get_or_insert_with(|| heading(&fields).unwrap_or((0, usize::MAX)));
        let field = |column: usize| fields.get(column.min(fields.len().saturating_sub(1))).map_or("", String::as_str);
        let (file, class) = (field(file_at), field(class_at));
        let number: Option<i64> = class.parse().ok();
        // The line that names the columns is none of an image.
        if number.is_none() && classes_of.is_empty() && heading(&fields).is_some() {
            continue;
        }
        let place = format!("line {at}");
        let number = number.ok_or_else(|| {
            wrong(format!("{place}: '{class}' is no class number; a line has an image and its class, such as a.png,7"))
        })?;
        let class = number.checked_sub(first).and_then(|class| usize::try_from(class).ok());
        let class = class
            .filter(|class| *class < classes)
            .ok_or_else(|| wrong(format!("{place}: {number} is {}", no_class(classes, first))))?;
        if classes_of.insert(without_extension(file).to_owned(), class).is_some_and(|other| other != class) {
            return Err(wrong(format!("{place}: '{file}' has two classes; leave one in")));
        }
    }
    let mut found = HashMap::new();
    for (name, path) in named {
        if let Some(class) = ends_of(path).find_map(|end| classes_of.get(without_extension(&end)).copied()) {
            found.insert(name.clone(), class);
        }
    }
    if found.is_empty() {
        let example = named.first().map_or("", |(name, _)| name.as_str());
        return Err(wrong(format!(
            "none of the {} images is in it, such as {example}; its lines begin with an image's path or the end of it",
            named.len()
        )));
    }
    Ok(found)
}

/// The images of a list (text or CSV): the first entry of each line, or that of the column that its first line names, as a path
/// from the list's folder.
///
/// # Errors
/// When the file cannot be read or is no text, or names no image.
pub fn listed_images(path: &Path) -> Result<Vec<PathBuf>, InputError> {
    let wrong =
        |problem: &str| InputError::Labels { source_of: path.display().to_string(), problem: problem.to_owned() };
    let text = fs::read_to_string(path).map_err(|source| InputError::Read { path: path.to_owned(), source })?;
    let rows = rows(&text).map_err(|problem| wrong(&problem))?;
    let named = rows.first().and_then(|(_, fields)| Some((0, heading(fields)?.0)));
    let (column, first) = named.map_or((0, 0), |(_, column)| (column, 1));
    let folder = path.parent().unwrap_or(Path::new(""));
    let images = rows[first.min(rows.len())..].iter().filter_map(|(_, fields)| fields.get(column));
    let images: Vec<PathBuf> = images.filter(|name| !name.is_empty()).map(|name| folder.join(name)).collect();
    if images.is_empty() { Err(wrong("it lists no image; a line has an image's path")) } else { Ok(images) }
}

/// The lines with their numbers, cut into fields: at commas, tabs or semicolons where the first line has them, else
/// before the last blank.
fn rows(text: &str) -> Result<Vec<(u64, Vec<String>)>, String> {
    let start = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
    let Some(separator) = [',', '\t', ';'].into_iter().find(|separator| start.contains(*separator)) else {
        let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty());
        let cut = |line: &str| match line.rsplit_once(char::is_whitespace) {
            Some((file, class)) => vec![file.trim().to_owned(), class.to_owned()],
            None => vec![line.to_owned()],
        };
        return Ok(lines.map(|(at, line)| (at as u64 + 1, cut(line))).collect());
    };
    let mut reader = csv::ReaderBuilder::new();
    reader.has_headers(false).flexible(true).trim(csv::Trim::All).delimiter(separator as u8);
    let rows = reader.from_reader(text.as_bytes()).into_records().map(|record| {
        let record = record.map_err(|error| format!("this is no CSV file ({error})"))?;
        let line = record.position().map_or(0, csv::Position::line);
        Ok((line, record.iter().map(str::to_owned).collect()))
    });
    rows.collect()
}

/// Which columns a first line names as image and class.
fn heading(fields: &[String]) -> Option<(usize, usize)> {
    let at = |known: &[&str]| fields.iter().position(|field| known.contains(&field.to_ascii_lowercase().as_str()));
    Some((at(&FILE_COLUMNS)?, at(&CLASS_COLUMNS)?))
}

/// The path, and what is left of it without its first folders, longest first.
fn ends_of(path: &Path) -> impl Iterator<Item = String> {
    let parts: Vec<String> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    (0..parts.len()).map(move |from| parts[from..].iter().collect::<PathBuf>().to_string_lossy().into_owned())
}

/// A name without its extension: `a/b.png` is `a/b`, whichever of the two a list has.
fn without_extension(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, extension)) if ["png", "jpg", "jpeg"].contains(&extension.to_ascii_lowercase().as_str()) => stem,
        _ => name,
    }
}

fn no_class(classes: usize, first: i64) -> String {
    let last = i128::from(first) + classes as i128 - 1;
    format!("none of the network's {classes} classes, {first} to {last} (--first-label says what the first is called)")
}
