//! The program's allocator: the system's, with a sentence and an exit status where memory does not suffice.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;

use super::{LARGE, available};

/// The exit status of a machine that lacks something.
const MACHINE: i32 = 8;

/// The system's allocator. Where it has no memory, or a large piece is asked for that is not free, the program ends
/// with one sentence and status 8: Rust would abort it, or the kernel would kill it once the memory is written to.
#[derive(Debug)]
pub struct Refusing;

// SAFETY: all memory is the system allocator's, with the layouts that were asked for; before it only numbers are
// compared.
unsafe impl GlobalAlloc for Refusing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ask(layout.size());
        // SAFETY: as the caller promises; so for the rest.
        given(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ask(layout.size());
        given(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new: usize) -> *mut u8 {
        ask(new.saturating_sub(layout.size()));
        given(unsafe { System.realloc(pointer, layout, new) }, new)
    }
}

/// Ends the program where so many bytes are not free.
fn ask(bytes: usize) {
    if bytes as u64 >= LARGE && available().is_some_and(|free| bytes as u64 > free) {
        refuse(bytes);
    }
}

fn given(pointer: *mut u8, bytes: usize) -> *mut u8 {
    if pointer.is_null() {
        refuse(bytes);
    }
    pointer
}

/// Ends the program, without any more memory.
#[cold]
fn refuse(bytes: usize) -> ! {
    let mut text = [0; 160];
    let mut rest = &mut text[..];
    let _ = writeln!(
        rest,
        "aliascope: {} MiB more of memory are needed, and are not free; free some, or take smaller or fewer images at once",
        bytes.div_ceil(1 << 20)
    );
    let unused = rest.len();
    let _ = std::io::stderr().write_all(&text[..text.len() - unused]);
    #[cfg(unix)]
    // SAFETY: _exit has no preconditions; nothing of this process runs after it.
    unsafe {
        libc::_exit(MACHINE)
    }
    #[cfg(not(unix))]
    std::process::exit(MACHINE)
}
