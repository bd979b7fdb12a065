//! Designs that choose one of the s² polyphase components by their input: APS (Chaman & Dokmanić, CVPR 2021, arXiv
//! 2011.14214) and LPS (Rojas-Gomez et al., NeurIPS 2022, arXiv 2210.08001).
//!
//! A component is what striding keeps from one phase (p_y, p_x): x[s·j + p_y, s·i + p_x]. A circular shift of the input
//! permutes components and shifts them, so a choice that looks at a component's content alone makes the layer exact
//! under circular shifts by whole samples, up to a shift of its output. The choice is locally constant: the Lie
//! derivative is plain striding's at that phase and cannot see the gain.

use std::f64::consts::TAU;

use num_complex::Complex64;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::{Kind as Element, Tensor};

use super::design::{Cost, Design, DesignError, Resampling};
use super::plane::{Cache, Taps, check_padding, filter, pad};
use super::{Guarantee, Kind, Padding};
use crate::graph::operator::Torch;
use crate::spectrum::filter::Filter;
use crate::spectrum::{GridSize, Wave};

/// Plain striding from a fixed phase: x[s·j + p_y, s·i + p_x].
#[derive(Debug)]
pub struct Phase {
    blur: Taps,
    stride: usize,
    /// \[p_y, p_x\].
    phase: [usize; 2],
    cache: Cache,
}

impl Phase {
    /// Every s-th sample from sample \[p_y, p_x\].
    pub fn new(stride: usize, phase: [usize; 2]) -> Self {
        Self { blur: Taps::centred(vec![1.0]), stride, phase, cache: Cache::default() }
    }
}

impl Design for Phase {
    fn name(&self) -> String {
        format!("stride from ({}, {})", self.phase[1], self.phase[0])
    }

    fn about(&self) -> String {
        "plain striding from another sample than the first".to_owned()
    }

    fn kind(&self) -> Kind {
        Kind::Downsampling
    }

    fn guarantee(&self) -> Guarantee {
        Guarantee::None
    }

    fn resampling(&self) -> Resampling {
        Resampling::Down { stride: self.stride, first: 0.0 }
    }

    fn is_linear(&self) -> bool {
        true
    }

    fn origin(&self, _: &Tensor, _: Padding) -> Torch<[f64; 2]> {
        Ok(self.phase.map(|p| p as f64 + self.blur.centre()))
    }

    fn forward(&self, x: &Tensor, padding: Padding) -> Torch<Tensor> {
        let (s, [py, px]) = (self.stride as i64, self.phase.map(|p| p as i64));
        let blurred = blur(x, &self.blur, padding, &self.cache)?;
        blurred.f_slice(-2, py, None, s)?.f_slice(-1, px, None, s)?.f_contiguous()
    }

    fn gain(&self, fine: GridSize, wave: Wave) -> Option<Complex64> {
        let turns =
            wave.x as f64 * self.phase[1] as f64 / fine.x as f64 + wave.y as f64 * self.phase[0] as f64 / fine.y as f64;
        let axis = |n: i64, samples: usize| self.blur.response(n as f64 / samples as f64);
        Some(Complex64::cis(TAU * turns) * axis(wave.x, fine.x) * axis(wave.y, fine.y))
    }
}

fn blur(x: &Tensor, taps: &Taps, padding: Padding, cache: &Cache) -> Torch<Tensor> {
    if taps.weights.len() == 1 { Ok(x.shallow_clone()) } else { filter(x, taps, 1, padding, cache) }
}

/// How a component is rated.
#[derive(Debug)]
enum Rating {
    /// ‖·‖₂ over channels, rows and columns.
    Norm,
    /// The mean of conv 3 × 3, ReLU, conv 3 × 3 with circular padding, the same weights for every component.
    Learned {
        /// `[hidden, channels, 3, 3]` by channels, in double precision; made from a seed where none are given.
        weights: LearnedWeights,
    },
}

/// The places, among these, of ratings equal to the highest one to rounding.
fn leaders(rating: &[f64], among: impl Iterator<Item = usize> + Clone) -> Vec<usize> {
    let best = among.clone().map(|at| rating[at]).fold(f64::NEG_INFINITY, f64::max);
    let tie = best - 1e-12 * best.abs();
    among.filter(|at| rating[*at] >= tie).collect()
}

/// LPS's weights.
#[derive(Debug)]
pub enum LearnedWeights {
    /// These: `[hidden, channels, 3, 3]` and `[1, hidden, 3, 3]`, in double precision.
    Given(Tensor, Tensor),
    /// Gaussian ones from this seed, for as many channels as the input has.
    Seeded(u64),
}

