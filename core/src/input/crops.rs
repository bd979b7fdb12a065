//! Random crops of photos, for training: each as a network's input.

use std::path::Path;

use image::DynamicImage;
use image::imageops;
use ndarray::Array3;
use rand::Rng;

use super::error::InputError;
use super::photo::{decode, luma, photo_bytes, resize};
use super::placement::crop_size;
use super::preprocessing::{Interpolation, Preprocessing};

/// A decoded photo of 8 bits, no larger than crops need.
#[derive(Clone, Debug)]
pub struct DecodedPhoto {
    image: image::RgbImage,
}

/// Which part of a photo, and whether mirrored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CropDraw {
    /// The crop's area, as a share of the largest crop with the input's aspect ratio.
    pub area: f64,
    /// Where it lies between left and right, and between top and bottom, 0 to 1.
    pub at: [f64; 2],
    /// Whether left and right change places.
    pub mirrored: bool,
    /// How far it is moved from there, right and down, in pixels of the input: to a whole pixel of the photo, and no
    /// further than the photo reaches.
    pub moved: [f64; 2],
}

/// The least area of a crop: the network's own crop, of some three quarters, lies in the middle of the range.
const LEAST_AREA: f64 = 0.4;

impl CropDraw {
    /// A crop's area is uniform from 0.4 to 1, its place uniform, and every other crop is mirrored.
    pub fn draw(rng: &mut impl Rng) -> Self {
        let area = rng.random_range(LEAST_AREA..=1.0);
        let at = [rng.random_range(0.0..=1.0), rng.random_range(0.0..=1.0)];
        Self { area, at, mirrored: rng.random_bool(0.5), moved: [0.0; 2] }
    }

    /// The same crop moved along both axes by up to `pixels` of the input, uniformly.
    pub fn moved(self, pixels: f64, rng: &mut impl Rng) -> Self {
        let mut along = || rng.random_range(-1.0..=1.0) * pixels;
        Self { moved: [along(), along()], ..self }
    }
}

impl DecodedPhoto {
    /// Reads a photo for crops that become an input of `[channels, rows, columns]`. It is kept at the size at which its
    /// smallest crop has about as many pixels as the input, where it is larger.
    ///
    /// # Errors
    /// When it cannot be read or decoded, or has no pixels.
    pub fn read(path: &Path, [channels, rows, columns]: [usize; 3]) -> Result<Self, InputError> {
        let (image, _) = decode(path, &photo_bytes(path)?, channels)?;
        let (width, height) = (image.width(), image.height());
        if width == 0 || height == 0 {
            return Err(InputError::Image { path: path.to_owned(), problem: "the image has no pixels".to_owned() });
        }
        let image = DynamicImage::into_rgb8(image);
        let least = rows.max(columns) as f64 / LEAST_AREA.sqrt();
        let scale = least / f64::from(width.min(height));
        if scale >= 1.0 {
            return Ok(Self { image });
        }
        let side = |side: u32| ((f64::from(side) * scale).round() as u32).max(1);
        Ok(Self { image: resize(&image, (side(width), side(height)), Interpolation::Bilinear) })
    }

    /// The bytes that it holds.
    pub fn bytes(&self) -> usize {
        self.image.as_raw().len()
    }

    /// A crop as an input of `[channels, rows, columns]`, resized and normalised as `preprocessing` says.
    pub fn crop(&self, draw: &CropDraw, preprocessing: &Preprocessing, size: [usize; 3]) -> Array3<f32> {
        let [channels, rows, columns] = size;
        let (width, height) = self.image.dimensions();
        let part = crop_size(width, height, rows, columns, draw.area.sqrt());
        let corner = |axis: usize, rest: u32, part: u32, side: usize| {
            let moved = draw.moved[axis] * f64::from(part) / side as f64;
            (draw.at[axis] * f64::from(rest) + moved).round().clamp(0.0, f64::from(rest)) as u32
        };
        let (left, top) = (corner(0, width - part.0, part.0, columns), corner(1, height - part.1, part.1, rows));
        let crop = imageops::crop_imm(&self.image, left, top, part.0, part.1).to_image();
        let pixels = resize(&crop, (columns as u32, rows as u32), preprocessing.interpolation).into_raw();
        Array3::from_shape_fn((channels, rows, columns), |(c, y, x)| {
            let x = if draw.mirrored { columns - 1 - x } else { x };
            let at = 3 * (y * columns + x);
            let pixel = [0, 1, 2].map(|color| f64::from(pixels[at + color]) / 255.0);
            let value = if channels == 1 { luma(pixel) } else { pixel[preprocessing.color(c)] };
            preprocessing.normalized(value, c, channels) as f32
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    /// The whole of a photo, as it is and mirrored, is its own pixels.
    #[test]
    fn a_whole_crop_is_the_photo() {
        let image = image::RgbImage::from_fn(4, 4, |x, y| image::Rgb([(10 * x) as u8, (20 * y) as u8, 7]));
        let photo = DecodedPhoto { image };
        let raw = Preprocessing { interpolation: Interpolation::Nearest, ..Preprocessing::raw() };
        let mut draw = CropDraw { area: 1.0, at: [0.3, 0.9], mirrored: false, moved: [0.0; 2] };
        let whole = photo.crop(&draw, &raw, [3, 4, 4]);
        draw.mirrored = true;
        let mirrored = photo.crop(&draw, &raw, [3, 4, 4]);
        for (y, x) in (0..4).flat_map(|y| (0..4).map(move |x| (y, x))) {
            assert_eq!(whole[[0, y, x]], (10 * x) as f32 / 255.0);
            assert_eq!(mirrored[[0, y, x]], (10 * (3 - x)) as f32 / 255.0);
            assert_eq!(whole[[1, y, x]], (20 * y) as f32 / 255.0);
        }
    }

    /// A crop of a quarter of the area, at the far corner, is the last half of rows and columns.
    #[test]
    fn a_crop_lies_where_it_is_drawn() {
        let image = image::RgbImage::from_fn(8, 8, |x, y| image::Rgb([x as u8, y as u8, 0]));
        let photo = DecodedPhoto { image };
        let raw = Preprocessing { interpolation: Interpolation::Nearest, ..Preprocessing::raw() };
        let draw = CropDraw { area: 0.25, at: [1.0, 1.0], mirrored: false, moved: [0.0; 2] };
        let ends = |moved| {
            let crop = photo.crop(&CropDraw { moved, ..draw }, &raw, [3, 4, 4]);
            [crop[[0, 0, 0]], crop[[1, 3, 3]]].map(|value| (255.0 * value).round())
        };
        assert_eq!(ends([0.0; 2]), [4.0, 7.0]);
        // Two to the left; up further than the photo reaches; and past its right edge, where it stays.
        assert_eq!(ends([-2.0, -9.0]), [2.0, 3.0]);
        assert_eq!(ends([3.0, 0.4]), [4.0, 7.0]);
    }

    #[test]
    fn draws_repeat() {
        let draw = || CropDraw::draw(&mut ChaCha8Rng::seed_from_u64(3));
        assert_eq!(draw(), draw());
        assert!((LEAST_AREA..=1.0).contains(&draw().area));
    }
}
