//! Whether a PNG file is whole: every chunk of it, to the one that ends it.

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Whether these are the first bytes of a PNG file.
pub(super) fn is_png(bytes: &[u8]) -> bool {
    bytes.starts_with(SIGNATURE)
}

/// Walks over the chunks; gives whether there is a chunk `acTL`, which announces an animation. Checksums are the
/// decoder's work.
///
/// # Errors
/// When the file ends before the chunk `IEND` does.
pub(super) fn check(bytes: &[u8]) -> Result<bool, String> {
    let mut at = SIGNATURE.len();
    let mut animated = false;
    loop {
        // Length, name, contents and checksum.
        let cut = || "the image is cut off: its end is not there; fetch it again".to_owned();
        let &[a, b, c, d, ref name @ ..] = bytes.get(at..at + 8).ok_or_else(cut)? else { return Err(cut()) };
        at = at.saturating_add(12).saturating_add(u32::from_be_bytes([a, b, c, d]) as usize);
        if at > bytes.len() {
            return Err(cut());
        }
        match name {
            b"IEND" => return Ok(animated),
            b"acTL" => animated = true,
            _ => {}
        }
    }
}
