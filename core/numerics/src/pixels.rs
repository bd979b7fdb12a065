//! Pictures made larger and smaller, by `image`'s functions.
//!
//! These are generic, and compiled where they are called with a type of pixel: here, since this is the crate that is
//! optimised, and a photo would take a tenth of a second elsewhere.

use image::imageops::{self, FilterType};
use image::{ImageBuffer, Rgb, RgbImage};

/// Pictures that can be resized: RGB of 8 and of 16 bits.
pub trait Resize: Sized {
    /// At another size.
    fn resized(&self, width: u32, height: u32, filter: FilterType) -> Self;
}

macro_rules! resize {
    ($($t:ty),*) => {$(
        impl Resize for ImageBuffer<Rgb<$t>, Vec<$t>> {
            fn resized(&self, width: u32, height: u32, filter: FilterType) -> Self {
                imageops::resize(self, width, height, filter)
            }
        }
    )*};
}
resize!(u8, u16);

/// At a smaller size, each pixel the mean of those that it covers.
pub fn thumbnail(picture: &RgbImage, width: u32, height: u32) -> RgbImage {
    imageops::thumbnail(picture, width, height)
}