/// The component of the highest rating, which is taken on the unblurred input.
///
/// Ties are no accident: where no two harmonics of a field fold onto each other, all its components have the same norm.
/// The published rule then takes the first in the order (0, 0), (0, 1), (1, 0), (1, 1), and a shift by one sample takes
/// another content: it is not exact there. Here Σ e^{x/r} decides between equal ratings, r the input's root mean
/// square, and only then the order; so that exactness ends where components have the same values in another
/// arrangement.
#[derive(Debug)]
pub struct Polyphase {
    rating: Rating,
    blur: Taps,
    stride: usize,
    cache: Cache,
}

impl Polyphase {
    /// APS, with a binomial filter of `blur` taps (1: none) on what is kept.
    pub fn aps(blur: usize, stride: usize) -> Self {
        Self {
            rating: Rating::Norm,
            blur: Taps::centred(Filter::Binomial(blur).taps(1.0)),
            stride,
            cache: Cache::default(),
        }
    }

    /// LPS at test time, where the highest logit wins.
    pub fn lps(weights: LearnedWeights, stride: usize) -> Self {
        Self { rating: Rating::Learned { weights }, blur: Taps::centred(vec![1.0]), stride, cache: Cache::default() }
    }

    /// The phase \[p_y, p_x\] of each image.
    fn choose(&self, x: &Tensor) -> Torch<Vec<[usize; 2]>> {
        let s = self.stride as i64;
        let x = x.f_detach()?;
        let mut ratings = Vec::new();
        for py in 0..s {
            for px in 0..s {
                let component = x.f_slice(-2, py, None, s)?.f_slice(-1, px, None, s)?;
                ratings.push(self.rate(&component)?);
            }
        }
        let ratings: Vec<Vec<f64>> = Vec::try_from(&Tensor::f_stack(&ratings, 1)?)?;
        // Sums in another order round differently: what is equal to rounding is a tie.
        let tied: Vec<Vec<usize>> = ratings.iter().map(|rating| leaders(rating, 0..rating.len())).collect();
        let second = if tied.iter().any(|tied| tied.len() > 1) { self.second_ratings(&x)? } else { Vec::new() };
        let choose = |(image, tied): (usize, &Vec<usize>)| {
            let best = match second.get(image) {
                Some(rating) if tied.len() > 1 => leaders(rating, tied.iter().copied()),
                _ => tied.clone(),
            };
            let at = best.first().copied().unwrap_or(0);
            [at / self.stride, at % self.stride]
        };
        Ok(tied.iter().enumerate().map(choose).collect())
    }

    /// What decides between components of equal ratings: Σ e^{x/r}, r the root mean square of the whole input. It sees
    /// all moments of a component's values and nothing of their places, so that a shift leaves it as it is.
    fn second_ratings(&self, x: &Tensor) -> Torch<Vec<Vec<f64>>> {
        let s = self.stride as i64;
        let x = x.f_to_kind(Element::Double)?;
        let scale =
            x.f_square()?.f_mean_dim([1, 2, 3].as_slice(), true, None::<Element>)?.f_sqrt()?.f_clamp_min(1e-300)?;
        // An outlier of hundreds of r would overflow, and decides anything before that.
        let weights = x.f_div(&scale)?.f_clamp_max(300.0)?.f_exp()?;
        let mut ratings = Vec::new();
        for py in 0..s {
            for px in 0..s {
                let component = weights.f_slice(-2, py, None, s)?.f_slice(-1, px, None, s)?;
                ratings.push(component.f_sum_dim_intlist([1, 2, 3].as_slice(), false, None::<Element>)?);
            }
        }
        Vec::try_from(&Tensor::f_stack(&ratings, 1)?)
    }

    /// One number per image, in double precision.
    fn rate(&self, component: &Tensor) -> Torch<Tensor> {
        let component = component.f_to_kind(Element::Double)?;
        match &self.rating {
            Rating::Norm => component.f_square()?.f_sum_dim_intlist([1, 2, 3].as_slice(), false, None::<Element>),
            Rating::Learned { weights } => {
                let (first, second) = weights.at(component.size()[1])?;
                let convolve = |x: &Tensor, w: &Tensor| {
                    pad(x, 1, 1, Padding::Circular)?.f_conv2d(w, None::<&Tensor>, [1, 1], [0, 0], [1, 1], 1)
                };
                let hidden = convolve(&component, &first.f_to_device(component.device())?)?.f_relu()?;
                let out = convolve(&hidden, &second.f_to_device(component.device())?)?;
                out.f_mean_dim([1, 2, 3].as_slice(), false, None::<Element>)
            }
        }
    }
}

