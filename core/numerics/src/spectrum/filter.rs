//! Low-pass filters before sampling, and their frequency responses.

use std::f64::consts::{PI, TAU};
use std::fmt;
use std::str::FromStr;

use ndarray::parallel::prelude::*;
use ndarray::{Array2, Array3, ArrayView3, Axis, s};
use num_complex::Complex64;
use thiserror::Error;

use super::alias::{GridSize, Wave};
use super::bessel::{bessel_i0, bessel_j};
use super::half_spectrum::HalfSpectrum;
use super::name::UnknownName;
use super::transform::TransformError;

/// What an ideal low-pass filter does with the coarse grid's two Nyquist harmonics ±M/2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nyquist {
    /// Both go: nothing is left that the coarse grid cannot tell apart.
    Zeroed,
    /// Both stay, and fold onto one bin.
    Kept,
    /// Half of each stays, so that the bin holds their mean.
    Split,
}

/// A low-pass filter, as it is named.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// No filter.
    None,
    /// 1 below the coarse grid's Nyquist frequency on each axis, 0 above.
    Ideal(Nyquist),
    /// 1 to 7 binomial taps per axis, C(n − 1, t)/2^{n−1}.
    Binomial(usize),
    /// Windowed sinc: cut-off at the coarse Nyquist frequency, Kaiser's window; taps per axis, or 6 per coarse sample.
    Kaiser(Option<usize>),
    /// The same with a jinc in place of the sinc, so that it passes all directions alike.
    KaiserRadial(Option<usize>),
    /// sinc(x) sinc(x/a) with a lobes, x in coarse samples.
    Lanczos(usize),
    /// These taps along each axis, as they are.
    Taps(Vec<f64>),
}

