//! How many images at once the memory allows.

use crate::memory::size;

use super::{Failure, Status};

/// What was asked for, or as many images as `free` bytes allow, and then a note that says so; `needed` has the bytes
/// that so many images need.
///
/// # Errors
/// Where not even one image fits.
pub(super) fn images_at_once(
    model: &str,
    asked: u16,
    free: Option<u64>,
    needed: impl Fn(u64) -> u64,
) -> Result<(u16, Option<String>), Failure> {
    let Some(free) = free.filter(|&free| needed(u64::from(asked)) > free) else { return Ok((asked, None)) };
    let (asks, has) = (size(needed(u64::from(asked))), size(free));
    match (1..asked).rev().find(|&images| needed(u64::from(images)) <= free) {
        Some(images) => {
            let note =
                format!("--batch {asked} takes about {asks} of memory, and {has} are free: --batch {images} is taken");
            Ok((images, Some(note)))
        }
        None => Err(Failure::new(
            Status::Machine,
            format!(
                "{model}: one image takes about {} of memory, and {has} are free; free some, take a smaller input, or give a \
                 larger --memory to try it all the same",
                size(needed(1))
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_become_as_large_as_memory_allows() {
        let needed = |images: u64| (1 + images) << 20;
        let at_once = |asked, free| images_at_once("m.onnx", asked, free, needed);
        assert_eq!(at_once(8, None), Ok((8, None)));
        assert_eq!(at_once(8, Some(9 << 20)), Ok((8, None)));
        let (images, note) = at_once(8, Some(6 << 20)).unwrap();
        assert_eq!(images, 5);
        assert_eq!(note.unwrap(), "--batch 8 takes about 9 MiB of memory, and 6 MiB are free: --batch 5 is taken");
        for asked in [1, 8] {
            let failure = at_once(asked, Some(1 << 20)).unwrap_err();
            assert_eq!(failure.status, Status::Machine);
            assert!(failure.message.contains("m.onnx: one image takes about 2 MiB"), "{}", failure.message);
        }
    }
}
