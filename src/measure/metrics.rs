//! Discrete metrics: equivariance of image-like outputs (StyleGAN3's), and stability of class vectors, under finite shifts
//! and rotations.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

use super::lee::{LeeError, Output, OutputAction, choose_output};
use super::metrics_report::{Metrics, Missing, Psnr};
use super::transport::{rotate, rotation_band, shift_lanczos, shift_whole};
use crate::graph::Network;
use crate::graph::operator::Torch;

/// How much larger a photo must be for windows to be moved over it: from 4, by up to 7½, with 3 taps beyond.
pub const MARGIN: usize = 16;
/// Where the window starts.
const START: i64 = 4;
/// Images per forward pass.
const BATCH: usize = 8;

/// How to measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MetricsOptions {
    /// Random transforms per image and metric.
    pub draws: usize,
    /// The seed that they are drawn from.
    pub seed: u64,
    /// The width of the output's range in PSNRs.
    pub range: f64,
}

/// Sums over everything measured so far.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    total: f64,
    count: f64,
}

impl Sum {
    fn add(&mut self, total: f64, count: f64) {
        self.total += total;
        self.count += count;
    }

    fn mean(self) -> Option<f64> {
        (self.count > 0.0).then(|| self.total / self.count)
    }

    fn psnr(self, range: f64) -> Option<Psnr> {
        self.mean().map(|mse| Psnr { db: psnr(mse, range), mse, pixels: self.count })
    }
}

/// 20 log₁₀(range) − 10 log₁₀(mse); nothing for an error of 0, whose PSNR is infinite.
pub fn psnr(mse: f64, range: f64) -> Option<f64> {
    (mse > 0.0).then(|| 20.0 * range.log10() - 10.0 * mse.log10())
}

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    eq: [Sum; 3],
    mse: [Sum; 3],
    consistency: [Sum; 4],
    invariance: [Sum; 2],
}

/// The measurement of one network, image by image.
pub struct MetricsMeter<'a> {
    network: &'a Network,
    options: MetricsOptions,
    output: Output,
    is_image: bool,
    rng: ChaCha8Rng,
    sums: Sums,
    cropped: bool,
}

impl<'a> MetricsMeter<'a> {
    /// Prepares the measurement.
    ///
    /// # Errors
    /// When the output is an image whose samples' positions are not known.
    pub fn new(network: &'a Network, options: MetricsOptions) -> Result<Self, LeeError> {
        let (output, action) = choose_output(network, None)?;
        Ok(Self {
            network,
            options,
            output,
            is_image: matches!(action, OutputAction::Image(_)),
            rng: ChaCha8Rng::seed_from_u64(options.seed),
            sums: Sums::default(),
            cropped: true,
        })
    }

    /// What is measured behind the network's output.
    pub fn output(&self) -> Output {
        self.output
    }

    /// Whether the output is a vector of more than one class.
    fn is_classes(&self) -> bool {
        matches!(self.network.output().shape[..], [1, classes] if classes > 1)
    }

    /// f of `[n, channels, rows, columns]`: `[n, output…]` in double precision on the CPU.
    fn run(&self, x: &Tensor) -> Result<Tensor, LeeError> {
        let mut parts = Vec::new();
        for part in x.f_split(BATCH as i64, 0)? {
            let y = self.network.forward(&self.network.place(&part.f_unsqueeze(1)?)?)?;
            let y = y.f_select(1, 0)?.f_to_kind(Kind::Double)?.f_to_device(tch::Device::Cpu)?;
            parts.push(if self.output == Output::Softmax { y.f_softmax(-1, None::<Kind>)? } else { y });
        }
        Ok(Tensor::f_cat(&parts, 0)?)
    }

