//! Promise: the theorem on a field needs three times the field's memory, the field itself included, whatever filter goes
//! before the stride.
//!
//! In a program of its own, whose allocator counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use aliascope_numerics::spectrum::theorem::{Setup, check_field};
use aliascope_numerics::spectrum::{GridSize, HalfSpectrum, Velocity};
use ndarray::Array3;

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn grow(bytes: usize) {
    let now = NOW.fetch_add(bytes, Relaxed) + bytes;
    PEAK.fetch_max(now, Relaxed);
}

// SAFETY: every call goes to the system's allocator unchanged; only sizes are counted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most that was held during `work` beyond what was held before it.
fn peak(work: impl FnOnce()) -> usize {
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    work();
    PEAK.load(Relaxed) - before
}

#[test]
fn the_theorem_holds_two_fields_beside_its_input() {
    let side = 1024;
    let field = Array3::from_shape_fn((1, side, side), |(_, y, x)| ((x * x + 3 * y) % 251) as f64 / 251.0);
    let bytes = field.len() * size_of::<f64>();
    // Plans and threads first: they are kept, and no part of any field.
    drop(HalfSpectrum::from_samples(field.view()).unwrap().into_samples().unwrap());
    for (stride, filter) in [(2, "none"), (4, "none"), (2, "binomial-4"), (2, "kaiser"), (2, "ideal")] {
        let setup = Setup {
            samples: None,
            grid: GridSize::square(side / stride),
            velocity: Velocity::new(0.8, 0.6),
            prefilter: filter.parse().unwrap(),
            activation: None,
            tolerance: 1e-6,
        };
        let held = peak(|| {
            check_field(field.view(), &setup).unwrap();
        });
        // A half spectrum has one column more than half of the field, each thread a block of columns, and what is kept at
        // stride 2 is a quarter of the field.
        assert!(
            held <= 2 * bytes + bytes / 16 + bytes / 4,
            "{filter}, stride {stride}: {:.2}",
            held as f64 / bytes as f64
        );
        println!("{filter}, stride {stride}: {:.2} fields beside the input", held as f64 / bytes as f64);
    }
}
