//! The images that weights are adapted on: crops of photos, or tensors as they are.

use std::collections::HashSet;
use std::path::PathBuf;

use ndarray::Array3;
use rand::Rng;
use rayon::prelude::*;
use tch::Tensor;

use crate::cli::network::{Console, Opened};
use crate::cli::{Failure, Status};
use crate::graph::InputLayout;
use crate::hash::hash_of;
use crate::input::{CropDraw, DecodedPhoto, Frame, InputError, Preprocessing, Source};
use crate::measure::input;
use crate::memory;
use crate::repair::{TrainOptions, batch};

/// Photos that weights are adapted on.
pub(in crate::cli) struct TrainingImages {
    source: Source,
    /// Places among the source's frames of those that can be decoded.
    places: Vec<usize>,
    /// The hashes of their files' bytes.
    hashes: Vec<String>,
    /// Decoded photos, as far as there is room for them.
    decoded: Vec<Option<DecodedPhoto>>,
    size: [usize; 3],
}

/// The share of free memory that decoded photos may take.
const SHARE: u64 = 4;

impl TrainingImages {
    /// Lists and decodes them. Photos that cannot be decoded are left out, with a note.
    pub(in crate::cli) fn open(paths: &[PathBuf], opened: &Opened, console: &Console) -> Result<Self, Failure> {
        let network = &opened.network;
        let channels_last = network.input_layout() == InputLayout::ChannelsLast;
        let mut source = Source::open_as(paths, size_of(opened)?, channels_last)?;
        let bad = source.sift();
        for (frame, error) in bad {
            leave_out(&frame, &error, opened, console)?;
        }
        Self::of(source, opened, console)
    }

    /// Decodes those of a source.
    pub(in crate::cli) fn of(source: Source, opened: &Opened, console: &Console) -> Result<Self, Failure> {
        let size = size_of(opened)?;
        let mut images = Self { source, places: Vec::new(), hashes: Vec::new(), decoded: Vec::new(), size };
        let mut room = memory::available().unwrap_or(u64::MAX) / SHARE;
        for (at, frame) in images.source.frames().iter().enumerate() {
            let hash = hash_of(&images.source.bytes(frame)?);
            let photo = match frame {
                Frame::Tensor { .. } => None,
                Frame::Photo(path) => match DecodedPhoto::read(path, size) {
                    Ok(photo) => Some(photo),
                    Err(error) => {
                        leave_out(frame, &error, opened, console)?;
                        continue;
                    }
                },
            };
            let fits = photo.as_ref().is_some_and(|photo| photo.bytes() as u64 <= room);
            if let (true, Some(photo)) = (fits, &photo) {
                room -= photo.bytes() as u64;
            }
            images.places.push(at);
            images.hashes.push(hash);
            images.decoded.push(photo.filter(|_| fits));
        }
        if images.places.is_empty() {
            return Err(Failure::new(Status::Input, "--images: there is no photo that can be read; give others"));
        }
        Ok(images)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// What tells them from others.
    pub(super) fn hash(&self) -> String {
        hash_of(self.hashes.concat().as_bytes())
    }

    /// The names of the validation images whose bytes are those of one of them.
    pub(super) fn overlap(&self, opened: &Opened) -> Result<Vec<String>, Failure> {
        let own: HashSet<&str> = self.hashes.iter().map(String::as_str).collect();
        let mut found = Vec::new();
        for frame in opened.source.frames() {
            if own.contains(hash_of(&opened.source.bytes(frame)?).as_str()) {
                found.push(frame.name());
            }
        }
        Ok(found)
    }

    /// Leaves out those whose bytes are a validation image's, and says how many; an error where none is left.
    pub(in crate::cli) fn leave_out_copies(&mut self, opened: &Opened) -> Result<usize, Failure> {
        let mut judged = HashSet::new();
        for frame in opened.source.frames() {
            judged.insert(hash_of(&opened.source.bytes(frame)?));
        }
        let keep: Vec<bool> = self.hashes.iter().map(|hash| !judged.contains(hash)).collect();
        let copies = keep.iter().filter(|keep| !**keep).count();
        if copies == keep.len() {
            let problem = "--images: all are copies of each other, so that none is left to adapt on; give others";
            return Err(Failure::new(Status::Input, problem));
        }
        fn kept<T>(list: &mut Vec<T>, keep: &[bool]) {
            let mut at = keep.iter();
            list.retain(|_| at.next().copied().unwrap_or(true));
        }
        kept(&mut self.places, &keep);
        kept(&mut self.hashes, &keep);
        kept(&mut self.decoded, &keep);
        Ok(copies)
    }

    /// The batch of a step, `[images, 1, channels, rows, columns]` in single precision, as teacher and student see it:
    /// crops, which seed and step decide.
    pub(super) fn batch(&self, options: &TrainOptions, step: usize, opened: &Opened) -> Result<[Tensor; 2], Failure> {
        let (chosen, mut rng) = batch(options, step, self.len());
        let own: Vec<(usize, CropDraw)> = chosen.into_iter().map(|at| (at, CropDraw::draw(&mut rng))).collect();
        let theirs =
            own.iter().map(|(at, draw)| (*at, draw.moved(options.teacher_shift, &mut rng))).collect::<Vec<_>>();
        let blend = Blend::draw(options.mixup, own.len(), &mut rng);
        let own = blend.of(&self.crops(&own, &opened.preprocessing)?)?;
        let theirs = match options.teacher_shift > 0.0 {
            true => blend.of(&self.crops(&theirs, &opened.preprocessing)?)?,
            false => own.shallow_clone(),
        };
        Ok([theirs, own])
    }

    fn crops(&self, draws: &[(usize, CropDraw)], preprocessing: &Preprocessing) -> Result<Tensor, Failure> {
        let images: Result<Vec<Array3<f32>>, InputError> =
            draws.par_iter().map(|(at, draw)| self.crop(*at, draw, preprocessing)).collect();
        let [channels, rows, columns] = self.size.map(|n| n as i64);
        let tensors = images?.into_iter().map(|image| {
            let values: Vec<f32> = image.iter().copied().collect();
            Ok(Tensor::f_from_slice(&values)?.f_view([1, channels, rows, columns])?)
        });
        Ok(Tensor::f_stack(&tensors.collect::<Result<Vec<_>, Failure>>()?, 0)?)
    }

    fn crop(&self, at: usize, draw: &CropDraw, preprocessing: &Preprocessing) -> Result<Array3<f32>, InputError> {
        let frame = &self.source.frames()[self.places[at]];
        match (frame, &self.decoded[at]) {
            (_, Some(photo)) => Ok(photo.crop(draw, preprocessing, self.size)),
            (Frame::Photo(path), None) => Ok(DecodedPhoto::read(path, self.size)?.crop(draw, preprocessing, self.size)),
            (Frame::Tensor { .. }, None) => Ok(self.source.read(frame, preprocessing)?.0.mapv(|value| value as f32)),
        }
    }

    /// So many of them, evenly spaced, each `[1, channels, rows, columns]`, with its name.
    pub(in crate::cli) fn some(&self, count: usize, opened: &Opened) -> Result<Vec<(String, Tensor)>, Failure> {
        let count = count.min(self.len());
        let image = |i: usize| {
            let frame = &self.source.frames()[self.places[i * self.len() / count]];
            let (image, _) = self.source.read(frame, &opened.preprocessing)?;
            Ok((frame.name(), input(&image)?.f_to_kind(opened.network.kind())?))
        };
        (0..count).map(image).collect()
    }

    /// So many of them, evenly spaced, as the network takes images: `[images, 1, channels, rows, columns]`.
    pub(super) fn evenly(&self, count: usize, opened: &Opened) -> Result<Tensor, Failure> {
        let images: Vec<Tensor> = self.some(count, opened)?.into_iter().map(|(_, image)| image).collect();
        Ok(Tensor::f_stack(&images, 0)?)
    }
}

/// Which images of a batch are blended with the next of it, and how much of them stays. Two photos a step make as many
/// new images as there are pairs, on which a teacher without labels says what it says.
struct Blend(Vec<f64>);

impl Blend {
    /// Of so many images, this share of them; what stays is uniform from 0 to 1.
    fn draw(share: f64, count: usize, rng: &mut impl Rng) -> Self {
        let one = |_| {
            let (chosen, stays) = (rng.random_bool(share), rng.random_range(0.0..=1.0));
            if chosen { stays } else { 1.0 }
        };
        Self((0..count).map(one).collect())
    }

