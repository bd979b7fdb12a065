//! Tensors are refused before they take memory that is not free, whatever operator asks for them.

use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use tch::TchError;

use crate::memory::{Shortage, available, left};

unsafe extern "C" {
    fn aliascope_guard_memory(left: extern "C" fn(i64) -> i64);
}

/// How the shim's refusal begins; after it are the bytes that were wanted, and those that are free.
const REFUSAL: &str = "aliascope-memory ";

/// What libtorch, its libraries and the C++ of this crate say where memory does not suffice.
const NO_MEMORY: [&str; 6] = [
    "can't allocate memory",
    "out of memory",
    "bad_alloc",
    "no memory",
    "not enough memory",
    "could not create a memory",
];

/// From here on no tensor takes memory that is not free.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    // SAFETY: the function is there as long as the program, and does not unwind; libtorch's own allocator, which stays
    // behind the guard, frees what was allocated before.
    INSTALLED.call_once(|| unsafe { aliascope_guard_memory(left_to_tensors) });
}

/// How many models are being loaded.
static LOADING: AtomicUsize = AtomicUsize::new(0);

/// While it lives, tensors take no more than the user allows: a run's are counted before it starts.
pub(crate) struct Loading(());

impl Loading {
    pub fn begin() -> Self {
        install();
        LOADING.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        LOADING.fetch_sub(1, Ordering::Relaxed);
    }
}

extern "C" fn left_to_tensors(held: i64) -> i64 {
    let bounded = LOADING.load(Ordering::Relaxed) > 0;
    let bytes = if bounded { left(held.max(0).unsigned_abs()) } else { available() };
    bytes.map_or(-1, |free| i64::try_from(free).unwrap_or(i64::MAX))
}

/// What memory was short of, where that is what an error says.
pub(crate) fn shortage(error: &TchError) -> Option<Shortage> {
    let text = error.to_string();
    if let Some((_, numbers)) = text.split_once(REFUSAL) {
        let mut numbers = numbers.split_whitespace().map(|number| number.parse().ok());
        return Some(Shortage { wanted: numbers.next().flatten(), free: numbers.next().flatten() });
    }
    let text = text.to_lowercase();
    NO_MEMORY.iter().any(|words| text.contains(words)).then_some(Shortage { wanted: None, free: None })
}
