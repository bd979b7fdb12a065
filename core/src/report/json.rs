//! Results as JSON text.

use serde::Serialize;

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
/// use aliascope::report::json_bytes;
/// assert_eq!(json_bytes(&[Some(0.5), None])?, b"[\n  0.5,\n  null\n]\n");
/// assert!(json_bytes(&[f64::NAN]).is_err());
/// # Ok::<(), aliascope::report::JsonError>(())
/// ```
///
/// # Errors
/// A number is not finite; the message names its place.
pub fn json_bytes(value: &impl Serialize) -> Result<Vec<u8>, JsonError> {
    check_finite(value).map_err(|error| match error {
        WalkError::NotFinite(place) => JsonError::NotFinite { place },
        WalkError::Other(message) => JsonError::Other(message),
    })?;
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|error| JsonError::Other(error.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}
