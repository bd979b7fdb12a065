//! What models of other programs say of their preprocessing: timm's configurations and ultralytics' exports.

use serde_json::{Map, Value};

use super::preprocessing::{Interpolation, Preprocessing};

/// Preprocessing that another program wrote into a model's metadata.
#[derive(Clone, Debug, PartialEq)]
pub struct StatedPreprocessing {
    /// The program whose words these are.
    pub program: &'static str,
    /// What they say.
    pub preprocessing: Preprocessing,
    /// What of it cannot be followed.
    pub note: Option<String>,
}

/// Keys under which timm's configuration is kept whole.
const CONFIGURATIONS: [&str; 2] = ["pretrained_cfg", "default_cfg"];

/// What of timm's configuration is read, which may also be keys of their own.
const FIELDS: [&str; 6] = ["mean", "std", "crop_pct", "crop_mode", "interpolation", "input_size"];

impl StatedPreprocessing {
    /// What `metadata` says of an input of `[channels, rows, columns]`; none where it says nothing.
    ///
    /// # Errors
    /// When it says something that cannot be read, or that makes no sense.
    pub fn read<'a>(metadata: impl Fn(&str) -> Option<&'a str>, size: [usize; 3]) -> Result<Option<Self>, String> {
        if is_ultralytics(&metadata) {
            return Ok(Some(ultralytics(metadata("task"), size)));
        }
        match configuration(&metadata)? {
            Some(fields) if !fields.is_empty() => timm(&fields, size).map(Some),
            _ => Ok(None),
        }
    }
}

/// Rows and columns of the input that `metadata` states, for models that leave them open, and whose word that is.
pub fn stated_size<'a>(metadata: impl Fn(&str) -> Option<&'a str>) -> Option<([i64; 2], &'static str)> {
    let side = |v: f64| (v.fract() == 0.0 && (1.0..=65536.0).contains(&v)).then_some(v as i64);
    let (numbers, program) = if is_ultralytics(&metadata) {
        (numbers(&literal(metadata("imgsz")?).ok()?)?, "ultralytics")
    } else {
        (numbers(configuration(&metadata).ok()??.get("input_size")?)?, "timm")
    };
    let (rows, columns) = match (program, &numbers[..]) {
        ("ultralytics", &[side]) => (side, side),
        ("ultralytics", &[rows, columns]) | ("timm", &[_, rows, columns]) => (rows, columns),
        _ => return None,
    };
    Some(([side(rows)?, side(columns)?], program))
}

fn is_ultralytics<'a>(metadata: &impl Fn(&str) -> Option<&'a str>) -> bool {
    metadata("author").is_some_and(|author| author.eq_ignore_ascii_case("ultralytics"))
        || ["imgsz", "task", "names", "stride"].iter().all(|key| metadata(key).is_some())
}

/// Detectors and their kin take the letterboxed photo, classifiers a centre crop.
fn ultralytics(task: Option<&str>, [_, rows, columns]: [usize; 3]) -> StatedPreprocessing {
    let raw = Preprocessing { interpolation: Interpolation::Bilinear, ..Preprocessing::raw() };
    let preprocessing = match task {
        Some("classify") if rows == columns => Preprocessing { resize: Some(rows as u32), ..raw },
        Some("classify") => raw,
        _ => Preprocessing { letterbox: true, ..raw },
    };
    StatedPreprocessing { program: "ultralytics", preprocessing, note: None }
}

/// The fields of timm's configuration, none where there is no such metadata.
fn configuration<'a>(metadata: &impl Fn(&str) -> Option<&'a str>) -> Result<Option<Map<String, Value>>, String> {
    if let Some((key, text)) = CONFIGURATIONS.iter().find_map(|key| Some((key, metadata(key)?))) {
        return match literal(text) {
            Ok(Value::Object(fields)) => Ok(Some(fields)),
            Ok(_) => Err(format!("{key} is not a dictionary")),
            Err(problem) => Err(format!("{key}: {problem}")),
        };
    }
    // Words such as `interpolation` alone are too common to say whose they are.
    if metadata("mean").is_none() && metadata("std").is_none() {
        return Ok(None);
    }
    let field = |key: &&str| {
        let text = metadata(key)?;
        // Lists may come without brackets, and words without quotes.
        let value = literal(text).or_else(|_| literal(&format!("[{text}]")));
        Some(((*key).to_owned(), value.unwrap_or_else(|_| Value::String(text.trim().to_owned()))))
    };
    Ok(Some(FIELDS.iter().filter_map(field).collect()))
}

