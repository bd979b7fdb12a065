//! One photo as a network's input.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::imageops::{self, FilterType};
use image::{ColorType, DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader};
use ndarray::{Array2, Array3};

use super::error::InputError;
use super::jpeg::{self, is_jpeg};
use super::kind::image_format;
use super::note::PhotoNote;
use super::png::{self, is_png};
use super::preprocessing::{Interpolation, Preprocessing};

/// A photo as a network's input.
#[derive(Clone, Debug)]
pub struct Photo {
    /// `[channels, rows, columns]`, each a number of single precision, so that runs of either precision see one input.
    pub data: Array3<f64>,
    /// What had to be done to it.
    pub notes: Vec<PhotoNote>,
}

/// Reads a photo, crops its centre to the input's aspect ratio, resizes and normalises it.
///
/// `size` is `[channels, rows, columns]` with one or three channels. Greyscale photos are repeated over three
/// channels, alpha is dropped, orientation tags are applied; the notes say so. Photos of 8 bits are resized in 8 bits,
/// as the pipelines are with which networks were tested.
///
/// # Errors
/// When the file cannot be read or decoded, or has no pixels.
pub fn read_photo(path: &Path, preprocessing: &Preprocessing, size: [usize; 3]) -> Result<Photo, InputError> {
    let [channels, rows, columns] = size;
    if !matches!(channels, 1 | 3) {
        return Err(InputError::Channels { channels });
    }
    let (image, mut notes) = decode(path, channels)?;
    let (width, height) = (image.width(), image.height());
    if width == 0 || height == 0 {
        return Err(InputError::Image { path: path.to_owned(), problem: "the image has no pixels".to_owned() });
    }
    let (crop_width, crop_height) = crop_size(width, height, rows, columns, preprocessing.crop);
    let crop = image.crop_imm((width - crop_width) / 2, (height - crop_height) / 2, crop_width, crop_height);
    if (crop_width as usize) < columns || (crop_height as usize) < rows {
        notes.push(PhotoNote::Enlarged { rows, columns });
    }
    let filter = match preprocessing.interpolation {
        Interpolation::Bilinear => FilterType::Triangle,
        Interpolation::Bicubic => FilterType::CatmullRom,
    };
    let (w, h) = (columns as u32, rows as u32);
    let deep = image.color().bytes_per_pixel() / image.color().channel_count() > 1;
    let pixels: Vec<f64> = if deep {
        imageops::resize(&crop.into_rgb16(), w, h, filter).into_raw().iter().map(|&v| f64::from(v) / 65535.0).collect()
    } else {
        imageops::resize(&crop.into_rgb8(), w, h, filter).into_raw().iter().map(|&v| f64::from(v) / 255.0).collect()
    };
    let data = Array3::from_shape_fn((channels, rows, columns), |(c, y, x)| {
        let at = 3 * (y * columns + x);
        let v = if channels == 1 { luma([pixels[at], pixels[at + 1], pixels[at + 2]]) } else { pixels[at + c] };
        f64::from(preprocessing.normalized(v, c, channels) as f32)
    });
    Ok(Photo { data, notes })
}

/// The most bytes of decoded pixels: 100 megapixels take 300 MB, or 800 MB with 16 bits and alpha.
const LARGEST: u64 = 1_000_000_000;

pub(super) const TOO_LARGE: &str = "the image is too large to decode; shrink it first";

/// Reads a photo's luma as it is, uncropped, values from 0 to 1: `[rows, columns]`.
///
/// # Errors
/// When the file cannot be read or decoded, or has no pixels.
pub fn read_luma(path: &Path) -> Result<Array2<f64>, InputError> {
    let (image, _) = decode(path, 1)?;
    let (rows, columns) = (image.height() as usize, image.width() as usize);
    if rows == 0 || columns == 0 {
        return Err(InputError::Image { path: path.to_owned(), problem: "the image has no pixels".to_owned() });
    }
    let pixels = image.into_rgb16().into_raw();
    Ok(Array2::from_shape_fn((rows, columns), |(y, x)| {
        let rgb = [0, 1, 2].map(|c| f64::from(pixels[3 * (y * columns + x) + c]) / 65535.0);
        luma(rgb)
    }))
}

