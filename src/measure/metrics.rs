//! Discrete metrics: equivariance of image-like outputs (StyleGAN3's), and stability of class vectors, under finite
//! shifts and rotations.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::layer_metrics::LayerMetrics;
use super::lee::{LeeError, Output, OutputAction};
pub use super::metrics_report::Protocol;
use super::metrics_report::{METRICS_SCHEMA_VERSION, MetricProtocols, Metrics, MetricsReport, Missing};
use super::output_action::{choose_output, measured};
use super::run::Run;
use super::tally::{Sum, Tally};
use super::transport::{rotate, rotation_band, shift_lanczos, shift_mirrored, shift_whole};
use crate::graph::Network;
use crate::graph::operator::Torch;

/// How much larger a photo must be for windows to be moved over it: from 4, by up to 7½, with 3 taps beyond.
pub const MARGIN: usize = 16;
/// Where the window starts.
const START: i64 = 4;
/// Moved images per forward pass, unless memory allows fewer.
pub const BATCH: usize = 8;
/// Rolls of each axis in the protocol of the released code: by 0 to 7 pixels.
const ROLLS: i64 = 8;

/// How to measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MetricsOptions {
    /// Random transforms per image and metric.
    pub draws: usize,
    /// The seed that they are drawn from.
    pub seed: u64,
    /// The width of the output's range in PSNRs.
    pub range: f64,
    /// Whose consistency and sample invariance.
    pub protocol: Protocol,
    /// Moved images per forward pass: how many there are at once.
    pub batch: usize,
    /// The function of the output that is measured; none to choose by its shape.
    pub output: Option<Output>,
}

impl Default for MetricsOptions {
    fn default() -> Self {
        Self { draws: 10, seed: 0, range: 2.0, protocol: Protocol::default(), batch: BATCH, output: None }
    }
}

#[derive(Clone, Debug, Default)]
struct Tallies {
    eq: [Tally; 3],
    mse: [Tally; 3],
    consistency: [Tally; 4],
    invariance: [Tally; 2],
    authors_consistency: [Tally; 2],
    authors_invariance: [Tally; 2],
}

impl Tallies {
    fn all(&self) -> impl Iterator<Item = &Tally> {
        let all = self.eq.iter().chain(&self.mse).chain(&self.consistency).chain(&self.invariance);
        all.chain(&self.authors_consistency).chain(&self.authors_invariance)
    }

    /// In the order of [`all`](Self::all).
    fn all_mut(&mut self) -> impl Iterator<Item = &mut Tally> {
        let all = self.eq.iter_mut().chain(&mut self.mse).chain(&mut self.consistency).chain(&mut self.invariance);
        all.chain(&mut self.authors_consistency).chain(&mut self.authors_invariance)
    }

    fn next_image(&mut self) {
        self.all_mut().for_each(Tally::next_image);
    }
}

/// What was found of one image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricsFound {
    /// Of every measure.
    sums: Vec<Sum>,
    /// How far the random numbers were used.
    drawn: u64,
}

/// The measurement of one network, image by image.
pub struct MetricsMeter<'a> {
    network: &'a Network,
    options: MetricsOptions,
    output: Output,
    is_image: bool,
    rng: ChaCha8Rng,
    sums: Tallies,
    images: usize,
}

impl<'a> MetricsMeter<'a> {
    /// Prepares the measurement.
    ///
    /// # Errors
    /// When the input is no image, or the output is one whose samples' positions are not known.
    pub fn new(network: &'a Network, options: MetricsOptions) -> Result<Self, LeeError> {
        if network.input().shape.len() != 4 {
            return Err(LeeError::NotAnImage(network.input().shape.clone()));
        }
        let (output, action) = choose_output(network, options.output)?;
        Ok(Self {
            network,
            options,
            output,
            is_image: matches!(action, OutputAction::Image(_)),
            rng: ChaCha8Rng::seed_from_u64(options.seed),
            sums: Tallies::default(),
            images: 0,
        })
    }

    /// The function of the network's output that is measured.
    pub fn output(&self) -> Output {
        self.output
    }