/// Why there is no such filter.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum FilterError {
    /// A name that is not known.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// Arguments out of range.
    #[error("cannot read the filter '{given}': {reason}")]
    Arguments {
        /// What was given.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A filter made of taps without samples for them to lie on.
    #[error("the filter '{0}' is made of taps, which need samples to lie on; say how many (or use 'ideal')")]
    NeedsSamples(Filter),
    /// The transform failed.
    #[error(transparent)]
    Transform(#[from] TransformError),
}

const NAMES: [&str; 15] = [
    "none",
    "ideal",
    "ideal-kept",
    "ideal-split",
    "binomial-1",
    "binomial-2",
    "binomial-3",
    "binomial-4",
    "binomial-5",
    "binomial-6",
    "binomial-7",
    "kaiser",
    "kaiser-radial",
    "lanczos",
    "taps",
];

/// The most taps along an axis.
pub const MAX_TAPS: usize = 512;

impl Filter {
    /// One filter of each kind, for tables and figures.
    pub fn examples() -> Vec<Self> {
        let mut filters = vec![Self::None, Self::Ideal(Nyquist::Zeroed)];
        filters.extend([2, 3, 5, 7].map(Self::Binomial));
        filters.extend([Self::Kaiser(None), Self::KaiserRadial(None), Self::Lanczos(3)]);
        filters
    }

    /// The filter for going from samples on `fine` to samples on `coarse`; `fine` may be missing for filters that act
    /// on a continuous signal.
    ///
    /// # Errors
    /// A filter made of taps without `fine`.
    pub fn design(&self, fine: Option<GridSize>, coarse: GridSize) -> Result<Response, FilterError> {
        let shape = match (self, fine) {
            (Self::None, _) => Shape::All,
            (Self::Ideal(nyquist), _) => Shape::Ideal(*nyquist),
            (_, None) => return Err(FilterError::NeedsSamples(self.clone())),
            (Self::KaiserRadial(taps), Some(fine)) => Shape::Plane(radial_taps(*taps, fine, coarse)),
            (_, Some(fine)) => Shape::Separable {
                x: self.taps(fine.x as f64 / coarse.x.max(1) as f64),
                y: self.taps(fine.y as f64 / coarse.y.max(1) as f64),
            },
        };
        Ok(Response { fine, coarse, shape })
    }

    /// The taps along one axis where one coarse sample is `ratio` fine ones; a single 1 for filters without taps.
    pub fn taps(&self, ratio: f64) -> Vec<f64> {
        match self {
            Self::None | Self::Ideal(_) => vec![1.0],
            Self::Binomial(count) => {
                let mut taps = vec![1.0];
                for _ in 1..*count {
                    let shifted = taps.iter().copied().chain([0.0]).zip([0.0].into_iter().chain(taps.iter().copied()));
                    taps = shifted.map(|(a, b)| 0.5 * (a + b)).collect();
                }
                taps
            }
            Self::Kaiser(count) | Self::KaiserRadial(count) => {
                let count = kaiser_length(*count, ratio);
                let window = kaiser_window(count, ratio);
                let centre = (count as f64 - 1.0) / 2.0;
                normalised(window.iter().enumerate().map(|(t, w)| w * sinc((t as f64 - centre) / ratio)).collect())
            }
            Self::Lanczos(lobes) => {
                let reach = (*lobes as f64 * ratio).ceil() as i64 - 1;
                let lobes = *lobes as f64;
                normalised((-reach..=reach).map(|t| sinc(t as f64 / ratio) * sinc(t as f64 / ratio / lobes)).collect())
            }
            Self::Taps(taps) => taps.clone(),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Shape {
    All,
    Ideal(Nyquist),
    Separable { x: Vec<f64>, y: Vec<f64> },
    Plane(Array2<f64>),
}

/// A filter between two grids.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    fine: Option<GridSize>,
    coarse: GridSize,
    shape: Shape,
}

impl Response {
    /// Whether it passes everything.
    pub fn is_identity(&self) -> bool {
        self.shape == Shape::All
    }

    /// G_n: for taps w_t about the anchor p = ⌊(taps − 1)/2⌋, Σ_t w_t e^{2πi n·(t − p)/N} per axis, N the fine grid.
    /// With a fine grid it has that grid's period.
    pub fn gain(&self, wave: Wave) -> Complex64 {
        // The ideal filter is defined within the fine grid's band; taps have its period by themselves, up to rounding.
        let wave = self.fine.map_or(wave, |fine| fine.alias(wave));
        self.gain_at([wave.x as f64, wave.y as f64])
    }

    /// G at any frequency, in cycles per unit length along x and y; within the fine grid's band where there is one.
    pub fn gain_at(&self, [along_x, along_y]: [f64; 2]) -> Complex64 {
        match (&self.shape, self.fine) {
            (Shape::All, _) => Complex64::ONE,
            (Shape::Ideal(nyquist), _) => {
                let pass = |n: f64, m: usize| match (2.0 * n.abs()).total_cmp(&(m as f64)) {
                    std::cmp::Ordering::Less => 1.0,
                    std::cmp::Ordering::Greater => 0.0,
                    std::cmp::Ordering::Equal => match nyquist {
                        Nyquist::Zeroed => 0.0,
                        Nyquist::Kept => 1.0,
                        Nyquist::Split => 0.5,
                    },
                };
                Complex64::from(pass(along_x, self.coarse.x) * pass(along_y, self.coarse.y))
            }
            (Shape::Separable { x, y }, Some(fine)) => {
                response(x, along_x / fine.x as f64) * response(y, along_y / fine.y as f64)
            }
            (Shape::Plane(taps), Some(fine)) => {
                let (rows, columns) = taps.dim();
                let anchor = ((rows - 1) / 2, (columns - 1) / 2);
                taps.indexed_iter()
                    .map(|((j, i), tap)| {
                        let turns = along_x * (i as f64 - anchor.1 as f64) / fine.x as f64
                            + along_y * (j as f64 - anchor.0 as f64) / fine.y as f64;
                        tap * Complex64::cis(TAU * turns)
                    })
                    .sum()
            }
            (_, None) => Complex64::ONE,
        }
    }

    /// Whether it is a sum over taps.
    pub fn has_taps(&self) -> bool {
        matches!(self.shape, Shape::Separable { .. } | Shape::Plane(_))
    }

    /// The filter applied to samples `[channels, rows, columns]` of the fine grid as a network does it, as a circular
    /// sum over taps; an ideal filter, which has no taps, by transform.
    ///
    /// # Errors
    /// Fields without samples.
    pub fn apply(&self, fields: ArrayView3<'_, f64>) -> Result<Array3<f64>, FilterError> {
        self.apply_strided(fields, GridSize::square(1))
    }

    /// Every `stride`-th sample of what [`Self::apply`] gives; sums over taps are made for those samples only.
    ///
    /// # Errors
    /// Fields without samples.
    pub fn apply_strided(&self, fields: ArrayView3<'_, f64>, stride: GridSize) -> Result<Array3<f64>, FilterError> {
        let keep = s![.., ..;stride.y as isize, ..;stride.x as isize];
        Ok(match &self.shape {
            Shape::All => fields.slice(keep).to_owned(),
            Shape::Ideal(_) => {
                let mut spectrum = HalfSpectrum::from_samples(fields)?;
                spectrum.par_multiply(|wave| self.gain(wave));
                let samples = spectrum.into_samples()?;
                if stride == GridSize::square(1) { samples } else { samples.slice(keep).to_owned() }
            }
            Shape::Separable { x, y } => {
                let taps = Array2::from_shape_fn((y.len(), x.len()), |(j, i)| y[j] * x[i]);
                circular_sum(fields, &taps, stride)
            }
            Shape::Plane(taps) => circular_sum(fields, taps, stride),
        })
    }

    /// How well it does along x, between its two grids.
    pub fn quality(&self) -> Quality {
        let fine = self.fine.unwrap_or(self.coarse).x as f64;
        quality(|f| self.gain_at([f * fine, 0.0]).norm(), (fine / self.coarse.x.max(1) as f64).max(1.0))
    }

    /// |G| along x, along y and along the diagonal, at `points` frequencies from 0 to the fine grid's Nyquist frequency
    /// (for the diagonal, that on both axes): rows of \[cycles per fine sample, x, y, diagonal\].
    pub fn profile(&self, points: usize) -> Vec<[f64; 4]> {
        let fine = self.fine.unwrap_or(self.coarse);
        let gain = |fx: f64, fy: f64| self.gain_at([fx * fine.x as f64, fy * fine.y as f64]).norm();
        let frequency = |i: usize| 0.5 * i as f64 / points.saturating_sub(1).max(1) as f64;
        (0..points).map(frequency).map(|f| [f, gain(f, 0.0), gain(0.0, f), gain(f, f)]).collect()
    }
}

/// Σ_t w_t e^{2πi f (t − p)}, the response of taps along one axis at f cycles per sample, p = ⌊(taps − 1)/2⌋.
pub fn response(taps: &[f64], frequency: f64) -> Complex64 {
    let anchor = (taps.len().saturating_sub(1) / 2) as f64;
    taps.iter().enumerate().map(|(t, w)| w * Complex64::cis(TAU * frequency * (t as f64 - anchor))).sum()
}

/// How well a filter keeps the coarse grid's band and stops the rest, along one axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// The mean of |G|² over the frequencies that fold, from the coarse Nyquist frequency to the fine one: the share of
    /// white noise's energy there that gets through. 0 where nothing folds.
    pub stop_band: f64,
    /// The mean of |G|² over the frequencies that stay.
    pub pass_band: f64,
    /// From where |G| first falls below 0.9 to where it last exceeds 0.1, in cycles per fine sample.
    pub transition: [f64; 2],
}

/// The quality of a filter |G|(f), f in cycles per fine sample, where one coarse sample is `ratio` ≥ 1 fine ones.
pub fn quality(gain: impl Fn(f64) -> f64, ratio: f64) -> Quality {
    const POINTS: usize = 4096;
    let nyquist = 0.5 / ratio;
    // By the midpoint rule; |G|² of at most some dozens of taps turns slowly.
    let mean = |from: f64, to: f64| {
        let step = (to - from) / POINTS as f64;
        (0..POINTS).map(|i| gain(from + step * (i as f64 + 0.5)).powi(2)).sum::<f64>() / POINTS as f64
    };
    let frequency = |i: usize| 0.5 * i as f64 / POINTS as f64;
    let gains: Vec<f64> = (0..=POINTS).map(|i| gain(frequency(i))).collect();
    let start = gains.iter().position(|g| *g < 0.9).unwrap_or(POINTS);
    let end = gains.iter().rposition(|g| *g > 0.1).unwrap_or(0);
    Quality {
        stop_band: if nyquist < 0.5 { mean(nyquist, 0.5) } else { 0.0 },
        pass_band: mean(0.0, nyquist),
        transition: [frequency(start), frequency(end)],
    }
}

/// Σ_t w_t h_{s·j + t − p} on a torus, p the anchor and s the stride.
fn circular_sum(fields: ArrayView3<'_, f64>, taps: &Array2<f64>, stride: GridSize) -> Array3<f64> {
    let (channels, rows, columns) = fields.dim();
    let anchor = ((taps.nrows() - 1) / 2, (taps.ncols() - 1) / 2);
    let wrapped = |i: usize, t: usize, anchor: usize, n: usize| (i + t + n * anchor.div_ceil(n) - anchor) % n;
    let mut sums = Array3::zeros((channels, rows.div_ceil(stride.y), columns.div_ceil(stride.x)));
    for (field, mut sums) in fields.outer_iter().zip(sums.outer_iter_mut()) {
        sums.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(j, mut line)| {
            for ((v, u), tap) in taps.indexed_iter() {
                let row = field.row(wrapped(j * stride.y, v, anchor.0, rows));
                let mut at = wrapped(0, u, anchor.1, columns);
                for sum in &mut line {
                    *sum += tap * row[at];
                    at = (at + stride.x) % columns;
                }
            }
        });
    }
    sums
}

fn kaiser_length(count: Option<usize>, ratio: f64) -> usize {
    count.unwrap_or((6.0 * ratio).round() as usize).clamp(1, MAX_TAPS)
}

/// Kaiser's window for a transition half as wide as the band below the coarse Nyquist frequency, with his formula for
/// β: the taps are those of `scipy.signal.firwin(count, 1/ratio, width=0.5/ratio, fs=2)`.
fn kaiser_window(count: usize, ratio: f64) -> Vec<f64> {
    let attenuation = 2.285 * (count as f64 - 1.0) * PI * 0.5 / ratio + 7.95;
    let beta = match attenuation {
        a if a > 50.0 => 0.1102 * (a - 8.7),
        a if a > 21.0 => 0.5842 * (a - 21.0).powf(0.4) + 0.07886 * (a - 21.0),
        _ => 0.0,
    };
    let centre = (count as f64 - 1.0) / 2.0;
    (0..count)
        .map(|t| {
            let r = if centre > 0.0 { (t as f64 - centre) / centre } else { 0.0 };
            bessel_i0(beta * (1.0 - r * r).max(0.0).sqrt()) / bessel_i0(beta)
        })
        .collect()
}

fn radial_taps(count: Option<usize>, fine: GridSize, coarse: GridSize) -> Array2<f64> {
    let (ratio_x, ratio_y) = (fine.x as f64 / coarse.x.max(1) as f64, fine.y as f64 / coarse.y.max(1) as f64);
    let axis = |ratio: f64| {
        let count = kaiser_length(count, ratio);
        (kaiser_window(count, ratio), (count as f64 - 1.0) / 2.0)
    };
    let ((window_x, centre_x), (window_y, centre_y)) = (axis(ratio_x), axis(ratio_y));
    let mut taps = Array2::from_shape_fn((window_y.len(), window_x.len()), |(j, i)| {
        let r = ((i as f64 - centre_x) / ratio_x).hypot((j as f64 - centre_y) / ratio_y);
        // J₁(πr)/(2r) tends to π/4; a disc's transform.
        let jinc = if r < 1e-9 { PI / 4.0 } else { bessel_j(1, PI * r) / (2.0 * r) };
        window_x[i] * window_y[j] * jinc
    });
    let sum = taps.sum();
    taps /= sum;
    taps
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

fn normalised(taps: Vec<f64>) -> Vec<f64> {
    let sum: f64 = taps.iter().sum();
    taps.into_iter().map(|tap| tap / sum).collect()
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.pad("none"),
            Self::Ideal(Nyquist::Zeroed) => f.pad("ideal"),
            Self::Ideal(Nyquist::Kept) => f.pad("ideal-kept"),
            Self::Ideal(Nyquist::Split) => f.pad("ideal-split"),
            Self::Binomial(count) => f.pad(&format!("binomial-{count}")),
            Self::Kaiser(None) => f.pad("kaiser"),
            Self::Kaiser(Some(taps)) => f.pad(&format!("kaiser:{taps}")),
            Self::KaiserRadial(None) => f.pad("kaiser-radial"),
            Self::KaiserRadial(Some(taps)) => f.pad(&format!("kaiser-radial:{taps}")),
            Self::Lanczos(lobes) => f.pad(&format!("lanczos:{lobes}")),
            Self::Taps(taps) => {
                let list: Vec<String> = taps.iter().map(f64::to_string).collect();
                f.pad(&format!("taps:{}", list.join(",")))
            }
        }
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    /// Reads `none`, `ideal`, `ideal-kept`, `ideal-split`, `binomial-1` to `binomial-7`, `kaiser`, `kaiser:TAPS`,
    /// `kaiser-radial`, `kaiser-radial:TAPS`, `lanczos`, `lanczos:LOBES` and `taps:w0,w1,…`.
    fn from_str(given: &str) -> Result<Self, FilterError> {
        let refuse = |reason: String| Err(FilterError::Arguments { given: given.chars().take(60).collect(), reason });
        let (name, arguments) = match given.split_once(':') {
            Some((name, arguments)) => (name, Some(arguments)),
            None => (given, None),
        };
        let count = |most: usize| match arguments {
            None => Ok(None),
            Some(text) => match text.trim().parse::<usize>() {
                Ok(count) if (1..=most).contains(&count) => Ok(Some(count)),
                _ => Err(FilterError::Arguments {
                    given: given.chars().take(60).collect(),
                    reason: format!("'{name}:' takes a whole number from 1 to {most}"),
                }),
            },
        };
        let filter = match name {
            "kaiser" => return Ok(Self::Kaiser(count(MAX_TAPS)?)),
            "kaiser-radial" => return Ok(Self::KaiserRadial(count(64)?)),
            "lanczos" => return Ok(Self::Lanczos(count(16)?.unwrap_or(3))),
            "taps" => {
                let taps: Option<Vec<f64>> = arguments
                    .map(|text| {
                        text.split(',').map(|w| w.trim().parse().ok().filter(|w: &f64| w.is_finite())).collect()
                    })
                    .unwrap_or_default();
                return match taps {
                    Some(taps) if taps.len() <= MAX_TAPS => Ok(Self::Taps(taps)),
                    Some(_) => refuse(format!("at most {MAX_TAPS} taps")),
                    None => refuse("taps are finite numbers, as in taps:0.25,0.5,0.25".to_owned()),
                };
            }
            "none" => Self::None,
            "ideal" => Self::Ideal(Nyquist::Zeroed),
            "ideal-kept" => Self::Ideal(Nyquist::Kept),
            "ideal-split" => Self::Ideal(Nyquist::Split),
            _ => match name.strip_prefix("binomial-").and_then(|n| n.parse().ok()) {
                Some(count @ 1..=7) => Self::Binomial(count),
                _ => return Err(UnknownName::new("filter", name, &NAMES).into()),
            },
        };
        if arguments.is_some() { refuse(format!("'{name}' takes no arguments")) } else { Ok(filter) }
    }
}
