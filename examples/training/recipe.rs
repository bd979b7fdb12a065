//! How one network is trained: everything that its numbers depend on beside the images.

use serde::{Deserialize, Serialize};

use super::architecture::{Family, Size};
use super::augmentation::Augmentation;

/// How one network is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Which network.
    pub family: Family,
    /// How wide.
    pub size: Size,
    /// What is done to its images.
    pub augmentation: Augmentation,
    /// What the LEE term counts in the loss; 0 for none.
    pub lee_weight: f64,
    /// Of its weights, the order of images, and what augmentation draws.
    pub seed: u64,
    /// How often each image is seen.
    pub epochs: usize,
    /// Images a step.
    pub batch: usize,
    /// Adam's first learning rate, which falls to 0 as a half cosine.
    pub rate: f64,
    /// libtorch's threads, on whose number sums depend.
    pub threads: usize,
}

impl Recipe {
    /// The network and what distinguishes its training, without the seed: `vit+rotation`.
    pub fn kind(&self) -> String {
        let size = if self.size == Size::Medium { String::new() } else { format!("-{}", self.size.name()) };
        let term = if self.lee_weight > 0.0 { "+lee" } else { "" };
        format!("{}{size}{}{term}", self.family, self.augmentation.suffix())
    }

    /// What its files are called.
    pub fn name(&self) -> String {
        format!("{}-{}", self.kind(), self.seed)
    }
}