    /// The images, blended.
    fn of(&self, x: &Tensor) -> Result<Tensor, Failure> {
        if self.0.iter().all(|&stays| stays == 1.0) {
            return Ok(x.shallow_clone());
        }
        let stays = Tensor::f_from_slice(&self.0)?.f_to_kind(x.kind())?.f_view([-1, 1, 1, 1, 1])?;
        let next = x.f_roll([-1].as_slice(), [0].as_slice())?;
        Ok(next.f_add(&x.f_sub(&next)?.f_mul(&stays)?)?)
    }
}

/// Channels, rows and columns of the network's input.
fn size_of(opened: &Opened) -> Result<[usize; 3], Failure> {
    let [_, channels, rows, columns] = opened.network.input().shape[..] else {
        return Err(Failure::new(Status::Unsupported, "the network's input is no image"));
    };
    Ok([channels, rows, columns].map(|n| n as usize))
}

/// Says that a photo is left out; an error where nothing may be.
fn leave_out(frame: &Frame, error: &InputError, opened: &Opened, console: &Console) -> Result<(), Failure> {
    let skipped = crate::measure::run::Skipped::new(frame, error);
    if opened.strict {
        return Err(Failure::new(Status::Input, error.to_string()));
    }
    console.note(&skipped.note());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    /// A share of the images becomes a mean of itself and the next, by the same weights whatever is blended.
    #[test]
    fn images_are_blended_with_the_next() {
        let x = Tensor::from_slice(&[0.0, 1.0, 3.0, 7.0]).view([4, 1, 1, 1, 1]);
        let values = |x: Tensor| Vec::<f64>::try_from(&x.view([-1])).unwrap();
        let draw = |share| Blend::draw(share, 4, &mut ChaCha8Rng::seed_from_u64(2));
        assert_eq!(values(draw(0.0).of(&x).unwrap()), [0.0, 1.0, 3.0, 7.0]);
        let (all, again) = (draw(1.0), values(draw(1.0).of(&(&x + 10.0)).unwrap()));
        let blended = values(all.of(&x).unwrap());
        for (at, (own, next)) in [(0.0, 1.0), (1.0, 3.0), (3.0, 7.0), (7.0, 0.0)].into_iter().enumerate() {
            let wanted = all.0[at] * own + (1.0 - all.0[at]) * next;
            assert!((blended[at] - wanted).abs() < 1e-12 && blended[at] != own, "{blended:?}");
            assert!((again[at] - blended[at] - 10.0).abs() < 1e-12, "{again:?}");
        }
        assert!(
            (0..1000)
                .map(|seed| Blend::draw(0.3, 4, &mut ChaCha8Rng::seed_from_u64(seed)))
                .map(|blend| blend.0.iter().filter(|&&stays| stays < 1.0).count())
                .sum::<usize>()
                .abs_diff(1200)
                < 120
        );
    }
}