    /// Measures one image, `[1, channels, rows, columns]` in double precision; `larger` is the same photo with
    /// [`MARGIN`] more rows and columns.
    ///
    /// # Errors
    /// When the network fails.
    pub fn measure(&mut self, x: &Tensor, larger: Option<&Tensor>) -> Result<(), LeeError> {
        let y = self.run(x)?;
        let size = x.size();
        let (rows, columns) = (size[2], size[3]);
        let draws = self.options.draws;
        let eighths: Vec<[f64; 2]> =
            (0..draws).map(|_| [0.0; 2].map(|_: f64| self.rng.random_range(-0.125..=0.125))).collect();
        let angles: Vec<f64> =
            (0..draws).map(|_| self.rng.random_range(-std::f64::consts::PI..=std::f64::consts::PI)).collect();
        let small: Vec<f64> = (0..draws).map(|_| self.rng.random_range(-1.0..=1.0)).collect();
        let steps: Vec<[i64; 2]> = (0..draws).map(|_| [0; 2].map(|_: i32| self.rng.random_range(0..=7))).collect();
        if self.is_image {
            self.equivariance(x, &y, &eighths, &angles)?;
        }
        if self.is_classes() {
            let pixels = |t: [f64; 2]| [t[0] * columns as f64, t[1] * rows as f64];
            let whole = each(&eighths, |t| Ok(shift_whole(x, pixels(t).map(|t| t.round() as i64))?.0))?;
            let parts = each(&eighths, |t| Ok(shift_lanczos(x, pixels(t))?.0))?;
            let turned = each(&angles, |angle| Ok(rotate(x, angle)?.0))?;
            for (at, moved) in [whole, parts, turned].iter().enumerate() {
                let change = self.run(moved)?.f_sub(&y)?.f_square()?;
                self.sums.mse[at].add(total(&change)?, change.numel() as f64);
            }
            self.consistency(x, &y, larger, &steps)?;
            let right = each(&small, |t| super::torus::translate(x, [2.0 * t, 0.0]))?;
            let turned = each(&small, |t| Ok(rotate(x, t * std::f64::consts::PI / 16.0)?.0))?;
            for (at, moved) in [right, turned].iter().enumerate() {
                let change = self.run(moved)?.f_sub(&y)?.f_square()?;
                self.sums.invariance[at].add(total(&change)?, draws as f64);
            }
        }
        Ok(())
    }

    /// As [`measure`](Self::measure), shifts alone: EQ-T and EQ-T_frac of an image, consistency of classes.
    ///
    /// # Errors
    /// When the network fails.
    pub fn measure_shifts(&mut self, x: &Tensor, larger: Option<&Tensor>) -> Result<(), LeeError> {
        let y = self.run(x)?;
        let draws = self.options.draws;
        let eighths: Vec<[f64; 2]> =
            (0..draws).map(|_| [0.0; 2].map(|_: f64| self.rng.random_range(-0.125..=0.125))).collect();
        let steps: Vec<[i64; 2]> = (0..draws).map(|_| [0; 2].map(|_: i32| self.rng.random_range(0..=7))).collect();
        if self.is_image {
            self.equivariance(x, &y, &eighths, &[])?;
        }
        if self.is_classes() {
            self.consistency(x, &y, larger, &steps)?;
        }
        Ok(())
    }

    /// f(T x) against T f(x), pooled: a shift each, and a rotation where there is an angle for it.
    fn equivariance(&mut self, x: &Tensor, y: &Tensor, eighths: &[[f64; 2]], angles: &[f64]) -> Result<(), LeeError> {
        let (from, to) = (x.size(), y.size());
        for (at, shift) in eighths.iter().enumerate() {
            // Output pixels; the input moves by as much of the image.
            let out = [shift[0] * to[3] as f64, shift[1] * to[2] as f64];
            let ratio = [from[3] as f64 / to[3] as f64, from[2] as f64 / to[2] as f64];
            let scaled = |t: [f64; 2]| [t[0] * ratio[0], t[1] * ratio[1]];
            if self.whole_ratio() {
                let whole = out.map(f64::round);
                let seen = self.run(&shift_whole(x, scaled(whole).map(|t| t.round() as i64))?.0)?;
                let (wanted, mask) = shift_whole(y, whole.map(|t| t as i64))?;
                pool(&mut self.sums.eq[0], &seen, &wanted, &mask)?;
            }
            let seen = self.run(&shift_lanczos(x, scaled(out))?.0)?;
            let (wanted, mask) = shift_lanczos(y, out)?;
            pool(&mut self.sums.eq[1], &seen, &wanted, &mask)?;
            let Some(&angle) = angles.get(at) else { continue };
            let seen = self.run(&rotate(x, angle)?.0)?;
            let (seen, outer) = rotation_band(&seen, angle)?;
            let (wanted, inner) = rotate(y, angle)?;
            pool(&mut self.sums.eq[2], &seen, &wanted, &inner.f_mul(&outer)?)?;
        }
        Ok(())
    }

    /// Whether an output pixel is a whole number of input pixels.
    fn whole_ratio(&self) -> bool {
        match (&self.network.input().shape[..], &self.network.output().shape[..]) {
            ([_, _, h, w], [_, _, oh, ow]) => *oh > 0 && *ow > 0 && h % oh == 0 && w % ow == 0,
            _ => false,
        }
    }