fn timm(fields: &Map<String, Value>, [_, rows, columns]: [usize; 3]) -> Result<StatedPreprocessing, String> {
    // null says no more than a missing key.
    let field = |key: &str| fields.get(key).filter(|value| !value.is_null());
    let list = |key: &str| {
        let values = field(key).and_then(numbers).ok_or_else(|| format!("{key} is no list of numbers"))?;
        // Pixels are 0 to 1 for timm; other programs mean 0 to 255 by the same key.
        match values.iter().all(|v| (0.0..=1.0).contains(v)) {
            true => Ok(values),
            false => Err(format!("{key} is not of pixels from 0 to 1")),
        }
    };
    let word = |key: &str| match field(key) {
        Some(value) => value.as_str().map(Some).ok_or_else(|| format!("{key} is no word")),
        None => Ok(None),
    };
    let (mean, std) = (list("mean")?, list("std")?);
    let share = match field("crop_pct") {
        Some(value) => value.as_f64().filter(|v| *v > 0.0 && *v <= 1.0).ok_or("crop_pct is no share up to 1")?,
        None => 0.875,
    };
    let interpolation = match word("interpolation")? {
        Some(name) => Interpolation::named(name).ok_or_else(|| format!("interpolation '{name}' is not known"))?,
        None => Interpolation::Bicubic,
    };
    let note = match word("crop_mode")? {
        None | Some("center") => None,
        Some(other) => Some(format!(
            "the model's metadata (timm) asks for the crop mode '{other}', which is not supported: the centre crop is taken"
        )),
    };
    // timm resizes the shorter side to ⌊side/share⌋ where the input is square.
    let (crop, resize) = match rows == columns {
        true => (1.0, Some((rows as f64 / share).min(f64::from(u32::MAX)) as u32)),
        false => (share, None),
    };
    let preprocessing = Preprocessing { mean, std, crop, resize, interpolation, ..Preprocessing::raw() };
    preprocessing.check()?;
    Ok(StatedPreprocessing { program: "timm", preprocessing, note })
}

/// A number, or a list of such.
fn numbers(value: &Value) -> Option<Vec<f64>> {
    match value {
        Value::Array(values) => values.iter().map(Value::as_f64).collect(),
        other => Some(vec![other.as_f64()?]),
    }
}

/// A value as JSON or as Python writes it.
fn literal(text: &str) -> Result<Value, String> {
    serde_json::from_str(text)
        .or_else(|_| serde_json::from_str(&json_of_python(text)))
        .map_err(|error| format!("it is neither JSON nor a Python literal ({error})"))
}

