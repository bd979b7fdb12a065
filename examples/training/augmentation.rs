//! What is done to training images anew in each epoch.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::rotation::randomly_turned;

/// What is done to training images anew in each epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Augmentation {
    /// Nothing.
    None,
    /// A turn by any whole degree.
    Rotation,
    /// A shift by up to two pixels along each axis, black where nothing comes from.
    Shift,
}

/// The largest shift, in pixels.
const SHIFT: i64 = 2;

impl Augmentation {
    /// The images of an epoch.
    pub fn of(self, pixels: &Tensor, seed: u64) -> Tensor {
        match self {
            Self::None => pixels.shallow_clone(),
            Self::Rotation => randomly_turned(pixels, seed),
            Self::Shift => {
                let mut random = ChaCha8Rng::seed_from_u64(seed);
                let framed = pixels.pad([SHIFT; 4], "constant", 0.0);
                let [images, _, rows, columns] = pixels.size()[..] else { unreachable!("images have four axes") };
                let mut draw = || random.random_range(0..=2 * SHIFT);
                let moved: Vec<Tensor> =
                    (0..images).map(|at| framed.get(at).narrow(1, draw(), rows).narrow(2, draw(), columns)).collect();
                Tensor::stack(&moved, 0)
            }
        }
    }

    /// What stands after a network's name; empty for none.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Rotation => "+rotation",
            Self::Shift => "+shift",
        }
    }
}
