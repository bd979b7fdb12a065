//! The hash by which files and images are known: SHA-256, in hexadecimal digits.

use std::fs::File;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

/// The hash of some bytes.
///
/// ```
/// assert!(aliascope_core::hash::hash_of(b"abc").starts_with("ba7816bf8f01cfea"));
/// ```
pub fn hash_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The hash of a file's bytes, as `sha256sum` prints it.
///
/// # Errors
/// When it cannot be read.
pub fn hash_of_file(path: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    io::copy(&mut File::open(path)?, &mut hash)?;
    Ok(hex(&hash.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