/// A Python literal as JSON: tuples are lists, and words and quotes have other forms. What is no literal stays as wrong
/// as it was.
fn json_of_python(text: &str) -> String {
    let mut json = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\'' | '"' => {
                let mut word = String::new();
                while let Some(inner) = rest.next() {
                    match inner {
                        _ if inner == c => break,
                        '\\' => word.extend(rest.next()),
                        _ => word.push(inner),
                    }
                }
                json.push_str(&Value::String(word).to_string());
            }
            ')' | ']' | '}' => {
                let kept = json.trim_end().strip_suffix(',').map(str::len);
                json.truncate(kept.unwrap_or(json.len()));
                json.push(if c == ')' { ']' } else { c });
            }
            '(' => json.push('['),
            _ if c.is_alphanumeric() || matches!(c, '-' | '+' | '.' | '_') => {
                let mut word = String::from(c);
                while let Some(next) = rest.next_if(|&n| n.is_alphanumeric() || matches!(n, '-' | '+' | '.' | '_')) {
                    word.push(next);
                }
                match (word.as_str(), word.parse::<f64>()) {
                    ("None", _) => json.push_str("null"),
                    ("True", _) => json.push_str("true"),
                    ("False", _) => json.push_str("false"),
                    (_, Ok(number)) => json.push_str(&format!("{number:?}")),
                    _ => json.push_str(&word),
                }
            }
            _ => json.push(c),
        }
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(entries: &[(&str, &'static str)], size: [usize; 3]) -> Result<Option<StatedPreprocessing>, String> {
        StatedPreprocessing::read(|key| entries.iter().find(|(k, _)| *k == key).map(|&(_, value)| value), size)
    }

    fn size(entries: &[(&str, &'static str)]) -> Option<([i64; 2], &'static str)> {
        stated_size(|key| entries.iter().find(|(k, _)| *k == key).map(|&(_, value)| value))
    }

    /// As `str(cfg.to_dict())` of timm 1.0 writes it.
    const RESNET: &str = "{'url': 'https://x.y/z', 'architecture': 'resnet18', 'custom_load': False, 'input_size': (3, 224, 224), \
                          'test_input_size': None, 'interpolation': 'bilinear', 'crop_pct': 0.95, 'crop_mode': 'center', \
                          'mean': (0.485, 0.456, 0.406), 'std': (0.229, 0.224, 0.225), 'paper_ids': ('arXiv:2110.00476',)}";

    #[test]
    fn timm_configurations_are_read() {
        let python = read(&[("pretrained_cfg", RESNET)], [3, 224, 224]).unwrap().unwrap();
        // ⌊224/0.95⌋ = ⌊235.8⌋.
        let expected = Preprocessing {
            crop: 1.0,
            resize: Some(235),
            interpolation: Interpolation::Bilinear,
            ..Preprocessing::imagenet()
        };
        assert_eq!(python, StatedPreprocessing { program: "timm", preprocessing: expected, note: None });
        assert_eq!(size(&[("pretrained_cfg", RESNET)]), Some(([224, 224], "timm")));

        // Keys of their own, in JSON, without brackets and without quotes; a side that differs keeps the share.
        let keys =
            [("mean", "[0.5, 0.5, 0.5]"), ("std", "0.5,0.25,0.5"), ("crop_pct", "0.9"), ("interpolation", "lanczos")];
        let own = read(&keys, [3, 96, 160]).unwrap().unwrap().preprocessing;
        let expected = Preprocessing {
            mean: vec![0.5; 3],
            std: vec![0.5, 0.25, 0.5],
            crop: 0.9,
            interpolation: Interpolation::Lanczos,
            ..Preprocessing::raw()
        };
        assert_eq!(own, expected);
        let squashed = read(&[("mean", "0.5"), ("std", "0.5"), ("crop_mode", "squash")], [3, 8, 8]).unwrap().unwrap();
        assert_eq!(squashed.preprocessing.mean, [0.5]);
        assert!(squashed.note.unwrap().contains("'squash'"));
    }

    #[test]
    fn ultralytics_exports_are_read() {
        let of = |task| [("author", "Ultralytics"), ("imgsz", "[480, 640]"), ("task", task)];
        let raw = Preprocessing { interpolation: Interpolation::Bilinear, ..Preprocessing::raw() };
        for (task, size, expected) in [
            ("detect", [3, 480, 640], Preprocessing { letterbox: true, ..raw.clone() }),
            ("classify", [3, 224, 224], Preprocessing { resize: Some(224), ..raw.clone() }),
            ("classify", [3, 480, 640], raw),
        ] {
            let found = read(&of(task), size).unwrap().unwrap();
            assert_eq!((found.program, found.preprocessing), ("ultralytics", expected));
        }
        assert_eq!(size(&of("detect")), Some(([480, 640], "ultralytics")));
        let by_keys = [("imgsz", "640"), ("task", "detect"), ("names", "{0: 'person'}"), ("stride", "32")];
        assert!(read(&by_keys, [3, 8, 8]).unwrap().unwrap().preprocessing.letterbox);
        assert_eq!(size(&by_keys), Some(([640, 640], "ultralytics")));
        for sides in ["", "[0, 640]", "[1e9, 640]", "[1.5, 2]", "[1, 2, 3]", "words", "(((("] {
            assert_eq!(size(&[("author", "Ultralytics"), ("imgsz", sides)]), None, "{sides}");
        }
    }

    #[test]
    fn other_metadata_says_nothing_and_nonsense_says_so() {
        assert_eq!(read(&[], [3, 8, 8]), Ok(None));
        assert_eq!(
            read(&[("task", "detect"), ("interpolation", "cubic"), ("input_size", "words")], [3, 8, 8]),
            Ok(None)
        );
        for (entries, word) in [
            (vec![("pretrained_cfg", "PretrainedCfg(mean=(0.5,))")], "neither JSON nor"),
            (vec![("pretrained_cfg", "{'mean': (0.5, 0.5, 0.5)")], "neither JSON nor"),
            (vec![("pretrained_cfg", "[1]")], "dictionary"),
            (vec![("pretrained_cfg", "{'mean': 0.5, 'std': None}")], "std"),
            (vec![("mean", "0.5")], "std"),
            (vec![("mean", "123.7, 116.3, 103.5"), ("std", "58, 57, 57")], "pixels from 0 to 1"),
            (vec![("mean", "0.5, 0.5"), ("std", "1")], "one or three"),
            (vec![("mean", "0.5"), ("std", "0")], "none that is 0"),
            (vec![("mean", "0.5"), ("std", "1"), ("crop_pct", "1.5")], "crop_pct"),
            (vec![("mean", "0.5"), ("std", "1"), ("interpolation", "random")], "'random'"),
            (vec![("mean", "0.5"), ("std", "1"), ("crop_mode", "3")], "crop_mode"),
        ] {
            let problem = read(&entries, [3, 8, 8]).unwrap_err();
            assert!(problem.contains(word), "{entries:?}: {problem}");
        }
    }
}
