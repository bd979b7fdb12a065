//! Memory: what this process may still take, and a refusal before it takes more.
//!
//! What comes from strangers' files is counted before it is allocated: pictures by [`check`], tensors by an allocator
//! that is put before libtorch's (`graph/guard.rs`), and everything else by [`Refusing`], the program's own.

mod available;
mod refusing;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

pub use available::available;
pub use refusing::Refusing;

/// Bytes from which it is worth asking what memory there is.
pub(crate) const LARGE: u64 = 64 << 20;

/// What was asked for where it is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// Bytes, where they are known.
    pub wanted: Option<u64>,
    /// Bytes that could be taken, where that is known.
    pub free: Option<u64>,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.wanted, self.free) {
            (Some(wanted), Some(free)) => write!(f, "it takes {} of memory, and {} are free", size(wanted), size(free)),
            (Some(wanted), None) => write!(f, "it takes {} of memory, which are not free", size(wanted)),
            _ => f.write_str("memory does not suffice"),
        }
    }
}

impl std::error::Error for Shortage {}

/// What the user allows, `--memory`.
static ALLOWED: AtomicU64 = AtomicU64::new(u64::MAX);

/// While it lives, pictures, and the constants and values of models that are loaded, take no more than so many bytes.
#[must_use]
#[derive(Debug)]
pub struct Allowance(());

impl Allowance {
    /// At most so many bytes; what is free where that is none.
    pub fn of(bytes: Option<u64>) -> Self {
        ALLOWED.store(bytes.unwrap_or(u64::MAX), Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Allowance {
    fn drop(&mut self) {
        ALLOWED.store(u64::MAX, Ordering::Relaxed);
    }
}

/// What is free, or less where the user allows less to one who holds `held` bytes already.
pub fn left(held: u64) -> Option<u64> {
    match ALLOWED.load(Ordering::Relaxed) {
        u64::MAX => available(),
        allowed => Some(allowed.saturating_sub(held).min(available().unwrap_or(u64::MAX))),
    }
}

/// Refuses what takes more memory than is free or allowed; to be asked before it is allocated.
///
/// # Errors
/// Then.
pub fn check(bytes: u64) -> Result<(), Shortage> {
    if bytes < LARGE && ALLOWED.load(Ordering::Relaxed) == u64::MAX {
        return Ok(());
    }
    match left(0) {
        Some(free) if bytes > free => Err(Shortage { wanted: Some(bytes), free: Some(free) }),
        _ => Ok(()),
    }
}

/// A number of bytes for a message, such as `3.2 GiB`.
pub fn size(bytes: u64) -> String {
    let mib = bytes as f64 / f64::from(1 << 20);
    if mib >= 1024.0 { format!("{:.1} GiB", mib / 1024.0) } else { format!("{mib:.0} MiB") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_by_people() {
        assert_eq!([size(5 << 20), size(3 << 30)], ["5 MiB", "3.0 GiB"]);
    }
}
