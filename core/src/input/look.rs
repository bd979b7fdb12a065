//! What the first bytes of a photo's file say, long before it is decoded.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use image::ImageFormat;

use super::error::InputError;
use super::error::TOO_LARGE;
use super::photo::{LARGEST, ordinary, photo_format};
use super::png;

/// What a file turns out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A photo.
    Photo,
    /// A figure that aliascope drew.
    Figure,
}

/// Looks at a file's header: its kind and its size in pixels.
///
/// # Errors
/// When it cannot be read, is no PNG or JPEG image, or ends or goes wrong within its header.
pub(super) fn look(path: &Path) -> Result<Kind, InputError> {
    ordinary(path)?;
    let failed = |problem: String| InputError::Image { path: path.to_owned(), problem };
    let read = |source| InputError::Read { path: path.to_owned(), source };
    let mut file = BufReader::new(File::open(path).map_err(read)?);
    let mut start = Vec::new();
    file.by_ref().take(32).read_to_end(&mut start).map_err(read)?;
    let format = photo_format(&start).map_err(failed)?;
    let found = match format {
        ImageFormat::Png => png_header(&mut file, &start),
        _ => jpeg_header(&mut file).map(|size| (size, Kind::Photo)),
    };
    let ([width, height], kind) = found.map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            failed("the image is cut off: its header is not whole; fetch it again".to_owned())
        }
        io::ErrorKind::InvalidData => failed("the image is damaged (its header); fetch it again".to_owned()),
        _ => read(error),
    })?;
    match u64::from(width) * u64::from(height) {
        0 => Err(failed("the image has no pixels".to_owned())),
        pixels if pixels > LARGEST => Err(failed(TOO_LARGE.to_owned())),
        _ => Ok(kind),
    }
}

/// Width and height, and whether a chunk before the pixels says that aliascope drew them.
fn png_header(file: &mut (impl Read + Seek), start: &[u8]) -> io::Result<([u32; 2], Kind)> {
    // The signature, then the chunk IHDR: its length, its name, width, height.
    let size = |at: usize| match start.get(at..at + 4) {
        Some(&[a, b, c, d]) => Ok(u32::from_be_bytes([a, b, c, d])),
        _ => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
    };
    if start.get(12..16).is_some_and(|name| name != b"IHDR") {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let found = [size(16)?, size(20)?];
    file.seek(SeekFrom::Start(8))?;
    loop {
        let mut head = [0; 8];
        file.read_exact(&mut head)?;
        let [a, b, c, d, name @ ..] = head;
        let length = u32::from_be_bytes([a, b, c, d]);
        match &name {
            b"IDAT" | b"IEND" => return Ok((found, Kind::Photo)),
            b"tEXt" if length as usize >= png::MARK.len() => {
                let mut text = vec![0; png::MARK.len()];
                file.read_exact(&mut text)?;
                if text == png::MARK {
                    return Ok((found, Kind::Figure));
                }
                file.seek(SeekFrom::Current(i64::from(length) - text.len() as i64 + 4))?;
            }
            _ => _ = file.seek(SeekFrom::Current(i64::from(length) + 4))?,
        }
    }
}

/// Width and height from the segment of the frame; a height of 0, which a later segment may state, counts as 1.
fn jpeg_header(file: &mut (impl Read + Seek)) -> io::Result<[u32; 2]> {
    file.seek(SeekFrom::Start(2))?;
    loop {
        let mut byte = [0];
        file.read_exact(&mut byte)?;
        if byte != [0xff] {
            return Err(io::ErrorKind::InvalidData.into());
        }
        // Any number of these may come before the marker's code.
        while byte == [0xff] {
            file.read_exact(&mut byte)?;
        }
        let mut length = [0; 2];
        match byte[0] {
            // Tables and applications' segments, of any length.
            0xc4 | 0xc8 | 0xcc | 0xdb..=0xef | 0xfe => {
                file.read_exact(&mut length)?;
                let rest = u16::from_be_bytes(length).checked_sub(2).ok_or(io::ErrorKind::InvalidData)?;
                file.seek(SeekFrom::Current(i64::from(rest)))?;
            }
            0xc0..=0xcf => {
                let mut frame = [0; 7];
                file.read_exact(&mut frame)?;
                let [_, _, _, a, b, c, d] = frame;
                let size = |high, low| u32::from(u16::from_be_bytes([high, low]));
                return Ok([size(c, d), size(a, b).max(1)]);
            }
            // A scan or the end before a frame.
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageEncoder, codecs::jpeg::JpegEncoder, codecs::png::PngEncoder};

    fn looked(bytes: &[u8]) -> Result<Kind, InputError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("photo");
        std::fs::write(&path, bytes).unwrap();
        look(&path)
    }

    fn encoded(jpeg: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        let (pixels, color) = ([7; 12 * 9 * 3], image::ExtendedColorType::Rgb8);
        match jpeg {
            true => JpegEncoder::new(&mut bytes).write_image(&pixels, 12, 9, color).unwrap(),
            false => PngEncoder::new(&mut bytes).write_image(&pixels, 12, 9, color).unwrap(),
        }
        bytes
    }

    #[test]
    fn headers_tell_photos_figures_and_what_is_cut_off() {
        for jpeg in [true, false] {
            let whole = encoded(jpeg);
            assert_eq!(looked(&whole).unwrap(), Kind::Photo);
            // Every length that ends within the header is refused, and none panics.
            for length in 0..whole.len() {
                let found = looked(&whole[..length]);
                assert!(length > 20 || found.is_err(), "{length}");
            }
        }
        assert_eq!(looked(&png::marked(encoded(false))).unwrap(), Kind::Figure);
        let damaged = looked(&[0xff, 0xd8, 0xff, 0xd9, 0, 0]).unwrap_err();
        assert!(damaged.to_string().ends_with("the image is damaged (its header); fetch it again"));
        let mut empty = encoded(false);
        empty[16..20].fill(0);
        assert!(looked(&empty).unwrap_err().to_string().contains("no pixels"));
    }

    /// Decoders read a marked picture as they read it without the mark.
    #[test]
    fn a_mark_changes_no_pixel() {
        let plain = image::load_from_memory(&encoded(false)).unwrap();
        assert_eq!(image::load_from_memory(&png::marked(encoded(false))).unwrap(), plain);
    }
}
