//! A field on the torus as it is named on the command line, the same in every subcommand.

use std::path::PathBuf;
use std::str::FromStr;

use crate::spectrum::series::RandomSeries;

/// What a field is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    /// A random trigonometric polynomial: `random:BAND`, and after it `seed=`, `decay=`, `complex` with commas between.
    Random(RandomSeries),
    /// Harmonics from a JSON file, `[[n, m, re, im], …]`: `FILE.json`, or any other name after `harmonics:`.
    Harmonics(PathBuf),
    /// A photo's luma: `FILE.png`, `FILE.jpg`, or any other name after `image:`.
    Image(PathBuf),
}

/// What to type, where a field cannot be read.
const FORMS: &str = "write random:BAND[,seed=S][,decay=D][,complex], a FILE.json of harmonics, or a photo (png, jpg)";

impl FromStr for Field {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("harmonics:") {
            return Ok(Self::Harmonics(path.into()));
        }
        if let Some(path) = text.strip_prefix("image:") {
            return Ok(Self::Image(path.into()));
        }
        if let Some(random) = text.strip_prefix("random:") {
            return random_series(random).map(Self::Random);
        }
        let path = PathBuf::from(text);
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        match extension.as_deref() {
            Some("json") => Ok(Self::Harmonics(path)),
            Some("png" | "jpg" | "jpeg") => Ok(Self::Image(path)),
            _ => Err(FORMS.to_owned()),
        }
    }
}

fn random_series(text: &str) -> Result<RandomSeries, String> {
    let mut parts = text.split(',').map(str::trim);
    let band = parts.next().and_then(|band| band.parse().ok()).ok_or_else(|| FORMS.to_owned())?;
    let mut series = RandomSeries { band, decay: 1.0, real: true, seed: 0 };
    for part in parts {
        let unreadable = || format!("'{part}' cannot be read: {FORMS}");
        match part.split_once('=') {
            None if part == "complex" => series.real = false,
            Some(("seed", seed)) => series.seed = seed.parse().map_err(|_| unreadable())?,
            Some(("decay", decay)) => {
                series.decay = decay.parse().ok().filter(|decay: &f64| decay.is_finite()).ok_or_else(unreadable)?;
            }
            _ => return Err(unreadable()),
        }
    }
    Ok(series)
}

impl Field {
    /// In words.
    pub fn in_words(&self) -> String {
        match self {
            Self::Harmonics(path) => format!("harmonics of {}", path.display()),
            Self::Image(path) => format!("luma of {}", path.display()),
            Self::Random(RandomSeries { band, decay, real, seed }) => {
                let kind = if *real { "real" } else { "complex" };
                format!("random {kind} series, seed {seed}, band {band}, decay {decay}")
            }
        }
    }

    /// The file that it is read from, if any.
    pub fn path(&self) -> Option<&std::path::Path> {
        match self {
            Self::Random(_) => None,
            Self::Harmonics(path) | Self::Image(path) => Some(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_random_harmonics_or_photos() {
        let read = |text: &str| text.parse::<Field>();
        assert_eq!(
            read("random:9,seed=3,decay=1.5,complex"),
            Ok(Field::Random(RandomSeries { band: 9, decay: 1.5, real: false, seed: 3 }))
        );
        assert_eq!(read("random:12").unwrap().in_words(), "random real series, seed 0, band 12, decay 1");
        assert_eq!(read("a/wave.json"), Ok(Field::Harmonics("a/wave.json".into())));
        assert_eq!(read("harmonics:/dev/stdin"), Ok(Field::Harmonics("/dev/stdin".into())));
        assert_eq!(read("a.JPG"), Ok(Field::Image("a.JPG".into())));
        for wrong in
            ["random", "random:", "random:x", "random:3,seed", "random:3,seed=-1", "random:3,decay=nan", "a.txt"]
        {
            assert!(read(wrong).unwrap_err().contains("random:BAND"), "{wrong}");
        }
    }
}
