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

/// What a text chunk of the figures that aliascope draws begins with, by which they are told from photos.
pub(crate) const MARK: &[u8] = b"Software\0aliascope";

/// A picture with a text chunk after its header that says who drew it.
pub(crate) fn marked(mut picture: Vec<u8>) -> Vec<u8> {
    // The signature and the chunk IHDR.
    const HEADER: usize = 8 + 25;
    if !is_png(&picture) || picture.len() < HEADER {
        return picture;
    }
    let text = [b"tEXt", MARK, b" ", env!("CARGO_PKG_VERSION").as_bytes()].concat();
    let chunk = [&(text.len() as u32 - 4).to_be_bytes()[..], &text, &checksum(&text).to_be_bytes()].concat();
    picture.splice(HEADER..HEADER, chunk);
    picture
}

/// The cyclic redundancy check of a chunk's name and contents.
fn checksum(bytes: &[u8]) -> u32 {
    let shifted = |crc: u32| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| shifted(crc)))
}
