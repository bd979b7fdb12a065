//! Results as JSON text.

use serde::Serialize;

use crate::printable::acts;

use super::finite::{WalkError, check_finite};

/// Why a result is no JSON.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// NaN or infinity, which JSON cannot hold.
    #[error("{place}, which is no result: look for NaN or infinity in the weights and the input")]
    NotFinite {
        /// Where, and what it is: `generators.rotate.lee is NaN`.
        place: String,
    },
    /// The value refuses to be serialised.
    #[error("the result cannot be written as JSON: {0}")]
    Other(String),
}

/// `value` as indented JSON with a newline at its end.
///
/// ```
/// use aliascope_core::report::json_bytes;
/// assert_eq!(json_bytes(&[Some(0.5), None])?, b"[\n  0.5,\n  null\n]\n");
/// assert!(json_bytes(&[f64::NAN]).is_err());
/// # Ok::<(), aliascope_core::report::JsonError>(())
/// ```
///
/// # Errors
/// A number is not finite; the message names its place.
pub fn json_bytes(value: &impl Serialize) -> Result<Vec<u8>, JsonError> {
    check_finite(value).map_err(|error| match error {
        WalkError::NotFinite(place) => JsonError::NotFinite { place },
        WalkError::Other(message) => JsonError::Other(message),
    })?;
    let text = serde_json::to_string_pretty(value).map_err(|error| JsonError::Other(error.to_string()))?;
    Ok((escaped(text) + "\n").into_bytes())
}

/// JSON in which names are as they are, and on a terminal do nothing: what stands for nothing by itself is written as
/// an escape, as JSON has it for control characters in any case.
fn escaped(text: String) -> String {
    // Outside of strings there are line breaks and blanks alone.
    let acts = |c: char| c != '\n' && acts(c);
    if !text.contains(acts) {
        return text;
    }
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| escaped.push_str(&format!("\\u{unit:04x}")));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_from_commands_and_come_back_whole() {
        let names = ["a\u{1b}[2J", "\u{9b}31m", "photo\u{202e}gnp", "two\nlines", "tag\u{e0041}", "Größe 猫"];
        let json = json_bytes(&names).unwrap();
        let text = String::from_utf8(json.clone()).unwrap();
        assert!(!text.contains(|c: char| c != '\n' && acts(c)), "{text}");
        assert!(text.contains("\\u009b31m") && text.contains("\\udb40\\udc41") && text.contains("Größe 猫"), "{text}");
        let back: Vec<String> = serde_json::from_slice(&json).unwrap();
        assert_eq!(back, names);
    }
}