impl LearnedWeights {
    fn at(&self, channels: i64) -> Torch<(Tensor, Tensor)> {
        match self {
            Self::Given(first, second) => Ok((first.shallow_clone(), second.shallow_clone())),
            Self::Seeded(seed) => {
                const HIDDEN: i64 = 8;
                Ok((gaussian(*seed, &[HIDDEN, channels, 3, 3])?, gaussian(seed + 1, &[1, HIDDEN, 3, 3])?))
            }
        }
    }
}

/// Gaussian numbers of variance 1/(entries per output), in double precision.
pub fn gaussian(seed: u64, shape: &[i64]) -> Torch<Tensor> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let count: i64 = shape.iter().product();
    let scale = (shape[0] as f64 / count.max(1) as f64).sqrt();
    let values: Vec<f64> = (0..count)
        .map(|_| {
            let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
            scale * radius * (TAU * rng.random::<f64>()).cos()
        })
        .collect();
    Tensor::f_from_slice(&values)?.f_view(shape)
}

impl Design for Polyphase {
    fn name(&self) -> String {
        match (&self.rating, self.blur.weights.len()) {
            (Rating::Norm, 1) => "aps".to_owned(),
            (Rating::Norm, taps) => format!("aps:{taps}"),
            (Rating::Learned { .. }, _) => "lps".to_owned(),
        }
    }

    fn about(&self) -> String {
        match self.rating {
            Rating::Norm => "the polyphase component of largest norm; of equal ones that of the largest sum of e^(x/rms), then the first (APS, arXiv 2011.14214)",
            Rating::Learned { .. } => "the polyphase component that a small network rates highest, here with seeded weights (LPS, arXiv 2210.08001)",
        }
        .to_owned()
    }

    fn kind(&self) -> Kind {
        Kind::Downsampling
    }

    fn guarantee(&self) -> Guarantee {
        Guarantee::Integer
    }

    fn resampling(&self) -> Resampling {
        Resampling::Down { stride: self.stride, first: 0.0 }
    }

    fn check(&self, shape: [usize; 3], padding: Padding) -> Result<(), DesignError> {
        let [_, rows, columns] = shape;
        check_padding(&self.name(), self.blur.reach(), shape, padding)?;
        // Components of different sizes cannot be compared, whatever the padding.
        if !rows.is_multiple_of(self.stride) || !columns.is_multiple_of(self.stride) {
            return Err(DesignError::Indivisible { design: self.name(), stride: self.stride, rows, columns });
        }
        if matches!(self.rating, Rating::Learned { .. }) && rows.min(columns) / self.stride < 1 {
            return Err(DesignError::TooSmall { design: self.name(), needs: 1, padding, rows, columns });
        }
        Ok(())
    }

    fn forward(&self, x: &Tensor, padding: Padding) -> Torch<Tensor> {
        let s = self.stride as i64;
        let blurred = blur(x, &self.blur, padding, &self.cache)?;
        let images = self.choose(x)?;
        let kept = images.into_iter().enumerate().map(|(image, [py, px])| {
            let one = blurred.f_narrow(0, image as i64, 1)?;
            one.f_slice(-2, py as i64, None, s)?.f_slice(-1, px as i64, None, s)
        });
        Tensor::f_cat(&kept.collect::<Torch<Vec<_>>>()?, 0)
    }

    fn tangent(&self, x: &Tensor, dx: &Tensor, padding: Padding) -> Torch<Tensor> {
        // The choice is x's; what it keeps is linear.
        let images = self.choose(x)?;
        let parts = images.into_iter().enumerate().map(|(image, phase)| {
            let frozen = Phase { blur: self.blur.clone(), stride: self.stride, phase, cache: Cache::default() };
            frozen.forward(&dx.f_select(1, image as i64)?, padding)
        });
        Tensor::f_stack(&parts.collect::<Torch<Vec<_>>>()?, 1)
    }

    fn frozen(&self, x: &Tensor, _: Padding) -> Torch<Option<Box<dyn Design>>> {
        let phase = self.choose(x)?.first().copied().unwrap_or_default();
        Ok(Some(Box::new(Phase { blur: self.blur.clone(), stride: self.stride, phase, cache: Cache::default() })))
    }

    fn cost(&self, [images, channels, rows, columns]: [usize; 4]) -> Option<Cost> {
        let input = (images * channels * rows * columns) as f64;
        let output = input / (self.stride * self.stride) as f64;
        let n = self.blur.weights.len();
        let blurred = if n > 1 { input } else { 0.0 };
        let rating = match self.rating {
            Rating::Norm => 1.0,
            // Eight hidden channels, nine taps, and back to one.
            Rating::Learned { .. } => 72.0 + 72.0 / channels as f64,
        };
        Some(Cost { operations: input * rating + blurred * (n * n) as f64, numbers: output + 2.0 * blurred + input })
    }
}
