//! One photo as a network's input.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::imageops::FilterType;
use image::{ColorType, DynamicImage, ImageBuffer, ImageDecoder, ImageError, ImageFormat, ImageReader, Pixel};
use ndarray::{Array2, Array3};

use super::error::{InputError, TOO_LARGE};
use super::jpeg::{self, is_jpeg};
use super::kind::image_format;
use super::note::PhotoNote;
use super::placement::{PADDING, Placement};
use super::png::{self, is_png};
use super::preprocessing::{Interpolation, Preprocessing};
use crate::hash::hash_of;
use crate::memory;
use crate::pixels::Resize;

/// A photo as a network's input.
#[derive(Clone, Debug)]
pub struct Photo {
    /// `[channels, rows, columns]`, each a number of single precision, so that runs of either precision see one input.
    pub data: Array3<f64>,
    /// What had to be done to it.
    pub notes: Vec<PhotoNote>,
}

/// Reads a photo, brings it to the input's size as `preprocessing` says, and normalises it.
///
/// `size` is `[channels, rows, columns]` with one or three channels. Greyscale photos are repeated over three
/// channels, alpha is dropped, orientation tags are applied; the notes say so. Photos of 8 bits are resized in 8 bits,
/// as the pipelines are with which networks were tested.
///
/// # Errors
/// When the file cannot be read or decoded, or has no pixels, or `preprocessing` resizes it to less than the input.
pub fn read_photo(path: &Path, preprocessing: &Preprocessing, size: [usize; 3]) -> Result<Photo, InputError> {
    photo_of(path, &photo_bytes(path)?, preprocessing, size)
}

/// As [`read_photo`], with the hash of the file's bytes.
///
/// # Errors
/// As [`read_photo`].
pub fn photo_with_hash(
    path: &Path,
    preprocessing: &Preprocessing,
    size: [usize; 3],
) -> Result<(String, Photo), InputError> {
    let bytes = photo_bytes(path)?;
    Ok((hash_of(&bytes), photo_of(path, &bytes, preprocessing, size)?))
}

/// As [`read_photo`], of the bytes that `path` has.
pub(super) fn photo_of(
    path: &Path,
    bytes: &[u8],
    preprocessing: &Preprocessing,
    size: [usize; 3],
) -> Result<Photo, InputError> {
    let [channels, rows, columns] = size;
    if !matches!(channels, 1 | 3) {
        return Err(InputError::Channels { channels });
    }
    preprocessing.fits(size)?;
    let (image, mut notes) = decode(path, bytes, channels)?;
    let (width, height) = (image.width(), image.height());
    if width == 0 || height == 0 {
        return Err(InputError::Image { path: path.to_owned(), problem: "the image has no pixels".to_owned() });
    }
    let placement = Placement::of(preprocessing, (width, height), (rows, columns))
        .map_err(|problem| InputError::Image { path: path.to_owned(), problem })?;
    if placement.enlarges() {
        notes.push(match preprocessing.letterbox {
            true => PhotoNote::EnlargedWhole { rows, columns },
            false => PhotoNote::Enlarged { rows, columns },
        });
    }
    let (corner, part, resized) = (placement.corner, placement.part, placement.resized);
    let crop = image.crop_imm(corner.0, corner.1, part.0, part.1);
    let deep = image.color().bytes_per_pixel() / image.color().channel_count() > 1;
    let pixels: Vec<f64> = if deep {
        let pixels = resize(&crop.into_rgb16(), resized, preprocessing.interpolation);
        pixels.into_raw().iter().map(|&v| f64::from(v) / 65535.0).collect()
    } else {
        let pixels = resize(&crop.into_rgb8(), resized, preprocessing.interpolation);
        pixels.into_raw().iter().map(|&v| f64::from(v) / 255.0).collect()
    };
    let data = Array3::from_shape_fn((channels, rows, columns), |(c, y, x)| {
        let pixel = match placement.pixel(y, x) {
            Some(at) => [pixels[3 * at], pixels[3 * at + 1], pixels[3 * at + 2]],
            None => [PADDING; 3],
        };
        let v = if channels == 1 { luma(pixel) } else { pixel[preprocessing.color(c)] };
        f64::from(preprocessing.normalized(v, c, channels) as f32)
    });
    Ok(Photo { data, notes })
}

/// The pixels of `image` at another size.
pub(super) fn resize<P>(
    image: &ImageBuffer<P, Vec<P::Subpixel>>,
    (width, height): (u32, u32),
    interpolation: Interpolation,
) -> ImageBuffer<P, Vec<P::Subpixel>>
where
    P: Pixel,
    ImageBuffer<P, Vec<P::Subpixel>>: Resize,
{
    let filter = match interpolation {
        Interpolation::Bilinear => FilterType::Triangle,
        Interpolation::Bicubic => FilterType::CatmullRom,
        Interpolation::Lanczos => FilterType::Lanczos3,
        // In integers, as a rounded ratio may pick a neighbour where a centre lies between two pixels.
        Interpolation::Nearest => {
            let source =
                |at: u32, from: u32, to: u32| ((2 * u64::from(at) + 1) * u64::from(from) / (2 * u64::from(to))) as u32;
            return ImageBuffer::from_fn(width, height, |x, y| {
                *image.get_pixel(source(x, image.width(), width), source(y, image.height(), height))
            });
        }
    };
    image.resized(width, height, filter)
}

