//! Preprocessing as it is typed: `imagenet,crop=1` or `mean=0.5,std=0.5,letterbox`.

use std::str::FromStr;

use super::preprocessing::{Interpolation, Preprocessing};

/// What can be said, for messages.
const KNOWN: &str = "known are imagenet, half or raw as the first part, mean=A/B/C, std=A/B/C, scale=S, crop=SHARE, \
                     resize=PIXELS, letterbox, bgr and interpolation=nearest, bilinear, bicubic or lanczos";

impl FromStr for Preprocessing {
    type Err = String;

    /// Parts with commas between, of lists with slashes. The first may be a preset's name, without which the start is
    /// `raw`. `crop`, `resize` and `letterbox` exclude each other, and take the place of the preset's crop.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut this = Self::raw();
        let mut said: Vec<&str> = Vec::new();
        for (place, part) in text.split(',').map(str::trim).enumerate() {
            let wrong = |problem: &str| format!("'{part}' {problem}; {KNOWN}");
            let (key, value) = match part.split_once('=') {
                Some((key, value)) => (key.trim(), Some(value.trim())),
                None => (part, None),
            };
            if said.contains(&key) {
                return Err(wrong("comes twice"));
            }
            if let Some(before) = said.iter().find(|before| frames(before) && frames(key)) {
                return Err(wrong(&format!("contradicts {before}")));
            }
            if frames(key) {
                (this.crop, this.resize, this.letterbox) = (1.0, None, false);
            }
            match (key, value) {
                ("imagenet" | "half" | "raw", None) if place > 0 => return Err(wrong("must come first")),
                ("imagenet", None) => this = Self::imagenet(),
                ("half", None) => this = Self::half(),
                ("raw", None) => this = Self::raw(),
                ("letterbox", None) => this.letterbox = true,
                ("bgr", None) => this.bgr = true,
                ("mean", Some(value)) => this.mean = list(value).ok_or_else(|| wrong(LIST))?,
                ("std", Some(value)) => {
                    this.std = list(value).filter(|std| !std.contains(&0.0)).ok_or_else(|| wrong(LIST_NOT_0))?;
                }
                ("scale", Some(value)) => {
                    this.scale = number(value).filter(|&v| v > 0.0).ok_or_else(|| wrong("needs a number above 0"))?;
                }
                ("crop", Some(value)) => {
                    let share = number(value).filter(|&v| v > 0.0 && v <= 1.0);
                    this.crop = share.ok_or_else(|| wrong("needs a share above 0, up to 1"))?;
                }
                ("resize", Some(value)) => {
                    let pixels = value.parse().ok().filter(|&pixels| pixels > 0);
                    this.resize = Some(pixels.ok_or_else(|| wrong("needs a whole number of pixels above 0"))?);
                }
                ("interpolation", Some(value)) => {
                    this.interpolation = Interpolation::named(value).ok_or_else(|| wrong("is not known"))?;
                }
                ("letterbox" | "bgr" | "imagenet" | "half" | "raw", Some(_)) => return Err(wrong("takes no value")),
                ("mean" | "std" | "scale" | "crop" | "resize" | "interpolation", None) => {
                    return Err(wrong("needs a value"));
                }
                _ => return Err(wrong("is not known")),
            }
            said.push(key);
        }
        this.check()?;
        Ok(this)
    }
}

const LIST: &str = "needs one number or three with slashes between";
const LIST_NOT_0: &str = "needs one number or three with slashes between, none of them 0";

/// Whether a key says how the photo comes to the input's size.
fn frames(key: &str) -> bool {
    matches!(key, "crop" | "resize" | "letterbox")
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|v: &f64| v.is_finite())
}

fn list(text: &str) -> Option<Vec<f64>> {
    let numbers: Vec<f64> = text.split('/').map(|part| number(part.trim())).collect::<Option<_>>()?;
    matches!(numbers.len(), 1 | 3).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_change_what_the_first_names() {
        let parsed = |text: &str| text.parse::<Preprocessing>().unwrap();
        assert_eq!(parsed("imagenet"), Preprocessing::imagenet());
        assert_eq!(parsed("half"), Preprocessing::half());
        assert_eq!(parsed("raw"), Preprocessing::raw());
        assert_eq!(parsed("imagenet,crop=1"), Preprocessing { crop: 1.0, ..Preprocessing::imagenet() });
        assert_eq!(
            parsed("mean=0.485/0.456/0.406,std=0.229/0.224/0.225,crop=0.875,interpolation=bicubic"),
            Preprocessing::imagenet()
        );
        // The preset's crop gives way.
        let resized = Preprocessing { crop: 1.0, resize: Some(256), ..Preprocessing::imagenet() };
        assert_eq!(parsed("imagenet, resize=256"), resized);
        let boxed = Preprocessing {
            mean: vec![-3.5],
            scale: 255.0,
            letterbox: true,
            bgr: true,
            interpolation: Interpolation::Lanczos,
            ..Preprocessing::raw()
        };
        assert_eq!(parsed("letterbox,bgr,mean=-3.5,scale=255,interpolation=lanczos"), boxed);
        for (name, this) in Interpolation::NAMES {
            assert_eq!((parsed(&format!("interpolation={name}")).interpolation, this.name()), (this, name));
        }
    }

    #[test]
    fn a_bad_part_is_named_with_what_is_known() {
        for (text, part, problem) in [
            ("", "''", "is not known"),
            ("crop=1,", "''", "is not known"),
            ("imagenet,cropp=1", "'cropp=1'", "is not known"),
            ("crop=1,imagenet", "'imagenet'", "must come first"),
            ("crop=0", "'crop=0'", "share"),
            ("crop=NaN", "'crop=NaN'", "share"),
            ("mean=1/2", "'mean=1/2'", "one number or three"),
            ("mean=inf", "'mean=inf'", "one number or three"),
            ("std=1/0/1", "'std=1/0/1'", "none of them 0"),
            ("scale=-1", "'scale=-1'", "above 0"),
            ("resize=0", "'resize=0'", "whole number"),
            ("resize=1.5", "'resize=1.5'", "whole number"),
            ("resize=256,letterbox", "'letterbox'", "contradicts resize"),
            ("bgr,bgr", "'bgr'", "comes twice"),
            ("bgr=1", "'bgr=1'", "takes no value"),
            ("mean", "'mean'", "needs a value"),
            ("interpolation=cubic", "'interpolation=cubic'", "is not known"),
        ] {
            let message = text.parse::<Preprocessing>().unwrap_err();
            assert!(message.starts_with(part) && message.contains(problem), "{text}: {message}");
            for known in ["imagenet", "std=", "letterbox", "lanczos"] {
                assert!(message.contains(known), "{text}: {message}");
            }
        }
    }
}
