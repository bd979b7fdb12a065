//! The images of a run, batch by batch: read and decoded ahead, those that cannot be read left out.

use std::collections::HashSet;
use std::sync::mpsc;
use std::thread;

use ndarray::Array3;
use tch::Tensor;

use super::network::{Console, Opened};
use super::{Failure, Status};
use crate::hash::hash_of;
use crate::input::{Frame, InputError, PhotoNote, Preprocessing, Source};
use crate::measure::input;
use crate::measure::run::Skipped;

/// Images that are measured together.
pub(super) struct Batch<'a> {
    opened: &'a Opened,
    images: Vec<Image>,
}

struct Image {
    frame: Frame,
    hash: String,
    /// `[1, channels, rows, columns]`, in double precision; none where its results are known.
    read: Option<Tensor>,
}

/// An image that is read: none of it where its results are known by its hash.
type Read = Result<(String, Option<(Array3<f64>, Vec<PhotoNote>)>), InputError>;

impl Batch<'_> {
    /// How many images.
    pub(super) fn len(&self) -> usize {
        self.images.len()
    }

    /// The images, in order.
    pub(super) fn frames(&self) -> impl Iterator<Item = &Frame> {
        self.images.iter().map(|image| &image.frame)
    }

    /// Their names.
    pub(super) fn names(&self) -> Vec<String> {
        self.frames().map(Frame::name).collect()
    }

    /// The hashes of their bytes.
    pub(super) fn hashes(&self) -> Vec<String> {
        self.images.iter().map(|image| image.hash.clone()).collect()
    }

    /// The network's input, `[images, 1, channels, rows, columns]`, in double precision.
    pub(super) fn tensor(&self) -> Result<Tensor, Failure> {
        let images = self.images.iter().map(|image| match &image.read {
            Some(read) => Ok(read.shallow_clone()),
            None => Ok(input(&self.opened.source.read(&image.frame, &self.opened.preprocessing)?.0)?),
        });
        Ok(Tensor::f_stack(&images.collect::<Result<Vec<_>, Failure>>()?, 0)?)
    }
}

impl Opened {
    /// Calls `run` with batches of so many of the images that can be read. The next batch is read and decoded while
    /// `run` is busy; images of `known` hashes are decoded where they are asked for alone.
    ///
    /// # Errors
    /// Those of `run`; no image can be read, or one cannot and nothing may be left out.
    pub(super) fn for_batches(
        &self,
        batch: usize,
        console: &Console,
        known: &HashSet<String>,
        mut run: impl FnMut(&Batch<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let (source, preprocessing, frames) = (&self.source, &self.preprocessing, self.source.frames());
        let mut first_problem = None;
        let measured = thread::scope(|scope| {
            let (send, receive) = mpsc::sync_channel(batch);
            scope.spawn(move || {
                // It ends early where nobody waits any more: the run has failed.
                for frame in frames {
                    if send.send(read(source, preprocessing, frame, known)).is_err() {
                        break;
                    }
                }
            });
            // Owned here, so that it goes away before the reader is waited for.
            let receive = receive;
            let mut measured = 0;
            let mut next = Batch { opened: self, images: Vec::new() };
            for frame in frames {
                let read: Read = receive
                    .recv()
                    .map_err(|_| Failure::new(Status::Defect, "images were read no further; please report this"))?;
                match read {
                    Ok((hash, read)) => {
                        let read = read.map(|(image, notes)| noted(frame, &image, &notes, console)).transpose()?;
                        next.images.push(Image { frame: frame.clone(), hash, read });
                    }
                    Err(error) if self.strict || !error.leaves_others() => return Err(error.into()),
                    Err(error) => {
                        self.leave_out(Skipped::new(frame, &error), console);
                        console.shorten();
                        first_problem.get_or_insert(error);
                    }
                }
                if next.len() == batch.max(1) {
                    measured += next.len();
                    run(&std::mem::replace(&mut next, Batch { opened: self, images: Vec::new() }))?;
                }
            }
            measured += next.len();
            if next.len() > 0 {
                run(&next)?;
            }
            Ok::<_, Failure>(measured)
        })?;
        match (measured, first_problem) {
            (0, Some(error)) => Err(error.into()),
            (0, None) => {
                Err(Failure::new(Status::Input, "there is no image to measure; give --images files or folders"))
            }
            _ => Ok(()),
        }
    }

    /// Calls `run` with one image after the other, `[1, 1, channels, rows, columns]`.
    pub(super) fn for_images(
        &self,
        console: &Console,
        mut run: impl FnMut(&Frame, Tensor) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.for_batches(1, console, &HashSet::new(), |batch| {
            batch.frames().try_for_each(|frame| run(frame, batch.tensor()?))
        })
    }

    fn leave_out(&self, skipped: Skipped, console: &Console) {
        let mut all = self.skipped.borrow_mut();
        // A later pass over the images comes upon it again.
        if !all.contains(&skipped) {
            console.note(&skipped.note());
            all.push(skipped);
        }
    }

    /// The end of a run that did its work: of its own status where images were left out.
    pub(super) fn finish(&self) -> Result<(), Failure> {
        const NAMED: usize = 3;
        let skipped = self.skipped.borrow();
        let Some(first) = skipped.first() else { return Ok(()) };
        let named: Vec<&str> = skipped.iter().take(NAMED).map(|one| one.image.as_str()).collect();
        let more = if skipped.len() > NAMED { ", …" } else { "" };
        let (could, is) = if skipped.len() == 1 { ("1 image", "was") } else { ("images", "were") };
        let count = if skipped.len() == 1 { String::new() } else { format!("{} ", skipped.len()) };
        Err(Failure::new(
            Status::Skipped,
            format!(
                "{count}{could} could not be read and {is} left out of the results ({}{more}; of the first: {}); fetch or convert \
                 what you need and run it again",
                named.join(", "),
                first.reason
            ),
        ))
    }
}

/// An image that holds what no network can be measured on.
pub(super) fn not_finite(frame: &Frame) -> Failure {
    let message = format!("the input of '{}' holds NaN or infinity; check the image or tensor", frame.name());
    Failure::new(Status::NotFinite, message)
}

fn read(source: &Source, preprocessing: &Preprocessing, frame: &Frame, known: &HashSet<String>) -> Read {
    let bytes = source.bytes(frame)?;
    let hash = hash_of(&bytes);
    let read = match known.contains(&hash) {
        true => None,
        false => Some(source.decode(frame, &bytes, preprocessing)?),
    };
    Ok((hash, read))
}

/// An image as input; notes are counted.
fn noted(frame: &Frame, image: &Array3<f64>, notes: &[PhotoNote], console: &Console) -> Result<Tensor, Failure> {
    tracing::debug!(image = %frame.name(), shape = ?image.dim(), "image read");
    if let Frame::Photo(path) = frame {
        console.photo(path, notes);
    }
    Ok(input(image)?)
}