/// Luma of ITU-R BT.601, as image libraries define greyscale.
fn luma([r, g, b]: [f64; 3]) -> f64 {
    0.299 * r + 0.587 * g + 0.114 * b
}

/// The pixels, and what is noted of them for a network of `channels` channels.
fn decode(path: &Path, channels: usize) -> Result<(DynamicImage, Vec<PhotoNote>), InputError> {
    let read = |source| InputError::Read { path: path.to_owned(), source };
    let wrong = |problem: &str| InputError::Image { path: path.to_owned(), problem: problem.to_owned() };
    let undecodable = |error: ImageError| {
        let problem = match error {
            ImageError::Unsupported(_) => "this kind of PNG or JPEG is not supported; convert it".to_owned(),
            ImageError::Limits(_) => TOO_LARGE.to_owned(),
            other => format!("the image is damaged or cut off ({other}); fetch it again"),
        };
        InputError::Image { path: path.to_owned(), problem }
    };
    let metadata = fs::metadata(path).map_err(read)?;
    // A device may have no end, and a pipe may wait for ever.
    if !metadata.is_file() {
        return Err(wrong("this is not an ordinary file; give a PNG or JPEG image"));
    }
    if metadata.len() == 0 {
        return Err(wrong("the file is empty; fetch it again"));
    }
    if metadata.len() > LARGEST {
        return Err(wrong(TOO_LARGE));
    }
    let bytes = fs::read(path).map_err(read)?;
    // By content, not by name: a photo with the wrong extension is still a photo.
    let format = match (is_jpeg(&bytes), is_png(&bytes)) {
        (true, _) => ImageFormat::Jpeg,
        (_, true) => ImageFormat::Png,
        _ => {
            return Err(match image_format(&bytes) {
                Some(name) => wrong(&format!("this is a {name} image, and PNG and JPEG are read; convert it to PNG")),
                None => wrong("this is not a PNG or JPEG image; convert it"),
            });
        }
    };
    let mut notes = Vec::new();
    // Decoders fill in grey where data run out.
    match format {
        ImageFormat::Jpeg => jpeg::check(&bytes, LARGEST).map_err(|problem| wrong(&problem))?,
        _ if png::check(&bytes).map_err(|problem| wrong(&problem))? => notes.push(PhotoNote::Animated),
        _ => {}
    }
    let mut decoder = ImageReader::with_format(Cursor::new(&bytes), format).into_decoder().map_err(undecodable)?;
    let orientation = decoder.orientation().map_err(undecodable)?;
    let color = decoder.color_type();
    // Decoders limit their own buffers, not the one for the pixels that is allocated from what the header says.
    if decoder.total_bytes() > LARGEST {
        return Err(wrong(TOO_LARGE));
    }
    let mut image = DynamicImage::from_decoder(decoder).map_err(undecodable)?;
    image.apply_orientation(orientation);

    match (color.has_color(), channels) {
        (false, 3) => notes.push(PhotoNote::Greyscale),
        (true, 1) => notes.push(PhotoNote::Brightness),
        _ => {}
    }
    if color.has_alpha() {
        notes.push(PhotoNote::Alpha);
    }
    if matches!(color, ColorType::L16 | ColorType::La16 | ColorType::Rgb16 | ColorType::Rgba16) {
        notes.push(PhotoNote::Deep);
    }
    if orientation != image::metadata::Orientation::NoTransforms {
        notes.push(PhotoNote::Turned);
    }
    Ok((image, notes))
}

/// Width and height of the centred crop: the largest of the target's aspect ratio, times `share`.
fn crop_size(width: u32, height: u32, rows: usize, columns: usize, share: f64) -> (u32, u32) {
    let (w, h) = (f64::from(width), f64::from(height));
    let fit = (w / columns as f64).min(h / rows as f64) * share;
    let side = |target: usize, limit: u32| ((fit * target as f64).round() as u32).clamp(1, limit);
    (side(columns, width), side(rows, height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crops_keep_the_aspect_ratio() {
        assert_eq!(crop_size(451, 300, 224, 224, 1.0), (300, 300));
        assert_eq!(crop_size(400, 400, 100, 200, 1.0), (400, 200));
        assert_eq!(crop_size(1, 1, 224, 224, 0.1), (1, 1));
    }
}