    /// Whether the output is a vector of more than one class.
    fn is_classes(&self) -> bool {
        self.network.classes().is_some()
    }

    /// f of `[n, channels, rows, columns]`: `[n, output…]` in double precision on the CPU.
    fn run(&self, x: &Tensor) -> Result<Tensor, LeeError> {
        let y = self.network.forward(&self.network.place(&x.f_unsqueeze(1)?)?)?;
        let y = y.f_select(1, 0)?.f_to_kind(Kind::Double)?.f_to_device(tch::Device::Cpu)?;
        Ok(if self.output == Output::Softmax { y.f_softmax(-1, None::<Kind>)? } else { y })
    }

    /// `see` gets f of the transformed images, as many at once as there may be.
    fn each<T: Copy>(
        &self,
        draws: &[T],
        transform: impl Fn(T) -> Torch<Tensor>,
        mut see: impl FnMut(&Tensor) -> Torch<()>,
    ) -> Result<(), LeeError> {
        for draws in draws.chunks(self.options.batch.max(1)) {
            let moved = draws.iter().map(|draw| transform(*draw)).collect::<Torch<Vec<_>>>()?;
            see(&self.run(&Tensor::f_cat(&moved, 0)?)?)?;
        }
        Ok(())
    }

    /// Σ of the squared change of the output, and of how many entries.
    fn change<T: Copy>(
        &self,
        y: &Tensor,
        draws: &[T],
        transform: impl Fn(T) -> Torch<Tensor>,
    ) -> Result<[f64; 2], LeeError> {
        let mut sum = [0.0; 2];
        self.each(draws, transform, |seen| {
            let change = seen.f_sub(y)?.f_square()?;
            sum = [sum[0] + total(&change)?, sum[1] + change.numel() as f64];
            Ok(())
        })?;
        Ok(sum)
    }

    /// How many of the transformed images have the class of `y`, of how many.
    fn kept<T: Copy>(
        &self,
        y: &Tensor,
        draws: &[T],
        transform: impl Fn(T) -> Torch<Tensor>,
    ) -> Result<[f64; 2], LeeError> {
        let class = |y: &Tensor| -> Torch<Vec<i64>> { Vec::try_from(&y.f_argmax(-1, false)?.f_reshape([-1])?) };
        let own = class(y)?.first().copied();
        let mut sum = [0.0; 2];
        self.each(draws, transform, |seen| {
            let seen = class(seen)?;
            sum[0] += seen.iter().filter(|class| Some(**class) == own).count() as f64;
            sum[1] += seen.len() as f64;
            Ok(())
        })?;
        Ok(sum)
    }

    fn eighths(&mut self) -> Vec<[f64; 2]> {
        (0..self.options.draws).map(|_| [0.0; 2].map(|_: f64| self.rng.random_range(-0.125..=0.125))).collect()
    }

    fn numbers(&mut self, most: f64) -> Vec<f64> {
        (0..self.options.draws).map(|_| self.rng.random_range(-most..=most)).collect()
    }

    fn steps(&mut self) -> Vec<[i64; 2]> {
        (0..self.options.draws).map(|_| [0; 2].map(|_: i32| self.rng.random_range(0..=7))).collect()
    }

