//! Labelled images.

use std::path::Path;

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tch::{Kind, Tensor};

use super::{Problem, idx};

/// Grey images and their classes.
#[derive(Debug)]
pub struct Labelled {
    /// `[images, 1, rows, columns]`, from 0 to 1.
    pub pixels: Tensor,
    /// `[images]`.
    pub classes: Tensor,
    /// What each is called: its place in the file.
    pub names: Vec<String>,
}

impl Labelled {
    /// The images and labels in two IDX files, of bytes from 0 to 255 or of floats as they are.
    ///
    /// # Errors
    /// A file cannot be read; they do not belong together.
    pub fn read(images: &Path, labels: &Path) -> Result<Self, Problem> {
        let (pixels, classes) = (idx::read(images)?, idx::read(labels)?);
        if pixels.dim() != 3 || classes.size() != [pixels.size()[0]] {
            let sizes = format!("{:?} and {:?}", pixels.size(), classes.size());
            return Err(format!("{}: images and labels have the sizes {sizes}", images.display()).into());
        }
        let scale = if pixels.max().double_value(&[]) > 1.5 { 255.0 } else { 1.0 };
        let names = (0..pixels.size()[0]).map(|at| format!("{at}")).collect();
        Ok(Self { pixels: pixels.unsqueeze(1) / scale, classes: classes.to_kind(Kind::Int64), names })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// Those at these places.
    pub fn select(&self, places: &[i64]) -> Self {
        let at = Tensor::from_slice(places);
        Self {
            pixels: self.pixels.index_select(0, &at),
            classes: self.classes.index_select(0, &at),
            names: places.iter().map(|&at| self.names[at as usize].clone()).collect(),
        }
    }

    /// The first ones.
    pub fn first(&self, count: usize) -> Self {
        self.select(&(0..count.min(self.count()) as i64).collect::<Vec<_>>())
    }

    /// The same images with other pixels.
    pub fn with_pixels(&self, pixels: Tensor) -> Self {
        Self { pixels, classes: self.classes.shallow_clone(), names: self.names.clone() }
    }

    /// So many images to train on and others to test on, drawn by the seed: no image is in both.
    ///
    /// # Errors
    /// There are fewer.
    pub fn split(&self, train: usize, test: usize, seed: u64) -> Result<[Self; 2], Problem> {
        if train + test > self.count() {
            return Err(format!("there are {} images, and {train} + {test} are asked for", self.count()).into());
        }
        let places = order(self.count(), seed);
        Ok([self.select(&places[..train]), self.select(&places[train..train + test])])
    }

    /// The classes as numbers.
    pub fn class_numbers(&self) -> Vec<Option<usize>> {
        Vec::<i64>::try_from(&self.classes)
            .unwrap_or_default()
            .iter()
            .map(|&class| usize::try_from(class).ok())
            .collect()
    }
}

/// 0 to count − 1 in an order drawn by the seed.
pub fn order(count: usize, seed: u64) -> Vec<i64> {
    let mut places: Vec<i64> = (0..count as i64).collect();
    places.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    places
}
