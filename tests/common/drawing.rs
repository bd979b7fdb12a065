//! libtorch's random generator. There is one for the whole process, so that tests take turns.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tch::{Device, Kind, Tensor};

/// While it lives, what this thread draws follows from the seed alone: whoever draws holds one, and no thread holds two.
#[must_use]
pub struct Turn {
    _turn: MutexGuard<'static, ()>,
}

/// Waits until nobody else draws, and seeds the generator.
pub fn seeded(seed: i64) -> Turn {
    static TURN: Mutex<()> = Mutex::new(());
    // A test that fails while it draws spoils nothing for the next, which seeds anew.
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    tch::manual_seed(seed);
    Turn { _turn: turn }
}

/// Numbers of the standard normal distribution.
pub fn normal(shape: &[i64], kind: Kind, seed: i64) -> Tensor {
    let _turn = seeded(seed);
    Tensor::randn(shape, (kind, Device::Cpu))
}