    /// Measures one image, `[1, channels, rows, columns]` in double precision; `larger` is the same photo with
    /// [`MARGIN`] more rows and columns.
    ///
    /// # Errors
    /// When the network fails.
    pub fn measure(&mut self, x: &Tensor, larger: Option<&Tensor>) -> Result<(), LeeError> {
        self.next_image();
        let y = self.run(x)?;
        let size = x.size();
        let (rows, columns) = (size[2], size[3]);
        let eighths = self.eighths();
        let angles = self.numbers(std::f64::consts::PI);
        if self.is_image {
            self.equivariance(x, &y, &eighths, &angles)?;
        }
        // Drawn whether it is classes or not: the next image's numbers do not depend on it.
        let (small, steps) = match self.options.protocol {
            Protocol::Aliascope => (self.numbers(1.0), self.steps()),
            Protocol::Authors => (Vec::new(), Vec::new()),
        };
        if !self.is_classes() {
            return Ok(());
        }
        let pixels = |t: [f64; 2]| [t[0] * columns as f64, t[1] * rows as f64];
        let changes = [
            self.change(&y, &eighths, |t| Ok(shift_whole(x, pixels(t).map(|t| t.round() as i64))?.0))?,
            self.change(&y, &eighths, |t| Ok(shift_lanczos(x, pixels(t))?.0))?,
            self.change(&y, &angles, |angle| Ok(rotate(x, angle)?.0))?,
        ];
        for (tally, [total, count]) in self.sums.mse.iter_mut().zip(changes) {
            tally.add(total, count);
        }
        if self.options.protocol == Protocol::Authors {
            return self.as_authors(x, &y);
        }
        self.consistency(x, &y, larger, &steps)?;
        let changes = [
            self.change(&y, &small, |t| super::torus::translate(x, [2.0 * t, 0.0]))?,
            self.change(&y, &small, |t| Ok(rotate(x, t * std::f64::consts::PI / 16.0)?.0))?,
        ];
        for (tally, [total, _]) in self.sums.invariance.iter_mut().zip(changes) {
            tally.add(total, small.len() as f64);
        }
        Ok(())
    }

    /// How far the random numbers were used, which the next image's transforms depend on.
    pub fn drawn(&self) -> u64 {
        self.rng.get_word_pos() as u64
    }

    /// What was found of the image that was measured last.
    pub fn last(&self) -> MetricsFound {
        MetricsFound { sums: self.sums.all().map(Tally::last).collect(), drawn: self.drawn() }
    }

    /// Takes up an image that was measured in an earlier run, as its [`last`](Self::last).
    pub fn take(&mut self, found: MetricsFound) {
        self.images += 1;
        self.sums.all_mut().zip(found.sums).for_each(|(tally, sum)| tally.take(sum));
        self.rng.set_word_pos(u128::from(found.drawn));
    }

    /// As [`measure`](Self::measure), shifts alone: EQ-T and EQ-T_frac of an image, consistency of classes.
    ///
    /// # Errors
    /// When the network fails.
    pub fn measure_shifts(&mut self, x: &Tensor, larger: Option<&Tensor>) -> Result<(), LeeError> {
        self.next_image();
        let y = self.run(x)?;
        let (eighths, steps) = (self.eighths(), self.steps());
        if self.is_image {
            self.equivariance(x, &y, &eighths, &[])?;
        }
        if self.is_classes() {
            self.consistency(x, &y, larger, &steps)?;
        }
        Ok(())
    }

    fn next_image(&mut self) {
        self.images += 1;
        self.sums.next_image();
    }

