//! What a file is, by its first bytes.

use std::path::Path;

use super::jpeg::is_jpeg;
use super::png::is_png;

/// Whether a file begins like an image of any format.
pub(crate) fn is_picture(start: &[u8]) -> bool {
    is_png(start) || is_jpeg(start) || image_format(start).is_some()
}

/// The name of the image format that a file which is neither PNG nor JPEG begins like.
pub(super) fn image_format(start: &[u8]) -> Option<&'static str> {
    let brand = start.get(4..12).filter(|brand| brand.starts_with(b"ftyp")).map(|brand| &brand[4..]);
    Some(match (start, brand) {
        ([b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..], _) => "WebP",
        (_, Some(b"avif" | b"avis")) => "AVIF",
        (_, Some(b"heic" | b"heix" | b"hevc" | b"mif1" | b"msf1")) => "HEIC",
        ([b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..], _) => "TIFF",
        ([b'G', b'I', b'F', b'8', ..], _) => "GIF",
        ([b'B', b'M', ..], _) => "BMP",
        ([0xff, 0x0a, ..] | [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..], _) => "JPEG XL",
        ([0, 0, 0, 12, b'j', b'P', ..] | [0xff, 0x4f, 0xff, 0x51, ..], _) => "JPEG 2000",
        ([b'8', b'B', b'P', b'S', ..], _) => "Photoshop",
        ([b'P', b'1'..=b'7', b'\n' | b' ', ..], _) => "Netpbm",
        _ => return None,
    })
}

/// Whether the name is one that PNG and JPEG files have.
pub(super) fn is_photo_name(path: &Path) -> bool {
    has_extension(path, &["png", "jpg", "jpeg"])
}

/// Whether the name is one of images that are not read.
pub(super) fn is_other_image_name(path: &Path) -> bool {
    let others =
        ["webp", "avif", "heic", "heif", "tif", "tiff", "gif", "bmp", "jxl", "jp2", "psd", "ppm", "pgm", "jfif"];
    has_extension(path, &others)
}

pub(super) fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("").to_ascii_lowercase();
    extensions.contains(&extension.as_str())
}