    fn consistency(
        &mut self,
        x: &Tensor,
        y: &Tensor,
        larger: Option<&Tensor>,
        steps: &[[i64; 2]],
    ) -> Result<(), LeeError> {
        let half = |t: [i64; 2]| t.map(|t| t as f64 + 0.5);
        let rolled = each(steps, |t| x.f_roll([t[1], t[0]], [-2, -1]))?;
        let between = each(steps, |t| super::torus::translate(x, half(t)))?;
        let mut pairs = vec![(0, y.shallow_clone(), rolled), (1, y.shallow_clone(), between)];
        match larger {
            None => self.cropped = false,
            Some(larger) => {
                let size = x.size();
                let window = |image: &Tensor, [right, down]: [i64; 2]| {
                    image.f_narrow(2, START + down, size[2])?.f_narrow(3, START + right, size[3])?.f_contiguous()
                };
                let first = self.run(&window(larger, [0, 0])?)?;
                let whole = each(steps, |t| window(larger, t))?;
                // The window moves half a pixel to the right and down: the image, as much to the left and up.
                let moved = shift_lanczos(larger, [-0.5, -0.5])?.0;
                let between = each(steps, |t| window(&moved, t))?;
                pairs.push((2, first.shallow_clone(), whole));
                pairs.push((3, first, between));
            }
        }
        let outputs = pairs
            .into_iter()
            .map(|(at, reference, moved)| Ok((at, reference, self.run(&moved)?)))
            .collect::<Result<Vec<_>, LeeError>>()?;
        let class = |y: &Tensor| -> Torch<Vec<i64>> { Vec::try_from(&y.f_argmax(-1, false)?.f_reshape([-1])?) };
        for (at, reference, moved) in outputs {
            let kept = class(&reference)?.first().copied();
            let moved = class(&moved)?;
            let same = moved.iter().filter(|class| Some(**class) == kept).count();
            self.sums.consistency[at].add(same as f64, moved.len() as f64);
        }
        Ok(())
    }

    /// The figures so far, and what is missing of them.
    pub fn results(&self) -> (Metrics, Vec<Missing>) {
        let sums = &self.sums;
        let range = self.options.range;
        let metrics = Metrics {
            eq_t: sums.eq[0].psnr(range),
            eq_t_frac: sums.eq[1].psnr(range),
            eq_r: sums.eq[2].psnr(range),
            mse_eq_t: sums.mse[0].mean(),
            mse_eq_t_frac: sums.mse[1].mean(),
            mse_eq_r: sums.mse[2].mean(),
            consistency_integer_circular: sums.consistency[0].mean(),
            consistency_half_pixel_circular: sums.consistency[1].mean(),
            consistency_integer_cropped: sums.consistency[2].mean(),
            consistency_half_pixel_cropped: sums.consistency[3].mean(),
            sample_invariance_translate_x: sums.invariance[0].mean(),
            sample_invariance_rotate: sums.invariance[1].mean(),
        };
        let shape = &self.network.output().shape;
        let mut missing = Vec::new();
        let mut lacks = |names: &[&str], reason: String| {
            missing.extend(names.iter().map(|name| Missing { metric: (*name).to_owned(), reason: reason.clone() }));
        };
        if !self.is_image {
            lacks(
                &["eq_t", "eq_t_frac", "eq_r"],
                format!("the output has the shape {shape:?}, which is no image to move"),
            );
        } else if !self.whole_ratio() {
            lacks(&["eq_t"], "an output pixel is no whole number of input pixels".to_owned());
        }
        if !self.is_classes() {
            let names = [
                "mse_eq_t",
                "mse_eq_t_frac",
                "mse_eq_r",
                "consistency_integer_circular",
                "consistency_half_pixel_circular",
                "consistency_integer_cropped",
                "consistency_half_pixel_cropped",
                "sample_invariance_translate_x",
                "sample_invariance_rotate",
            ];
            lacks(&names, format!("the output has the shape {shape:?}, which is no vector of classes"));
        } else if !self.cropped {
            lacks(
                &["consistency_integer_cropped", "consistency_half_pixel_cropped"],
                "windows can be moved over photos alone, and a tensor has the input's size".to_owned(),
            );
        }
        (metrics, missing)
    }
}

/// One transformed image per draw, along the first axis.
fn each<T: Copy>(draws: &[T], transform: impl Fn(T) -> Torch<Tensor>) -> Torch<Tensor> {
    Tensor::f_cat(&draws.iter().map(|draw| transform(*draw)).collect::<Torch<Vec<_>>>()?, 0)
}

fn total(x: &Tensor) -> Torch<f64> {
    x.f_sum(None::<Kind>)?.f_double_value(&[])
}

/// Adds Σ mask·(seen − wanted)² and Σ mask over images and channels.
fn pool(sum: &mut Sum, seen: &Tensor, wanted: &Tensor, mask: &Tensor) -> Torch<()> {
    let error = seen.f_sub(wanted)?.f_square()?.f_mul(mask)?;
    let planes = seen.numel() as f64 / mask.numel().max(1) as f64;
    sum.add(total(&error)?, planes * total(mask)?);
    Ok(())
}