    /// Consistency and sample invariance as the released code has them.
    fn as_authors(&mut self, x: &Tensor, y: &Tensor) -> Result<(), LeeError> {
        let rolls: Vec<i64> = (0..ROLLS).collect();
        for (at, axis) in [-1, -2].into_iter().enumerate() {
            let [kept, count] = self.kept(y, &rolls, |t| x.f_roll([t], [axis]))?;
            self.sums.authors_consistency[at].add(kept, count);
        }
        for at in 0..2 {
            let shifts = self.numbers(2.0);
            let [total, count] = self.change(y, &shifts, |t| shift_mirrored(x, t, at == 0))?;
            self.sums.authors_invariance[at].add(total, count);
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
        let mut kept = vec![
            self.kept(y, steps, |t| x.f_roll([t[1], t[0]], [-2, -1]))?,
            self.kept(y, steps, |t| super::torus::translate(x, half(t)))?,
        ];
        if let Some(larger) = larger {
            let size = x.size();
            let window = |image: &Tensor, [right, down]: [i64; 2]| {
                image.f_narrow(2, START + down, size[2])?.f_narrow(3, START + right, size[3])?.f_contiguous()
            };
            let first = self.run(&window(larger, [0, 0])?)?;
            // The window moves half a pixel to the right and down: the image, as much to the left and up.
            let moved = shift_lanczos(larger, [-0.5, -0.5])?.0;
            kept.push(self.kept(&first, steps, |t| window(larger, t))?);
            kept.push(self.kept(&first, steps, |t| window(&moved, t))?);
        }
        for (tally, [kept, count]) in self.sums.consistency.iter_mut().zip(kept) {
            tally.add(kept, count);
        }
        Ok(())
    }

    /// The result over the images so far: of the run that is described, with what was measured of layers.
    pub fn report(&self, run: Run, layers: Option<LayerMetrics>) -> MetricsReport {
        let (metrics, missing) = self.results();
        MetricsReport {
            schema_version: METRICS_SCHEMA_VERSION,
            run: Run { output: Some(measured(self.network, self.output, &OutputAction::None, "")), ..run },
            draws: self.options.draws,
            seed: self.options.seed,
            range: self.options.range,
            protocol: self.options.protocol,
            metrics,
            protocols: MetricProtocols::default(),
            missing,
            layers,
        }
    }

    /// The figures so far, and what is missing of them.
    pub fn results(&self) -> (Metrics, Vec<Missing>) {
        let sums = &self.sums;
        let range = self.options.range;
        let metrics = Metrics {
            eq_t: sums.eq[0].psnr(range),
            eq_t_frac: sums.eq[1].psnr(range),
            eq_r: sums.eq[2].psnr(range),
            mse_eq_t: sums.mse[0].measure(),
            mse_eq_t_frac: sums.mse[1].measure(),
            mse_eq_r: sums.mse[2].measure(),
            consistency_integer_circular: sums.consistency[0].measure(),
            consistency_half_pixel_circular: sums.consistency[1].measure(),
            consistency_integer_cropped: sums.consistency[2].measure(),
            consistency_half_pixel_cropped: sums.consistency[3].measure(),
            sample_invariance_translate_x: sums.invariance[0].measure(),
            sample_invariance_rotate: sums.invariance[1].measure(),
            consistency_authors_columns: sums.authors_consistency[0].measure(),
            consistency_authors_rows: sums.authors_consistency[1].measure(),
            sample_invariance_authors_x: sums.authors_invariance[0].measure(),
            sample_invariance_authors_y: sums.authors_invariance[1].measure(),
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
        let (consistency, cropped, invariance): (&[&str], &[&str], &[&str]) = match self.options.protocol {
            Protocol::Aliascope => (
                &["consistency_integer_circular", "consistency_half_pixel_circular"],
                &["consistency_integer_cropped", "consistency_half_pixel_cropped"],
                &["sample_invariance_translate_x", "sample_invariance_rotate"],
            ),
            Protocol::Authors => (
                &["consistency_authors_columns", "consistency_authors_rows"],
                &[],
                &["sample_invariance_authors_x", "sample_invariance_authors_y"],
            ),
        };
        let windows = sums.consistency[2].images();
        if !self.is_classes() {
            let mse: &[&str] = &["mse_eq_t", "mse_eq_t_frac", "mse_eq_r"];
            let names = [mse, consistency, cropped, invariance].concat();
            lacks(&names, format!("the output has the shape {shape:?}, which is no vector of classes"));
        } else if windows < self.images {
            let of = if windows > 0 { format!("of {} images: ", self.images - windows) } else { String::new() };
            lacks(cropped, format!("{of}windows can be moved over photos alone, and a tensor has the input's size"));
        }
        if self.options.protocol == Protocol::Authors {
            let reason = "the released code turns images by up to np.pi // 16, which is 0, so its measure is 0 for every network";
            lacks(&["sample_invariance_rotate"], reason.to_owned());
        }
        (metrics, missing)
    }
}

fn total(x: &Tensor) -> Torch<f64> {
    x.f_sum(None::<Kind>)?.f_double_value(&[])
}

/// Adds Σ mask·(seen − wanted)² and Σ mask over images and channels.
fn pool(sum: &mut Tally, seen: &Tensor, wanted: &Tensor, mask: &Tensor) -> Torch<()> {
    let error = seen.f_sub(wanted)?.f_square()?.f_mul(mask)?;
    let planes = seen.numel() as f64 / mask.numel().max(1) as f64;
    sum.add(total(&error)?, planes * total(mask)?);
    Ok(())
}