/// The most bytes of decoded pixels: 100 megapixels take 300 MB, or 800 MB with 16 bits and alpha.
pub(super) const LARGEST: u64 = 1_000_000_000;

/// Reads a photo's luma as it is, uncropped, values from 0 to 1: `[rows, columns]`.
///
/// # Errors
/// When the file cannot be read or decoded, or has no pixels.
pub fn read_luma(path: &Path) -> Result<Array2<f64>, InputError> {
    let (image, _) = decode(path, &photo_bytes(path)?, 1)?;
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
pub(super) fn luma([r, g, b]: [f64; 3]) -> f64 {
    0.299 * r + 0.587 * g + 0.114 * b
}

/// Bytes that a photo takes at the most until it has the input's size: its pixels, turned or cropped, and in the three
/// channels from which it is resized.
fn decoding_bytes(decoder: &impl ImageDecoder, format: ImageFormat) -> u64 {
    let (width, height) = decoder.dimensions();
    let samples = 3 * u64::from(width) * u64::from(height);
    let depth = u64::from(decoder.color_type().bytes_per_pixel() / decoder.color_type().channel_count().max(1));
    // A progressive JPEG keeps the coefficients of all its samples, of 16 bits each.
    let coefficients = if format == ImageFormat::Jpeg { 2 * samples } else { 0 };
    decoder.total_bytes().saturating_mul(2) + samples * depth + coefficients
}

/// The bytes of a photo's file.
///
/// # Errors
/// When it cannot be read, or is none that can be decoded by its size.
pub(super) fn photo_bytes(path: &Path) -> Result<Vec<u8>, InputError> {
    ordinary(path)?;
    fs::read(path).map_err(|source| InputError::Read { path: path.to_owned(), source })
}

/// Refuses what is no file, or none of a photo's size.
pub(super) fn ordinary(path: &Path) -> Result<(), InputError> {
    let wrong = |problem: &str| Err(InputError::Image { path: path.to_owned(), problem: problem.to_owned() });
    let metadata = fs::metadata(path).map_err(|source| InputError::Read { path: path.to_owned(), source })?;
    // A device may have no end, and a pipe may wait for ever.
    if !metadata.is_file() {
        return wrong("this is not an ordinary file; give a PNG or JPEG image");
    }
    match metadata.len() {
        0 => wrong("the file is empty; fetch it again"),
        length if length > LARGEST => wrong(TOO_LARGE),
        _ => Ok(()),
    }
}

/// The format of a file that begins so; by content, not by name: a photo with the wrong extension is still a photo.
///
/// # Errors
/// When it is neither PNG nor JPEG, in words.
pub(super) fn photo_format(start: &[u8]) -> Result<ImageFormat, String> {
    match (is_jpeg(start), is_png(start)) {
        (true, _) => Ok(ImageFormat::Jpeg),
        (_, true) => Ok(ImageFormat::Png),
        _ => Err(match image_format(start) {
            Some(name) => format!("this is a {name} image, and PNG and JPEG are read; convert it to PNG"),
            None => "this is not a PNG or JPEG image; convert it".to_owned(),
        }),
    }
}

/// The pixels, and what is noted of them for a network of `channels` channels.
pub(super) fn decode(path: &Path, bytes: &[u8], channels: usize) -> Result<(DynamicImage, Vec<PhotoNote>), InputError> {
    let wrong = |problem: &str| InputError::Image { path: path.to_owned(), problem: problem.to_owned() };
    let undecodable = |error: ImageError| {
        let problem = match error {
            ImageError::Unsupported(_) => "this kind of PNG or JPEG is not supported; convert it".to_owned(),
            ImageError::Limits(_) => TOO_LARGE.to_owned(),
            other => format!("the image is damaged or cut off ({other}); fetch it again"),
        };
        InputError::Image { path: path.to_owned(), problem }
    };
    let format = photo_format(bytes).map_err(|problem| wrong(&problem))?;
    let mut notes = Vec::new();
    // Decoders fill in grey where data run out.
    match format {
        ImageFormat::Jpeg => jpeg::check(bytes, LARGEST).map_err(|problem| wrong(&problem))?,
        _ if png::check(bytes).map_err(|problem| wrong(&problem))? => notes.push(PhotoNote::Animated),
        _ => {}
    }
    let mut decoder = ImageReader::with_format(Cursor::new(bytes), format).into_decoder().map_err(undecodable)?;
    let orientation = decoder.orientation().map_err(undecodable)?;
    let color = decoder.color_type();
    // Decoders limit their own buffers, not the one for the pixels that is allocated from what the header says.
    if decoder.total_bytes() > LARGEST {
        return Err(wrong(TOO_LARGE));
    }
    memory::check(decoding_bytes(&decoder, format))
        .map_err(|shortage| InputError::Memory { path: path.to_owned(), shortage })?;
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
